"""Which stores are open in this process, and opening their databases."""

from __future__ import annotations

import os
from pathlib import Path

from ..locks import lock_of_process
from . import _mdbx
from .faults import StoreError

__all__ = ["FILE", "claim", "find_folder", "open_database", "release"]

FILE = "mdbx.dat"  # as libmdbx names it


def find_folder(path: str, is_to_be_there: bool) -> None:
    """Make the store's folder where there is none. StoreError if it can't be, if it has something else, or if it has to have a store."""
    folder = Path(path)
    try:
        if folder.is_dir():
            names = os.listdir(folder)
            if names and FILE not in names:
                raise StoreError(f"store {path}: the folder has other files, and no store")
            if names:
                return
        elif folder.exists():
            raise StoreError(f"store {path}: not a folder")
        if is_to_be_there:
            raise StoreError(f"store {path}: there is none; a new one needs a genesis")
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise StoreError(f"store {path}: {getattr(error, 'strerror', None) or error}") from None


def open_database(path: str, most_bytes: int, cache_bytes: int, journal_bytes: int) -> _mdbx.Database:
    try:
        return _mdbx.Database(path, most_bytes, cache_bytes, journal_bytes)
    except _mdbx.DatabaseFault as fault:
        if fault.code == -30798:  # MDBX_NOTFOUND: tables
            raise StoreError(f"store {path}: its database is no store of evmcore") from None
        raise


# The stores of this process, by device and inode of their folders, which libmdbx can't open twice. None: one is open; a database: it is
# closed, but for the states that may hold it.
_CLAIMED: dict[tuple[int, int], _mdbx.WeakDatabase | None] = {}
_CLAIM_LOCK = lock_of_process()


def claim(path: str) -> tuple[tuple[int, int], _mdbx.Database | None]:
    """The store's key, and its database where states hold it still."""
    found = os.stat(path)
    key = found.st_dev, found.st_ino
    with _CLAIM_LOCK:
        weak = _CLAIMED.get(key)
        if key in _CLAIMED and weak is None:
            raise StoreError(f"store {path}: this process has it open already")
        database = None if weak is None else weak.get()
        if database is not None and not database.is_of_this_process:
            database = None
        _CLAIMED[key] = None
    return key, database


def release(key: tuple[int, int], database: _mdbx.Database | None) -> None:
    with _CLAIM_LOCK:
        if database is not None and database.holders > 1:
            _CLAIMED[key] = _mdbx.WeakDatabase(database)
        else:
            _CLAIMED.pop(key, None)
