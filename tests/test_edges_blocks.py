"""Headers, blocks and their parts made with nonsense, changed, copied, pickled and shown."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import ALICE, BOB, header
from test_edges_values import ALL, LyingBytes, LyingInt, LyingText

from evmcore import (
    Account,
    Block,
    BlockHashes,
    CallResult,
    EvmError,
    Expected,
    Header,
    InvalidTransaction,
    Receipt,
    State,
    Transaction,
    UnusableInput,
    Withdrawal,
    execute_block,
    run,
    transact,
)
from evmcore._core import SYSTEM_ADDRESSES
from evmcore.accesses import ACCOUNT_DTYPE, SLOT_DTYPE, Accesses
from evmcore.example.generate import make_block


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"fork": "Nope"}, "header.fork: unknown fork 'Nope'"), ({"fork": None}, "header.fork: None"), ({"fork": 5}, "header.fork: 5"),
        ({"number": None}, "header.number: None"), ({"number": "5"}, "header.number: '5'"), ({"number": True}, "header.number: True"),
        ({"number": 1.0}, "header.number: 1.0"), ({"timestamp": 1 << 10**5}, "header.timestamp: a number of 100001 bits"),
        ({"number": LyingInt(-1)}, "header.number: -1"), ({"number": LyingInt(2**64)}, "header.number: a number of 65 bits"),
        ({"coinbase": None}, "header.coinbase: None"), ({"coinbase": LyingBytes(b"x")}, "header.coinbase: has 1 bytes"),
        ({"mix_hash": memoryview(np.zeros(8, "u4"))}, "header.mix_hash: "), ({"extra_data": [1]}, r"header.extra_data: \[1\]"),
        ({"block_hashes": None}, "header.block_hashes: None"), ({"block_hashes": [1]}, "header.block_hashes: a list is not a mapping"),
        ({"blob_schedule": 5}, "header.blob_schedule: 5"), ({"blob_schedule": (1, 2)}, r"header.blob_schedule: \(1, 2\)"),
        ({"blob_schedule": (1, -2, 3)}, "header.blob_schedule: -2"), ({"blob_schedule": (1, 2, None)}, "header.blob_schedule: None"),
        ({"chain_id": None}, "header.chain_id: None"), ({"coinbase": "0x1"}, "header.coinbase: '1' has 1 hexadecimal digits, an odd number"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, str) else "",
)  # fmt: skip
def test_a_header_of_nonsense_is_refused_where_it_is_made(fields, says):
    with pytest.raises(UnusableInput, match=f"^{says}"):
        Header(**fields)


def test_a_header_holds_plain_values_whatever_they_were_made_of():
    made = Header(
        number=LyingInt(7), timestamp=np.int64(8), coinbase=LyingBytes(BOB), mix_hash=bytearray(32), nonce="0x" + "11" * 8,
        fork=LyingText("London"), blob_schedule=[LyingInt(1), 2, 3], extra_data=memoryview(b"extra")[::-1],
    )  # fmt: skip
    assert (made.number, made.timestamp, made.coinbase, made.extra_data) == (7, 8, BOB, b"artxe")
    assert made.blob_schedule == (1, 2, 3)
    assert {type(made.number), type(made.timestamp), type(made.blob_schedule[0])} == {int}
    assert {type(made.coinbase), type(made.mix_hash), type(made.extra_data)} == {bytes}
    assert Header.decode(bytearray(made.encode())).hash == Header.decode("0x" + made.encode().hex()).hash == made.hash
    given = Withdrawal(LyingInt(1), np.uint8(2), LyingBytes(BOB), 3)
    assert (given.index, given.validator_index, given.address) == (1, 2, BOB)
    assert {type(given.index), type(given.validator_index)} == {int}


NONSENSE = {
    "header": (None, 5, "header", SimpleNamespace(number=1)),
    "transactions": (None, 5, [None], [ALL[0], 5], [ALL[0].raw]),
    "ommers": (None, 5, [None], ["x"]),
    "withdrawals": (5, [None], [(1, 2, BOB, 3)]),
    "pre_state": (5, {}, "state"),
    "expected": (5, {}),
}


@pytest.mark.parametrize("part", NONSENSE)
def test_a_part_of_a_block_that_is_none_is_refused_when_it_is_made_and_when_it_is_changed(part):
    block = Block(header())
    before = getattr(block, part)
    for wrong in NONSENSE[part]:
        with pytest.raises(UnusableInput, match=rf"^block\.{part}(\[\d\])?: "):
            Block(**{"header": header(), part: wrong})
        with pytest.raises(UnusableInput, match=rf"^block\.{part}(\[\d\])?: "):
            setattr(block, part, wrong)
        assert getattr(block, part) is before
    with pytest.raises(UnusableInput, match=r"^block\.ommers\[0\]: "):
        block.ommers = [block]  # a block in itself would have no end


def test_what_is_no_block_is_not_executed():
    for wrong in (None, 5, {}, header()):
        with pytest.raises((AttributeError, TypeError, UnusableInput)):
            execute_block(wrong, State())


def test_a_header_whose_checks_were_passed_by_is_refused_by_name():
    for name, value in (("number", None), ("gas_limit", "x"), ("coinbase", 5), ("mix_hash", b""), ("fork", None), ("base_fee_per_gas", -1),
                        ("blob_schedule", (1,)), ("blob_schedule", 5), ("excess_blob_gas", 2**70), ("parent_hash", None),
                        ("block_hashes", {999: b"short"}), ("chain_id", "1")):  # fmt: skip
        wrong = header()
        object.__setattr__(wrong, name, value)
        state = State({ALICE: {"balance": 10**18}})
        before = state.root()
        for use in (
            lambda wrong=wrong, state=state: execute_block(Block(wrong), state),
            lambda wrong=wrong, state=state: transact(Transaction(to=BOB, sender=ALICE), state, wrong),
        ):
            with pytest.raises((ValueError, TypeError), match=name if name != "fork" else "unknown fork"):
                use()
            assert state.root() == before


def whole_block() -> Block:
    made = make_block()
    return Block(
        made.header, made.transactions, (Header(number=7),), made.withdrawals, made.pre_state, made.expected, False
    )


def test_blocks_and_their_parts_are_copied_and_pickled_whole():
    block = whole_block()
    receipts = execute_block(make_block(), make_block().pre_state).receipts
    values = [block, block.header, block.withdrawals[0], block.expected, receipts[50], Account(1, 2, b"c", {1: 2}), run("00"),
              Header(block_hashes=BlockHashes({1: bytes(32)}))]  # fmt: skip
    for value in values:
        copies = [copy.copy(value), copy.deepcopy(value)]
        copies += [pickle.loads(pickle.dumps(value, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]
        for other in copies:
            assert type(other) is type(value)
            assert other == value
    other = pickle.loads(pickle.dumps(block))
    assert [tx.sender for tx in other.transactions] == [tx.sender for tx in block.transactions]
    assert other.encode() == block.encode()
    assert other.pre_state is not block.pre_state
    assert other.pre_state.root() == block.pre_state.root()
    assert pickle.loads(pickle.dumps(values[-1])).block_hashes[1] == bytes(32)


def test_a_forged_pickle_of_a_header_or_block_is_checked():
    restore, (kind, values) = header().__reduce__()
    with pytest.raises(UnusableInput, match=r"header\.number"):
        restore(kind, {**values, "number": -1})
    with pytest.raises(UnusableInput, match=r"header\.fork"):
        restore(kind, {**values, "fork": "Nope"})
    kind, parts = Block(header()).__reduce__()
    with pytest.raises(UnusableInput, match=r"block\.header"):
        kind(None, *parts[1:])
    kind, parts = Withdrawal(1, 2, BOB, 3).__reduce__()
    with pytest.raises(UnusableInput, match=r"withdrawal\.index"):
        kind(-1, *parts[1:])


def test_values_are_shown_in_a_line_without_what_is_as_by_default():
    assert repr(Header(number=5)) == "Header(number=5)"
    assert repr(Header(coinbase=BOB, fork="London")) == f"Header(coinbase=0x{BOB.hex()}, fork='London')"
    assert repr(Account(5)) == "Account(balance=5)"
    assert (
        repr(Account(code=bytes(1000), storage={1: 2, 3: 4}))
        == f"Account(code=0x{'00' * 32}… (1000 bytes), storage=<2 items>)"
    )
    assert repr(ALL[0]) == f"<Transaction 0x{ALL[0].hash.hex()} type 0 nonce 0 to 0x{BOB.hex()}>"
    assert "a creation" in repr(ALL[1])
    assert f"from 0x{ALICE.hex()}" in repr(Transaction(sender=ALICE))
    block = make_block()
    receipts = execute_block(block, block.pre_state.copy()).receipts
    result = run("6001600055")
    assert isinstance(result, CallResult)
    assert isinstance(receipts[0], Receipt)
    for value in (block, *receipts, result, whole_block(), Expected()):
        assert "\n" not in repr(value)
        assert len(repr(value)) < 600
        assert "\\x" not in repr(value)
    assert repr(block).startswith(
        f"<Block 1000000 Osaka 0x{block.hash.hex()}: 99 transactions, 0 ommers, 4 withdrawals"
    )


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"accounts": None}, "accesses.accounts: None"),
        ({"accounts": np.zeros(3, "u1")}, "accesses.accounts: "),
        ({"slots": np.zeros((2, 2), SLOT_DTYPE)}, "accesses.slots: "),
        ({"transactions": np.zeros(99, ACCOUNT_DTYPE)}, "accesses.transactions: "),
        ({"codes": 5}, "accesses.codes: 5"),
        ({"codes": b"code"}, "accesses.codes: "),
        ({"codes": [None]}, r"accesses.codes: \[None\]"),
    ],
)
def test_accesses_of_another_form_are_refused(parts, says):
    with pytest.raises(UnusableInput, match=f"^{says}"):
        Accesses(**parts)
    accesses = Accesses()
    for name, value in parts.items():
        setattr(accesses, name, value)
    block = make_block()
    root = block.pre_state.root()
    with pytest.raises(UnusableInput, match=f"^{says}"):
        execute_block(block, block.pre_state, accesses=accesses, strategy="recorded")
    assert block.pre_state.root() == root


def test_accesses_with_any_bytes_in_their_rows_differ_or_are_unusable():
    random = np.random.default_rng(7)
    block = make_block()
    recorded = execute_block(block, block.pre_state.copy(), record=True).accesses
    expected = execute_block(block, block.pre_state.copy())
    for turn in range(30):
        changed = copy.deepcopy(recorded)
        for name in ("transactions", "accounts", "slots"):
            rows = bytearray(getattr(changed, name).tobytes())
            for _ in range(turn):
                rows[random.integers(len(rows))] = random.integers(256)
            setattr(changed, name, np.frombuffer(rows, getattr(changed, name).dtype))
        try:
            result = execute_block(block, block.pre_state.copy(), accesses=changed, workers=2)
        except UnusableInput:
            continue
        assert result == expected


def test_costs_beyond_256_bits_are_told_as_they_are():
    """`want` was the product modulo 2**256."""
    state = State({ALICE: {"balance": 7}})
    for fields, status in (
        ({"gas_price": 2**255, "gas_limit": 21_000}, "GASLIMIT_PRICE_OVERFLOW"),
        ({"gas_price": 1, "value": 2**256 - 1}, "INSUFFICIENT_FUNDS"),
        (
            {"type": 3, "max_fee_per_gas": 1, "max_fee_per_blob_gas": 2**250, "blob_versioned_hashes": [b"\1" * 32]},
            "INSUFFICIENT_FUNDS",
        ),
        ({"gas_price": 1, "value": 5}, "INSUFFICIENT_FUNDS"),
    ):
        tx = Transaction(to=BOB, sender=ALICE, **fields)
        most = (
            tx.max_fee_per_gas * tx.gas_limit
            + tx.value
            + tx.max_fee_per_blob_gas * 131_072 * len(tx.blob_versioned_hashes)
        )
        for use in (
            lambda tx=tx: transact(tx, state, header(base_fee_per_gas=0)),
            lambda tx=tx: execute_block(Block(header(base_fee_per_gas=0), [tx], withdrawals=()), state),
        ):
            with pytest.raises(InvalidTransaction, match=f"account has 7 wei, transaction may cost {most}$") as caught:
                use()
            assert (caught.value.status, caught.value.have, caught.value.want) == (status, 7, most)


@pytest.mark.parametrize("excess", [2**40, 2**64 - 1])
def test_an_excess_without_a_price_is_an_error_of_evmcore_s(excess):
    with pytest.raises(UnusableInput, match=f"excess_blob_gas: {excess} makes a blob base fee of"):
        execute_block(Block(header(excess_blob_gas=excess)), State())


@pytest.mark.parametrize("state_roots", [True, False])
def test_receipts_before_byzantium_have_no_status(state_roots):
    block = Block(
        header(fork="Homestead", base_fee_per_gas=None, excess_blob_gas=None), [Transaction(to=BOB, sender=ALICE)]
    )
    [receipt] = execute_block(block, State({ALICE: {"balance": 1}}), state_roots=state_roots).receipts
    assert receipt.status is None
    assert receipt.is_success
    assert (receipt.state_root is not None) == state_roots


@pytest.mark.parametrize("fork", ["Frontier", "London", "Prague"])
@pytest.mark.parametrize("record", [False, True])
def test_a_result_is_pickled_whole_and_without_its_state(fork, record):
    """With what was never asked for, and as it was, whatever has become of the state."""
    state = State({ALICE: {"balance": 10**20}, BOB: {"code": b"\x60\x01\x60\x00\x55\x60\x00\x60\x00\xa0"}})
    for name in ("withdrawal_contract", "consolidation_contract"):
        state.set_code(SYSTEM_ADDRESSES[name], b"\0")
    paid = (Withdrawal(0, 1, BOB, 5),) if fork == "Prague" else None
    sent = [Transaction(to=BOB, sender=ALICE, nonce=n, gas_limit=100_000, gas_price=10) for n in range(3)]
    block = Block(header(fork=fork), sent, (), paid)
    result, untouched = (
        execute_block(block, state.copy(), record=record, state_roots=fork != "Frontier" or not record) for _ in "12"
    )
    wanted = pickle.dumps(result)
    after = state.copy()
    late = execute_block(block, after, record=record, state_roots=fork != "Frontier" or not record)
    after.set_balance(BOB, 1)
    copies = [pickle.loads(pickle.dumps(late, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]
    for one in [
        *copies,
        pickle.loads(wanted),
        copy.copy(result),
        copy.deepcopy(result),
        pickle.loads(pickle.dumps(copies[0])),
    ]:
        assert one == untouched
        assert one.differences(untouched) == []
        assert one.receipts == untouched.receipts
        assert (one.accesses is None) == (not record)
        assert one.accesses == untouched.accesses
        assert one.statistics.gas_used == untouched.statistics.gas_used
        assert repr(one) == repr(untouched)
        for make in (one._make_receipts, one._make_list_roots, one._make_state_root):
            with pytest.raises(EvmError, match="was pickled"):
                make()
    assert len(pickle.dumps(copies[0])) < 20_000


def test_a_forged_pickle_of_a_result_is_refused():
    restore, (made, statistics) = execute_block(make_block(), make_block().pre_state).__reduce__()
    for wrong in (
        ({}, {}),
        (made, None),
        (made, {}),
        (made, {**statistics, "more": 1}),
        (None, {}),
        ({**made, "more": 1}, {}),
        (made.keys(), statistics),
    ):
        with pytest.raises(TypeError, match="pickled BlockResult|BlockStatistics"):
            restore(*wrong)
