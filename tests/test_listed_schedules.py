"""The law of the listed mode on hard blocks: whatever the schedule, right lists give the sequential result and wrong ones the same fault.

`python tests/test_listed_schedules.py FIRST LAST` tries that range of seeds of the schedule fuzzer; a failure prints its seed.
"""

from __future__ import annotations

import random
import sys
from dataclasses import replace

import pytest
from hard_blocks import hard_block
from test_block_access_lists import mutants
from test_schedules import outcome

from evmcore import BlockAccessList, EvmError, InvalidAccessList, execute_block
from evmcore._core import ScheduleFuzzer, tuning_table

SIZE = 10
SEEDS_PER_BLOCK = 4
# Of every seven seeds six leave one of these out.
SWITCHES = [name for name in tuning_table() if name.startswith("listed_")]


def block_with_list(number):
    """A block with its list beside it; None where the block is refused."""
    block = hard_block(number, SIZE)
    try:
        made = execute_block(block, block.pre_state.copy(), strategy="sequential", access_list=True, state_roots=False)
    except EvmError:
        return None
    return replace(block, access_list=made.access_list)


def with_another_list(block, seed):
    """The same with a list that differs in one place; its header's hash, where it has one, is that list's."""
    lists = mutants(random.Random(seed), block.access_list.to_json(), len(block.transactions) + 1)
    while True:
        try:
            other = BlockAccessList.from_json(next(lists))
        except InvalidAccessList:
            continue
        if other != block.access_list:
            break
    header = block.header
    if header.block_access_list_hash is not None:
        header = replace(header, block_access_list_hash=other.hash)
    return replace(block, header=header, access_list=other)


def check_schedule(seed):
    """One block under the schedule of one seed, on two to four workers; every fourth with a list that isn't its own. How it ran."""
    block = block_with_list(seed // SEEDS_PER_BLOCK)
    if block is None:
        return "refused"
    workers = 2 + seed % 3
    if seed % 2:
        block.pre_state.root()  # with the trie of the state before, and without
    is_own = seed % SEEDS_PER_BLOCK != 3
    want = outcome(block, workers=1, strategy="sequential", state_roots=False)
    if not is_own:
        block = with_another_list(block, seed)
        want = outcome(block, workers=1, strategy="listed", state_roots=False)
    with ScheduleFuzzer(seed, workers, **dict.fromkeys(SWITCHES[seed % 7 : seed % 7 + 1], 0)) as fuzzer:
        have = outcome(block, workers=workers, strategy="listed", state_roots=False)
    assert have == want, f"seed {seed}: {block.header.fork}, {workers} workers, {have[:2]} in place of {want[:2]}"
    assert is_own or want[0] is InvalidAccessList, f"seed {seed}: {block.header.fork}: another list was taken"
    assert not is_own or fuzzer.points > 2 * len(block.transactions)  # a lie of what is before them ends it at once
    return "own" if is_own else "another"


@pytest.mark.parametrize("first", range(0, 200, 100))
def test_any_schedule_gives_the_result_of_the_list(first):
    ran = [check_schedule(seed) for seed in range(first, first + 100)]
    assert ran.count("own") > 30
    assert ran.count("another") > 10


def test_a_schedule_is_the_same_each_time():
    block = next(filter(None, map(block_with_list, range(20))))
    block.pre_state.root()  # a root that follows another takes other steps

    def points(seed):
        with ScheduleFuzzer(seed, 3) as fuzzer:
            outcome(block, workers=3, strategy="listed", state_roots=False)
        return fuzzer.points

    assert points(11) == points(11)
    assert len({points(seed) for seed in range(20)}) > 1


if __name__ == "__main__":
    first, last = int(sys.argv[1]), int(sys.argv[2])
    counts = dict.fromkeys(("own", "another", "refused"), 0)
    for seed in range(first, last):
        counts[check_schedule(seed)] += 1
    print(f"seeds {first} to {last - 1}: {counts}, every schedule gave the result of the list")
