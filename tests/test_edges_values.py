"""Values from Python that aren't what they say: what is used is what was checked, or there is an error that names it."""

from __future__ import annotations

import copy
import itertools
import pickle
from functools import partial

import numpy as np
import pytest
from helpers import ALICE, BOB, header

from evmcore import (
    Block,
    DecodeError,
    State,
    Transaction,
    _core,
    assemble,
    execute_block,
    fork_index,
    fork_name,
    keccak256,
    ordered_trie_root,
    recover_senders,
    run,
)


class LyingInt(int):
    """An int whose every method says something else."""

    def to_bytes(self, *_, **__):
        return b""

    def bit_length(self):
        return 0

    def _lie(self, *_):
        return 0

    __index__ = __int__ = __rshift__ = __and__ = __neg__ = __pos__ = __abs__ = __hash__ = _lie

    def __lt__(self, _other):
        return False

    __gt__ = __le__ = __ge__ = __eq__ = __lt__


class LyingBytes(bytes):
    """Bytes that claim another length, other items and another form."""

    def __len__(self):
        return 1000

    def __bytes__(self):
        return b"other"

    def __getitem__(self, _key):
        return 0

    def __eq__(self, _other):
        return True

    __hash__ = bytes.__hash__


class LyingText(str):
    """A string that claims to be another."""

    def __getitem__(self, _key):
        return "0x"

    def __len__(self):
        return 1000

    def startswith(self, *_):
        return True


class LongList(list):
    """A list that says it is longer than it is."""

    def __len__(self):
        return 300


class ShortList(list):
    """A list that says it is empty."""

    def __len__(self):
        return 0


