"""States of which a witness has a part: blocks come out as on the whole state, or an error says which node or code they lack."""

from __future__ import annotations

import json
import pickle
from random import Random

import pytest
from helpers import dump
from hypothesis import given, settings
from hypothesis import strategies as st

from evmcore import (
    Block,
    ExecutionWitness,
    Header,
    InvalidTransaction,
    InvalidWitness,
    MissingCode,
    MissingNode,
    MissingState,
    State,
    Transaction,
    UnusableInput,
    assemble,
    execute_block,
    keccak256,
    verify_proof,
)

ADDRESSES = [bytes([n]) * 20 for n in range(1, 40)]
SENDER = bytes([0x99]) * 20
COINBASE = bytes([0x77]) * 20
STORE = assemble("PUSH 32 CALLDATALOAD PUSH 0 CALLDATALOAD SSTORE STOP")


def whole_state(random: Random) -> State:
    accounts: dict = {SENDER: {"balance": 10**20}}
    for address in random.sample(ADDRESSES, 25):
        slots = {random.randrange(20): random.randrange(1, 3) for _ in range(random.randrange(12))}
        accounts[address] = {"balance": random.randrange(3), "code": STORE, "storage": slots}
    return State(accounts)


def block(random: Random, fork: str = "Cancun") -> Block:
    calls = []
    for nonce in range(random.randrange(1, 5)):
        data = random.randrange(20).to_bytes(32, "big") + random.randrange(3).to_bytes(32, "big")
        calls.append(
            Transaction(sender=SENDER, nonce=nonce, gas_limit=100_000, to=random.choice(ADDRESSES), data=data, value=1)
        )
    base_fee = None if fork == "Homestead" else 0
    header = Header(number=1, fork=fork, gas_limit=10**8, base_fee_per_gas=base_fee, coinbase=COINBASE)
    return Block(header, tuple(calls))


def everything(state: State) -> ExecutionWitness:
    proofs = [state.prove(address, range(20)) for address in [*ADDRESSES, SENDER, COINBASE, bytes(20)]]
    return ExecutionWitness.of_proofs(proofs, [STORE])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["Homestead", "Cancun"]))
def test_blocks_come_out_as_on_the_whole_state(seed, fork):
    random = Random(seed)
    state = whole_state(random)
    root = state.root()
    part = State.from_witness(everything(state), root)
    assert part.root() == root
    for _ in range(3):
        calls = block(random, fork)
        state.set_nonce(SENDER, 0)
        part.set_nonce(SENDER, 0)
        snapshot = part.snapshot()
        expected = execute_block(calls, state, workers=1)
        result = execute_block(calls, part, workers=1)
        assert (result.receipts, result.state_root) == (expected.receipts, expected.state_root)
        if random.random() < 0.5:
            part.revert(snapshot)
            assert execute_block(calls, part, workers=2).state_root == expected.state_root
        fork_of = part.copy()
        fork_of.delete_account(random.choice(ADDRESSES))
        assert part.root() == state.root()
    address = random.choice(ADDRESSES)
    assert verify_proof(state.root(), address, part.prove(address, [1, 2])) == state.prove(address, [1, 2])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_what_a_witness_lacks_is_named_and_never_read_as_empty(seed):
    random = Random(seed)
    state = whole_state(random)
    root = state.root()
    touched = random.sample(ADDRESSES, 3)
    witness = ExecutionWitness.of_proofs(
        [state.prove(address, random.sample(range(20), 4)) for address in [SENDER, *touched]], [STORE]
    )
    part = State.from_witness(witness, root)
    made = block(random)
    known = set(witness.state)
    before = dump(state)
    lacked = got = None
    try:
        got = execute_block(made, part, workers=1).state_root
    except MissingNode as error:
        lacked = error
    if lacked is None:
        assert got == execute_block(made, state, workers=1).state_root
        return
    assert len(lacked.node) == 32
    assert lacked.node not in {keccak256(node) for node in known}
    assert lacked.account is None or lacked.account in {keccak256(address) for address in before}
    assert part.snapshot()  # it can be used as before
    assert State.from_witness(witness, root).root() == root


