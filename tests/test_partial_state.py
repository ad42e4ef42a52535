"""What strict and lazy states know: writes make known what they write, reverts take knowledge back, creations ask for storage."""

from __future__ import annotations

import pytest

from evmcore import (
    Account,
    Block,
    Header,
    MissingState,
    State,
    Transaction,
    assemble,
    call,
    execute_block,
    keccak256,
    run,
    transact,
)
from evmcore.tracing import Tracer

A = bytes([0x11]) * 20
B = bytes([0x22]) * 20
READER = bytes([0x44]) * 20
HEADER = Header(number=1, base_fee_per_gas=7, fork="Shanghai", gas_limit=30_000_000)
SOURCE_ACCOUNT = {"balance": 10**20, "nonce": 5, "code": b"\x60\x01"}


def source(keys):
    return {key: SOURCE_ACCOUNT if key[1] is None else 9 for key in keys}


def program(text: str) -> bytes:
    return assemble(text + " PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")


def seen(state: State, text: str) -> int:
    """What a program sees of the state."""
    return run(program(text), state=state, header=HEADER).word


BALANCE = f"PUSH20 0x{A.hex()} BALANCE"
CODE_SIZE = f"PUSH20 0x{A.hex()} EXTCODESIZE"


@pytest.mark.parametrize(
    ("write", "known"),
    [
        (lambda state: state.set_balance(A, 1), "get_balance"),
        (lambda state: state.set_nonce(A, 1), "get_nonce"),
        (lambda state: state.set_code(A, b"\1"), "get_code"),
        (lambda state: state.set_storage(A, 1, 1), None),
    ],
)
@pytest.mark.parametrize("options", [{"strict": True}, {"source": lambda keys: {}}])
def test_a_write_makes_known_what_it_writes_and_a_revert_makes_it_unknown(write, known, options):
    state = State(**options)
    snapshot = state.snapshot()
    write(state)
    assert state.exists(A)
    for name in ("get_balance", "get_nonce", "get_code"):
        if name == known:
            getattr(state, name)(A)
        else:
            with pytest.raises(MissingState, match=A.hex()):
                getattr(state, name)(A)
    with pytest.raises(MissingState):
        state.get_account(A)
    with pytest.raises(MissingState, match="slot 0x2"):
        state.get_storage(A, 2)
    state.revert(snapshot)
    for ask in (state.exists, state.get_balance, lambda address: state.get_storage(address, 1)):
        with pytest.raises(MissingState, match=A.hex()):
            ask(A)
    assert (len(state), list(state)) == (0, [])


def test_what_was_written_stays_over_what_the_source_says_and_the_rest_is_fetched():
    state = State(source=source)
    state.set_balance(A, 10**30)
    state.set_storage(A, 1, 5)
    assert seen(state, BALANCE) == 10**30
    assert seen(state, CODE_SIZE) == 2
    assert (state.get_nonce(A), state.get_balance(A), state.get_code(A)) == (5, 10**30, b"\x60\x01")
    state.set_code(A, assemble("PUSH 1 SLOAD PUSH 2 SLOAD ADD PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN"))
    assert call(state, HEADER, to=A).word == 5 + 9


def test_a_reverted_write_is_fetched_again():
    state = State(source=source)
    snapshot = state.snapshot()
    state.set_balance(A, 1)
    state.revert(snapshot)
    assert seen(state, BALANCE) == 10**20


def test_a_strict_state_that_knows_a_part_says_what_is_missing_to_whatever_runs():
    state = State({B: {"balance": 10**18}}, strict=True)
    state.set_balance(A, 1)
    with pytest.raises(MissingState, match=A.hex()):
        run(program(BALANCE), state=state, header=HEADER, sender=B)
    tx = Transaction(sender=B, to=A, value=1, gas_limit=30_000, gas_price=10)
    state.delete_account(HEADER.coinbase)
    with pytest.raises(MissingState, match=A.hex()):
        transact(tx, state, HEADER)
    state.set_nonce(A, 0)
    state.set_code(A, b"")
    assert transact(tx, state, HEADER).is_success
    assert state.get_balance(A) == 2


def test_a_beneficiary_of_whom_only_the_balance_is_known_is_missing():
    coinbase = bytes([0x55]) * 20
    state = State({B: {"balance": 10**18}, A: {}}, strict=True)
    state.set_balance(coinbase, 1)
    txs = [Transaction(sender=B, to=A, nonce=n, gas_limit=21_000, gas_price=10) for n in range(2)]
    block = Block(HEADER, txs).with_header(coinbase=coinbase)
    for strategy in ("sequential", "optimistic", "groups"):
        with pytest.raises(MissingState, match=coinbase.hex()):
            execute_block(block, state, workers=2, strategy=strategy)
    lazy = State({B: {"balance": 10**18}, A: {}}, source=lambda keys: dict.fromkeys(keys, Account(5, 1, b"\1")))
    lazy.set_balance(coinbase, 1)
    execute_block(block, lazy, workers=2)
    assert lazy.get_account(coinbase) == Account(1 + 2 * 3 * 21_000, 1, b"\1")


