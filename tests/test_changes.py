"""Changes as data: what a block or a snapshot changed, applied elsewhere, and undone."""

from __future__ import annotations

import contextlib
import copy
import pickle
import random
import signal
from dataclasses import replace

import numpy as np
import pytest
from helpers import ALICE, BOB, COINBASE, CONTRACT, ETHER, OTHER, SHARED, Stop, header
from hypothesis import given, settings
from hypothesis import strategies as st

from evmcore import (
    Account,
    Block,
    Changes,
    MissingState,
    State,
    StateDiffers,
    Transaction,
    UnusableInput,
    Withdrawal,
    assemble,
    execute_block,
    keccak256,
)
from evmcore.changes import ACCOUNT_CHANGE_DTYPE, CLEARED, CLEARED_UNKNOWN, KEPT, SLOT_CHANGE_DTYPE
from evmcore.example import EXAMPLE_FILE

MAINNET = sorted((SHARED / "mainnet-blocks").glob("*.json.gz"))
KEY = keccak256(b"evmcore test of changes")
SENDER = Transaction().sign(KEY).sender
STRATEGIES = (("sequential", 1), ("optimistic", 2), ("groups", 2))


def number(cell: np.ndarray) -> int:
    return int.from_bytes(cell.tobytes(), "big")


def leads(changes: Changes, before: State, after: State) -> None:
    """The changes lead from one state to the other, and back."""
    there = before.copy()
    there.apply(changes)
    assert there == after
    assert there.root() == after.root()
    there.apply(changes.inverse())
    assert there == before
    assert there.root() == before.root()
    assert changes.inverse().inverse() == changes
    for each in (changes, changes.inverse()):
        assert Changes.decode(each.encode()) == each
        assert Changes.decode(each.encode()).encode() == each.encode()


def executed(block: Block, state: State, **options) -> Changes:
    """The changes of a block, which hold with every strategy."""
    found = []
    for strategy, workers in STRATEGIES:
        after = state.copy()
        result = execute_block(block, after, strategy=strategy, workers=workers, changes=True, **options)
        leads(result.changes, state, after)
        found.append(result.changes)
    assert found[0] == found[1] == found[2]
    return found[0]


def block_of(*codes: tuple[bytes, bytes], fork: str = "Cancun", calls=(CONTRACT,), value: int = 0, **options):
    """A block that calls contracts, and the state before it."""
    state = State({SENDER: {"balance": ETHER}, **{address: {"code": code, "nonce": 1} for address, code in codes}})
    transactions = tuple(
        Transaction(to=to, nonce=nonce, gas_limit=1_000_000, gas_price=10, chain_id=1, value=value).sign(KEY)
        for nonce, to in enumerate(calls)
    )
    return Block(header(fork=fork), transactions, **options), state


@pytest.mark.parametrize("path", MAINNET[::6], ids=lambda path: path.name.split(".")[0])
def test_the_changes_of_real_blocks_lead_to_the_headers_root(path):
    block = Block.load(path)
    before = block.pre_state
    after = before.copy()
    changes = execute_block(block, after, changes=True).changes
    leads(changes, before, after)
    if block.is_pre_state_complete:
        assert after.root() == block.header.state_root


def test_rows_say_what_changed():
    store = assemble("PUSH1 7 PUSH1 3 SSTORE PUSH1 0 PUSH1 1 SSTORE")
    block, state = block_of((CONTRACT, store), withdrawals=(Withdrawal(0, 0, BOB, 3),), value=5)
    state.set_storage(CONTRACT, 1, 9)
    state.set_storage(CONTRACT, 2, 9)
    changes = executed(block, state)
    assert changes.accounts.dtype == ACCOUNT_CHANGE_DTYPE
    assert changes.slots.dtype == SLOT_CHANGE_DTYPE
    rows = {row["address"].tobytes(): row for row in changes.accounts}
    assert list(rows) == sorted(rows)
    assert {BOB, SENDER, CONTRACT} <= set(rows)
    assert not rows[BOB]["existed"]
    assert rows[BOB]["exists"]
    assert (number(rows[BOB]["balance_before"]), number(rows[BOB]["balance_after"])) == (0, 3 * 10**9)
    assert (rows[SENDER]["nonce_before"], rows[SENDER]["nonce_after"]) == (0, 1)
    assert number(rows[CONTRACT]["balance_after"]) == 5
    assert rows[CONTRACT]["code_hash_after"].tobytes() == keccak256(store)
    assert rows[CONTRACT]["storage"] == KEPT
    slots = {
        (changes.accounts[row["account"]]["address"].tobytes(), number(row["key"])): (
            number(row["before"]),
            number(row["after"]),
        )
        for row in changes.slots
    }
    assert slots == {(CONTRACT, 1): (9, 0), (CONTRACT, 3): (0, 7)}
    assert changes.codes == {}
    with pytest.raises(ValueError, match="read-only"):
        changes.accounts["nonce_after"] = 5


