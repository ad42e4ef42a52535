"""Witnesses of blocks: what a block needs of the state, no more and no less, the same with any strategy, and the same result from it."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from random import Random

import pytest
from chain_builder import grow, new_genesis
from hypothesis import given, settings
from hypothesis import strategies as st

from evmcore import (
    Block,
    EvmError,
    ExecutionWitness,
    Header,
    InvalidTransaction,
    InvalidWitness,
    MissingBlockHash,
    MissingCode,
    MissingNode,
    Piece,
    State,
    Tracer,
    Transaction,
    UnusableInput,
    Withdrawal,
    assemble,
    execute_block,
    execute_stateless,
    keccak256,
)
from evmcore.conformance.stateless import StatelessChain, WitnessFault

ACCOUNTS = [bytes([n]) * 20 for n in range(1, 30)]
SENDERS = [bytes([0x90 + n]) * 20 for n in range(3)]
COINBASE = bytes([0x77]) * 20
ORPHAN = bytes([0x66]) * 20
# What a contract does with its call data: word 0 chooses, words 1 and 2 are its arguments.
CONTRACT = assemble(
    """
    PUSH 32 CALLDATALOAD PUSH 0 CALLDATALOAD
    DUP1 PUSH 1 EQ PUSH @store JUMPI
    DUP1 PUSH 2 EQ PUSH @destroy JUMPI
    DUP1 PUSH 3 EQ PUSH @look JUMPI
    DUP1 PUSH 4 EQ PUSH @size JUMPI
    DUP1 PUSH 5 EQ PUSH @pay JUMPI
    DUP1 PUSH 6 EQ PUSH @past JUMPI
    DUP1 PUSH 7 EQ PUSH @create JUMPI
    PUSH 0 PUSH 0 REVERT
    store: JUMPDEST PUSH 64 CALLDATALOAD DUP3 SSTORE STOP
    destroy: JUMPDEST DUP2 SELFDESTRUCT
    look: JUMPDEST DUP2 EXTCODEHASH PUSH 100 SSTORE DUP2 BALANCE PUSH 101 SSTORE STOP
    size: JUMPDEST DUP2 EXTCODESIZE PUSH 100 SSTORE STOP
    pay: JUMPDEST PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 1 DUP7 GAS CALL POP STOP
    past: JUMPDEST DUP2 BLOCKHASH PUSH 102 SSTORE STOP
    create: JUMPDEST PUSH 0x6001600155600160015500 PUSH 0 MSTORE DUP2 PUSH 11 PUSH 21 PUSH 0 CREATE2 POP STOP
    """
)
FORKS = ["Homestead", "Byzantium", "Shanghai", "Cancun", "Prague"]


def whole_state(random: Random) -> State:
    accounts: dict = {sender: {"balance": 10**20} for sender in SENDERS}
    for address in random.sample(ACCOUNTS, random.randrange(3, 25)):
        slots = {random.randrange(12): random.randrange(1, 3) for _ in range(random.randrange(8))}
        code = random.choice([CONTRACT, CONTRACT, b"", assemble("PUSH 1 POP STOP")])
        accounts[address] = {"balance": random.randrange(3), "nonce": 1, "code": code, "storage": slots if code else {}}
    return State(accounts)


def chain_of(root: bytes, length: int, fork: str = "Cancun") -> list[Header]:
    """Headers of which the last one's state has that root."""
    headers = [Header(number=0, fork=fork, state_root=bytes(32))]
    for number in range(1, length):
        last = number == length - 1
        headers.append(
            Header(number=number, fork=fork, parent_hash=headers[-1].hash, state_root=root if last else bytes(32))
        )
    return headers


def random_block(random: Random, fork: str, root: bytes) -> tuple[Block, list[Header]]:
    headers = chain_of(root, 9, fork)
    base_fee = None if fork in ("Homestead", "Byzantium") else 0
    withdrawals = None
    if fork in ("Shanghai", "Cancun", "Prague"):
        withdrawals = tuple(
            Withdrawal(n, n, random.choice(ACCOUNTS), random.randrange(2)) for n in range(random.randrange(3))
        )
    nonces = dict.fromkeys(SENDERS, 0)
    transactions = []
    for _ in range(random.randrange(1, 12)):
        sender = random.choice(SENDERS)
        action = random.randrange(9)
        argument = random.choice(ACCOUNTS) if action in (2, 3, 4, 5) else random.randrange(12).to_bytes(20, "big")
        words = (action, int.from_bytes(argument, "big"), random.randrange(3))
        to = random.choice([*ACCOUNTS, *ACCOUNTS, None])
        transactions.append(
            Transaction(
                sender=sender,
                nonce=nonces[sender],
                gas_limit=300_000,
                to=to,
                data=b"".join(word.to_bytes(32, "big") for word in words) if to else bytes.fromhex("6001600155"),
                value=random.randrange(2),
            )
        )
        nonces[sender] += 1
    header = Header(
        number=9,
        fork=fork,
        gas_limit=10**8,
        base_fee_per_gas=base_fee,
        coinbase=random.choice([COINBASE, *ACCOUNTS[:3]]),
        parent_hash=headers[-1].hash,
        block_hashes={header.number: header.hash for header in headers},
    )
    return Block(header, tuple(transactions), withdrawals=withdrawals), headers


