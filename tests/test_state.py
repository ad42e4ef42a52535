"""State: what is written is read, copies are independent, snapshots undo, and the root is the trie's by definition."""

from __future__ import annotations

import json
from random import Random

import pytest
from helpers import ALICE, BOB, CONTRACT, dump, shared
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import EMPTY_ROOT, ordered_root, state_root, trie_root

from evmcore import Account, Header, MissingState, State, ordered_trie_root


def test_an_empty_state():
    state = State()
    assert (len(state), list(state), state.root()) == (0, [], EMPTY_ROOT)
    assert not state.exists(ALICE)
    assert ALICE not in state
    assert state.get_account(ALICE) is None
    assert (state.get_balance(ALICE), state.get_nonce(ALICE), state.get_code(ALICE), state.get_storage(ALICE, 1)) == (
        0,
        0,
        b"",
        0,
    )


def test_what_is_written_is_read():
    state = State()
    state.set_balance(ALICE, 2**256 - 1)
    state.set_nonce(ALICE, 2**64 - 1)
    state.set_code(ALICE, b"\x60\0")
    state.set_storage(ALICE, 2**256 - 1, 5)
    assert state.get_account(ALICE) == Account(2**256 - 1, 2**64 - 1, b"\x60\0", {2**256 - 1: 5})
    assert (len(state), list(state), ALICE in state) == (1, [ALICE], True)


def test_addresses_as_text_or_bytes_numbers_as_text_or_int():
    state = State({"0x" + ALICE.hex(): {"balance": "0x10", "nonce": 3, "code": "0x6000", "storage": {"0x01": "0x02"}}})
    assert state.get_account(ALICE) == state.get_account("0x" + ALICE.hex()) == Account(16, 3, b"\x60\0", {1: 2})


def test_a_slot_set_to_zero_is_absent():
    state = State({ALICE: {"storage": {1: 1, 2: 2}}})
    root = state.root()
    state.set_storage(ALICE, 3, 3)
    state.set_storage(ALICE, 3, 0)
    assert state.storage(ALICE) == {1: 1, 2: 2}
    assert state.root() == root
    assert state == State({ALICE: {"storage": {1: 1, 2: 2}}})


def test_deleting_takes_code_and_storage_along():
    state = State({ALICE: {"balance": 1, "code": b"\1", "storage": {1: 1}}})
    state.delete_account(ALICE)
    assert (state.exists(ALICE), state.storage(ALICE), state.root()) == (False, {}, EMPTY_ROOT)
    state.set_balance(ALICE, 1)
    assert state.get_account(ALICE) == Account(1)


def test_setting_an_account_replaces_all_of_it():
    state = State({ALICE: {"balance": 1, "code": b"\1", "storage": {1: 1}}})
    state.set_account(ALICE, Account(nonce=3, storage={2: 2}))
    assert state.get_account(ALICE) == Account(0, 3, b"", {2: 2})


def test_copies_are_independent_both_ways():
    state = State({ALICE: {"balance": 1, "storage": {1: 1}}})
    copy = state.copy()
    copy.set_storage(ALICE, 1, 2)
    state.set_balance(ALICE, 5)
    assert (state.get_storage(ALICE, 1), copy.get_storage(ALICE, 1)) == (1, 2)
    assert (state.get_balance(ALICE), copy.get_balance(ALICE)) == (5, 1)


def test_a_copy_outlives_its_original():
    state = State({ALICE: {"code": b"\x5b" * 1000}})
    copy = state.copy()
    del state
    assert copy.get_code(ALICE) == b"\x5b" * 1000


def test_snapshots_nest_and_reverting_forgets_the_later_ones():
    state = State({ALICE: {"balance": 1, "storage": {1: 1}}})
    root = state.root()
    first = state.snapshot()
    state.set_storage(ALICE, 1, 2)
    state.set_code(BOB, b"\1")
    second = state.snapshot()
    state.delete_account(ALICE)
    state.set_storage(ALICE, 9, 9)
    state.revert(second)
    assert (state.get_storage(ALICE, 1), state.get_code(BOB)) == (2, b"\1")
    third = state.snapshot()
    state.set_balance(ALICE, 7)
    state.revert(first)
    assert state.root() == root
    for gone in (first, second, third):
        with pytest.raises(ValueError, match="no such snapshot"):
            state.revert(gone)


def test_released_changes_stay_and_an_outer_snapshot_still_undoes_them():
    state = State()
    outer = state.snapshot()
    inner = state.snapshot()
    state.set_balance(ALICE, 1)
    state.release(inner)
    assert state.get_balance(ALICE) == 1
    state.revert(outer)
    assert not state.exists(ALICE)


def test_a_copy_made_under_a_snapshot_has_none_of_its_own():
    state = State({ALICE: {"balance": 1}})
    snapshot = state.snapshot()
    state.set_balance(ALICE, 2)
    copy = state.copy()
    state.revert(snapshot)
    assert (state.get_balance(ALICE), copy.get_balance(ALICE)) == (1, 2)
    with pytest.raises(ValueError, match="no such snapshot"):
        copy.revert(snapshot)


def test_equality_is_about_contents():
    one, two = State({ALICE: {"balance": 1}}), State()
    two.set_storage(BOB, 1, 1)
    two.delete_account(BOB)
    two.set_balance(ALICE, 1)
    assert one == two
    assert one != State({ALICE: {"balance": 2}})
    assert one != "state"


