"""Copies of a state: each is its own, costs what is written to it, and goes when it is dropped."""

import gc
import os
import random
import threading
from pathlib import Path

import pytest

from evmcore import Block, Header, State, Transaction, assemble, execute_block, transact

COINBASE = b"\xc0" * 20
SENDER = b"\x11" * 20
COUNTER = b"\x22" * 20
# Adds 1 to slot 0, and writes the block's number to the slot of the caller's word.
COUNTS = assemble("PUSH 0 SLOAD PUSH 1 ADD PUSH 0 SSTORE NUMBER PUSH 0 CALLDATALOAD SSTORE STOP")
HEADER = Header(number=1, base_fee_per_gas=7, fork="Cancun", coinbase=COINBASE, gas_limit=30_000_000)

reads_memory = pytest.mark.skipif(
    any(name in os.environ.get("LD_PRELOAD", "") for name in ("libasan", "libtsan")),
    reason="a sanitizer's allocator keeps what was freed",
)


def address(n: int) -> bytes:
    return n.to_bytes(20, "big")


def large_state(accounts: int = 2000) -> State:
    state = State({SENDER: {"balance": 10**30}, COUNTER: {"code": COUNTS, "storage": dict.fromkeys(range(1, 200), 1)}})
    for n in range(1000, 1000 + accounts):
        state.set_balance(address(n), n)
    return state


def calls(count: int, nonce: int = 0) -> list[Transaction]:
    return [
        Transaction(
            to=COUNTER,
            data=(7 + n % 5).to_bytes(32, "big"),
            nonce=nonce + n,
            gas_limit=100_000,
            max_fee_per_gas=100,
            type=2,
        ).with_sender(SENDER)
        for n in range(count)
    ]


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class Model:
    """A state, and dicts that say what it is."""

    def __init__(self, state: State, balances: dict, slots: dict) -> None:
        self.state, self.balances, self.slots = state, balances, slots
        self.snapshots: list[tuple[int, dict, dict]] = []

    def copy(self) -> "Model":
        return Model(self.state.copy(), dict(self.balances), dict(self.slots))

    def step(self, rng: random.Random) -> None:
        kind = rng.choice(["balance"] * 4 + ["slot"] * 5 + ["delete", "snapshot", "revert", "release", "check"])
        who = address(rng.randrange(1, 400))
        if kind == "balance":
            self.balances[who] = rng.randrange(1, 2**64)
            self.state.set_balance(who, self.balances[who])
        elif kind == "slot":
            slot, value = rng.randrange(6), rng.randrange(3)
            self.balances.setdefault(who, 0)
            self.slots[who, slot] = value
            self.state.set_storage(who, slot, value)
        elif kind == "delete":
            self.state.delete_account(who)
            self.balances.pop(who, None)
            self.slots = {key: value for key, value in self.slots.items() if key[0] != who}
        elif kind == "snapshot":
            if len(self.snapshots) < 3:
                self.snapshots.append((self.state.snapshot(), dict(self.balances), dict(self.slots)))
        elif kind == "revert" and self.snapshots:
            number, self.balances, self.slots = self.snapshots.pop()
            self.state.revert(number)
        elif kind == "release" and self.snapshots:
            self.state.release(self.snapshots.pop()[0])
        elif kind == "check":
            assert self.state.get_balance(who) == self.balances.get(who, 0)
            assert self.state.exists(who) == (who in self.balances)
            for slot in range(6):
                assert self.state.get_storage(who, slot) == self.slots.get((who, slot), 0)

    def check(self) -> None:
        alloc = {who: {"balance": balance, "storage": {}} for who, balance in self.balances.items()}
        for (who, slot), value in self.slots.items():
            alloc[who]["storage"][slot] = value
        fresh = State(alloc)
        assert self.state == fresh
        assert self.state.root(workers=1) == fresh.root(workers=1)


def test_forks_of_one_state_in_eight_threads_are_what_their_dicts_are():
    base = Model(State(), {}, {})
    rng = random.Random(1)
    for _ in range(1500):
        base.step(rng)
    while base.snapshots:
        base.state.release(base.snapshots.pop()[0])
    root = base.state.root()
    failures = []

    def work(seed: int) -> None:
        rng = random.Random(seed)
        try:
            forks = [base.copy()]
            for turn in range(400):
                fork = rng.choice(forks)
                for _ in range(rng.randrange(1, 12)):
                    fork.step(rng)
                if rng.random() < 0.2:
                    forks.append(fork.copy())
                if len(forks) > 5:
                    forks.pop(rng.randrange(len(forks)))
                if turn % 40 == 0:
                    rng.choice(forks).check()
            for fork in forks:
                fork.check()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert base.state.root() == root
    base.check()


@pytest.mark.parametrize("keeps", [False, True])
def test_a_chain_of_ten_thousand_copies_reads_right_at_each_depth(keeps):
    state = large_state(500)
    expected = {address(n): n for n in range(1000, 1500)}
    kept, size = [state], state.size_bytes
    for depth in range(10_000):
        state = state.copy()
        who = address(1000 + depth * 7 % 700)
        state.set_balance(who, depth)
        expected[who] = depth
        if keeps:
            kept.append(state)
    for who, balance in expected.items():
        assert state.get_balance(who) == balance
    assert state.size_bytes < 4 * size + 100_000
    if keeps:
        for depth in range(0, 10_000, 997):
            assert kept[depth + 1].get_balance(address(1000 + depth * 7 % 700)) == depth
        assert kept[0].get_balance(address(1000)) == 1000
    del kept[:-1]
    assert state.root() == State(dict(state.items())).root()


