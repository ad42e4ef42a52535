"""How long a block takes on so many processors, in gas: of schedules, not of this machine.

Works on what transactions did (`prediction.actual`) and on what was predicted of them; nothing is executed.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .prediction import Prediction, conflicts
from .router import Assignment

__all__ = ["Scheduled", "schedule_apart", "schedule_together"]

# Of the engine: how far above the commit index a worker may execute, for each of them.
_WINDOW = 64


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution on the line of time: who, what, from when to when in gas, and whether its read set failed validation."""

    worker: int
    transaction: int
    begin: float
    end: float
    is_aborted: bool = False


@dataclass(frozen=True, slots=True)
class Scheduled:
    """length, total: of the schedule and of all transactions one after the other, in gas; wasted: gas of aborted executions; executions: of an
    engine's workers, by when they began."""

    length: float
    total: int
    wasted: int
    executions: tuple[Execution, ...] = ()

    @property
    def speed_up(self) -> float:
        """How many times as fast as one after the other."""
        return self.total / self.length if self.length else 1.0


def schedule_apart(done: Sequence[Prediction], assignment: Assignment) -> Scheduled:
    """Layers that don't see each other's writes: what read something that another layer or the tail wrote before is executed again, in order.

    done  what the transactions do;  assignment  who executes them
    """
    layer_of = assignment.layer_of
    again: set[int] = set()
    for index, needed in enumerate(_all_conflicts(done)):
        if index not in layer_of or any(other in again or layer_of.get(other) != layer_of[index] for other in needed):
            again.add(index)
    longest = max((sum(done[index].cost for index in group) for group in assignment.groups), default=0)
    repeated = sum(done[index].cost for index in again)
    wasted = sum(done[index].cost for index in again if index in layer_of)
    return Scheduled(longest + repeated, sum(one.cost for one in done), wasted)


def _all_conflicts(done: Sequence[Prediction]) -> list[set[int]]:
    """For each transaction the earlier ones that write what it reads."""
    writers: dict[bytes, list[int]] = {}
    needs = []
    for index, one in enumerate(done):
        needs.append({other for key in one.reads for other in writers.get(key, ())})
        for key in one.writes:
            writers.setdefault(key, []).append(index)
    return needs


def schedule_together(
    done: Sequence[Prediction], processors: int, predicted: Sequence[Prediction] | None = None
) -> Scheduled:
    """Workers of one engine, with ordered commit: what read something that was written later than it began is executed again when its turn
    to commit comes. With predictions, one that is predicted to conflict isn't begun before the other is executed."""
    count = len(done)
    needs = conflicts(done)
    awaited = [set() for _ in done] if predicted is None else conflicts(predicted)
    begun: list[float | None] = [None] * count
    ended: list[float | None] = [None] * count
    workers = [(0.0, worker) for worker in range(processors)]
    heapq.heapify(workers)
    open_ = list(range(count))  # not yet begun, ascending
    commit, committed_at = 0, 0.0
    wasted = 0
    line: list[Execution] = []
    latest: dict[int, int] = {}  # transaction -> its last execution's place in the line

    def execute(index: int, worker: int, now: float) -> None:
        begun[index], ended[index] = now, now + done[index].cost
        latest[index] = len(line)
        line.append(Execution(worker, index, now, now + done[index].cost))
        heapq.heappush(workers, (now + done[index].cost, worker))

    while commit < count:
        now, worker = heapq.heappop(workers)
        repeated = None
        while commit < count:
            begin, end = begun[commit], ended[commit]
            if begin is None or end is None or end > now:
                break
            if all((ended[other] or 0.0) <= begin for other in needs[commit]):
                committed_at = max(committed_at, end)
                commit += 1
                continue
            repeated = commit
            break
        if repeated is not None:  # the worker that finds it executes it again, on what is final
            wasted += done[repeated].cost
            line[latest[repeated]] = replace(line[latest[repeated]], is_aborted=True)
            execute(repeated, worker, now)
            continue
        chosen = next(
            (
                index
                for index in open_
                if index < commit + _WINDOW * processors
                and all((end := ended[other]) is not None and end <= now for other in awaited[index])
            ),
            None,
        )
        if chosen is not None:
            open_.remove(chosen)
            execute(chosen, worker, now)
        elif commit < count:
            later = [end for end in ended if end is not None and end > now]
            heapq.heappush(workers, (min(later) if later else now + 1, worker))
    return Scheduled(committed_at, sum(one.cost for one in done), wasted, tuple(line))
