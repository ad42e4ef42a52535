"""Measuring one block in all modes: sequential, and each strategy with each number of workers, in paired runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evmcore import Block, BlockResult, BlockStatistics, execute_block, recover_senders
from evmcore.accesses import Accesses

from .machine import cores
from .neighbours import Neighbours
from .paired import paired, ratio

Mode = tuple[str, int]
SEQUENTIAL: Mode = ("sequential", 1)
BESIDE: Mode = ("sequential, beside others", 1)
# The blocks that the design's bounds are given for: smaller ones are over before a second thread is awake.
LARGE_GAS, LARGE_TRANSACTIONS = 4_000_000, 12


@dataclass(slots=True)
class Measured:
    """What was measured of one block: seconds of each mode by round, and what its last run said of itself."""

    name: str
    fork: str
    transactions: int
    gas: int
    accesses: Accesses
    bound: float
    senders: list[bytes]
    seconds: dict[Mode, list[float]] = field(default_factory=dict)
    recovering: dict[Mode, list[float]] = field(default_factory=dict)
    said: dict[Mode, BlockStatistics] = field(default_factory=dict)

    @property
    def is_large(self) -> bool:
        return self.gas >= LARGE_GAS and self.transactions >= LARGE_TRANSACTIONS

    def add(self, later: Measured) -> None:
        """Take over the rounds of another measurement of the same block."""
        for mine, others in ((self.seconds, later.seconds), (self.recovering, later.recovering)):
            for mode, seconds in others.items():
                mine.setdefault(mode, []).extend(seconds)
        self.said |= later.said

    def speedup(self, mode: Mode) -> float | None:
        if mode not in self.seconds:
            return None
        return ratio(self.seconds[SEQUENTIAL], self.seconds[mode])


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure."""

    paths: list[Path]
    workers: list[int]
    strategies: tuple[str, ...]
    rounds: int

    @property
    def most(self) -> int:
        """The largest number of workers that have a core each."""
        return max((count for count in self.workers if count <= cores()), default=1)

    @property
    def modes(self) -> list[Mode]:
        """Sequential, and every strategy with every number of workers that makes sense for it."""
        return [SEQUENTIAL] + [
            (strategy, count)
            for strategy in self.strategies
            for count in self.workers
            if count > 1 or strategy in ("optimistic", "recorded")
        ]


def measure(block: Block, plan: Plan, modes: list[Mode], name: str | None = None, path: Path | None = None) -> Measured:
    """Record the block once, then run all modes in turn; senders are known, and the copy of the state is not timed.

    path      its file: measures, too, a sequential run while all other cores run the same block by themselves
    """
    assert block.pre_state is not None
    recover_senders(block.transactions, fork=block.header.fork)
    run = _runner(block)
    recorded = run(("sequential", 1), record=True)
    accesses = recorded.accesses
    assert accesses is not None
    found = Measured(
        name or str(block.number),
        block.header.fork,
        len(block.transactions),
        recorded.gas_used,
        accesses,
        recorded.statistics.speedup_bound or 1.0,
        [tx.sender for tx in block.transactions],
    )

    def timed(mode: Mode) -> Callable[[], float]:
        options = {"accesses": accesses} if mode[0].startswith("recorded") else {}

        def once() -> float:
            # Twice, and the second counts: each mode finds the caches, and the workers, as it leaves them itself.
            run(mode, **options)
            result = run(mode, **options)
            if result.gas_used != found.gas:
                raise RuntimeError(f"block {found.name}: {mode} used {result.gas_used} gas instead of {found.gas}")
            found.said[mode] = result.statistics
            return result.statistics.execute_seconds

        return once

    runs = {mode: timed(mode) for mode in modes}
    if path is None or plan.most < 2:
        found.seconds = paired(runs, plan.rounds)
        return found
    with Neighbours(path, plan.most - 1) as neighbours:

        def beside() -> float:
            neighbours.start()
            try:
                return runs[SEQUENTIAL]()
            finally:
                neighbours.stop()

        found.seconds = paired({**runs, BESIDE: beside}, plan.rounds)
    return found


def _runner(block: Block) -> Callable[..., BlockResult]:
    def run(mode: Mode, **options: Any) -> BlockResult:
        strategy, workers = mode
        assert block.pre_state is not None
        return execute_block(
            block, block.pre_state.copy(), strategy=strategy, workers=workers, state_roots=False, **options
        )

    return run


def measure_recovery(found: Measured, block: Block, plan: Plan) -> None:
    """The same with senders unknown: the time of the whole call, in which they are recovered by the same workers."""
    assert block.pre_state is not None

    def timed(mode: Mode) -> Callable[[], float]:
        def once() -> float:
            strategy, workers = mode
            for _ in range(2):  # the second counts
                unknown = replace(block, transactions=tuple(tx.forget_sender() for tx in block.transactions))
                state = block.pre_state.copy()  # type: ignore[union-attr]
                started = time.perf_counter()
                execute_block(unknown, state, strategy=strategy, workers=workers, state_roots=False)
                seconds = time.perf_counter() - started
            return seconds

        return once

    modes = [SEQUENTIAL] + [("auto", count) for count in plan.workers if count > 1]
    found.recovering = paired({mode: timed(mode) for mode in modes}, plan.rounds)
