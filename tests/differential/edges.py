"""Gas limits at which a transaction begins to do something else: a case with its first transaction alone, just below each and at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from evmcore import TRANSACTION_TYPES, InvalidTransaction, Transaction

from . import subject
from .case import Case, Ran
from .scenarios import KEYS, address_of

SAMPLES = 14
EDGES_MOST = 6
_FIELDS = {row.type: row.fields for row in TRANSACTION_TYPES}
_KEY_OF = {address_of(key): key for key in KEYS}


def with_gas(case: Case, tx: Transaction, gas: int) -> Case:
    """The case with that transaction alone, with that gas limit."""
    fields = {name: getattr(tx, name) for name in ("type", "chain_id", *_FIELDS[tx.type])} | {"gas_limit": gas}
    return replace(case, transactions=[Transaction(**fields).sign(_KEY_OF[tx.sender]).encode()])


def _does(case: Case, gas: int) -> object:
    """What it does, as far as it doesn't just take another amount of gas."""
    report = subject.run(case)
    outcome = report.outcomes[0] if report.outcomes else report.failure
    if not isinstance(outcome, Ran):
        return outcome
    return outcome.output, outcome.gas_refund, len(outcome.receipt), outcome.gas_used == gas, outcome.receipt[-64:]


def cases_at_edges(case: Case, seed: int) -> Iterator[Case]:
    """None where the first transaction can't be decoded, or isn't of a sender whose key is known."""
    random = Random(seed)
    sound = case.transactions_that_decode()
    if not sound:
        return
    tx = Transaction.decode(sound[0])
    try:
        if tx.sender not in _KEY_OF:
            return
    except InvalidTransaction:
        return
    case = replace(case, gas_limit=max(case.gas_limit, 100_000_000))
    most = random.choice([150_000, 400_000, 2_000_000, 17_200_000])
    gases = sorted({random.randrange(12_000, most) for _ in range(SAMPLES)})
    does = [_does(with_gas(case, tx, gas), gas) for gas in gases]
    found = 0
    for low, high, below, above in zip(gases, gases[1:], does, does[1:]):
        if below == above or found == EDGES_MOST:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            if _does(with_gas(case, tx, middle), middle) == below:
                low = middle
            else:
                high = middle
        found += 1
        yield with_gas(case, tx, low)
        yield with_gas(case, tx, high)
