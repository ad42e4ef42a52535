"""Who gets which transaction: predictions, what they are worth in schedules, and layers of different speeds."""

from __future__ import annotations

import pytest

from evmcore import Block, Header, State, Transaction, assemble, execute_block, keccak256
from evmcore.errors import UnusableInput
from evmcore.example import EXAMPLE_FILE
from evmcore.layers import Learned, Prediction, PreExecuted, Router
from evmcore.layers.prediction import actual, conflicts
from evmcore.layers.router import Assignment, components
from evmcore.layers.schedule import schedule_apart, schedule_together

TOKEN = bytes([0x70]) * 20
OTHER = bytes([0x71]) * 20
BALANCES, ALLOWANCES = 3, 5
PEOPLE = [bytes([number]) * 20 for number in range(1, 20)]


def mapping(key, base):
    return keccak256(
        key.rjust(32, b"\0") + base.to_bytes(32, "big") if isinstance(base, int) else key.rjust(32, b"\0") + base
    )


# pay(to): one from the sender's entry in mapping 3 to the argument's; allow(to): mapping 5 of the sender, of the argument; counts in slot 0.
CODE = assemble(f"""
    PUSH 0 SLOAD PUSH 1 ADD PUSH 0 SSTORE
    CALLER PUSH 0 MSTORE PUSH {BALANCES} PUSH 32 MSTORE PUSH 64 PUSH 0 KECCAK256
    DUP1 SLOAD PUSH 1 SWAP1 SUB SWAP1 SSTORE
    PUSH 4 CALLDATALOAD PUSH 0 MSTORE PUSH 64 PUSH 0 KECCAK256
    DUP1 SLOAD PUSH 1 ADD SWAP1 SSTORE
    CALLER PUSH 0 MSTORE PUSH {ALLOWANCES} PUSH 32 MSTORE PUSH 64 PUSH 0 KECCAK256 PUSH 32 MSTORE
    PUSH 4 CALLDATALOAD PUSH 0 MSTORE PUSH 64 PUSH 0 KECCAK256 PUSH 2 ADD
    SLOAD POP STOP
""")


def pay(sender, to, nonce=0, token=TOKEN):
    data = b"\x01\x02\x03\x04" + to.rjust(32, b"\0")
    return Transaction(sender=sender, nonce=nonce, to=token, gas_limit=200_000, gas_price=10, data=data)


def block_of(transactions):
    accounts = {one: {"balance": 10**18} for one in PEOPLE}
    for token in (TOKEN, OTHER):
        storage = {int.from_bytes(mapping(one, BALANCES), "big"): 1000 for one in PEOPLE}
        accounts[token] = {"code": CODE, "nonce": 1, "storage": storage | {0: 7}}
    header = Header(number=1, fork="Cancun", base_fee_per_gas=7, gas_limit=10**9)
    return Block(header, tuple(transactions), pre_state=State(accounts))


def done(block):
    result = execute_block(block, block.pre_state.copy(), workers=1, record=True)
    return actual(result.accesses, block.transactions)


def slots(prediction):
    return {key[20:] for key in prediction.reads if len(key) == 52}


def test_what_a_transaction_did_is_told_by_keys():
    block = block_of(
        [pay(PEOPLE[0], PEOPLE[1]), pay(PEOPLE[2], PEOPLE[3], token=OTHER), pay(PEOPLE[0], PEOPLE[1], 1, OTHER)]
    )
    first, second, third = done(block)
    assert slots(first) >= {bytes(32), mapping(PEOPLE[0], BALANCES), mapping(PEOPLE[1], BALANCES)}
    assert TOKEN + bytes(32) in first.writes
    assert first.sender == PEOPLE[0]
    assert first.cost == execute_block(block, block.pre_state.copy()).receipts[0].gas_used
    # Who shares a sender, or pays fees to one beneficiary, doesn't conflict; who counts on one counter does.
    assert conflicts([first, second, third]) == [set(), set(), {1}]
    assert (TOKEN, 0) in first.prefetch


def test_executed_before_it_is_known_what_it_does():
    block = block_of([pay(PEOPLE[place], PEOPLE[place + 1], token=(TOKEN, OTHER)[place % 2]) for place in range(8)])
    block.transactions += (pay(PEOPLE[0], PEOPLE[5], 1),)  # which can't be executed yet
    before = block.pre_state.to_bytes()
    predictor = PreExecuted(block.pre_state, block.header)
    for one, said in zip(done(block), map(predictor.predict, block.transactions)):
        assert (said.reads, said.writes, said.sender) == (one.reads, one.writes, one.sender)
        assert abs(said.cost - one.cost) <= 20_000  # what the slots cost depends on who was there before
    assert block.pre_state.to_bytes() == before


def test_what_can_not_be_executed_costs_its_limit():
    block = block_of([])
    broken = Transaction(sender=PEOPLE[0], to=TOKEN, gas_limit=1000, gas_price=10)
    assert PreExecuted(block.pre_state, block.header).predict(broken) == Prediction(1000)


def test_a_table_learns_costs_and_slots_from_calls():
    learned = Learned()
    first = block_of([pay(PEOPLE[place], PEOPLE[place + 1]) for place in range(4)])
    assert learned.predict(first.transactions[0]) == Prediction(200_000, sender=PEOPLE[0])
    for transaction, did in zip(first.transactions, done(first)):
        learned.learn(transaction, did)
    new = block_of([pay(PEOPLE[10], PEOPLE[11])])
    said, [did] = learned.predict(new.transactions[0]), done(new)
    assert slots(said) == slots(did)  # a constant, two mappings, and a field of a mapping in a mapping
    assert {key for key in said.writes if len(key) == 52} == {key for key in did.writes if len(key) == 52}
    assert said.reads <= did.reads  # what is only written, such as the beneficiary's balance, commutes
    assert abs(said.cost - did.cost) < did.cost / 2
    assert len(learned) == 1
    # A copy of the contract is known by its code.
    by_code = Learned(first.pre_state)
    for transaction, did in zip(first.transactions, done(first)):
        by_code.learn(transaction, did)
    elsewhere = by_code.predict(pay(PEOPLE[10], PEOPLE[11], token=OTHER))
    assert OTHER + bytes(32) in elsewhere.writes


