"""Predicted accesses: they decide what waits for what, and never on a result.

`python tests/test_predicted.py FIRST LAST` tries that range of seeds of the schedule fuzzer; a failure prints its seed.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hard_blocks import hard_block
from test_schedules import outcome

from evmcore import Accesses, EvmError, Header, Piece, State, Transaction, UnusableInput, assemble, execute_block
from evmcore._core import ScheduleFuzzer, auto_history, set_tuning
from evmcore.block import Block

SIZE = 10


@pytest.fixture(autouse=True)
def few_workers_look_at_predictions():
    before = set_tuning("predicted_workers", 1)
    yield
    set_tuning("predicted_workers", before)


@dataclass(frozen=True)
class Said:
    """A prediction."""

    reads: object = frozenset()
    writes: object = frozenset()


def known(block):
    """The accesses of a block that isn't refused, or None."""
    try:
        result = execute_block(
            block, block.pre_state.copy(), workers=1, strategy="sequential", record=True, state_roots=False
        )
    except EvmError:
        return None
    return result.accesses


def absurd(seed, block):
    """Something that was predicted of a block: the truth, half of it, that of another block, nonsense."""
    picks = random.Random(seed)
    count = len(block.transactions)
    every = frozenset({b"everything"})
    kind = seed % 7
    if kind == 0:
        return known(block)
    if kind == 1:
        return known(hard_block(seed + 1, SIZE))
    if kind == 2:  # each waits for the one before, and that for it
        return [Said(every, every)] * count
    if kind == 3:
        return [None] * count
    if kind == 4:
        keys = [bytes([n]) * picks.randrange(60) for n in range(8)]
        return [
            picks.choice(
                [None, Said(set(picks.sample(keys, picks.randrange(8))), picks.sample(keys, picks.randrange(8)))]
            )
            for _ in range(count)
        ]
    if kind == 5:  # all of them wait for all that are before
        return [Said({b"%d" % n for n in range(500)}, (b"%d" % place,)) for place in range(count)]
    found = known(block)
    if found is None:
        return Accesses()
    return replace(found, accounts=found.accounts[::2].copy(), slots=found.slots[1::2].copy())


