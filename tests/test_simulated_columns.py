"""Calls as columns: the answers are those of the same calls as dicts, in whatever form an array has them; what is no column is refused."""

import os
import re

import numpy as np
import pytest

from evmcore import Account, EvmError, Header, State, assemble, simulate_many

SENDERS = [bytes([number]) * 20 for number in (0xA0, 0xA1, 0x00)]
COUNTER, OTHER = b"\x11" * 20, b"\x22" * 20
HEADER = Header(number=5, base_fee_per_gas=0, excess_blob_gas=0, fork="Cancun")
# Adds its input to slot 0, and returns the sum, the value and the price of gas.
CODE = assemble(
    "PUSH0 CALLDATALOAD PUSH0 SLOAD ADD DUP1 PUSH0 SSTORE PUSH0 MSTORE CALLVALUE PUSH1 32 MSTORE GASPRICE PUSH1 64 MSTORE "
    "PUSH1 96 PUSH0 RETURN"
)
COUNT = 60


def state():
    accounts = {sender: Account(balance=2**200) for sender in SENDERS}
    return State({**accounts, COUNTER: Account(code=CODE, storage={0: 7}), OTHER: Account(code=CODE)})


def calls(**members):
    """The dicts that stand beside the columns."""
    every = {
        "sender": [SENDERS[i % 3] for i in range(COUNT)],
        "to": [(COUNTER, OTHER)[i % 2] for i in range(COUNT)],
        "data": [i.to_bytes(32, "big") for i in range(COUNT)],
        "value": [i * i for i in range(COUNT)],
        "gas": [50_000 + 1_000 * (i % 4) for i in range(COUNT)],
    }
    for name, value in members.items():
        every[name] = value if isinstance(value, list) else [value] * COUNT
    every = {name: value for name, value in every.items() if value[0] is not None}
    return every, [dict(zip(every, row)) for row in zip(*every.values())]


def raw(rows):
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)


def same(columns, given, **options):
    want = simulate_many(state(), HEADER, given, workers=1, slots=[(COUNTER, 0)], **options)
    for workers in (1, 2):
        made = simulate_many(state(), HEADER, columns, workers=workers, slots=[(COUNTER, 0)], **options)
        assert made == want
        assert (made.rows == want.rows).all()
    return want


def test_a_record_array_is_as_good_as_dicts():
    every, given = calls()
    form = [("sender", "V20"), ("to", "S20"), ("data", "u1", (32,)), ("value", "<u8"), ("gas", "<u4")]
    records = np.zeros(COUNT, form)
    for name in ("sender", "to"):
        records[name] = np.frombuffer(b"".join(every[name]), records.dtype[name])
    records["data"], records["value"], records["gas"] = raw(every["data"]), every["value"], every["gas"]
    made = same(records, given)
    assert {made.outcome(index) for index in range(COUNT)} == {"SUCCESS"}
    same(records[::-1], given[::-1])
    same(records[5:50:3], given[5:50:3])
    same(records.view(np.recarray), given)


