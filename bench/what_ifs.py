"""Thousands of what-ifs: what one takes, and what a second worker is worth. `python -m bench.what_ifs [--write]` makes bench/what_ifs.md.

A contract that stops at once shows what a what-if takes beside its execution. Beside two workers stand two processes that share nothing, each with
the whole work: what the machine gives at most. Rounds in turn; times are medians of the rounds, ratios medians of each round's.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from evmcore import Header, State, assemble, simulate_many

TABLE = Path(__file__).with_suffix(".md")
TRADER, STOPS, TOKEN, LOOP = (bytes([number]) * 20 for number in (0x11, 0x22, 0x33, 0x44))
HEADER = Header(number=1, base_fee_per_gas=7, fork="Osaka", excess_blob_gas=0)
CODES = {
    STOPS: "STOP",
    # Moves the amount given from the caller's slot to another, with a log.
    TOKEN: "PUSH0 CALLDATALOAD CALLER SLOAD DUP2 SWAP1 SUB CALLER SSTORE DUP1 PUSH1 32 CALLDATALOAD SLOAD ADD PUSH1 32 CALLDATALOAD SSTORE "
    "PUSH0 MSTORE PUSH1 32 CALLDATALOAD CALLER PUSH1 32 PUSH0 LOG2 PUSH1 1 PUSH0 MSTORE PUSH1 32 PUSH0 RETURN",
    LOOP: "PUSH2 1000 JUMPDEST PUSH1 1 SWAP1 SUB DUP1 PUSH1 3 JUMPI STOP",
}
PROGRAMS = {"a contract that stops": STOPS, "a token's transfer": TOKEN, "a loop of 26,000 gas": LOOP}
Work = Callable[[int], Any]


def make_state() -> State:
    """A trader, who has tokens, and the programs."""
    accounts: dict[Any, Any] = {address: {"code": assemble(code)} for address, code in CODES.items()}
    accounts[TRADER] = {"balance": 10**18}
    accounts[TOKEN]["storage"] = {int.from_bytes(TRADER, "big"): 10**30}
    return State(accounts)


def works(program: bytes, count: int) -> dict[str, Work]:
    """The same calls in each form: what to run with so many workers."""
    state = make_state()
    words = [number.to_bytes(32, "big") + (1 << 160 | number).to_bytes(32, "big") for number in range(1, count + 1)]
    dicts = [{"sender": TRADER, "to": program, "data": data, "gas": 200_000} for data in words]
    data = np.frombuffer(b"".join(words), np.uint8).reshape(count, 64)
    columns = {"sender": TRADER, "to": program, "data": data, "gas": 200_000}
    return {
        "dicts": lambda workers: simulate_many(state, HEADER, dicts, workers=workers),
        "columns": lambda workers: simulate_many(state, HEADER, columns, workers=workers),
    }


def serve(pipe: Any, program: bytes, form: str, count: int) -> None:
    """A process that does the work whenever it is told to."""
    work = works(program, count)[form]
    work(1)
    pipe.send("ready")
    while pipe.recv():
        work(1)
        pipe.send("done")


def seconds(work: Callable[[], Any]) -> float:
    """Of one execution."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(program: bytes, form: str, count: int, rounds: int) -> dict[str, float]:
    """One row."""
    work = works(program, count)[form]
    fork = multiprocessing.get_context("fork")
    pipes, crew = [], []
    for _ in range(2):
        ours, theirs = fork.Pipe()
        crew.append(fork.Process(target=serve, args=(theirs, program, form, count), daemon=True))
        crew[-1].start()
        pipes.append(ours)
        ours.recv()

    def tell(some: list[Any]) -> None:
        for pipe in some:
            pipe.send(True)
        for pipe in some:
            pipe.recv()

    work(2)
    taken = [
        [
            seconds(lambda: work(1)),
            seconds(lambda: work(2)),
            seconds(lambda: tell(pipes[:1])),
            seconds(lambda: tell(pipes)),
        ]
        for _ in range(rounds)
    ]
    for pipe, process in zip(pipes, crew):
        pipe.send(False)
        process.join()
    one, two, _, _ = (statistics.median(column) / count * 1e6 for column in zip(*taken))
    gains = [row[0] / row[1] for row in taken]
    machine = [2 * row[2] / row[3] for row in taken]
    return {"one": one, "two": two, "gain": statistics.median(gains), "machine": statistics.median(machine)}


def main() -> None:
    """All rows, as a table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", action="store_true", help="write bench/what_ifs.md")
    arguments.add_argument("--count", type=int, default=20_000)
    arguments.add_argument("--rounds", type=int, default=15)
    options = arguments.parse_args()
    lines = [
        "| each calls | given as | µs each, one worker | µs each, two | two workers, times one | two processes, times one |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for name, program in PROGRAMS.items():
        for form in ("dicts", "columns"):
            row = measure(program, form, options.count, options.rounds)
            lines.append(
                f"| {name} | {form} | {row['one']:.2f} | {row['two']:.2f} | {row['gain']:.2f} | {row['machine']:.2f} |"
            )
            print(lines[-1], flush=True)
    if options.write:
        from .machine import description

        text = f"# What-ifs\n\n{options.count:,} a time, {options.rounds} rounds in turn. {description()}\n\n"
        TABLE.write_text(text + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
