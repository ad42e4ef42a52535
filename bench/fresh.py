"""Every block once, in a process of its own for each mode: nothing is warm that a chain would not have warmed either.

    python -m bench.fresh STRATEGY WORKERS ACCESSES BLOCK…

prints, as JSON, a row a block: its number, seconds, and the strategy that was taken. Elsewhere in the benchmark a block runs
over and over, so hashes, code and caches are as the last run left them, and `auto` has learned from the same block.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from evmcore import Block, execute_block, recover_senders
from evmcore.accesses import Accesses

from .machine import ROOT
from .paired import median


@dataclass(slots=True)
class FreshRuns:
    """By strategy: seconds of each block in each process, and what the strategy came to."""

    seconds: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    taken: dict[str, dict[int, str]] = field(default_factory=dict)

    def total(self, strategy: str, numbers: list[int]) -> float:
        """Seconds over the blocks, a median each."""
        return sum(median(self.seconds[strategy][number]) for number in numbers)

    def speedup(self, strategy: str, number: int) -> float:
        return median(self.seconds["sequential"][number]) / median(self.seconds[strategy][number])


def run_fresh(paths: list[Path], strategies: list[str], workers: int, rounds: int, accesses: Path) -> FreshRuns:
    """Processes of all strategies in turn, `rounds` of each. `accesses`: a folder to keep recorded accesses in."""
    found = FreshRuns()
    for path, block in _blocks(paths):
        assert block.pre_state is not None
        recorded = execute_block(block, block.pre_state.copy(), strategy="sequential", state_roots=False, record=True)
        assert recorded.accesses is not None
        recorded.accesses.save(accesses / f"{path.name}.accesses.json")
    files = [str(path.resolve()) for path in paths]
    for turn in range(rounds):
        for strategy in strategies[turn % len(strategies) :] + strategies[: turn % len(strategies)]:
            count = 1 if strategy == "sequential" else workers
            command = [sys.executable, "-m", "bench.fresh", strategy, str(count), str(accesses), *files]
            done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
            for number, seconds, taken in json.loads(done.stdout):
                found.seconds.setdefault(strategy, {}).setdefault(number, []).append(seconds)
                found.taken.setdefault(strategy, {})[number] = taken
    return found


def _blocks(paths: list[Path]) -> list[tuple[Path, Block]]:
    """In the order of the chain, senders known."""
    found = [(path, Block.load(path)) for path in paths]
    for _, block in found:
        recover_senders(block.transactions, fork=block.header.fork)
    return sorted(found, key=lambda each: each[1].number)


def main() -> int:
    strategy, workers, accesses = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    blocks = _blocks([Path(name) for name in sys.argv[4:]])
    known = {}
    if strategy == "recorded":
        known = {path: Accesses.load(accesses / f"{path.name}.accesses.json") for path, _ in blocks}
    gc.disable()

    def run(path: Path, block: Block, strategy: str) -> tuple[int, float, str]:
        options = {"accesses": known[path]} if path in known else {}
        state = block.pre_state.copy()  # type: ignore[union-attr]
        result = execute_block(block, state, strategy=strategy, workers=workers, state_roots=False, **options)
        return block.number, result.statistics.execute_seconds, result.statistics.strategy

    # Engine and threads are made before: what is timed is a process at work. The first block, of one payment, does.
    run(*blocks[0], "optimistic" if strategy == "auto" else strategy)
    print(json.dumps([run(path, block, strategy) for path, block in blocks]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
