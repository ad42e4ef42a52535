"""txpool_: what waits to be mined; and blocks that are built of it for tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..._core import PARAMETERS, Transaction
from ...block_builder import BlockBuilder
from ...dev.headers import header_after
from ...errors import InvalidTransaction
from ...hexadecimal import to_hex
from .. import decode, objects
from ..encode import checksummed, effective_price, transaction_json, withdrawal_json
from ..errors import SERVER_ERROR, RpcError
from ..node import Node
from .table import optional, required, rows


def _grouped(transactions: Iterable[Transaction], show: Any = transaction_json) -> dict[str, dict[str, Any]]:
    shown: dict[str, dict[str, Any]] = {}
    for one in transactions:
        shown.setdefault(checksummed(one.sender), {})[str(one.nonce)] = show(one)
    return shown


def _queued(node: Node) -> list[Transaction]:
    return [one for waiting in node.pool.values() for _, one in sorted(waiting.items())]


def content(node: Node) -> dict[str, Any]:
    return {"pending": _grouped(node.chain.pending.transactions), "queued": _grouped(_queued(node))}


def content_from(node: Node, address: bytes) -> dict[str, Any]:
    pending = [one for one in node.chain.pending.transactions if one.sender == address]
    queued = [one for one in _queued(node) if one.sender == address]
    return {kind: next(iter(_grouped(some).values()), {}) for kind, some in (("pending", pending), ("queued", queued))}


def _line(one: Transaction) -> str:
    to = "contract creation" if one.to is None else checksummed(one.to)
    return f"{to}: {one.value} wei + {one.gas_limit} gas × {one.max_fee_per_gas} wei"


def inspect(node: Node) -> dict[str, Any]:
    return {"pending": _grouped(node.chain.pending.transactions, _line), "queued": _grouped(_queued(node), _line)}


def status(node: Node) -> dict[str, str]:
    return {"pending": hex(len(node.chain.pending.transactions)), "queued": hex(len(_queued(node)))}


# What blocks are built towards: go-ethereum's default.
_GAS_TARGET = 60_000_000


def _gas_limit(parent: int) -> int:
    """The limit nearest to the target that a block on such a parent may have."""
    step = parent // PARAMETERS["gas_limit_bound_divisor"] - 1
    return min(parent + step, _GAS_TARGET) if parent < _GAS_TARGET else max(parent - step, _GAS_TARGET)


_ATTRIBUTES = decode.object_of(
    {
        "timestamp": ("timestamp", decode.quantity),
        "prevRandao": ("mix_hash", decode.hash32),
        "suggestedFeeRecipient": ("coinbase", decode.address),
        "withdrawals": ("withdrawals", objects.withdrawals),
        "parentBeaconBlockRoot": ("parent_beacon_block_root", decode.hash32),
        "slotNumber": ("slot_number", decode.quantity),
    },
    ("timestamp", "prevRandao", "suggestedFeeRecipient"),
)


def build_block(node: Node, parent_hash: bytes, attributes: dict[str, Any], given: Any, extra: bytes | None) -> Any:
    """testing_buildBlockV1: a block on any other, of these transactions or (null) of those that wait. Nothing is kept."""
    chain = node.chain
    parent = chain.block(parent_hash)
    fields = dict(attributes)
    withdrawals = fields.pop("withdrawals", None)
    timestamp = fields["timestamp"]
    if timestamp <= parent.header.timestamp:
        raise RpcError(SERVER_ERROR, f"invalid timestamp: {timestamp}, that of the parent is {parent.header.timestamp}")
    number = parent.number + 1
    forks = chain.place(number, timestamp, chain.total_difficulty_of(parent.number))
    header = header_after(parent.header, parent.hash, timestamp, forks, chain.recent_hashes(number))
    for name in ("parent_beacon_block_root", "slot_number"):
        if getattr(header, name) is None:
            fields.pop(name, None)
    header = replace(header, **fields, extra_data=extra or b"", gas_limit=_gas_limit(header.gas_limit))
    builder = BlockBuilder(header, parent.state)
    if given is None:
        for transaction in chain.pending.transactions:
            try:
                builder.add(transaction)
            except InvalidTransaction:
                continue
    else:
        for raw in given:
            builder.add(Transaction.decode(raw))
    block, result = builder.close(withdrawals=withdrawals)
    tips = sum(
        (effective_price(one, block.header) - (block.header.base_fee_per_gas or 0)) * receipt.gas_used
        for one, receipt in zip(block.transactions, result.receipts)
    )
    return {
        "executionPayload": _payload(block),
        "blockValue": hex(tips),
        "blobsBundle": {"commitments": [], "proofs": [], "blobs": []},
        "executionRequests": [to_hex(one) for one in result.requests or () if len(one) > 1],
        "shouldOverrideBuilder": False,
    }


def _payload(block: Any) -> dict[str, Any]:
    header = block.header
    shown = {
        "parentHash": to_hex(header.parent_hash),
        "feeRecipient": to_hex(header.coinbase),
        "stateRoot": to_hex(header.state_root),
        "receiptsRoot": to_hex(header.receipts_root),
        "logsBloom": to_hex(header.logs_bloom),
        "prevRandao": to_hex(header.mix_hash),
        "blockNumber": hex(header.number),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "timestamp": hex(header.timestamp),
        "extraData": to_hex(header.extra_data),
        "baseFeePerGas": hex(header.base_fee_per_gas or 0),
        "blockHash": to_hex(block.hash),
        "transactions": [to_hex(one.raw) for one in block.transactions],
        "withdrawals": [withdrawal_json(one) for one in block.withdrawals or ()],
    }
    if header.blob_gas_used is not None:
        shown["blobGasUsed"], shown["excessBlobGas"] = hex(header.blob_gas_used), hex(header.excess_blob_gas)
    if block.access_list is not None:
        shown["blockAccessList"] = to_hex(block.access_list.encode())
        shown["slotNumber"] = hex(header.slot_number)
    return shown


ROWS = rows(
    ("txpool_content", content),
    ("txpool_contentFrom", content_from, required("address", decode.address)),
    ("txpool_inspect", inspect),
    ("txpool_status", status),
    (
        "testing_buildBlockV1",
        build_block,
        required("parentBlockHash", decode.hash32),
        required("payloadAttributes", _ATTRIBUTES),
        optional("transactions", decode.list_of(decode.data)),
        optional("extraData", decode.data),
    ),
)
