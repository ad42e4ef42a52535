"""Blocks that were built here and may come back as ones to import: what they came to, so that they aren't executed a second time."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from .._core import BlockResult, Changes, State, Transaction, ordered_trie_root, recover_senders, withdrawals_root
from ..block import Block
from ..caches import add_cache_of_objects
from ..errors import EvmError
from ..locks import lock_of_process
from ..receipt import keccak256
from ..rlp import encode_list

__all__ = ["Proposed", "ProposedBlocks", "has_its_body", "has_its_senders"]

# Of one chain. A proposer's turn is one block; with each new candidate of it the oldest goes.
_MOST = 4


class Proposed(NamedTuple):
    """result, state after the block, and its changes of the parent's state. The state is a copy: nobody else writes it."""

    result: BlockResult
    state: State
    changes: Changes


class ProposedBlocks:
    """By their hash, the last few. The hash has all that a result depends on: the parent, and, if `has_its_body`, the body."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._blocks: OrderedDict[bytes, Proposed] = OrderedDict()
        self._lock = lock_of_process()
        _keep_account_of(self)

    def put(self, block_hash: bytes, proposed: Proposed) -> None:
        """Keep it, and let go of the oldest."""
        with self._lock:
            self._blocks[block_hash] = proposed
            self._blocks.move_to_end(block_hash)
            while len(self._blocks) > self._most:
                self._blocks.popitem(last=False)

    def get(self, block_hash: bytes) -> Proposed | None:
        """What that block came to; None: it isn't here."""
        with self._lock:
            found = self._blocks.get(block_hash)
        return None if found is None else found._replace(state=found.state.copy())

    def clear(self) -> None:
        """Let go of all."""
        with self._lock:
            self._blocks.clear()

    def __len__(self) -> int:
        return len(self._blocks)

    @property
    def most(self) -> int:
        """How many are kept."""
        return self._most


def has_its_body(block: Block) -> bool:
    """Whether the body is the one that the header's roots are of: its hash doesn't say so by itself."""
    header, withdrawals = block.header, block.withdrawals
    return (
        header.transactions_root == ordered_trie_root([one.raw for one in block.transactions])
        and header.ommers_hash == keccak256(encode_list(one.encode() for one in block.ommers))
        and header.withdrawals_root == (None if withdrawals is None else withdrawals_root(withdrawals))
    )


def has_its_senders(block: Block, workers: int | None) -> bool:
    """Whether each transaction's sender is its signature's, as it is of the same block out of its bytes."""
    try:
        decoded = [Transaction.decode(one.raw) for one in block.transactions]
        recover_senders(decoded, fork=block.header.fork, workers=workers)
    except EvmError:
        return False
    return all(one.sender == other.sender for one, other in zip(block.transactions, decoded))


_keep_account_of = add_cache_of_objects("proposed_blocks")
