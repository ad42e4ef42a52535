"""What each mechanism of the parallel engine is worth: the same blocks with it and without it, written to bench/without.md.

    python -m bench.without [--workloads once,repeated,…] [--only SWITCH,…] [--workers 2] [--rounds 16] [--json FILE]

A figure is how many times as long the blocks take without: the median over pairs of runs next to each other, one with all mechanisms
and one without that one, the first of the two by turns; and the quartiles. The row of no mechanism is two runs with all: how far it is
from 1 is what the method can't tell. With --json, figures of earlier calls are kept there and written too: so the table can be
measured in parts.
Workloads: `once`, the real blocks in a new process that has run nothing, each block once; `repeated`, each block again and again;
`recorded` and `auto`, the same in these modes; `listed`, with each block's list beside it, and with the state root; and those of CONTENDED_BLOCKS in bench/synthetic.py.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from evmcore import Block, execute_block, recover_senders
from evmcore._core import set_tuning, tuning_table
from evmcore.fixtures import block_paths

from .machine import ROOT, description
from .measure import LARGE_GAS, LARGE_TRANSACTIONS
from .synthetic import CONTENDED_BLOCKS
from .tables import table, write_marked

BLOCKS = ROOT.parent / "shared" / "mainnet-blocks"
OUTPUT = ROOT / "bench" / "without.md"
REAL = {"once": "optimistic", "repeated": "optimistic", "recorded": "recorded", "auto": "auto", "listed": "listed"}
NOTHING, SEQUENTIAL = "nothing", "sequential"
Pairs = dict[str, list[tuple[float, float]]]  # by switch: seconds with all, seconds without it


class Workload:
    """Blocks, and how they are run."""

    def __init__(self, name: str, folder: Path, workers: int):
        self.name, self.workers = name, workers
        self.strategy = REAL.get(name, "optimistic")
        if name in REAL:
            paths = [path for path, _ in block_paths([folder])]
            loaded = [Block.load(path) for path in paths if path.name.split(".")[0].isdecimal()]
            self.first = min(loaded, key=lambda block: len(block.transactions))
            self.blocks = [
                block
                for block in loaded
                if block.header.gas_used >= LARGE_GAS and len(block.transactions) >= LARGE_TRANSACTIONS
            ]
        else:
            self.blocks = [CONTENDED_BLOCKS[name][1]()]
            self.first = self.blocks[0]
        for block in (self.first, *self.blocks):
            recover_senders(block.transactions, fork=block.header.fork)
        self.known: dict[int, object] = {}
        if name == "recorded":
            for block in self.blocks:
                self.known[id(block)] = self._execute(block, "sequential", record=True).accesses
        if name == "listed":
            self.blocks = [
                replace(block, access_list=self._execute(block, "sequential", access_list=True).access_list)
                for block in self.blocks
            ]
            for block in self.blocks:
                block.pre_state.root()  # type: ignore[union-attr]  # as on a chain: the root follows from that before

    def _execute(self, block: Block, strategy: str, **options):
        state = block.pre_state.copy()  # type: ignore[union-attr]
        workers = 1 if strategy == SEQUENTIAL else self.workers
        return execute_block(block, state, workers=workers, strategy=strategy, state_roots=False, **options)

    def _seconds(self, block: Block, strategy: str) -> float:
        options = {"accesses": self.known[id(block)]} if strategy == "recorded" else {}
        result = self._execute(block, strategy, **options)
        if self.name != "listed":
            return result.statistics.execute_seconds
        began = time.perf_counter()
        _ = result.state_root  # there already, unless it was executed in order
        return result.statistics.execute_seconds + time.perf_counter() - began

    def pair(self, switch: str, with_all_first: bool) -> tuple[float, float]:
        """The seconds of all blocks with all mechanisms, and without that one."""
        order = (NOTHING, switch) if with_all_first else (switch, NOTHING)
        if self.name == "once":
            first, second = (_in_child(partial(self._once, each)) for each in order)
        else:
            # Block by block, so that a pair lies within milliseconds: the machine's speed changes within seconds.
            seconds = [[self._again(block, each) for each in order] for block in self.blocks]
            first, second = map(sum, zip(*seconds))
        return (first, second) if with_all_first else (second, first)

    def _again(self, block: Block, switch: str) -> float:
        """Twice, and the second counts: it finds the caches, and the workers, as the same run has left them."""
        with without(switch):
            strategy = self._strategy(switch)
            self._seconds(block, strategy)
            return self._seconds(block, strategy)

    def _once(self, switch: str) -> float:
        with without(switch):
            strategy = self._strategy(switch)
            self._seconds(self.first, strategy)  # makes the threads
            return sum(self._seconds(block, strategy) for block in self.blocks)

    def _strategy(self, switch: str) -> str:
        return SEQUENTIAL if switch == SEQUENTIAL else self.strategy


@contextmanager
def without(switch: str) -> Iterator[None]:
    """That switch is off; `nothing` and `sequential` are no switches."""
    if switch in (NOTHING, SEQUENTIAL):
        yield
        return
    set_tuning(switch, 0)
    try:
        yield
    finally:
        set_tuning(switch, int(tuning_table()[switch][1]))


def _in_child(work: Callable[[], float]) -> float:
    """What a copy of this process makes of it. This one has loaded the blocks and has never run one."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, repr(work()).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return float(text)


