"""A chain that grows by blocks: each is checked, executed on its parent's state, and kept if it holds what it says.

Before Paris the chain with the most total difficulty is the head, and blocks on other branches are kept for it to turn to.
A block that is refused leaves nothing behind. One thread owns a chain; the execution itself may use several.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from .._core import PARAMETERS, BlockResult, State, Transaction, execute_block
from ..block import Block
from ..building import Skipped, build_block
from ..errors import EvmError, UnusableInput
from ..header import Header, Withdrawal
from ..statistics import Strategy
from .body_rules import check_body, check_ommers, check_result
from .dao import apply_dao_fork
from .genesis import Genesis
from .header_rules import check_header
from .proposed import Proposed, ProposedBlocks, has_its_body, has_its_senders
from .refusal import refusal
from .schedule import Schedule, blob_limits, rules_of

__all__ = ["Chain", "ChainBlock"]

# States are kept of the blocks imported last, to build on: as many as fit, at least one. An older block's is made again
# from the nearest one that is there.
_KEPT_STATES = 256
_KEPT_STATE_BYTES = 256 * 1024 * 1024


class ChainBlock:
    """A block that is part of the chain or of a branch.

    encoded           its RLP, to execute it again; None for the genesis
    total_difficulty  of it and all its ancestors (Yellow Paper 10.1)
    result            what its execution came to; None for the genesis
    """

    __slots__ = ("encoded", "hash", "header", "ommer_hashes", "parent", "total_difficulty", "transaction_count")

    def __init__(self, header: Header, block_hash: bytes, parent: ChainBlock | None, encoded: bytes | None) -> None:
        self.header = header
        self.hash = block_hash
        self.parent = parent
        self.encoded = encoded
        before = 0 if parent is None else parent.total_difficulty
        self.total_difficulty: int = before + header.difficulty
        self.ommer_hashes: tuple[bytes, ...] = ()
        self.transaction_count = 0

    @property
    def number(self) -> int:
        """The header's number."""
        return self.header.number

    def __repr__(self) -> str:
        return f"<ChainBlock {self.number} 0x{self.hash.hex()}>"


