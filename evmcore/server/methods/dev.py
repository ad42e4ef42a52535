"""evm_, anvil_, hardhat_: what tests do to a chain that nobody does to a real one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ... import __version__
from ..._core import State
from ...hexadecimal import to_hex
from .. import decode
from ..errors import SERVER_ERROR, RpcError
from ..forking import fork_of
from ..node import Node
from .table import Later, Steps, optional, required, rows

# That many blocks are made without a turn for others.
_TURN_SECONDS = 0.005


def change(edit: Callable[..., None]) -> Callable[..., Any]:
    """A handler that changes the state after the last block."""

    def handler(node: Node, *given: Any) -> bool:
        node.change(lambda state: edit(state, *given))
        return True

    return handler


def set_balance(state: State, address: bytes, value: int) -> None:
    state.set_balance(address, value)


def add_balance(state: State, address: bytes, value: int) -> None:
    balance = state.get_balance(address) + value
    if balance >= 1 << 256:
        raise RpcError(SERVER_ERROR, "the balance would have more than 256 bits")
    state.set_balance(address, balance)


def set_code(state: State, address: bytes, code: bytes) -> None:
    state.set_code(address, code)


def set_nonce(state: State, address: bytes, nonce: int) -> None:
    state.set_nonce(address, nonce)


def set_storage(state: State, address: bytes, slot: int, value: int) -> None:
    state.set_storage(address, slot, value)


def mine(node: Node, count: int, interval: int | None) -> Steps:
    yield from _mined(node, count, interval)


def _mined(node: Node, count: int, interval: int | None = None, timestamp: int | None = None) -> Steps:
    """Blocks, with turns for others in between."""
    if count > node.limits.mined_blocks:
        raise RpcError(SERVER_ERROR, f"{count} blocks at once, may be {node.limits.mined_blocks}")
    turn_ends = time.monotonic() + _TURN_SECONDS
    for _ in node.mining_steps(count, interval, timestamp):
        if time.monotonic() > turn_ends:
            yield None
            turn_ends = time.monotonic() + _TURN_SECONDS


def _mining(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return dict(
            decode.object_of({"timestamp": ("timestamp", decode.lenient), "blocks": ("count", decode.lenient)})(value)
        )
    return {"timestamp": decode.lenient(value)}


def evm_mine(node: Node, given: dict[str, Any]) -> Steps:
    yield from _mined(node, given.get("count", 1), timestamp=given.get("timestamp"))
    return "0x0"


def increase_time(node: Node, seconds: int) -> int:
    node.time_offset += seconds
    return node.time_offset


def set_time(node: Node, when: int) -> int:
    moment = when // 1000 if when > 10**11 else when  # ganache takes milliseconds
    node.time_offset = moment - int(time.time())
    return node.time_offset


def next_timestamp(node: Node, when: int) -> str:
    node.set_next(timestamp=when)
    return hex(when)


def field(name: str) -> Callable[..., Any]:
    """A handler that sets a field of the next block's header."""

    def handler(node: Node, value: Any) -> bool:
        node.set_next(**{name: value})
        return True

    return handler


def set_coinbase(node: Node, address: bytes) -> bool:
    node.coinbase = address
    node.set_next(coinbase=address)
    return True


def set_automine(node: Node, is_on: bool) -> bool:
    node.mining = "auto" if is_on else "none"
    return True


def set_interval(unit_seconds: float) -> Callable[..., Any]:
    """A handler that has a block made every so many units; 0: none by the clock."""

    def handler(node: Node, count: int) -> bool:
        node.mining = count * unit_seconds if count else "none"
        node.tell("mining", node.mining)
        return True

    return handler


def impersonate(node: Node, address: bytes) -> bool:
    node.impersonated.add(address)
    return True


def stop_impersonating(node: Node, address: bytes) -> bool:
    node.impersonated.discard(address)
    return True


def impersonate_all(node: Node, is_on: bool) -> bool:
    node.impersonates_all = is_on
    return True


def revert(node: Node, snapshot: int) -> bool:
    return node.revert(snapshot)


def rollback(node: Node, depth: int) -> None:
    made = node.chain.head.number - node.chain.first
    if depth > made:
        raise RpcError(SERVER_ERROR, f"{depth} blocks back, the chain has {made}")
    node.rewind(node.chain.head.number - depth)


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


def drop(node: Node, transaction_hash: bytes) -> str | None:
    return to_hex(transaction_hash) if node.drop(transaction_hash) else None


def drop_all(node: Node) -> None:
    node.drop(None)


def block_interval(node: Node, seconds: int) -> None:
    node.block_interval = seconds


def no_block_interval(node: Node) -> bool:
    was, node.block_interval = node.block_interval, None
    return was is not None


def dump(node: Node) -> str:
    return to_hex(node.chain.head.state.to_bytes())


def load(node: Node, dumped: bytes) -> bool:
    loaded = State.from_bytes(dumped)

    def edit(state: State) -> None:
        for address, account in loaded.items():
            state.set_account(address, account)

    node.change(edit)
    return True


