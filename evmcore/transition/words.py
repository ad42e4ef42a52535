"""Why a transaction isn't in the block, in go-ethereum's words, which the tools around it look for."""

from __future__ import annotations

from typing import Any

from .._core import Transaction, keccak256
from ..errors import DecodeError, InvalidBlock, InvalidTransaction

__all__ = ["TYPE_NAMES", "checksum_address", "decoding_text", "rejection_text"]


def checksum_address(address: bytes) -> str:
    """ "0x…" with the case of the digits as a checksum (EIP-55)."""
    digits = address.hex()
    hashed = keccak256(digits.encode()).hex()
    return "0x" + "".join(digit.upper() if int(nibble, 16) >= 8 else digit for digit, nibble in zip(digits, hashed))


# Row of status.def -> text; {sender}, {have}, {want} and the transaction's {tx}.
_REJECTIONS = {
    "NONCE_TOO_LOW": "nonce too low: address {sender}, tx: {have} state: {want}",
    "NONCE_TOO_HIGH": "nonce too high: address {sender}, tx: {have} state: {want}",
    "NONCE_IS_MAX": "nonce has max value: address {sender}, nonce: {tx.nonce}",
    "SENDER_NOT_EOA": "sender not an eoa: address {sender}",
    "INSUFFICIENT_FUNDS": "insufficient funds for gas * price + value: address {sender} have {have} want {want}",
    "GASLIMIT_PRICE_OVERFLOW": "insufficient funds for gas * price + value: address {sender} required balance exceeds 256 bits",
    "INTRINSIC_GAS_TOO_LOW": "intrinsic gas too low: have {have}, want {want}",
    "FLOOR_GAS_TOO_LOW": "insufficient gas for floor data gas cost: have {have}, want {want}",
    "GAS_ALLOWANCE_EXCEEDED": "gas limit reached",
    "GAS_LIMIT_EXCEEDS_MAXIMUM": "transaction gas limit too high (cap: {want}, tx: {have})",
    "INITCODE_TOO_LARGE": "max initcode size exceeded: code size {have} limit {want}",
    "MAX_FEE_BELOW_BASE_FEE": "max fee per gas less than block base fee: address {sender}, maxFeePerGas: {have}, baseFee: {want}",
    "PRIORITY_ABOVE_MAX_FEE": "max priority fee per gas higher than max fee per gas: address {sender}, "
    "maxPriorityFeePerGas: {tx.max_priority_fee_per_gas}, maxFeePerGas: {tx.max_fee_per_gas}",
    "MAX_BLOB_FEE_TOO_LOW": "max fee per blob gas less than block blob gas fee: address {sender} "
    "blobGasFeeCap: {have}, blobBaseFee: {want}",
    "BLOB_GAS_ALLOWANCE_EXCEEDED": "blob gas ({have}) would exceed maximum allowance {want}",
    "TOO_MANY_BLOBS": "blob transaction has too many blobs (max {want}, tx: {have})",
    "NO_BLOBS": "blob transaction missing blob hashes",
    "BLOB_HASH_VERSION": "blob has invalid hash version",
    "BLOB_CREATES_CONTRACT": "blob transaction of type create",
    "SET_CODE_CREATES_CONTRACT": "EIP-7702 transaction cannot be used to create contract (sender {sender})",
    "NO_AUTHORIZATIONS": "EIP-7702 transaction with empty auth list (sender {sender})",
    "TYPE_NOT_SUPPORTED": "transaction type not supported",
    "INVALID_SIGNATURE": "invalid transaction v, r, s values",
    "INVALID_CHAIN_ID": "invalid chain id for signer: have {have} want {want}",
}


def rejection_text(error: InvalidTransaction | InvalidBlock, transaction: Transaction) -> str:
    """The words for a transaction that may not be included."""
    form = _REJECTIONS.get(error.status)
    if form is None:
        return str(error)
    values: dict[str, Any] = {"have": error.have, "want": error.want, "tx": transaction}
    if "{sender}" in form:
        try:
            values["sender"] = checksum_address(transaction.sender)
        except (InvalidTransaction, ValueError):
            values["sender"] = "unknown"
    return form.format(**values)


# Transaction type -> go-ethereum's name for it.
TYPE_NAMES = {0: "LegacyTx", 1: "AccessListTx", 2: "DynamicFeeTx", 3: "BlobTx", 4: "SetCodeTx"}
# Field -> its name there, and the type that it is decoded into.
_FIELDS = {
    "chain_id": ("ChainID", "uint256.Int"),
    "nonce": ("Nonce", "uint64"),
    "gas_price": ("GasPrice", "big.Int"),
    "max_priority_fee_per_gas": ("GasTipCap", "big.Int"),
    "max_fee_per_gas": ("GasFeeCap", "big.Int"),
    "gas_limit": ("Gas", "uint64"),
    "to": ("To", "common.Address"),
    "value": ("Value", "big.Int"),
    "data": ("Data", "[]uint8"),
    "access_list": ("AccessList", "types.AccessList"),
    "max_fee_per_blob_gas": ("BlobFeeCap", "uint256.Int"),
    "blob_versioned_hashes": ("BlobHashes", "[]common.Hash"),
    "authorization_list": ("AuthList", "[]types.SetCodeAuthorization"),
    "v": ("V", "big.Int"),
    "y_parity": ("V", "uint256.Int"),
    "r": ("R", "big.Int"),
    "s": ("S", "big.Int"),
}
_NOT_RLP = {
    "RLP_TRUNCATED": "rlp: value size exceeds available input length",
    "RLP_TRAILING_BYTES": "rlp: input contains more than one value",
    "RLP_NON_CANONICAL": "rlp: non-canonical size information",
    "RLP_LEADING_ZEROS": "rlp: non-canonical integer (leading zero bytes)",
    "RLP_EXPECTED_LIST": "rlp: expected input list",
    "RLP_EXPECTED_STRING": "rlp: expected input string or byte",
    "RLP_WRONG_LENGTH": "rlp: input string too short",
    "RLP_TOO_FEW_FIELDS": "rlp: too few elements",
    "RLP_TOO_MANY_FIELDS": "rlp: input list has too many elements",
    "RLP_NUMBER_TOO_LARGE": "rlp: input string too long",
}


# Types that create nothing have a recipient: an address, and nothing else.
_CREATING_NOTHING = ("BLOB_CREATES_CONTRACT", "SET_CODE_CREATES_CONTRACT")


def decoding_text(error: DecodeError, kind: int | None) -> str:
    """The words for bytes that are no transaction. `kind`: its type, 0 for a bare list; None: they are a list of all."""
    if error.status == "TYPE_NOT_SUPPORTED":
        return "transaction type not supported"
    if error.status == "INVALID_SIGNATURE":
        return "invalid transaction v, r, s values"
    if error.status in _CREATING_NOTHING and kind in TYPE_NAMES:
        return f"{_NOT_RLP['RLP_WRONG_LENGTH']} for {_place(error, kind)}"
    text = _NOT_RLP.get(error.status)
    if text is None:
        return str(error)
    if kind not in TYPE_NAMES:
        return text
    return f"{text} for {_place(error, kind)}"


def _place(error: DecodeError, kind: int) -> str:
    name = TYPE_NAMES[kind]
    field = _FIELDS.get(error.field)
    if field is None or error.status in ("RLP_TOO_FEW_FIELDS", "RLP_TOO_MANY_FIELDS"):
        return f"types.{name}"
    return f"{field[1]}, decoding into (types.Transaction)(types.{name}).{field[0]}"
