"""The scheduler alone, with counters for work: each index counts on from a lower one, and may have to count again."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from evmcore._core import ScheduleFuzzer, probe_scheduler

ROOT = Path(__file__).resolve().parent.parent


def values_of(needs: list[int]) -> list[int]:
    values: list[int] = []
    for index, needed in enumerate(needs):
        values.append(1 if needed == index else values[needed] + 1)
    return values


def order_of(count: int) -> int:
    order = 0
    for index in range(count):
        order = (order * 31 + index) % 2**64
    return order


NEEDS = {
    "nobody": lambda random, index: index,
    "the one before": lambda random, index: max(0, index - 1),
    "one far below": lambda random, index: max(0, index - 100),
    "anybody below": lambda random, index: random.randrange(index + 1),
    "the one before, now and then": lambda random, index: max(0, index - 1) if random.random() < 0.1 else index,
}


def aborted_by(needs: list[int], *how) -> int:
    """Run the counters, check that each was committed once, in order, on what was final; how many executions were aborted."""
    values, executions, aborted, order = probe_scheduler(needs, *how)
    assert values == values_of(needs)
    assert order == order_of(len(needs))
    assert executions == len(needs) + aborted  # twice at the most
    return aborted


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("needed", NEEDS)
def test_every_index_is_committed_once_in_order_on_what_is_final(needed, workers):
    random = Random(workers)
    for count in (0, 1, 2, 3000):
        needs = [NEEDS[needed](random, index) for index in range(count)]
        for window in (1, 2, 64):
            aborted = aborted_by(needs, workers, window)
            assert aborted == 0 or (needed != "nobody" and workers * window > 1)


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("wrong", [-1, 2**32, 2**70, None, 1.5, "1"])
def test_a_number_that_the_scheduler_cannot_have_is_named(place, wrong):
    names = ["needs", "workers", "window"]
    given = [[0, 1, 2], 2, 4]
    given[place] = [0, wrong] if isinstance(given[place], list) else wrong
    with pytest.raises((ValueError, TypeError), match=names[place]):
        probe_scheduler(*given)
    with pytest.raises((ValueError, TypeError), match="workers"):
        ScheduleFuzzer(1, wrong)


SCHEDULED = """
import contextlib, os, threading
from evmcore._core import ScheduleFuzzer, probe_scheduler
with contextlib.suppress(RuntimeError):  # the first thread of all brings one of ThreadSanitizer's
    first = threading.Thread(target=int)
    first.start()
    while os.path.exists(f"/proc/self/task/{first.native_id}"):
        pass
before = len(os.listdir("/proc/self/task"))
needs = [max(0, index - 1) for index in range(40)]
for workers in (2, 3, 4):
    with ScheduleFuzzer(1, 3) as fuzzer:
        for _ in range(2):
            assert probe_scheduler(needs, workers, 4)[0] == list(range(1, 41))
    assert fuzzer.points > 40
print("done", len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads in /proc")
@pytest.mark.parametrize("has_threads", [True, False])
def test_a_schedule_goes_on_with_the_workers_that_there_are(has_threads):
    """As many as the fuzzer was told, more, or fewer, also where threads can't be had."""
    if not has_threads and "san.so" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("its shadow takes more address space than the limit")

    def limit():
        # A stack that is larger than the address space.
        if not has_threads:
            resource.setrlimit(resource.RLIMIT_STACK, (1 << 38, resource.getrlimit(resource.RLIMIT_STACK)[1]))
            resource.setrlimit(resource.RLIMIT_AS, (1 << 36,) * 2)

    done = subprocess.run(
        [sys.executable, "-c", SCHEDULED], capture_output=True, text=True, timeout=60, cwd=ROOT, preexec_fn=limit
    )
    assert done.stdout == f"done {(1 + 2 + 3) * has_threads}\n", done.stderr


def test_independent_work_is_never_aborted_and_dependent_work_closes_the_window():
    independent = list(range(5000))
    assert probe_scheduler(independent, 4, 128)[2] == 0
    chain = [max(0, index - 1) for index in range(5000)]
    # Without the window's closing nearly all that is executed ahead would be.
    assert probe_scheduler(chain, 4, 128)[2] < 1500


def test_any_order_of_the_workers_will_do():
    for seed in range(200):
        random = Random(seed)
        needs = [NEEDS["anybody below"](random, index) for index in range(40)]
        with ScheduleFuzzer(seed, 3):
            aborted_by(needs, 3, 1 + seed % 9)
