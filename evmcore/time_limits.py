"""How long a thread's executions may take."""

from __future__ import annotations

from contextlib import ContextDecorator

from ._core import TimeLimit
from .errors import UnusableInput
from .hexadecimal import shown

__all__ = ["time_limit"]

_LONGEST_SECONDS = 1e9


class _Limit(TimeLimit, ContextDecorator):
    def _recreate_cm(self) -> _Limit:
        """For each call of a function that it decorates, which may call itself or run on several threads."""
        return _Limit(self.seconds)


def time_limit(seconds: float) -> _Limit:
    """Executions, roots, senders … of this thread end with TimeLimitExceeded, and leave nothing, once so many seconds are over:

        with time_limit(5):
            call(state, header, to=contract)

    It is looked at every 262,144 gas or what takes as long. What Python code does meanwhile counts, but isn't ended. Of the limits that
    are open on a thread the shortest holds, whichever ends first: also where a generator or a coroutine waits within one.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < float("inf"):
        raise UnusableInput(f"seconds: {shown(seconds)} is no number above 0")
    return _Limit(min(seconds, _LONGEST_SECONDS))
