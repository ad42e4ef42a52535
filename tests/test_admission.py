"""Transactions that came in: their senders are recovered and they are predicted once, for whichever block they come to be in."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from evmcore import Block, Transaction, UnusableInput, caches, empty_caches, execute_block, keccak256
from evmcore._core import auto_history
from evmcore.example import EXAMPLE_FILE
from evmcore.layers import Admission, Learned, Prediction, PreExecuted, workers_for

KEYS = [keccak256(b"admission %d" % number) for number in range(6)]


def fresh(block):
    """The block as it comes from elsewhere: nobody has recovered a sender of it."""
    return replace(block, transactions=tuple(Transaction.decode(one.raw) for one in block.transactions))


@pytest.fixture
def block():
    return fresh(Block.load(EXAMPLE_FILE))


class Counting:
    """A predictor that is asked, and how often."""

    def __init__(self, own):
        self.own, self.asked = own, 0

    def predict(self, transaction):
        self.asked += 1
        return self.own.predict(transaction)

    def learn(self, transaction, done):
        self.own.learn(transaction, done)


@pytest.mark.parametrize("predictor", ["pre-executed", "learned", None])
def test_a_block_of_admitted_transactions_comes_out_the_same(block, predictor):
    auto_history(reset=True)
    made = {"pre-executed": PreExecuted(block.pre_state, block.header), "learned": Learned(block.pre_state)}.get(
        predictor
    )
    made = None if made is None else Counting(made)
    admission = Admission(made)
    fork = block.header.fork
    some = fresh(block).transactions[::2]
    assert len(admission.admit(some, fork=fork)) == len(some)
    assert admission.admit(some, fork=fork) == []
    assert made is None or made.asked == len(some)
    known = admission.known(fresh(block))
    assert all(one is other for one, other in zip(known.transactions[::2], some))
    result = admission.execute(fresh(block), block.pre_state.copy(), workers=2)
    assert result == execute_block(block, block.pre_state.copy(), workers=1)
    admission.admit(block.transactions, fork=fork)
    again = admission.execute(fresh(block), block.pre_state.copy(), workers=2)
    assert again == result
    assert again.statistics.recover_seconds == 0
    assert result.statistics.recover_seconds > 0
    admission.forget(block)
    assert len(admission) == 0


def test_one_without_a_sender_is_left_out():
    good = [Transaction(nonce=number, chain_id=1).sign(key) for number, key in enumerate(KEYS)]
    bad = Transaction.decode(replace_signature(good[0]))
    admission = Admission()
    taken = admission.admit([*good[:3], bad, *good[3:]], fork="Cancun")
    assert [one.hash for one in taken] == [one.hash for one in good]
    assert bad not in admission
    assert good[5] in admission


def replace_signature(transaction):
    """The transaction with an s that no signature has."""
    from evmcore import rlp

    raw = transaction.raw
    typed, body = (raw[:1], raw[1:]) if raw[0] < 0xC0 else (b"", raw)
    items = rlp.decode(body)
    items[-1] = b"\xff" * 32
    return typed + rlp.encode(items)


def test_it_is_bounded_and_seen():
    empty_caches()
    admission = Admission(most=3)
    admission.admit([Transaction(nonce=number, chain_id=1).sign(key) for number, key in enumerate(KEYS)], fork="Cancun")
    assert len(admission) == 3
    found = caches()["admitted_transactions"]
    assert 3 <= found.entries <= found.limit
    empty_caches()
    assert len(admission) == 0
    for most in (0, -1, "x"):
        with pytest.raises((UnusableInput, ValueError, TypeError)):
            Admission(most=most)


def test_many_threads_may_admit():
    admission = Admission(most=4)
    given = [Transaction(nonce=number, chain_id=1).sign(KEYS[number % 6]) for number in range(24)]
    threads = [
        threading.Thread(target=admission.admit, args=(given[part::4],), kwargs={"fork": "Cancun"}) for part in range(4)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(admission) == 4


def test_workers_follow_the_predicted_cost():
    auto_history(reset=True)
    assert workers_for([], 8) == 1
    assert workers_for([Prediction(21_000)] * 3, 8) == 1
    some = workers_for([Prediction(300_000)] * 30, 64)
    assert 1 < some < 64
    assert workers_for([Prediction(10**7)] * 300, 64) == 64
    assert workers_for([None, Prediction(21_000)], 8) == 8  # nobody knows


def test_a_transaction_with_another_sender_than_its_signatures_is_not_taken():
    """It has the hash of the one that was signed, and took its place in blocks, with its sender."""
    signed = Transaction(to=bytes(20), gas_limit=21_000, gas_price=10**10, chain_id=1).sign(KEYS[0])
    taken = ("nonce", "to", "value", "gas_limit", "gas_price", "chain_id", "v", "r", "s")
    fields = {name: getattr(signed, name) for name in taken}
    false = Transaction(**fields, sender=b"\xaa" * 20)
    assert false.hash == signed.hash
    admission = Admission()
    assert admission.admit([false], fork="Cancun") == []
    assert admission.admit([Transaction(**{**fields, "r": 5}, sender=signed.sender)], fork="Cancun") == []
    assert admission.admit([signed], fork="Cancun") == [signed]


@pytest.mark.parametrize("given", ["ab", [None], [b"\xc0"]])
def test_what_is_no_transaction_is_named_and_nothing_is_taken(given):
    admission = Admission()
    with pytest.raises(TypeError, match="transactions: expected Transaction, got "):
        admission.admit(given, fork="Osaka")
    assert len(admission) == 0
