"""`make bench-parallel`: the parallel engine against our own sequential mode, in paired runs, written to bench/parallel.md.

    python -m bench.parallel [--blocks DIR] [--workers 1,2,4,8,16] [--rounds 10] [--parts blocks,recovery,…] [--output FILE]

Sequential and parallel runs take turns in one process; a figure is the median over the rounds. Needs the blocks only: a bare
machine runs it on a folder that was carried there, and without one the example block stands in.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from evmcore import Block, replay_range
from evmcore.example.generate import EXAMPLE_FILE
from evmcore.fixtures import block_paths

from . import memory
from .bounds import bound_of, speedup_bound
from .fresh import run_fresh
from .listed import listed_section
from .machine import ROOT, cores, description
from .measure import BESIDE, LARGE_GAS, LARGE_TRANSACTIONS, SEQUENTIAL, Measured, Mode, Plan, measure, measure_recovery
from .paired import median, paired, ratio
from .repairs import MODELS, needs
from .synthetic import DEPENDENT_BLOCKS, GIGAGAS_BLOCKS
from .tables import ms, table, times

OUTPUT = ROOT / "bench" / "parallel.md"
STRATEGIES = ("optimistic", "groups", "recorded", "auto")
WORTH_SECONDS = 1e-3
PASSES = 5
MEMORY_WORKERS = 8
BOUND_WORKERS = (2, 4, 8, 16)


# ---------------------------------------------------------------- blocks


def blocks_part(plan: Plan, with_recovery: bool) -> list[str]:
    """All that is said of real blocks."""
    measured: list[Measured] = []
    # A machine whose neighbours slow it down does so for seconds: a block's rounds are spread over more than that.
    shares = [plan.rounds // PASSES + (turn < plan.rounds % PASSES) for turn in range(PASSES)]
    for turn, rounds in enumerate(share for share in shares if share):
        part = replace(plan, rounds=rounds)
        for done, path in enumerate(plan.paths):
            _say(f"pass {turn + 1}, block {done + 1} of {len(plan.paths)}: {path.name}")
            block = Block.load(path)
            found = measure(block, part, plan.modes)
            if with_recovery and found.is_large:
                measure_recovery(found, block, part)
            if turn == 0:
                measured.append(found)
            else:
                measured[done].add(found)
    # By itself: a process that has just been started disturbs what runs next to it.
    for found, path in zip(measured, plan.paths) if plan.most > 1 else ():
        _say(f"beside others: {path.name}")
        found.seconds[BESIDE] = measure(Block.load(path), plan, [SEQUENTIAL], path=path).seconds[BESIDE]
    large = [found for found in measured if found.is_large] or measured
    texts = [_totals(plan, large)]
    texts.append(_repairs(large))
    texts.append(_worst(plan, measured))
    texts.append(_per_block(plan, measured))
    if len(plan.workers) > 1:
        texts.append(_curves(plan, large))
    return texts


def _total(measured: list[Measured], mode: Mode, name: str = "seconds") -> float | None:
    """Seconds of that mode over the blocks."""
    all_seconds = [getattr(found, name).get(mode) for found in measured]
    return None if None in all_seconds else sum(median(seconds) for seconds in all_seconds)


def _totals(plan: Plan, large: list[Measured]) -> str:
    gas = sum(found.gas for found in large)
    sequential = _total(large, SEQUENTIAL)
    assert sequential is not None
    rows: list[list[object]] = [
        [
            "bound",
            *(
                times(gas / sum(found.gas / speedup_bound(found.accesses, count) for found in large))
                for count in plan.workers
            ),
        ]
    ]
    if (beside := _total(large, BESIDE)) is not None:
        gains = (times(count * sequential / beside) if count == plan.most else "-" for count in plan.workers)
        rows.append(["the machine: blocks that share nothing", *gains])
    for strategy in plan.strategies:
        totals = (_total(large, (strategy, count)) for count in plan.workers)
        rows.append([strategy, *(times(sequential / total if total else None) for total in totals)])
    recovering = _total(large, SEQUENTIAL, "recovering")
    if recovering is not None:
        totals = (_total(large, ("auto", count), "recovering") for count in plan.workers)
        rows.append(
            ["auto, senders recovered too", *(times(recovering / total if total else None) for total in totals)]
        )
    heads = ["speed-up", *(f"{count} workers" if count > 1 else "1 worker" for count in plan.workers)]
    text = [
        "## Real blocks, in all",
        f"{len(large)} blocks of at least {LARGE_GAS // 10**6} Mgas and {LARGE_TRANSACTIONS} transactions: "
        f"{gas / 1e6:.0f} Mgas, {sum(found.transactions for found in large):,} transactions. Sequential: "
        f"{sequential * 1e3:.0f} ms, {gas / sequential / 1e6:,.0f} Mgas/s"
        + (f"; senders recovered too: {recovering * 1e3:.0f} ms." if recovering is not None else ".")
        + " The bound is list scheduling of the recorded dependencies, in gas. The machine's row is what as many sequential runs "
        "at once give, a process and a core each. Each run follows one of the same mode, which flatters parallel "
        "runs: timed once each, in turn, they come out lower.",
        table(heads, rows),
    ]
    optimistic = ("optimistic", plan.most)
    if optimistic in large[0].said:
        executions = sum(found.said[optimistic].executions for found in large)
        again = sum(found.said[optimistic].aborted for found in large)
        wasted = sum(found.said[optimistic].aborted_gas for found in large)
        text.append(
            f"Optimistic on {plan.most} workers: {executions:,} executions, {again:,} of them aborted "
            f"({100 * again / sum(found.transactions for found in large):.1f}% of the transactions, "
            f"{100 * wasted / gas:.1f}% of the gas)."
        )
    if (alone := _total(large, ("optimistic", 1))) is not None:
        text.append(f"Optimistic with one worker takes {alone / sequential:.3f} times as long as sequential.")
    return "\n\n".join(text)


def _repairs(large: list[Measured]) -> str:
    """How many transactions each kind of commutative update keeps from being executed again, and what that does to the bound."""
    total = sum(found.transactions for found in large)
    gas = sum(found.gas for found in large)
    waiting = [0] * len(MODELS)
    spans = [[0.0] * len(BOUND_WORKERS) for _ in MODELS]
    for found in large:
        used = found.accesses.transactions["gas_used"].tolist()
        for model, needed in enumerate(needs(found.accesses, found.senders)):
            waiting[model] += sum(1 for each in needed if each)
            for place, count in enumerate(BOUND_WORKERS):
                spans[model][place] += found.gas / bound_of(used, needed, count)
    rows = [
        [name, f"{count:,}", f"{100 * count / total:.1f}%", *(times(gas / span) for span in spans[model])]
        for model, (name, count) in enumerate(zip(MODELS, waiting))
    ]
    return (
        "## What commutative updates save\n\nTransactions that depend on an earlier one of their block, by what commutes instead of "
        "read, and the bound on the speed-up that leaves: each row adds to the one above. The last is the most that re-basing "
        "slots can add, if every slot that a transaction reads and writes back is a plain sum within its range; what it "
        "does add is below.\n\n"
        + table(["commutes", "depend", "share", *(f"bound, {count}" for count in BOUND_WORKERS)], rows)
    )


def _worst(plan: Plan, measured: list[Measured]) -> str:
    """Where `auto` does worst: against sequential, and against the best mode that needs no accesses."""
    worth = [found for found in measured if median(found.seconds[SEQUENTIAL]) >= WORTH_SECONDS]
    rows = []
    for count in plan.workers:
        mode = ("auto", count)
        judged = [(speedup, found) for found in worth if (speedup := found.speedup(mode)) is not None]
        if not judged:
            continue
        slowest, its_block = min(judged, key=lambda pair: pair[0])
        rivals = [("sequential", 1), ("optimistic", count), ("groups", count)]
        shares = [
            (
                min(
                    ratio(found.seconds[mode], found.seconds[rival]) ** -1 for rival in rivals if rival in found.seconds
                ),
                found,
            )
            for _, found in judged
        ]
        share, missed = min(shares, key=lambda pair: pair[0])
        rows.append([str(count), its_block.name, times(slowest), missed.name, times(share)])
    if not rows:
        return ""
    heads = ["workers", "slowest block", "× sequential", "furthest from the best mode", "× that mode"]
    return (
        f"## The worst for auto\n\nOf {len(worth)} blocks that take a millisecond or more. auto learns from the blocks before, "
        "which here are runs of the same block, and its weights were set on these blocks.\n\n" + table(heads, rows)
    )


def _per_block(plan: Plan, measured: list[Measured]) -> str:
    count = plan.most
    strategies = [strategy for strategy in plan.strategies if (strategy, count) in measured[0].seconds]
    heads = ["block", "fork", "txs", "Mgas", "sequential ms", "Mgas/s", f"bound, {count}", "bound", *strategies]
    heads += ["auto is", "executions", "aborted"]
    rows = []
    for found in measured:
        seconds = median(found.seconds[SEQUENTIAL])
        said = found.said.get(("optimistic", count))
        rows.append(
            [
                found.name,
                found.fork,
                found.transactions,
                f"{found.gas / 1e6:.2f}",
                ms(seconds),
                f"{found.gas / seconds / 1e6:,.0f}" if found.gas else "-",
                times(speedup_bound(found.accesses, count)),
                times(found.bound),
                *(times(found.speedup((strategy, count))) for strategy in strategies),
                found.said["auto", count].strategy if ("auto", count) in found.said else "-",
                said.executions if said else "-",
                said.aborted if said else "-",
            ]
        )
    return (
        f"## Block by block, {count} workers\n\nSpeed-up over our sequential mode; executions and aborted ones are those "
        "of optimistic.\n\n" + table(heads, rows, texts=2)
    )


def _curves(plan: Plan, large: list[Measured]) -> str:
    strategy = "optimistic" if "optimistic" in plan.strategies else plan.strategies[0]
    heads = ["block", *(str(count) for count in plan.workers), "bound"]
    rows = [
        [
            found.name,
            *(times(found.speedup((strategy, count))) for count in plan.workers),
            times(found.bound),
        ]
        for found in large
    ]
    return f"## {strategy.capitalize()}, by workers\n\n" + table(heads, rows)


# ---------------------------------------------------------------- made blocks


def synthetic_part(plan: Plan) -> list[str]:
    """The gigagas blocks, and those that can't be parallel."""
    counts = [count for count in plan.workers if count > 1]
    heads = [
        "block",
        "txs",
        "Mgas",
        "sequential ms",
        "Mgas/s",
        *(f"{count} workers" for count in counts),
        "Mgas/s",
        "bound",
    ]
    rows: list[list[object]] = []
    for name, (title, make) in GIGAGAS_BLOCKS.items():
        _say(title)
        found = measure(make(10**9), plan, [SEQUENTIAL, *(("auto", count) for count in counts)], name)
        sequential = median(found.seconds[SEQUENTIAL])
        best = min(median(found.seconds[mode]) for mode in found.seconds)
        rows.append(
            [
                title,
                found.transactions,
                f"{found.gas / 1e6:.0f}",
                ms(sequential),
                f"{found.gas / sequential / 1e6:,.0f}",
                *(times(found.speedup(("auto", count))) for count in counts),
                f"{found.gas / best / 1e6:,.0f}",
                f"{found.bound:.0f}",
            ]
        )
    texts = [
        "## A gigagas\n\nBlocks made by bench/synthetic.py; speed-up of auto. A cluster's transfers and a pair's swaps depend on "
        "each other.\n\n" + table(heads, rows)
    ]
    modes = [(strategy, count) for strategy in ("optimistic", "auto") for count in counts]
    rows = []
    for name, (title, make_dependent) in DEPENDENT_BLOCKS.items():
        _say(title)
        found = measure(make_dependent(), plan, [SEQUENTIAL, *modes], name)
        for mode in modes:
            said = found.said[mode]
            seconds = median(found.seconds[mode])
            rows.append(
                [
                    title,
                    mode[0],
                    mode[1],
                    found.transactions,
                    ms(median(found.seconds[SEQUENTIAL])),
                    ms(seconds),
                    times(found.speedup(mode)),
                    said.aborted,
                ]
            )
    heads = ["block", "strategy", "workers", "txs", "sequential ms", "ms", "× sequential", "aborted"]
    texts.append("## Nothing to share\n\nEvery transaction needs the one before it.\n\n" + table(heads, rows, texts=2))
    return texts


