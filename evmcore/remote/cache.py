"""What nodes answered, kept in an SQLite file that several processes may use at once.

Keys are chain, block hash and what of that block's state: an answer never changes, so rows only gain. Codes are by their hash.
A row carries a checksum, since a wrong one would be a wrong state.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import weakref
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .._core import keccak256
from ..errors import UnusableInput
from ..hexadecimal import checked_quantity, shown
from .errors import CacheUnusable

__all__ = ["CACHE_VARIABLE", "RpcCache", "default_path"]

CACHE_VARIABLE = "EVMCORE_CACHE_DIR"
_APPLICATION = 0x65766D63  # "evmc", as SQLite's application_id
_FORM = 1
_KINDS = {False: "nodes", True: "nodes on this machine"}
_LOCK_SECONDS = 20.0
_LIMIT_BYTES = 8 << 30
_AT_ONCE = 500  # keys in one query; SQLite takes 999 everywhere
_TABLES = (
    "CREATE TABLE entries (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE codes (hash BLOB PRIMARY KEY, code BLOB NOT NULL)",
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
)


def default_path() -> Path:
    """Where answers are kept unless a path is given: in $EVMCORE_CACHE_DIR, else in the user's cache directory."""
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given) / "rpc.sqlite"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "evmcore" / "rpc.sqlite"


