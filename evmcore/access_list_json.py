"""Block access lists in JSON, as test fixtures and clients show them, to and from RLP (EIP-7928). Nothing is put in order on the way, so
that a list which is at fault stays so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import rlp
from .errors import UnusableInput
from .hexadecimal import data, quantity, shown

__all__ = ["encode_json", "shown_json"]

# A member of an account, what it calls the value, and how many bits that has at most; None: bytes.
_FIELDS = (
    ("balanceChanges", "postBalance", 256),
    ("nonceChanges", "postNonce", 64),
    ("codeChanges", "newCode", None),
)


def _members(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UnusableInput(f"{place}: {shown(value)} is not an object")
    return value


def _items(value: Any, place: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        raise UnusableInput(f"{place}: {shown(value)} is not a list")
    return list(value)


def _member(value: Mapping[str, Any], name: str, place: str) -> Any:
    if name not in value:
        raise UnusableInput(f"{place}: has no {name}")
    return value[name]


def _pairs(value: Any, place: str, name: str, bits: int | None) -> bytes:
    """A list of [index, value]."""
    parts = []
    for number, change in enumerate(_items(value, place)):
        where = f"{place}[{number}]"
        change = _members(change, where)
        index = quantity(_member(change, "blockAccessIndex", where), f"{where}.blockAccessIndex", 32)
        given = _member(change, name, where)
        after = data(given, f"{where}.{name}") if bits is None else rlp.number(quantity(given, f"{where}.{name}", bits))
        parts.append(rlp.encode_list((rlp.encode(rlp.number(index)), rlp.encode(after))))
    return rlp.encode_list(parts)


def _slot(value: Any, place: str) -> bytes:
    return rlp.encode(rlp.number(quantity(value, place, 256)))


def encode_json(value: Any) -> bytes:
    """The RLP of such a list. Raises UnusableInput with the place; whether it is a list as it has to be, its decoder says."""
    if value is None:
        raise UnusableInput("access list: None is not a list")
    accounts = []
    for number, item in enumerate(_items(value, "access list")):
        place = f"access list[{number}]"
        account = _members(item, place)
        changed = []
        for at, slot in enumerate(_items(account.get("storageChanges"), f"{place}.storageChanges")):
            where = f"{place}.storageChanges[{at}]"
            slot = _members(slot, where)
            key = _slot(_member(slot, "slot", where), f"{where}.slot")
            changes = _pairs(slot.get("slotChanges"), f"{where}.slotChanges", "postValue", 256)
            changed.append(rlp.encode_list((key, changes)))
        reads = (
            _slot(slot, f"{place}.storageReads[{at}]")
            for at, slot in enumerate(_items(account.get("storageReads"), f"{place}.storageReads"))
        )
        fields = (_pairs(account.get(name), f"{place}.{name}", value_name, bits) for name, value_name, bits in _FIELDS)
        address = rlp.encode(data(_member(account, "address", place), f"{place}.address", 20))
        accounts.append(rlp.encode_list((address, rlp.encode_list(changed), rlp.encode_list(reads), *fields)))
    return rlp.encode_list(accounts)


def _hex(number: bytes) -> str:
    return hex(int.from_bytes(number, "big"))


def _shown_pairs(pairs: Any, name: str, is_bytes: bool = False) -> list[dict[str, str]]:
    return [
        {"blockAccessIndex": _hex(index), name: "0x" + value.hex() if is_bytes else _hex(value)}
        for index, value in pairs
    ]


def shown_json(encoded: bytes) -> list[dict[str, Any]]:
    """The JSON of the RLP of a list."""
    shown_list = []
    accounts: Any = rlp.decode(encoded, "access list")
    for address, changed, reads, balances, nonces, codes in accounts:
        shown_list.append(
            {
                "address": "0x" + address.hex(),
                "storageChanges": [
                    {"slot": _hex(slot), "slotChanges": _shown_pairs(changes, "postValue")} for slot, changes in changed
                ],
                "storageReads": [_hex(slot) for slot in reads],
                "balanceChanges": _shown_pairs(balances, "postBalance"),
                "nonceChanges": _shown_pairs(nonces, "postNonce"),
                "codeChanges": _shown_pairs(codes, "newCode", is_bytes=True),
            }
        )
    return shown_list
