"""The transaction that writes to a store."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from ..header import Header
from . import _mdbx
from .faults import told
from .rows import there

if TYPE_CHECKING:
    from .store import Store

__all__ = ["Writing"]


class Writing:
    """The transaction that writes: committed at the end of a block, or nothing of it is there."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with told(store.path):
            self._writer = _mdbx.Writer(store._opened())

    def __enter__(self) -> _mdbx.Writer:
        self._store._lock.acquire()
        try:
            with told(self._store.path):
                self._writer.begin()
        except BaseException:
            self._store._lock.release()
            raise
        return self._writer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        store = self._store
        try:
            with told(store.path):
                if error is not None:
                    self._writer.abort()
                    if isinstance(error, _mdbx.DatabaseFault):
                        raise error
                    return
                if self._writer.is_settled:
                    self._put_root()
                self._writer.commit()
            store._head_snapshot = None
            if hasattr(store, "height"):
                store._read_head(store._open_snapshot())
        finally:
            store._lock.release()

    def _put_root(self) -> None:
        """Of the trie whose nodes are in the tables, all of them."""
        height = there(self._writer.get("meta", b"height"), "height")
        header = Header.decode(there(self._writer.get("headers", height), "header")[64:])
        self._writer.put("meta", b"trie", header.state_root)
