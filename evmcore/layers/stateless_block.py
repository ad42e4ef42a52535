"""A block with its witness: all that somebody needs who has no state, and trusts nobody.

The headers of the witness lead to the block's parent, whose state root every node of it hangs on: a sender that lies about the state is
found out by hashes, not by who he is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .. import BlockAccessList, ExecutionWitness, execute_stateless, keccak256, ordered_trie_root, recover_senders, rlp
from ..block import Block
from ..errors import EvmError, InvalidWitness, MissingBlockHash, MissingState, UnusableInput
from ..header import Header
from ..statistics import Strategy
from ..verification import Verification
from .summary import OF_THE_LAYER, BlockSummary, digest_of, said

if TYPE_CHECKING:
    from .._core import BlockResult

__all__ = ["Witnessed", "replay_witnessed"]

_OF_THE_WITNESS = (InvalidWitness, MissingState, MissingBlockHash)


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A block, what it needs of the state before it, and the codes of its witness apart, by hash.

    block        without a state
    witness      without those codes that are in `code_hashes` alone
    code_hashes  of all codes of the witness, in its order
    """

    block: Block
    witness: ExecutionWitness
    code_hashes: tuple[bytes, ...]

    @classmethod
    def of(cls, block: Block, witness: ExecutionWitness) -> Witnessed:
        """Of a block and its whole witness. The block's own state stays behind."""
        return cls(replace(block, pre_state=None), witness, tuple(keccak256(code) for code in witness.codes))

    @property
    def codes(self) -> dict[bytes, bytes]:
        """The codes that are with it, by hash."""
        return {keccak256(code): code for code in self.witness.codes}

    def without_codes(self) -> Witnessed:
        """As it is sent to who has the codes."""
        return replace(self, witness=replace(self.witness, codes=()))

    def whole(self, codes: Mapping[bytes, bytes]) -> ExecutionWitness:
        """The witness, with codes from elsewhere. KeyError for one that is nowhere."""
        own = self.codes
        return replace(self.witness, codes=tuple(own[one] if one in own else codes[one] for one in self.code_hashes))

    def encode(self) -> bytes:
        """RLP: the block, its fork, chain and blob schedule, the block access list beside it, the witness and the hashes."""
        header = self.block.header
        return rlp.encode(
            [
                self.block.encode(),
                header.fork.encode(),
                rlp.number(header.chain_id),
                [rlp.number(number) for number in header.blob_schedule or ()],
                [] if self.block.access_list is None else [self.block.access_list.encode()],
                list(self.witness.state),
                list(self.witness.codes),
                list(self.witness.headers),
                list(self.code_hashes),
            ]
        )

    @classmethod
    def decode(cls, encoded: bytes) -> Witnessed:
        """From RLP, of which nothing is taken for granted. Raises DecodeError or UnusableInput."""
        items = rlp.to_list(rlp.decode(encoded, "witnessed"), "witnessed", 9, 9)
        chain_id = rlp.to_number(items[2], "witnessed.chain_id", 64)
        try:
            fork = rlp.to_bytes(items[1], "witnessed.fork").decode("ascii")
            Header(fork=fork)  # for its refusal of forks that there aren't
        except UnicodeDecodeError:
            raise UnusableInput("witnessed.fork: not the name of a fork") from None
        block = Block.decode(rlp.to_bytes(items[0], "witnessed.block"), fork=fork, chain_id=chain_id)
        schedule = [rlp.to_number(one, "witnessed.blob_schedule", 63) for one in _items(items[3], "blob_schedule", 3)]
        if schedule:
            block = block.with_header(blob_schedule=tuple(schedule))
        lists = _items(items[4], "access_list", 1)
        if lists:
            block.access_list = BlockAccessList.decode(rlp.to_bytes(lists[0], "witnessed.access_list"))
        parts = [
            tuple(rlp.to_bytes(one, f"witnessed.{name}", size) for one in _items(item, name))
            for item, (name, size) in zip(
                items[5:], (("state", None), ("codes", None), ("headers", None), ("code_hashes", 32))
            )
        ]
        return cls(block, ExecutionWitness(*parts[:3]), parts[3])


def _items(item: rlp.Item, name: str, most: int = 1 << 24) -> Sequence[rlp.Item]:
    return rlp.to_list(item, f"witnessed.{name}", 0, most)


def replay_witnessed(
    given: Witnessed, codes: Mapping[bytes, bytes], *, workers: int = 1, strategy: Strategy = "auto"
) -> BlockSummary:
    """Execute a block on its witness alone and hold all that it gives against its header. What is wrong is in the summary.

    codes  by hash, that aren't with it; KeyError where one is nowhere
    """
    block, witness = given.block, given.whole(codes)
    started, cpu_started = time.perf_counter(), time.thread_time()
    seconds = dict.fromkeys(("load", "recover", "execute", "roots"), 0.0)
    check = Verification(block)
    result: BlockResult | None = None
    is_conclusive = True
    try:
        check.transactions_root(ordered_trie_root([tx.raw for tx in block.transactions]))
        recover_senders(block.transactions, fork=block.header.fork, workers=workers)
        seconds["recover"] = time.perf_counter() - started
        result = execute_stateless(block, witness, workers=workers, strategy=strategy, access_list=True)
        seconds["execute"] = result.statistics.execute_seconds
        check.result(result)
        check.checks["state_root"] = result.state_root == block.header.state_root
        if not check.checks["state_root"]:
            check.faults.append(
                f"state root is 0x{result.state_root.hex()} instead of 0x{block.header.state_root.hex()}"
            )
    except (EvmError, MemoryError) as error:
        # A witness that lacks something says nothing about the block either: another one may be whole.
        is_conclusive = not isinstance(error, (*OF_THE_LAYER, *_OF_THE_WITNESS))
        check.faults.append(said(error))
    seconds["roots"] = time.perf_counter() - started - seconds["recover"] - seconds["execute"]
    return BlockSummary(
        number=block.number,
        fork=block.header.fork,
        transactions=len(block.transactions),
        is_ok=check.is_ok,
        checks=check.checks,
        gas_used=result.gas_used if result is not None else 0,
        receipts_root=result.receipts_root if result is not None else None,
        state_root=result.state_root if result is not None and is_conclusive else None,
        seconds=seconds,
        error="; ".join(check.faults) or None,
        digest=digest_of(result) if result is not None and is_conclusive else None,
        block_hash=block.hash,
        is_conclusive=is_conclusive,
        cpu_seconds=time.thread_time() - cpu_started,
        chain_id=block.header.chain_id,
    )
