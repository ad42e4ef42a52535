"""Rows of the tables that Python writes, and their keys. Heights are 8 bytes, big-endian, so that rows lie in their order.

headers       height -> hash (32), total difficulty (32, big-endian), the header's RLP
bodies        height -> RLP of the block without its header: transactions, ommers, maybe withdrawals
receipts      height -> RLP list of the receipts, each a string as the receipts root is made of them
hashes        block hash -> height
transactions  transaction hash -> height, index (4)
undo          height, piece (4) -> accounts and slots as they were before the block (pyx/store/database.hpp)
journal       number, piece (4) -> accounts and slots after a block, which are in no table yet (the same)
accounts, slots, codes, nodes: written by the compiled half
meta          what the store is and where its head is
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .. import rlp
from .._core import State
from ..block import Block
from ..receipt import EMPTY_CODE_HASH
from .faults import StoreError

if TYPE_CHECKING:
    from . import _mdbx

__all__ = [
    "account_of",
    "account_rows",
    "body_of",
    "bytes_of",
    "height_key",
    "join_block",
    "node_key",
    "pieces",
    "there",
    "undo_of",
]

_UNDO_PIECE_BYTES = 1 << 16
_BATCH = 10_000
_ACCOUNT = struct.Struct("<20s??B32s32sQQ32s32s")  # evmcore.changes.ACCOUNT_CHANGE_DTYPE
_SLOT = struct.Struct("<I32s32s32s")  # SLOT_CHANGE_DTYPE


def account_of(row: bytes) -> tuple[int, int, bytes | None, bool] | None:
    """(balance, nonce, code hash or None, whether it has storage) of an account's row (pyx/store/database.hpp); None: it is none."""
    flags, at = row[0] if row else 4, 1
    numbers = []
    for most in (8, 32):
        size = row[at] if at < len(row) else 255
        if size > most or at + 1 + size > len(row):
            return None
        numbers.append(int.from_bytes(row[at + 1 : at + 1 + size], "big"))
        at += 1 + size
    code_hash = row[at:] if flags & 1 else None
    if flags > 3 or len(row) - at != (32 if flags & 1 else 0):
        return None
    return numbers[1], numbers[0], code_hash, bool(flags & 2)


def height_key(height: int) -> bytes:
    """The key of a height."""
    return height.to_bytes(8, "big")


def node_key(owner: bytes, path: bytes, depth: int) -> bytes:
    """The key of a trie's node. `owner`: 0, or 1 and a hashed address; `path`: so many nibbles, two a byte."""
    return owner + bytes(int(nibble, 16) for nibble in path.hex()[:depth])


def pieces(undo: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The end of each key, and its piece: values of many pages need room that lies together."""
    for number, at in enumerate(range(0, len(undo), _UNDO_PIECE_BYTES)):
        yield number.to_bytes(4, "big"), undo[at : at + _UNDO_PIECE_BYTES]


def body_of(block: Block) -> bytes:
    """The block's RLP without its header."""
    raw = [tx.raw for tx in block.transactions]
    parts = [
        rlp.encode_list(each if each[0] >= 0xC0 else rlp.encode(each) for each in raw),
        rlp.encode_list(ommer.encode() for ommer in block.ommers),
    ]
    if block.withdrawals is not None:
        parts.append(rlp.encode_list(withdrawal.encode() for withdrawal in block.withdrawals))
    return rlp.encode_list(parts)


def _spans(parts: list[tuple[bool, int, int, int]]) -> Iterator[tuple[int, int]]:
    for _, start, _, end in parts:
        yield start, end


def join_block(header: bytes, body: bytes) -> bytes:
    """The block's RLP out of its header's and its body."""
    parts = rlp.read_list(body, 0, len(body), "body")
    return rlp.encode_list([header, *(body[start:end] for start, end in _spans(parts))])


def account_rows(state: State) -> Iterator[tuple[bytes, int, bytes, int, dict[bytes, bytes]]]:
    """Accounts of a state in batches, as if all were new: rows and their number, those of slots, codes by hash."""
    accounts: list[bytes] = []
    slots: list[bytes] = []
    codes: dict[bytes, bytes] = {}
    nothing = bytes(32)
    for address, account in state.items():
        if account.code:
            codes[account.code_hash] = account.code
        for key, value in account.storage.items():
            slots.append(_SLOT.pack(len(accounts), key.to_bytes(32, "big"), nothing, value.to_bytes(32, "big")))
        balance = account.balance.to_bytes(32, "big")
        accounts.append(
            _ACCOUNT.pack(
                address, False, True, 0, nothing, balance, 0, account.nonce, EMPTY_CODE_HASH, account.code_hash
            )
        )
        if len(accounts) + len(slots) >= _BATCH:
            yield b"".join(accounts), len(accounts), b"".join(slots), len(slots), codes
            accounts, slots, codes = [], [], {}
    yield b"".join(accounts), len(accounts), b"".join(slots), len(slots), codes


def there(found: bytes | None, what: str) -> bytes:
    """What has to be there; StoreError with its name where it isn't."""
    if found is None:
        raise StoreError(f"store: it lacks its {what}")
    return found


def undo_of(rows: _mdbx.Snapshot | _mdbx.Writer, height: int) -> bytes:
    """The undo rows of a block."""
    found = []
    for number in range(2**32):
        piece = rows.get("undo", height_key(height) + number.to_bytes(4, "big"))
        if piece is None:
            break
        found.append(piece)
    return b"".join(found)


def bytes_of(rows: np.ndarray) -> memoryview:
    """A structured array as it lies in memory."""
    return memoryview(np.ascontiguousarray(rows).tobytes())
