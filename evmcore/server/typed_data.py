"""Typed data: the hash that eth_signTypedData_v4 signs (EIP-712)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .._core import keccak256
from ..hexadecimal import shown
from .decode import Unfit

__all__ = ["typed_data_hash"]

_DOMAIN = "EIP712Domain"
# The fields that a domain may have, in their order.
_DOMAIN_FIELDS = (
    ("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address"), ("salt", "bytes32"),
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_ARRAY = re.compile(r"(.+)\[([0-9]{0,6})\]")
_INTEGER = re.compile(r"(u?)int([0-9]{1,3})")
_FIXED = re.compile(r"bytes([0-9]{1,2})")
_NUMBER = re.compile(r"(-?)(?:0[xX]([0-9a-fA-F]+)|([0-9]+))")
# Far beyond what wallets show; with these the hash takes at most about a second.
_DEPTH_MOST = 64
_TYPES_MOST = 256
_MEMBERS_MOST = 1000  # of all types
_NAME_MOST = 256  # characters
_VALUES_MOST = 100_000


class _Types(dict[str, tuple[tuple[str, str], ...]]):
    """(name, type) of the members of each type; their types' hashes as they are wanted, and how many values may still come."""

    def __init__(self) -> None:
        super().__init__()
        self._hashes: dict[str, bytes] = {}
        self._values_left = _VALUES_MOST

    def hash_of(self, name: str) -> bytes:
        """The typeHash."""
        if name not in self._hashes:
            self._hashes[name] = keccak256(_encoded_type(self, name).encode())
        return self._hashes[name]

    def count(self) -> None:
        """One more value. Raises Unfit."""
        self._values_left -= 1
        if self._values_left < 0:
            raise Unfit(f"message: more than {_VALUES_MOST} values")


def typed_data_hash(value: Any) -> bytes:
    """The hash to be signed of an object with types, primaryType, domain and message.

    raise  Unfit, which names what can't be: a type that there isn't, a value that its type can't have
    """
    if not isinstance(value, Mapping):
        raise Unfit(f"expected an object, got {shown(value)}")
    domain, message, primary = value.get("domain"), value.get("message"), value.get("primaryType")
    if not isinstance(domain, Mapping):
        raise Unfit("domain: expected an object")
    types = _types(value.get("types"), domain)
    if not isinstance(primary, str) or primary not in types:
        raise Unfit(f"primaryType: {shown(primary)} is not one of types")
    hashed = b"\x19\x01" + _hash_of(types, _DOMAIN, domain, "domain", 0)
    if primary != _DOMAIN:
        hashed += _hash_of(types, primary, message, "message", 0)
    return keccak256(hashed)


def _types(given: Any, domain: Mapping[str, Any]) -> _Types:
    if not isinstance(given, Mapping) or len(given) > _TYPES_MOST:
        raise Unfit(f"types: expected an object of at most {_TYPES_MOST} types")
    types = _Types()
    for name, members in given.items():
        if len(name) > _NAME_MOST or not _NAME.fullmatch(name) or not isinstance(members, list):
            raise Unfit(f"types.{name[:80]}: expected a name, and a list of members")
        found = []
        for member in members:
            own = member.get("name") if isinstance(member, Mapping) else None
            kind = member.get("type") if isinstance(member, Mapping) else None
            if not isinstance(own, str) or not isinstance(kind, str) or max(len(own), len(kind)) > _NAME_MOST:
                raise Unfit(
                    f"types.{name}: a member is no object with name and type, of at most {_NAME_MOST} characters"
                )
            found.append((own, kind))
        if len({own for own, _ in found}) != len(found):
            raise Unfit(f"types.{name}: a member is there twice")
        types[name] = tuple(found)
        if sum(map(len, types.values())) > _MEMBERS_MOST:
            raise Unfit(f"types: more than {_MEMBERS_MOST} members")
    types.setdefault(_DOMAIN, tuple((name, kind) for name, kind in _DOMAIN_FIELDS if name in domain))
    for name, typed in types.items():
        for own, kind in typed:
            base = _base(kind)
            if base not in types and not _is_atomic(base):
                raise Unfit(f"types.{name}.{own}: no type {kind[:80]!r}")
    return types


