"""Transactions as test tools give them: JSON, unsigned with a key or signed, or one RLP list of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import rlp
from .._core import TRANSACTION_TYPES, Transaction
from ..errors import DecodeError, EvmError, UnusableInput
from ..hexadecimal import data, quantity
from . import faults
from .faults import TransitionFault
from .words import TYPE_NAMES, decoding_text

__all__ = ["Candidate", "rlp_items", "transactions_from_json", "transactions_from_rlp"]


_TYPED = frozenset(row.type for row in TRANSACTION_TYPES if row.type != 0)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transaction that is to be tried, or why it isn't one."""

    transaction: Transaction | None
    error: str | None = None


def transactions_from_json(value: object, *, chain_id: int, is_protected: bool) -> list[Candidate]:
    """From a list of objects, or from RLP in a string of hexadecimal digits. Raises TransitionFault (10).

    is_protected  whether the fork's legacy signatures name the chain (EIP-155); an object's `protected` may say that they don't
    """
    if value is None:
        return []
    if isinstance(value, str):
        return transactions_from_rlp(value)
    if not isinstance(value, (list, tuple)):
        raise TransitionFault(faults.JSON, "failed unmarshaling txs: not a list")
    candidates = []
    for index, item in enumerate(value):
        try:
            candidates.append(Candidate(_from_json(item, chain_id, is_protected)))
        except _Unsigned as unsigned:
            candidates.append(Candidate(unsigned.transaction, "invalid transaction v, r, s values"))
        except (EvmError, AttributeError, TypeError, ValueError, OverflowError) as error:
            raise TransitionFault(faults.JSON, f"failed unmarshaling txs: transaction {index}: {error}") from None
    return candidates


def transactions_from_rlp(text: object) -> list[Candidate]:
    """From the RLP of a list, in hexadecimal. One that can't be decoded is a candidate with an error. Raises TransitionFault (11)."""
    candidates = []
    for is_list, encoded in rlp_items(text):
        error, transaction = decode_item(is_list, encoded)
        candidates.append(Candidate(transaction, error))
    return candidates


def rlp_items(text: object) -> list[tuple[bool, bytes]]:
    """The items of the RLP list that hexadecimal text holds: (is it a list, the list or what the string holds)."""
    try:
        content = data(text, "txs")
        if not content:
            return []
        items = rlp.read_list(content, 0, len(content), "txs")
    except DecodeError as error:
        raise TransitionFault(faults.IO, decoding_text(error, None)) from None
    except UnusableInput as error:
        raise TransitionFault(faults.JSON, f"failed unmarshaling txs: {error}") from None
    return [(is_list, content[begin if is_list else payload : end]) for is_list, begin, payload, end in items]


def decode_item(is_list: bool, encoded: bytes) -> tuple[str | None, Transaction | None]:
    """(what is wrong in go-ethereum's words, None), or (None, the transaction)."""
    if not is_list and len(encoded) <= 1:
        return "typed transaction too short", None
    if not is_list and encoded[0] not in _TYPED:
        return "transaction type not supported", None
    if not is_list and encoded[1] < 0xC0:
        return f"rlp: expected input list for types.{TYPE_NAMES[encoded[0]]}", None
    try:
        return None, Transaction.decode(encoded)
    except DecodeError as error:
        return decoding_text(error, 0 if is_list else encoded[0]), None


class _Unsigned(Exception):
    """The transaction has no signature, and no key to make one."""

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction


def _from_json(value: Any, chain_id: int, is_protected: bool) -> Transaction:
    if not isinstance(value, Mapping):
        raise UnusableInput("not an object")
    kind = quantity(value.get("type") or 0, "type", 8)
    fields: dict[str, Any] = {"type": kind}
    for name, reader, members in _FIELDS:
        given = next((value[member] for member in members if value.get(member) is not None), None)
        if given is not None and (kind in _TYPES_WITH.get(name, range(256))):
            fields[name] = reader(given, members[0])
    to = value.get("to")
    fields["to"] = None if to in (None, "", "0x") else data(to, "to", 20)
    if kind != 0:
        fields["chain_id"] = quantity(value.get("chainId", chain_id), "chainId")
    signature = {
        name: quantity(value[name], name) if value.get(name) is not None else 0 for name in ("v", "yParity", "r", "s")
    }
    key = value.get("secretKey")
    if any(signature.values()):
        given = signature["v"] or signature["yParity"]
        return Transaction(**fields, v=given, r=signature["r"], s=signature["s"])
    if kind == 0 and is_protected and value.get("protected", True):
        fields["chain_id"] = chain_id
    if key is None:
        raise _Unsigned(Transaction(**fields))
    return Transaction(**fields).sign(data(key, "secretKey", 32))


def _number(value: object, name: str) -> int:
    return quantity(value, name)


def _bytes(value: object, name: str) -> bytes:
    return data(value, name)


def _access_list(value: Iterable[Mapping[str, Any]], name: str) -> list[Any]:
    return [
        (data(entry["address"], name, 20), [_slot(key, name) for key in entry.get("storageKeys") or ()])
        for entry in value
    ]


def _slot(value: object, name: str) -> int:
    return quantity(value, name) if isinstance(value, int) else int.from_bytes(data(value, name, 32), "big")


def _authorizations(value: Iterable[Mapping[str, Any]], name: str) -> list[Any]:
    return [
        (
            quantity(item["chainId"], name),
            data(item["address"], name, 20),
            quantity(item["nonce"], name, 64),
            quantity(item["yParity"] if item.get("yParity") is not None else item["v"], name, 8),
            quantity(item["r"], name),
            quantity(item["s"], name),
        )
        for item in value
    ]


def _hashes(value: Iterable[object], name: str) -> list[bytes]:
    return [data(item, name, 32) for item in value]


# Field of Transaction, what reads it, its names in JSON.
_FIELDS: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
    ("nonce", _number, ("nonce",)),
    ("gas_price", _number, ("gasPrice",)),
    ("max_priority_fee_per_gas", _number, ("maxPriorityFeePerGas",)),
    ("max_fee_per_gas", _number, ("maxFeePerGas",)),
    ("gas_limit", _number, ("gas", "gasLimit")),
    ("value", _number, ("value",)),
    ("data", _bytes, ("input", "data")),
    ("access_list", _access_list, ("accessList",)),
    ("max_fee_per_blob_gas", _number, ("maxFeePerBlobGas",)),
    ("blob_versioned_hashes", _hashes, ("blobVersionedHashes",)),
    ("authorization_list", _authorizations, ("authorizationList",)),
)
# What other types' JSON may name, too, and they don't have.
_TYPES_WITH = {
    "gas_price": (0, 1),
    "max_priority_fee_per_gas": (2, 3, 4),
    "max_fee_per_gas": (2, 3, 4),
    "access_list": (1, 2, 3, 4),
    "max_fee_per_blob_gas": (3,),
    "blob_versioned_hashes": (3,),
    "authorization_list": (4,),
}