@pytest.mark.parametrize(
    ("members", "columns"),
    [
        ({"sender": SENDERS[0]}, {"sender": SENDERS[0]}),
        ({"to": COUNTER}, {"to": "0x" + COUNTER.hex()}),
        ({"value": 2**70}, {"value": 2**70}),
        ({"value": 3}, {"value": np.array([3] * COUNT, ">i2")}),
        ({"value": 3}, {"value": np.array([3] * COUNT, object)}),
        ({"value": 3}, {"value": np.uint8(3)}),
        ({"value": [2**90 + i for i in range(COUNT)]}, {"value": [2**90 + i for i in range(COUNT)]}),
        ({"value": 2**90}, {"value": raw([(2**90).to_bytes(32, "big")] * COUNT)}),
        ({"gas": None}, {"gas": None}),
        ({"gas": 2**63 - 1}, {"gas": np.array([2**64 - 1] * COUNT, np.uint64)}),
        ({"gas_price": 9}, {"gas_price": 9}),
        ({"gas_price": [2**80] * COUNT}, {"gas_price": [2**80] * COUNT}),
        ({"data": b"\1\2"}, {"data": "0x0102"}),
        ({"data": b""}, {"data": np.zeros((COUNT, 0), np.uint8)}),
        ({"data": b"\1\2\3"}, {"data": memoryview(b"\1\2\3")}),
        ({"to": COUNTER}, {"to": memoryview(COUNTER)}),
        ({"data": [bytes(i) for i in range(COUNT)]}, {"data": [bytes(i) for i in range(COUNT)]}),
        ({"data": None}, {}),
        ({"data": b"\5\6\7", "to": None}, {"data": b"\5\6\7", "to": None}),
        ({"data": [b"ab", b"bc", b"c"] * (COUNT // 3)}, {"data": b"abc", "data_begin": [0, 1, 2] * (COUNT // 3), "data_size": [2, 2, 1] * (COUNT // 3)}),
    ],
    ids=lambda value: " ".join(value),
)  # fmt: skip
def test_each_form_of_a_column_is_read(members, columns):
    every, given = calls(**members)
    whole = {name: every.get(name) for name in ("sender", "value", "gas")}
    whole["to"] = tuple(every["to"]) if "to" in every else None
    if members.get("data", b"") is not None and "data" not in columns:
        columns = {"data": every["data"], **columns}
    same({**whole, **columns}, given)


def test_an_array_of_dicts_is_no_record_array():
    _, given = calls()
    same(np.array(given, object), given)


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"sender": SENDERS[0]}, "no column says how many"),
        ({}, "no column says how many"),
        ({"nonce": [1]}, "a message has no 'nonce'"),
        ({"value": [1, 2], "gas": [1]}, "gas: 1 values, value has 2"),
        ({"value": [-1]}, "value: -1 is negative"),
        ({"value": np.array([4, -7])}, "value: -7 is negative"),
        ({"value": [2**256]}, "257 bits"),
        ({"value": [1.5]}, "value: 1.5 is not a number"),
        ({"value": np.array([1.5])}, "value: expected 32 bytes for each call"),
        ({"value": np.zeros((2, 31), np.uint8)}, r"value: expected 32 bytes for each call, got an array of \(2, 31\)"),
        ({"value": [True]}, "True is not a number"),
        ({"gas": [2**64]}, "gas: a number of more than 64 bits"),
        ({"to": np.zeros((2, 19), np.uint8)}, "to: expected 20 bytes"),
        ({"to": [b"\1" * 19]}, "to: has 19 bytes, wants 20"),
        ({"to": np.zeros((2, 2, 20), np.uint8)}, "to: expected 20 bytes"),
        ({"sender": np.zeros(20, np.uint8)}, "sender: expected 20 bytes"),
        ({"data": np.zeros(3)}, "data: expected bytes"),
        ({"data": [5]}, "data: 5 is not bytes"),
        ({"data": b"abc", "data_size": [1]}, "data_begin and data_size go together"),
        ({"data": b"abc", "data_begin": [0, 3], "data_size": [3, 1]}, "data: 1 bytes from 3 on, of call 1, in 3"),
        ({"data": b"abc", "data_begin": [2**64 - 1], "data_size": [2]}, "of call 0, in 3"),
        ({"data": [b"abc"], "data_begin": [1], "data_size": [1]}, "data_begin: for data that is bytes, and data is list"),
        ({"data_begin": [1], "data_size": [1], "data": (b"abc",)}, "data_begin: for data that is bytes, and data is tuple"),
        ({"value": memoryview(b"abc")}, "no column says how many"),
        ({"gas": [1], "value": memoryview(b"abc")}, "value: .* is not a number"),
        ({"data_begin": [0], "data_size": [0]}, "data: with data_begin and data_size it is bytes"),
        ({"data": np.zeros((1, 4), np.uint8), "data_begin": [0], "data_size": [0]}, "data: with data_begin"),
        (np.zeros((2, 2), [("gas", "u8")]), "calls: an array of 2 dimensions"),
        (np.zeros(2, [("gas", "u8", (3,))]), "gas: expected 32 bytes"),
    ],
    ids=lambda given: re.sub("0x[0-9a-f]+", "", str(given)),  # without addresses of objects, which differ from process to process
)  # fmt: skip
def test_what_is_no_column_is_refused(columns, text):
    with pytest.raises((TypeError, ValueError), match=text):
        simulate_many(state(), HEADER, columns)


