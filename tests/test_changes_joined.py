"""Changes in a row as one, and changes as rows of EIP-7928."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_changes import ALICE, BOB, CONTRACT, MAINNET, SENDER, STEP, block_of, leads, number, play

from evmcore import (
    Block,
    BlockAccessList,
    Changes,
    MissingCode,
    State,
    StateDiffers,
    assemble,
    execute_block,
    keccak256,
)
from evmcore.changes import CLEARED, CLEARED_UNKNOWN, KEPT

CODE = b"\x60\x01"


def since(state: State, *writes) -> Changes:
    """What these writes (name, arguments) change."""
    start = state.snapshot()
    play(state, writes)
    changes = state.changes_since(start)
    state.release(start)
    return changes


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=20), st.lists(st.lists(STEP, max_size=8), min_size=1, max_size=6))
def test_one_does_what_all_do(first, parts):
    state = State()
    play(state, first)
    before = State(dict(state.items()))
    changes = []
    for part in parts:
        changes.append(since(state, *(step for step in part if step[0] != "snapshot")))
    after = State(dict(state.items()))
    joined = Changes.joined(changes)
    leads(joined, before, after)
    assert bool(joined) == (before != after)
    middle = len(changes) // 2
    assert Changes.joined([Changes.joined(changes[:middle]), Changes.joined(changes[middle:])]) == joined
    undone = Changes.joined([*changes, *(each.inverse() for each in reversed(changes))])
    assert not undone
    if all(CLEARED not in each.accounts["storage"] for each in changes):
        start = before.snapshot()
        before.apply(joined)
        assert before.changes_since(start) == joined


def test_values_are_those_before_the_first_and_after_the_last():
    state = State({ALICE: {"balance": 1, "storage": {1: 1, 2: 2}, "code": CODE}, BOB: {"balance": 9}})
    joined = Changes.joined(
        [
            since(state, ("set_balance", ALICE, 2), ("set_storage", ALICE, 1, 7), ("set_balance", BOB, 8)),
            since(state, ("set_balance", ALICE, 3), ("set_storage", ALICE, 2, 3), ("set_nonce", ALICE, 1)),
            since(state, ("set_balance", BOB, 9), ("set_storage", ALICE, 1, 1), ("set_code", ALICE, b"\x05")),
        ]
    )
    (row,) = joined.accounts  # BOB is as he was
    assert (number(row["balance_before"]), number(row["balance_after"])) == (1, 3)
    assert (row["nonce_before"], row["nonce_after"], row["storage"]) == (0, 1, KEPT)
    assert [(number(slot["key"]), number(slot["before"]), number(slot["after"])) for slot in joined.slots] == [
        (2, 2, 3)
    ]
    assert set(joined.codes.values()) == {CODE, b"\x05"}


def test_what_came_and_went_vanishes_with_its_code():
    state = State({ALICE: {"balance": 1}})
    made = since(state, ("set_code", BOB, CODE), ("set_storage", BOB, 1, 2), ("set_balance", ALICE, 2))
    gone = since(state, ("delete_account", BOB))
    joined = Changes.joined([made, gone])
    assert [row["address"].tobytes() for row in joined.accounts] == [ALICE]
    assert joined.codes == {}
    assert len(joined.slots) == 0
    assert not Changes.joined([made, gone, since(state, ("set_balance", ALICE, 1))])


def test_a_code_that_goes_and_comes_back_is_there_by_its_hash_alone():
    state = State({ALICE: {"balance": 1, "code": CODE}})
    joined = Changes.joined(
        [since(state, ("set_code", ALICE, b"\x05")), since(state, ("set_code", ALICE, CODE), ("set_balance", ALICE, 3))]
    )
    assert joined.codes == {}
    assert joined.accounts[0]["code_hash_after"].tobytes() == keccak256(CODE)


def test_a_life_that_ended_between_has_all_slots_of_both_ends():
    state = State({CONTRACT: {"code": CODE, "storage": {1: 1, 2: 2, 3: 3}}})
    before = state.copy()
    changes = [
        since(state, ("set_storage", CONTRACT, 2, 5)),
        since(state, ("delete_account", CONTRACT)),
        since(state, ("set_code", CONTRACT, CODE), ("set_storage", CONTRACT, 1, 1), ("set_storage", CONTRACT, 4, 4)),
    ]
    joined = Changes.joined(changes)
    assert joined.accounts[0]["storage"] == CLEARED
    slots = {number(slot["key"]): (number(slot["before"]), number(slot["after"])) for slot in joined.slots}
    assert slots == {1: (1, 1), 2: (2, 0), 3: (3, 0), 4: (0, 4)}
    leads(joined, before, state)


def test_storage_that_was_not_all_known_stays_so():
    whole = State({CONTRACT: {"balance": 1, "storage": {1: 1, 2: 2}}})
    part = State(strict=True)
    part.set_account(CONTRACT, {"balance": 1})
    part.set_storage(CONTRACT, 1, 1)
    joined = Changes.joined([since(part, ("set_storage", CONTRACT, 1, 9)), since(part, ("delete_account", CONTRACT))])
    assert joined.accounts[0]["storage"] == CLEARED_UNKNOWN
    with pytest.raises(ValueError, match="no inverse"):
        joined.inverse()
    whole.apply(joined, check=False)
    assert CONTRACT not in whole


@pytest.mark.parametrize(
    ("left", "found", "field", "have", "want"),
    [
        (("set_balance", ALICE, 2), ("set_balance", ALICE, 3), "balance", 2, 5),
        (("set_nonce", ALICE, 2), ("set_nonce", ALICE, 3), "nonce", 2, 0),
        (("set_code", ALICE, b"\x05"), ("set_code", ALICE, b"\x06"), "code hash", keccak256(b"\x05"), keccak256(CODE)),
        (("set_storage", ALICE, 1, 2), ("set_storage", ALICE, 1, 3), "slot", 2, 1),
        (("set_storage", ALICE, 7, 2), ("delete_account", ALICE), "slot", 2, 0),
        (("delete_account", ALICE), ("set_balance", ALICE, 3), "existence", False, True),
    ],
)
def test_changes_that_do_not_follow_each_other_are_refused(left, found, field, have, want):
    state = State({ALICE: {"balance": 5, "code": CODE, "storage": {1: 1}}})
    one, other = since(state.copy(), left), since(state.copy(), found)
    with pytest.raises(StateDiffers) as caught:
        Changes.joined([one, other])
    assert (caught.value.address, caught.value.field, caught.value.have, caught.value.want) == (
        ALICE,
        field,
        have,
        want,
    )


def test_a_slot_that_a_life_which_just_began_did_not_have_is_refused():
    state = State({ALICE: {"balance": 5, "storage": {1: 1}}})
    other = since(state.copy(), ("set_storage", ALICE, 1, 3))
    again = since(state, ("delete_account", ALICE), ("set_balance", ALICE, 5))
    with pytest.raises(StateDiffers, match="slot 0x1: the state has 0, the changes were made on 1"):
        Changes.joined([again, other])


def test_none_and_one_are_what_they_are():
    changes = since(State(), ("set_balance", ALICE, 1))
    assert Changes.joined([]) == Changes()
    assert Changes.joined(iter([changes])) == changes
    assert Changes.joined([Changes(), changes, Changes()]) == changes
    for hostile in ([None], [changes, 5], [State()]):
        with pytest.raises(TypeError, match="expected Changes"):
            Changes.joined(hostile)
    with pytest.raises(TypeError):
        Changes.joined(None)


def test_forged_changes_join_to_changes_or_are_refused():
    chance = random.Random(3)
    state = State({ALICE: {"balance": 5, "code": CODE, "storage": {1: 1, 2: 3}}})
    parts = [
        since(state, ("set_storage", ALICE, 1, 4), ("set_code", BOB, b"\x01")).encode(),
        since(state, ("delete_account", ALICE), ("set_storage", BOB, 3, 1)).encode(),
    ]
    joined = 0
    for _ in range(4000):
        made = []
        for encoded in parts:
            forged = bytearray(encoded)
            if chance.random() < 0.7:
                forged[chance.randrange(9, len(forged))] = chance.choice((0, 1, 2, 3, 7, 0xFF))
            try:
                made.append(Changes.decode(forged))
            except ValueError:
                break
        if len(made) == 2:
            try:
                both = Changes.joined(made)
            except StateDiffers:
                continue
            joined += 1
            assert len(both.accounts) <= 4
            assert Changes.decode(both.encode()) == both
    assert joined > 50


# ---------------------------------------------------------------- rows of EIP-7928


@pytest.mark.parametrize("path", MAINNET[::9], ids=lambda path: path.name.split(".")[0])
def test_the_rows_of_real_blocks_are_the_last_values_of_their_lists(path):
    block = Block.load(path)
    result = execute_block(block, block.pre_state.copy(), changes=True, access_list=True)
    made = BlockAccessList.from_changes(result.changes, index=7).to_json()
    listed = {account["address"]: account for account in result.access_list.to_json()}
    assert len(made) == len(result.changes.accounts)
    for account in made:
        whole = listed[account["address"]]
        for name in ("balanceChanges", "nonceChanges", "codeChanges"):
            for change in account[name]:
                assert int(change["blockAccessIndex"], 16) == 7
                last = whole[name][-1]
                assert {**last, "blockAccessIndex": "0x7"} == change
        slots = {slot["slot"]: slot["slotChanges"] for slot in whole["storageChanges"]}
        for slot in account["storageChanges"]:
            (change,) = slot["slotChanges"]
            assert {**slots[slot["slot"]][-1], "blockAccessIndex": "0x7"} == change
    if any(set(account) == {"address"} or not any(list(account.values())[1:]) for account in made):
        return  # an empty account that went (EIP-161), of which rows of EIP-7928 can't tell
    after = block.pre_state.copy()
    after.apply(BlockAccessList.from_changes(result.changes).accesses)
    assert after.root() == result.state_root


def test_rows_of_blocks_join_to_a_list_by_block():
    store = assemble("PUSH1 0 SLOAD PUSH1 1 ADD PUSH1 0 SSTORE")
    block, state = block_of((CONTRACT, store))
    lists = []
    for index in range(3):
        start = state.snapshot()
        state.set_nonce(SENDER, 0)
        execute_block(block, state)
        lists.append(BlockAccessList.from_changes(state.changes_since(start), index=index))
        state.release(start)
    joined = BlockAccessList.joined(lists).to_json()
    (slots,) = (account["storageChanges"] for account in joined if account["address"] == "0x" + CONTRACT.hex())
    assert [(int(c["blockAccessIndex"], 16), int(c["postValue"], 16)) for c in slots[0]["slotChanges"]] == [
        (0, 1),
        (1, 2),
        (2, 3),
    ]


def test_an_account_that_ended_has_nothing_afterwards():
    state = State({CONTRACT: {"code": CODE, "nonce": 1, "balance": 3, "storage": {5: 6}}})
    (account,) = BlockAccessList.from_changes(since(state, ("delete_account", CONTRACT))).to_json()
    assert int(account["balanceChanges"][0]["postBalance"], 16) == 0
    assert int(account["nonceChanges"][0]["postNonce"], 16) == 0
    assert account["codeChanges"][0]["newCode"] == "0x"
    assert int(account["storageChanges"][0]["slotChanges"][0]["postValue"], 16) == 0


def test_a_code_of_which_the_hash_alone_is_known_is_named():
    hidden = keccak256(b"hidden")
    changes = since(State({ALICE: {"balance": 2}}), ("set_code", ALICE, b"\x07"))
    encoded = changes.encode().replace(b"\x01\x07", b"\x00" + hidden, 1)
    with pytest.raises(MissingCode) as caught:
        BlockAccessList.from_changes(Changes.decode(encoded))
    assert (caught.value.address, caught.value.code_hash) == (ALICE, hidden)


@pytest.mark.parametrize("hostile", [-1, 2**32, 1.5, "1", None])
def test_an_index_that_is_none_is_refused(hostile):
    with pytest.raises((TypeError, ValueError)):
        BlockAccessList.from_changes(Changes(), index=hostile)
    with pytest.raises(TypeError):
        BlockAccessList.from_changes(None)
