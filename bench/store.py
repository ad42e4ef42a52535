"""What a chain on disk costs: real blocks over a Store against the same in memory, and durable commits.

python -m bench.store [--accounts N] [--rounds N] [--blocks N] [--write]

Each block has a store of its own, made of the part of the state that it needs; its pages are in the system's cache. First: nothing of it
is in the process's memory when the block begins; again: a second state of the store, which has the rows that the first one read.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import tempfile
import time
from pathlib import Path

from evmcore import Block, Header, State, execute_block, keccak256, recover_senders
from evmcore.chain import Genesis, network_schedule
from evmcore.store import Store

from .machine import description
from .paired import median
from .tables import duration, table

PAGE = Path(__file__).with_name("store.md")
MODES = {"sequential": 1, "optimistic": 2}  # workers
WHERE = {
    "memory": "",
    "first": "first after the store was opened",
    "again": "rows in the store's cache",
}
BLOCKS = Path(__file__).parents[2] / "shared/mainnet-blocks"


def genesis_of(state: State) -> Genesis:
    """A chain's first block with this state."""
    return Genesis(
        Header(state_root=state.root(), difficulty=1, fork="Berlin"),
        state,
        network_schedule("Berlin"),
    )


def seconds_to_execute(block: Block, state: State, workers: int, strategy: str) -> float:
    """Of the execution, as the block itself counts it."""
    result = execute_block(block, state, workers=workers, strategy=strategy, state_roots=False)
    return float(result.statistics.execute_seconds)


def real_blocks(folder: str, rounds: int, count: int) -> list[tuple[str, str, str, str]]:
    """Rows: of blocks that are spread over the chain, sequentially and with two workers."""
    paths = sorted(BLOCKS.glob("*.json.gz"), key=lambda path: int(path.name.split(".")[0]))
    sums = {(mode, where): 0.0 for mode in MODES for where in WHERE}
    for path in paths[:: max(1, len(paths) // count)]:
        block = Block.load(path)
        recover_senders(block.transactions, fork=block.header.fork)
        plain = State(dict(block.pre_state.items()))
        name = os.path.join(folder, path.name)
        Store(name, genesis=genesis_of(plain)).close()
        for mode, workers in MODES.items():
            times: dict[str, list[float]] = {where: [] for where in WHERE}
            for _ in range(rounds):
                times["memory"].append(seconds_to_execute(block, plain.copy(), workers, mode))
                with Store(name) as store:
                    times["first"].append(seconds_to_execute(block, store.state(), workers, mode))
                    times["again"].append(seconds_to_execute(block, store.state(), workers, mode))
            for where, seconds in times.items():
                sums[mode, where] += median(seconds)
        shutil.rmtree(name)
    rows = []
    for mode in MODES:
        memory = sums[mode, "memory"]
        for where in ("first", "again"):
            seconds_there = sums[mode, where]
            rows.append(
                (
                    f"real blocks, {mode}, {WHERE[where]}",
                    duration(seconds_there),
                    duration(memory),
                    f"{seconds_there / memory:.2f}",
                )
            )
    return rows


def commits(folder: str, accounts: int, rounds: int) -> list[tuple[str, str]]:
    """Rows: durable commits of changes of random accounts of a large state."""
    addresses = [keccak256(n.to_bytes(4, "big"))[12:] for n in range(accounts)]
    state = State()
    for n, address in enumerate(addresses):
        state.set_balance(address, 10**18 + n)
    chance = random.Random(1)
    rows = []
    with Store(os.path.join(folder, "commits"), genesis=genesis_of(state)) as store:
        del state
        for changed in (100, 1000, 10_000):
            parts: dict[str, list[float]] = {"whole": [], "root": []}
            for _ in range(rounds):
                after = store.state()
                mark = after.snapshot()
                for address in chance.sample(addresses, changed):
                    after.set_balance(address, chance.randrange(10**18))
                changes = after.changes_since(mark)
                after.release(mark)
                began = time.perf_counter()
                root = after.root(workers=1)
                parts["root"].append(time.perf_counter() - began)
                header = Header(
                    parent_hash=store.hash_of(),
                    number=store.height + 1,
                    state_root=root,
                    difficulty=1,
                    fork="Berlin",
                )
                block = Block(header=header, transactions=())
                result = execute_block(block, State(), changes=True)
                began = time.perf_counter()
                store.commit(block, result, state=after, changes=changes)
                parts["whole"].append(time.perf_counter() - began)
            for name, seconds in (
                ("durable commit", parts["whole"]),
                ("root before it, from nodes on disk", parts["root"]),
            ):
                rows.append(
                    (
                        f"{changed:,} of {accounts:,} accounts changed: {name}",
                        f"{duration(median(seconds))}, {median(seconds) / changed * 1e6:.1f} µs a key",
                    )
                )
    return rows


def main() -> None:
    """Measure, and print or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--blocks", type=int, default=54)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="evmcore-bench-")
    try:
        blocks = real_blocks(folder, arguments.rounds, arguments.blocks)
        lines = commits(folder, arguments.accounts, max(3, arguments.rounds // 3))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = table(("", "store", "memory", "ratio"), blocks) + "\n\n" + table(("", "measured"), lines)
    print(text)
    if arguments.write:
        note = "Execution without roots, sums of medians; commits by the clock on the wall, with their synchronisation of the disk."
        PAGE.write_text(f"# Store\n\n{text}\n\n{note} {description()} Written by `python -m bench.store --write`.\n")


if __name__ == "__main__":
    main()
