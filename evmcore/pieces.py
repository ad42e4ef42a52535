"""Pieces of a block: some of its transactions, executed on the state at that place, and joined to the whole.

Pieces of one block may be executed by several processes, each with the state before its piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ._core import (
    _MADE_LATER,
    BlockAccessList,
    BlockResult,
    Changes,
    PackedReceipts,
    _packed_receipts,
    _result_of_pieces,
)
from .hexadecimal import checked_bytes, checked_quantity

if TYPE_CHECKING:
    from .block import Block

__all__ = ["Piece", "PieceOutcome", "join_pieces"]


@dataclass(frozen=True, slots=True)
class Piece:
    """The transactions from `first` to before `last`, and what those before `first` have taken of the block.

    first, last    indices in the block
    gas_used       by the transactions before `first`: execution gas, from Amsterdam on
    blob_gas_used  the same of blob gas;  state_gas_used  and of state gas (EIP-8037)
    cumulative_gas_used  from which that of receipts counts on; None: `gas_used`, from which it differs with Amsterdam alone
    deposits       data of the deposits that they made, which the block's end needs (`BlockResult.deposits`)
    begins         whether the system calls before the first transaction belong to it (EIP-2935, EIP-4788)
    ends           whether the block's end does: rewards, withdrawals and requests
    """

    first: int
    last: int
    gas_used: int = 0
    blob_gas_used: int = 0
    deposits: bytes = b""
    begins: bool = False
    ends: bool = False
    state_gas_used: int = 0
    cumulative_gas_used: int | None = None

    def __post_init__(self) -> None:
        if self.cumulative_gas_used is None:
            object.__setattr__(self, "cumulative_gas_used", self.gas_used)
        for name in ("first", "last", "gas_used", "blob_gas_used", "state_gas_used", "cumulative_gas_used"):
            object.__setattr__(self, name, checked_quantity(getattr(self, name), f"piece.{name}", 64))
        if self.first > self.last:
            raise ValueError(f"piece: its first transaction, {self.first}, comes after its end, {self.last}")
        object.__setattr__(self, "deposits", checked_bytes(self.deposits, "piece.deposits"))
        for name in ("begins", "ends"):
            object.__setattr__(self, name, bool(getattr(self, name)))

    def __reduce__(self) -> tuple[object, ...]:
        values = (self.first, self.last, self.gas_used, self.blob_gas_used, self.deposits, self.begins, self.ends)
        return type(self), (*values, self.state_gas_used, self.cumulative_gas_used)

    @classmethod
    def after(cls, result: BlockResult, last: int, *, ends: bool = False) -> Piece:
        """The piece that follows an executed one, to before transaction `last`."""
        piece = result.piece
        if piece is None:
            raise ValueError("result: it is of a whole block, which nothing follows")
        return cls(
            piece.last,
            last,
            piece.gas_used + result.execution_gas_used,
            piece.blob_gas_used + result.blob_gas_used,
            piece.deposits + (result.deposits or b""),
            ends=ends,
            state_gas_used=piece.state_gas_used + result.state_gas_used,
            cumulative_gas_used=(piece.cumulative_gas_used or 0) + result.cumulative_gas_used,
        )


# Numbers of BlockStatistics that add up.
_SUMS = ("executions", "aborted", "aborted_gas", "rebased", "rebased_slots", "fallback_transactions", "parked")
_SECONDS = ("recover_seconds", "execute_seconds")


def join_pieces(block: Block, results: Sequence[BlockResult]) -> BlockResult:
    """The BlockResult of a block that was executed in pieces.

    results  of its pieces, in order: the first begins the block, each follows the one before, the last ends it
    raise    ValueError for pieces that aren't those of the block: it names the piece and both values

    Accesses stay with the pieces; access lists and changes are joined, where all pieces have them. Statistics add up; `workers` is that of the
    piece with the most, `strategy` "auto" where pieces had several.
    """
    results = list(results)
    pieces = []
    for number, result in enumerate(results):
        if not isinstance(result, BlockResult):
            raise TypeError(f"results[{number}]: expected BlockResult, got {type(result).__name__}")
        if result.piece is None:
            raise ValueError(f"results[{number}]: it is of a whole block, not of a piece")
        pieces.append(result.piece)
    if not pieces:
        raise ValueError("results: there are none")
    transactions = tuple(block.transactions)
    want = Piece(0, pieces[0].last, begins=True, ends=len(pieces) == 1)
    for number, (piece, result) in enumerate(zip(pieces, results)):
        if piece != want:
            raise ValueError(f"results[{number}]: of {piece}, expected {want}")
        if number + 1 < len(pieces):
            want = Piece.after(result, max(piece.last, pieces[number + 1].last), ends=number + 2 == len(pieces))
    if pieces[-1].last != len(transactions):
        raise ValueError(
            f"results: their last transaction is before {pieces[-1].last}, the block has {len(transactions)}"
        )
    bloom = 0
    for result in results:
        bloom |= int.from_bytes(result.logs_bloom, "big")
    last = results[-1]
    lists = [result.access_list for result in results if result.access_list is not None]
    changes = [result.changes for result in results if result.changes is not None]
    made = {
        "gas_used": max(
            sum(result.execution_gas_used for result in results), sum(result.state_gas_used for result in results)
        ),
        "execution_gas_used": sum(result.execution_gas_used for result in results),
        "state_gas_used": sum(result.state_gas_used for result in results),
        "cumulative_gas_used": sum(result.cumulative_gas_used for result in results),
        "blob_gas_used": sum(result.blob_gas_used for result in results),
        "logs_bloom": bloom.to_bytes(256, "big"),
        "withdrawals_root": last.withdrawals_root,
        "requests": last.requests,
        "requests_hash": last.requests_hash,
        "accesses": None,
        "access_list": BlockAccessList.joined(lists) if len(lists) == len(results) else None,
        "changes": Changes.joined(changes) if len(changes) == len(results) else None,
        "piece": None,
        "deposits": None if last.deposits is None else b"".join(result.deposits or b"" for result in results),
        "witness": None,
    }
    every = [result.statistics for result in results]
    strategies = {statistics.strategy for statistics in every}
    told = {
        "strategy": strategies.pop() if len(strategies) == 1 else "auto",
        "workers": max(statistics.workers for statistics in every),
        "transactions": len(transactions),
        "gas_used": made["gas_used"],
        **{name: sum(getattr(statistics, name) for statistics in every) for name in (*_SUMS, *_SECONDS)},
    }
    receipts = PackedReceipts.joined([_packed_receipts(result) for result in results])
    return _result_of_pieces(made, told, receipts, transactions, last)


@dataclass(frozen=True, slots=True)
class PieceOutcome:
    """What a piece came to, as it travels: without roots, which belong to the block, and as if nothing had been before it.

    receipts     as RLP (evmcore.packing), written and read by the core; their gas adds up from the piece's first transaction on
    gas_used     execution gas;  state_gas_used, cumulative_gas_used, blob_gas_used  as BlockResult has them
    deposits     data of the deposits that its transactions made
    access_list  its part of the block's;  changes  of the state
    told         its statistics
    """

    first: int
    last: int
    begins: bool
    receipts: bytes
    gas_used: int
    state_gas_used: int
    cumulative_gas_used: int
    blob_gas_used: int
    logs_bloom: bytes
    deposits: bytes | None
    access_list: BlockAccessList
    changes: Changes
    told: dict[str, Any]

    @classmethod
    def of(cls, result: BlockResult) -> PieceOutcome:
        """Of a piece that was executed with `access_list=True, changes=True`, and nothing before it."""
        piece, access_list, changes = result.piece, result.access_list, result.changes
        if piece is None or access_list is None or changes is None:
            raise ValueError("result: it is of no piece, or lacks its access list or its changes")
        if piece != Piece(piece.first, piece.last, begins=piece.begins):
            raise ValueError(f"result: of {piece}, which ends the block, or has gas and deposits before it")
        statistics = result.statistics
        return cls(
            piece.first,
            piece.last,
            piece.begins,
            _packed_receipts(result).packed,
            result.execution_gas_used,
            result.state_gas_used,
            result.cumulative_gas_used,
            result.blob_gas_used,
            result.logs_bloom,
            result.deposits,
            access_list,
            changes,
            {one.name: getattr(statistics, one.name) for one in fields(statistics)},
        )

    def after(self, piece: Piece) -> BlockResult:
        """The result of this piece in its place in the block. ValueError where it isn't of these transactions."""
        if (piece.first, piece.last, piece.begins) != (self.first, self.last, self.begins):
            raise ValueError(f"piece: {piece} is not of transactions {self.first} to before {self.last}")
        receipts = PackedReceipts(self.receipts, piece.cumulative_gas_used or 0)
        if len(receipts) != self.last - self.first:
            raise ValueError(f"piece: {len(receipts)} receipts, of transactions {self.first} to before {self.last}")
        made = {
            "gas_used": max(self.gas_used, self.state_gas_used),
            "execution_gas_used": self.gas_used,
            "state_gas_used": self.state_gas_used,
            "cumulative_gas_used": self.cumulative_gas_used,
            "blob_gas_used": self.blob_gas_used,
            "logs_bloom": self.logs_bloom,
            "deposits": self.deposits,
            "access_list": self.access_list,
            "changes": self.changes,
            "piece": piece,
        }
        made |= dict.fromkeys(
            name for name in (*BlockResult.CONSENSUS, *BlockResult.KEPT) if name not in made and name not in _MADE_LATER
        )
        return _result_of_pieces(made, self.told, receipts)