def check_schedule(seed):
    """One block, what is predicted of it, and the schedule of one seed."""
    block = hard_block(seed // 4, SIZE)
    workers = 2 + seed % 3
    predicted = absurd(seed, block)
    with ScheduleFuzzer(seed, workers, tracking_start=seed % 2 * 64):
        parallel = outcome(block, workers=workers, strategy="optimistic", predicted=predicted)
    assert parallel == outcome(block, workers=1, strategy="sequential"), f"seed {seed}, {workers} workers"


@pytest.mark.parametrize("first", range(0, 40, 10))
def test_any_prediction_under_any_schedule_gives_the_sequential_result(first):
    for seed in range(first, first + 10):
        check_schedule(seed)


@pytest.mark.parametrize("workers", [2, 5, 16])
def test_any_number_of_workers_gives_the_sequential_result(workers):
    for seed in range(40):
        block = hard_block(seed, size=40)
        predicted = absurd(seed, block)
        for strategy in ("optimistic", "auto"):
            auto_history(reset=True)
            found = outcome(block, workers=workers, strategy=strategy, predicted=predicted)
            assert found == outcome(block, workers=1, strategy="sequential"), f"seed {seed}, {strategy}"


CODE = assemble(
    "PUSH 0 SLOAD PUSH 40 loop: JUMPDEST PUSH 1 SWAP1 SUB DUP1 PUSH @loop JUMPI POP PUSH 3 MUL PUSH 1 ADD PUSH 0 SSTORE"
)


def chain_of(count):
    """Calls of which each needs what the one before has left, and no two have a sender in common."""
    people = [(number + 1).to_bytes(20, "big") for number in range(count)]
    contract = b"\xcc" * 20
    accounts = {one: {"balance": 10**18} for one in people} | {contract: {"code": CODE}}
    transactions = tuple(Transaction(sender=one, to=contract, gas_limit=200_000, gas_price=10) for one in people)
    header = Header(number=1, fork="Cancun", base_fee_per_gas=1, gas_limit=10**9, coinbase=b"\xcb" * 20)
    return Block(header, transactions, withdrawals=(), pre_state=State(accounts))


def under_schedules(block, workers, **options):
    """What several schedules came to, all together: (parked, aborted, executions)."""
    found = [0, 0, 0]
    for seed in range(3):
        with ScheduleFuzzer(seed, workers, window_per_worker=64, predicted_workers=3):
            result = execute_block(block, block.pre_state.copy(), workers=workers, strategy="optimistic", **options)
        for place, name in enumerate(("parked", "aborted", "executions")):
            found[place] += getattr(result.statistics, name)
    return found


def test_what_waits_is_not_executed_in_vain():
    block = chain_of(12)
    slot = Said({b"slot"}, {b"slot"})
    for predicted in (known(block), [slot] * 12):
        parked, aborted, executions = under_schedules(block, 3, predicted=predicted)
        assert parked > 5
        assert (aborted, executions) == (0, 36)
    parked, aborted, _ = under_schedules(block, 3)
    assert (parked, aborted > 5) == (0, True)


def test_few_workers_look_at_no_predictions():
    block = chain_of(12)
    parked, aborted, _ = under_schedules(block, 2, predicted=known(block))
    assert (parked, aborted > 5) == (0, True)


def test_predictions_of_a_piece_and_beside_a_record():
    block = chain_of(30)
    accesses = known(block)
    state = block.pre_state.copy()
    first = execute_block(
        block, state, workers=2, strategy="optimistic", piece=Piece(0, 10, begins=True), predicted=accesses.piece(0, 10)
    )
    rest = execute_block(
        block, state, workers=2, strategy="optimistic", piece=Piece.after(first, 30, ends=True), predicted=[None] * 20
    )
    whole = execute_block(
        block, block.pre_state.copy(), workers=3, strategy="optimistic", record=True, predicted=accesses
    )
    assert rest.state_root == whole.state_root
    assert whole.accesses == accesses


class Raises:
    @property
    def reads(self):
        raise ZeroDivisionError("of the prediction")

    writes = ()


@pytest.mark.parametrize(
    ("predicted", "error", "said"),
    [
        (5, TypeError, "int"),
        ("ab", TypeError, "str"),
        ({}, TypeError, "dict"),
        ((one for one in ()), TypeError, "generator"),
        ([None], UnusableInput, "1 predictions for 3 transactions"),
        ([None] * 4, UnusableInput, "4 predictions for 3 transactions"),
        ([1, 2, 3], AttributeError, "reads"),
        ([None, Raises(), None], ZeroDivisionError, "of the prediction"),
        ([None, Said(reads=7), None], TypeError, r"predicted\[1\].reads: expected a set, got int"),
        ([None, None, Said(writes=b"ab")], TypeError, r"predicted\[2\].writes: expected a set, got bytes"),
        ([Said(reads={1}), None, None], TypeError, r"predicted\[0\]: expected keys of bytes, got int"),
        ([Said(writes=[bytearray(b"a")]), None, None], TypeError, "bytearray"),
    ],
)
def test_what_is_no_prediction_is_refused(predicted, error, said):
    block = chain_of(3)
    state = block.pre_state.copy()
    with pytest.raises(error, match=said):
        execute_block(block, state, workers=2, strategy="optimistic", predicted=predicted)
    assert state.root() == block.pre_state.root()
    assert execute_block(block, state, workers=2, strategy="optimistic").gas_used > 0


def test_rows_in_any_order_and_beyond_the_block_are_taken():
    block = chain_of(20)
    found = known(block)
    accounts, slots = found.accounts.copy(), found.slots.copy()
    slots["transaction"][::3] = 0xFFFFFFFF
    random.Random(1).shuffle(order := list(range(len(slots))))
    jumbled = Accesses(accounts=accounts[::-1].copy(), slots=slots[np.array(order)])
    result = execute_block(block, block.pre_state.copy(), workers=2, strategy="optimistic", predicted=jumbled)
    assert result == execute_block(block, block.pre_state.copy(), workers=1)


if __name__ == "__main__":
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        check_schedule(number)
    print(f"seeds {sys.argv[1]} to {int(sys.argv[2]) - 1}: every prediction gave the sequential result")