def test_a_deletion_needs_the_sibling_that_is_left_alone():
    addresses = sorted(ADDRESSES, key=keccak256)
    state = State({addresses[0]: {"balance": 1}, addresses[-1]: {"balance": 2}})
    root = state.root()
    part = State.from_witness(ExecutionWitness.of_proofs([state.prove(addresses[0])]), root)
    part.delete_account(addresses[0])
    with pytest.raises(MissingNode) as caught:
        part.root()
    sibling = state.prove(addresses[-1]).nodes[-1]
    assert (caught.value.node, caught.value.account, len(caught.value.path)) == (keccak256(sibling), None, 1)
    state.delete_account(addresses[0])
    whole = State({addresses[0]: {"balance": 1}, addresses[-1]: {"balance": 2}})
    witness = ExecutionWitness.of_proofs([whole.prove(addresses[0]), whole.prove(addresses[-1])])
    part = State.from_witness(witness, root)
    part.delete_account(addresses[0])
    assert part.root() == state.root()
    snapshot = part.snapshot()
    part.delete_account(addresses[-1])
    assert part.root() == State().root()
    part.revert(snapshot)
    assert part.root() == state.root()


LOOK = assemble("PUSH 0 CALLDATALOAD DUP1 EXTCODEHASH PUSH 0 SSTORE DUP1 BALANCE PUSH 1 SSTORE PUSH 0 PUSH 0 PUSH 0 "
                "PUSH 0 PUSH 200 DUP6 PUSH 5000 CALL PUSH 2 SSTORE STOP")  # fmt: skip
LOOKER = ADDRESSES[1]


def with_hidden_code(*codes: bytes) -> tuple[State, State]:
    """A whole state, and the same without the code of ADDRESSES[0]."""
    state = State({
        ADDRESSES[0]: {"code": STORE, "nonce": 7, "balance": 100, "storage": {1: 1}},
        LOOKER: {"code": LOOK, "balance": 10},
        SENDER: {"balance": 10**18},
    })  # fmt: skip
    addresses = (ADDRESSES[0], LOOKER, SENDER, COINBASE, ADDRESSES[5])
    proofs = [state.prove(address, range(4)) for address in addresses]
    return state, State.from_witness(ExecutionWitness.of_proofs(proofs, codes), state.root())


def one_call(to: bytes | None, data: bytes = b"", fork: str = "Cancun", **fields) -> Block:
    header = Header(number=1, fork=fork, gas_limit=10**8, base_fee_per_gas=0, coinbase=COINBASE)
    fields = {"sender": SENDER, "gas_limit": 10**6, "to": to, "data": data, **fields}
    return Block(header, (Transaction(**fields),))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_code_that_is_not_there_is_named(workers):
    _, part = with_hidden_code()
    with pytest.raises(MissingCode) as caught:
        execute_block(one_call(ADDRESSES[0]), part, workers=workers, strategy="optimistic")
    assert (caught.value.address, caught.value.code_hash) == (ADDRESSES[0], keccak256(STORE))
    assert isinstance(caught.value, MissingState)
    assert part.root() == with_hidden_code()[0].root()


