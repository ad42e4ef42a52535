"""What a chain on disk costs: real blocks over a Store against the same in memory, and durable commits of their changes and of others.

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
from dataclasses import replace
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


def commit_of_blocks(folder: str, count: int) -> list[tuple[str, str]]:
    """Rows: the durable commit of real blocks, each to a store of the state before it; processor time."""
    paths = sorted(BLOCKS.glob("*.json.gz"), key=lambda path: int(path.name.split(".")[0]))
    roots, whole, on_wall, keys = [], [], [], []
    for path in paths[:: max(1, len(paths) // count)]:
        block = Block.load(path)
        recover_senders(block.transactions, fork=block.header.fork)
        name = os.path.join(folder, path.name)
        with Store(name, genesis=genesis_of(State(dict(block.pre_state.items())))) as store:
            result = execute_block(block, store.state(), changes=True, workers=1, state_roots=False)
            state = store.state()
            state.apply(result.changes)
            began = time.process_time()
            root = state.root(workers=1)
            roots.append(time.process_time() - began)
            header = replace(block.header, parent_hash=store.hash_of(), number=1, state_root=root, difficulty=1)
            block = replace(block, header=header)
            began, began_on_wall = time.process_time(), time.perf_counter()
            store.commit(block, result, state=state)
            whole.append(time.process_time() - began)
            on_wall.append(time.perf_counter() - began_on_wall)
            keys.append(len(result.changes.accounts) + len(result.changes.slots))
        shutil.rmtree(name)
    told = [
        f"{sum(seconds) / sum(keys) * 1e6:.1f} µs a key ({median([s / n for s, n in zip(seconds, keys, strict=True)]) * 1e6:.1f})"
        for seconds in (roots, whole, on_wall)
    ]
    names = ("state root before it, from nodes on disk", "durable commit", "durable commit, by the clock on the wall")
    return [
        (f"{len(keys)} real blocks, {sum(keys):,} changed keys: {name}", text)
        for name, text in zip(names, told, strict=True)
    ]


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
            parts: dict[str, list[float]] = {"whole": [], "root": [], "wall": []}
            for _ in range(rounds):
                after = store.state()
                mark = after.snapshot()
                for address in chance.sample(addresses, changed):
                    after.set_balance(address, chance.randrange(10**18))
                changes = after.changes_since(mark)
                after.release(mark)
                began = time.process_time()
                root = after.root(workers=1)
                parts["root"].append(time.process_time() - began)
                header = Header(
                    parent_hash=store.hash_of(),
                    number=store.height + 1,
                    state_root=root,
                    difficulty=1,
                    fork="Berlin",
                )
                block = Block(header=header, transactions=())
                result = execute_block(block, State(), changes=True)
                began, began_on_wall = time.process_time(), time.perf_counter()
                store.commit(block, result, state=after, changes=changes)
                parts["whole"].append(time.process_time() - began)
                parts["wall"].append(time.perf_counter() - began_on_wall)
            for name, seconds in (
                ("state root before it", parts["root"]),
                ("durable commit", parts["whole"]),
                ("durable commit, by the clock on the wall", parts["wall"]),
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
        lines = commit_of_blocks(folder, arguments.blocks)
        lines += commits(folder, arguments.accounts, max(3, arguments.rounds // 3))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = table(("", "store", "memory", "ratio"), blocks) + "\n\n" + table(("", "measured"), lines)
    print(text)
    if arguments.write:
        note = (
            "Execution without roots, sums of medians. Commits in time of the processor, with what the system takes for writing and for "
            "the synchronisation of the disk: libmdbx's durable mode, an fdatasync a block. Of real blocks sums, and in brackets medians."
        )
        PAGE.write_text(f"# Store\n\n{text}\n\n{note} {description()} Written by `python -m bench.store --write`.\n")


if __name__ == "__main__":
    main()
