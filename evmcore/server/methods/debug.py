"""debug_: what a chain is made of, in its encodings, and traces of what was executed."""

from __future__ import annotations

from typing import Any

from ..._core import State, Transaction
from ...block_builder import BlockBuilder
from ...dev import DevBlock, tracing
from ...header import Header
from ...hexadecimal import to_hex
from ...traces import trace_transaction
from ...whatif import Call
from ...whatif.call import SIMULATED
from .. import decode, objects
from ..errors import SERVER_ERROR, RpcError
from ..node import Node
from .blocks import BLOCK, HASH, NUMBER, TRANSACTION, raw_by_hash
from .calls import check_chain, place
from .table import Later, optional, required, rows

LET_IN = tracing.LET_IN


def raw_header(node: Node, which: Any) -> str:
    return to_hex(node.chain.block(which).header.encode())


def raw_block(node: Node, which: Any) -> str:
    return to_hex(node.chain.block(which).block.encode())


def raw_receipts(node: Node, which: Any) -> list[str]:
    return [to_hex(receipt.encode()) for receipt in node.chain.block(which).receipts]


def traced(
    node: Node, transaction: Transaction, state: State, header: Header, config: dict[str, Any], index: int, checks: Any
) -> Any:
    """What a tracer says of a transaction, which changes the state. index: its place in the block."""
    own = dict(config.get("config") or {})
    if not config.get("tracer"):
        own["limit"] = min(own.get("limit") or node.limits.trace_steps, node.limits.trace_steps)
    return trace_transaction(
        transaction,
        state,
        header,
        tracer=config.get("tracer"),
        config=own,
        index=index,
        checks=checks,
        limit_bytes=node.limits.trace_bytes,
    )[0]


def begun(node: Node, block: DevBlock) -> BlockBuilder:
    """A block in the making that is a mined one, before its transactions."""
    if block.number == node.chain.first:
        raise RpcError(SERVER_ERROR, "genesis is not traceable")
    return tracing.begun(node.chain, block)


def advanced(builder: BlockBuilder, block: DevBlock, index: int) -> State:
    """The state before a transaction of it."""
    return tracing.advanced(builder, block.block.transactions[:index])


def trace_by_hash(node: Node, transaction_hash: bytes, config: dict[str, Any]) -> Later:
    block, index, transaction, _ = node.chain.transaction(transaction_hash)
    if block is None:
        raise RpcError(SERVER_ERROR, "transaction is pending")
    builder = begun(node, block)

    def run() -> Any:
        state = advanced(builder, block, index)
        return traced(node, transaction, state, block.header, config, index, LET_IN)

    return Later(run)


def trace_block(node: Node, which: Any, config: dict[str, Any]) -> Later:
    return trace_all(node, node.chain.block(which), config)


def trace_all(node: Node, block: DevBlock, config: dict[str, Any]) -> Later:
    """All transactions of a block whose parent the chain has."""
    builder = begun(node, block)

    def run() -> list[dict[str, Any]]:
        shown = []
        for index, one in enumerate(block.block.transactions):
            result = traced(node, one, builder.state.copy(), block.header, config, index, LET_IN)
            shown.append({"txHash": to_hex(one.hash), "result": result})
            builder.add(one, checks=LET_IN)
        return shown

    return Later(run)


def trace_call(node: Node, call: Call, which: Any, config: dict[str, Any]) -> Later:
    check_chain(node, call)
    state, header = place(node, which, config.get("accounts"), config.get("block"))

    def run() -> Any:
        transaction, surroundings = call.placed(state, header, node.limits.gas)
        return traced(node, transaction, state, surroundings, config, 0, {**SIMULATED, "base_fee": call.names_fees})

    return Later(run)


def set_head(node: Node, which: int) -> None:
    if which > node.chain.head.number:
        raise RpcError(SERVER_ERROR, "header not found")
    node.rewind(which)


CONFIG = optional("config", objects.trace_config, {})
ROWS = rows(
    ("debug_getRawHeader", raw_header, BLOCK),
    ("debug_getRawBlock", raw_block, BLOCK),
    ("debug_getRawReceipts", raw_receipts, BLOCK),
    ("debug_getRawTransaction", raw_by_hash, TRANSACTION),
    ("debug_traceTransaction", trace_by_hash, TRANSACTION, CONFIG),
    ("debug_traceBlockByNumber", trace_block, NUMBER, CONFIG),
    ("debug_traceBlockByHash", trace_block, HASH, CONFIG),
    ("debug_traceCall", trace_call, required("transaction", objects.call), optional("block", decode.block, "latest"), CONFIG),
    ("debug_setHead", set_head, required("number", decode.lenient)),
)  # fmt: skip