def system_contracts(state: State) -> State:
    """With something in place of what Prague calls."""
    for address in ("00000961Ef480Eb55e80D19ad83579A64c007002", "0000BBdDc7CE488642fb579F8B00f3a590007251"):
        state.set_code(bytes.fromhex(address), b"\0")
    return state


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(FORKS))
def test_a_block_comes_out_the_same_from_its_witness_alone(seed, fork):
    random = Random(seed)
    state = system_contracts(whole_state(random))
    root = state.root()
    block, headers = random_block(random, fork, root)
    plain = execute_block(block, state.copy(), workers=1)
    results = [
        execute_block(block, state.copy(), workers=workers, strategy=strategy, witness=True, ancestors=headers)
        for workers, strategy in ((1, "sequential"), (2, "optimistic"), (3, "optimistic"), (2, "groups"))
    ]
    witness = results[0].witness
    assert plain.witness is None
    for result in results:
        assert not plain.differences(result)
        assert result.witness == witness
    assert list(witness.state) == sorted(set(witness.state))
    assert list(witness.codes) == sorted(set(witness.codes))
    for strategy, workers in (("sequential", 1), ("optimistic", 2)):
        again = execute_stateless(block, witness, workers=workers, strategy=strategy)
        assert not plain.differences(again)
    assert not plain.differences(execute_stateless(block, json.loads(json.dumps(witness.to_json()))))
    # A witness of the witness is the same one.
    part = State.from_witness(witness, root)
    assert execute_block(block, part, workers=1, witness=True, ancestors=headers).witness == witness


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["Homestead", "Byzantium", "Cancun"]))
def test_a_block_needs_each_node_and_code_of_its_witness(seed, fork):
    random = Random(seed)
    state = whole_state(random)
    root = state.root()
    block, headers = random_block(random, fork, root)
    witness = execute_block(block, state, workers=1, witness=True, ancestors=headers).witness
    for name, error in (("state", MissingNode), ("codes", MissingCode)):
        items = getattr(witness, name)
        for lost in items:
            less = replace(witness, **{name: tuple(item for item in items if item != lost)})
            with pytest.raises((error, InvalidWitness)) as caught:  # what was below a lost node leads nowhere
                execute_stateless(block, less, workers=1)
            if isinstance(caught.value, MissingNode):
                assert caught.value.node == keccak256(lost)
            elif isinstance(caught.value, MissingCode):
                assert caught.value.code_hash == keccak256(lost)


def call(to: bytes, *words: int, nonce: int = 0, sender: bytes = SENDERS[0], fork: str = "Cancun", **fields) -> Block:
    data = b"".join(word.to_bytes(32, "big") for word in words)
    header = Header(number=9, fork=fork, gas_limit=10**8, base_fee_per_gas=0, coinbase=COINBASE, **fields)
    return Block(header, (Transaction(sender=sender, nonce=nonce, gas_limit=300_000, to=to, data=data),))


def test_a_deletion_has_the_sibling_that_it_leaves_alone():
    keys = sorted(range(200), key=lambda slot: keccak256(slot.to_bytes(32, "big")))
    same = [slot for slot in keys if keccak256(slot.to_bytes(32, "big"))[0] >> 4 == 0][:2]
    for left in ({same[0]: 5, same[1]: 7}, {same[0]: 5, same[1]: 7, keys[-1]: 9}):
        state = State({ACCOUNTS[0]: {"code": CONTRACT, "storage": left}, SENDERS[0]: {"balance": 10**18}})
        sibling = state.prove(ACCOUNTS[0], [same[1]]).storage[0].nodes[-1]
        read = execute_block(call(ACCOUNTS[0], 1, same[0], 6), state.copy(), workers=1, witness=True).witness
        deleted = execute_block(call(ACCOUNTS[0], 1, same[0], 0), state.copy(), workers=1, witness=True).witness
        assert sibling not in read.state
        assert sibling in deleted.state
        assert set(deleted.state) == {*read.state, sibling}


