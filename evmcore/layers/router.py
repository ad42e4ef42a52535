"""Which layer gets which transaction: by predicted cost and conflicts, and by how fast each layer was.

Transactions that are predicted to conflict go to one layer, which executes them in order and sees what they write. What would make a layer much
longer than the others is kept for the end, where it is executed in order on all that the layers wrote: the sequential tail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import UnusableInput
from .prediction import Key, Prediction

__all__ = ["Assignment", "Router", "components"]

# How fast a layer was in the last blocks counts for more than before; a block of twice the usual time moves it by a third.
_KEPT = 0.7


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who executes what, by index.

    groups  for each layer its transactions, ascending
    tail    those that are executed in order when the layers are done, ascending
    """

    groups: tuple[tuple[int, ...], ...]
    tail: tuple[int, ...] = ()

    @property
    def layer_of(self) -> dict[int, int]:
        """Index -> layer, of those that aren't in the tail."""
        return {index: layer for layer, group in enumerate(self.groups) for index in group}


class Router:
    """Assigns work to layers, and learns how fast each of them is.

    layers  how many there are
    """

    def __init__(self, layers: int) -> None:
        if layers < 1:
            raise UnusableInput(f"layers: {layers} is less than 1")
        self._seconds_per_gas: list[float | None] = [None] * layers

    @property
    def speeds(self) -> list[float]:
        """How fast each layer is; 1 is the mean of those that are known, and what the others are taken to be."""
        known = [1 / seconds for seconds in self._seconds_per_gas if seconds]
        mean = sum(known) / len(known) if known else 1.0
        return [1 / seconds / mean if seconds else 1.0 for seconds in self._seconds_per_gas]

    def measured(self, layer: int, gas: int, seconds: float) -> None:
        """How long a layer took for so much gas: a slow one will get less."""
        if gas <= 0 or seconds <= 0:
            return
        before = self._seconds_per_gas[layer]
        now = seconds / gas
        self._seconds_per_gas[layer] = now if before is None else _KEPT * before + (1 - _KEPT) * now

    def assign(self, predictions: Sequence[Prediction]) -> Assignment:
        """Transactions of one block to layers that don't see each other's writes."""
        speeds = self.speeds
        best = self._pack(predictions, components(predictions, ()), speeds, ())
        tail: list[int] = []
        # One that holds many together is better at the end, if the rest then falls apart far enough.
        partners = _partners(predictions)
        for _ in range(min(len(predictions), 2 * len(speeds))):
            groups = components(predictions, tail)
            largest = max(groups, key=lambda group: sum(predictions[index].cost for index in group), default=[])
            if len(largest) < 3:
                break
            tail.append(max(largest, key=lambda index: (partners[index], -predictions[index].cost)))
            candidate = self._pack(predictions, components(predictions, tail), speeds, tail)
            if candidate[0] < best[0]:
                best = candidate
        return best[1]

    def assign_units(self, costs: Sequence[int]) -> Assignment:
        """Units that don't depend on each other, such as whole blocks with their states: the longest first, to who is done first."""
        return self._pack(
            [Prediction(cost) for cost in costs], [[index] for index in range(len(costs))], self.speeds, ()
        )[1]

    @staticmethod
    def _pack(
        predictions: Sequence[Prediction], groups: Sequence[Sequence[int]], speeds: Sequence[float], tail: Sequence[int]
    ) -> tuple[float, Assignment]:
        """The longest group first, to the layer that will be done with it first. How long all takes, in gas of a layer of mean speed."""
        costs = sorted(
            ((sum(predictions[index].cost for index in group), group) for group in groups), key=lambda one: -one[0]
        )
        ends = [0.0] * len(speeds)
        placed: list[list[int]] = [[] for _ in speeds]
        for cost, group in costs:
            layer = min(range(len(speeds)), key=lambda place: ends[place] + cost / speeds[place])
            ends[layer] += cost / speeds[layer]
            placed[layer] += group
        length = max(ends) + sum(predictions[index].cost for index in tail) / max(speeds)
        return length, Assignment(tuple(tuple(sorted(group)) for group in placed), tuple(sorted(tail)))


def components(predictions: Sequence[Prediction], without: Sequence[int]) -> list[list[int]]:
    """Transactions that are connected by conflicts (one writes what another reads), without these. What is written and read by nobody,
    such as a balance that is only added to, commutes."""
    left_out = set(without)
    parent = list(range(len(predictions)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    shared = _shared(one for index, one in enumerate(predictions) if index not in left_out)
    first: dict[Key, int] = {}
    for index, one in enumerate(predictions):
        if index in left_out:
            continue
        for key in (one.reads | one.writes) & shared:
            parent[root(index)] = root(first.setdefault(key, index))
    groups: dict[int, list[int]] = {}
    for index in range(len(predictions)):
        if index not in left_out:
            groups.setdefault(root(index), []).append(index)
    return list(groups.values())


def _shared(predictions: Iterable[Prediction]) -> set[Key]:
    """Keys that somebody writes and somebody reads."""
    read: set[Key] = set()
    written: set[Key] = set()
    for one in predictions:
        read |= one.reads
        written |= one.writes
    return read & written


def _partners(predictions: Sequence[Prediction]) -> list[int]:
    """For each transaction, through how many keys and with how many others it conflicts."""
    shared = _shared(predictions)
    users = Counter(key for one in predictions for key in (one.reads | one.writes) & shared)
    return [sum(users[key] - 1 for key in (one.reads | one.writes) & shared) for one in predictions]
