"""Real blocks on evmcore and on revm, one after the other, in three regimes; `make bench` runs it.

    python -m bench.regimes [--rounds N] [--write]     measure and print the table; --write: into README.md and bench/engines.md
    python -m bench.regimes run REGIME SENDERS WORKERS ROUNDS FILE…     evmcore's part, as revm-blocks has it for revm

once      a fresh process executes each block once
next      each block once in a process that has executed the others before: what a node sees
repeated  each block several times in a row: caches, branch predictors and hashes are as the last execution left them

Senders are known beforehand, or recovered from the signatures in the timed part. Timed: the whole call of `execute_block`
without roots, and the same work of revm (bench/peers/revm). Not timed: reading files, copies of the state. Engines take turns, a
process each; a ratio is the median over the rounds of what the two had in the same round, the spread its quartiles.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from evmcore import Block, execute_block, recover_senders

from .blocks import PATHS
from .machine import ROOT, cores, description
from .paired import median
from .tables import table, write_marked

REVM = ROOT / "bench" / "peers" / "revm"
PASSES = 4  # the first is "once"
REPEATS = 5
# (regime of the table, senders): the columns.
COLUMNS = (("once", "known"), ("next", "known"), ("repeated", "known"), ("once", "recover"), ("next", "recover"))
TITLES = {"known": "senders known", "recover": "senders recovered"}


# ---------------------------------------------------------------- evmcore's part


def own_copy(block: Block):
    """A copy of the state before the block that owns what it writes: the first write makes its layer (of a small state a whole copy),
    outside of the timed part. Below a layer the accounts stay shared, as in any program that executes on a copy."""
    state = block.pre_state.copy()
    address = next(iter(state.addresses()), b"\x01" * 20)
    state.set_balance(address, state.get_balance(address))
    return state


def execute(block: Block, state, recovers: bool, workers: int) -> int:
    """Nanoseconds of one execution. Gas and bloom are compared with the header's."""
    if recovers:
        block = replace(block, transactions=tuple(tx.forget_sender() for tx in block.transactions))
    strategy = "sequential" if workers == 1 else "auto"
    began = time.perf_counter_ns()
    result = execute_block(block, state, workers=workers, strategy=strategy, state_roots=False)
    nanoseconds = time.perf_counter_ns() - began
    assert result.gas_used == block.header.gas_used, block.number
    assert result.logs_bloom == block.header.logs_bloom, block.number
    return nanoseconds


def run(regime: str, senders: str, workers: int, rounds: int, files: list[str]) -> None:
    """Print a line a block: number, gas, transactions, and the nanoseconds of each execution."""
    blocks = sorted((Block.load(path) for path in files), key=lambda block: block.number)
    for block in blocks:
        recover_senders(block.transactions, fork=block.header.fork)
    recovers = senders == "recover"
    found: list[list[int]] = [[] for _ in blocks]
    gc.disable()
    if regime == "passes":
        for _ in range(rounds):
            states = [own_copy(block) for block in blocks]
            for block, state, times in zip(blocks, states, found):
                times.append(execute(block, state, recovers, workers))
    else:
        for block, times in zip(blocks, found):
            execute(block, own_copy(block), recovers, workers)
            times += [execute(block, own_copy(block), recovers, workers) for _ in range(rounds)]
    for block, times in zip(blocks, found):
        print(block.number, block.header.gas_used, len(block.transactions), *times)


# ---------------------------------------------------------------- all engines in turn


@dataclass(slots=True)
class Figures:
    """By engine and column: Mgas/s over all blocks, one a round."""

    gas: int = 0
    speeds: dict[tuple[str, str, str], list[float]] = field(default_factory=dict)

    def add(self, engine: str, regime: str, senders: str, seconds: float) -> None:
        self.speeds.setdefault((engine, regime, senders), []).append(self.gas / seconds / 1e6)

    def speed(self, engine: str, regime: str, senders: str) -> float:
        return median(self.speeds[engine, regime, senders])

    def ratios(self, engine: str, peer: str, regime: str, senders: str) -> list[float]:
        ours, theirs = self.speeds[engine, regime, senders], self.speeds[peer, regime, senders]
        return sorted(a / b for a, b in zip(ours, theirs))


