"""A chain of blocks that is kept in a store: what `Chain` imports, and it goes on where it stopped.

Of the store's chain the blocks that can be taken back are loaded, so that branches from there are followed; a branch that is not the
store's is known in this process alone. A reorganisation is a transaction for its first block, which takes the old branch back, and one
for each further block.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from .._core import BlockResult, Changes, State, execute_block, keccak256
from ..block import Block
from ..chain.dao import apply_dao_fork
from ..chain.genesis import Genesis
from ..chain.importer import Chain, ChainBlock
from ..chain.proposed import Proposed
from ..errors import EvmError
from ..header import Header
from ..rlp import read_list
from ..statistics import Strategy
from .faults import StoreError
from .store import Store

__all__ = ["StoredChain"]

# Blocks of the store's chain that are loaded before those that can be taken back: for BLOCKHASH and ommers.
_ANCESTORS = 256


class StoredChain(Chain):
    """The chain of a store, with its genesis: `add` takes a block, and what becomes the head is on disk when it returns."""

    faults = (StoreError,)

    def __init__(self, store: Store, genesis: Genesis, *, workers: int | None = 1, strategy: Strategy = "auto") -> None:
        super().__init__(genesis, workers=workers, strategy=strategy)
        if store.genesis_hash != self.genesis.hash:
            raise StoreError(
                f"store {store.path}: its genesis is 0x{store.genesis_hash.hex()}, not 0x{self.genesis.hash.hex()}"
            )
        self.store = store
        self._last: tuple[BlockResult, State, Changes | None]  # of the block that was executed last
        self._load()

    def _load(self) -> None:
        """The blocks at the end of the store's chain."""
        store = self.store
        first = max(store.first_height, store.oldest_height - _ANCESTORS)
        parent: ChainBlock | None = self.genesis if first == store.first_height else None
        for height in range(first if parent is None else first + 1, store.height + 1):
            entry = ChainBlock(self._with_fork(store.header(height)), store.hash_of(height), parent, None)
            entry.total_difficulty = store.total_difficulty(height)
            try:
                encoded = store.block(height)
                block = Block.decode(encoded)
                entry.encoded = encoded if height > store.oldest_height else None
                entry.ommer_hashes = tuple(ommer.hash for ommer in block.ommers)
                entry.transaction_count = len(block.transactions)
            except StoreError:
                pass  # pruned, and far too old for an ommer
            self.blocks[entry.hash] = entry
            parent = entry
        if parent is not None:
            self.head = parent

    def knows(self, block_hash: bytes) -> bool:
        """Whether a block is part of the store's chain, however old, or of a branch."""
        return block_hash in self.blocks or self.store.height_of(block_hash) is not None

    def add(self, encoded: bytes) -> ChainBlock:
        """Import a block from its RLP; if it is the head from then on, it is on disk. One that is known already is just found.

        raise   as `Chain.add`; StoreError if it can't be written: the chain is then as before
        """
        head = self.head
        known = len(self.blocks)
        found = self._found(encoded)
        if found is not None:
            return found
        entry = super().add(encoded)
        if entry is self.head and entry is not head:
            try:
                self._write(entry)
            except BaseException:
                self.head = head
                if len(self.blocks) > known:
                    del self.blocks[entry.hash]
                self._states.pop(entry.hash, None)
                raise
        return entry

    def _found(self, encoded: bytes) -> ChainBlock | None:
        """A block of the store's chain that isn't loaded."""
        parts = read_list(encoded, 0, len(encoded), "block")
        block_hash = keccak256(encoded[parts[0][1] : parts[0][3]]) if parts else b""
        if not parts or block_hash in self.blocks or self.store.height_of(block_hash) is None:
            return None
        block = Block.decode(encoded)
        entry = ChainBlock(self._with_fork(block.header), block_hash, None, None)
        entry.total_difficulty = self.store.total_difficulty(block.header.number)
        entry.transaction_count = len(block.transactions)
        return entry

    def _with_fork(self, header: Header) -> Header:
        """A header of the store's chain, with what its place says."""
        height = header.number
        before = 0 if height == self.store.first_height else self.store.total_difficulty(height - 1)
        fork = self.schedule.fork_at(header.number, header.timestamp, before)
        return replace(header, fork=fork, chain_id=self.schedule.chain_id)

    def state_of(self, entry: ChainBlock) -> State:
        """The state after a block. Yours to read, or to copy (which is cheap)."""
        state = self._states.get(entry.hash)
        if state is not None:
            return state
        height = self._height_in_store(entry)
        if height is not None:
            return self.store.state(height)
        if entry.parent is None or entry.encoded is None:
            raise EvmError(f"block {entry.number}: its state is not kept any more")
        block = self._placed(Block.decode(entry.encoded), entry.parent)
        _, state = self._run(block, self.state_of(entry.parent))
        return state

    def _height_in_store(self, entry: ChainBlock) -> int | None:
        store = self.store
        is_there = store.first_height <= entry.number <= store.height and store.hash_of(entry.number) == entry.hash
        return entry.number if is_there else None

    def _take(self, proposed: Proposed) -> tuple[BlockResult, State]:
        self._last = proposed
        return super()._take(proposed)

    def _run(self, block: Block, state: State) -> tuple[BlockResult, State]:
        state = state.copy()
        if block.header.number != self.schedule.dao_block:
            result = execute_block(block, state, workers=self.workers, strategy=self.strategy, changes=True)
            self._last = result, state, result.changes
            return result, state
        before = state.snapshot()
        apply_dao_fork(state)
        result = execute_block(block, state, workers=self.workers, strategy=self.strategy, changes=True)
        self._last = result, state, state.changes_since(before)
        state.release(before)
        return result, state

    def _keep_state(self, entry: ChainBlock, state: State) -> None:
        """Of the store's head the store has it; those of branches are made again."""

    def _write(self, head: ChainBlock) -> None:
        """Bring the store to this head."""
        branch = [head]
        while branch[-1].parent is not None and self._height_in_store(branch[-1].parent) is None:
            branch.append(branch[-1].parent)
        back_to = branch[-1].number - 1
        for entry in reversed(branch):
            assert entry.encoded is not None
            assert entry.parent is not None
            block = self._placed(Block.decode(entry.encoded), entry.parent)
            if len(branch) > 1:
                self._run(block, self.store.state(back_to))
            result, state, changes = self._last
            self.store.commit(block, result, on=back_to, state=state, changes=changes)
            back_to = entry.number
        self._forget()

    def _forget(self) -> None:
        """The blocks that are too old to be taken back, and for BLOCKHASH and ommers."""
        oldest = self.store.oldest_height - _ANCESTORS
        for block_hash in [key for key, entry in islice(self.blocks.items(), 64) if entry.number < oldest]:
            self.blocks.pop(block_hash).parent = None