def test_what_execution_looks_at_without_the_bytes_has_no_code():
    state = State(
        {ACCOUNTS[0]: {"code": CONTRACT}, ACCOUNTS[1]: {"code": b"\x60\x01"}, SENDERS[0]: {"balance": 10**18}}
    )
    other = int.from_bytes(ACCOUNTS[1], "big")
    for action, codes in ((3, {CONTRACT}), (4, {CONTRACT, b"\x60\x01"})):
        result = execute_block(call(ACCOUNTS[0], action, other), state.copy(), workers=1, witness=True)
        assert set(result.witness.codes) == codes


def test_a_code_that_the_block_makes_is_not_in_its_witness():
    state = State({SENDERS[0]: {"balance": 10**18}})
    init = assemble("PUSH 0x6001600155 PUSH 0 MSTORE PUSH 5 PUSH 27 RETURN")
    made = Transaction(sender=SENDERS[0], nonce=0, gas_limit=300_000, to=None, data=init)
    header = Header(number=1, fork="Cancun", gas_limit=10**8, base_fee_per_gas=0, coinbase=COINBASE)
    address = execute_block(Block(header, (made,)), state.copy(), workers=1).receipts[0].contract_address
    block = Block(header, (made, Transaction(sender=SENDERS[0], nonce=1, gas_limit=300_000, to=address)))
    result = execute_block(block, state.copy(), workers=1, witness=True)
    assert result.witness.codes == ()
    part = State.from_witness(result.witness, state.root())
    assert not result.differences(execute_block(block, part, workers=1))


@pytest.mark.parametrize(("strategy", "workers"), [("sequential", 1), ("optimistic", 2)])
@pytest.mark.parametrize(("asked", "first"), [((), 8), ((8,), 8), ((5, 7), 5), ((0,), 0)])
def test_headers_go_back_to_the_oldest_hash_that_is_asked_for(strategy, workers, asked, first):
    state = State({
        ACCOUNTS[0]: {"code": CONTRACT}, **{sender: {"balance": 10**18} for sender in SENDERS},
    })  # fmt: skip
    headers = chain_of(state.root(), 9)
    base = call(ACCOUNTS[0], 1, 1, 1, parent_hash=headers[-1].hash)
    header = replace(base.header, block_hashes={one.number: one.hash for one in headers})
    calls = tuple(
        Transaction(sender=sender, nonce=0, gas_limit=300_000, to=ACCOUNTS[0],
                    data=(6).to_bytes(32, "big") + number.to_bytes(32, "big"))
        for sender, number in zip(SENDERS, asked)
    )  # fmt: skip
    block = Block(header, calls)
    ways = {"workers": workers, "strategy": strategy, "witness": True}
    for given_ in (headers, [one.encode() for one in headers], iter(headers)):
        result = execute_block(block, state.copy(), ancestors=given_, **ways)
        assert result.witness.headers == tuple(one.encode() for one in headers[first:])
    assert execute_block(block, state.copy(), **ways).witness.headers == ()
    assert not result.differences(execute_stateless(block, result.witness))
    if first < 8:
        before = state.root()
        with pytest.raises(UnusableInput, match=f"begin with block 8, the block asks for the hash of {first}"):
            execute_block(block, state, ancestors=headers[8:], **ways)
        assert state.root() == before
        less = replace(result.witness, headers=result.witness.headers[1:])
        with pytest.raises(MissingBlockHash) as caught:
            execute_stateless(block, less)
        assert caught.value.number == first


def test_headers_that_do_not_lead_to_the_block_are_named():
    state = State({ACCOUNTS[0]: {"code": CONTRACT}, SENDERS[0]: {"balance": 10**18}})
    headers = chain_of(state.root(), 9)
    block = call(ACCOUNTS[0], 3, 0, parent_hash=headers[-1].hash)
    good = execute_block(block, state.copy(), workers=1, witness=True, ancestors=headers).witness
    assert not execute_block(block, state.copy()).differences(execute_stateless(block, good))
    encoded = [one.encode() for one in headers]
    forged = replace(headers[-1], state_root=bytes(32)).encode()
    for wrong in (encoded[:-1], [*encoded, encoded[-1]], [*encoded[:3], *encoded[4:]], [forged], [b""], [b"\xc0"]):
        with pytest.raises(InvalidWitness, match="witness, header 0x") as caught:
            execute_stateless(block, replace(good, headers=tuple(wrong)))
        assert caught.value.kind == "header"
        assert caught.value.node in {keccak256(one) for one in wrong}
        with pytest.raises(InvalidWitness):
            execute_block(block, state.copy(), witness=True, ancestors=wrong)
    with pytest.raises(InvalidWitness, match="there is none"):
        execute_stateless(block, replace(good, headers=()))
    # Of the right hash, but nothing that a header is: the number isn't the one before the block's.
    lying = replace(headers[-1], number=3)
    with pytest.raises(InvalidWitness, match="it is header 3, and should be 8"):
        execute_stateless(block.with_header(parent_hash=lying.hash), replace(good, headers=(lying.encode(),)))
    junk = b"\xc1\x80"
    with pytest.raises(InvalidWitness, match="it is none"):
        execute_stateless(block.with_header(parent_hash=keccak256(junk)), replace(good, headers=(junk,)))