def _large(plan: Plan) -> list[Block]:
    """The blocks that totals are taken over; all where none is large."""
    blocks = [Block.load(path) for path in plan.paths]
    return [
        block
        for block in blocks
        if block.header.gas_used >= LARGE_GAS and len(block.transactions) >= LARGE_TRANSACTIONS
    ] or blocks


def fresh_part(plan: Plan) -> list[str]:
    """Every block once, as on a chain, in processes of their own."""
    count = plan.most
    strategies = ["sequential", *(name for name in ("optimistic", "auto", "recorded") if name in plan.strategies)]
    _say(f"every block once in fresh processes, {plan.rounds} of each of {len(strategies)} modes")
    with TemporaryDirectory() as folder:
        found = run_fresh(plan.paths, strategies, count, plan.rounds, Path(folder))
    large = [block.number for block in _large(plan)]
    rows: list[list[object]] = []
    for strategy in strategies:
        worth = [number for number, each in found.seconds["sequential"].items() if median(each) >= WORTH_SECONDS]
        worst = min(worth, key=lambda number: found.speedup(strategy, number), default=None)
        rows.append(
            [
                strategy,
                ms(found.total(strategy, large)),
                times(found.total("sequential", large) / found.total(strategy, large)),
                "-" if worst is None else f"{worst} ({found.taken[strategy][worst]})",
                times(None if worst is None else found.speedup(strategy, worst)),
            ]
        )
    heads = ["mode", "ms", "× sequential", "worst block of a millisecond and more", "× sequential, there"]
    return [
        f"## Every block once\n\nThe same {len(large)} blocks as a chain brings them: each process runs every block once, in one "
        f"mode, on {count} workers; the medians of {plan.rounds} processes a mode. Nothing has been seen before, neither "
        "by the caches nor by auto. Recorded accesses come from files, and are arranged within the time.\n\n"
        + table(heads, rows)
    ]