def test_alloc_form_there_and_back():
    state = State({ALICE: Account(1, 2, b"\3", {4: 5}), BOB: Account()})
    alloc = state.to_alloc()
    assert alloc["0x" + ALICE.hex()] == {
        "balance": "0x1",
        "nonce": "0x2",
        "code": "0x03",
        "storage": {f"0x{4:064x}": f"0x{5:064x}"},
    }
    assert State.from_alloc(json.loads(json.dumps(alloc))) == state


# ---------------------------------------------------------------- strict


def test_a_strict_state_names_what_it_does_not_have():
    state = State({ALICE: {"balance": 1, "storage": {1: 1}}}, strict=True)
    assert (state.get_balance(ALICE), state.get_storage(ALICE, 1)) == (1, 1)
    with pytest.raises(MissingState, match=BOB.hex()) as account:
        state.get_balance(BOB)
    assert (account.value.address, account.value.slot) == (BOB, None)
    with pytest.raises(MissingState, match="slot 0x2 of account") as slot:
        state.get_storage(ALICE, 2)
    assert (slot.value.address, slot.value.slot) == (ALICE, 2)
    assert isinstance(slot.value, KeyError)


def test_a_strict_state_knows_what_it_deleted_and_what_is_complete():
    state = State({ALICE: {"balance": 1}}, strict=True)
    state.set_storage_complete(ALICE)
    assert state.get_storage(ALICE, 2) == 0
    state.delete_account(ALICE)
    assert not state.exists(ALICE)
    assert state.get_storage(ALICE, 2) == 0


# ---------------------------------------------------------------- roots


def test_root_of_a_genesis():
    """The chain's first block says what the state of its genesis is the parent of; genesis.json has no root itself."""
    genesis = json.loads(shared("chain", "genesis.json").read_text())
    state = State.from_alloc(genesis["alloc"])
    assert state.root() == state_root(dump(state))


small_keys = st.binary(min_size=32, max_size=32) | st.builds(
    lambda tail: bytes(31) + tail, st.binary(min_size=1, max_size=1)
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 60))
def test_root_is_the_definition_s_whatever_the_order_of_writes(seed, steps):
    """Writes and deletions of accounts and slots; the root is asked for in between, so that it is kept up and not built anew."""
    random = Random(seed)
    addresses = [bytes([n]) * 20 for n in range(1, 12)]
    state = State()
    for _ in range(steps):
        address = random.choice(addresses)
        kind = random.randrange(6)
        if kind == 0:
            state.set_balance(address, random.choice([0, 1, 2**255]))
        elif kind == 1:
            state.set_nonce(address, random.randrange(300))
        elif kind == 2:
            state.set_code(address, random.randbytes(random.choice([0, 1, 40])))
        elif kind == 3:
            state.delete_account(address)
        else:
            state.set_storage(address, random.randrange(20), random.choice([0, 1, 2**256 - 1]))
        if random.random() < 0.3:
            assert state.root() == state_root(dump(state))
    assert state.root() == state_root(dump(state))


def test_root_of_one_storage_of_many_sizes():
    """A few thousand slots: all shapes of nodes, then all taken away again."""
    random = Random(5)
    state = State({CONTRACT: {"nonce": 1}})
    root_without = state.root()
    slots = {random.getrandbits(256): random.choice([1, 2**64, 2**256 - 1]) for _ in range(2000)}
    for slot, value in slots.items():
        state.set_storage(CONTRACT, slot, value)
    assert state.root() == state_root(dump(state))
    for place, slot in enumerate(slots):
        state.set_storage(CONTRACT, slot, 0)
        if place % 400 == 0:
            assert state.root() == state_root(dump(state))
    assert state.root() == root_without


@pytest.mark.parametrize("accounts", [1, 2, 17, 400])
def test_root_is_the_same_on_any_number_of_threads(accounts):
    """In parts by account and by the first nibble of its hashed address: one large storage, many small, some none."""
    random = Random(accounts)
    sizes = [2000, *(random.choice([0, 1, 30]) for _ in range(accounts - 1))]
    state = State(
        {
            random.randbytes(20): {
                "balance": random.getrandbits(90),
                "storage": {random.getrandbits(256): random.getrandbits(60) + 1 for _ in range(size)},
            }
            for size in sizes
        }
    )
    expected = state_root(dump(state))
    assert [state.root(workers=workers) for workers in (1, 2, 3, 8, None)] == [expected] * 5
    with pytest.raises(ValueError, match="workers: 0"):
        state.root(workers=0)


def test_root_after_a_revert_is_the_one_before():
    state = State({bytes([n]) * 20: {"balance": n, "storage": {n: n}} for n in range(1, 50)})
    before = state.root()
    snapshot = state.snapshot()
    for n in range(1, 50, 3):
        state.set_storage(bytes([n]) * 20, n, 0)
        state.delete_account(bytes([n + 1]) * 20)
    assert state.root() == state_root(dump(state)) != before
    state.revert(snapshot)
    assert state.root() == before


@pytest.mark.parametrize("count", [0, 1, 2, 16, 17, 127, 128, 129, 300])
def test_ordered_trie_root(count):
    items = [Random(index).randbytes(1 + index * 7 % 90) for index in range(count)]
    assert ordered_trie_root(items) == ordered_root(items)


def test_the_naive_trie_knows_the_published_answer():
    """ethereum/tests, TrieTests/trietest.json, 'dogs' and 'puppy'."""
    items = {b"doe": b"reindeer", b"dog": b"puppy", b"dogglesworth": b"cat"}
    assert trie_root(items).hex() == "8aad789dff2f538bca5d8ea56e8abe10f4c7ba3a5dea95fea4cd6e7c3a1168d3"


def test_header_defaults_name_the_empty_root():
    assert Header().state_root == EMPTY_ROOT
