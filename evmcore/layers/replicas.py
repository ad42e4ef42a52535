"""Layers that hold the state of a chain: they follow it by changes, and execute pieces of a block that comes with its access list.

The list says what the state is before each transaction (EIP-7928), so that consecutive pieces of a block can be executed at a time, each on the
parent's state and what the list writes before it. Nothing of the list is taken for granted: the pieces' own lists, joined, have to be it, and each
piece's changes have to follow those before. Where anything differs the block is executed whole, and that is the answer.
"""

from __future__ import annotations

import pickle
from bisect import bisect_left
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, replace
from itertools import accumulate

from .. import (
    Block,
    BlockAccessList,
    BlockResult,
    Changes,
    EvmError,
    Piece,
    State,
    UnusableInput,
    execute_block,
    join_pieces,
)
from .._core import all_or_nothing
from ..chain.schedule import rules_of
from ..pieces import PieceOutcome
from .executors import processes

__all__ = ["PieceDiffers", "Replicas", "cut", "execute_piece", "merge_pieces", "share_of", "state_before"]

# What a transaction is taken to cost, in gas, beside what all pay: for each slot, and each field of an account, that the list says it changes.
# Fitted by least squares to the transactions of 40 mainnet blocks; `python -m bench.layers --parts pieces` fits it again.
_SLOT_GAS, _FIELD_GAS = 23_000, 1_600


class PieceDiffers(EvmError):
    """Pieces of a block are not what its access list says, or don't follow each other."""


def state_before(state: State, access_list: BlockAccessList, first: int, fork: str | None = None) -> State:
    """The state before transaction `first` of a block, if the list tells the truth: a copy of that before the block, with what the list writes
    below. With `first` the number of transactions: the state before the block's end. `fork`: of the block, as for `State.apply`."""
    own = state.copy()
    if first != 0:
        own.apply(access_list, below=first + 1, fork=fork)
    return own


def execute_piece(block: Block, state: State, first: int, last: int, *, workers: int = 1) -> PieceOutcome:
    """Execute the transactions from `first` to before `last`, on the state before the block, which stays as it is.

    block  with its access list. What comes before the first transaction belongs to the piece that begins with it; the block's end to none
    raise  what `execute_block` raises, where the list leads to a state on which the transactions can't be executed
    """
    if block.access_list is None:
        raise UnusableInput(f"block {block.number}: no access list beside it")
    result = execute_block(
        replace(block, access_list=None, pre_state=None),
        state_before(state, block.access_list, first, block.header.fork),
        workers=workers,
        piece=Piece(first, last, begins=first == 0),
        access_list=True,
        changes=True,
    )
    return PieceOutcome.of(result)


def share_of(block: Block, first: int, last: int) -> Block:
    """The block as it travels to the layer that executes a piece: in the place of each transaction that isn't the piece's stands one
    that is, which pickles once. Without states and without the list, of which all layers get the same bytes."""
    own = block.transactions[first:last]
    count = len(block.transactions)
    transactions = (*own[:1] * first, *own, *own[:1] * (count - last))
    return replace(block, transactions=transactions, access_list=None, pre_state=None, expected=None)


def cut(block: Block, pieces: int) -> list[tuple[int, int]]:
    """Consecutive pieces of about equal estimated cost, as (first, last): as many as asked for, or fewer where there are few transactions."""
    count = len(block.transactions)
    if pieces < 1:
        raise UnusableInput(f"pieces: {pieces} is less than 1")
    if block.access_list is None:
        raise UnusableInput(f"block {block.number}: no access list beside it")
    base = rules_of(block.header.fork).transaction_gas
    counts = block.access_list.change_counts(count)[1:-1]
    costs = [
        min(base + fields * _FIELD_GAS + slots * _SLOT_GAS, one.gas_limit)
        for (fields, slots), one in zip(counts, block.transactions)
    ]
    pieces = max(1, min(pieces, count))
    upto = list(accumulate(costs))
    ends = [0]
    for number in range(1, pieces):
        wanted = bisect_left(upto, upto[-1] * number / pieces) + 1
        ends.append(min(max(wanted, ends[-1] + 1), count - (pieces - number)))
    return list(zip(ends, [*ends[1:], count]))


