"""Locks that a copy of the process (os.fork) finds free, also if another thread of the process that it is a copy of held them."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

__all__ = ["lock_of_process"]

_locks: weakref.WeakSet[Any] = weakref.WeakSet()


def lock_of_process() -> threading.RLock:
    """A lock for what needs no mending after a fork in the middle: its holder isn't in the copy. A signal handler may come to it again."""
    lock = threading.RLock()
    _locks.add(lock)
    return lock


def _free() -> None:
    for lock in _locks:
        if not lock._is_owned():  # the thread that forked gives back its own
            lock._at_fork_reinit()  # what the standard library does with its own


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free)
