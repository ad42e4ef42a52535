"""eth_: blocks, transactions and receipts as they are."""

from __future__ import annotations

from typing import Any

from ...dev import BlockNotFound, DevBlock, TransactionNotFound
from ...hexadecimal import to_hex
from .. import decode
from ..encode import block_json, block_receipts, header_json, receipt_json, transaction_json
from ..errors import SERVER_ERROR, RpcError
from ..node import Node
from .table import optional, required, rows

BLOCK = required("block", decode.block)
NUMBER, HASH = required("blockNumber", decode.block_number), required("blockHash", decode.hash32)
TRANSACTION = required("transactionHash", decode.hash32)
INDEX = required("index", decode.quantity)


def found(node: Node, which: Any) -> DevBlock | None:
    """A block, or None."""
    try:
        return node.chain.block(which)
    except BlockNotFound:
        return None


def get_block(node: Node, which: Any, is_full: bool) -> Any:
    block = found(node, which)
    return None if block is None else block_json(block.block, is_full, is_pending=which == "pending")


def get_header(node: Node, which: Any) -> Any:
    block = found(node, which)
    return None if block is None else header_json(block.header)


def transaction_count(node: Node, which: Any) -> str | None:
    block = found(node, which)
    return None if block is None else hex(len(block.block.transactions))


def uncle_count(node: Node, which: Any) -> str | None:
    block = found(node, which)
    return None if block is None else hex(len(block.block.ommers))


def uncle(node: Node, which: Any, index: int) -> Any:
    block = found(node, which)
    if block is None or index >= len(block.block.ommers):
        return None
    return {**header_json(block.block.ommers[index]), "uncles": []}


def transaction_at(node: Node, which: Any, index: int) -> Any:
    block = found(node, which)
    if block is None or index >= len(block.block.transactions):
        return None
    return transaction_json(block.block.transactions[index], block.header, block.hash, index)


def raw_at(node: Node, which: Any, index: int) -> str | None:
    block = found(node, which)
    if block is None or index >= len(block.block.transactions):
        return None
    return to_hex(block.block.transactions[index].raw)


def waiting(node: Node, transaction_hash: bytes) -> Any:
    """A transaction that waits for those before it; None."""
    for transactions in node.pool.values():
        for transaction in transactions.values():
            if transaction.hash == transaction_hash:
                return transaction
    return None


def transaction_by_hash(node: Node, transaction_hash: bytes) -> Any:
    try:
        block, index, transaction, _ = node.chain.transaction(transaction_hash)
    except TransactionNotFound:
        one = waiting(node, transaction_hash)
        return None if one is None else transaction_json(one)
    return (
        transaction_json(transaction)
        if block is None
        else transaction_json(transaction, block.header, block.hash, index)
    )


def raw_by_hash(node: Node, transaction_hash: bytes) -> str | None:
    try:
        return to_hex(node.chain.transaction(transaction_hash)[2].raw)
    except TransactionNotFound:
        one = waiting(node, transaction_hash)
        return None if one is None else to_hex(one.raw)


def receipt_by_hash(node: Node, transaction_hash: bytes) -> Any:
    try:
        block, index, transaction, receipt = node.chain.transaction(transaction_hash)
    except TransactionNotFound:
        return None
    if block is None:
        return None
    log_index = sum(len(one.logs) for one in block.receipts[:index])
    return receipt_json(receipt, transaction, block.header, block.hash, index, log_index)


def receipts(node: Node, which: Any) -> Any:
    block = found(node, which)
    return None if block is None else block_receipts(block)


def by_hash_only(node: Node, which: bytes) -> DevBlock:
    block = found(node, which)
    if block is None:
        raise RpcError(SERVER_ERROR, "block not found")
    return block


FULL = optional("fullTransactions", decode.boolean, False)
ROWS = rows(
    ("eth_blockNumber", lambda node: hex(node.chain.head.number)),
    ("eth_getBlockByNumber", get_block, NUMBER, FULL),
    ("eth_getBlockByHash", get_block, HASH, FULL),
    (("eth_getHeaderByNumber", "erigon_getHeaderByNumber"), get_header, NUMBER),
    ("eth_getHeaderByHash", get_header, HASH),
    ("eth_getBlockTransactionCountByNumber", transaction_count, NUMBER),
    ("eth_getBlockTransactionCountByHash", transaction_count, HASH),
    ("eth_getUncleCountByBlockNumber", uncle_count, NUMBER),
    ("eth_getUncleCountByBlockHash", uncle_count, HASH),
    ("eth_getUncleByBlockNumberAndIndex", uncle, NUMBER, INDEX),
    ("eth_getUncleByBlockHashAndIndex", uncle, HASH, INDEX),
    ("eth_getTransactionByBlockNumberAndIndex", transaction_at, NUMBER, INDEX),
    ("eth_getTransactionByBlockHashAndIndex", transaction_at, HASH, INDEX),
    ("eth_getRawTransactionByBlockNumberAndIndex", raw_at, NUMBER, INDEX),
    ("eth_getRawTransactionByBlockHashAndIndex", raw_at, HASH, INDEX),
    ("eth_getTransactionByHash", transaction_by_hash, TRANSACTION),
    ("eth_getRawTransactionByHash", raw_by_hash, TRANSACTION),
    ("eth_getTransactionReceipt", receipt_by_hash, TRANSACTION),
    ("eth_getBlockReceipts", receipts, BLOCK),
)