@pytest.mark.parametrize("workers", [1, 2])
def test_what_does_not_need_a_code_works_without_it(workers):
    state, part = with_hidden_code(LOOK)
    made = one_call(LOOKER, bytes(12) + ADDRESSES[0])  # the call inside has too little to give
    expected = execute_block(made, state, workers=workers, strategy="optimistic")
    result = execute_block(made, part, workers=workers, strategy="optimistic")
    assert (result.receipts, result.state_root) == (expected.receipts, expected.state_root)
    assert part.get_storage(LOOKER, 0) == int.from_bytes(keccak256(STORE), "big")
    assert (part.get_balance(ADDRESSES[0]), part.get_nonce(ADDRESSES[0])) == (100, 7)
    assert part.get_code_hash(ADDRESSES[0]) == keccak256(STORE)
    part.set_balance(ADDRESSES[0], 5)
    state.set_balance(ADDRESSES[0], 5)
    assert part.root() == state.root() == part.copy().root()
    for ask in (part.get_code, part.get_account, lambda _: dict(part.items()), lambda _: part.to_alloc()):
        with pytest.raises(MissingCode) as caught:
            ask(ADDRESSES[0])
        assert (caught.value.address, caught.value.code_hash) == (ADDRESSES[0], keccak256(STORE))
    assert part != state
    assert part == part.copy()


@pytest.mark.parametrize("program", ["EXTCODESIZE", "PUSH 1 PUSH 0 PUSH 0 DUP4 EXTCODECOPY"])
@pytest.mark.parametrize("is_delegated", [False, True])
def test_the_bytes_and_the_length_of_a_code_are_needed(program, is_delegated):
    state, _ = with_hidden_code()
    reader = assemble(f"PUSH 0 CALLDATALOAD {program} STOP")
    state.set_code(LOOKER, reader)
    addresses = (ADDRESSES[0], LOOKER, SENDER, COINBASE, ADDRESSES[5])
    state.set_code(ADDRESSES[5], b"\xef\x01\x00" + LOOKER)
    witness = ExecutionWitness.of_proofs(
        [state.prove(address) for address in addresses], [reader, state.get_code(ADDRESSES[5])]
    )
    part = State.from_witness(witness, state.root())
    made = one_call(ADDRESSES[5] if is_delegated else LOOKER, bytes(12) + ADDRESSES[0], fork="Prague")
    with pytest.raises(MissingCode) as caught:
        execute_block(made, part, workers=1, strategy="sequential")
    assert (caught.value.address, caught.value.code_hash) == (ADDRESSES[0], keccak256(STORE))


def test_a_sender_whose_code_is_not_known_is_no_sender_until_it_is():
    state, part = with_hidden_code()
    made = one_call(ADDRESSES[9], sender=ADDRESSES[0], nonce=7, max_fee_per_gas=0)
    for one in (state, part):  # whatever the code is, without delegations its account sends nothing
        with pytest.raises(InvalidTransaction, match="sender not eoa"):
            execute_block(made, one, workers=1)
    prague = one_call(ADDRESSES[9], sender=ADDRESSES[0], nonce=7, fork="Prague")
    with pytest.raises(MissingCode) as caught:
        execute_block(prague, part, workers=1)
    assert caught.value.code_hash == keccak256(STORE)


def test_a_code_that_becomes_known_is_kept_beside_its_hash():
    state, part = with_hidden_code(LOOK)
    for one in (state, part):
        execute_block(one_call(LOOKER, bytes(12) + ADDRESSES[0]), one, workers=1)
        snapshot = one.snapshot()
        one.set_code(ADDRESSES[5], STORE)
        assert one.get_code(ADDRESSES[5]) == STORE
        copy = one.copy()
        copy.set_code(ADDRESSES[0], STORE)
        assert copy.get_code(ADDRESSES[0]) == STORE
        copy.delete_account(ADDRESSES[5])
        copy.root()
        one.revert(snapshot)
    with pytest.raises(MissingCode):
        part.get_code(ADDRESSES[0])
    assert part.root() == state.root()
    part.set_code(ADDRESSES[0], b"")
    state.set_code(ADDRESSES[0], b"")
    assert part.root() == state.root()


def test_a_source_may_tell_the_hash_of_a_code_alone():
    state = State({ADDRESSES[0]: {"code": STORE, "balance": 3}})
    asked = {"code_hash": keccak256(STORE), "balance": 3, "storage_root": bytes(32)}
    part = State(source=lambda keys: {key: asked if key[0] == ADDRESSES[0] else None for key in keys})
    part.set_balance(SENDER, 10**18)
    with pytest.raises(MissingCode):
        execute_block(one_call(ADDRESSES[0]), part, workers=1)
    assert part.get_code_hash(ADDRESSES[0]) == state.get_code_hash(ADDRESSES[0])


