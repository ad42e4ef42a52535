"""What a fork says of one transaction's wire form, in go-ethereum's words: `evm t9n`."""

from __future__ import annotations

from collections.abc import Sequence

from .. import rlp
from .._core import TRANSACTION_TYPES, Transaction, check_transaction, keccak256, least_gas, run_precompile
from ..errors import DecodeError
from ..hexadecimal import to_hex
from .transactions import decode_item

__all__ = ["check"]

_MOST = 1 << 256
# Fields that may be too large for 256 bits: the name is told, and the rest of the transaction looked at all the same.
_LARGE = {
    "value": "value",
    "gas_price": "gasPrice",
    "max_fee_per_gas": "maxFeePerGas",
    "max_priority_fee_per_gas": "maxPriorityFeePerGas",
}
_LEGACY = ("nonce", "gas_price", "gas_limit", "to", "value", "data")
_ECRECOVER = 1


def check(is_list: bool, encoded: bytes, fork: int, chain_id: int) -> dict[str, str]:
    """`error`, `address`, `hash` and `intrinsicGas`, those that there are, of an item of a list of transactions."""
    text, transaction = decode_item(is_list, encoded)
    if transaction is None and (is_list or len(encoded) > 1):
        try:
            Transaction.decode(encoded)
        except DecodeError as error:
            if error.status == "RLP_NUMBER_TOO_LARGE":
                return _check_large(encoded, error.field, fork)
    if transaction is None:
        return {"error": str(text)}
    answer = {"hash": to_hex(transaction.hash)}
    faults, _, sender, gas = check_transaction(encoded, fork, chain_id)
    status = faults[-1][0] if faults else None
    if sender is not None:
        answer["address"] = to_hex(sender)
        if gas is not None:
            answer["intrinsicGas"] = hex(gas)
    if status is not None:
        answer["error"] = _text(status, transaction, gas or 0, fork, chain_id)
    return answer


def _text(status: str, transaction: Transaction, gas: int, fork: int, chain_id: int) -> str:
    texts = {
        "TYPE_NOT_SUPPORTED": "transaction type not supported",
        "INTRINSIC_GAS_TOO_LOW": f"intrinsic gas too low: have {transaction.gas_limit}, want {gas}",
        "FLOOR_GAS_TOO_LOW": f"insufficient gas for floor data gas cost: have {transaction.gas_limit}, "
        f"want {least_gas(transaction, fork)[1]}",
        "NONCE_IS_MAX": "nonce exceeds 2^64-1",
        "PRIORITY_ABOVE_MAX_FEE": "maxFeePerGas < maxPriorityFeePerGas",
        "GASLIMIT_PRICE_OVERFLOW": f"gas * {'gasPrice' if transaction.type < 2 else 'maxFeePerGas'} exceeds 256 bits",
        "INITCODE_TOO_LARGE": "max initcode size exceeded",
        "GAS_LIMIT_EXCEEDS_MAXIMUM": "gas limit exceeds maximum",
        "INVALID_CHAIN_ID": f"invalid chain id for signer: have {transaction.chain_id} want {chain_id}",
        "INVALID_SIGNATURE": "invalid transaction v, r, s values",
    }
    return texts.get(status, status.replace("_", " ").lower())


def _check_large(encoded: bytes, field: str, fork: int) -> dict[str, str]:
    """A transaction with a number that no account has: hash, sender and gas are told all the same."""
    name = _LARGE.get(field)
    if name is None:
        return {"error": "transaction chain id or signature value exceeds 256 bits"}
    prefix = encoded[:1] if encoded[0] < 0xC0 else b""
    items = rlp.to_list(rlp.decode(encoded[len(prefix) :], "transaction"), "transaction")
    names = next(row.fields for row in TRANSACTION_TYPES if row.type == prefix[0]) if prefix else _LEGACY
    small = [b"" if label in _LARGE else item for label, item in zip(names, items)]
    gas = check_transaction(prefix + rlp.encode([*small, *items[len(names) :]]), fork)[3]
    answer = {"error": f"{name} exceeds 256 bits", "hash": to_hex(keccak256(encoded))}
    sender = _sender(prefix, items[: len(names)], items[len(names) :])
    if sender is not None:
        answer["address"] = to_hex(sender)
        if gas is not None:
            answer["intrinsicGas"] = hex(gas)
    return answer


def _sender(prefix: bytes, fields: Sequence[rlp.Item], signature: Sequence[rlp.Item]) -> bytes | None:
    if len(signature) != 3 or not all(isinstance(part, bytes) and len(part) <= 32 for part in signature):
        return None
    v, r, s = (int.from_bytes(part, "big") for part in signature if isinstance(part, bytes))
    signed = list(fields)
    parity = v
    if not prefix:
        if v >= 35:
            signed += [rlp.number((v - 35) // 2), b"", b""]
            parity = (v - 35) % 2
        else:
            parity = v - 27
    if parity not in (0, 1):
        return None
    message = keccak256(prefix + rlp.encode(signed))
    words = b"".join(number.to_bytes(32, "big") for number in (27 + parity, r, s))
    found = run_precompile(_ECRECOVER, message + words)
    return found[12:] if found else None
