"""Transactions as they come in: each is looked at once, for whichever block it comes to be in.

Its sender is recovered and what it will do is predicted then, and not when a block with it arrives.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from .. import Block, BlockResult, EvmError, State, Transaction, auto_history, execute_block, recover_senders
from ..caches import add_cache_of_objects
from ..errors import UnusableInput
from ..hexadecimal import checked_quantity
from ..locks import lock_of_process
from .prediction import Prediction, Predictor

__all__ = ["Admission", "workers_for"]

_MOST = 100_000
# What a worker has to have to do: to wake one costs some tens of microseconds.
_WORKER_SECONDS = 250e-6


class Admission:
    """Transactions that came in, by hash, with their senders and predictions. Any thread may use it.

    predictor  asked of each once; None: nothing is predicted
    most       the oldest goes
    """

    def __init__(self, predictor: Predictor | None = None, *, most: int = _MOST) -> None:
        self._most = checked_quantity(most, "most", 32)
        if not self._most:
            raise UnusableInput("most: 0 is less than 1")
        self.predictor = predictor
        self._admitted: OrderedDict[bytes, tuple[Transaction, Prediction | None]] = OrderedDict()
        self._lock = lock_of_process()
        _keep_account_of(self)

    def admit(self, transactions: Iterable[Transaction], *, fork: str, workers: int | None = None) -> list[Transaction]:
        """Recover their senders and predict them; those that are here already cost nothing. The transactions that were taken.

        fork     whose rules on signatures hold;  workers  threads, for senders
        One without a valid signature isn't taken, nor one that was made with another sender than its signature's.
        """
        given = list(transactions)
        for one in given:
            if not isinstance(one, Transaction):
                raise TypeError(f"transactions: expected Transaction, got {type(one).__name__}")
        new = [one for one in given if one.hash not in self._admitted]
        new = [one for one in new if not one.has_sender or _is_signed(one, fork)]
        try:
            recover_senders(new, fork=fork, workers=workers)
        except EvmError:  # one at least has none: each by itself
            new = [one for one in new if _has_sender(one, fork)]
        made = [(one, None if self.predictor is None else self.predictor.predict(one)) for one in new]
        with self._lock:
            for one, prediction in made:
                self._admitted[one.hash] = one, prediction
            while len(self._admitted) > self._most:
                self._admitted.popitem(last=False)
        return new

    def known(self, block: Block) -> Block:
        """The block, with those of its transactions that are here in the place of its own: their senders are known."""
        with self._lock:
            transactions = tuple(self._admitted.get(one.hash, (one,))[0] for one in block.transactions)
        return replace(block, transactions=transactions)

    def predictions(self, block: Block) -> list[Prediction | None]:
        """What was predicted of each of its transactions; None of those that never came in."""
        with self._lock:
            return [self._admitted.get(one.hash, (one, None))[1] for one in block.transactions]

    def execute(self, block: Block, state: State, *, workers: int | None = None, **options: Any) -> BlockResult:
        """`execute_block`, with senders and predictions of those that came in, and on as many workers, up to `workers`, as that promises to pay."""
        predicted = self.predictions(block)
        most = workers or os.cpu_count() or 1
        return execute_block(
            self.known(block), state, workers=workers_for(predicted, most), predicted=predicted, **options
        )

    def forget(self, block: Block) -> None:
        """Let go of the transactions of a block that is final."""
        with self._lock:
            for one in block.transactions:
                self._admitted.pop(one.hash, None)

    def clear(self) -> None:
        """Let go of all."""
        with self._lock:
            self._admitted.clear()

    def __len__(self) -> int:
        return len(self._admitted)

    def __contains__(self, transaction: Transaction) -> bool:
        return transaction.hash in self._admitted

    @property
    def most(self) -> int:
        """How many are kept."""
        return self._most


def workers_for(predictions: Sequence[Prediction | None], most: int) -> int:
    """How many workers, 1 to `most`, pay for a block of these: each has enough to do.

    How long a gas takes is what the process has learnt (`auto_history`). Where nothing is predicted it is `most`, for "auto" to weigh.
    """
    if any(one is None for one in predictions):
        return most
    gas = sum(one.cost for one in predictions if one is not None)
    return max(1, min(most, 1 + int(gas * auto_history().seconds_per_gas / _WORKER_SECONDS)))


def _has_sender(transaction: Transaction, fork: str) -> bool:
    try:
        recover_senders([transaction], fork=fork, workers=1)
    except EvmError:
        return False
    return True


def _is_signed(transaction: Transaction, fork: str) -> bool:
    try:
        decoded = Transaction.decode(transaction.raw)
    except EvmError:
        return False
    return _has_sender(decoded, fork) and decoded.sender == transaction.sender


_keep_account_of = add_cache_of_objects("admitted_transactions")
