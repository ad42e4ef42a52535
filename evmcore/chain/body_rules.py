"""What a body has to be: its roots against the header, its size, its ommers; and what an execution has to come to.

Each check raises through `refusal`. Yellow Paper 4.4.3, 11.1, 11.4; EIP-4844, 4895, 7685, 7934.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import rlp
from .._core import PARAMETERS, withdrawals_root
from ..block import Block
from ..errors import InvalidBlock
from ..header import Header
from ..receipt import keccak256
from .refusal import refusal
from .schedule import rules_of

if TYPE_CHECKING:
    from .._core import BlockResult
    from .importer import ChainBlock

__all__ = ["check_body", "check_ommers", "check_result"]


def check_body(block: Block, size_bytes: int) -> None:
    """Whether the body is the one that the header speaks of, and is no larger than it may be.

    Its transactions are held against the header after they ran, as the executable specification does: a transaction
    that may not be included is the better reason to refuse a block than the root that it doesn't fit.
    """
    header = block.header
    rules = rules_of(header.fork)
    if rules.max_block_size_bytes and size_bytes > rules.max_block_size_bytes:
        raise refusal("BLOCK_TOO_LARGE", have=size_bytes, want=rules.max_block_size_bytes)
    ommers_hash = keccak256(rlp.encode_list(ommer.encode() for ommer in block.ommers))
    if ommers_hash != header.ommers_hash:
        raise refusal("BLOCK_OMMERS_HASH", have=header.ommers_hash, want=ommers_hash)
    if rules.has_withdrawals:
        if block.withdrawals is None:
            raise refusal("BLOCK_WITHDRAWALS_MISSING", have=header.fork)
        root = withdrawals_root(block.withdrawals)
        if root != header.withdrawals_root:
            raise refusal("BLOCK_WITHDRAWALS_ROOT", have=header.withdrawals_root, want=root)
    elif block.withdrawals is not None:
        raise refusal(
            "BLOCK_FIELD_TOO_EARLY", message=f"field too early: {header.fork} has no withdrawals in the block"
        )


def check_ommers(block: Block, parent: ChainBlock, check_ommer_header: Callable[[Header, ChainBlock], None]) -> None:
    """Whether the ommers are recent relatives, each for the first time, and valid headers. Yellow Paper 11.1.

    check_ommer_header  holds one against the rules of a header, on its parent
    """
    if not block.ommers:
        return
    most = PARAMETERS["ommer_maximum_count"]
    if len(block.ommers) > most:
        raise refusal("OMMER_COUNT", have=len(block.ommers), want=most)
    ancestors: dict[bytes, ChainBlock] = {}
    included = {block.hash}
    ancestor: ChainBlock | None = parent
    for _ in range(PARAMETERS["ommer_maximum_age"] + 1):
        if ancestor is None:
            break
        ancestors[ancestor.hash] = ancestor
        included.update(ancestor.ommer_hashes)
        ancestor = ancestor.parent
    for index, ommer in enumerate(block.ommers):
        try:
            _check_kinship(ommer, block.header, ancestors, included)
            check_ommer_header(ommer, ancestors[ommer.parent_hash])
        except InvalidBlock as error:
            raise refusal(error.status, error.have, error.want, message=f"ommer {index}: {error}") from None
        included.add(ommer.hash)


def _check_kinship(ommer: Header, header: Header, ancestors: dict[bytes, ChainBlock], included: set[bytes]) -> None:
    """Whether an ommer is a new child of an ancestor, and no ancestor itself."""
    ommer_hash = ommer.hash
    if ommer_hash in included:
        raise refusal("OMMER_DUPLICATE", have=ommer_hash)
    if ommer_hash in ancestors:
        raise refusal("OMMER_IS_ANCESTOR", have=ommer_hash)
    if ommer.parent_hash == header.parent_hash:
        raise refusal("OMMER_IS_BROTHER", have=ommer_hash)
    if ommer.parent_hash not in ancestors:
        age = header.number - ommer.number
        if age > PARAMETERS["ommer_maximum_age"]:
            raise refusal("OMMER_AGE", have=age, want=PARAMETERS["ommer_maximum_age"])
        raise refusal("OMMER_PARENT", have=ommer.parent_hash)


def check_result(header: Header, result: BlockResult, blob_maximum: int) -> None:
    """Whether an execution came to what the header says. `blob_maximum`: blobs that a block may have."""
    if result.transactions_root != header.transactions_root:
        raise refusal("BLOCK_TRANSACTIONS_ROOT", have=header.transactions_root, want=result.transactions_root)
    if result.gas_used != header.gas_used:
        raise refusal("BLOCK_GAS_USED", have=header.gas_used, want=result.gas_used)
    if header.blob_gas_used is not None and result.blob_gas_used != header.blob_gas_used:
        most = blob_maximum * PARAMETERS["blob_gas_per_blob"]
        if header.blob_gas_used > most:
            raise refusal("BLOCK_BLOB_GAS_ABOVE_LIMIT", have=header.blob_gas_used, want=most)
        raise refusal("BLOCK_BLOB_GAS_USED", have=header.blob_gas_used, want=result.blob_gas_used)
    if result.logs_bloom != header.logs_bloom:
        raise refusal("BLOCK_LOGS_BLOOM", have=header.logs_bloom, want=result.logs_bloom)
    list_hash = header.block_access_list_hash
    for status, have, want in (
        ("BLOCK_RECEIPTS_ROOT", header.receipts_root, result.receipts_root),
        ("BLOCK_REQUESTS_HASH", header.requests_hash, result.requests_hash),
        ("BLOCK_ACCESS_LIST_HASH", list_hash, None if list_hash is None else result.access_list_hash),
        ("BLOCK_STATE_ROOT", header.state_root, result.state_root),
    ):
        if have != want:
            raise refusal(status, have=have, want=want)
    if list_hash is not None and result.access_list is not None:
        result.access_list.check(header, len(result.receipts))  # last: its size
