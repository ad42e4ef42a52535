"""What a transaction will cost and touch, before it is executed: to place it with those that it conflicts with.

A prediction may be wrong: that costs time, never a result. Where it comes from is a Predictor: executions on the parent's state, or a table
that learns from the blocks it has seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from .. import Block, EvmError, Header, Piece, State, Transaction, execute_block

if TYPE_CHECKING:
    from ..accesses import Accesses

__all__ = ["PreExecuted", "Prediction", "Predictor", "actual", "conflicts"]

# A key is an address and what of it, a letter, or 32 bytes of a slot: b balance, n nonce, c code, l whether it lives.
Key = bytes
# Of accesses.ACCOUNT_DTYPE: bits of `reads` and `writes` by the letter of what they are of. A minimum of a balance (2) commutes with payments.
_READS = ((1, b"b"), (4, b"n"), (8, b"c"), (16 | 32 | 64, b"l"))
_WRITES = ((1, b"b"), (2, b"n"), (4, b"c"), (16 | 32, b"l"))
# Enough for any fee: that a sender can't pay on the parent's state doesn't mean that he can't when his turn comes.
_FUNDS = 1 << 128


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a transaction is likely to do.

    cost    gas;  reads, writes  keys: a slot is address and number, 52 bytes, something of an account address and letter, 21
    sender  20 bytes, where it is known
    """

    cost: int
    reads: frozenset[Key] = frozenset()
    writes: frozenset[Key] = frozenset()
    sender: bytes | None = None

    @property
    def prefetch(self) -> list[tuple[bytes, int | None]]:
        """(address, slot or None for the account itself) of all keys: what may be fetched before it is executed."""
        keys = {
            (key[:20], int.from_bytes(key[20:], "big") if len(key) == 52 else None) for key in self.reads | self.writes
        }
        return sorted(keys, key=lambda key: (key[0], -1 if key[1] is None else key[1]))


class Predictor(Protocol):
    """Predicts what transactions do, and learns from what they did."""

    def predict(self, transaction: Transaction) -> Prediction:
        """What the transaction is likely to do."""

    def learn(self, transaction: Transaction, done: Prediction) -> None:
        """What it did."""


def actual(accesses: Accesses, transactions: Sequence[Transaction]) -> list[Prediction]:
    """What the transactions did, from the accesses of a recorded execution (`execute_block(…, record=True)`)."""
    reads: list[set[Key]] = [set() for _ in transactions]
    writes: list[set[Key]] = [set() for _ in transactions]
    for row in accesses.accounts:
        place, address = int(row["transaction"]), row["address"].tobytes()
        for bit, letter in _READS:
            # That the sender's nonce is the transaction's own is checked in its turn, whatever was executed before.
            if row["reads"] & bit and (letter != b"n" or address != transactions[place].sender):
                reads[place].add(address + letter)
        for bit, letter in _WRITES:
            if row["writes"] & bit:
                writes[place].add(address + letter)
    for row in accesses.slots:
        place, key = int(row["transaction"]), row["address"].tobytes() + row["slot"].tobytes()
        reads[place].add(key)  # one that is written is read first: its price depends on what was there (EIP-2200)
        if row["is_write"]:
            writes[place].add(key)
    gas = accesses.transactions["gas_used"].tolist()
    return [
        Prediction(gas[place], frozenset(reads[place]), frozenset(writes[place]), transaction.sender)
        for place, transaction in enumerate(transactions)
    ]


def conflicts(predictions: Sequence[Prediction]) -> list[set[int]]:
    """For each transaction the earlier ones that write what it reads: the last writer of each key."""
    writers: dict[Key, int] = {}
    needs: list[set[int]] = []
    for place, one in enumerate(predictions):
        needs.append({writers[key] for key in one.reads if key in writers})
        for key in one.writes:
            writers[key] = place
    return needs


class PreExecuted:
    """Predicts by executing each transaction alone on the parent's state, as it is done when a transaction comes in.

    state   before the block; it stays as it is
    header  of the block to come: its fields are what programs see
    """

    def __init__(self, state: State, header: Header) -> None:
        self._state, self._header = state, header

    def predict(self, transaction: Transaction) -> Prediction:
        """What it did there. One that can't be executed there costs its gas limit and touches nothing."""
        state = self._state.copy()
        try:
            sender = transaction.sender
            # Its turn comes after others of its sender.
            state.set_nonce(sender, transaction.nonce)
            if state.get_balance(sender) < _FUNDS:
                state.set_balance(sender, state.get_balance(sender) + _FUNDS)
            block = Block(
                replace(self._header, gas_limit=max(self._header.gas_limit, transaction.gas_limit)), (transaction,)
            )
            result = execute_block(
                block,
                state,
                workers=1,
                strategy="sequential",
                record=True,
                state_roots=False,
                piece=Piece(0, 1),
            )
        except EvmError:
            return Prediction(transaction.gas_limit)
        assert result.accesses is not None
        return actual(result.accesses, [transaction])[0]

    def learn(self, transaction: Transaction, done: Prediction) -> None:
        """Nothing to be learned."""
