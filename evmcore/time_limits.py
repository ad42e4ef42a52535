"""How long a thread's executions may take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ._core import _limit_thread, _restore_limit
from .errors import UnusableInput
from .hexadecimal import shown

__all__ = ["time_limit"]

_LONGEST_SECONDS = 1e9


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Executions, roots, senders … of this thread end with TimeLimitExceeded, and leave nothing, once so many seconds are over:

        with time_limit(5):
            call(state, header, to=contract)

    It is looked at every 262,144 gas or what takes as long. What Python code does meanwhile counts, but isn't ended. Limits nest:
    the shortest holds.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < float("inf"):
        raise UnusableInput(f"seconds: {shown(seconds)} is no number above 0")
    before = _limit_thread(min(float(seconds), _LONGEST_SECONDS))
    try:
        yield
    finally:
        _restore_limit(before)
