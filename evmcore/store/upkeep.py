"""Looking through a store: whether it is whole, how large it is, and making its file smaller."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import rlp
from .._core import State, keccak256, ordered_trie_root
from ..block import Block
from ..errors import DecodeError
from ..header import Header
from ..receipt import Account
from . import _mdbx
from .faults import StoreError, told
from .rows import account_of, height_key, join_block, node_key
from .store import Store

__all__ = ["TableSize", "check", "compact", "sizes"]

_FILE = "mdbx.dat"


@dataclass(frozen=True, slots=True)
class TableSize:
    """Of a table: how many rows it has, and the bytes of their keys and values."""

    name: str
    rows: int
    size_bytes: int


def rows_of(snapshot: _mdbx.Snapshot, table: str) -> Iterator[tuple[bytes, bytes]]:
    """All rows of a table, ascending by key."""
    start = b""
    while rows := snapshot.rows(table, start):
        yield from rows
        start = rows[-1][0] + b"\0"


def sizes(store: Store) -> list[TableSize]:
    """Of all tables, by a pass over them."""
    with told(store.path):
        snapshot = store._snapshot()
        found = []
        for table in _mdbx.TABLES:
            count = size = 0
            for key, value in rows_of(snapshot, table):
                count += 1
                size += len(key) + len(value)
            found.append(TableSize(table, count, size))
        return found


def check(store: Store, say: Callable[[str], None] = lambda fault: None) -> int:
    """Hold everything in a store against everything else; `say` gets each fault. How many there are.

    The state is read whole into memory: its root, made anew, has to be the head's, and the trie's nodes those on disk, no more and no
    less. Codes, headers, bodies and receipts have to have the hashes and roots by which they are known.
    """
    faults = 0

    def note(fault: str) -> None:
        nonlocal faults
        faults += 1
        say(fault)

    with told(store.path):
        snapshot = store._snapshot()
        _check_state(store, snapshot, note)
        _check_blocks(store, snapshot, note)
    return faults


def _check_state(store: Store, snapshot: _mdbx.Snapshot, note: Callable[[str], None]) -> None:
    codes = dict(rows_of(snapshot, "codes"))
    for code_hash, code in codes.items():
        if keccak256(code) != code_hash:
            note(f"code 0x{code_hash.hex()}: it has another hash")
    state = State()
    has_storage = {}
    for address, row in rows_of(snapshot, "accounts"):
        found = account_of(row)
        if found is None or len(address) != 20:
            note(f"account 0x{address.hex()}: its row is damaged")
            continue
        balance, nonce, known_by, has_storage[address] = found
        if known_by is not None and known_by not in codes:
            note(f"account 0x{address.hex()}: its code 0x{known_by.hex()} is missing")
        state.set_account(address, Account(balance, nonce, codes.get(known_by, b"") if known_by else b""))
    for key, value in rows_of(snapshot, "slots"):
        address = key[:20]
        if len(key) != 52 or not 0 < len(value) <= 32 or not value[0] or address not in has_storage:
            note(f"slot 0x{key[20:].hex()} of account 0x{address.hex()}: its row is damaged")
            continue
        state.set_storage(address, int.from_bytes(key[20:], "big"), int.from_bytes(value, "big"))
    for address, is_told in has_storage.items():
        account = state.get_account(address)
        if account is not None and bool(account.storage) != is_told:
            note(f"account 0x{address.hex()}: it says {'' if is_told else 'not '}to have storage")
    root = state.root()
    if root != store.header().state_root:
        note(f"the state: its root is 0x{root.hex()}, the head's 0x{store.header().state_root.hex()}")
        return
    _check_nodes(state.unsaved_nodes(), snapshot, note)


def _check_nodes(rows: bytes, snapshot: _mdbx.Snapshot, note: Callable[[str], None]) -> None:
    """`rows`: of all nodes that there should be."""
    wanted = {}
    at = 0
    while at < len(rows):
        path = at + 2 + (32 if rows[at] else 0)
        depth = rows[path - 1]
        end = path + (depth + 1) // 2
        size = int.from_bytes(rows[end : end + 4], "little")
        wanted[node_key(rows[at : path - 1], rows[path:end], depth)] = rows[end + 4 : end + 4 + size]
        at = end + 4 + size
    for key, node in rows_of(snapshot, "nodes"):
        if wanted.get(key) != node:
            note(f"trie node {key.hex()}: {'it is another' if key in wanted else 'no trie has it'}")
        wanted.pop(key, None)
    for key in wanted:
        note(f"trie node {key.hex()}: it is missing")


def _check_blocks(store: Store, snapshot: _mdbx.Snapshot, note: Callable[[str], None]) -> None:
    parent = None
    for height in range(store.first_height, store.height + 1):
        row = snapshot.get("headers", height_key(height))
        if row is None:
            note(f"block {height}: its header is missing")
            parent = None
            continue
        try:
            _check_block(height, row, parent, snapshot, note)
        except DecodeError as error:
            note(f"block {height}: a row is damaged: {error}")
        parent = row[:32]


def _check_block(
    height: int, row: bytes, parent: bytes | None, snapshot: _mdbx.Snapshot, note: Callable[[str], None]
) -> None:
    """`row`: of its header. `parent`: the hash of the block before it, if that is there. DecodeError for what is no header, body or receipts."""
    key = height_key(height)
    header = Header.decode(row[64:])
    if header.hash != row[:32] or header.number != height or snapshot.get("hashes", row[:32]) != key:
        note(f"block {height}: its header has another hash or number")
    if parent is not None and header.parent_hash != parent:
        note(f"block {height}: it is no child of the block before it")
    body, receipts = snapshot.get("bodies", key), snapshot.get("receipts", key)
    if body is None or receipts is None:
        if (body is None) != (receipts is None):
            note(f"block {height}: it has only one of body and receipts")
        return
    block = Block.decode(join_block(row[64:], body))
    if ordered_trie_root([tx.raw for tx in block.transactions]) != header.transactions_root:
        note(f"block {height}: its transactions have another root")
    listed = [rlp.to_bytes(item, "receipt") for item in rlp.to_list(rlp.decode(receipts), "receipts")]
    if ordered_trie_root(listed) != header.receipts_root:
        note(f"block {height}: its receipts have another root")
    for index, tx in enumerate(block.transactions):
        if snapshot.get("transactions", tx.hash) != key + index.to_bytes(4, "big"):
            note(f"block {height}: transaction {index} isn't found by its hash")


def compact(path: str) -> tuple[int, int]:
    """Write a store's file anew, without its free pages, in the place of the old one. Its size in bytes, before and after.

    raise   StoreError: it is open, or there is no room for the copy; the store is then as it was
    """
    with Store(path) as store:
        store._head_snapshot = None
        if store._opened().holders > 1:
            raise StoreError(f"store {path}: a state of it is held")
        copy = Path(path) / "compact.tmp"
        file = Path(path) / _FILE
        try:
            copy.unlink(missing_ok=True)
            before = file.stat().st_size
            with told(path):
                store._opened().copy_to(str(copy))
            after = copy.stat().st_size
            with copy.open("rb") as written:
                os.fsync(written.fileno())
            os.replace(copy, file)  # while this store holds the old one, so that nobody else writes to it
            folder = os.open(path, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            copy.unlink(missing_ok=True)
            raise StoreError(f"store {path}: {error.strerror or error}") from None
        except StoreError:
            copy.unlink(missing_ok=True)
            raise
    return before, after
