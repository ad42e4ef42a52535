"""What roots, proofs and tries of large states cost. `make bench-state` writes bench/state.md.

python -m bench.state [--accounts N] [--rounds N] [--write]
"""

from __future__ import annotations

import argparse
import gc
import random
import time
from collections.abc import Callable
from pathlib import Path

from evmcore import AccountProof, State, keccak256, verify_proof

from .machine import description
from .paired import median
from .tables import duration, table

PAGE = Path(__file__).with_name("state.md")
PAGE_BYTES = 4096


def resident_bytes() -> int:
    """What the process has of the machine's memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def seconds_of(run: Callable[[], object], clock: Callable[[], float] = time.thread_time) -> float:
    """Of this thread's processor, unless another clock is named: what others do on the machine counts little."""
    began = clock()
    run()
    return clock() - began


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
        """Seconds of a proof and of its verification, and the proofs."""
        root = self.state.root()
        wanted = self.random.sample(self.addresses, min(count, len(self.addresses)))
        began = time.thread_time()
        proofs = [self.state.prove(address) for address in wanted]
        made = (time.thread_time() - began) / len(wanted)
        began = time.thread_time()
        for proof in proofs:
            verify_proof(root, proof.address, proof)
        return made, (time.thread_time() - began) / len(wanted), proofs


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
        (f"{options.accounts:,} accounts with a balance", "measured", "wanted"), rows(options.accounts, options.rounds)
    )
    note = (
        f"Time of one processor, but for two threads by the clock on the wall; medians of {options.rounds}, the first root once. Changes are balances of accounts chosen at random. Memory is what the"
        f" process grew by. {description()}. Written by `make bench-state`."
    )
    print(text, note, sep="\n\n")
    if options.write:
        PAGE.write_text(f"# State\n\n{text}\n\n{note}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
