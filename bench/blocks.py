"""Real blocks in order on one thread, execution alone (senders known, the copy of the state not counted); and two blocks on
two threads against one on one. Without the mainnet blocks the example block stands in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from evmcore import Block, execute_block, recover_senders
from evmcore.example.generate import EXAMPLE_FILE

from .conftest import SHARED
from .machine import cores
from .paired import median, paired

PATHS = sorted((SHARED / "mainnet-blocks").glob("*.json.gz"), key=lambda path: int(path.name.split(".")[0])) or [
    EXAMPLE_FILE
]
ROUNDS = 10
SCALING_ROUNDS = 15
# How long one thread works in a round: far more than it takes to start another.
SCALING_SECONDS = 0.05


def load(path) -> Block:
    block = Block.load(path)
    recover_senders(block.transactions, fork=block.header.fork)
    return block


def run(block: Block) -> float:
    """Execute it; the seconds of the execution alone."""
    assert block.pre_state is not None
    result = execute_block(block, block.pre_state.copy(), workers=1, strategy="sequential", state_roots=False)
    return result.statistics.execute_seconds


@pytest.mark.benchmark(group="blocks")
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name.split(".")[0])
def test_block(benchmark, path):
    block = load(path)
    seconds = [run(block) for _ in range(ROUNDS + 1)][1:]
    benchmark.extra_info.update(
        kind="block",
        block=block.number,
        fork=block.header.fork,
        transactions=len(block.transactions),
        gas=block.header.gas_used,
        seconds=median(seconds),
    )
    benchmark.pedantic(run, (block,), rounds=1)


@pytest.mark.benchmark(group="threads")
@pytest.mark.skipif(cores() < 2, reason="one core")
def test_two_threads_take_about_the_time_of_one(benchmark):
    """Each thread has a block of its own, again and again for as long as one run of the slower takes several times."""
    blocks = [load(path) for path in (PATHS[-1], PATHS[len(PATHS) // 2])]
    works = [_repeated(block) for block in blocks]

    def together() -> float:
        threads = [threading.Thread(target=work) for work in works]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - started

    def alone(work: Callable[[], None]) -> Callable[[], float]:
        def once() -> float:
            started = time.perf_counter()
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            return time.perf_counter() - started

        return once

    seconds = paired({"first": alone(works[0]), "second": alone(works[1]), "both": together}, SCALING_ROUNDS)
    pairs = zip(seconds["first"], seconds["second"], seconds["both"])
    benchmark.extra_info.update(
        kind="threads",
        blocks=[block.number for block in blocks],
        ratio=median([both / max(one, two) for one, two, both in pairs]),
        one_seconds=median(seconds["first"]),
        both_seconds=median(seconds["both"]),
    )
    benchmark.pedantic(together, rounds=1)


def _repeated(block: Block) -> Callable[[], None]:
    turns = max(1, round(SCALING_SECONDS / min(run(block) for _ in range(3))))

    def work() -> None:
        for _ in range(turns):
            run(block)

    return work
