"""Many what-ifs on one state: the answers are those of single calls, whatever the workers, and nothing is kept."""

import random

import numpy as np
import pytest

from evmcore import (
    Account,
    Header,
    MissingBlockHash,
    MissingState,
    State,
    Transaction,
    assemble,
    call,
    simulate_many,
    transact,
)

KEYS = [bytes([number]) * 32 for number in range(1, 9)]
SENDERS = [Transaction(to=bytes(20), chain_id=1).sign(key).sender for key in KEYS]
COUNTER, READER, REVERTS, COINBASE = (bytes([number]) * 20 for number in (0x11, 0x22, 0x33, 0xCC))
HEADER = Header(number=5, base_fee_per_gas=7, excess_blob_gas=0, fork="Cancun", coinbase=COINBASE)


def state_of(**options) -> State:
    accounts = {sender: Account(balance=10**18, is_storage_complete=True) for sender in SENDERS}
    # Adds its input to slot 0, logs, and returns the sum.
    code = "PUSH0 CALLDATALOAD PUSH0 SLOAD ADD DUP1 PUSH0 SSTORE PUSH0 PUSH0 LOG0 PUSH0 MSTORE PUSH1 32 PUSH0 RETURN"
    accounts[COUNTER] = Account(code=assemble(code), storage={0: 100}, is_storage_complete=True)
    accounts[REVERTS] = Account(code=assemble("PUSH0 PUSH0 MSTORE PUSH1 5 PUSH0 REVERT"), is_storage_complete=True)
    accounts[COINBASE] = Account(balance=3, is_storage_complete=True)
    return State(accounts, **options)


def adds(number: int, **members) -> dict:
    return {"sender": SENDERS[0], "to": COUNTER, "data": number.to_bytes(32, "big"), "gas": 100_000, **members}


def test_each_answer_is_that_of_a_call():
    state = state_of()
    before = state.root()
    random.seed(3)
    calls = []
    for number in range(300):
        kind = random.randrange(5)
        calls.append(
            [
                adds(number),
                {"sender": SENDERS[1], "to": REVERTS},
                {"sender": SENDERS[2], "to": None, "data": assemble("PUSH1 7 PUSH0 MSTORE8 PUSH1 1 PUSH0 RETURN")},
                {"sender": SENDERS[3], "to": SENDERS[4], "value": number},
                adds(number, gas=10),
            ][kind]
        )
    made = simulate_many(state, HEADER, calls, workers=2)
    assert len(made) == len(calls)
    rows = made.rows
    for index, message in enumerate(calls):
        want = call(state, HEADER, **message)
        assert (made.outcome(index), made.output(index)) == (want.outcome, want.output)
        row = rows[index]
        assert (row["gas_used"], row["gas_refund"], row["log_count"]) == (
            want.gas_used,
            want.gas_refund,
            len(want.logs),
        )
        assert (row["contract"].tobytes() if row["has_contract"] else None) == want.contract_address
    assert state.root() == before


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_it_does_not_depend_on_the_workers(workers):
    state = state_of()
    calls = [adds(number) for number in range(200)]
    assert simulate_many(state, HEADER, calls, workers=workers, slots=[(COUNTER, 0)]) == simulate_many(
        state, HEADER, calls, workers=1, slots=[(COUNTER, 0)]
    )


def test_wanted_balances_and_slots_are_told():
    calls = [adds(5), adds(6, value=9), {"sender": SENDERS[0], "to": REVERTS, "value": 4}]
    made = simulate_many(state_of(), HEADER, calls, balances=[COUNTER, SENDERS[0]], slots=[(COUNTER, 0), (COUNTER, 1)])
    assert [made.slot(index, COUNTER, 0) for index in range(3)] == [105, 106, 100]
    assert [made.slot(index, COUNTER, 1) for index in range(3)] == [0, 0, 0]
    assert [made.balance(index, COUNTER) for index in range(3)] == [0, 9, 0]
    assert [made.balance(index, SENDERS[0]) for index in range(3)] == [10**18, 10**18 - 9, 10**18]
    assert made.values.shape == (3, 4, 32)
    assert made.values.dtype == np.uint8


