"""debug_ and trace_: storage, witnesses and roots of blocks, and traces as OpenEthereum had them."""

from __future__ import annotations

from typing import Any

from ..._core import execute_block, keccak256
from ...block import Block
from ...dev import BlockNotFound, DevBlock
from ...hexadecimal import to_hex
from .. import decode
from ..encode import word
from ..errors import SERVER_ERROR, RpcError
from ..node import Node
from .blocks import BLOCK
from .debug import CONFIG, LET_IN, advanced, begun, trace_all
from .filters import bounds
from .parity import flat
from .table import Later, Steps, required, rows

_SLOTS_MOST = 10_000
# Without a transaction: looked at without a turn for others.
_BLOCKS_A_TURN = 100


def storage_range(node: Node, which: Any, index: int, address: bytes, start: bytes, most: int) -> Later:
    """The slots of an account before a transaction of a block, from a hash on, in the order of their hashes."""
    node.check_whole("list of an account's slots")
    block = node.chain.block(which)
    if index > len(block.block.transactions):
        raise RpcError(SERVER_ERROR, f"transaction index {index} out of range for block {to_hex(block.hash)}")

    builder = None if block.number == node.chain.first else begun(node, block)

    def run() -> dict[str, Any]:
        state = block.state if builder is None else advanced(builder, block, index)
        if address not in state:
            raise RpcError(SERVER_ERROR, f"account {to_hex(address)} doesn't exist")
        slots = sorted(
            (keccak256(slot.to_bytes(32, "big")), slot, value) for slot, value in state.storage(address).items()
        )
        left = [one for one in slots if one[0] >= start.ljust(32, b"\0")]
        count = min(most, _SLOTS_MOST)
        return {
            "storage": {
                to_hex(hashed): {"key": word(slot), "value": word(value)} for hashed, slot, value in left[:count]
            },
            "nextKey": to_hex(left[count][0]) if len(left) > count else None,
        }

    return Later(run)


def intermediate_roots(node: Node, block_hash: bytes) -> Later:
    """The state root after each transaction of a block."""
    node.check_whole("state roots")
    block = node.chain.block(block_hash)
    builder = begun(node, block)

    def run() -> list[str]:
        roots = []
        for one in block.block.transactions:
            builder.add(one, checks=LET_IN)
            roots.append(to_hex(builder.state.root()))
        return roots

    return Later(run)


def execution_witness(node: Node, which: Any) -> Later:
    """What the block takes of the state before it."""
    node.check_whole("witnesses")
    block = node.chain.block(which)
    if block.number == node.chain.first:
        raise RpcError(SERVER_ERROR, "the first block has no witness: nothing executes it")
    before = node.chain.block(block.number - 1)
    oldest = max(node.chain.first, block.number - 256)
    ancestors = [node.chain.block(number).header for number in range(oldest, block.number)]

    def run() -> Any:
        result = execute_block(block.block, before.state.copy(), workers=1, witness=True, ancestors=ancestors)
        assert result.witness is not None
        return result.witness.to_json()

    return Later(run)


def trace_raw_block(node: Node, raw: bytes, config: dict[str, Any]) -> Later:
    """A block that the chain need not have, on a parent that it has."""
    chain = node.chain
    header = Block.decode(raw).header
    try:
        parent = chain.block(header.parent_hash)
    except BlockNotFound:
        raise RpcError(SERVER_ERROR, f"parent {to_hex(header.parent_hash)} not found") from None
    if header.number != parent.number + 1:
        raise RpcError(SERVER_ERROR, f"block {header.number} on a parent of number {parent.number}")
    fork, limits = chain.place(header.number, header.timestamp, chain.total_difficulty_of(parent.number))
    block = Block.decode(raw, fork=fork, chain_id=chain.chain_id).with_header(
        block_hashes=chain.recent_hashes(header.number), blob_schedule=limits
    )
    return trace_all(node, DevBlock(block, (), parent.state, block.hash), config)


def flat_block(node: Node, which: Any) -> Later:
    block = node.chain.block(which)
    if block.number == node.chain.first:
        return Later(list)
    builder = begun(node, block)

    def run() -> list[dict[str, Any]]:
        shown = []
        for index, one in enumerate(block.block.transactions):
            shown += flat(node, block, index, builder.state)
            builder.add(one, checks=LET_IN)
        return shown

    return Later(run)


def _mode(value: Any) -> str:
    if value not in ("union", "intersection"):
        raise decode.Unfit("expected union or intersection")
    return str(value)


_trace_filter = decode.object_of(
    {
        "fromBlock": ("first", decode.block_number),
        "toBlock": ("last", decode.block_number),
        "fromAddress": ("senders", decode.list_of(decode.address)),
        "toAddress": ("receivers", decode.list_of(decode.address)),
        "mode": ("mode", _mode),
        "after": ("after", decode.lenient),
        "count": ("count", decode.lenient),
    }
)


def filter_traces(node: Node, wanted: dict[str, Any]) -> Steps:
    """Flat traces of blocks, by who calls and who is called: of both lists either fits, or (mode intersection) both have to."""
    span: dict[str, Any] = {name: wanted[name] for name in ("first", "last") if name in wanted}
    first, last = bounds(node, {"first": "earliest", **span})
    if node.fork is not None and first <= node.fork.number:
        raise RpcError(SERVER_ERROR, f"trace_filter: of a fork the blocks after {node.fork.number} alone")
    senders, receivers = ({to_hex(one) for one in wanted.get(name, ())} for name in ("senders", "receivers"))
    is_either = wanted.get("mode", "union") == "union"

    def fits(one: dict[str, Any]) -> bool:
        action, result = one["action"], one.get("result") or {}
        by = action.get("from", action.get("address")) in senders
        to = action.get("to", result.get("address", action.get("refundAddress"))) in receivers
        if not senders or not receivers:
            return by if senders else to if receivers else True
        return by or to if is_either else by and to

    skip, most = wanted.get("after", 0), min(wanted.get("count", node.limits.logs), node.limits.logs)
    shown: list[dict[str, Any]] = []
    for number in range(max(first, node.chain.first + 1), last + 1):
        if len(shown) >= most:
            break
        if number % _BLOCKS_A_TURN == 0:
            yield None
        block = node.chain.block(number)
        if block.block.transactions:
            fitting = [one for one in (yield flat_block(node, number)) if fits(one)]
            shown += fitting[skip : skip + most - len(shown)]
            skip = max(0, skip - len(fitting))
    return shown


ROWS = rows(
    ("debug_storageRangeAt", storage_range, BLOCK, required("txIndex", decode.lenient), required("address", decode.address), required("startKey", decode.data), required("limit", decode.lenient)),
    ("debug_intermediateRoots", intermediate_roots, required("blockHash", decode.hash32)),
    ("debug_executionWitness", execution_witness, BLOCK),
    ("debug_getBadBlocks", lambda node: []),
    ("debug_traceBlock", trace_raw_block, required("block", decode.data), CONFIG),
    ("trace_block", flat_block, BLOCK),
    ("trace_filter", filter_traces, required("filter", _trace_filter)),
)  # fmt: skip