def memory_part(plan: Plan) -> list[str]:
    """Resident memory at its peak, sequential and parallel, each in a process of its own."""
    largest = max(plan.paths, key=lambda path: path.stat().st_size)
    rows = []
    for name, title in (
        (str(largest.resolve()), f"block {largest.name.split('.')[0]}"),
        ("erc20", GIGAGAS_BLOCKS["erc20"][0]),
    ):
        _say(f"memory: {title}")
        sequential = memory.peak(name, "sequential", 1)
        parallel = memory.peak(name, "optimistic", MEMORY_WORKERS)
        rows.append(
            [
                title,
                f"{sequential['before_kib'] / 1024:.0f}",
                f"{sequential['peak_kib'] / 1024:.0f}",
                f"{parallel['peak_kib'] / 1024:.0f}",
                times(parallel["peak_kib"] / sequential["peak_kib"]),
            ]
        )
    heads = ["block", "before, MiB", "sequential, MiB", f"optimistic, {MEMORY_WORKERS} workers, MiB", "ratio"]
    return [
        "## Memory\n\nResident, at the peak of the execution; the process, the block and its state are in it.\n\n"
        + table(heads, rows)
    ]


def range_part(plan: Plan) -> list[str]:
    """Different blocks on different cores: `replay_range`, loading, recovery, execution and checks together."""
    count = plan.most
    _say("a range of blocks")

    def timed(executor, workers: int) -> Callable[[], float]:
        def once() -> float:
            started = time.perf_counter()
            wrong = [summary.error for summary in replay_range(plan.paths, workers, executor) if not summary.is_ok]
            if wrong:
                raise RuntimeError(wrong[0])
            return time.perf_counter() - started

        return once

    with (
        ThreadPoolExecutor(1) as one,
        ThreadPoolExecutor(count) as threads,
        ProcessPoolExecutor(count, get_context("spawn")) as processes,
    ):
        runs = {"one thread": timed(one, 1), "threads": timed(threads, count), "processes": timed(processes, count)}
        for run in runs.values():
            run()
        seconds = paired(runs, min(plan.rounds, 5))
    rows = [[name, ms(median(each)), times(ratio(seconds["one thread"], each))] for name, each in seconds.items()]
    return [
        f"## Many blocks\n\n`replay_range` over {len(plan.paths)} block files on {count} workers, each block on one thread: reading and "
        "parsing the file, sender recovery, execution and all checks. Parsing holds the GIL, so processes share it out and "
        "threads don't.\n\n" + table(["executor", "ms", "× one thread"], rows)
    ]