def test_transactions_are_validated_and_paid_for():
    state = state_of()

    def payment(key, **members):
        given = {
            "to": COUNTER,
            "data": (1).to_bytes(32, "big"),
            "gas_limit": 100_000,
            "max_fee_per_gas": 9,
            "chain_id": 1,
        }
        return Transaction(**{**given, "max_priority_fee_per_gas": 2, **members}).sign(key)

    given = [payment(KEYS[0]), payment(KEYS[1], nonce=3), payment(KEYS[2], gas_limit=25_000)]
    made = simulate_many(state, HEADER, transactions=given, balances=[SENDERS[0], COINBASE], slots=[(COUNTER, 0)])
    other = state.copy()
    receipt = transact(given[0], other, HEADER)
    assert (made.rows[0]["gas_used"], made.output(0)) == (receipt.gas_used, receipt.output)
    assert made.balance(0, SENDERS[0]) == other.get_balance(SENDERS[0])
    assert made.balance(0, COINBASE) == other.get_balance(COINBASE) == 3 + 2 * receipt.gas_used
    assert [made.outcome(index) for index in range(3)] == ["SUCCESS", "NONCE_TOO_HIGH", "OUT_OF_GAS"]
    assert [made.slot(index, COUNTER, 0) for index in range(3)] == [101, 100, 100]


@pytest.mark.parametrize("workers", [1, 2])
def test_those_of_a_bundle_see_each_other_and_no_other_bundle(workers):
    state = state_of()
    bundles = [
        [adds(1), adds(2), adds(3)],
        [adds(10)],
        [],
        [adds(20), {"sender": SENDERS[1], "to": REVERTS}, adds(30)],
    ] * 20
    made = simulate_many(state, HEADER, bundles=bundles, workers=workers, slots=[(COUNTER, 0)])
    assert [made.slot(index, COUNTER, 0) for index in range(7)] == [101, 103, 106, 110, 120, 120, 150]
    assert made.rows["bundle"][:7].tolist() == [0, 0, 0, 1, 3, 3, 3]
    assert len(made) == 140
    assert made.slot(-1, COUNTER, 0) == 150
    assert state.get_storage(COUNTER, 0) == 100


def test_transactions_of_a_bundle_follow_each_other():
    given = [
        Transaction(nonce=nonce, to=COUNTER, gas_limit=100_000, max_fee_per_gas=9, chain_id=1).sign(KEYS[0])
        for nonce in (0, 1, 1)
    ]
    made = simulate_many(state_of(), HEADER, bundles=[given, given[1:]])
    assert [made.outcome(index) for index in range(5)] == [
        "SUCCESS",
        "SUCCESS",
        "NONCE_TOO_LOW",
        "NONCE_TOO_HIGH",
        "NONCE_TOO_HIGH",
    ]


def test_who_can_not_pay_has_that_as_outcome():
    made = simulate_many(state_of(), HEADER, [{"sender": b"\xee" * 20, "to": COUNTER, "value": 1}])
    assert made.outcome(0) == "INSUFFICIENT_FUNDS"
    assert made.rows[0]["gas_used"] == 0


def test_what_a_state_lacks_is_fetched_or_raised():
    whole = state_of()
    asked = []

    def source(keys):
        asked.append(len(keys))
        return {
            (address, slot): whole.get_account(address) if slot is None else whole.get_storage(address, slot)
            for address, slot in keys
        }

    calls = [adds(number, sender=SENDERS[number % 8]) for number in range(50)]
    want = simulate_many(whole, HEADER, calls, balances=[COINBASE])
    assert simulate_many(State(source=source), HEADER, calls, balances=[COINBASE]) == want
    assert len(asked) < 10
    with pytest.raises(MissingState):
        simulate_many(State(strict=True), HEADER, calls)
    asks = State({COUNTER: Account(code=assemble("PUSH1 4 BLOCKHASH"))})
    with pytest.raises(MissingBlockHash):
        simulate_many(asks, HEADER, [{"to": COUNTER}])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, TypeError),
        ({"calls": [], "bundles": []}, TypeError),
        ({"calls": [5]}, TypeError),
        ({"calls": [{"nonsense": 1}]}, TypeError),
        ({"calls": [{"to": "0x12"}]}, ValueError),
        ({"calls": [{"value": -1}]}, (ValueError, OverflowError)),
        ({"calls": [{"gas": "x"}]}, (TypeError, ValueError)),
        ({"calls": 5}, TypeError),
        ({"bundles": [5]}, TypeError),
        ({"calls": [], "workers": 0}, ValueError),
        ({"calls": [], "balances": ["0x1"]}, ValueError),
        ({"calls": [], "slots": [(COUNTER, -1)]}, (ValueError, OverflowError)),
    ],
)
def test_what_is_no_call_is_refused(arguments, error):
    with pytest.raises(error):
        simulate_many(state_of(), HEADER, **arguments)