def merge_pieces(block: Block, state: State, outcomes: Sequence[PieceOutcome]) -> BlockResult:
    """The block's result, of its pieces and its end, which is executed here.

    block  with its access list;  state  before the block; afterwards that after it
    raise  PieceDiffers or another EvmError where the pieces aren't those of the block and its list; the state is then as before
    """
    listed = block.access_list
    if listed is None:
        raise UnusableInput(f"block {block.number}: no access list beside it")
    listed.check(block.header, len(block.transactions))
    return all_or_nothing(state, lambda: _merge(block, listed, state, outcomes))


def _merge(block: Block, listed: BlockAccessList, after: State, outcomes: Sequence[PieceOutcome]) -> BlockResult:
    """The same, of a state that is led on whether all is right or not."""
    results: list[BlockResult] = []
    for outcome in outcomes:
        piece = Piece.after(results[-1], outcome.last) if results else Piece(0, outcome.last, begins=True)
        try:
            results.append(outcome.after(piece))
        except ValueError as error:
            raise PieceDiffers(str(error)) from None
        _check_room(block, results[-1])
    count = len(block.transactions)
    if not results or results[-1].piece is None or results[-1].piece.last != count:
        raise PieceDiffers(f"the pieces end before transaction {count}")
    after.apply(Changes.joined([outcome.changes for outcome in outcomes]))
    bare = replace(block, access_list=None, pre_state=None)
    end = execute_block(
        bare, after, workers=1, piece=Piece.after(results[-1], count, ends=True), access_list=True, changes=True
    )
    whole = join_pieces(bare, [*results, end])
    assert whole.access_list is not None
    listed.compare(whole.access_list)
    if whole.gas_used > block.header.gas_limit:
        raise PieceDiffers(f"gas used is {whole.gas_used}, the block's limit {block.header.gas_limit}")
    return whole


def _check_room(block: Block, result: BlockResult) -> None:
    """Each transaction's gas limit has to fit into what the block has left, which no piece could see. Stricter than the rules of forks with two gases."""
    piece = result.piece
    assert piece is not None
    used = piece.gas_used, piece.state_gas_used
    for index, (execution, state) in enumerate(result.transaction_gas, piece.first):
        left = block.header.gas_limit - max(used)
        if block.transactions[index].gas_limit > left:
            raise PieceDiffers(
                f"transaction {index}: its gas limit is {block.transactions[index].gas_limit}, the block has {left} left"
            )
        used = used[0] + execution, used[1] + state
    if not result.blob_gas_used:
        return
    rules = rules_of(block.header.fork)
    most = (block.header.blob_schedule or (0, rules.blob_max, 0))[1]
    blobs = sum(len(one.blob_versioned_hashes) for one in block.transactions[: piece.last])
    if blobs > most:
        raise PieceDiffers(f"transaction {piece.last - 1}: {blobs} blobs up to it, a block may have {most}")


class _Stale(Exception):
    """This process holds another state than the one that is asked for."""


# The state that this process holds, where it is a layer, and which of the chain's it is.
_held: dict[int, State] = {}


def _hold(encoded: bytes, height: int) -> None:
    _held.clear()
    _held[height] = State.from_bytes(encoded)


def _follow(encoded: bytes, height: int) -> None:
    """From the state of that height to the next. Where that fails there is none."""
    state = _held.pop(height)
    state.apply(Changes.decode(encoded))
    _held[height + 1] = state


def _execute(share: bytes, listed: bytes, height: int, first: int, last: int, workers: int) -> PieceOutcome:
    if height not in _held:
        raise _Stale(f"not at height {height}")
    block = replace(pickle.loads(share), access_list=BlockAccessList.decode(listed))
    return execute_piece(block, _held[height], first, last, workers=workers)


