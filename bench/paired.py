"""Paired runs: what is compared takes turns in one process, so that a machine that slows down slows all of it alike."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def paired(runs: Mapping[Key, Callable[[], float]], rounds: int) -> dict[Key, list[float]]:
    """The seconds that each run says it took, `rounds` times each. In a round each has its turn; who begins changes."""
    seconds: dict[Key, list[float]] = {key: [] for key in runs}
    keys = list(runs)
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for turn in range(rounds):
            for place in range(len(keys)):
                key = keys[(turn + place) % len(keys)]
                seconds[key].append(runs[key]())
    finally:
        if was_enabled:
            gc.enable()
    return seconds


def ratio(base: list[float], other: list[float]) -> float:
    """How many times as fast the other is: the median over the pairs."""
    return statistics.median(one / two for one, two in zip(base, other))


def median(seconds: list[float]) -> float:
    """The middle one."""
    return statistics.median(seconds)