def build_revm() -> Path | None:
    """The program that runs revm; None where there is no cargo. Built for this very processor, which evmcore's isn't."""
    try:
        subprocess.run(
            ["cargo", "build", "--release", "--quiet", "--locked"],
            cwd=REVM,
            env={**os.environ, "RUSTFLAGS": "-C target-cpu=native"},
            check=True,
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return REVM / "target" / "release" / "revm-blocks"


def engines() -> dict[str, list[str]]:
    """Name -> the command that takes REGIME SENDERS … ROUNDS FILE…, with "{}" where these go."""
    ours = [sys.executable, "-m", "bench.regimes", "run", "{regime}", "{senders}"]
    found = {"evmcore, 1 thread": [*ours, "1", "{rounds}"]}
    if cores() > 1:
        found[f"evmcore, {cores()} threads"] = [*ours, str(cores()), "{rounds}"]
    if program := build_revm():
        found["revm, 1 thread"] = [str(program), "{regime}", "{senders}", "{rounds}"]
    return found


def measure(rounds: int) -> Figures:
    """Each engine in turn, in an order that goes round, `rounds` times."""
    figures = Figures()
    commands = list(engines().items())
    for turn in range(rounds):
        at = turn % len(commands)
        for name, command in commands[at:] + commands[:at]:
            for senders in ("known", "recover"):
                lines = output(command, "passes", senders, PASSES)
                figures.gas = sum(line[1] for line in lines)
                passes = [sum(line[3 + k] for line in lines) / 1e9 for k in range(PASSES)]
                figures.add(name, "once", senders, passes[0])
                figures.add(name, "next", senders, median(passes[1:]))
            lines = output(command, "repeat", "known", REPEATS)
            figures.add(name, "repeated", "known", sum(median(line[3:]) for line in lines) / 1e9)
    return figures


def output(command: list[str], regime: str, senders: str, rounds: int) -> list[list[int]]:
    words = [word.format(regime=regime, senders=senders, rounds=rounds) for word in command]
    files = [str(path.resolve()) for path in PATHS]
    text = subprocess.run([*words, *files], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [[int(word) for word in line.split()] for line in text.splitlines()]


# ---------------------------------------------------------------- the table


def report(figures: Figures, rounds: int) -> str:
    names = list(dict.fromkeys(name for name, _, _ in figures.speeds))
    heads = ["Mgas/s", *(f"{regime}, {TITLES[senders]}" for regime, senders in COLUMNS)]
    rows: list[list[object]] = [
        [name, *(f"{figures.speed(name, *column):,.0f}" for column in COLUMNS)] for name in names
    ]
    peer = next((name for name in names if name.startswith("revm")), None)
    for name in names if peer else ():
        if name != peer:
            rows.append([f"{name} / {peer}", *(spread(figures.ratios(name, peer, *column)) for column in COLUMNS)])
    count, transactions = len(PATHS), sum(len(Block.load(path).transactions) for path in PATHS)
    missing = "" if peer else " revm was not measured: no cargo here."
    return "\n\n".join(
        [
            table(heads, rows),
            f"{count} real blocks, {transactions:,} transactions, {figures.gas / 1e6:,.0f} Mgas; {rounds} rounds, engines in turn; "
            "*once*: a fresh process, each block once; *next*: each block once in a process that ran the others; *repeated*: each "
            "block several times in a row. Ratios: median of the rounds (quartiles). revm is built for this processor, evmcore "
            f"for any of its kind.{missing} {description()}. Written by `make bench`.",
        ]
    )


def spread(ratios: list[float]) -> str:
    low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
    return f"{median(ratios):.2f} ({low:.2f} – {high:.2f})"


def main() -> int:
    if sys.argv[1:2] == ["run"]:
        regime, senders, workers, rounds, *files = sys.argv[2:]
        run(regime, senders, int(workers), int(rounds), files)
        return 0
    parser = argparse.ArgumentParser(prog="python -m bench.regimes", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true", help="into README.md and bench/engines.md")
    arguments = parser.parse_args()
    text = report(measure(arguments.rounds), arguments.rounds)
    print(text)
    if arguments.write:
        write_marked(ROOT / "README.md", "engines", text)
        (ROOT / "bench" / "engines.md").write_text(f"# Engines\n\n{text}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
