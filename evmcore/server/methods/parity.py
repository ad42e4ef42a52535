"""trace_: transactions and calls as Parity replays them, each with the answers that are asked for."""

from __future__ import annotations

from typing import Any

from ..._core import State, Transaction
from ...dev import DevBlock
from ...header import Header
from ...hexadecimal import to_hex
from ...traces.parity import ANSWERS, replay
from ...whatif import Call
from ...whatif.call import SIMULATED
from .. import decode, objects
from ..errors import SERVER_ERROR, RpcError
from ..node import Node
from .blocks import BLOCK, TRANSACTION
from .calls import check_chain, place
from .debug import LET_IN, advanced, begun
from .table import Later, Steps, optional, required, rows
from .wallet import decoded

_CALLS_MOST = 1000


class _Replays:
    """Replays that share a node's bound on steps."""

    def __init__(self, node: Node) -> None:
        self.left, self.limit_bytes = node.limits.trace_steps, node.limits.trace_bytes

    def one(
        self, transaction: Transaction, state: State, header: Header, wanted: frozenset[str], checks: Any
    ) -> dict[str, Any]:
        answer, _, steps = replay(
            transaction,
            state,
            header,
            wanted,
            checks=checks,
            limit_bytes=self.limit_bytes,
            limit_steps=max(self.left, 1),
        )
        self.left -= steps
        return answer


def kinds(value: Any) -> frozenset[str]:
    """What is asked for."""
    found = decode.list_of(decode.text, 100)(value)
    for one in found:
        if one not in ANSWERS:
            raise decode.Unfit(f"unknown trace type {one[:80]!r}, expected one of {', '.join(ANSWERS)}")
    return frozenset(found)


def _call_and_kinds(value: Any) -> tuple[Call, frozenset[str]]:
    if not isinstance(value, list) or len(value) != 2:
        raise decode.Unfit("expected a call and a list of trace types")
    return objects.call(value[0]), kinds(value[1])


def _of_call(node: Node, call: Call, state: State, header: Header, wanted: frozenset[str], replays: _Replays) -> Any:
    transaction, surroundings = call.placed(state, header, node.limits.gas)
    return replays.one(transaction, state, surroundings, wanted, {**SIMULATED, "base_fee": call.names_fees})


def trace_call(node: Node, call: Call, wanted: frozenset[str], which: Any, accounts: Any, block: Any) -> Later:
    check_chain(node, call)
    state, header = place(node, which, accounts, block)
    return Later(lambda: _of_call(node, call, state, header, wanted, _Replays(node)))


def trace_calls(node: Node, calls: list[tuple[Call, frozenset[str]]], which: Any) -> Later:
    """Each sees what those before it have left."""
    for call, _ in calls:
        check_chain(node, call)
    state, header = place(node, which)
    replays = _Replays(node)
    return Later(lambda: [_of_call(node, call, state, header, wanted, replays) for call, wanted in calls])


def trace_raw(node: Node, raw: bytes, wanted: frozenset[str]) -> Steps:
    """A transaction that isn't sent, as it would come to be in the pending block."""
    transaction = yield from decoded(node, raw)
    state, header = node.chain.state_at("pending"), node.chain.pending.header
    answer = yield Later(lambda: _Replays(node).one(transaction, state, header, wanted, None))
    return answer


def _mined(node: Node, transaction_hash: bytes) -> tuple[DevBlock, int, Transaction]:
    block, index, transaction, _ = node.chain.transaction(transaction_hash)
    if block is None:
        raise RpcError(SERVER_ERROR, "transaction is pending")
    return block, index, transaction


def replay_transaction(node: Node, transaction_hash: bytes, wanted: frozenset[str]) -> Later:
    block, index, transaction = _mined(node, transaction_hash)
    builder = begun(node, block)

    def run() -> dict[str, Any]:
        return _Replays(node).one(transaction, advanced(builder, block, index), block.header, wanted, LET_IN)

    return Later(run)


def replay_block(node: Node, which: Any, wanted: frozenset[str]) -> Later:
    block = node.chain.block(which)
    if block.number == node.chain.first:
        return Later(list)
    builder = begun(node, block)

    def run() -> list[dict[str, Any]]:
        replays, shown = _Replays(node), []
        for one in block.block.transactions:
            made = replays.one(one, builder.state.copy(), block.header, wanted, LET_IN)
            shown.append({**made, "transactionHash": to_hex(one.hash)})
            builder.add(one, checks=LET_IN)
        return shown

    return Later(run)


def flat(node: Node, block: DevBlock, index: int, state: State) -> list[dict[str, Any]]:
    """The calls of a block's transaction, with their places. state: before it."""
    transaction = block.block.transactions[index]
    made = _Replays(node).one(transaction, state.copy(), block.header, frozenset({"trace"}), LET_IN)
    at = {
        "blockHash": to_hex(block.hash), "blockNumber": block.number,
        "transactionHash": to_hex(transaction.hash), "transactionPosition": index,
    }  # fmt: skip
    return [{**one, **at} for one in made["trace"]]


def flat_traces(node: Node, transaction_hash: bytes) -> Later:
    block, index, _ = _mined(node, transaction_hash)
    builder = begun(node, block)
    return Later(lambda: flat(node, block, index, advanced(builder, block, index)))


def flat_trace(node: Node, transaction_hash: bytes, path: list[int]) -> Later:
    """The call at such a trace address; null where there is none."""
    traces = flat_traces(node, transaction_hash)
    return Later(lambda: next((one for one in traces.run() if one["traceAddress"] == path), None))


CALL, KINDS = required("transaction", objects.call), required("traceTypes", kinds)
AT = optional("block", decode.block, "latest")
ROWS = rows(
    ("trace_call", trace_call, CALL, KINDS, AT, optional("stateOverrides", objects.account_overrides), optional("blockOverrides", objects.block_override)),
    ("trace_callMany", trace_calls, required("calls", decode.list_of(_call_and_kinds, _CALLS_MOST)), AT),
    ("trace_rawTransaction", trace_raw, required("transaction", decode.data), KINDS),
    ("trace_replayTransaction", replay_transaction, TRANSACTION, KINDS),
    ("trace_replayBlockTransactions", replay_block, BLOCK, KINDS),
    ("trace_transaction", flat_traces, TRANSACTION),
    ("trace_get", flat_trace, TRANSACTION, required("path", decode.list_of(decode.lenient, 1025))),
)  # fmt: skip
