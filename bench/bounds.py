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
    return sum(gas) / now


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
