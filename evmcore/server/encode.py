"""Blocks, transactions, receipts and logs as JSON-RPC has them, in go-ethereum's members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._core import TRANSACTION_FIELDS, Transaction, blob_base_fee
from ..block import Block
from ..dev import DevBlock
from ..header import Header, Withdrawal
from ..hexadecimal import to_hex
from ..receipt import Log, Receipt
from .fields import RPC_NAMES

__all__ = [
    "blob_fee",
    "block_json",
    "checksummed",
    "header_json",
    "log_json",
    "receipt_json",
    "transaction_json",
    "word",
]


def word(value: int) -> str:
    """A number as 32 bytes."""
    return f"0x{value:064x}"


def checksummed(address: bytes) -> str:
    """An address with capitals as EIP-55 has them."""
    from .._core import keccak256

    digits = address.hex()
    digest = keccak256(digits.encode()).hex()
    return "0x" + "".join(digit.upper() if int(mark, 16) >= 8 else digit for digit, mark in zip(digits, digest))


def blob_fee(header: Header) -> int:
    """Wei a blob gas in this block; 0 before Cancun."""
    if header.excess_blob_gas is None:
        return 0
    if header.overrides is not None and header.overrides.blob_base_fee is not None:
        return header.overrides.blob_base_fee
    return blob_base_fee(
        header.excess_blob_gas, header.fork, None if header.blob_schedule is None else header.blob_schedule[2]
    )


def effective_price(transaction: Transaction, header: Header | None) -> int:
    """Wei a gas; of a transaction that isn't mined, the most that it pays."""
    if transaction.gas_price is not None:
        return transaction.gas_price
    if header is None or header.base_fee_per_gas is None:
        return transaction.max_fee_per_gas
    return min(transaction.max_fee_per_gas, header.base_fee_per_gas + transaction.max_priority_fee_per_gas)


_SHOWN_AS = {"data": "input"}
# Of fields that aren't numbers.
_SHOW: dict[str, Callable[[Any], Any]] = {
    "to": lambda to: None if to is None else to_hex(to),
    "data": to_hex,
    "access_list": lambda entries: [
        {"address": to_hex(address), "storageKeys": [word(slot) for slot in slots]} for address, slots in entries
    ],
    "blob_versioned_hashes": lambda hashes: [to_hex(one) for one in hashes],
    "authorization_list": lambda entries: [
        {
            "chainId": hex(chain_id), "address": to_hex(address), "nonce": hex(nonce), "yParity": hex(parity), "r": hex(r),
            "s": hex(s),
        }
        for chain_id, address, nonce, parity, r, s in entries
    ],
}  # fmt: skip


def transaction_json(
    transaction: Transaction, header: Header | None = None, block_hash: bytes | None = None, index: int | None = None
) -> dict[str, Any]:
    """A transaction; without a header it is pending."""
    kind = transaction.type
    shown: dict[str, Any] = {
        "blockHash": None if block_hash is None else to_hex(block_hash),
        "blockNumber": None if header is None else hex(header.number),
        "blockTimestamp": None if header is None else hex(header.timestamp),
        "from": to_hex(transaction.sender),
        "hash": to_hex(transaction.hash),
        "transactionIndex": None if index is None else hex(index),
        "type": hex(kind),
        "v": hex(transaction.v),
        "r": hex(transaction.r),
        "s": hex(transaction.s),
    }
    for field in TRANSACTION_FIELDS:
        value = getattr(transaction, field.name)
        is_there = value is not None if field.name == "chain_id" else kind in field.types  # in type 0 it is part of v
        if is_there:
            shown[_SHOWN_AS.get(field.name, RPC_NAMES[field.name])] = _SHOW.get(field.name, hex)(value)
    shown["gasPrice"] = hex(effective_price(transaction, header))
    if kind >= 1:
        shown["yParity"] = hex(transaction.y_parity)
    return shown


def log_json(
    log: Log,
    header: Header,
    block_hash: bytes,
    transaction_hash: bytes,
    index: int,
    log_index: int,
    *,
    removed: bool = False,
) -> dict[str, Any]:
    """A log. index: its transaction's in the block; log_index: its own."""
    return {
        "address": to_hex(log.address),
        "topics": [to_hex(topic) for topic in log.topics],
        "data": to_hex(log.data),
        "blockNumber": hex(header.number),
        "transactionHash": to_hex(transaction_hash),
        "transactionIndex": hex(index),
        "blockHash": to_hex(block_hash),
        "blockTimestamp": hex(header.timestamp),
        "logIndex": hex(log_index),
        "removed": removed,
    }


def receipt_json(
    receipt: Receipt, transaction: Transaction, header: Header, block_hash: bytes, index: int, log_index: int
) -> dict[str, Any]:
    """A receipt. log_index: of its first log in the block."""
    shown: dict[str, Any] = {
        "blockHash": to_hex(block_hash),
        "blockNumber": hex(header.number),
        "contractAddress": None if receipt.contract_address is None else to_hex(receipt.contract_address),
        "cumulativeGasUsed": hex(receipt.cumulative_gas_used),
        "effectiveGasPrice": hex(receipt.effective_gas_price),
        "from": to_hex(transaction.sender),
        "gasUsed": hex(receipt.gas_used),
        "logs": [
            log_json(log, header, block_hash, transaction.hash, index, log_index + at)
            for at, log in enumerate(receipt.logs)
        ],
        "logsBloom": to_hex(receipt.logs_bloom),
        "to": None if transaction.to is None else to_hex(transaction.to),
        "transactionHash": to_hex(transaction.hash),
        "transactionIndex": hex(index),
        "type": hex(receipt.type),
    }
    if receipt.status is None:
        shown["root"] = to_hex(receipt.state_root or b"")
    else:
        shown["status"] = hex(receipt.status)
    if transaction.type == 3:
        shown["blobGasUsed"] = hex(receipt.blob_gas_used)
        shown["blobGasPrice"] = hex(blob_fee(header))
    return shown


def block_receipts(block: DevBlock) -> list[dict[str, Any]]:
    """All receipts of a block."""
    shown, log_index = [], 0
    for index, (receipt, transaction) in enumerate(zip(block.receipts, block.block.transactions)):
        shown.append(receipt_json(receipt, transaction, block.header, block.hash, index, log_index))
        log_index += len(receipt.logs)
    return shown


def header_json(header: Header) -> dict[str, Any]:
    """A header, with its hash."""
    return dict(header.to_json())


def withdrawal_json(withdrawal: Withdrawal) -> dict[str, str]:
    """A withdrawal; the amount is in gwei."""
    return {
        "index": hex(withdrawal.index),
        "validatorIndex": hex(withdrawal.validator_index),
        "address": to_hex(withdrawal.address),
        "amount": hex(withdrawal.amount_gwei),
    }


def block_json(block: Block, is_full: bool, *, is_pending: bool = False) -> dict[str, Any]:
    """A block, with its transactions or their hashes."""
    header = block.header
    shown = header_json(header)
    block_hash = block.hash
    shown["size"] = hex(len(block.encode()))
    if is_full:
        shown["transactions"] = [
            transaction_json(transaction, header, block_hash, index)
            for index, transaction in enumerate(block.transactions)
        ]
    else:
        shown["transactions"] = [to_hex(transaction.hash) for transaction in block.transactions]
    shown["uncles"] = [to_hex(ommer.hash) for ommer in block.ommers]
    if block.withdrawals is not None:
        shown["withdrawals"] = [withdrawal_json(withdrawal) for withdrawal in block.withdrawals]
    if is_pending:
        shown.update(hash=None, nonce=None)
    return shown