def test_columns_of_no_calls_have_no_answers():
    assert len(simulate_many(state(), HEADER, {"gas": np.zeros(0, np.uint64)})) == 0
    assert len(simulate_many(state(), HEADER, {"data": [], "sender": SENDERS[0]})) == 0


def test_what_a_lazy_state_lacks_is_fetched_for_columns():
    whole = state()
    lazy = State(source=lambda keys: {
        (address, slot): whole.get_account(address) if slot is None else whole.get_storage(address, slot) for address, slot in keys
    })  # fmt: skip
    every, given = calls()
    assert simulate_many(lazy, HEADER, every, workers=2) == simulate_many(whole, HEADER, given, workers=1)


class Asked:
    """A number that does something when it is asked what it is."""

    def __init__(self, act):
        self.act = act

    def __index__(self):
        return self.act()


def fails():
    raise KeyError("asked")


def test_an_error_while_others_execute_leaves_nothing_at_work():
    _, given = calls()
    given = given * 20
    for place in (0, 700, len(given) - 1):
        bad = [*given[:place], {**given[place], "value": Asked(fails)}, *given[place + 1 :]]
        with pytest.raises(KeyError, match="asked"):
            simulate_many(state(), HEADER, bad, workers=2)
        with pytest.raises(TypeError, match="expected a dict or a Transaction"):
            simulate_many(state(), HEADER, [*given[:place], None, *given[place:]], workers=2)
    assert simulate_many(state(), HEADER, given, workers=2) == simulate_many(state(), HEADER, given, workers=1)


def test_calls_that_simulate_while_they_are_read_are_read():
    _, given = calls()
    world = state()

    def simulates():
        return len(simulate_many(world, HEADER, given, workers=2))

    def writes():
        world.set_storage(COUNTER, 0, 1_000)  # the what-ifs are of the state as it was
        return 60

    asks = [*given, {**given[0], "value": Asked(simulates)}, {**given[0], "value": Asked(writes)}, *given]
    plain = [*given, {**given[0], "value": 60}, {**given[0], "value": 60}, *given]
    assert simulate_many(world, HEADER, asks, workers=2) == simulate_many(state(), HEADER, plain, workers=1)


def test_a_dict_that_loses_its_address_while_it_is_read_is_read_as_it_was():
    """Addresses that come again as the same object are taken as known: only where that object can't change."""
    changing = bytearray(COUNTER)

    def changes():
        changing[:] = OTHER
        return 0

    _, given = calls()
    given = [
        {**given[1], "to": changing, "sender": "0x" + SENDERS[0].hex()},
        {**given[1], "value": Asked(changes), "to": COUNTER},
        {**given[1], "to": changing},
    ]
    want = [{**given[0], "to": COUNTER}, {**given[1], "value": 0}, {**given[2], "to": OTHER}]
    assert simulate_many(state(), HEADER, given) == simulate_many(state(), HEADER, want)


def test_masked_arrays_are_refused():
    """Their values were read, those under the mask as well."""
    plain, _ = calls()
    masked = np.ma.array(plain["value"], mask=[place % 2 for place in range(COUNT)])
    with pytest.raises(TypeError, match="value: expected an array without a mask, got MaskedArray"):
        simulate_many(state(), HEADER, {**plain, "value": masked})


def test_values_that_simulate_again_end_in_a_recursion_error():
    depths = []

    def again():
        depths.append(None)
        simulate_many(state(), HEADER, [{**given[1][0], "value": Asked(again)}])

    given = calls()
    with pytest.raises(RecursionError, match="deep"):
        again()
    assert len(depths) < 70


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_that_a_value_forks_off_gets_no_answers():
    """What the parent's other workers had claimed was missing in the child's, and what lay in that memory came instead."""
    child = None

    def forks():
        nonlocal child
        child = os.fork()
        return 0

    _, given = calls()
    try:
        simulate_many(state(), HEADER, [*given * 20, {**given[0], "value": Asked(forks)}], workers=2)
    except EvmError as error:
        if child == 0:
            os._exit(0 if "was forked" in str(error) else 1)
        raise
    if child == 0:
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