class Number:
    """Something with a number in it."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize("value", [0, 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**200, 2**255, 2**256 - 1])
def test_numbers_of_any_size_arrive_whole_also_those_of_a_subclass_that_lies(value):
    state = State()
    for given in (value, LyingInt(value), Number(value), hex(value), str(value)):
        state.set_balance(ALICE, given)
        assert state.get_balance(ALICE) == value
        state.set_storage(ALICE, given, given)
        assert state.get_storage(ALICE, value) == value
        state = State({ALICE: {"balance": given, "storage": {given: given}}})
        assert (state.get_balance(ALICE), state.get_storage(ALICE, value)) == (value, value)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (-1, "-1 is negative"), (LyingInt(-1), "-1 is negative"), (-(2**300), "negative"), (2**256, "257 bits"),
        (LyingInt(2**256), "257 bits"), (1 << 10**6, "1000001 bits"), (-(1 << 10**6), "1000001 bits"), (True, "bool"),
        (np.bool_(True), "bool"), (1.0, "float"), (np.float64(1), "float"), (b"\1", "bytes"), (None, "NoneType"),
        ("1_0", "not a number"), (" 1", "not a number"), ("٣", "not a number"), ("0x", "not a number"), ("\ud800", "not a number"),
        ("9" * 5000, "not a number"), ("0x" + "f" * 5000, "20000 bits"), (Number("x"), ""),
    ],
    ids=range(21),
)  # fmt: skip
def test_what_is_no_balance_is_named(value, says):
    state = State({ALICE: {"balance": 7}})
    with pytest.raises((ValueError, TypeError), match=says or None) as caught:
        state.set_balance(ALICE, value)
    assert len(str(caught.value)) < 200
    if says:
        assert str(caught.value).startswith("balance: ")
    assert state.get_balance(ALICE) == 7


def test_an_exception_of_an_index_goes_to_the_caller():
    with pytest.raises(ZeroDivisionError):
        State().set_balance(ALICE, Number(ZeroDivisionError()))


def test_numpy_s_integers_are_numbers():
    tx = Transaction(
        to=BOB, nonce=np.int64(3), value=np.uint8(5), gas_limit=np.uint64(2**64 - 1), gas_price=np.int32(1)
    )
    assert (tx.nonce, tx.value, tx.gas_limit, tx.gas_price) == (3, 5, 2**64 - 1, 1)
    with pytest.raises(ValueError, match=r"^nonce: -1 is negative"):
        Transaction(nonce=np.int64(-1))


@pytest.mark.parametrize("given", [-1, 2**31 - 1, 256, 2**64, 1.5, None, True])
def test_an_opcode_that_is_no_byte_is_named(given):
    """`base_gas` read beyond its table."""
    with pytest.raises((ValueError, TypeError), match=r"^opcode: "):
        _core.base_gas(given, "Osaka")


@pytest.mark.parametrize(
    "given",
    [True, -1, 10**30, LyingInt(2**40), LyingInt(-5), 1.0, None, [], "\ud800", "Osaka\0", b"Osaka"],
    ids=range(11),
)
def test_what_is_no_fork_is_named(given):
    for ask in (fork_index, fork_name, _core.fork_rules, lambda fork: _core.base_gas(1, fork)):
        with pytest.raises(ValueError, match="unknown fork"):
            ask(given)


def test_a_fork_s_number_of_a_subclass_is_the_number():
    assert fork_index(LyingInt(3)) == 3
    assert type(fork_index(LyingInt(3))) is int
    assert fork_index(np.int64(3)) == 3
    assert fork_index(LyingText("Osaka")) == fork_index("osaka")


@pytest.mark.parametrize("address", [-1, 0, 2**160, 2**300, 99, True, None, b"\1", 1.0])
def test_what_is_no_precompile_is_named(address):
    with pytest.raises((ValueError, TypeError), match=r"^(address: |no precompile 0x)"):
        _core.run_precompile(address, b"")


@pytest.mark.parametrize("gas", [-1, 2**63, 1.0, None])
def test_gas_of_a_precompile_is_named(gas):
    with pytest.raises((ValueError, TypeError), match=r"^gas: "):
        _core.run_precompile(4, b"", gas=gas)


@pytest.mark.parametrize("name", ["nothing", "", "\ud800", "ö", b"x", None, 5, _core.native_symbols()[0][0] + "\0"])
def test_a_native_symbol_that_is_none_is_named(name):
    with pytest.raises((ValueError, TypeError), match=r"name: expected a str|no native symbol"):
        _core.set_native_symbol(name, 0)
    with pytest.raises((ValueError, TypeError), match=r"^address: "):
        _core.set_native_symbol(_core.native_symbols()[0][0], -1)


# ---------------------------------------------------------------- bytes


@pytest.mark.parametrize(
    "given",
    [
        LyingBytes(BOB), bytearray(BOB), memoryview(BOB), memoryview(BOB[::-1])[::-1], memoryview(bytearray(40))[::2],
        "0x" + BOB.hex(), "0X" + BOB.hex().upper(), BOB.hex(), LyingText(BOB.hex()),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_twenty_bytes_of_any_kind_are_an_address(given):
    address = (
        bytes.fromhex(str(given).removeprefix("0x").removeprefix("0X"))
        if isinstance(given, str)
        else (bytes.__getitem__(given, slice(None)) if isinstance(given, bytes) else bytes(given))
    )
    state = State()
    state.set_account(given, {"balance": 5})
    assert state.get_balance(address) == state.get_balance(given) == 5
    tx = Transaction(to=given, sender=given, data=given, type=1, access_list=[(given, [])])
    assert (tx.to, tx.sender, tx.data, tx.access_list) == (address, address, address, ((address, ()),))
    assert type(tx.data) is bytes
    assert keccak256(given) == keccak256(address)
    assert ordered_trie_root([given]) == ordered_trie_root([address])
    assert run("0x00", given).is_success


def test_a_transaction_is_decoded_from_bytes_of_any_kind():
    tx = Transaction(type=2, to=BOB, nonce=1)
    for raw in (tx.raw, LyingBytes(tx.raw), bytearray(tx.raw), memoryview(tx.raw), "0x" + tx.raw.hex(), tx.raw.hex()):
        assert Transaction.decode(raw) == tx


RELEASED = memoryview(bytearray(20))
RELEASED.release()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (np.zeros(20, "u1"), "ndarray"), (memoryview(np.zeros(5, "u4")), "format 'I'"), (RELEASED, "released"), ([0] * 20, "list"),
        (LyingBytes(BOB[:19]), "got 19"), ("0x" + "1" * 39, "39 hexadecimal digits, an odd number"), ("0x" + "zz" * 20, "not hexadecimal"),
        ("0x" + "11 " * 20, "not hexadecimal"), ("\ud800" * 40, "not hexadecimal"), ("0x" + "١" * 40, "not hexadecimal"),
        ("0x" * 20, "not hexadecimal"), ("z" * 10**6, "not hexadecimal"), (None, "NoneType"), (5, "int"), (True, "bool"),
    ],
    ids=range(15),
)  # fmt: skip
def test_what_is_no_address_is_named(given, says):
    for ask in (State().get_balance, lambda address: State().set_code(address, b"")):
        with pytest.raises((ValueError, TypeError), match=says) as caught:
            ask(given)
        assert str(caught.value).startswith("address: ")
        assert len(str(caught.value)) < 200


# ---------------------------------------------------------------- sequences


def test_what_is_iterated_is_what_counts_not_what_len_says():
    for kind in (LongList, ShortList, tuple, iter, lambda items: (item for item in items)):
        keys = [1, "0x2", bytes(31) + b"\3", LyingBytes(bytes(31) + b"\4")]
        tx = Transaction(type=1, to=BOB, sender=ALICE, access_list=kind([(ALICE, kind(keys)), (BOB, kind([]))]))
        assert tx.access_list == ((ALICE, (1, 2, 3, 4)), (BOB, ()))
        assert Transaction.decode(tx.raw).access_list == tx.access_list
        tx = Transaction(type=3, to=BOB, blob_versioned_hashes=kind([b"\1" * 32]))
        assert tx.blob_versioned_hashes == (b"\1" * 32,)
        tx = Transaction(type=4, to=BOB, authorization_list=kind([kind([1, BOB, 2, 1, 3, 4])]))
        assert tx.authorization_list == ((1, BOB, 2, 1, 3, 4),)
        recover_senders(kind([Transaction(sender=ALICE)]))


def test_a_list_that_changes_while_it_is_read_is_read_once():
    keys = [1, 2, 3]

    class Emptying:
        def __index__(self):
            keys.clear()
            return 5

    keys[0] = Emptying()
    assert Transaction(type=1, access_list=[(BOB, keys)]).access_list == ((BOB, (5, 2, 3)),)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"access_list": 5}, "access_list: expected a sequence, got int"),
        ({"access_list": "0x12"}, "access_list: expected a sequence, got str"),
        ({"access_list": [5]}, "access_list: expected a sequence"),
        ({"access_list": [(BOB,)]}, "access_list: 1 values"),
        ({"access_list": [{"address": BOB}]}, "access_list: an entry has no 'storageKeys'"),
        ({"access_list": [(BOB, [bytes(31)])]}, "access_list: expected 32 bytes, got 31"),
        ({"access_list": [(BOB, itertools.repeat(1))]}, "access_list: more than"),
        ({"type": 3, "blob_versioned_hashes": [None]}, "blob_versioned_hashes: "),
        ({"authorization_list": [(1, BOB)]}, "authorization_list: 2 values"),
        ({"authorization_list": [(1, BOB, 0, 256, 1, 1)]}, "authorization_list: a y_parity of 256"),
        ({"to": Number(0)}, "to: expected 20 bytes"),
        ({"type": 9}, "transaction type 9 is not known"),
        ({"type": "2"}, "type: expected an int"),
        ({"type": 1, "v": 256}, "y_parity: .*256"),
        ({"type": 2, "y_parity": 2}, "y_parity: .*2"),
        ({"v": 29}, "v: .*29"),
    ],
)
def test_a_field_of_the_wrong_shape_is_named(fields, says):
    with pytest.raises((ValueError, TypeError), match=says):
        Transaction(**fields)


def test_an_iterator_that_raises_raises_to_the_caller():
    def broken():
        yield BOB, [1]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Transaction(type=1, access_list=broken())


def test_an_unknown_type_on_the_wire_is_named():
    with pytest.raises(DecodeError, match="transaction type 9 is not known") as caught:
        Transaction.decode("0x09c0")
    assert (caught.value.status, caught.value.field) == ("TYPE_NOT_SUPPORTED", "type")


# ---------------------------------------------------------------- transactions


KEY = bytes(31) + b"\7"
UNSIGNED = [
    Transaction(to=BOB, gas_price=3),
    Transaction(to=None, gas_price=3, chain_id=5, data=b"code"),
    Transaction(type=1, to=BOB, gas_price=9, access_list=[(BOB, [1, 2]), (ALICE, [])]),
    Transaction(type=2, to=None, max_fee_per_gas=9, max_priority_fee_per_gas=1, chain_id=7, value=2**255),
    Transaction(type=3, to=BOB, max_fee_per_gas=9, max_fee_per_blob_gas=2, blob_versioned_hashes=[b"\1" * 32]),
    Transaction(type=4, to=BOB, max_fee_per_gas=9, authorization_list=[(1, BOB, 1, 1, 5, 6)]),
]
ALL = [*UNSIGNED, *(tx.sign(KEY) for tx in UNSIGNED), *(tx.with_sender(ALICE) for tx in UNSIGNED)]
FIELDS = [
    "type",
    "nonce",
    "gas_limit",
    "gas_price",
    "max_fee_per_gas",
    "max_priority_fee_per_gas",
    "max_fee_per_blob_gas",
    "to",
    "value",
    "data",
    "chain_id",
    "access_list",
    "blob_versioned_hashes",
    "authorization_list",
    "v",
    "r",
    "s",
    "y_parity",
    "has_sender",
    "raw",
    "hash",
    "signing_hash",
]


class Named(Transaction):
    """A transaction with something of its own."""


@pytest.mark.parametrize("tx", ALL, ids=range(len(ALL)))
def test_a_transaction_is_copied_and_pickled_whole(tx):
    copies = [copy.copy(tx), copy.deepcopy(tx), tx.with_sender(tx.sender) if tx.has_sender else tx.forget_sender()]
    copies += [pickle.loads(pickle.dumps(tx, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for other in copies:
        assert type(other) is Transaction
        assert other == tx
        assert {name: getattr(other, name) for name in FIELDS} == {name: getattr(tx, name) for name in FIELDS}
        if tx.has_sender:
            assert other.sender == tx.sender


def test_a_subclass_of_a_transaction_is_copied_as_one():
    tx = Named(to=BOB, sender=ALICE)
    tx.note = "mine"
    for other in (copy.copy(tx), copy.deepcopy(tx), pickle.loads(pickle.dumps(tx))):
        assert (type(other), other.note, other.sender, other) == (Named, "mine", ALICE, tx)


@pytest.mark.parametrize(
    "forged",
    [
        (int, b"", None), (None, b"", None), (Transaction, b"\2", None), (Transaction, b"", ALICE), (Transaction, 5, None),
        (Transaction, ALL[8].raw, b"short"), (Transaction, None, None), (Transaction, None, {"nonce": -1}),
        (Transaction, None, {"other": 1}), (Transaction, None, [1]),
    ],
    ids=range(10),
)  # fmt: skip
def test_a_forged_pickle_is_an_error(forged):
    restore = ALL[0].__reduce__()[0]
    with pytest.raises((ValueError, TypeError)):
        restore(*forged)


def test_a_transaction_whose_class_forgot_to_make_it_is_refused():
    class Forgetful(Transaction):
        def __init__(self):
            pass

    for tx in (Forgetful(), Transaction.__new__(Transaction)):
        for use in (
            lambda tx=tx: recover_senders([tx]),
            lambda tx=tx: tx.sender,
            lambda tx=tx: tx.with_sender(ALICE),
            lambda tx=tx: pickle.dumps(tx),
            lambda tx=tx: _core.transact(tx, State(), header()),
        ):
            with pytest.raises(TypeError, match="__init__"):
                use()


def test_a_transaction_is_made_once():
    tx = Transaction(type=1, to=BOB, access_list=[(BOB, [1])])
    with pytest.raises(TypeError, match="made once"):
        tx.__init__(type=1, access_list=[(ALICE, [2])])
    assert tx == Transaction(type=1, to=BOB, access_list=[(BOB, [1])])
    half = Transaction.__new__(Transaction)
    with pytest.raises(ValueError, match="access_list"):
        half.__init__(type=1, to=BOB, access_list=[(BOB, [1]), (b"short", [])])
    half.__init__(type=1, to=BOB, access_list=[(BOB, [1])])
    assert half == tx


@pytest.mark.parametrize("given", [None, 5, [None], ["tx"], [ALL[0], None]])
def test_what_is_no_list_of_transactions_is_refused(given):
    with pytest.raises(TypeError, match=r"^transactions: "):
        recover_senders(given)


class Sly(int):
    """An int that is whatever it is compared with."""

    def _yes(self, *_):
        return True

    def _small(self, *_):
        return 0

    __lt__ = __gt__ = __le__ = __ge__ = __eq__ = __ne__ = __bool__ = _yes
    __hash__ = __index__ = __int__ = __rshift__ = __add__ = __radd__ = _small


@pytest.mark.parametrize("sly", [Sly, LyingInt])
@pytest.mark.parametrize("count", [-1, 0, -(2**31), 2])
def test_a_number_of_workers_is_the_number_that_it_is(sly, count):
    """An error that was none: -1 is what a function that raises returns."""
    block = Block(header(fork="Cancun"), [Transaction(to=BOB, sender=ALICE, gas_price=9)], (), ())
    state = State({ALICE: {"balance": 10**20}})
    signed = [Transaction(to=BOB, chain_id=1).sign(b"\1" * 32)] * 20
    calls = [
        *(partial(execute_block, block, strategy=how) for how in ("auto", "sequential", "groups", "optimistic")),
        lambda on, workers: on.root(workers=workers),
        lambda on, workers: recover_senders(signed, workers=workers),
        lambda on, workers: run(b"\0", state=on, repeat=workers),
    ]
    for call in calls:
        if count >= 1:
            call(state.copy(), workers=sly(count))
            continue
        with pytest.raises(ValueError, match=f"(workers|repeat): {count} is not"):
            call(state.copy(), workers=sly(count))


def test_a_program_s_value_is_the_number_that_it_is():
    """The sender's balance and the value, by whatever name, must fit 256 bits together."""
    balance = assemble("CALLER BALANCE PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")
    state = State({ALICE: {"balance": 5}})
    for value in (Sly(2**256 - 1), LyingInt(2**256 - 1), 2**256 - 1):
        with pytest.raises(ValueError, match=f"value: {2**256 - 1} and the sender's balance"):
            run(balance, state=state, sender=ALICE, value=value)
    assert run(balance, state=state, sender=LyingBytes(ALICE), value=Sly(7), gas=Sly(10**6)).word == 5