def test_none_at_all_have_no_answers():
    made = simulate_many(state_of(), HEADER, [])
    assert (len(made), made.rows.tolist(), made.outputs) == (0, [], b"")
    with pytest.raises(IndexError):
        made.outcome(0)


def test_what_meets_a_limit_leaves_wanted_values_as_they_were():
    state = state_of()
    pay = {"sender": SENDERS[1], "to": SENDERS[4], "value": 77}
    grows = assemble("PUSH1 9 PUSH0 SSTORE PUSH1 1 PUSH8 0x200000000 MSTORE")
    limit = {"sender": SENDERS[0], "to": None, "data": grows, "gas": 2**62}
    for asked, paid in (({"calls": [pay, limit, pay]}, (77, 0, 77)), ({"bundles": [[pay, limit, pay]]}, (77, 77, 154))):
        made = simulate_many(state, HEADER, **asked, workers=1, balances=[SENDERS[4]], slots=[(COUNTER, 0)])
        assert [made.outcome(index) for index in range(3)] == ["SUCCESS", "MEMORY_LIMIT", "SUCCESS"]
        assert [made.balance(index, SENDERS[4]) - 10**18 for index in range(3)] == list(paid)
        assert [made.slot(index, COUNTER, 0) for index in range(3)] == [100] * 3


def test_a_value_that_was_not_asked_for_is_named():
    made = simulate_many(state_of(), HEADER, [adds(1)], balances=[COINBASE], slots=[(COUNTER, 0)])
    with pytest.raises(ValueError, match=f"balances: that of 0x{READER.hex()} was not asked for"):
        made.balance(0, READER)
    with pytest.raises(ValueError, match=f"slots: 1 of 0x{COUNTER.hex()} was not asked for"):
        made.slot(0, COUNTER, 1)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((None, HEADER, []), "state"),
        ((State(), None, []), "header: expected a Header, got NoneType"),
        ((State(), HEADER, 5), "calls: expected an iterable, got int"),
    ],
)
def test_what_is_no_simulation_is_named(given, text):
    with pytest.raises(TypeError, match=text):
        simulate_many(*given)


@pytest.mark.parametrize(
    "options", [{"balances": 5}, {"slots": [5]}, {"slots": 5}, {"transactions": 5}, {"bundles": 5}, {"bundles": [5]}]
)
def test_what_is_asked_for_in_another_form_is_named(options):
    [name] = options
    calls = None if name in ("transactions", "bundles") else []
    with pytest.raises(TypeError, match=name):
        simulate_many(State(), HEADER, calls, **options)


@pytest.mark.parametrize("workers", [1, 2])
def test_code_that_a_bundle_makes_runs_and_goes_with_it(workers):
    """Contracts made by one item and called by the next, made anew with each bundle; and one that makes another, calls it, and ends it."""
    state = state_of()
    runtime = assemble("PUSH1 7 PUSH0 MSTORE PUSH1 32 PUSH0 RETURN")
    init = bytes([0x60, len(runtime), 0x80, 0x60, 0x09, 0x5F, 0x39, 0x5F, 0xF3]) + runtime
    made = call(state, HEADER, sender=SENDERS[0], to=None, data=init).contract_address
    ends = assemble("PUSH0 SELFDESTRUCT")
    inner = bytes([0x60, len(ends), 0x80, 0x60, 0x09, 0x5F, 0x39, 0x5F, 0xF3]) + ends
    maker = assemble(
        f"PUSH{len(inner)} 0x{inner.hex()} PUSH0 MSTORE PUSH1 {len(inner)} PUSH1 {32 - len(inner)} PUSH0 CREATE "
        "PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 DUP6 GAS CALL PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 DUP7 GAS CALL ADD PUSH0 MSTORE PUSH1 32 PUSH0 RETURN"
    )
    state.set_account(REVERTS, Account(code=maker, is_storage_complete=True))
    bundle = [
        {"sender": SENDERS[0], "to": made},
        {"sender": SENDERS[0], "to": None, "data": init},
        {"sender": SENDERS[1], "to": made},
        {"sender": SENDERS[1], "to": REVERTS},
        {"sender": SENDERS[1], "to": REVERTS},
        {"sender": SENDERS[2], "to": made},
    ]
    answers = simulate_many(state, HEADER, bundles=[bundle] * 60, workers=workers)
    outputs = [int.from_bytes(answers.output(index), "big") for index in range(6)]
    assert [outputs[0], *outputs[2:]] == [0, 7, 2, 2, 7]
    assert all(answers.output(index) == answers.output(index % 6) for index in range(360))
    assert {answers.outcome(index) for index in range(360)} == {"SUCCESS"}
    assert state.get_code(made) == b""
