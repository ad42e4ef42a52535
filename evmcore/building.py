"""Building a block: candidates are executed in their order, those that may not be in it are left out, and every root is filled in."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, cast

from ._core import BlockResult, State, Transaction, all_or_nothing, execute_block, fork_rules
from .block import Block
from .errors import InvalidBlock, InvalidTransaction
from .header import Header, Withdrawal
from .pieces import Piece, join_pieces
from .receipt import keccak256
from .rlp import encode_list

if TYPE_CHECKING:
    from .statistics import Strategy

__all__ = ["Skipped", "build_block"]

# Candidates that are executed together. On 12 real blocks 64 took 1.6 times as long as 256, and 1,024 as long; the more they are, the more are
# executed again after an invalid one.
BATCH = 256


@dataclass(frozen=True, slots=True)
class Skipped:
    """A candidate that isn't in the block.

    index        among the candidates
    transaction  itself
    error        why: InvalidTransaction or, where a log of the deposit contract is no deposit, InvalidBlock
    """

    index: int
    transaction: Transaction
    error: InvalidTransaction | InvalidBlock


def build_block(
    header: Header,
    transactions: Iterable[Transaction],
    state: State,
    *,
    ommers: Sequence[Header] = (),
    withdrawals: Sequence[Withdrawal] | None = None,
    workers: int | None = None,
    strategy: Strategy = "auto",
    deadline: float | None = None,
) -> tuple[Block, BlockResult, tuple[Skipped, ...]]:
    """A block of the candidates that may be in it, what it came to, and the candidates that may not.

    header        number, time, beneficiary, gas limit, base fee, fork and all else that doesn't follow from the transactions; roots,
                  gas used, bloom and the hashes of ommers and requests are filled in
    transactions  candidates, in the order in which they are tried. Taken in batches, and no more of them once too little gas is left for any
                  or the deadline has come: an iterator without end will do
    state         the state before the block; afterwards the state after it
    withdrawals   None: none, and no list of them before Shanghai
    workers       threads, as for `execute_block`
    strategy      of `execute_block`, for each batch
    deadline      `time.monotonic()` at which no further batch is begun; the block is then ended and returned. None: there is none
    return        (Block, BlockResult, skipped), skipped in the order of the candidates. What was not tried is in neither
    raise         InvalidBlock where the block's begin or end fails, MissingState, TypeError; the state is then as before

    A candidate that doesn't fit into the gas that is left is skipped, and later ones are tried. A sender's later transactions are skipped
    for their nonce once one is. Proofs of work and blob sidecars are the caller's.
    """
    for name, value, kind in (("header", header, Header), ("state", state, State)):
        if not isinstance(value, kind):
            raise TypeError(f"{name}: expected {kind.__name__}, got {type(value).__name__}")
    builder = _Builder(header, state, workers, strategy)

    def build() -> tuple[Block, BlockResult, tuple[Skipped, ...]]:
        builder.begin()
        candidates = enumerate(transactions)
        while not builder.is_full and (deadline is None or time.monotonic() < deadline):
            batch = list(islice(candidates, BATCH))
            if not batch:
                break
            builder.add(batch)
        block, result = builder.end(tuple(ommers), None if withdrawals is None else tuple(withdrawals))
        return block, result, tuple(sorted(builder.skipped, key=lambda skipped: skipped.index))

    return all_or_nothing(state, build)


def filled_header(header: Header, result: BlockResult, ommers: Sequence[Header]) -> Header:
    """The header with all that follows from its block's transactions."""
    return replace(
        header,
        ommers_hash=keccak256(encode_list(ommer.encode() for ommer in ommers)),
        transactions_root=cast(bytes, result.transactions_root),
        state_root=result.state_root,
        receipts_root=cast(bytes, result.receipts_root),  # None of partial states alone
        logs_bloom=result.logs_bloom,
        gas_used=result.gas_used,
        withdrawals_root=result.withdrawals_root,
        blob_gas_used=None if header.excess_blob_gas is None else result.blob_gas_used,
        requests_hash=result.requests_hash,
        block_access_list_hash=result.access_list_hash,
    )