def measure(workload: Workload, switches: list[str], rounds: int) -> Pairs:
    """`rounds` pairs of sequential, of nothing, and of each switch."""
    pairs: Pairs = {key: [] for key in (SEQUENTIAL, NOTHING, *switches)}
    gc.collect()
    gc.disable()
    for turn in range(rounds):
        for key, found in pairs.items():
            found.append(workload.pair(key, turn % 2 == 0))
    gc.enable()
    return pairs


def figure(pairs: list[tuple[float, float]]) -> str:
    """How many times as long without: median, quartiles."""
    ratios = [without / with_all for with_all, without in pairs]
    if len(ratios) < 4:
        return f"{statistics.median(ratios):.2f}"
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.2f} ({low:.2f}–{high:.2f})"


def write(found: dict[str, Pairs], path: Path) -> None:
    columns = list(found)
    fewest = min(len(pairs) for column in found.values() for pairs in column.values())
    meanings = {SEQUENTIAL: "× sequential, with all", NOTHING: "nothing"}
    meanings |= {name: f"`{name}`: {row[3]}" for name, row in tuning_table().items() if row[2] is None}
    rows: list[list[object]] = [
        [meaning, *(figure(column[name]) if name in column else "-" for column in found.values())]
        for name, meaning in meanings.items()
        if any(name in column for column in found.values())
    ]
    text = f"Medians of at least {fewest} pairs of runs.\n\n{description()}\n\n" + table(["without", *columns], rows)
    write_marked(path, "without", text)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.without", description=__doc__.splitlines()[0])
    switches = [name for name, row in tuning_table().items() if row[2] is None]
    parser.add_argument("--blocks", type=Path, default=BLOCKS, metavar="DIR")
    parser.add_argument("--workloads", default=",".join((*REAL, *CONTENDED_BLOCKS)), metavar="W,…")
    parser.add_argument("--only", default=",".join(switches), metavar="SWITCH,…")
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    parser.add_argument("--rounds", type=int, default=16, metavar="K")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FILE")
    arguments = parser.parse_args()
    found: dict[str, Pairs] = {}
    if arguments.json and arguments.json.exists():
        found = json.loads(arguments.json.read_text())
    for name in arguments.workloads.split(","):
        pairs = measure(
            Workload(name, arguments.blocks, arguments.workers), arguments.only.split(","), arguments.rounds
        )
        found.setdefault(f"{name}, {arguments.workers}", {}).update(pairs)
        if arguments.json:
            arguments.json.write_text(json.dumps(found))
        for key, seconds in pairs.items():
            print(f"{name:10} {key:24} {figure(seconds)}", flush=True)
    write(found, arguments.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