def test_what_ends_as_it_began_is_no_change():
    block, state = block_of((CONTRACT, assemble("PUSH1 7 PUSH1 3 SSTORE PUSH1 0 PUSH1 3 SSTORE")), fork="London")
    changes = executed(block, state)
    assert CONTRACT not in {row["address"].tobytes() for row in changes.accounts}
    assert len(changes.slots) == 0


def test_nobody_who_does_not_ask_gets_any():
    block, state = block_of()
    assert execute_block(replace(block, transactions=()), state.copy()).changes is None


def test_rewards_and_ommers_are_in_it():
    ommer = header(fork="Petersburg", number=999, coinbase=OTHER)
    block, state = block_of(fork="Petersburg", calls=(), ommers=(ommer,))
    changes = executed(block, state)
    balances = {row["address"].tobytes(): number(row["balance_after"]) for row in changes.accounts}
    assert balances == {COINBASE: 2 * ETHER + 2 * ETHER // 32, OTHER: 2 * ETHER * 7 // 8}


def test_a_destroyed_account_has_all_its_slots_in_it():
    block, state = block_of(
        (CONTRACT, assemble(f"PUSH1 8 PUSH1 1 SSTORE PUSH20 0x{BOB.hex()} SELFDESTRUCT")), fork="London"
    )
    state.set_balance(CONTRACT, 77)
    for slot in range(40):
        state.set_storage(CONTRACT, slot, slot + 1)
    changes = executed(block, state)
    row = next(row for row in changes.accounts if row["address"].tobytes() == CONTRACT)
    assert (row["existed"], row["exists"], row["storage"]) == (True, False, CLEARED)
    assert sorted((number(slot["key"]), number(slot["before"]), number(slot["after"])) for slot in changes.slots) == [
        (slot, slot + 1, 0) for slot in range(40)
    ]
    assert list(changes.codes.values()) == [state.get_code(CONTRACT)]

    more = state.copy()
    more.set_storage(CONTRACT, 100, 1)
    with pytest.raises(StateDiffers, match=f"{CONTRACT.hex()}, slot count: the state has 41, .* on 40"):
        more.apply(changes)
    more.apply(changes, check=False)
    assert CONTRACT not in more


def test_a_life_after_a_life_has_the_slots_of_both():
    factory = bytes([0xFA]) * 20
    # Destroyed by the first call; the second one makes it again, with another storage.
    init = assemble("PUSH1 5 PUSH1 1 SSTORE PUSH1 6 PUSH1 9 SSTORE PUSH0 PUSH0 RETURN")
    make = assemble(
        f"PUSH{len(init)} 0x{init.hex()} PUSH0 MSTORE PUSH1 0 PUSH1 {len(init)} PUSH1 {32 - len(init)} PUSH0 CREATE2"
    )
    made = keccak256(b"\xff" + factory + bytes(32) + keccak256(init))[12:]
    block, state = block_of(
        (factory, make), (made, assemble("PUSH0 SELFDESTRUCT")), fork="Shanghai", calls=(made, factory)
    )
    for slot, value in ((1, 5), (2, 3), (9, 4)):
        state.set_storage(made, slot, value)
    changes = executed(block, state)
    row = next(row for row in changes.accounts if row["address"].tobytes() == made)
    assert row["storage"] == CLEARED
    found = {number(slot["key"]): (number(slot["before"]), number(slot["after"])) for slot in changes.slots}
    assert found == {1: (5, 5), 2: (3, 0), 9: (4, 6)}


def test_touched_and_empty_accounts_go():
    touch = assemble(f"PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH20 0x{OTHER.hex()} GAS CALL".replace("PUSH0", "PUSH1 0"))
    block, state = block_of((CONTRACT, touch), fork="Berlin")
    state.set_account(OTHER, Account())
    changes = executed(block, state)
    row = next(row for row in changes.accounts if row["address"].tobytes() == OTHER)
    assert row["existed"]
    assert not row["exists"]


def test_pieces_have_their_own():
    from evmcore import Piece

    block = Block.load(EXAMPLE_FILE)
    state = block.pre_state.copy()
    whole = state.copy()
    execute_block(block, whole)
    other = state.copy()
    at = state.copy()
    count = len(block.transactions)
    result = None
    for number_ in range(count):
        last = number_ + 1
        piece = Piece(0, last, begins=True) if result is None else Piece.after(result, last, ends=last == count)
        result = execute_block(block, at, piece=piece, changes=True)
        other.apply(result.changes)
    assert other == whole


def test_a_snapshot_has_changes_since():
    state = State({ALICE: {"balance": 5}, BOB: {"code": b"\x01", "storage": {1: 2, 3: 4}}})
    before = state.copy()
    outer = state.snapshot()
    state.set_balance(ALICE, 6)
    middle = state.copy()
    inner = state.snapshot()
    state.set_account(BOB, None)
    state.set_account(BOB, {"storage": {3: 9}, "code": b"\x02"})
    state.set_balance(ALICE, 7)
    leads(state.changes_since(outer), before, state)
    leads(state.changes_since(inner), middle, state)
    state.revert(inner)
    leads(state.changes_since(outer), before, middle)
    with pytest.raises(ValueError, match=f"no such snapshot: {inner}"):
        state.changes_since(inner)
    for hostile in (None, "x", 2**70, -1):
        with pytest.raises((TypeError, ValueError)):
            state.changes_since(hostile)


ADDRESSES = tuple(bytes([n]) * 20 for n in range(1, 6))
WORDS = st.sampled_from((0, 1, 2, 2**255, 2**256 - 1))
STEP = st.one_of(
    st.tuples(st.just("set_balance"), st.sampled_from(ADDRESSES), WORDS),
    st.tuples(st.just("set_nonce"), st.sampled_from(ADDRESSES), st.sampled_from((0, 1, 2**64 - 1))),
    st.tuples(st.just("set_code"), st.sampled_from(ADDRESSES), st.sampled_from((b"", b"\x01", b"\x02" * 40))),
    st.tuples(st.just("set_storage"), st.sampled_from(ADDRESSES), st.integers(0, 3), WORDS),
    st.tuples(st.just("delete_account"), st.sampled_from(ADDRESSES)),
    st.tuples(st.just("snapshot")),
    st.tuples(st.just("root")),
)


def play(state: State, steps) -> None:
    for name, *arguments in steps:
        getattr(state, name)(*arguments)


@settings(max_examples=100, deadline=None)
@given(st.lists(STEP, max_size=25), st.booleans(), st.lists(STEP, max_size=25))
def test_random_writes_lead_there_and_back(first, forks, then):
    state = State()
    play(state, first)
    if forks:
        state = state.copy()
    before = State(dict(state.items()))
    number_ = state.snapshot()
    play(state, then)
    changes = state.changes_since(number_)
    leads(changes, before, State(dict(state.items())))
    assert bool(changes) == (before != state)
    state.revert(number_)
    assert state == before


def changed(state: State) -> Changes:
    other = state.copy()
    number_ = other.snapshot()
    other.set_balance(ALICE, 6)
    other.set_nonce(ALICE, 2)
    other.set_code(ALICE, b"\x05")
    other.set_storage(ALICE, 1, 2)
    other.set_account(BOB, Account(1))
    return other.changes_since(number_)


@pytest.mark.parametrize(
    ("change", "field", "have", "want"),
    [
        (lambda state: state.set_balance(ALICE, 4), "balance", 4, 5),
        (lambda state: state.set_nonce(ALICE, 4), "nonce", 4, 1),
        (lambda state: state.set_code(ALICE, b"\x09"), "code hash", keccak256(b"\x09"), keccak256(b"\x04")),
        (lambda state: state.set_storage(ALICE, 1, 4), "slot", 4, 1),
        (lambda state: state.set_account(BOB, Account()), "existence", True, False),
        (lambda state: state.set_account(ALICE, None), "existence", False, True),
    ],
)
def test_changes_of_another_state_are_refused_and_nothing_changes(change, field, have, want):
    state = State({ALICE: {"balance": 5, "nonce": 1, "code": b"\x04", "storage": {1: 1}}})
    changes = changed(state)
    other = state.copy()
    change(other)
    kept = State(dict(other.items()))
    with pytest.raises(StateDiffers) as caught:
        other.apply(changes)
    error = caught.value
    assert (error.field, error.have, error.want) == (field, have, want)
    assert error.address in (ALICE, BOB)
    assert error.slot == (1 if field == "slot" else None)
    assert other == kept
    other.apply(changes, check=False)
    state.apply(changes)
    assert other == state


def test_a_code_that_changes_do_not_hold_is_not_made_up():
    state = State({ALICE: {"balance": 5, "code": b"\x04"}})
    other = state.copy()
    number_ = other.snapshot()
    other.set_balance(ALICE, 6)
    changes = other.changes_since(number_)
    assert changes.codes == {}
    other.set_code(ALICE, b"\x05")
    with pytest.raises(StateDiffers, match="code hash"):
        other.apply(changes, check=False)


def test_a_strict_state_says_what_it_misses():
    state = State({ALICE: {"balance": 5, "nonce": 1, "code": b"\x04", "storage": {1: 1}}})
    changes = changed(state)
    with pytest.raises(MissingState):
        State(strict=True).apply(changes)
    asked = []

    def source(keys):
        asked.append(keys)
        return {
            (address, slot): state.get_account(address) if slot is None else state.get_storage(address, slot)
            for address, slot in keys
        }

    lazy = State(source=source)
    lazy.apply(changes)
    assert len(asked) <= 2
    assert lazy.get_storage(ALICE, 1) == 2
    assert lazy.get_balance(ALICE) == 6


def test_storage_that_was_not_all_known_has_no_inverse():
    block, state = block_of((CONTRACT, assemble(f"PUSH20 0x{BOB.hex()} SELFDESTRUCT")), fork="London")
    for slot in range(3):
        state.set_storage(CONTRACT, slot, 1)
    partial = State(strict=True)
    for address in (SENDER, CONTRACT, BOB, COINBASE):
        account = state.get_account(address) or Account()
        partial.set_account(address, {"balance": account.balance, "nonce": account.nonce, "code": account.code})
    partial.set_storage(CONTRACT, 1, 1)
    changes = execute_block(block, partial, changes=True, state_roots=False).changes
    assert CLEARED_UNKNOWN in changes.accounts["storage"]
    with pytest.raises(ValueError, match="no inverse"):
        changes.inverse()
    after = state.copy()
    execute_block(block, after)
    state.apply(changes, check=False)
    assert state == after


@pytest.mark.parametrize("hostile", [None, 5, b"", "x", [], object(), State()], ids=lambda value: type(value).__name__)
def test_what_is_no_changes_is_refused(hostile):
    with pytest.raises(TypeError):
        State().apply(hostile)


def test_an_open_snapshot_takes_applied_changes_back():
    state = State({ALICE: {"balance": 5, "nonce": 1, "code": b"\x04", "storage": {1: 1}}})
    changes = changed(state)
    kept = state.copy()
    number_ = state.snapshot()
    state.apply(changes)
    leads(state.changes_since(number_), kept, state)
    assert state.changes_since(number_) == changes
    state.revert(number_)
    assert state == kept


def test_changes_last_when_the_states_are_gone():
    chance = random.Random(5)
    state = State({chance.randbytes(20): {"code": chance.randbytes(50), "balance": 1} for _ in range(50)})
    number_ = state.snapshot()
    for address in list(state)[::2]:
        state.delete_account(address)
    changes = state.changes_since(number_)
    state.release(number_)
    del state
    assert all(keccak256(code) == name for name, code in changes.codes.items())
    assert len(changes.codes) == 25


def some_changes() -> Changes:
    block, state = block_of(
        (CONTRACT, assemble(f"PUSH1 8 PUSH1 1 SSTORE PUSH20 0x{BOB.hex()} SELFDESTRUCT")), fork="London", value=3
    )
    state.set_storage(CONTRACT, 2**255, 7)
    number_ = state.snapshot()
    execute_block(block, state)
    state.set_code(OTHER, b"\x05" * 3)
    state.set_storage(OTHER, 1, 1)
    return state.changes_since(number_)


def fault(encoded: bytes) -> str:
    with pytest.raises(UnusableInput) as caught:
        Changes.decode(encoded)
    return str(caught.value)


def test_they_pickle_and_copy_as_their_bytes():
    changes = some_changes()
    again = pickle.loads(pickle.dumps(changes))
    assert again == changes
    assert again.codes == changes.codes
    assert np.array_equal(again.accounts, changes.accounts)
    assert np.array_equal(again.slots, changes.slots)
    assert len(pickle.dumps(changes)) < len(changes.encode()) + 100
    assert copy.deepcopy(changes) == changes == copy.copy(changes)
    assert Changes.decode(Changes().encode()) == Changes()
    assert not Changes()
    assert changes != Changes()
    assert changes != None  # noqa: E711


@pytest.mark.parametrize("seed", range(3))
def test_forged_bytes_are_refused_or_are_changes(seed):
    encoded = some_changes().encode()
    chance = random.Random(seed)
    for end in range(len(encoded)):
        fault(encoded[:end])
    fault(encoded + b"\0")
    for _ in range(3000):
        forged = bytearray(encoded)
        for _ in range(chance.choice((1, 1, 2, 5))):
            forged[chance.randrange(len(forged))] = chance.choice((0, 1, 2, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        try:
            changes = Changes.decode(forged)
        except UnusableInput:
            continue
        assert changes.encode() == forged
        assert len(changes.accounts) <= len(forged)
        with contextlib.suppress(StateDiffers):
            State().apply(changes, check=chance.random() < 0.5)
        with contextlib.suppress(ValueError):
            assert changes.inverse().inverse() == changes


HEAD = b"evmdelta\x01"
ROW = bytes(20)


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (b"", "it ends too early, at byte 0 of 0"),
        (b"evmstate\x01", "no changes"),
        (b"evmdelta\x02", "a version of the format that isn't known"),
        (HEAD + b"\xff" * 9 + b"\x01", "it counts more than it has room for"),
        (HEAD + b"\x00" + b"\xff\xff\xff\x7f", "it counts more than it has room for"),
        (HEAD + b"\x01\xff\xff\xff\xff\x0f\x01", "more bytes than are taken"),
        (HEAD + b"\x01\x00" + keccak256(b"") + b"\x00", "the hash of no code"),
        (HEAD + b"\x02\x01\x01\x01\x01\x00", "codes that don't ascend"),
        (HEAD + b"\x01\x01\x01\x00", "a code that no account has"),
        (HEAD + b"\x00\x01" + ROW + b"\x02\x00\x00\x01", "a code that isn't there"),
        (HEAD + b"\x00\x01" + ROW + b"\x0e\x00\x00\x00", "no fate of a storage"),
        (HEAD + b"\x00\x01" + ROW + b"\x12\x01\x00\x00", "values where there is no account"),
        (HEAD + b"\x00\x01" + ROW + b"\x13\x01\x05\x00\x00\x01\x05", "a value that doesn't change"),
        (HEAD + b"\x00\x01" + ROW + b"\x03\x00\x00\x00", "an account that doesn't change"),
        (HEAD + b"\x00\x01" + ROW + b"\x83\x00\x00\x00\x00", "an account with no slots"),
        (HEAD + b"\x00\x01" + ROW + b"\x83\x00\x00\x00\x01\x00\x01\x05\x01\x05", "a slot that doesn't change"),
        (HEAD + b"\x00\x01" + ROW + b"\x81\x00\x00\x00\x01\x00\x00\x01\x05", "a slot of an account that doesn't exist"),
        (HEAD + b"\x00\x01" + ROW + b"\x83\x00\x00\x00\x02" + b"\x01\x05\x00\x01\x01" * 2, "slots that don't ascend"),
        (HEAD + b"\x00\x02" + (ROW + b"\x02\x00\x00\x00") * 2, "accounts that don't ascend"),
        (HEAD + b"\x00\x01" + ROW + b"\x02\x02\x00\x01\x00\x00", "begins with a zero byte"),
        (HEAD + b"\x00\x00\x00", "bytes after its end"),
    ],
)
def test_what_is_no_encoding_of_changes_is_refused_with_its_place(encoded, reason):
    assert reason in fault(encoded)


@pytest.mark.parametrize("hostile", [None, 5, "x", [], object()], ids=lambda value: type(value).__name__)
def test_what_is_no_bytes_is_refused(hostile):
    with pytest.raises((TypeError, ValueError)):
        Changes.decode(hostile)


def test_a_result_pickles_with_its_changes():
    block = Block.load(EXAMPLE_FILE)
    result = execute_block(block, block.pre_state.copy(), changes=True)
    assert pickle.loads(pickle.dumps(result)).changes == result.changes
    result = execute_block(block, block.pre_state.copy())
    assert pickle.loads(pickle.dumps(result)).changes is None


def test_a_signal_leaves_the_state_before_or_after():
    state = State({ALICE: Account(5, 1, b"\x04", dict.fromkeys(range(60000), 1))})
    before = state.copy()
    number_ = state.snapshot()
    state.delete_account(ALICE)
    changes = state.changes_since(number_)
    inverse = changes.inverse()
    encoded = changes.encode()
    other = before.copy()
    after = state.copy()

    def apply():
        other.apply(changes if ALICE in other else inverse)

    def stop(*_):
        raise Stop

    kept = signal.signal(signal.SIGALRM, stop)
    try:
        for work in (apply, lambda: state.changes_since(number_), lambda: Changes.decode(encoded), changes.encode):
            for delay in (0.001, 0.05, 0.11):
                with pytest.raises(Stop):  # noqa: PT012
                    signal.setitimer(signal.ITIMER_REAL, delay)
                    while True:
                        work()
            if work is apply:
                assert other in (before, after)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, kept)
    assert state.changes_since(number_) == changes
    state.revert(number_)
    assert state == before
