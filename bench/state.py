"""What copies, roots, proofs and tries of large states cost, and blocks on copies. `make bench-state` writes bench/state.md.

python -m bench.state [--accounts N] [--rounds N] [--write]
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import multiprocessing
import random
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from evmcore import AccountProof, Block, State, execute_block, keccak256, recover_senders, verify_proof

from . import state_blocks, state_peers
from .machine import description
from .paired import median
from .tables import duration, table

PAGE = Path(__file__).with_name("state.md")
PAGE_BYTES = 4096
BLOCKS = Path(__file__).parents[2] / "shared/mainnet-blocks"
FORKS = 10_000


def resident_bytes() -> int:
    """What the process has of the machine's memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def seconds_of(run: Callable[[], object], clock: Callable[[], float] = time.thread_time) -> float:
    """Of this thread's processor, unless another clock is named: what others do on the machine counts little."""
    began = clock()
    run()
    return clock() - began


def hashes_a_second(seconds: float) -> float:
    """What one process does that touches next to no memory."""
    count, end = 0, time.perf_counter() + seconds
    data = bytes(100_000)
    while time.perf_counter() < end:
        keccak256(data)
        count += 1
    return count / seconds


def of_two_processes(seconds: float = 0.5, rounds: int = 5) -> float:
    """How much more two processes do at a time than one: what this machine has to give to a second thread."""
    ratios = []
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(hashes_a_second, (0.1, 0.1)))  # both are there
        for _ in range(rounds):
            alone = pool.submit(hashes_a_second, seconds).result()
            ratios.append(sum(pool.map(hashes_a_second, (seconds, seconds))) / alone)
    return median(ratios)


class Measured:
    """A state of so many accounts, each with a balance, and what is done to it."""

    def __init__(self, accounts: int, rounds: int) -> None:
        self.rounds = rounds
        self.random = random.Random(1)
        self.addresses = [keccak256(n.to_bytes(4, "big"))[12:] for n in range(accounts)]
        gc.collect()
        before = resident_bytes()
        self.state = State()
        for n, address in enumerate(self.addresses):
            self.state.set_balance(address, 10**18 + n)
        self.plain_bytes = (resident_bytes() - before) / accounts
        self.first_root_seconds = seconds_of(lambda: self.state.root(workers=1))
        gc.collect()
        self.trie_bytes = (resident_bytes() - before) / accounts

    def root_after(self, changes: int, workers: int, clock: Callable[[], float] = time.thread_time) -> float:
        """The median of roots, each after so many accounts got another balance."""
        seconds = []
        for _ in range(self.rounds):
            for address in self.random.sample(self.addresses, changes):
                self.state.set_balance(address, self.random.randrange(1, 2**60))
            seconds.append(seconds_of(lambda: self.state.root(workers=workers), clock))
        return median(seconds)

    def proofs(self, count: int = 2000) -> tuple[float, float, list[AccountProof]]:
        """Seconds of a proof and of its verification, without collections of garbage, and the proofs."""
        root = self.state.root()
        wanted = self.random.sample(self.addresses, min(count, len(self.addresses)))
        gc.collect()
        gc.disable()  # it would go through the million addresses
        began = time.thread_time()
        proofs = [self.state.prove(address) for address in wanted]
        made = (time.thread_time() - began) / len(wanted)
        began = time.thread_time()
        for proof in proofs:
            verify_proof(root, proof.address, proof)
        verified = (time.thread_time() - began) / len(wanted)
        gc.enable()
        return made, verified, proofs