def test_forged_witnesses_are_refused_with_the_node_at_fault():
    random = Random(1)
    state = whole_state(random)
    root = state.root()
    witness = everything(state)
    nodes = list(witness.state)
    surplus = ExecutionWitness((*nodes, b"\xc2\x01\x02"), witness.codes)
    with pytest.raises(
        InvalidWitness, match=f"node 0x{keccak256(bytes.fromhex('c20102')).hex()}: no node of the trie leads to it"
    ):
        State.from_witness(surplus, root)
    for _ in range(60):
        index = random.randrange(len(nodes))
        raw = bytearray(nodes[index])
        raw[random.randrange(len(raw))] ^= 1 << random.randrange(8)
        with pytest.raises(InvalidWitness) as caught:
            State.from_witness(ExecutionWitness((*nodes[:index], bytes(raw), *nodes[index + 1 :])), root)
        assert len(caught.value.node) == 32
    with pytest.raises(InvalidWitness, match="leads to it"):
        State.from_witness(witness, bytes(32))
    with pytest.raises(InvalidWitness, match="longer than any node"):
        State.from_witness(ExecutionWitness((bytes(100_000),)), root)
    lost = State.from_witness(ExecutionWitness(), root)
    assert lost.root() == root
    lost.set_balance(ADDRESSES[0], 1)
    with pytest.raises(MissingNode) as caught:
        lost.root()
    assert (caught.value.node, caught.value.path) == (root, "")
    assert State.from_witness(ExecutionWitness(), State().root()).root() == State().root()


def test_a_witness_goes_through_json():
    witness = everything(whole_state(Random(2)))
    assert ExecutionWitness.from_json(json.loads(json.dumps(witness.to_json()))) == witness
    assert list(witness.state) == sorted(set(witness.state))
    root = whole_state(Random(2)).root()
    assert State.from_witness({**witness.to_json(), "keys": []}, root).root() == root
    for bad in ({}, {"state": 1, "codes": [], "headers": []}, {"state": [], "codes": ["0x1"], "headers": []}):
        with pytest.raises(UnusableInput):
            State.from_witness(bad, bytes(32))


def test_what_is_learned_again_after_a_revert_keeps_its_storage():
    state = State({address: {"code": STORE, "storage": {1: 1, 2: 2}} for address in ADDRESSES[:3]})
    state.set_balance(SENDER, 10**20)
    root = state.root()
    part = State.from_witness(everything(state), root)
    part.root()

    def call(to: bytes, nonce: int) -> Block:
        data = (3).to_bytes(32, "big") + (7).to_bytes(32, "big")
        tx = Transaction(sender=SENDER, nonce=nonce, gas_limit=100_000, to=to, data=data)
        return Block(Header(number=1, fork="Cancun", gas_limit=10**8, base_fee_per_gas=0, coinbase=COINBASE), (tx,))

    snapshot = part.snapshot()
    execute_block(call(ADDRESSES[0], 0), part, workers=1)
    part.revert(snapshot)
    assert part.root() == root
    for nonce, to in enumerate((ADDRESSES[1], ADDRESSES[2], ADDRESSES[0])):
        expected = execute_block(call(to, nonce), state, workers=1)
        assert execute_block(call(to, nonce), part, workers=1).state_root == expected.state_root


