"""What states of which a witness has a part answer about themselves: changes, proofs, copies, pickles."""

from __future__ import annotations

import pickle
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_witness import ADDRESSES, SENDER, STORE, block, everything, whole_state

from evmcore import (
    BlockAccessList,
    Changes,
    ExecutionWitness,
    InvalidWitness,
    MissingNode,
    MissingState,
    State,
    execute_block,
    keccak256,
    rlp,
    verify_proof,
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["Homestead", "Cancun"]))
def test_changes_are_those_of_the_whole_state(seed, fork):
    random = Random(seed)
    state = whole_state(random)
    part = State.from_witness(everything(state), state.root())
    before = state.copy()
    found = []
    for _ in range(2):
        calls = block(random, fork)
        state.set_nonce(SENDER, 0)
        part.set_nonce(SENDER, 0)
        start = before.copy() if not found else state.copy()
        expected = execute_block(calls, state, changes=True).changes
        changes = execute_block(calls, part, changes=True).changes
        assert changes == expected
        assert Changes.decode(changes.encode()) == expected
        assert BlockAccessList.from_changes(changes) == BlockAccessList.from_changes(expected)
        start.apply(changes)
        assert start.root() == part.root() == state.root()
        found.append(changes)
    snapshot = part.snapshot()
    part.apply(found[-1].inverse())
    part.apply(found[-1])
    assert not part.changes_since(snapshot)
    assert part.root() == state.root()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_proofs_after_writes_are_those_of_the_whole_state_or_name_a_node(seed):
    random = Random(seed)
    state = whole_state(random)
    touched = random.sample(ADDRESSES, 4)
    witness = ExecutionWitness.of_proofs([state.prove(who, range(4)) for who in touched], [STORE])
    known = {keccak256(node) for node in witness.state}
    part = State.from_witness(witness, state.root())
    for who in touched[:2]:
        slot, value = random.randrange(4), random.randrange(2)
        for each in (state, part):
            each.set_storage(who, slot, value)
            each.set_balance(who, 7)
    fork = part.copy()
    fork.set_balance(touched[0], 8)
    for who in ADDRESSES:
        lacked = proof = None
        try:
            proof = part.prove(who, [0, 1, 50])
        except MissingNode as error:
            lacked = error
        if lacked is None:
            assert proof == state.prove(who, [0, 1, 50])
            assert verify_proof(state.root(), who, proof) == proof
        else:
            assert lacked.node not in known
            assert lacked.account in (None, keccak256(who), *(keccak256(each) for each in touched))


def test_copies_know_what_their_first_one_knew_and_go_their_own_ways():
    state = whole_state(Random(3))
    root = state.root()
    part = State.from_witness(everything(state), root)
    forks = [part.copy() for _ in range(3)]
    for number, fork in enumerate(forks):
        fork.set_balance(ADDRESSES[0], number + 10)
        fork.set_storage(ADDRESSES[1], 1, number)
    for number, fork in enumerate(forks):
        other = state.copy()
        other.set_balance(ADDRESSES[0], number + 10)
        other.set_storage(ADDRESSES[1], 1, number)
        assert fork.root() == fork.copy().root() == other.root()
    assert part.root() == root


def test_changes_of_what_was_written_unread_name_the_account():
    state = whole_state(Random(4))
    who = next(iter(state))
    part = State.from_witness(everything(state), state.root())
    snapshot = part.snapshot()
    part.set_balance(who, 5)
    with pytest.raises(MissingState) as caught:
        part.changes_since(snapshot)
    assert (caught.value.address, caught.value.slot) == (who, None)
    part.revert(snapshot)
    assert part.root() == state.root()


def test_a_part_of_a_state_has_no_bytes(tmp_path):
    """It pickles as its witness; a file would be taken for the whole state."""
    state = whole_state(Random(5))
    part = State.from_witness(everything(state), state.root())
    assert pickle.loads(pickle.dumps(part)).root() == state.root()
    for each in (State.to_bytes, lambda state: state.save(tmp_path / "state")):
        with pytest.raises(TypeError, match="strict"):
            each(part)
    assert not (tmp_path / "state").exists()


def hashed_branch(child: bytes) -> bytes:
    """A branch whose sixteen children are one."""
    return rlp.encode([*[child] * 16, b""])


def test_a_node_at_two_places_is_refused_and_takes_no_time_for_each_way():
    """Sixty branches of one child each: as many ways as 16 to the 60th."""
    account = rlp.encode([b"", b"\x01", keccak256(b"\x80"), keccak256(b"")])
    nodes = [rlp.encode([bytes([0x30]), account])]
    while len(nodes) < 60:
        nodes.append(hashed_branch(keccak256(nodes[-1])))
    with pytest.raises(InvalidWitness) as caught:
        State.from_witness(ExecutionWitness(tuple(nodes)), keccak256(nodes[-1]))
    assert caught.value.node in {keccak256(node) for node in nodes}
    unbound = nodes[1:]  # all but the leaf
    with pytest.raises(InvalidWitness) as caught:
        State.from_witness(ExecutionWitness(tuple(unbound)), keccak256(unbound[-1]))
    assert caught.value.node in {keccak256(node) for node in unbound}


def test_nodes_that_name_each_other_by_wrong_hashes_are_refused():
    first = hashed_branch(b"\x11" * 32)
    second = hashed_branch(keccak256(first))
    third = first.replace(b"\x11" * 32, keccak256(second))  # "first" of which `second` has another hash
    for root in (second, third):
        with pytest.raises(InvalidWitness) as caught:
            State.from_witness(ExecutionWitness((second, third)), keccak256(root))
        assert caught.value.node in {keccak256(second), keccak256(third)}
