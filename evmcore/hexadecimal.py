"""Hexadecimal text, as JSON-RPC and test files have it, to numbers and bytes; and what an argument may be.

Each function takes the name of the thing it reads, and a refusal (`UnusableInput`) names it: "header.gasLimit: …".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import UnusableInput

__all__ = ["checked_bytes", "checked_quantity", "data", "field", "quantity", "to_address", "to_hex", "to_quantity_hex"]

ADDRESS_BYTES = 20
# Enough of a bad value to recognise it, however long it is.
_SHOWN_CHARACTERS = 80


def shown(value: object) -> str:
    """A value for an error message, cut to a readable length."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def field(mapping: Mapping[str, Any], key: str, where: str) -> Any:
    """A value that has to be there."""
    try:
        return mapping[key]
    except (KeyError, TypeError, IndexError):
        raise UnusableInput(f"{where}: has no {key!r}") from None


def quantity(value: object, name: str, bits: int = 256) -> int:
    """A number from "0x1f", "31" or 31; not negative, and below 2**bits."""
    if isinstance(value, str):
        try:
            value = int(value, 16 if value[:2] in ("0x", "0X") else 10)
        except ValueError:
            raise UnusableInput(f"{name}: {shown(value)} is not a number") from None
    return checked_quantity(value, name, bits)


def data(value: object, name: str, size: int | None = None) -> bytes:
    """Bytes from "0x…" or from bytes; `size` is how many they have to be."""
    if isinstance(value, str):
        digits = value[2:] if value[:2] in ("0x", "0X") else value
        try:
            # bytes.fromhex skips blanks, which no encoding has.
            value = bytes.fromhex(digits) if digits.isalnum() else bytes(0) if not digits else None
        except ValueError:
            value = None
        if value is None:
            raise UnusableInput(f"{name}: {shown(digits)} is not hexadecimal")
    return checked_bytes(value, name, size)


def checked_quantity(value: object, name: str, bits: int = 256) -> int:
    """The number itself, if it is one, not negative, and below 2**bits."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnusableInput(f"{name}: {shown(value)} is not a number")
    if value < 0:
        raise UnusableInput(f"{name}: {shown(value)} is negative")
    if value.bit_length() > bits:
        raise UnusableInput(f"{name}: a number of {value.bit_length()} bits, may have {bits}")
    return value


def checked_bytes(value: object, name: str, size: int | None = None) -> bytes:
    """The bytes themselves, if they are, and as many as they have to be."""
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise UnusableInput(f"{name}: {shown(value)} is not bytes")
    value = bytes(value)
    if size is not None and len(value) != size:
        raise UnusableInput(f"{name}: has {len(value)} bytes, wants {size}")
    return value


def to_address(value: str | bytes, name: str = "address") -> bytes:
    """A 20-byte address from 20 bytes or from "0x" and 40 digits (any case: the checksum is not looked at)."""
    return data(value, name, ADDRESS_BYTES)


def to_hex(value: bytes) -> str:
    """Bytes as "0x…", two digits a byte."""
    return "0x" + value.hex()


def to_quantity_hex(value: int) -> str:
    """A number as "0x…", without leading zeros."""
    return hex(value)
