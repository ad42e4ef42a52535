"""Roots at random moments of states that are written, deleted from, forked and reverted, in eight threads, against a naive trie."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from naive import state_root

from evmcore import Account, State

ADDRESSES = [bytes([n]) * 20 for n in range(1, 25)]
THREADS = 8


class Told:
    """A state, and what it was told."""

    def __init__(self, state: State, accounts: dict[bytes, dict]) -> None:
        self.state, self.accounts = state, accounts
        self.snapshots: list[tuple[int, dict]] = []

    def copied(self) -> dict[bytes, dict]:
        return {who: {**account, "storage": dict(account["storage"])} for who, account in self.accounts.items()}

    def fork(self) -> Told:
        return Told(self.state.copy(), self.copied())

    def account(self, who: bytes) -> dict:
        return self.accounts.setdefault(who, {"balance": 0, "nonce": 0, "code": b"", "storage": {}})

    def step(self, random: Random) -> None:
        who = random.choice(ADDRESSES)
        kind = random.randrange(12)
        if kind < 2:
            self.account(who)["balance"] = value = random.choice((0, 1, 2**255))
            self.state.set_balance(who, value)
        elif kind == 2:
            self.account(who)["nonce"] = value = random.randrange(3)
            self.state.set_nonce(who, value)
        elif kind == 3:
            self.account(who)["code"] = code = random.choice((b"", b"\x01", bytes(40)))
            self.state.set_code(who, code)
        elif kind < 8:
            slot, value = random.randrange(4), random.choice((0, 1, 2**256 - 1))
            self.account(who)["storage"][slot] = value
            self.state.set_storage(who, slot, value)
        elif kind == 8:
            self.accounts.pop(who, None)
            self.state.delete_account(who)
        elif kind == 9:
            self.snapshots.append((self.state.snapshot(), self.copied()))
        elif kind == 10 and self.snapshots:
            number, self.accounts = self.snapshots.pop(random.randrange(len(self.snapshots)))
            self.state.revert(number)
            self.snapshots = [each for each in self.snapshots if each[0] < number]
        elif kind == 11 and self.snapshots:
            self.state.release(self.snapshots[0][0])
            self.snapshots.clear()

    def root_is_right(self, workers: int) -> bool:
        accounts = {who: Account(**account) for who, account in self.accounts.items()}
        return self.state.root(workers=workers) == state_root(accounts)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_roots_in_eight_threads_are_those_of_a_naive_trie(seed, roots_first):
    base = Told(State(), {})
    random = Random(seed)
    for _ in range(60):
        base.step(random)
    if roots_first:
        assert base.root_is_right(1)

    def work(number: int) -> bool:
        random = Random(seed + number)
        forks = [base.fork()]
        forks[0].snapshots.clear()
        for _ in range(25):
            fork = random.choice(forks)
            for _ in range(random.randrange(8)):
                fork.step(random)
            if random.random() < 0.3:
                forks.append(fork.fork())
            if random.random() < 0.4 and not fork.root_is_right(random.choice((1, 2))):
                return False
            forks = forks[-4:]
        return all(fork.root_is_right(1) for fork in forks)

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(work, range(THREADS)))
    assert base.root_is_right(1)