def test_deleting_and_setting_an_account_leave_nothing_of_it_unknown():
    state = State(source=source)
    state.delete_account(A)
    assert seen(state, BALANCE) == 0
    assert state.get_storage(A, 1) == 0
    state.set_balance(A, 3)
    assert state.get_account(A) == Account(3)
    assert state.get_storage(A, 1) == 0
    state.set_account(B, Account(7))
    assert state.get_account(B) == Account(7)


def test_run_on_a_lazy_state_fetches_what_it_needs_and_no_more():
    asked = []

    def counted(keys):
        asked.extend(keys)
        return source(keys)

    state = State(source=counted)
    assert seen(state, BALANCE) == 10**20
    assert asked == [(bytes(20), None), (A, None)]
    assert run(program("CALLVALUE"), state=state, value=3, sender=B, header=HEADER).word == 3
    assert state.get_balance(B) == 10**20
    with pytest.raises(MissingState):
        run(program(BALANCE), state=State(strict=True), header=HEADER)


def test_the_address_of_a_called_creation_needs_the_nonce_that_the_source_says():
    sender = {"balance": 1, "nonce": 5}
    whole, lazy = State({A: sender}), State(source=lambda keys: {key: {A: sender}.get(key[0]) for key in keys})
    made = [call(state, HEADER, sender=A).contract_address for state in (whole, lazy)]
    assert made[0] == made[1] is not None


def test_a_miss_of_another_state_is_raised_as_it_is():
    """It was taken for a miss of this one, fetched, and run again without end."""

    class Misses(Tracer):
        def on_enter(self, start):
            State(strict=True).get_balance(A)

    with pytest.raises(MissingState, match=A.hex()):
        run(b"", state=State(source=source), header=HEADER, tracer=Misses())


def test_run_does_not_change_or_copy_the_state():
    state = State({A: {"balance": 5}, B: {"balance": 2**256 - 1}})
    state.set_storage(bytes.fromhex("c0de" * 10), 1, 7)
    root, size = state.root(), state.size_bytes
    assert run(program("PUSH 1 SLOAD"), state=state).word == 7
    assert run(program("PUSH 1 DUP1 SSTORE CALLER BALANCE"), state=state, sender=A, value=2).word == 5
    assert (state.size_bytes, state.root()) == (size, root)
    with pytest.raises(ValueError, match="value: 1 "):
        run(b"", state=state, sender=B, value=1)


def test_contents_of_a_state_of_which_only_a_part_is_known():
    one, two = State(strict=True), State(strict=True)
    for state in (one, two):
        state.set_balance(A, 1)
    assert one == two
    assert (len(one), list(one), A in one) == (1, [A], True)
    for listed in (one.to_alloc, lambda: list(one.items())):
        with pytest.raises(MissingState, match=A.hex()):
            listed()
    two.set_nonce(A, 0)
    assert one != two


def test_a_copy_knows_what_its_original_knew():
    asked = []
    state = State(source=lambda keys: asked.append(keys) or source(keys))
    state.set_balance(A, 1)
    copy = state.copy()
    assert seen(copy, CODE_SIZE) == 2
    before = len(asked)
    assert copy.get_code(A) == SOURCE_ACCOUNT["code"]
    assert len(asked) == before
    assert state.get_code(A) == SOURCE_ACCOUNT["code"]
    assert len(asked) == before + 1


# ---------------------------------------------------------------- EIP-7610

SENDER = bytes([0x33]) * 20
TARGET = keccak256(b"\xd6\x94" + SENDER + b"\x80")[12:]  # where SENDER's first creation goes
CREATION = Transaction(sender=SENDER, nonce=0, gas_limit=200_000, gas_price=100, data="0x5f5ff3", v=27)
FACTORY = assemble("PUSH 0 PUSH 0 PUSH 0 CREATE PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")
FACTORY_TARGET = keccak256(b"\xd6\x94" + READER + b"\x01")[12:]


def creation_outcome(state: State, strategy: str = "sequential") -> str:
    block = Block(HEADER, (CREATION,), (), ())
    return execute_block(block, state, workers=2, strategy=strategy, state_roots=False).receipts[0].outcome


@pytest.mark.parametrize("strategy", ["sequential", "optimistic", "groups"])
@pytest.mark.parametrize("storage", [{}, {1: 1}])
def test_a_creation_onto_storage_collides_on_a_fetched_state_as_on_a_whole_one(storage, strategy):
    whole = State({SENDER: {"balance": 10**18}, TARGET: {"balance": 1, "storage": storage}})

    def of_whole(keys):
        return {key: whole.get_account(key[0]) if key[1] is None else whole.get_storage(*key) for key in keys}

    outcome = "ADDRESS_COLLISION" if storage else "SUCCESS"
    assert creation_outcome(whole.copy(), strategy) == outcome
    assert creation_outcome(State(source=of_whole), strategy) == outcome
    state = State(source=of_whole)
    assert (transact(CREATION, state, HEADER).outcome) == outcome