def test_a_copy_outlives_what_it_was_copied_from():
    state = large_state()
    first = state.copy()
    first.set_storage(COUNTER, 3, 0)
    first.set_code(SENDER, b"\x01\x02")
    for n in range(100):
        first.set_balance(address(n + 5000), 1)
    second = first.copy()
    second.set_balance(SENDER, 5)
    twin = State(dict(first.items()))
    del state, first
    gc.collect()
    assert second.get_balance(SENDER) == 5
    second.set_balance(SENDER, 10**30)
    assert second == twin
    assert second.root() == twin.root()
    assert second.get_code(SENDER) == b"\x01\x02"


@pytest.mark.parametrize("strategy", ["sequential", "optimistic", "recorded"])
def test_forks_stay_as_they_are_while_their_parent_executes_blocks(strategy):
    state = large_state()
    block = Block(HEADER, calls(60))
    options = {"workers": 2, "strategy": strategy}
    if strategy == "recorded":
        recorded = execute_block(block, state.copy(), workers=1, record=True)
        options = {"workers": 2, "accesses": recorded.accesses}
    wanted = execute_block(block, State(dict(state.items())), workers=1)
    forks = [state.copy() for _ in range(4)]
    for n, fork in enumerate(forks):
        fork.set_balance(address(1000), n)
    roots = [fork.root() for fork in forks]
    results = [execute_block(block, fork, **options) for fork in (state.copy(), state)]
    assert [fork.root() for fork in forks] == roots
    for n, fork in enumerate(forks):
        assert fork.get_storage(COUNTER, 0) == 0
        fork.set_balance(address(1000), 1000)
        results.append(execute_block(block, fork, **options))
        fork.set_balance(address(n), 77)  # what the result asks for later is before this
    for result in results:
        assert result == wanted
    assert state.get_storage(COUNTER, 0) == 60


def test_the_first_root_of_a_copy_leaves_its_trie_to_all_copies():
    state = large_state(5000)
    forks = [state.copy() for _ in range(20)]
    for n, fork in enumerate(forks):
        for k in range(20):
            fork.set_balance(address(1000 + n + k), 1)
    before = state.size_bytes
    roots = [forks[0].root()]
    with_trie = state.size_bytes
    assert with_trie > before + 5000 * 80
    own = forks[0].size_bytes - with_trie
    for fork in forks[1:]:
        roots.append(fork.root())
        assert fork.size_bytes - with_trie < 2 * own
    assert roots == [State(dict(fork.items())).root() for fork in forks]
    assert state.root() == State(dict(state.items())).root()


def test_a_copy_with_snapshots_open_takes_what_was_changed_and_no_more():
    state = large_state()
    first = state.snapshot()
    state.set_balance(SENDER, 1)
    second = state.snapshot()
    state.set_balance(SENDER, 2)
    state.set_storage(COUNTER, 1, 0)
    copies = [state.copy() for _ in range(3)]
    before = state.root()
    for n, copy in enumerate(copies):
        assert copy.root() == before
        copy.set_storage(COUNTER, 2, n)
        with pytest.raises(ValueError, match="no such snapshot"):
            copy.revert(second)
    assert state.root() == before
    state.revert(second)
    assert (state.get_balance(SENDER), state.get_storage(COUNTER, 1)) == (1, 1)
    state.revert(first)
    assert state == large_state()
    assert [copy.get_storage(COUNTER, 2) for copy in copies] == [0, 1, 2]
    assert all(copy.get_balance(SENDER) == 2 for copy in copies)


@reads_memory
def test_copies_that_transact_and_are_dropped_leave_nothing():
    state = large_state()
    root = state.root()
    [transaction] = calls(1)
    sizes = []
    for _turn in range(6):
        for _ in range(2000):
            assert transact(transaction, state.copy(), HEADER).status == 1
        sizes.append(resident_bytes())
    assert max(sizes[1:]) - sizes[0] < 2_000_000
    assert state.root() == root


@reads_memory
def test_live_forks_cost_what_is_written_to_them():
    state = large_state(30_000)
    before = resident_bytes()
    forks = []
    for n in range(1000):
        fork = state.copy()
        for i in range(5):
            fork.set_balance(address(1000 + (31 * n + i) % 30_000), n)
            fork.set_storage(COUNTER, (n + 40 * i) % 300, n)
        forks.append(fork)
    assert (resident_bytes() - before) / len(forks) < 10_000
    assert forks[17].get_balance(address(1000 + 31 * 17)) == 17
    assert forks[17].get_balance(address(1000 + 31 * 18)) == 1000 + 31 * 18


def test_a_fork_that_makes_and_destroys_stays_bounded():
    state = large_state().copy()
    keeper = state.copy()  # so that the base is shared
    sizes = []
    for turn in range(40):
        for n in range(1500):
            slot = 10_000 + turn * 1500 + n
            state.set_storage(COUNTER, slot, 1)
            state.set_storage(COUNTER, slot, 0)
            state.set_balance(address(n + 50_000 + 1500 * turn), 1)
            state.delete_account(address(n + 50_000 + 1500 * turn))
        sizes.append(state.size_bytes)
    assert max(sizes) < 3 * max(sizes[:5])
    assert state == keeper