def info(node: Node) -> dict[str, Any]:
    header = node.chain.pending.header
    return {
        "currentBlockNumber": node.chain.head.number,
        "currentBlockTimestamp": node.chain.head.header.timestamp,
        "currentBlockHash": to_hex(node.chain.head.hash),
        "hardFork": header.fork,
        "transactionOrder": "fifo",
        "environment": {
            "baseFee": hex(header.base_fee_per_gas or 0),
            "chainId": node.chain.chain_id,
            "gasLimit": header.gas_limit,
            "gasPrice": hex((header.base_fee_per_gas or 0) + 10**9),
        },
        "forkConfig": {
            "forkUrl": None if node.fork is None else node.fork.url,
            "forkBlockNumber": None if node.fork is None else node.fork.number,
            "forkRetryBackoff": None,
        },
    }


def metadata(node: Node) -> dict[str, Any]:
    head = node.chain.head
    return {
        "clientVersion": f"evmcore/v{__version__}",
        "chainId": node.chain.chain_id,
        "instanceId": to_hex(node.instance),
        "latestBlockNumber": head.number,
        "latestBlockHash": to_hex(head.hash),
        "snapshots": {},
        **_forked(node),
    }


def _forked(node: Node) -> dict[str, Any]:
    if node.fork is None:
        return {}
    source = node.fork.source
    shown = {"chainId": source.chain_id, "forkBlockNumber": source.number, "forkBlockHash": to_hex(source.hash)}
    return {"forkedNetwork": shown}


def nothing(node: Node, *given: Any) -> bool:
    return True


def names(*known: str) -> tuple[str, ...]:
    """In both namespaces."""
    return tuple(f"{space}_{name}" for name in known for space in ("anvil", "hardhat"))


ADDRESS, VALUE = required("address", decode.address), required("value", decode.lenient_word)
ON, COUNT = required("enabled", decode.boolean), required("count", decode.lenient)
ROWS = rows(
    ((*names("setBalance"), "anvil_deal"), change(set_balance), ADDRESS, VALUE),
    ("anvil_addBalance", change(add_balance), ADDRESS, VALUE),
    (names("setCode"), change(set_code), ADDRESS, required("code", decode.data)),
    (names("setNonce"), change(set_nonce), ADDRESS, required("nonce", decode.lenient)),
    (
        names("setStorageAt"), change(set_storage),
        ADDRESS, required("slot", decode.storage_key), required("value", decode.storage_key),
    ),
    (names("mine"), mine, optional("blocks", decode.lenient, 1), optional("interval", decode.lenient)),
    ("evm_mine", evm_mine, optional("options", _mining, {})),
    (("evm_increaseTime", "anvil_increaseTime"), increase_time, required("seconds", decode.lenient)),
    (("evm_setTime", "anvil_setTime"), set_time, required("time", decode.lenient)),
    (("evm_setNextBlockTimestamp", "anvil_setNextBlockTimestamp"), next_timestamp, required("timestamp", decode.lenient)),
    (names("setNextBlockBaseFeePerGas"), field("base_fee_per_gas"), VALUE),
    (("hardhat_setPrevRandao", "anvil_setPrevRandao"), field("mix_hash"), required("value", decode.hash32)),
    (("evm_setBlockGasLimit", "anvil_setBlockGasLimit"), field("gas_limit"), required("gasLimit", decode.lenient)),
    (names("setCoinbase"), set_coinbase, ADDRESS),
    (("evm_setAutomine", "anvil_setAutomine"), set_automine, ON),
    (("anvil_getAutomine", "hardhat_getAutomine"), lambda node: node.mining == "auto"),
    ("evm_setIntervalMining", set_interval(0.001), COUNT),
    ("anvil_setIntervalMining", set_interval(1), COUNT),
    ("anvil_getIntervalMining", lambda node: node.mining if isinstance(node.mining, (int, float)) else None),
    (names("impersonateAccount"), impersonate, ADDRESS),
    (names("stopImpersonatingAccount"), stop_impersonating, ADDRESS),
    ("anvil_autoImpersonateAccount", impersonate_all, ON),
    (("evm_snapshot", "anvil_snapshot"), lambda node: hex(node.snapshot())),
    (("evm_revert", "anvil_revert"), revert, required("snapshot", decode.lenient)),
    ("anvil_rollback", rollback, optional("depth", decode.lenient, 1)),
    (names("reset"), reset, optional("forking", _reset)),
    (names("dropTransaction"), drop, required("transactionHash", decode.hash32)),
    ("anvil_dropAllTransactions", drop_all),
    ("anvil_setBlockTimestampInterval", block_interval, required("seconds", decode.lenient)),
    ("anvil_removeBlockTimestampInterval", no_block_interval),
    ("anvil_dumpState", dump),
    ("anvil_loadState", load, required("state", decode.data)),
    ("anvil_nodeInfo", info),
    (names("metadata"), metadata),
    (names("setLoggingEnabled"), nothing, optional("enabled")),
    (names("setMinGasPrice"), nothing, optional("price")),
)  # fmt: skip