class _Builder:
    """A block in the making: the transactions so far, and the results of their pieces."""

    def __init__(self, header: Header, state: State, workers: int | None, strategy: Strategy) -> None:
        self.header, self.state, self.workers, self.strategy = header, state, workers, strategy
        self.transactions: list[Transaction] = []
        self.results: list[BlockResult] = []
        self.skipped: list[Skipped] = []

    @property
    def is_full(self) -> bool:
        after = Piece.after(self.results[-1], len(self.transactions))
        least: int = fork_rules(self.header.fork)["transaction_gas"]  # that a transaction uses
        return self.header.gas_limit - after.gas_used < least

    def begin(self) -> None:
        self.results.append(self._execute((), Piece(0, 0, begins=True)))

    def add(self, batch: list[tuple[int, Transaction]]) -> None:
        """Execute candidates, given with their indices; again without each that may not be in the block."""
        while batch:
            bad = self._try(batch)
            if bad is None:
                return
            place, error = bad
            if place > 0:
                count = len(self.skipped)
                self.add(batch[:place])
                if len(self.skipped) != count:
                    # The error came after a transaction that isn't in the block: what it befell is tried again.
                    batch = batch[place:]
                    continue
            index, transaction = batch[place]
            self.skipped.append(Skipped(index, transaction, error))
            batch = batch[place + 1 :]

    def end(self, ommers: tuple[Header, ...], withdrawals: tuple[Withdrawal, ...] | None) -> tuple[Block, BlockResult]:
        if withdrawals is None and self.header.withdrawals_root is not None:
            withdrawals = ()
        transactions = tuple(self.transactions)
        piece = Piece.after(self.results[-1], len(transactions), ends=True)
        block = Block(self.header, transactions, ommers, withdrawals)
        self.results.append(execute_block(block, self.state, piece=piece, workers=1))
        result = join_pieces(block, self.results)
        block.header = filled_header(self.header, result, ommers)
        block.access_list = result.access_list
        return block, result

    def _execute(self, transactions: Iterable[Transaction], piece: Piece) -> BlockResult:
        block = Block(self.header, (*self.transactions, *transactions))
        return execute_block(block, self.state, piece=piece, workers=self.workers, strategy=self.strategy)

    def _try(self, batch: list[tuple[int, Transaction]]) -> tuple[int, InvalidTransaction | InvalidBlock] | None:
        """Add all of them; or none, and say which one may not be in the block, and why."""
        first = len(self.transactions)
        piece = Piece.after(self.results[-1], first + len(batch))
        transactions = [transaction for _, transaction in batch]
        result = self._executed(transactions, piece)
        if isinstance(result, InvalidTransaction):
            if result.index is None:
                raise result
            return result.index - first, result
        if isinstance(result, InvalidBlock):
            if len(batch) == 1:
                return 0, result
            half = len(batch) // 2
            self.add(batch[:half])
            self.add(batch[half:])
            return None
        self.transactions += transactions
        self.results.append(result)
        return None

    def _executed(
        self, transactions: list[Transaction], piece: Piece
    ) -> BlockResult | InvalidTransaction | InvalidBlock:
        """What they come to, or why they may not be in the block; the state is then as before."""
        # The `try` stands within a function's first 256 instructions: beyond, CPython makes an int to enter a handler, and without
        # memory it tries to for ever.
        try:
            return all_or_nothing(self.state, lambda: self._execute_whole(transactions, piece))
        except (InvalidTransaction, InvalidBlock) as error:
            return error

    def _execute_whole(self, transactions: list[Transaction], piece: Piece) -> BlockResult:
        result = self._execute(transactions, piece)
        result.deposits  # noqa: B018  raises InvalidBlock
        return result