@dataclass(slots=True)
class _Replica:
    """One layer: an executor of one worker, which holds a state."""

    executor: Executor
    is_whole: bool = False  # it has the state of the head


class Replicas:
    """Layers in processes of their own that hold the state of a chain's head.

    state    of the head; yours no more: `execute` leads it on
    count    how many layers
    make     what makes an Executor of one worker
    workers  threads in each
    """

    def __init__(
        self,
        state: State,
        count: int,
        make: Callable[[int], Executor] = processes,
        *,
        workers: int = 1,
    ) -> None:
        if count < 1:
            raise UnusableInput(f"count: {count} is less than 1")
        self.state = state
        self._make, self._workers = make, workers
        self._replicas = [_Replica(make(1)) for _ in range(count)]
        self._height = 0  # how many blocks the state has seen
        self.whole_blocks = 0  # that were executed whole in the end

    def __enter__(self) -> Replicas:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self, state: State) -> None:
        """Hold another state, such as that of another branch; the layers get it with the next block."""
        self.state = state
        for replica in self._replicas:
            replica.is_whole = False

    def close(self) -> None:
        """End the layers."""
        for replica in self._replicas:
            replica.executor.shutdown(wait=False, cancel_futures=True)

    def execute(self, block: Block) -> BlockResult:
        """The block's result; the state and the layers are then at the block's end.

        block  with its access list, or without: then, and where lists don't tell all (before Byzantium), it is executed here
        raise  what `execute_block` raises; state and layers are then as before
        """

        def execute() -> tuple[BlockResult, bytes]:
            start = self.state.snapshot()
            result = self._in_pieces(block)
            if result is None:
                self.whole_blocks += 1
                result = execute_block(block, self.state)
            changes = (result.changes or self.state.changes_since(start)).encode()
            self.state.release(start)
            return result, changes

        result, changes = all_or_nothing(self.state, execute)
        for replica in self._replicas:
            if replica.is_whole:
                try:
                    # Nobody waits for it: a worker does what it is given in order, and what fails shows with the next piece.
                    replica.executor.submit(_follow, changes, self._height)
                except BrokenExecutor:
                    self._renew(replica)
        self._height += 1
        return result

    def _renew(self, replica: _Replica) -> None:
        replica.executor.shutdown(wait=False, cancel_futures=True)
        replica.executor, replica.is_whole = self._make(1), False

    def _in_pieces(self, block: Block) -> BlockResult | None:
        rules = rules_of(block.header.fork)
        if block.access_list is None or not (rules.receipt_has_status and rules.deletes_empty_accounts):
            return None
        pieces = cut(block, len(self._replicas))
        listed = block.access_list.encode()
        asked = [self._ask(replica, block, listed, *piece) for replica, piece in zip(self._replicas, pieces)]
        try:
            outcomes = [
                self._outcome(block, replica, future, *piece)
                for replica, future, piece in zip(self._replicas, asked, pieces)
            ]
            return merge_pieces(block, self.state, outcomes)
        except EvmError:
            return None

    def _ask(
        self, replica: _Replica, block: Block, listed: bytes, first: int, last: int
    ) -> Future[PieceOutcome] | None:
        try:
            if not replica.is_whole:
                replica.executor.submit(_hold, self.state.to_bytes(), self._height)
                replica.is_whole = True
            share = pickle.dumps(share_of(block, first, last))
            return replica.executor.submit(_execute, share, listed, self._height, first, last, self._workers)
        except BrokenExecutor:
            self._renew(replica)
            return None

    def _outcome(
        self, block: Block, replica: _Replica, future: Future[PieceOutcome] | None, first: int, last: int
    ) -> PieceOutcome:
        """What the layer's piece came to; executed here where the layer was lost, or has another state."""
        try:
            if future is not None:
                return future.result()
        except BrokenExecutor:
            self._renew(replica)
        except _Stale:
            replica.is_whole = False
        return execute_piece(block, self.state, first, last, workers=self._workers)
