"""The law of the parallel floor on hard blocks: whatever the mode, the workers and the schedule, the result is the sequential one.

`python tests/test_schedules.py FIRST LAST` tries that range of seeds of the schedule fuzzer; a failure prints its seed.
"""

from __future__ import annotations

import sys

import pytest
from hard_blocks import hard_block

from evmcore import Block, EvmError, execute_block
from evmcore._core import ScheduleFuzzer

SIZE = 10
SEEDS_PER_BLOCK = 4


def outcome(block: Block, **options) -> object:
    """Everything that has to be the same: of a block that is refused, why; the state is then untouched."""
    state = block.pre_state.copy()
    try:
        result = execute_block(block, state, **options)
    except EvmError as error:
        assert state.root() == block.pre_state.root()
        return type(error), str(error)
    return (
        tuple((receipt.encode(), receipt.outcome, receipt.output) for receipt in result.receipts),
        result.gas_used,
        result.logs_bloom,
        result.requests,
        result.state_root,
        state.to_alloc(),
    )


def check_schedule(seed: int) -> None:
    """One block under the schedule of one seed, on two to four workers."""
    block = hard_block(seed // SEEDS_PER_BLOCK, SIZE)
    workers = 2 + seed % 3
    with ScheduleFuzzer(seed, workers, tracking_start=seed % 2 * 64):
        parallel = outcome(block, workers=workers, strategy="optimistic")
    sequential = outcome(block, workers=1, strategy="sequential")
    assert parallel == sequential, (
        f"seed {seed}: block {seed // SEEDS_PER_BLOCK} of {SIZE}, {block.header.fork}, {workers} workers"
    )


@pytest.mark.parametrize("first", range(0, 1000, 100))
def test_any_schedule_gives_the_sequential_result(first):
    for seed in range(first, first + 100):
        check_schedule(seed)


def test_the_schedules_come_by_all_that_is_rare():
    """What is aborted, re-based and executed by the fallback: none of it would be tested by blocks that never get there."""
    counts = dict.fromkeys(("aborted", "rebased", "rebased_slots", "fallback_transactions"), 0)
    for seed in range(400):
        block = hard_block(seed // SEEDS_PER_BLOCK, SIZE)
        try:
            with ScheduleFuzzer(seed, 2 + seed % 3, tracking_start=seed % 2 * 64):
                result = execute_block(block, block.pre_state.copy(), workers=2 + seed % 3, strategy="optimistic")
        except EvmError:
            continue
        if result.statistics.strategy == "optimistic":  # roots after each transaction need the order
            for name in counts:
                counts[name] += getattr(result.statistics, name)
            assert result.statistics.executions == len(block.transactions) + result.statistics.aborted
    assert all(counts.values()), counts


def test_a_schedule_is_the_same_each_time():
    def points(seed: int) -> int:
        with ScheduleFuzzer(seed, 3) as fuzzer:
            outcome(hard_block(5, SIZE), workers=3, strategy="optimistic")
        return fuzzer.points

    assert points(11) == points(11)
    assert len({points(seed) for seed in range(20)}) > 1


@pytest.mark.parametrize("workers", [2, 3, 4, 8, 16])
@pytest.mark.parametrize("strategy", ["optimistic", "groups", "auto"])
def test_any_number_of_workers_gives_the_sequential_result(strategy, workers):
    for seed in range(60):
        block = hard_block(seed, size=24)
        assert outcome(block, workers=workers, strategy=strategy) == outcome(block, workers=1, strategy="sequential"), (
            f"seed {seed}"
        )


def test_recorded_accesses_give_the_sequential_result_with_no_conflict():
    for seed in range(120):
        block = hard_block(seed, size=16, flaw=None)
        try:
            recorded = execute_block(block, block.pre_state.copy(), workers=1, strategy="sequential", record=True)
        except EvmError:
            continue
        state = block.pre_state.copy()
        accesses = recorded.accesses
        if seed % 2:
            with ScheduleFuzzer(seed, 3):
                by_workers = execute_block(block, state.copy(), workers=3, strategy="optimistic", record=True)
            accesses = by_workers.accesses
        with ScheduleFuzzer(seed, 3):
            again = execute_block(block, state, workers=3, strategy="recorded", accesses=accesses)
        assert again == recorded, f"seed {seed}"
        assert again.statistics.mismatch is None, f"seed {seed}"
        assert again.statistics.aborted == 0, f"seed {seed}"


if __name__ == "__main__":
    first, last = int(sys.argv[1]), int(sys.argv[2])
    for seed in range(first, last):
        check_schedule(seed)
    print(f"seeds {first} to {last - 1}: every schedule gave the sequential result")
