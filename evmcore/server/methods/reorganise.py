"""anvil_reorg and its like: blocks that are taken back, other chains, other chain ids."""

from __future__ import annotations

from typing import Any

from ..._core import Transaction
from ...whatif import Call
from .. import decode, objects
from ..errors import INVALID_PARAMS, SERVER_ERROR, RpcError
from ..forking import fork_of
from ..node import Node
from .table import Later, Steps, finish, optional, required, rows
from .wallet import decoded, prepared

_TRANSACTIONS_MOST = 10_000
# Nobody else has a turn meanwhile.
_DEPTH_MOST = 1000


def _back(node: Node, depth: int) -> int:
    """The number of the block that many before the last."""
    made = node.chain.head.number - node.chain.first
    if depth > made:
        raise RpcError(SERVER_ERROR, f"{depth} blocks back, the chain has {made}")
    return node.chain.head.number - depth


def rollback(node: Node, depth: int) -> None:
    node.rewind(_back(node, depth))


def _content(value: Any) -> bytes | Call:
    return decode.data(value) if isinstance(value, str) else objects.call(value)


def _pair(value: Any) -> tuple[bytes | Call, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise decode.Unfit("expected a transaction and the place of its block")
    return _content(value[0]), decode.lenient(value[1])


def _options(value: Any) -> Any:
    """The depth, or an object with all options."""
    if not isinstance(value, dict):
        return decode.lenient(value)
    return decode.object_of({"depth": ("depth", decode.lenient), "txBlockPairs": ("pairs", _pairs)}, ("depth",))(value)


_pairs = decode.list_of(_pair, _TRANSACTIONS_MOST)


def reorg(node: Node, given: Any, pairs: list[tuple[bytes | Call, int]]) -> None:
    """Others in the place of the last `depth` blocks, with these transactions, each in the block that many after the common one."""
    if isinstance(given, dict):
        given, pairs = given["depth"], [*given.get("pairs", ()), *pairs]
    depth: int = given
    if depth > _DEPTH_MOST:
        raise RpcError(SERVER_ERROR, f"{depth} blocks back, may be {_DEPTH_MOST}")
    common = _back(node, depth)
    late = next((place for _, place in pairs if place >= depth), None)
    if late is not None:
        raise RpcError(SERVER_ERROR, f"a transaction for block {late} of {depth} that there will be")
    by_place: dict[int, list[bytes | Call]] = {}
    for content, place in pairs:
        by_place.setdefault(place, []).append(content)
    before = node.chain.block(common)
    taken = node.rewind(common)
    try:
        for place in range(depth):
            for content in by_place.get(place, ()):
                transaction, checks = _transaction(node, content)
                node.chain.send(transaction, checks=checks)
            node.mine()
    except BaseException:
        node.rewind(before.number)
        node.chain.restore(taken)
        raise


def _transaction(node: Node, content: bytes | Call) -> tuple[Transaction, Any]:
    if isinstance(content, bytes):
        return finish(decoded(node, content)), None
    made: tuple[Transaction, Any] = finish(prepared(node, content))
    return made


def set_chain_id(node: Node, chain_id: int) -> None:
    if chain_id == 0:
        raise RpcError(INVALID_PARAMS, "0 is no chain id")
    pending = node.chain.pending.transactions
    node.chain.set_chain_id(chain_id)
    node.rebuild(pending)


def _fork_block(value: Any) -> int | str:
    """A block of another node: a number, or a name."""
    found: int | str = value if value in ("latest", "safe", "finalized", "earliest") else decode.lenient(value)
    return found


_forking = decode.object_of({"jsonRpcUrl": ("url", decode.text), "blockNumber": ("block", _fork_block)})


def _reset(value: Any) -> dict[str, Any] | None:
    """{"forking": {…}}, as hardhat has it, or what is in it alone; None: nothing of a fork."""
    if not isinstance(value, dict):
        raise decode.Unfit("expected an object")
    given = value.get("forking") if "forking" in value else value
    return _forking(given) if given else None


def reset(node: Node, forking: dict[str, Any] | None) -> Steps:
    """Back to the first block, or on to a fork of another block, or of another node."""
    if forking is None:
        node.rewind(node.chain.first)
        return True
    url: Any = forking.get("url")
    which = forking.get("block", "latest")
    before = node.fork
    if url is None and before is None:
        raise RpcError(SERVER_ERROR, "reset: name the node, jsonRpcUrl: this one is no fork of any")

    def begin() -> tuple[Any, Any]:
        made = fork_of(url, which, node.accounts.values()) if before is None else before.again(url, which)
        return made.chain(), made

    chain, made = yield Later(begin)
    node.replace(chain, made)
    return True


DEPTH = optional("depth", decode.lenient, 1)
ROWS = rows(
    ("anvil_rollback", rollback, DEPTH),
    ("anvil_reorg", reorg, required("depth", _options), optional("txBlockPairs", _pairs, [])),
    (("anvil_reset", "hardhat_reset"), reset, optional("forking", _reset)),
    ("anvil_setChainId", set_chain_id, required("chainId", decode.lenient)),
)
