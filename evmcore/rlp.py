"""RLP for the Python faces, strictly: only the canonical form is read. Yellow Paper, appendix B.

The core reads and writes transactions and receipts in C++; headers and blocks as Python objects come through here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Union

from .errors import not_rlp

__all__ = [
    "Item",
    "decode",
    "encode",
    "encode_list",
    "number",
    "read_item",
    "read_list",
    "to_bytes",
    "to_list",
    "to_number",
]

Item = Union[bytes, Sequence["Item"]]

# Deeper than any list of Ethereum's (an access list is 4 deep), far below Python's recursion limit.
MAX_DEPTH = 32


def _prefix(size: int, short: int) -> bytes:
    if size <= 55:
        return bytes([short + size])
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([short + 55 + len(digits)]) + digits


def number(value: int) -> bytes:
    """A number as the string that RLP holds: big-endian, zero is empty."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def encode(item: Item) -> bytes:
    """The RLP of bytes, or of lists of such."""
    if isinstance(item, (bytes, bytearray)):
        if len(item) == 1 and item[0] < 0x80:
            return bytes(item)
        return _prefix(len(item), 0x80) + item
    return encode_list(encode(part) for part in item)


def encode_list(parts: Iterable[bytes]) -> bytes:
    """The RLP of a list whose items are encoded already."""
    payload = b"".join(parts)
    return _prefix(len(payload), 0xC0) + payload


def read_item(data: bytes, start: int, end: int, field: str) -> tuple[bool, int, int]:
    """Where the item at `start` lies: (is it a list, first byte of the payload, end of the payload)."""
    if start >= end:
        raise not_rlp("RLP_TRUNCATED", field)
    first = data[start]
    if first < 0x80:
        return False, start, start + 1
    is_list = first >= 0xC0
    size = first - (0xC0 if is_list else 0x80)
    payload = start + 1
    if size > 55:
        payload += size - 55
        if payload > end:
            raise not_rlp("RLP_TRUNCATED", field)
        digits = data[start + 1 : payload]
        size = int.from_bytes(digits, "big")
        if digits[0] == 0 or size <= 55:
            raise not_rlp("RLP_NON_CANONICAL", field)
    if size > end - payload:
        raise not_rlp("RLP_TRUNCATED", field)
    if not is_list and size == 1 and data[payload] < 0x80:
        raise not_rlp("RLP_NON_CANONICAL", field)
    return is_list, payload, payload + size


def read_list(data: bytes, start: int, end: int, field: str) -> list[tuple[bool, int, int, int]]:
    """The items of the list that fills data[start:end]: (is it a list, first byte, payload, end) each."""
    is_list, at, payload_end = read_item(data, start, end, field)
    if not is_list:
        raise not_rlp("RLP_EXPECTED_LIST", field)
    if payload_end != end:
        raise not_rlp("RLP_TRAILING_BYTES", field)
    items: list[tuple[bool, int, int, int]] = []
    while at < payload_end:
        item_is_list, payload, item_end = read_item(data, at, payload_end, f"{field}[{len(items)}]")
        items.append((item_is_list, at, payload, item_end))
        at = item_end
    return items


def decode(data: bytes, field: str = "rlp") -> Item:
    """The one item that fills `data`: bytes, or lists of such. Raises DecodeError."""
    is_list, payload, payload_end = read_item(data, 0, len(data), field)
    if payload_end != len(data):
        raise not_rlp("RLP_TRAILING_BYTES", field)
    return _decode(data, is_list, payload, payload_end, field, 0)


def _decode(data: bytes, is_list: bool, at: int, end: int, field: str, depth: int) -> Item:
    if not is_list:
        return data[at:end]
    if depth == MAX_DEPTH:
        raise not_rlp("RLP_TOO_DEEP", field)
    items: list[Item] = []
    while at < end:
        name = f"{field}[{len(items)}]"
        item_is_list, payload, item_end = read_item(data, at, end, name)
        items.append(_decode(data, item_is_list, payload, item_end, name, depth + 1))
        at = item_end
    return items


def to_bytes(item: Item, field: str, size: int | None = None) -> bytes:
    """The string that an item is; `size` is how long it has to be."""
    if not isinstance(item, bytes):
        raise not_rlp("RLP_EXPECTED_STRING", field)
    if size is not None and len(item) != size:
        raise not_rlp("RLP_WRONG_LENGTH", field)
    return item


def to_number(item: Item, field: str, bits: int = 256) -> int:
    """The number that a string is: big-endian, without leading zeros."""
    digits = to_bytes(item, field)
    if digits[:1] == b"\0":
        raise not_rlp("RLP_LEADING_ZEROS", field)
    if len(digits) * 8 > bits:
        raise not_rlp("RLP_NUMBER_TOO_LARGE", field)
    return int.from_bytes(digits, "big")


def to_list(item: Item, field: str, fewest: int = 0, most: int | None = None) -> Sequence[Item]:
    """The items of a list, at least and at most so many."""
    if isinstance(item, bytes):
        raise not_rlp("RLP_EXPECTED_LIST", field)
    if len(item) < fewest:
        raise not_rlp("RLP_TOO_FEW_FIELDS", field)
    if most is not None and len(item) > most:
        raise not_rlp("RLP_TOO_MANY_FIELDS", field)
    return item