class RpcCache:
    """A file of answers. Any thread and process may use it; a copy of a process opens the file again.

    path         made where it isn't there, with its directory
    is_loopback  whether it is for nodes on this machine, whose states may change without a block: such files and others are kept apart
    limit_bytes  how large the file may grow; what comes then isn't kept
    raise        CacheUnusable, with the path: damaged, another program's, a newer evmcore's, or of the other kind
    """

    def __init__(
        self, path: str | os.PathLike[str], *, is_loopback: bool = False, limit_bytes: int = _LIMIT_BYTES
    ) -> None:
        given = os.fspath(path) if isinstance(path, (str, os.PathLike)) else b""
        if not isinstance(given, str) or not given or "\0" in given:
            raise UnusableInput(f"cache: {shown(path)} is not a path")
        # Whole, since it is opened again, and elsewhere: SQLite would take ":memory:" for no file.
        self.path = os.path.abspath(given)
        self._is_loopback = is_loopback
        self._limit_bytes = checked_quantity(limit_bytes, "limit_bytes", 62)
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        with self._in_use():
            pass
        _caches.add(self)

    def __repr__(self) -> str:
        return f"<RpcCache {self.path}>"

    def __reduce__(self) -> Any:
        return _reopened, (type(self), self.path, self._is_loopback, self._limit_bytes)

    # -------------------------------------------------------------- rows

    def get(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """The values of those keys that are there."""
        wanted = list(keys)
        found: dict[bytes, bytes] = {}
        with self._in_use() as connection:
            for begin in range(0, len(wanted), _AT_ONCE):
                some = wanted[begin : begin + _AT_ONCE]
                marks = ",".join("?" * len(some))
                for key, row in connection.execute(f"SELECT key, value FROM entries WHERE key IN ({marks})", some):
                    found[key] = self._unsealed(key, row)
        return found

    def put(self, values: Mapping[bytes, bytes]) -> None:
        """Keep these. What replaces a row is of the same answer, and may say more."""
        rows = [(key, value + _checksum(key, value)) for key, value in values.items()]
        self._write("INSERT OR REPLACE INTO entries VALUES (?, ?)", rows)

    def get_code(self, code_hash: bytes) -> bytes | None:
        """The code of that hash, or None."""
        with self._in_use() as connection:
            row = connection.execute("SELECT code FROM codes WHERE hash = ?", (code_hash,)).fetchone()
        if row is None:
            return None
        if not isinstance(row[0], bytes) or keccak256(row[0]) != code_hash:
            raise CacheUnusable(
                self.path, f"is damaged: code 0x{code_hash.hex()} isn't what its hash says; delete the file"
            )
        return row[0]

    def put_codes(self, codes: Mapping[bytes, bytes]) -> None:
        """Keep these codes, by their hashes."""
        self._write("INSERT OR IGNORE INTO codes VALUES (?, ?)", list(codes.items()))

    def _unsealed(self, key: bytes, row: Any) -> bytes:
        if not isinstance(row, bytes) or len(row) < 4 or _checksum(key, row[:-4]) != row[-4:]:
            raise CacheUnusable(self.path, f"is damaged: row 0x{key.hex()} has a wrong checksum; delete the file")
        return row[:-4]

    def _write(self, statement: str, rows: list[tuple[bytes, bytes]]) -> None:
        if not rows:
            return
        with self._in_use() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(statement, rows)
                connection.execute("COMMIT")
            except sqlite3.OperationalError as error:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                # Full, or another writes for very long: the answers are right all the same, and asked for again another time.
                if "full" not in str(error) and "locked" not in str(error):
                    raise
            except BaseException:  # Ctrl-C: nothing half done stays open
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    # -------------------------------------------------------------- the file

    @contextlib.contextmanager
    def _in_use(self) -> Any:
        """The connection, for this thread alone; what SQLite raises names the path."""
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._open()
                yield self._connection
            except sqlite3.Error as error:
                fault = str(error)
            else:
                return
        raise CacheUnusable(self.path, f"{fault}; delete the file, or name another")

    def _open(self) -> sqlite3.Connection:
        try:
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CacheUnusable(self.path, error.strerror or str(error)) from None
        connection = sqlite3.connect(self.path, timeout=_LOCK_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN")  # one moment's marks: another process may be making the tables
        try:
            application, form, tables = self._marks(connection)
        finally:
            connection.execute("COMMIT")
        if (application, form, tables) == (0, 0, 0):
            self._create(connection)
            application, form, tables = self._marks(connection)
        if application != _APPLICATION:
            raise CacheUnusable(self.path, "is another program's database")
        if form != _FORM:
            raise CacheUnusable(self.path, f"has form {form}, this evmcore knows form {_FORM}")
        row = connection.execute("SELECT value FROM facts WHERE name = 'kind'").fetchone()
        kind = _KINDS[self._is_loopback]
        if row is None or row[0] != kind:
            raise CacheUnusable(self.path, f"is for {row and row[0]}, and this is of {kind}: they are kept apart")
        connection.execute("PRAGMA synchronous = NORMAL")
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {max(1, self._limit_bytes // size)}")

    @staticmethod
    def _marks(connection: sqlite3.Connection) -> tuple[int, int, int]:
        [application] = connection.execute("PRAGMA application_id").fetchone()
        [form] = connection.execute("PRAGMA user_version").fetchone()
        [tables] = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return application, form, tables

    def _create(self, connection: sqlite3.Connection) -> None:
        """Make the tables, unless another process was first."""
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError as error:  # another is changing the journal: SQLite doesn't wait for that
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        try:
            if self._marks(connection) == (0, 0, 0):
                for table in _TABLES:
                    connection.execute(table)
                connection.execute("INSERT INTO facts VALUES ('kind', ?)", (_KINDS[self._is_loopback],))
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {_FORM}")
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()


# SQLite's connections, and what it knows of locks, must not be in two processes: around a fork all are closed. Nobody is in the middle
# of a row then, or would be for ever in the copy.
_caches: weakref.WeakSet[RpcCache] = weakref.WeakSet()
_around_fork: list[RpcCache] = []


def _before_fork() -> None:
    for cache in sorted(_caches, key=id):  # two that fork at once wait for each other in one order
        cache._lock.acquire()
        _around_fork.append(cache)
        cache.close()


def _after_fork() -> None:
    while _around_fork:
        _around_fork.pop()._lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)


def _checksum(key: bytes, value: bytes) -> bytes:
    return zlib.crc32(value, zlib.crc32(key)).to_bytes(4, "big")


def _reopened(kind: type[RpcCache], path: str, is_loopback: bool, limit_bytes: int) -> RpcCache:
    return kind(path, is_loopback=is_loopback, limit_bytes=limit_bytes)