@pytest.mark.parametrize("wrong", [None, 1, "x", b"x", {}, object()])
def test_a_witness_is_made_of_proofs_and_codes_alone(wrong):
    proof = State({SENDER: {"balance": 1}}).prove(SENDER, [])
    with pytest.raises(TypeError, match=f"proofs: expected AccountProof, got {type(wrong).__name__}"):
        ExecutionWitness.of_proofs([proof, wrong])
    if not isinstance(wrong, bytes):
        with pytest.raises(TypeError, match=f"codes: expected bytes, got {type(wrong).__name__}"):
            ExecutionWitness.of_proofs([proof], [wrong])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_a_state_from_a_witness_travels_with_all_that_it_knows(seed):
    random = Random(seed)
    state = whole_state(random)
    known = random.sample(ADDRESSES, 12)
    witness = ExecutionWitness.of_proofs([state.prove(address, range(20)) for address in [*known, SENDER]], [STORE])
    part = State.from_witness(witness, state.root())
    same = part.to_witness()
    assert (same.state, same.codes) == (witness.state, witness.codes)
    for turn in range(3):
        address = random.choice(known)
        try:
            part.set_storage(address, random.randrange(20), random.randrange(3))
            part.set_balance(address, turn)
            part.root()
        except (MissingNode, MissingState):
            return  # of a sibling that isn't there
        copy = pickle.loads(pickle.dumps(part))
        assert copy.root() == part.root()
        for each in ADDRESSES:
            for read in (State.get_balance, State.get_code, State.get_nonce, lambda s, a: s.get_storage(a, 3)):
                told, before = outcome(read, copy, each), outcome(read, part, each)
                # A node goes by its hash: one that a write made may be one that another account lacks.
                is_found = isinstance(before, tuple) and before[0] is MissingNode and told == outcome(read, state, each)
                assert told == before or is_found
        calls = block(random)
        results = [outcome(lambda s, b: execute_block(b, s).state_root, one.copy(), calls) for one in (part, copy)]
        assert results[0] == results[1]
        part = copy


def outcome(read, state: State, what: object) -> object:
    """What it gives, or the error's words."""
    try:
        return read(state, what)
    except (MissingNode, MissingState, MissingCode) as error:
        return type(error), str(error)


def test_a_part_that_has_no_root_does_not_travel_and_says_what_it_lacks():
    addresses = sorted(ADDRESSES, key=keccak256)
    state = State({addresses[0]: {"balance": 1}, addresses[-1]: {"balance": 2}})
    part = State.from_witness(ExecutionWitness.of_proofs([state.prove(addresses[0])]), state.root())
    assert pickle.loads(pickle.dumps(part)).get_balance(addresses[0]) == 1
    part.delete_account(addresses[0])
    for travel in (pickle.dumps, State.to_witness):
        with pytest.raises(MissingNode):
            travel(part)


def test_a_witness_of_all_is_the_whole_state():
    state = whole_state(Random(5))
    part = State.from_witness(state.to_witness(), state.root())
    assert part.to_witness() == state.to_witness()
    for address, account in state.items():
        assert part.get_balance(address) == account.balance
        assert part.get_code(address) == account.code
        assert [part.get_storage(address, slot) for slot in range(20)] == [account.storage.get(n, 0) for n in range(20)]
    assert State().to_witness() == ExecutionWitness()
    assert State.from_witness(ExecutionWitness(), State().root()).root() == State().root()
    for strict in (State(strict=True), State(source=lambda keys: {})):
        with pytest.raises(UnusableInput, match="strict or lazy"):
            strict.to_witness()
        with pytest.raises(TypeError):
            pickle.dumps(State(strict=True))


def test_a_subclass_and_its_attributes_travel():
    class_state = Named.from_witness(whole_state(Random(5)).to_witness(), whole_state(Random(5)).root())
    class_state.name = "part"
    copy = pickle.loads(pickle.dumps(class_state))
    assert type(copy) is Named
    assert copy.name == "part"
    make, (witness, root), _ = class_state.__reduce__()
    with pytest.raises(InvalidWitness):
        make(ExecutionWitness((*witness.state, b"\xc2\x80\x80"), witness.codes), root)


class Named(State):
    """A state with a name."""

    name: str