EMPTY_ROOT = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({"has_storage": True}, "ADDRESS_COLLISION"),
        ({"has_storage": False}, "SUCCESS"),
        ({"storage_root": EMPTY_ROOT}, "SUCCESS"),
        ({"storage_root": bytes(32)}, "ADDRESS_COLLISION"),
        ({"storage": {1: "0x1"}}, "ADDRESS_COLLISION"),
        ({"storage": {1: 0}}, None),
        ({"storage": {}}, None),
        ({"has_storage": None, "storage_root": None}, None),
        ({}, None),
    ],
)
def test_what_a_source_says_of_storage_decides_and_no_word_is_never_a_success(told, outcome):
    whole = {SENDER: {"balance": 10**18}, TARGET: {"balance": 1} | told}
    asked = []

    def say(keys):
        asked.extend(keys)
        return {key: whole.get(key[0]) for key in keys}

    strict = State({HEADER.coinbase: None} | whole, strict=True)
    if outcome is not None:
        assert creation_outcome(State(source=say)) == creation_outcome(strict) == outcome
        assert asked.count((TARGET, None)) == 1
        return
    lazy = State(source=say)
    for state in (lazy, strict):
        with pytest.raises(MissingState, match=f"whether account 0x{TARGET.hex()} has storage") as error:
            creation_outcome(state)
        assert (error.value.address, error.value.slot, error.value.is_storage) == (TARGET, None, True)
    assert lazy.get_nonce(SENDER) == 0
    with pytest.raises(MissingState, match="has storage"):
        transact(CREATION, strict, HEADER)
    strict.set_storage_complete(TARGET)
    assert creation_outcome(strict) == "SUCCESS"


def test_a_create_instruction_asks_for_storage_too():
    accounts = {READER: {"code": FACTORY, "nonce": 1}, bytes(20): None, FACTORY_TARGET: {"balance": 1}}
    state = State(accounts, strict=True)
    with pytest.raises(MissingState, match="has storage"):
        call(state, HEADER, to=READER)
    state.set_account(FACTORY_TARGET, {"balance": 1, "has_storage": True})
    assert call(state, HEADER, to=READER).word == 0
    state.set_account(FACTORY_TARGET, Account(1, is_storage_complete=True))
    assert call(state, HEADER, to=READER).word == int.from_bytes(FACTORY_TARGET, "big")


def test_a_slot_that_is_set_is_storage_and_the_last_one_cleared_leaves_it_unknown():
    accounts = {SENDER: {"balance": 10**18}, TARGET: {"balance": 1, "has_storage": True}, HEADER.coinbase: None}
    state = State(accounts, strict=True)
    state.set_storage(TARGET, 1, 0)
    with pytest.raises(MissingState, match="has storage"):
        creation_outcome(state)
    state.set_storage(TARGET, 1, 1)
    assert creation_outcome(state) == "ADDRESS_COLLISION"


def test_an_account_that_went_takes_its_unknown_storage_along():
    """Touched and empty: it goes (EIP-161), and what is made there later has no slots."""
    accounts = {SENDER: {"balance": 10**18}, TARGET: {"balance": 0}, HEADER.coinbase: None}
    for strategy in ("sequential", "optimistic"):
        state = State(accounts, strict=True)
        touch = Transaction(sender=SENDER, to=TARGET, gas_limit=21_000, gas_price=10)
        pay = Transaction(sender=SENDER, to=TARGET, nonce=1, value=1, gas_limit=21_000, gas_price=10)
        execute_block(Block(HEADER, (touch, pay)), state, workers=2, strategy=strategy)
        assert (state.get_storage(TARGET, 1), state.get_balance(TARGET)) == (0, 1)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"has_storage": 1}, "has_storage: expected a bool, got int"),
        ({"storage_root": b"\0"}, "storage_root: expected 32 bytes"),
        (
            {"has_storage": True, "storage_root": EMPTY_ROOT},
            "has_storage: True, but storage_root is that of no storage",
        ),
        ({"has_storage": False, "storage": {1: 1}}, "says that there are none"),
    ],
)
def test_contradictions_about_storage_are_refused(told, message):
    with pytest.raises((TypeError, ValueError), match=message):
        State({A: told}, strict=True)
    with pytest.raises((TypeError, ValueError), match=message):
        call(State(source=lambda keys: dict.fromkeys(keys, told)), HEADER, to=A)


def test_accounts_say_whether_they_have_storage():
    assert [Account().has_storage, Account(storage={1: 1}).has_storage] == [None, True]
    assert State({A: {}}).get_account(A).has_storage is False
    assert State({A: {}}, strict=True).get_account(A).has_storage is None
    assert Account() == Account(is_storage_complete=True)