class Forked:
    """A state of so many accounts and slots, and copies of it."""

    def __init__(self, accounts: int) -> None:
        self.random = random.Random(2)
        self.addresses = [keccak256(n.to_bytes(4, "big"))[12:] for n in range(accounts)]
        self.state = State()
        for n, address in enumerate(self.addresses):
            self.state.set_balance(address, 10**18 + n)
            self.state.set_storage(self.addresses[n // 100], n, 1)

    def write(self, state: State, place: int) -> None:
        if place % 2:
            state.set_balance(self.addresses[place], place)
        else:
            state.set_storage(self.addresses[place // 100], place, 2)

    def first_write(self, is_chain: bool) -> tuple[float, float]:
        """Median and mean of a copy with its first write: of the same state, or each of the copy before."""
        seconds, state = [], self.state
        for _ in range(20_000):
            place = self.random.randrange(len(self.addresses))
            began = time.perf_counter()
            fork = state.copy()
            self.write(fork, place)
            seconds.append(time.perf_counter() - began)
            state = fork if is_chain else state
        return median(seconds), sum(seconds) / len(seconds)

    def bytes_a_fork(self) -> float:
        """With 10 writes each, all of them alive."""
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        before = resident_bytes()
        forks = []
        for _ in range(FORKS):
            forks.append(self.state.copy())
            for _ in range(10):
                self.write(forks[-1], self.random.randrange(len(self.addresses)))
        return (resident_bytes() - before) / FORKS


def block_on_copy(strategy: str, rounds: int) -> float:
    """Seconds of the real blocks on a fresh copy over those on a state that shares nothing, in pairs; the least of each."""
    blocks = [Block.load(path) for path in sorted(BLOCKS.glob("*.json.gz"))]
    totals = [0.0, 0.0]
    for block in blocks:
        recover_senders(block.transactions, fork=block.header.fork)
        accounts = dict(block.pre_state.items())
        least = [float("inf"), float("inf")]
        for turn in range(2 * rounds):
            is_copy = (turn + turn // 2) % 2
            state = block.pre_state.copy() if is_copy else State(accounts)
            began = time.perf_counter()
            execute_block(block, state, workers=2, strategy=strategy, state_roots=False)
            least[is_copy] = min(least[is_copy], time.perf_counter() - began)
        totals = [total + each for total, each in zip(totals, least, strict=True)]
    return totals[1] / totals[0]


def fork_rows(accounts: int, rounds: int) -> list[tuple[str, str, str]]:
    forked = Forked(accounts)
    found = []
    for name, is_chain in (("copy and first write", False), ("the same, each a copy of the one before", True)):
        middle, mean = forked.first_write(is_chain)
        found.append(
            (f"{name}, beside {accounts:,} slots: median; mean", f"{duration(middle)}; {duration(mean)}", "< 5 µs")
        )
    found.append(
        (f"{FORKS:,} live copies, 10 writes each: a copy", f"{forked.bytes_a_fork():,.0f} bytes", "< 10,000 bytes")
    )
    del forked
    if BLOCKS.is_dir():
        for strategy in ("sequential", "optimistic"):
            ratio = block_on_copy(strategy, rounds)
            found.append(
                (f"real blocks, {strategy}, on a fresh copy over a state of its own", f"{ratio:.3f}", "≤ 1.03")
            )
    return found


def rows(accounts: int, rounds: int) -> list[tuple[str, str, str]]:
    measured = Measured(accounts, rounds)
    found = [("first root, one thread", duration(measured.first_root_seconds), "≤ 0.9 s")]
    for changes, wanted in ((1, "< 0.1 ms"), (100, "< 2 ms"), (10_000, "< 60 ms")):
        if changes <= accounts:
            found.append(
                (f"root after {changes:,} changes, one thread", duration(measured.root_after(changes, 1)), wanted)
            )
    if accounts >= 10_000:
        one, two = (measured.root_after(10_000, workers, time.perf_counter) for workers in (1, 2))
        found.append(("the same after 10,000 on two threads: times as fast", f"{one / two:.2f}", "1.7"))
        found.append(
            ("two processes that share nothing, on this machine: times as much", f"{of_two_processes():.2f}", "")
        )
    made, verified, proofs = measured.proofs()
    nodes = sum(len(proof.nodes) for proof in proofs) / len(proofs)
    found.append((f"proof of an account ({nodes:.1f} nodes)", duration(made), "< 5 µs"))
    found.append(("its verification", duration(verified), "< 30 µs"))
    found.append(("memory an account, without a trie", f"{measured.plain_bytes:.0f} bytes", "≤ 200 bytes"))
    found.append(("memory an account, with its trie", f"{measured.trie_bytes:.0f} bytes", "≤ 450 bytes"))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}, too")
    options = parser.parse_args()
    text = table(
        (f"{options.accounts:,} accounts with a balance", "measured", "wanted"),
        [
            *rows(options.accounts, options.rounds),
            *fork_rows(options.accounts, options.rounds),
            *state_blocks.rows(min(options.rounds, 3)),
        ],
    )
    peers = state_peers.rows()
    if peers:
        text += "\n\n" + table(peers[0], peers[1:])
    text += "\n\n" + table(state_peers.PUBLISHED[0], state_peers.PUBLISHED[1:])
    note = (
        f"Time of one processor, but for two threads by the clock on the wall; medians of {options.rounds}, the first root once. Changes are balances of accounts chosen at random. Memory is what the"
        f" process grew by. Where the load is above 1, others had a part of the machine: the row of two threads then says little. {description()}. Written by `make bench-state`."
    )
    print(text, note, sep="\n\n")
    if options.write:
        PAGE.write_text(f"# State\n\n{text}\n\n{note}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
