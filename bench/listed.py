"""Real blocks with their access lists beside them (EIP-7928): execution and state root, on one thread one after the other and by workers
at once. The lists are made by a sequential run; the state before the block has had its root, as on a chain.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from evmcore import Block, execute_block, recover_senders

from .measure import LARGE_GAS, LARGE_TRANSACTIONS
from .neighbours import Neighbours
from .paired import median, paired, ratio
from .tables import ms, table, times

WORTH_SECONDS = 1e-3
Mode = tuple[str, int]
IN_ORDER: Mode = ("sequential", 1)
BESIDE: Mode = ("sequential, beside others", 1)
AUTO = "auto"


@dataclass(slots=True)
class Found:
    """What was measured of one block."""

    name: str
    transactions: int
    items: int  # of the list
    seconds: dict[Mode, list[float]] = field(default_factory=dict)
    workers: int = 0  # that auto took

    def speedup(self, mode: Mode) -> float:
        return ratio(self.seconds[IN_ORDER], self.seconds[mode])


def measure_listed(path: Path, most: int, rounds: int) -> Found | None:
    """One block in all modes; None for a small one."""
    block = Block.load(path)
    if block.header.gas_used < LARGE_GAS or len(block.transactions) < LARGE_TRANSACTIONS:
        return None
    recover_senders(block.transactions, fork=block.header.fork)
    state = block.pre_state
    assert state is not None
    want = execute_block(block, state.copy(), strategy="sequential", state_roots=False, access_list=True)
    assert want.access_list is not None
    root = want.state_root
    listed = replace(block, access_list=want.access_list)
    found = Found(str(block.number), len(block.transactions), want.access_list.item_count)
    state.root()

    def timed(mode: Mode) -> Callable[[], float]:
        strategy, workers = mode
        given = block if strategy == "sequential" else listed

        def once() -> float:
            for _ in range(2):  # the second counts
                after = state.copy()
                result = execute_block(given, after, strategy=strategy, workers=workers, state_roots=False)
                began = time.perf_counter()
                if result.state_root != root:
                    raise RuntimeError(f"block {found.name}: {mode}: another state root")
                seconds = time.perf_counter() - began + result.statistics.execute_seconds
            if strategy == AUTO:
                found.workers = result.statistics.workers
            return seconds

        return once

    modes = [IN_ORDER, ("listed", 1), ("listed", most), (AUTO, most)]
    runs = {mode: timed(mode) for mode in dict.fromkeys(modes)}
    if most < 2:
        found.seconds = paired(runs, rounds)
        return found
    with Neighbours(path, most - 1) as neighbours:

        def beside() -> float:
            neighbours.start()
            try:
                return runs[IN_ORDER]()
            finally:
                neighbours.stop()

        found.seconds = paired({**runs, BESIDE: beside}, rounds)
    return found


def listed_section(paths: list[Path], most: int, rounds: int, say: Callable[[str], None]) -> str:
    """The section of bench/parallel.md."""
    found = []
    for path in paths:
        say(f"with its list: {path.name}")
        one = measure_listed(path, most, rounds)
        if one is not None:
            found.append(one)

    def total(mode: Mode) -> float:
        return sum(median(each.seconds[mode]) for each in found)

    in_order, alone, together, auto = (
        total(IN_ORDER),
        total(("listed", 1)),
        total(("listed", most)),
        total((AUTO, most)),
    )
    worth = [each for each in found if median(each.seconds[IN_ORDER]) >= WORTH_SECONDS] or found
    slowest = min(worth, key=lambda each: each.speedup((AUTO, most)))
    text = (
        f"## With the list beside the block\n\nThe same {len(found)} blocks with their block access lists (EIP-7928), made by a sequential "
        "run: execution and state root. In order is one thread that executes, then makes the root; the state before the block has "
        f"had its root. Medians of {rounds} paired runs. In all: in order {ms(in_order)} ms, listed on one worker {ms(alone)} ms, on {most} workers "
        f"**{times(in_order / together)}** times as fast as in order, auto {times(in_order / auto)}."
    )
    if most > 1:
        machine = most * in_order / total(BESIDE)
        text += (
            f" The machine gives {times(machine)} to {most} processes that share nothing, each as in order, so that listed is at "
            f"{in_order / together / machine:.0%} of it."
        )
    text += f" The slowest block of a millisecond or more with auto: {slowest.name}, {times(slowest.speedup((AUTO, most)))}."
    rows = [
        [
            each.name,
            each.transactions,
            f"{each.items:,}",
            ms(median(each.seconds[IN_ORDER])),
            times(each.speedup(("listed", 1))),
            times(each.speedup(("listed", most))),
            times(each.speedup((AUTO, most))),
            each.workers,
        ]
        for each in found
    ]
    heads = [
        "block",
        "txs",
        "accounts and slots",
        "in order, ms",
        "1 worker",
        f"{most} workers",
        "auto",
        "auto's workers",
    ]
    return text + "\n\n" + table(heads, rows)