def test_a_table_is_bounded_and_forgets():
    learned = Learned(most_rows=2)
    for place in range(5):
        transaction = Transaction(sender=PEOPLE[0], to=PEOPLE[place], data=b"abcd", gas_limit=50_000)
        learned.learn(transaction, Prediction(30_000, frozenset({PEOPLE[place] + bytes([9]) * 32})))
    assert len(learned) == 2
    assert learned.predict(Transaction(sender=PEOPLE[0], to=PEOPLE[0], data=b"abcd", gas_limit=50_000)).cost == 50_000
    transaction = Transaction(sender=PEOPLE[0], to=TOKEN, data=b"abcd", gas_limit=50_000)
    for number in range(2000):  # another slot each time
        learned.learn(transaction, Prediction(30_000, frozenset({TOKEN + number.to_bytes(32, "big")})))
    assert max(len(row.seen) for row in learned._rows.values()) <= 256
    assert not slots(learned.predict(transaction))
    for _ in range(200):
        learned.learn(transaction, Prediction(30_000, frozenset({TOKEN + bytes(32)})))
    assert slots(learned.predict(transaction)) == {bytes(32)}


@pytest.mark.parametrize("data", [b"", b"ab", b"abcd", b"abcd" + bytes(31), b"abcd" + b"\xff" * 4000])
def test_any_call_data_can_be_learned(data):
    learned = Learned()
    for to in (TOKEN, None):
        transaction = Transaction(sender=PEOPLE[0], to=to, data=data, gas_limit=10**6)
        keys = frozenset({TOKEN + b"\xff" * 32, TOKEN + bytes(32), PEOPLE[0] + b"b", TOKEN + keccak256(bytes(64))})
        learned.learn(transaction, Prediction(50_000, keys, keys))
        assert learned.predict(transaction).reads == keys


def made(*rows):
    """Predictions of (cost, keys that are read and written)."""
    return [Prediction(cost, frozenset(map(bytes, keys)), frozenset(map(bytes, keys))) for cost, keys in rows]


A, B, C, D = (bytes([number]) * 52 for number in range(4))


def test_what_conflicts_goes_to_one_layer():
    predictions = made((10, [A]), (10, [B]), (10, [A]), (10, [B]), (10, [C]), (10, []))
    assert sorted(map(sorted, components(predictions, ()))) == [[0, 2], [1, 3], [4], [5]]
    assignment = Router(2).assign(predictions)
    assert sorted(index for group in assignment.groups for index in group) + list(assignment.tail) == list(range(6))
    layer = assignment.layer_of
    assert layer[0] == layer[2] != layer[1] == layer[3]
    assert schedule_apart(predictions, assignment).wasted == 0
    assert schedule_apart(predictions, assignment).speed_up == 2


def test_one_that_holds_all_together_is_left_for_the_end():
    hub = Prediction(10, frozenset({A, B, C, D}), frozenset({A, B, C, D}))
    chains = made(*[(10, [key]) for key in (A, B, C, D) for _ in range(5)])
    assignment = Router(4).assign([*chains, hub])
    assert assignment.tail == (20,)
    assert sorted(len(group) for group in assignment.groups) == [5, 5, 5, 5]


def test_a_slow_layer_gets_less():
    router = Router(2)
    assert router.speeds == [1, 1]
    for _ in range(20):
        router.measured(0, 1_000_000, 1.0)
        router.measured(1, 1_000_000, 3.0)
    router.measured(1, 0, 1.0)
    fast, slow = router.assign_units([10] * 40).groups
    assert 28 <= len(fast) <= 32
    assert len(fast) + len(slow) == 40
    with pytest.raises(UnusableInput, match="layers: 0"):
        Router(0)


def test_layers_that_do_not_see_each_other_pay_for_conflicts():
    done_ = made((10, [A]), (10, [A]), (10, [A]), (10, [B]))
    apart = schedule_apart(done_, Assignment(((0, 2), (1, 3))))
    # 1 read what 0 writes; 2 read what 1 writes, which is done again.
    assert (apart.length, apart.wasted, apart.total) == (20 + 20, 20, 40)


def test_predictions_keep_workers_from_what_would_be_aborted():
    done_ = made(*[(10, [A])] * 4, *[(10, [])] * 4)
    blind, seeing = schedule_together(done_, 2), schedule_together(done_, 2, done_)
    assert blind.wasted > 0 == seeing.wasted
    assert seeing.length == 40 <= blind.length
    assert schedule_together(done_, 1).length == 80
    assert schedule_together([], 4).speed_up == 1


@pytest.mark.parametrize("processors", [1, 2, 16])
def test_a_schedule_of_a_real_block_lies_within_its_bounds(processors):
    block = Block.load(EXAMPLE_FILE)
    did = done(block)
    total, longest = sum(one.cost for one in did), max(one.cost for one in did)
    for predicted in (None, did, [Prediction(one.cost) for one in did]):
        made_ = schedule_together(did, processors, predicted)
        assert max(longest, total / processors) <= made_.length <= total
    apart = schedule_apart(did, Router(processors).assign(did))
    assert max(longest, total / processors) <= apart.length <= total * 1.01