class Chain:
    """Blocks on a genesis. `add` takes one, `head` is the last of the chain that counts.

    workers, strategy  as for `execute_block`
    """

    # What `add` may raise that says nothing of the block.
    faults: tuple[type[EvmError], ...] = ()

    def __init__(self, genesis: Genesis, *, workers: int | None = 1, strategy: Strategy = "auto") -> None:
        self.schedule: Schedule = genesis.schedule
        self.workers = workers
        self.strategy = strategy
        self.genesis = ChainBlock(genesis.header, genesis.header.hash, None, None)
        self.head = self.genesis
        self.blocks: dict[bytes, ChainBlock] = {self.genesis.hash: self.genesis}
        self._genesis_state = genesis.state
        self._states: OrderedDict[bytes, State] = OrderedDict()
        self._proposed = ProposedBlocks()

    def propose(
        self,
        header: Header,
        transactions: Iterable[Transaction],
        *,
        ommers: Sequence[Header] = (),
        withdrawals: Sequence[Withdrawal] | None = None,
        deadline: float | None = None,
    ) -> tuple[Block, BlockResult, tuple[Skipped, ...]]:
        """`build_block` on the head. The chain stays as it is; `add` of the block, if it comes to that, doesn't execute it again.

        Signatures are verified once more: who made a Transaction may have said its sender. A block with one that isn't its signature's,
        or whose header has overrides, is executed again by `add`, which refuses it.

        header  its parent is the head; fork, chain id and blob limits are the chain's
        raise   UnusableInput for another parent, and what `build_block` raises
        """
        if not isinstance(header, Header):
            raise TypeError(f"header: expected Header, got {type(header).__name__}")
        parent = self.head
        if header.parent_hash != parent.hash:
            raise UnusableInput(
                f"header.parent_hash: 0x{header.parent_hash.hex()} is not the head's, 0x{parent.hash.hex()}"
            )
        state = self.state_of(parent).copy()
        before = state.snapshot()
        placed = self._placed(Block(header), parent).header
        if header.number == self.schedule.dao_block:
            apply_dao_fork(state)
        block, result, skipped = build_block(
            placed, transactions, state, ommers=ommers, withdrawals=withdrawals, workers=self.workers,
            strategy=self.strategy, deadline=deadline,
        )  # fmt: skip
        _ = result.state_root  # of the state as it is now
        changes = state.changes_since(before)
        state.release(before)
        if placed.overrides is None and has_its_senders(block, self.workers):
            self._proposed.put(block.hash, Proposed(result, state, changes))
        return block, result, skipped

    def add(self, encoded: bytes) -> ChainBlock:
        """Import a block from its RLP. One that is known already is just found.

        raise   DecodeError, InvalidBlock, InvalidTransaction: it is refused, and nothing has changed
        """
        block = Block.decode(encoded)
        block_hash = block.hash
        known = self.blocks.get(block_hash)
        if known is not None:
            return known
        parent = self._parent_of(block.header)
        block = self._placed(block, parent)
        state = self._validate(block, parent, len(encoded))
        entry = ChainBlock(block.header, block_hash, parent, encoded)
        entry.ommer_hashes = tuple(ommer.hash for ommer in block.ommers)
        entry.transaction_count = len(block.transactions)
        self.blocks[block_hash] = entry
        self._keep_state(entry, state)
        if self._is_heavier(entry):
            self.head = entry
        return entry

    def execute(self, block: Block, parent: ChainBlock) -> tuple[BlockResult, State]:
        """What a block on `parent` comes to, and the state after it. Nothing is checked against its header, nothing kept."""
        return self._run(self._placed(block, parent), self.state_of(parent))

    def state_of(self, entry: ChainBlock) -> State:
        """The state after a block. Yours to read, or to copy (which is cheap)."""
        missing: list[ChainBlock] = []
        while entry.hash not in self._states and entry.parent is not None:
            missing.append(entry)
            entry = entry.parent
        state = self._states.get(entry.hash, self._genesis_state)
        for later in reversed(missing):
            assert later.encoded is not None
            assert later.parent is not None
            _, state = self._run(self._placed(Block.decode(later.encoded), later.parent), state)
            self._keep_state(later, state)
        return state

    # -------------------------------------------------------------- one block

    def _parent_of(self, header: Header) -> ChainBlock:
        parent = self.blocks.get(header.parent_hash)
        if parent is not None:
            return parent
        if header.parent_hash == bytes(32):
            raise refusal("BLOCK_PARENT_ZERO")
        raise refusal("BLOCK_PARENT_UNKNOWN", have=header.parent_hash)

    def _placed(self, block: Block, parent: ChainBlock) -> Block:
        """The block with what its place in the chain says of it: fork, chain id, blob limits, older hashes."""
        header = block.header
        fork = self.schedule.fork_at(header.number, header.timestamp, parent.total_difficulty)
        return replace(
            block,
            header=replace(
                header,
                fork=fork,
                chain_id=self.schedule.chain_id,
                block_hashes=_recent_hashes(parent),
                blob_schedule=self.schedule.blob_limits_of(fork),
            ),
        )

    def _validate(self, block: Block, parent: ChainBlock, size_bytes: int) -> State:
        """Hold a block against all rules; the state after it."""
        header = block.header
        check_header(header, parent.header, self.schedule, parent.total_difficulty, header.blob_schedule)
        check_body(block, size_bytes)
        check_ommers(block, parent, self._check_ommer)
        proposed = self._proposed.get(block.hash)
        if proposed is not None and has_its_body(block):
            result, state = self._take(proposed)
        else:
            result, state = self._run(block, self.state_of(parent))
        limits = header.blob_schedule or blob_limits(rules_of(header.fork))
        check_result(header, result, limits[1])
        return state

    def _check_ommer(self, ommer: Header, parent: ChainBlock) -> None:
        fork = self.schedule.fork_at(ommer.number, ommer.timestamp, parent.total_difficulty)
        check_header(replace(ommer, fork=fork), parent.header, self.schedule, parent.total_difficulty)

    def _take(self, proposed: Proposed) -> tuple[BlockResult, State]:
        """What `_run` gives, of a block that was executed when it was proposed."""
        return proposed.result, proposed.state

    def _run(self, block: Block, state: State) -> tuple[BlockResult, State]:
        """Execute a block on a copy of its parent's state."""
        state = state.copy()
        if block.header.number == self.schedule.dao_block:
            apply_dao_fork(state)
        return execute_block(block, state, workers=self.workers, strategy=self.strategy), state

    # -------------------------------------------------------------- the chain

    def _is_heavier(self, entry: ChainBlock) -> bool:
        """Whether a new block takes the head over.

        Before Paris by total difficulty; the first seen of two equals stays. From Paris on difficulty is zero and the
        consensus layer chooses: here, whatever goes further, and never back to proof of work.
        """
        head = self.head
        is_stake: bool = rules_of(entry.header.fork).is_proof_of_stake
        head_is_stake = head.parent is not None and bool(rules_of(head.header.fork).is_proof_of_stake)
        if is_stake != head_is_stake:
            return is_stake
        if is_stake:
            return entry.number > head.number
        return entry.total_difficulty > head.total_difficulty

    def _keep_state(self, entry: ChainBlock, state: State) -> None:
        states = self._states
        states[entry.hash] = state
        most = max(1, min(_KEPT_STATES, _KEPT_STATE_BYTES // max(state.size_bytes, 1)))
        while len(states) > most:
            states.popitem(last=False)


def _recent_hashes(parent: ChainBlock) -> dict[int, bytes]:
    """The hashes that BLOCKHASH can ask for in a block on `parent`."""
    hashes: dict[int, bytes] = {}
    ancestor: ChainBlock | None = parent
    for _ in range(PARAMETERS["block_hash_window"]):
        if ancestor is None:
            break
        hashes[ancestor.number] = ancestor.hash
        ancestor = ancestor.parent
    return hashes
