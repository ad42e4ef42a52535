"""What the benchmarks share: where the data is, and how long one of them may take."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(os.environ.get("EVMCORE_SHARED") or Path(__file__).resolve().parents[2] / "shared")
# Seconds for each benchmark; a run that is longer than that is made once.
BUDGET_S = float(os.environ.get("EVMCORE_BENCH_SECONDS", "0.3"))
# Long against the 0.3 µs that reading the thread's clock takes.
ROUND_S = 200e-6
MOST_ROUNDS = 200


@pytest.fixture
def measure(benchmark: Any) -> Callable[..., None]:
    """Measure a function: as many rounds as the budget has room for, each long enough for the clock."""

    def measure(run: Callable[[], Any], **facts: Any) -> None:
        benchmark.extra_info.update(facts)
        started = time.perf_counter()
        run()
        once = max(time.perf_counter() - started, 1e-7)
        iterations = max(1, int(ROUND_S / once))
        rounds = min(MOST_ROUNDS, max(1, int(BUDGET_S / (once * iterations))))
        benchmark.pedantic(run, rounds=rounds, iterations=iterations, warmup_rounds=min(1, rounds - 1))

    return measure
