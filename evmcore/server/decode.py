"""Parameters out of JSON: each decoder takes a value and gives what a handler wants, or raises `Unfit` with go-ethereum's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..hexadecimal import shown

__all__ = ["Decoder", "Unfit"]

Decoder = Callable[[Any], Any]
_DIGITS = frozenset("0123456789abcdefABCDEF")
NAMES = ("latest", "earliest", "pending", "safe", "finalized")


class Unfit(ValueError):
    """A value that can't be what it should be."""


def anything(value: Any) -> Any:
    """Whatever it is."""
    return value


def boolean(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise Unfit(f"expected true or false, got {shown(value)}")
    return value


def text(value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise Unfit(f"expected a string, got {shown(value)}")
    return value


def number_of(bits: int, *, is_lenient: bool = False) -> Decoder:
    """A number in hexadecimal, "0x0" or "0x" and digits without a leading zero. Lenient: JSON's numbers and decimals, too."""

    def decode(value: Any) -> int:
        if is_lenient and type(value) is int and value >= 0:
            found = value
        elif is_lenient and isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 80:
            found = int(value)
        elif not isinstance(value, str):
            raise Unfit(f"expected a hex string, got {shown(value)}")
        elif value[:2] not in ("0x", "0X"):
            raise Unfit("empty hex string" if not value else "hex string without 0x prefix")
        elif len(value) == 2:
            raise Unfit('hex string "0x"')
        elif not _DIGITS.issuperset(value[2:]):
            raise Unfit(f"invalid hex string {shown(value)}")
        elif value[2] == "0" and len(value) > 3 and not is_lenient:
            raise Unfit("hex number with leading zero digits")
        elif len(value) > 130:
            raise Unfit(f"hex number > {bits} bits")
        else:
            found = int(value, 16)
        if found.bit_length() > bits:
            raise Unfit(f"hex number > {bits} bits")
        return found

    return decode


quantity, word = number_of(64), number_of(256)
lenient, lenient_word = number_of(64, is_lenient=True), number_of(256, is_lenient=True)


def bytes_of(size: int | None = None) -> Decoder:
    """Bytes in hexadecimal; as many as are wanted."""

    def decode(value: Any) -> bytes:
        if not isinstance(value, str):
            raise Unfit(f"expected a hex string, got {shown(value)}")
        if value[:2] not in ("0x", "0X"):
            raise Unfit("empty hex string" if not value else "hex string without 0x prefix")
        if not _DIGITS.issuperset(value[2:]):
            raise Unfit(f"invalid hex string {shown(value)}")
        if size is not None and len(value) != 2 + 2 * size:
            raise Unfit(f"hex string has length {len(value) - 2}, want {2 * size}")
        if len(value) % 2:
            raise Unfit("hex string of odd length")
        return bytes.fromhex(value[2:])

    return decode


data, address, hash32 = bytes_of(), bytes_of(20), bytes_of(32)


def storage_key(value: Any) -> int:
    """A slot: up to 32 bytes in hexadecimal."""
    if not isinstance(value, str):
        raise Unfit(f"storage key: expected a hex string, got {shown(value)}")
    digits = value[2:] if value[:2] in ("0x", "0X") else value
    if not digits or not _DIGITS.issuperset(digits):
        raise Unfit(f'invalid hex in storage key: "{value[:80]}"')
    if len(digits) > 64:
        raise Unfit(f"storage key too long (want at most 32 bytes): {shown(value)}")
    return int(digits, 16)


def block_number(value: Any) -> int | str:
    """A block by number or name."""
    if value is None:
        return "latest"
    if isinstance(value, str) and value in NAMES:
        return value
    found: int = quantity(value)
    if found >= 1 << 63:
        raise Unfit("block number larger than int64")
    return found


def block(value: Any) -> int | str | bytes:
    """A block by number, name, hash, or an object with one of them (EIP-1898)."""
    if isinstance(value, Mapping):
        if ("blockNumber" in value) == ("blockHash" in value):
            raise Unfit(
                "cannot specify both BlockHash and BlockNumber, choose one or the other" if value else "empty block"
            )
        return hash32(value["blockHash"]) if "blockHash" in value else block_number(value["blockNumber"])
    if isinstance(value, str) and len(value) == 66:
        found: bytes = hash32(value)
        return found
    return block_number(value)


def list_of(item: Decoder, most: int = 100_000) -> Decoder:
    """A list of such items."""

    def decode(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise Unfit(f"expected a list, got {shown(value)}")
        if len(value) > most:
            raise Unfit(f"a list of {len(value)} items, may have {most}")
        found = []
        for index, one in enumerate(value):
            try:
                found.append(item(one))
            except Unfit as error:
                raise Unfit(f"[{index}]: {error}") from None
        return found

    return decode


def map_of(key: Decoder, item: Decoder) -> Decoder:
    """An object whose members' names are such keys."""

    def decode(value: Any) -> dict[Any, Any]:
        if not isinstance(value, Mapping):
            raise Unfit(f"expected an object, got {shown(value)}")
        found = {}
        for name, one in value.items():
            try:
                found[key(name)] = item(one)
            except Unfit as error:
                raise Unfit(f"[{shown(name)}]: {error}") from None
        return found

    return decode


def object_of(members: Mapping[str, tuple[str, Decoder]], required: Sequence[str] = ()) -> Decoder:
    """An object: JSON's name -> (ours, decoder). null is as if it weren't there; others are passed over, as go-ethereum does."""

    def decode(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise Unfit(f"expected an object, got {shown(value)}")
        found = {}
        for name, (own, decoder) in members.items():
            given = value.get(name)
            if given is None:
                if name in required:
                    raise Unfit(f"missing {name}")
                continue
            try:
                found[own] = decoder(given)
            except Unfit as error:
                raise Unfit(f"{name}: {error}") from None
        return found

    return decode


def either(first: Decoder, second: Decoder) -> Decoder:
    """The first where it fits a list, else the second."""

    def decode(value: Any) -> Any:
        return first(value) if isinstance(value, list) else second(value)

    return decode
