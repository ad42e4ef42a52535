"""One case on both sides, and the parallel result beside the sequential one."""

from __future__ import annotations

from . import subject
from .case import Case, differences
from .specification import specification


def faults(case: Case, *, workers: int = 1) -> list[str]:
    """What evmcore does otherwise than the specification, in words; empty if nothing."""
    have = subject.run(case)
    found = differences(specification(case.fork).run(case), have)
    if not found and workers > 1:
        parallel = subject.run(case, workers=workers)
        found = [f"with {workers} workers: {text}" for text in differences(have, parallel)]
    return found
