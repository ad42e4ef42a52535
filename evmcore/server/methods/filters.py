"""eth_: logs, and filters that are asked again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...dev import BlockNotFound, DevBlock
from ...hexadecimal import to_hex
from .. import decode, objects
from ..encode import log_json
from ..errors import INVALID_PARAMS, LIMIT_EXCEEDED, SERVER_ERROR, RpcError
from ..node import Node
from .table import Later, required, rows


def _number(node: Node, which: Any) -> int:
    if which == "pending":
        raise RpcError(SERVER_ERROR, "pending logs are not supported")
    if which == "earliest" and node.fork is not None:
        return 0
    return which if isinstance(which, int) else node.chain.block(which).number


def bounds(node: Node, wanted: dict[str, Any]) -> tuple[int, int]:
    """The numbers of the first and the last block that are looked at."""
    if "hash" in wanted:
        try:
            number = node.chain.block(wanted["hash"]).number
        except BlockNotFound:
            raise RpcError(SERVER_ERROR, "unknown block") from None
        return number, number
    first, last = _number(node, wanted.get("first", "latest")), _number(node, wanted.get("last", "latest"))
    if first > last:
        raise RpcError(INVALID_PARAMS, "invalid block range params")
    if last > node.chain.head.number:
        raise RpcError(INVALID_PARAMS, "block range extends beyond current head block")
    if last - first >= node.limits.log_blocks:
        raise RpcError(LIMIT_EXCEEDED, f"a range of {last - first + 1} blocks, may have {node.limits.log_blocks}")
    return first, last


def logs_between(node: Node, wanted: dict[str, Any], first: int, last: int) -> list[dict[str, Any]]:
    """Logs that a filter lets through."""
    found = node.chain.logs(first, last, wanted.get("addresses", ()), wanted.get("topics", ()))
    return _listed(node, found)


def _listed(node: Node, found: Sequence[Any], *, removed: bool = False) -> list[dict[str, Any]]:
    if len(found) > node.limits.logs:
        raise RpcError(LIMIT_EXCEEDED, f"query returned more than {node.limits.logs} results")
    return [
        log_json(log, block.header, block.hash, block.block.transactions[index].hash, index, place, removed=removed)
        for block, index, place, log in found
    ]


def removed_logs(node: Node, wanted: dict[str, Any], blocks: Sequence[DevBlock]) -> list[dict[str, Any]]:
    """Those of blocks that were taken back, the last one's first."""
    found = node.chain.logs_in(blocks, wanted.get("addresses", ()), wanted.get("topics", ()))
    return _listed(node, found[::-1], removed=True)


def logs_of(node: Node, wanted: dict[str, Any], block: DevBlock) -> list[dict[str, Any]]:
    """Those of one block."""
    return logs_between(node, wanted, block.number, block.number)


def get_logs(node: Node, wanted: dict[str, Any]) -> Later:
    """Of a list of blocks that is the node's no more, so that others have their turn meanwhile."""
    fork = node.fork
    if fork is not None and "hash" in wanted and not node.chain.has_block(wanted["hash"]):
        return Later(lambda: fork.ask("eth_getLogs", ({"blockHash": to_hex(wanted["hash"]), **_shown(wanted)},)))
    first, last = bounds(node, wanted)
    if fork is None or first > fork.number:
        return Later(lambda: logs_between(node, wanted, first, last))
    older = min(last, fork.number)
    span = {"fromBlock": hex(first), "toBlock": hex(older)}

    def run() -> list[dict[str, Any]]:
        found = fork.ask("eth_getLogs", ({**span, **_shown(wanted)},))
        if not isinstance(found, list):
            raise fork.bad_answer("eth_getLogs")
        return found + logs_between(node, wanted, older + 1, last)

    return Later(run)


def _shown(wanted: dict[str, Any]) -> dict[str, Any]:
    """Addresses and topics, as another node is asked for them."""
    shown: dict[str, Any] = {}
    if wanted.get("addresses"):
        shown["address"] = [to_hex(address) for address in wanted["addresses"]]
    if wanted.get("topics"):
        shown["topics"] = [None if topic is None else [to_hex(one) for one in topic] for topic in wanted["topics"]]
    return shown


def new_filter(node: Node, wanted: dict[str, Any]) -> str:
    return node.new_filter("logs", wanted)


def changes(node: Node, name: str) -> list[Any]:
    one = node.filter(name)
    head = node.chain.head.number
    if one.kind == "pending":
        found, one.hashes = one.hashes, []
        return [to_hex(hash_) for hash_ in found]
    seen, one.seen = one.seen, head + 1
    if one.kind == "block":
        return [to_hex(node.chain.block(number).hash) for number in range(seen, head + 1)]
    first, last = one.wanted.get("first"), one.wanted.get("last")
    if isinstance(first, int):
        seen = max(seen, first)
    gone, one.removed = one.removed, []
    told = removed_logs(node, one.wanted, gone)
    return told + logs_between(node, one.wanted, seen, min(head, last) if isinstance(last, int) else head)


def filter_logs(node: Node, name: str) -> Later:
    one = node.filter(name)
    if one.kind != "logs":
        raise RpcError(SERVER_ERROR, "filter not found")
    return get_logs(node, one.wanted)


def uninstall(node: Node, name: str) -> bool:
    return node.filters.pop(name, None) is not None


WANTED, NAME = required("filter", objects.filter_), required("id", decode.text)
ROWS = rows(
    ("eth_getLogs", get_logs, WANTED),
    ("eth_newFilter", new_filter, WANTED),
    ("eth_newBlockFilter", lambda node: node.new_filter("block")),
    ("eth_newPendingTransactionFilter", lambda node: node.new_filter("pending")),
    ("eth_getFilterChanges", changes, NAME),
    ("eth_getFilterLogs", filter_logs, NAME),
    ("eth_uninstallFilter", uninstall, NAME),
)
