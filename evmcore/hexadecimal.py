"""Hexadecimal text, as JSON-RPC and test files have it, to numbers and bytes; and what an argument may be.

Each function takes the name of the thing it reads, and a refusal (`UnusableInput`) names it: "header.gasLimit: …".
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Mapping
from typing import Any, SupportsIndex

from .errors import UnusableInput

__all__ = [
    "checked_bytes",
    "checked_quantity",
    "data",
    "field",
    "quantity",
    "short_repr",
    "shown",
    "to_address",
    "to_hex",
    "to_quantity_hex",
]

ADDRESS_BYTES = 20
# Enough of a bad value to recognise it, however long it is.
_SHOWN_CHARACTERS = 80
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


def shown(value: object) -> str:
    """A value for an error message, cut to a readable length."""
    try:
        text = repr(value)
    except Exception:  # an integer of more digits than Python writes, or an object's own repr
        text = f"a number of {value.bit_length()} bits" if isinstance(value, int) else f"a {type(value).__name__}"
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
            # int() takes "1_000" and the digits of any script, too.
            number = (
                int(value, 16 if value[:2] in ("0x", "0X") else 10) if value.isascii() and "_" not in value else None
            )
        except ValueError:
            number = None
        if number is None:
            raise UnusableInput(f"{name}: {shown(value)} is not a number")
        value = number
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
            if len(digits) % 2 and set(digits) <= _HEX_DIGITS:
                raise UnusableInput(f"{name}: {shown(digits)} has {len(digits)} hexadecimal digits, an odd number")
            raise UnusableInput(f"{name}: {shown(digits)} is not hexadecimal")
    return checked_bytes(value, name, size)


def checked_quantity(value: object, name: str, bits: int = 256) -> int:
    """The number itself, if it is one, not negative, and below 2**bits."""
    if type(value) is not int:
        if isinstance(value, bool) or not isinstance(value, SupportsIndex):
            raise UnusableInput(f"{name}: {shown(value)} is not a number")
        value = int.__pos__(operator.index(value))  # a subclass may lie about itself, its value doesn't
    if value < 0:
        raise UnusableInput(f"{name}: {shown(value)} is negative")
    if value.bit_length() > bits:
        raise UnusableInput(f"{name}: a number of {value.bit_length()} bits, may have {bits}")
    return value


def checked_bytes(value: object, name: str, size: int | None = None) -> bytes:
    """The bytes themselves, if they are, and as many as they have to be."""
    if type(value) is not bytes:
        if not isinstance(value, (bytes, bytearray, memoryview)) or (
            isinstance(value, memoryview) and value.format not in ("B", "b", "c")
        ):
            raise UnusableInput(f"{name}: {shown(value)} is not bytes")
        # A subclass may have a __bytes__ of its own: what it holds counts.
        value = bytes(memoryview(value))
    if size is not None and len(value) != size:
        raise UnusableInput(f"{name}: has {len(value)} bytes, wants {size}")
    return value


def to_address(value: str | bytes, name: str = "address") -> bytes:
    """A 20-byte address from 20 bytes or from "0x" and 40 digits (any case: the checksum is not looked at)."""
    return data(value, name, ADDRESS_BYTES)


def short_repr(value: Any) -> str:
    """A dataclass in a line: bytes in hexadecimal, long ones cut, and what is as by default left out."""
    parts = []
    for member in dataclasses.fields(value):
        given = getattr(value, member.name)
        if member.default is not dataclasses.MISSING:
            default = member.default
        elif member.default_factory is not dataclasses.MISSING:
            default = member.default_factory()
        else:
            default = dataclasses.MISSING
        if not member.repr or (type(given) is type(default) and given == default):
            continue
        parts.append(f"{member.name}={short_text(given)}")
    return f"{type(value).__name__}({', '.join(parts)})"


def short_text(value: object) -> str:
    """Bytes in hexadecimal, cut after 32, sequences and mappings by their length where that is more than one; others as shown."""
    if isinstance(value, bytes):
        return "0x" + value[:32].hex() + (f"… ({len(value)} bytes)" if len(value) > 32 else "")
    if isinstance(value, (tuple, list, Mapping)) and len(value) > 1:
        return f"<{len(value)} items>"
    if isinstance(value, tuple):
        return "(" + "".join(f"{short_text(item)}," for item in value) + ")"
    return shown(value)


def to_hex(value: bytes) -> str:
    """Bytes as "0x…", two digits a byte."""
    return "0x" + value.hex()


def to_quantity_hex(value: int) -> str:
    """A number as "0x…", without leading zeros."""
    return hex(value)