def _base(kind: str) -> str:
    """An array's items' type, whatever its dimensions."""
    while (array := _ARRAY.fullmatch(kind)) is not None:
        kind = array[1]
    return kind


def _is_atomic(kind: str) -> bool:
    if kind in ("address", "bool", "bytes", "string"):
        return True
    if (number := _INTEGER.fullmatch(kind)) is not None:
        return int(number[2]) % 8 == 0 and 8 <= int(number[2]) <= 256
    fixed = _FIXED.fullmatch(kind)
    return fixed is not None and 1 <= int(fixed[1]) <= 32


def _encoded_type(types: _Types, name: str) -> str:
    """A type with those that it refers to, which are sorted."""
    needed: set[str] = set()
    left = [name]
    while left:
        for _, kind in types[left.pop()]:
            base = _base(kind)
            if base in types and base not in needed:
                needed.add(base)
                left.append(base)
    needed.discard(name)
    return "".join(f"{one}({','.join(f'{kind} {own}' for own, kind in types[one])})" for one in (name, *sorted(needed)))


def _hash_of(types: _Types, name: str, value: Any, where: str, depth: int) -> bytes:
    if not isinstance(value, Mapping):
        raise Unfit(f"{where}: expected an object of type {name}")
    if depth > _DEPTH_MOST:
        raise Unfit(f"{where[:200]}: nested more than {_DEPTH_MOST} deep")
    encoded = [types.hash_of(name)]
    for own, kind in types[name]:
        encoded.append(_encoded(types, kind, value.get(own), f"{where}.{own}", depth + 1))
    return keccak256(b"".join(encoded))


def _encoded(types: _Types, kind: str, value: Any, where: str, depth: int) -> bytes:
    """32 bytes."""
    types.count()
    if kind in types:
        return bytes(32) if value is None else _hash_of(types, kind, value, where, depth)
    if (array := _ARRAY.fullmatch(kind)) is not None:
        if not isinstance(value, list) or (array[2] and len(value) != int(array[2])):
            raise Unfit(f"{where}: expected a list{f' of {int(array[2])}' if array[2] else ''}")
        if depth > _DEPTH_MOST:
            raise Unfit(f"{where[:200]}: nested more than {_DEPTH_MOST} deep")
        return keccak256(b"".join(_encoded(types, array[1], one, f"{where}[]", depth + 1) for one in value))
    if kind == "string":
        if not isinstance(value, str):
            raise Unfit(f"{where}: expected a string, got {shown(value)}")
        return keccak256(value.encode("utf-8", "surrogatepass"))
    if kind == "bool":
        if not isinstance(value, bool):
            raise Unfit(f"{where}: expected true or false, got {shown(value)}")
        return int(value).to_bytes(32, "big")
    if (integer := _INTEGER.fullmatch(kind)) is not None:
        return _integer(value, int(integer[2]), not integer[1], where)
    content = _bytes(value, where)
    if kind == "bytes":
        return keccak256(content)
    if kind == "address":
        if len(content) != 20:
            raise Unfit(f"{where}: an address of {len(content)} bytes")
        return content.rjust(32, b"\0")
    size = int(kind[len("bytes") :])
    if len(content) != size:
        raise Unfit(f"{where}: {len(content)} bytes, want {size}")
    return content.ljust(32, b"\0")


def _bytes(value: Any, where: str) -> bytes:
    if not isinstance(value, str) or value[:2] not in ("0x", "0X"):
        raise Unfit(f"{where}: expected a hex string, got {shown(value)}")
    try:
        return bytes.fromhex(value[2:])
    except ValueError:
        raise Unfit(f"{where}: invalid hex string {shown(value)}") from None


def _integer(value: Any, bits: int, is_signed: bool, where: str) -> bytes:
    number = value
    if isinstance(value, str) and len(value) <= 80 and (found := _NUMBER.fullmatch(value)) is not None:
        number = (int(found[2], 16) if found[2] else int(found[3])) * (-1 if found[1] else 1)
    if type(number) is not int:
        raise Unfit(f"{where}: expected a number, got {shown(value)}")
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)
    if not low <= number <= high:
        raise Unfit(f"{where}: {shown(value)} doesn't fit {'' if is_signed else 'u'}int{bits}")
    return number.to_bytes(32, "big", signed=is_signed)
