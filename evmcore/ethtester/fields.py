"""Blocks, transactions, receipts and logs in eth-tester's form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._core import Transaction, blob_base_fee
from ..dev import DevBlock
from ..header import Header
from ..receipt import Log, Receipt

__all__ = ["block_fields", "receipt_fields", "transaction_fields"]


def block_fields(block: DevBlock, full_transaction: bool, is_pending: bool) -> dict[str, Any]:
    """Of a block; its transactions whole, or their hashes."""
    header = block.header
    transactions: list[Any] = [transaction.hash for transaction in block.block.transactions]
    if full_transaction:
        transactions = [
            transaction_fields(None if is_pending else block, index, transaction, receipt)
            for index, (transaction, receipt) in enumerate(zip(block.block.transactions, block.receipts))
        ]
    fields = {
        "number": header.number,
        "hash": block.hash,
        "parent_hash": header.parent_hash,
        "nonce": header.nonce,
        "sha3_uncles": header.ommers_hash,
        "logs_bloom": int.from_bytes(header.logs_bloom, "big"),
        "transactions_root": header.transactions_root,
        "receipts_root": header.receipts_root,
        "state_root": header.state_root,
        "coinbase": header.coinbase,
        "difficulty": header.difficulty,
        "total_difficulty": header.difficulty,
        "mix_hash": header.mix_hash,
        "size": len(block.block.encode()),
        "extra_data": header.extra_data.rjust(32, b"\0"),
        "gas_limit": header.gas_limit,
        "gas_used": header.gas_used,
        "timestamp": header.timestamp,
        "transactions": transactions,
        "uncles": [],
    }
    for name in (
        "base_fee_per_gas",
        "withdrawals_root",
        "parent_beacon_block_root",
        "blob_gas_used",
        "excess_blob_gas",
        "requests_hash",
    ):
        if getattr(header, name) is not None:
            fields[name] = getattr(header, name)
    if block.block.withdrawals is not None:
        fields["withdrawals"] = [
            {
                "index": withdrawal.index,
                "validator_index": withdrawal.validator_index,
                "address": withdrawal.address,
                "amount": withdrawal.amount_gwei,
            }
            for withdrawal in block.block.withdrawals
        ]
    return fields


def transaction_fields(
    block: DevBlock | None, index: int, transaction: Transaction, receipt: Receipt
) -> dict[str, Any]:
    """Of a transaction; block None while it is pending."""
    fields: dict[str, Any] = {
        "type": transaction.type,
        "hash": transaction.hash,
        "nonce": transaction.nonce,
        "block_hash": None if block is None else block.hash,
        "block_number": None if block is None else block.number,
        "transaction_index": None if block is None else index,
        "from": transaction.sender,
        "to": transaction.to or b"",
        "value": transaction.value,
        "gas": transaction.gas_limit,
        "data": transaction.data,
    }
    if transaction.gas_price is not None:
        fields["gas_price"] = transaction.gas_price
    if transaction.type >= 1:
        fields.update(chain_id=transaction.chain_id, access_list=transaction.access_list)
    if transaction.type >= 2:
        fields["max_fee_per_gas"] = transaction.max_fee_per_gas
        fields["max_priority_fee_per_gas"] = transaction.max_priority_fee_per_gas
        fields["gas_price"] = transaction.max_fee_per_gas if block is None else receipt.effective_gas_price
    if transaction.type == 3:
        fields["max_fee_per_blob_gas"] = transaction.max_fee_per_blob_gas
        fields["blob_versioned_hashes"] = transaction.blob_versioned_hashes
    if transaction.type == 4:
        names = ("chain_id", "address", "nonce", "y_parity", "r", "s")
        fields["authorization_list"] = [dict(zip(names, entry)) for entry in transaction.authorization_list]
    fields.update(v=transaction.v, s=transaction.s, r=transaction.r)
    if transaction.type >= 1:
        fields["v"] = fields["y_parity"] = transaction.y_parity
    return fields


def receipt_fields(
    block: DevBlock | None, header: Header, receipts: Sequence[Receipt], index: int, transaction: Transaction
) -> dict[str, Any]:
    """Of a transaction's receipt among those of its block, mined or pending (None)."""
    receipt = receipts[index]
    place = sum(len(earlier.logs) for earlier in receipts[:index])
    fields = {
        "block_hash": None if block is None else block.hash,
        "block_number": None if block is None else block.number,
        "contract_address": receipt.contract_address,
        "cumulative_gas_used": receipt.cumulative_gas_used,
        "effective_gas_price": receipt.effective_gas_price,
        "from": transaction.sender,
        "gas_used": receipt.gas_used,
        "logs": [_log_fields(block, index, transaction, log, place + at) for at, log in enumerate(receipt.logs)],
        "state_root": receipt.state_root or (b"\x01" if receipt.is_success else b""),
        "status": int(receipt.is_success),
        "to": transaction.to or b"",
        "transaction_hash": transaction.hash,
        "transaction_index": None if block is None else index,
        "type": transaction.type,
    }
    if transaction.type == 3:
        fields["blob_gas_used"] = receipt.blob_gas_used
        fields["blob_gas_price"] = blob_base_fee(header.excess_blob_gas or 0, header.fork)
    return fields


def _log_fields(block: DevBlock | None, index: int, transaction: Transaction, log: Log, place: int) -> dict[str, Any]:
    return {
        "type": "pending" if block is None else "mined",
        "log_index": place,
        "transaction_index": None if block is None else index,
        "transaction_hash": transaction.hash,
        "block_hash": None if block is None else block.hash,
        "block_number": None if block is None else block.number,
        "address": log.address,
        "data": log.data,
        "topics": list(log.topics),
    }
