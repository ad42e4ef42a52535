"""Roots that follow changes: whatever was written, undone, copied and kept between two roots, each is that of what the state holds."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from helpers import Stop, dump
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import state_root

from evmcore import Account, Block, Header, State, Transaction, assemble, execute_block

ADDRESSES = [bytes([n]) * 20 for n in range(1, 8)]
HEADER = Header(number=1, fork="Cancun", gas_limit=10**9, base_fee_per_gas=0)
SENDER = bytes([0x99]) * 20
# Writes its input's first word to the slot of its second; destroys itself for the sender without input.
STORE = assemble("CALLDATASIZE PUSH @store JUMPI CALLER SELFDESTRUCT store: JUMPDEST PUSH 32 CALLDATALOAD PUSH 0 CALLDATALOAD "
                 "SWAP1 SSTORE STOP")  # fmt: skip


def write(state: State, random: Random) -> None:
    address = random.choice(ADDRESSES)
    kind = random.randrange(8)
    if kind == 0:
        state.set_balance(address, random.choice([0, 1, 10**30]))
    elif kind == 1:
        state.set_nonce(address, random.randrange(3))
    elif kind == 2:
        state.set_code(address, random.randbytes(random.choice([0, 3])))
    elif kind == 3:
        state.delete_account(address)
    elif kind == 4:
        state.set_account(
            address, Account(1, 2, b"\1", {random.randrange(9): random.randrange(1, 3) for _ in range(4)})
        )
    else:
        state.set_storage(address, random.randrange(9), random.choice([0, 1, 2**255]))


def block(random: Random, fork: str) -> Block:
    calls = []
    for nonce in range(random.randrange(1, 4)):
        data = (
            b""
            if random.random() < 0.3
            else random.randrange(3).to_bytes(32, "big") + random.randrange(5).to_bytes(32, "big")
        )
        to = random.choice([*ADDRESSES, SENDER])
        calls.append(
            Transaction(sender=SENDER, nonce=nonce, gas_limit=200_000, to=to, data=data, value=random.randrange(2))
        )
    base_fee = None if fork in ("Homestead", "Berlin") else 0
    return Block(Header(number=1, fork=fork, gas_limit=10**9, base_fee_per_gas=base_fee), tuple(calls))


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 80))
def test_roots_at_random_moments_are_those_of_what_the_state_holds(seed, steps):
    random = Random(seed)
    states: list[tuple[State, list[int]]] = [(State(), [])]
    results: list[tuple[object, bytes]] = []
    for _ in range(steps):
        state, snapshots = random.choice(states)
        kind = random.randrange(14)
        if kind == 0:
            snapshots.append(state.snapshot())
        elif kind == 1 and snapshots:
            back = random.randrange(len(snapshots))
            state.revert(snapshots[back])
            del snapshots[back:]
        elif kind == 2 and snapshots:
            back = random.randrange(len(snapshots))
            state.release(snapshots[back])
            del snapshots[back:]
        elif kind == 3 and len(states) < 5:
            states.append((state.copy(), []))
        elif kind in (4, 5):
            assert state.root(workers=1) == state_root(dump(state))
        elif kind == 6:
            state.set_account(SENDER, {"balance": 10**20})
            state.set_account(random.choice(ADDRESSES), {"balance": 5, "code": STORE, "storage": {1: 1, 2: 2}})
            fork = random.choice(["Homestead", "Berlin", "Cancun"])
            result = execute_block(block(random, fork), state, workers=1, strategy="sequential")
            results.append((result, state_root(dump(state))))
        elif kind == 7 and results:
            result, root = results.pop(random.randrange(len(results)))
            assert result.state_root == root
        else:
            write(state, random)
    for state, _ in states:
        assert state.root() == state_root(dump(state))
    for result, root in results:
        assert result.state_root == root


def test_receipts_before_byzantium_have_the_roots_after_their_transactions():
    def fresh() -> State:
        return State({SENDER: {"balance": 10**20}, **{a: {"code": STORE, "storage": {1: 1}} for a in ADDRESSES}})

    for seed in range(20):
        made = block(Random(seed), "Homestead")
        result = execute_block(made, fresh(), workers=1)
        assert len({receipt.state_root for receipt in result.receipts}) == len(made.transactions)
        again = fresh()
        again.root()  # with a trie from the start the roots are the same
        assert execute_block(made, again, workers=1).receipts == result.receipts
        for count in range(1, len(made.transactions)):
            state = fresh()
            whole = execute_block(Block(made.header, made.transactions[:count]), state, workers=1)
            assert whole.receipts[-1].state_root == result.receipts[count - 1].state_root


def test_a_storage_that_was_wiped_and_is_back_after_a_revert_has_its_root():
    state = State({ADDRESSES[0]: {"balance": 1, "storage": {1: 1, 2: 2}}})
    roots = [state.root()]
    outer = state.snapshot()
    state.delete_account(ADDRESSES[0])
    roots.append(state.root())
    inner = state.snapshot()
    state.set_storage(ADDRESSES[0], 1, 5)
    roots.append(state.root())
    state.revert(inner)
    assert state.root() == roots[1]
    state.revert(outer)
    assert state.root() == roots[0] == state_root(dump(state))
    state.set_storage(ADDRESSES[0], 2, 0)
    assert state.root() == state_root(dump(state))


def test_forks_in_threads_each_have_their_root():
    base = State({n.to_bytes(20, "big"): {"balance": n, "storage": {n: 1}} for n in range(1, 300)})
    base.root()

    def work(seed: int) -> bool:
        random = Random(seed)
        state, ok = base.copy(), True
        for _ in range(6):
            for _ in range(random.randrange(6)):
                state.set_storage(
                    random.randrange(1, 320).to_bytes(20, "big"), random.randrange(3), random.randrange(2)
                )
            if random.random() < 0.3:
                state = state.copy()
            ok &= state.root(workers=random.choice([1, 2])) == State(state.items()).root(workers=1)
        return ok

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(40)))
    assert base.root() == State(base.items()).root()


def test_one_state_asked_by_many_threads_gives_one_root():
    state = State({n.to_bytes(20, "big"): {"balance": n} for n in range(1, 3000)})
    for turn in range(4):
        state.set_balance(ADDRESSES[0], turn)
        barrier = threading.Barrier(6)

        def ask(state=state, barrier=barrier):
            barrier.wait()
            return state.root(workers=1)

        with ThreadPoolExecutor(6) as pool:
            roots = set(pool.map(lambda _: ask(), range(6)))
        assert roots == {State(state.items()).root()}


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals reach the main thread alone"
)
def test_a_root_that_a_signal_stops_or_asks_for_leaves_the_state_right(no_garbage_collection):
    state = State({n.to_bytes(20, "big"): {"balance": n, "storage": {n: n}} for n in range(1, 20_000)})
    expected = State(state.items()).root(workers=1)
    asked = []

    def stop(number, frame):
        asked.append(state.root(workers=1))
        raise Stop

    before = signal.signal(signal.SIGALRM, stop)
    try:
        for delay in (0.001, 0.01, 0.03, 0.06):
            try:
                signal.setitimer(signal.ITIMER_REAL, delay)
                state.root(workers=1)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Stop:
                pass
            state.set_balance(ADDRESSES[0], 1)
            state.delete_account(ADDRESSES[0])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert set(asked) <= {expected}
    assert state.root() == expected


def test_a_state_whose_root_was_asked_takes_no_more_memory_for_what_comes_and_goes():
    state = State({n.to_bytes(20, "big"): {"balance": n, "storage": {1: 1}} for n in range(1, 200)})
    state.root()
    size = state.size_bytes
    for n in range(3000):
        snapshot = state.snapshot()
        state.set_storage(ADDRESSES[0], n, 1)
        state.set_account((n + 1000).to_bytes(20, "big"), {"balance": 1, "storage": {n: 1}})
        if n % 100 == 0:
            state.root()
        state.revert(snapshot)
    assert state.size_bytes < 2 * size
    for n in range(3000):
        state.set_storage(ADDRESSES[1], n, 1)
        state.set_storage(ADDRESSES[1], n, 0)
    assert state.size_bytes < 2 * size + 200_000
    assert state.root() == state_root(dump(state))