def test_what_a_witness_can_not_be_made_of_is_refused_before_anything_runs():
    plain = {ACCOUNTS[0]: {"code": CONTRACT, "balance": 1}, SENDERS[0]: {"balance": 10**18}, COINBASE: None}
    block = call(ACCOUNTS[0], 1, 1, 1)
    strict = State({key: value for key, value in plain.items() if value}, strict=True)
    lazy = State(source=dict.fromkeys)
    for state in (strict, lazy):
        with pytest.raises(UnusableInput, match="witness: the state is strict or lazy"):
            execute_block(block, state, witness=True)
    state = State({key: value for key, value in plain.items() if value})
    with pytest.raises(UnusableInput, match="witness: a piece"):
        execute_block(block, state, witness=True, piece=Piece(0, 1))
    for wrong in (1, 0, None, "yes", b"", [], object()):
        with pytest.raises(TypeError, match=f"witness: expected a bool, got {type(wrong).__name__}"):
            execute_block(block, state, witness=wrong)
    for wrong in (1, b"\xc0", "0x", {}, object()):
        with pytest.raises(TypeError, match=f"ancestors: expected headers, got {type(wrong).__name__}"):
            execute_block(block, state, witness=True, ancestors=wrong)
    for wrong in ([1], [None], ["0xc0"]):
        with pytest.raises(UnusableInput, match="ancestors"):
            execute_block(block, state, witness=True, ancestors=wrong)
    refused = call(ACCOUNTS[0], 1, 1, 1, nonce=5)
    before = state.root()
    with pytest.raises(InvalidTransaction):
        execute_block(refused, state, witness=True)
    assert state.root() == before


class Watcher(Tracer):
    def on_exit(self, *_):
        pass


def test_accesses_and_tracers_give_the_same_witness():
    random = Random(7)
    state = whole_state(random)
    block, headers = random_block(random, "Cancun", state.root())
    recorded = execute_block(block, state.copy(), workers=2, record=True, witness=True, ancestors=headers)
    ways = [{"accesses": recorded.accesses, "strategy": "recorded"}, {"accesses": recorded.accesses}]
    wrong = replace(recorded.accesses, slots=recorded.accesses.slots[:0])
    ways += [{"accesses": wrong, "strategy": "recorded-hint"}, {"tracer": Watcher(), "workers": 1}]
    for way in ways:
        result = execute_block(block, state.copy(), witness=True, ancestors=headers, **{"workers": 2, **way})
        assert result.witness == recorded.witness
    assert pickle.loads(pickle.dumps(recorded)).witness == recorded.witness


def test_an_access_list_need_not_be_in_the_witness():
    state = whole_state(Random(3))
    base = call(ORPHAN, 0)
    listed = Transaction(type=1, sender=SENDERS[0], gas_limit=300_000, to=ORPHAN, data=bytes(32), chain_id=1,
                         access_list=((ACCOUNTS[4], (1, 2)), (ACCOUNTS[9], ())))  # fmt: skip
    block = replace(base, transactions=(listed,))
    result = execute_block(block, state.copy(), workers=1, witness=True)
    assert result.witness == execute_block(base, state.copy(), workers=1, witness=True).witness
    for workers in (1, 2):
        part = State.from_witness(result.witness, state.root())
        assert not result.differences(execute_block(block, part, workers=workers))


def test_a_delegation_is_in_the_witness_and_what_it_names():
    target = assemble("PUSH 1 PUSH 1 SSTORE STOP")
    state = system_contracts(State({
        ACCOUNTS[0]: {"code": b"\xef\x01\x00" + ACCOUNTS[1]}, ACCOUNTS[1]: {"code": target},
        SENDERS[0]: {"balance": 10**18, "code": b"\xef\x01\x00" + ACCOUNTS[2]},
    }))  # fmt: skip
    block = call(ACCOUNTS[0], fork="Prague")
    result = execute_block(block, state.copy(), workers=1, witness=True)
    assert {target, state.get_code(ACCOUNTS[0]), state.get_code(SENDERS[0])} <= set(result.witness.codes)
    part = State.from_witness(result.witness, state.root())
    assert not result.differences(execute_block(block, part, workers=1))


