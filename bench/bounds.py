"""How fast a block could run at best: its transactions on so many processors, each after those it has to wait for.

Works on a recorded run. Time is gas; a transaction waits for the one whose end its own earliest start is at.
"""

from __future__ import annotations

import heapq
from collections import defaultdict

from evmcore.accesses import Accesses


def speedup_bound(accesses: Accesses, processors: int) -> float:
    """The speed-up of list scheduling by index: the first transaction in the block that is ready goes first."""
    gas = accesses.transactions["gas_used"].tolist()
    if not gas:
        return 1.0
    followers, ready = _followers(gas, accesses.transactions["finish_gas"].tolist())
    return sum(gas) / _makespan(gas, followers, ready, processors)


def bound_of(gas: list[int], needs: list[set[int]], processors: int) -> float:
    """The same where each transaction has to wait for all those in its set."""
    if not gas:
        return 1.0
    # One whose end is the latest stands for all: no later one can start before it anyway, on processors without number;
    # on a few the difference is small, and in the bound's favour.
    finish: list[int] = []
    followers: dict[int, list[int]] = defaultdict(list)
    free: list[int] = []
    for index, needed in enumerate(needs):
        last = max(needed, key=finish.__getitem__, default=None)
        finish.append((finish[last] if last is not None else 0) + gas[index])
        (free if last is None else followers[last]).append(index)
    return sum(gas) / _makespan(gas, followers, free, processors)


def _makespan(gas: list[int], followers: dict[int, list[int]], ready: list[int], processors: int) -> int:
    """When the last transaction ends, in gas."""
    heapq.heapify(ready)
    running: list[tuple[int, int]] = []
    now = 0
    while ready or running:
        while ready and len(running) < processors:
            index = heapq.heappop(ready)
            heapq.heappush(running, (now + gas[index], index))
        now, index = heapq.heappop(running)
        for follower in followers[index]:
            heapq.heappush(ready, follower)
    return now


def _followers(gas: list[int], finish: list[int]) -> tuple[dict[int, list[int]], list[int]]:
    """Who waits for whom, and who waits for nobody. The nearest one stands for all that end at the same time."""
    followers: dict[int, list[int]] = defaultdict(list)
    free: list[int] = []
    ends: dict[int, int] = {}
    for index, (used, end) in enumerate(zip(gas, finish)):
        before = ends.get(end - used) if end > used else None
        if before is None:
            free.append(index)
        else:
            followers[before].append(index)
        ends[end] = index
    return followers, free
