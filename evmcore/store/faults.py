"""What goes wrong with a store, in words."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import EvmError
from ._mdbx import DatabaseFault

__all__ = ["StoreError", "told"]

# libmdbx's numbers (mdbx.h), and what they mean to who opened a store.
_MEANINGS = {
    errno.EAGAIN: "another process has it open",
    -30778: "another process has it open",
    -30793: "its file is no database of libmdbx",
    -30794: "its file has a form that this libmdbx doesn't read",
    -30796: "its file is damaged",
    -30797: "its file is damaged: a page is missing",
    -30792: "it is as large as it may be; open it with a higher `most_bytes`",
    -30790: "too many states of different heights are held",
}


# A write that was cut short may be told as a fault of the device.
_OF_WRITING = {errno.EIO, errno.ENOSPC, errno.EDQUOT}
_FULL_BYTES = 1 << 20


def _free_bytes(path: str) -> int:
    try:
        disk = os.statvfs(path)
    except (OSError, ValueError):
        return _FULL_BYTES
    return disk.f_bavail * disk.f_frsize


class StoreError(EvmError):
    """A store that can't be opened, read or written. The message names it and says why."""


@contextmanager
def told(path: str) -> Iterator[None]:
    """Faults of the database inside are StoreErrors of the store at this path."""
    try:
        yield
    except DatabaseFault as fault:
        code: int = fault.code
        meaning = _MEANINGS.get(code) or (os.strerror(code) if code > 0 else fault.text)
        if code in _OF_WRITING and _free_bytes(path) < _FULL_BYTES:
            meaning = "its disk is full"
        raise StoreError(f"store {path}: {meaning}") from fault
