"""Tries by themselves: brought up to date by rows, and told apart, as those of the states are."""

from __future__ import annotations

import pickle
import random

import numpy as np
import pytest

from evmcore import Account, State, StateTrie, keccak256


def cells_of(changes):
    return changes.accounts.tobytes(), changes.slots.tobytes()


def nodes_of(rows):
    """{place: RLP, empty for one that is no more} of rows of nodes."""
    found = {}
    at = 0
    while at < len(rows):
        path = at + 2 + (32 if rows[at] else 0)
        end = path + (rows[path - 1] + 1) // 2
        size = int.from_bytes(rows[end : end + 4], "little")
        place = rows[at:end]
        assert place not in found
        found[place] = rows[end + 4 : end + 4 + size]
        at = end + 4 + size
    return found


def change(state, chance, addresses):
    for _ in range(chance.randrange(1, 30)):
        address = chance.choice(addresses)
        kind = chance.randrange(7)
        if kind == 0:
            state.delete_account(address)
        elif kind == 1:
            state.set_account(address, Account(chance.randrange(9), 1, b"\1" * chance.randrange(3), {1: 2, 7: 8}))
        elif kind == 2:
            state.set_balance(address, chance.randrange(1 << 90))
        else:
            state.set_balance(address, 5)
            state.set_storage(address, chance.randrange(12), chance.choice((0, 0, 1, 1 << 255)))


def test_rows_lead_to_the_state_s_trie_and_back():
    chance = random.Random(11)
    addresses = [chance.randbytes(20) for _ in range(40)]
    for number in range(60):
        state = State()
        change(state, chance, addresses[: chance.choice((3, 40))])
        trie = state.trie()
        stored = nodes_of(trie.nodes_since(State().trie(), None))
        assert stored == nodes_of(state.unsaved_nodes())
        for _ in range(6):
            mark = state.snapshot()
            change(state, chance, addresses)
            changes = state.changes_since(mark)
            state.release(mark)
            known, after = trie.updated(*cells_of(changes), None)
            assert (known.root, after.root) == (trie.root, state.root()), number
            for place, node in nodes_of(state.trie().nodes_since(trie, None, *cells_of(changes))).items():
                assert stored.get(place, b"") != node or len(place) < 40  # told only if it differs, but for short ones
                stored.pop(place, None)
                if node:
                    stored[place] = node
            assert stored == nodes_of(state.unsaved_nodes()), number
            _, back = after.updated(*cells_of(changes.inverse()), None)
            assert back.root == trie.root
            trie = state.trie()


@pytest.mark.parametrize("wrong", ["less", "more", "other", "slot", "no slot"])
def test_changes_that_are_not_the_difference_are_refused(wrong):
    first = State({bytes([n]) * 20: {"balance": n, "storage": {1: n, 2: 3}} for n in range(1, 30)})
    second = first.copy()
    mark = second.snapshot()
    second.set_balance(b"\1" * 20, 77)
    second.set_storage(b"\2" * 20, 2, 9)
    second.set_storage(b"\2" * 20, 5, 9)
    second.delete_account(b"\3" * 20)
    changes = second.changes_since(mark)
    accounts, slots = changes.accounts.copy(), changes.slots.copy()
    assert second.trie().nodes_since(first.trie(), None, accounts.tobytes(), slots.tobytes())
    if wrong == "less":
        accounts = accounts[1:]
        slots["account"] -= 1
    elif wrong == "more":
        third = second.copy()
        mark = third.snapshot()
        third.set_balance(b"\7" * 20, 1)
        accounts = np.concatenate([accounts, third.changes_since(mark).accounts])
    elif wrong == "other":
        accounts["balance_after"][0, 31] += 1
    elif wrong == "slot":
        slots["after"][-1, 31] += 1
    else:
        slots = slots[slots["account"] != 1]
    with pytest.raises(ValueError, match="hashed address 0x"):
        second.trie().nodes_since(first.trie(), None, accounts.tobytes(), slots.tobytes())


def test_a_trie_in_less_memory_is_the_same():
    state = State(
        {n.to_bytes(20, "big"): {"balance": n, "storage": dict.fromkeys(range(n % 40), 1)} for n in range(1, 2000)}
    )
    trie = state.trie()
    for most in (0, 1000, 20_000, 100_000, 1 << 30):
        less = trie.cut(most)
        assert less.root == trie.root
        assert less.size_bytes <= max(most + 2000, 2000) or most > trie.size_bytes
    assert trie.cut(100_000).size_bytes > 30_000


def test_what_is_no_trie_or_row_is_refused():
    trie = State({b"\1" * 20: {"balance": 1}}).trie()
    with pytest.raises(ValueError, match="accounts: 5 bytes"):
        trie.updated(b"12345", b"", None)
    with pytest.raises(TypeError):
        trie.updated(b"", b"", 7)
    with pytest.raises(TypeError):
        pickle.dumps(trie)
    with pytest.raises((TypeError, ValueError)):
        StateTrie(b"\1")
    with pytest.raises(TypeError, match="made once"):
        trie.__init__(bytes(32))
    assert StateTrie(keccak256(b"\x80")).root == State().root()