def test_a_root_after_each_transaction_has_the_siblings_that_it_needs():
    low = sorted(range(100), key=lambda slot: keccak256(slot.to_bytes(32, "big")))[:2]
    state = State({ACCOUNTS[0]: {"code": CONTRACT, "storage": dict.fromkeys(low, 1)}, SENDERS[0]: {"balance": 10**18}})
    header = Header(number=1, fork="Homestead", gas_limit=10**8, coinbase=COINBASE)
    calls = tuple(
        Transaction(sender=SENDERS[0], nonce=nonce, gas_limit=300_000, to=ACCOUNTS[0],
                    data=b"".join(word.to_bytes(32, "big") for word in (1, low[0], value)))
        for nonce, value in enumerate((0, 1))
    )  # fmt: skip
    block = Block(header, calls)
    sibling = state.prove(ACCOUNTS[0], [low[1]]).storage[0].nodes[-1]
    with_roots = execute_block(block, state.copy(), workers=1, witness=True)
    without = execute_block(block, state.copy(), workers=1, witness=True, state_roots=False)
    assert sibling in with_roots.witness.state
    assert sibling not in without.witness.state
    part = State.from_witness(with_roots.witness, state.root())
    assert not with_roots.differences(execute_block(block, part, workers=1))


def test_an_empty_block_needs_nothing_but_its_system_calls():
    state = State({SENDERS[0]: {"balance": 1}})
    block = replace(call(ACCOUNTS[0]), transactions=())
    assert execute_block(block, state, witness=True).witness == ExecutionWitness()
    empty = State()
    assert execute_block(block, empty, witness=True).witness == ExecutionWitness()
    rewarded = replace(block, header=replace(block.header, fork="Homestead", base_fee_per_gas=None))
    result = execute_block(rewarded, State({SENDERS[0]: {"balance": 1}}), witness=True)
    assert len(result.witness.state) == 1


@pytest.mark.parametrize("network", ["Frontier", "BerlinToLondonAt5", "London", "Cancun", "Prague"])
@pytest.mark.parametrize("strategy", ["sequential", "optimistic"])
def test_a_chain_is_imported_from_witnesses_alone(network, strategy):
    genesis = new_genesis(network)
    chain = StatelessChain(genesis, workers=2, strategy=strategy)
    grow(chain, 7)
    assert chain.head.number == 7
    assert chain.state_of(chain.head).root() == chain.head.header.state_root


def test_a_block_that_differs_from_its_witness_fails_its_test(monkeypatch):
    chain = StatelessChain(new_genesis("Cancun"))
    grow(chain, 2)
    whole = State.from_witness

    def without_codes(witness, root):
        return whole(replace(witness, state=witness.state[1:]), root)

    monkeypatch.setattr(
        "evmcore.conformance.stateless.State", type("Less", (), {"from_witness": staticmethod(without_codes)})
    )
    with pytest.raises(WitnessFault, match="from the witness alone: "):
        grow(chain, 1)
    assert not issubclass(WitnessFault, EvmError)


@pytest.mark.parametrize(("strategy", "workers"), [("sequential", 1), ("optimistic", 2)])
def test_what_only_the_order_of_transactions_tells_takes_no_execution_for_each_key(strategy, workers):
    # Each transaction reads the slot after the one that the last one has read.
    walker = assemble("PUSH 0 SLOAD DUP1 SLOAD PUSH 1000 SSTORE PUSH 1 ADD PUSH 0 SSTORE STOP")
    state = State({
        ACCOUNTS[0]: {"code": walker, "storage": {n: n for n in range(1, 60)}}, SENDERS[0]: {"balance": 10**18},
    })  # fmt: skip
    calls = tuple(Transaction(sender=SENDERS[0], nonce=nonce, gas_limit=100_000, to=ACCOUNTS[0]) for nonce in range(40))
    block = replace(call(ACCOUNTS[0]), transactions=calls)
    plain = execute_block(block, state.copy(), workers=1, witness=True)
    part = State.from_witness(plain.witness, state.root())
    result = execute_block(block, part, workers=workers, strategy=strategy)
    assert not plain.differences(result)
    assert result.statistics.fetched_batches == 0
    assert workers > 1 or result.statistics.executions == len(calls)
    less = replace(plain.witness, state=plain.witness.state[:-1])
    with pytest.raises((MissingNode, InvalidWitness)):
        execute_block(block, State.from_witness(less, state.root()), workers=workers, strategy=strategy)
