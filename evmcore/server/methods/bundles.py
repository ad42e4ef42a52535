"""eth_callMany and debug_traceCallMany: calls of which each sees what those before it have left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..._core import State
from ...header import Header
from ...whatif import BlockOverride, Call, apply_overrides, execute_call
from ...whatif.call import SIMULATED
from .. import decode, objects
from ..errors import INVALID_PARAMS, SERVER_ERROR, RpcError, of_exception
from ..node import Node
from .calls import check_chain, output_of
from .debug import advanced, begun, traced
from .table import Later, optional, required, rows

_CALLS_MOST = 10_000
# Between the blocks that bundles are in.
_BLOCK_SECONDS = 12


def _index(value: Any) -> int:
    """A transaction's place, or -1: after all of them."""
    return -1 if value == -1 or value == "-0x1" else int(decode.lenient(value))


_context = decode.object_of({"blockNumber": ("block", decode.block), "transactionIndex": ("index", _index)})
_bundle = decode.object_of(
    {
        "transactions": ("calls", decode.list_of(objects.call, _CALLS_MOST)),
        "blockOverride": ("block", objects.block_override),
    },
    ("transactions",),
)
_bundles = decode.list_of(_bundle, 1000)


def _begin(
    node: Node, bundles: list[dict[str, Any]], context: dict[str, Any], accounts: Any
) -> Callable[[], tuple[State, Header]]:
    """What makes the (state, header) that they begin with, the state being theirs, on any thread."""
    calls: list[Call] = [call for bundle in bundles for call in bundle["calls"]]
    if not calls:
        raise RpcError(INVALID_PARAMS, "empty bundles")
    if len(calls) > _CALLS_MOST:
        raise RpcError(INVALID_PARAMS, f"{len(calls)} calls, may be {_CALLS_MOST}")
    for call in calls:
        check_chain(node, call)
    which, index = context.get("block", "latest"), context.get("index", -1)
    if index < 0:
        header = node.chain.pending.header if which == "pending" else node.chain.block(which).header
        state, block, builder = node.chain.state_at(which), None, None
    else:
        block = node.chain.block(which)
        header, builder = block.header, begun(node, block)

    def begin() -> tuple[State, Header]:
        own = state if builder is None or block is None else advanced(builder, block, index)
        return own, apply_overrides(own, header, accounts) if accounts else header

    return begin


def _headers(bundles: list[dict[str, Any]], header: Header) -> list[Header]:
    """A bundle's header: the second's is of a block later, and so on."""
    found = []
    for at, bundle in enumerate(bundles):
        own: BlockOverride = bundle.get("block") or BlockOverride()
        moved = replace(header, number=header.number + at, timestamp=header.timestamp + at * _BLOCK_SECONDS)
        found.append(own.apply(moved))
    return found


def call_many(node: Node, bundles: list[dict[str, Any]], context: dict[str, Any], accounts: Any, timeout: Any) -> Later:
    begin = _begin(node, bundles, context, accounts)

    def one(call: Call, state: State, at: Header) -> dict[str, Any]:
        try:
            return {"value": output_of(call, state, execute_call(call, state, at, gas=node.limits.gas))}
        except Exception as error:
            return {"error": of_exception(error).message}

    def run() -> list[list[dict[str, Any]]]:
        state, header = begin()
        headers = _headers(bundles, header)
        return [[one(call, state, at) for call in bundle["calls"]] for bundle, at in zip(bundles, headers)]

    return Later(run, is_call=True)


def trace_many(node: Node, bundles: list[dict[str, Any]], context: dict[str, Any], config: dict[str, Any]) -> Later:
    if config.get("block") is not None:
        raise RpcError(SERVER_ERROR, "blockOverrides: those of a bundle are its own member, blockOverride")
    begin = _begin(node, bundles, context, config.get("accounts"))

    def run() -> list[list[Any]]:
        state, header = begin()
        made = []
        for bundle, at in zip(bundles, _headers(bundles, header)):
            answers = []
            for index, call in enumerate(bundle["calls"]):
                transaction, surroundings = call.placed(state, at, node.limits.gas)
                checks = {**SIMULATED, "base_fee": call.names_fees}
                answers.append(traced(node, transaction, state, surroundings, config, index, checks))
            made.append(answers)
        return made

    return Later(run)


BUNDLES, CONTEXT = required("bundles", _bundles), optional("simulateContext", _context, {})
ROWS = rows(
    ("eth_callMany", call_many, BUNDLES, CONTEXT, optional("stateOverrides", objects.account_overrides), optional("timeout", decode.lenient)),
    ("debug_traceCallMany", trace_many, BUNDLES, CONTEXT, optional("config", objects.trace_config, {})),
)  # fmt: skip
