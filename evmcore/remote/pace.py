"""How fast a node is asked, and how long to wait after it said no."""

from __future__ import annotations

import random
import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from ..locks import lock_of_process

__all__ = ["Pace", "asked_to_wait", "backoff_seconds"]

_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 10.0
# A node that wants more is busy for longer than anyone waits.
_LONGEST_ASKED_SECONDS = 120.0
_LONGEST_PAUSE_SECONDS = 1e8  # more than time.sleep takes is no pause


class Pace:
    """At most so many calls a second, counted over all threads; None: as many as come."""

    def __init__(self, calls_per_second: float | None) -> None:
        self._rate = calls_per_second
        self._free_at = 0.0  # when the next call may be made, by time.monotonic
        self._lock = lock_of_process()

    def take(self, calls: int) -> None:
        """Wait until so many calls may be made. The calls of a batch are made at once, and waited for afterwards."""
        if self._rate is None:
            return
        with self._lock:
            now = time.monotonic()
            begin = max(now, self._free_at)
            self._free_at = begin + calls / self._rate
        if begin > now:
            time.sleep(min(begin - now, _LONGEST_PAUSE_SECONDS))


def backoff_seconds(attempt: int) -> float:
    """How long to wait before another attempt, the first being 1: twice as long each time, and never two clients in step."""
    longest = min(_FIRST_WAIT_SECONDS * 2.0 ** min(attempt - 1, 10), _LONGEST_WAIT_SECONDS)
    return longest * random.uniform(0.5, 1.0)


def asked_to_wait(retry_after: str | None) -> float | None:
    """The seconds of a Retry-After header (a number or a date); None where it has none."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            at = parsedate_to_datetime(retry_after)
        except (TypeError, ValueError, OverflowError):  # a year beyond all clocks
            return None
        if at.tzinfo is None:
            at = at.replace(tzinfo=timezone.utc)
        seconds = (at - datetime.now(timezone.utc)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_ASKED_SECONDS) if seconds == seconds else None