PARTS = ("blocks", "recovery", "fresh", "listed", "synthetic", "memory", "range")


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _counts(text: str) -> list[int]:
    return sorted({int(word) for word in text.split(",")})


def _words(allowed: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        words = tuple(text.split(","))
        for word in words:
            if word not in allowed:
                raise argparse.ArgumentTypeError(f"{word} is not one of {', '.join(allowed)}")
        return words

    return parse


def main() -> None:
    """Measure and write; after each part, so that a run that is cut short has something to show."""
    default = ROOT.parent / "shared" / "mainnet-blocks"
    parser = argparse.ArgumentParser(prog="python -m bench.parallel", description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=Path, default=default, metavar="DIR", help=f"block files (default: {default})")
    parser.add_argument("--workers", type=_counts, metavar="N,…", help="default: 1, 2, 4 … up to the number of cores")
    parser.add_argument("--strategies", type=_words(STRATEGIES), default=STRATEGIES, metavar="S,…")
    parser.add_argument("--parts", type=_words(PARTS), default=PARTS, metavar="P,…", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=10, metavar="N", help="runs of each mode (default: 10)")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FILE", help="default: bench/parallel.md")
    arguments = parser.parse_args()
    folder = arguments.blocks if arguments.blocks.is_dir() else EXAMPLE_FILE.parent
    paths = [path for path, _ in block_paths([folder]) if path.name.split(".")[0].isdecimal()] or [EXAMPLE_FILE]
    workers = arguments.workers or [count for count in (1, 2, 4, 8, 16, 32, 64) if count <= max(2, cores())]
    plan = Plan(paths, workers, arguments.strategies, arguments.rounds)
    started = time.monotonic()
    texts = [
        "# Parallel execution, measured",
        f"Written by `make bench-parallel`. {description()} · forks as the blocks have them · median of {plan.rounds} paired "
        "runs; execution alone, senders known, unless it says otherwise.",
    ]
    steps: list[Callable[[], list[str]]] = []
    if "blocks" in arguments.parts:
        steps.append(lambda: blocks_part(plan, "recovery" in arguments.parts))
    if "fresh" in arguments.parts and plan.most > 1:
        steps.append(lambda: fresh_part(plan))
    if "listed" in arguments.parts:
        steps.append(lambda: [listed_section(plan.paths, plan.most, plan.rounds, _say)])
    if "synthetic" in arguments.parts:
        steps.append(lambda: synthetic_part(plan))
    if "memory" in arguments.parts:
        steps.append(lambda: memory_part(plan))
    if "range" in arguments.parts:
        steps.append(lambda: range_part(plan))
    for step in steps:
        texts += [text for text in step() if text]
        arguments.output.write_text("\n\n".join(texts) + "\n")
    _say(f"{arguments.output}: written after {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
