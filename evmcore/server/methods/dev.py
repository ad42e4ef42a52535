"""evm_, anvil_, hardhat_: what tests do to a chain that nobody does to a real one."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from typing import Any

import orjson

from ... import __version__
from ..._core import State
from ...hexadecimal import to_hex
from ...state_files import state_of, to_anvil
from ...whatif import Call, create_access_list, execute_call
from .. import decode
from ..encode import block_json
from ..errors import SERVER_ERROR, RpcError, revert_message
from ..node import Node
from .table import Later, Steps, optional, required, rows

# That many blocks are made without a turn for others.
_TURN_SECONDS = 0.005
# Blocks of a fork for which keys are fetched at a time.
_FETCHED_AHEAD = 250
# balanceOf(address), allowance(address,address) (ERC-20).
_BALANCE_OF, _ALLOWANCE = bytes.fromhex("70a08231"), bytes.fromhex("dd62ed3e")


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
    for at, _ in enumerate(node.mining_steps(count, interval, timestamp)):
        if node.fork is not None and at % _FETCHED_AHEAD == 0 and at + 1 < count:
            yield node.fork.fetched_ahead(node, min(_FETCHED_AHEAD, count - at), interval)
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


def mine_detailed(node: Node, given: dict[str, Any]) -> Steps:
    """The blocks, with what their transactions came to."""
    before = node.chain.head.number
    yield from _mined(node, given.get("count", 1), timestamp=given.get("timestamp"))
    shown = []
    for number in range(before + 1, node.chain.head.number + 1):
        block = node.chain.block(number)
        one = block_json(block.block, True)
        for transaction, receipt in zip(one["transactions"], block.receipts):
            transaction["output"] = to_hex(receipt.output)
            if receipt.outcome == "REVERT":
                transaction["revertReason"] = revert_message(receipt.output)
        shown.append(one)
    return shown


def _slot_of(node: Node, token: bytes, question: bytes, amount: int) -> Later:
    """The slot of a token's storage that says the answer to a question: the one with which it answers the amount."""
    state, header = node.chain.state_at("latest"), node.chain.head.header
    call = Call(to=token, data=question)

    def run() -> int:
        accesses, _ = create_access_list(call, state, header, gas=node.limits.gas)
        for slot in next((slots for address, slots in accesses if address == token), ()):
            tried = state.copy()
            tried.set_storage(token, slot, amount)
            receipt = execute_call(call, tried, header, gas=node.limits.gas)
            if receipt.is_success and receipt.output == amount.to_bytes(32, "big"):
                return int(slot)
        raise RpcError(SERVER_ERROR, "no slot of the token's own storage says it")

    return Later(run)


def _word(address: bytes) -> bytes:
    return address.rjust(32, b"\0")


def deal_token(node: Node, address: bytes, token: bytes, amount: int) -> Steps:
    """A balance of an ERC-20 token."""
    slot = yield _slot_of(node, token, _BALANCE_OF + _word(address), amount)
    node.change(lambda state: state.set_storage(token, slot, amount))


def set_allowance(node: Node, owner: bytes, spender: bytes, token: bytes, amount: int) -> Steps:
    """What an owner lets a spender have of an ERC-20 token."""
    slot = yield _slot_of(node, token, _ALLOWANCE + _word(owner) + _word(spender), amount)
    node.change(lambda state: state.set_storage(token, slot, amount))


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


def drop(node: Node, transaction_hash: bytes) -> str | None:
    return to_hex(transaction_hash) if node.drop(transaction_hash) else None


def drop_of(node: Node, sender: bytes) -> None:
    """Those of one sender."""
    pending = [one for one in node.chain.pending.transactions if one.sender == sender]
    for one in (*pending, *node.pool.get(sender, {}).values()):
        node.drop(one.hash)


def drop_all(node: Node) -> None:
    node.drop(None)


def block_interval(node: Node, seconds: int) -> None:
    node.block_interval = seconds


def no_block_interval(node: Node) -> bool:
    was, node.block_interval = node.block_interval, None
    return was is not None


def dump(node: Node, keeps_blocks: bool) -> Later:
    """The state as anvil has it: JSON, gzipped. Of blocks nothing is kept."""
    node.check_whole("dump")
    state = node.chain.state_at("latest")
    return Later(lambda: to_hex(gzip.compress(orjson.dumps(to_anvil(state)), mtime=0)))


def load(node: Node, dumped: bytes) -> bool:
    loaded = state_of(State, dumped, "state")

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
    ((*names("setBalance"), "anvil_deal", "evm_setAccountBalance"), change(set_balance), ADDRESS, VALUE),
    ("anvil_addBalance", change(add_balance), ADDRESS, VALUE),
    ((*names("setCode"), "evm_setAccountCode"), change(set_code), ADDRESS, required("code", decode.data)),
    ((*names("setNonce"), "evm_setAccountNonce"), change(set_nonce), ADDRESS, required("nonce", decode.lenient)),
    (
        (*names("setStorageAt"), "evm_setAccountStorageAt"), change(set_storage),
        ADDRESS, required("slot", decode.storage_key), required("value", decode.storage_key),
    ),
    (names("mine"), mine, optional("blocks", decode.lenient, 1), optional("interval", decode.lenient)),
    ("evm_mine", evm_mine, optional("options", _mining, {})),
    (("anvil_mine_detailed", "evm_mine_detailed"), mine_detailed, optional("options", _mining, {})),
    (("anvil_dealERC20", "hardhat_dealERC20"), deal_token, ADDRESS, required("token", decode.address), required("balance", decode.lenient_word)),
    ("anvil_setERC20Allowance", set_allowance, required("owner", decode.address), required("spender", decode.address), required("token", decode.address), required("amount", decode.lenient_word)),
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
    (names("autoImpersonateAccount"), impersonate_all, ON),
    (("evm_snapshot", "anvil_snapshot"), lambda node: hex(node.snapshot())),
    (("evm_revert", "anvil_revert"), revert, required("snapshot", decode.lenient)),
    (names("dropTransaction"), drop, required("transactionHash", decode.hash32)),
    (names("dropAllTransactions"), drop_all),
    ("anvil_removePoolTransactions", drop_of, ADDRESS),
    ("anvil_setBlockTimestampInterval", block_interval, required("seconds", decode.lenient)),
    ("anvil_removeBlockTimestampInterval", no_block_interval),
    (names("dumpState"), dump, optional("preserveHistoricalStates", decode.boolean, False)),
    (names("loadState"), load, required("state", decode.data)),
    ("anvil_nodeInfo", info),
    (names("metadata"), metadata),
    ("anvil_getGenesisTime", lambda node: node.chain.block("earliest").header.timestamp),
    ("anvil_enableTraces", nothing),
    (names("setLoggingEnabled"), nothing, optional("enabled")),
    (names("setMinGasPrice"), nothing, optional("price")),
)  # fmt: skip
