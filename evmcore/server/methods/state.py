"""eth_: accounts after a block, proofs, and what gas costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._core import State
from ...dev import DevChain
from ...hexadecimal import to_hex
from .. import decode
from ..encode import blob_fee, effective_price, word
from ..errors import INVALID_PARAMS, RpcError
from ..node import Node
from .table import Later, optional, required, rows

ADDRESS, AT = required("address", decode.address), optional("block", decode.block, "latest")
_PERCENTILES_MOST, _HISTORY_MOST, _VALUES_MOST, _KEYS_MOST = 100, 1024, 1024, 1024


def state(node: Node, which: Any) -> State:
    """The state after a block, to read."""
    return node.chain.pending.state if which == "pending" else node.chain.block(which).state


def reads(node: Node, which: Any, read: Callable[[State], Any]) -> Any:
    """What `read` says of the state after a block. That of a fork may have to ask its node, which others needn't wait for."""
    if node.fork is None:
        return read(state(node, which))
    at = node.chain.state_at(which)
    return Later(lambda: read(at))


def get_balance(node: Node, address: bytes, which: Any) -> Any:
    return reads(node, which, lambda at: hex(at.get_balance(address)))


def get_nonce(node: Node, address: bytes, which: Any) -> Any:
    return reads(node, which, lambda at: hex(at.get_nonce(address)))


def get_code(node: Node, address: bytes, which: Any) -> Any:
    return reads(node, which, lambda at: to_hex(at.get_code(address)))


def get_storage(node: Node, address: bytes, slot: int, which: Any) -> Any:
    return reads(node, which, lambda at: word(at.get_storage(address, slot)))


def get_storage_values(node: Node, wanted: dict[bytes, list[int]], which: Any) -> Any:
    if not wanted:
        raise RpcError(INVALID_PARAMS, "empty request")
    if sum(map(len, wanted.values())) > _VALUES_MOST:
        raise RpcError(INVALID_PARAMS, f"too many slots (max {_VALUES_MOST})")

    def read(at: State) -> dict[str, list[str]]:
        at.fetch_keys((address, slot) for address, slots in wanted.items() for slot in slots)
        return {
            to_hex(address): [word(at.get_storage(address, slot)) for slot in slots]
            for address, slots in wanted.items()
        }

    return reads(node, which, read)


def _key(value: Any) -> tuple[int, str]:
    """(slot, as go-ethereum repeats it): what is given as 32 bytes comes back so."""
    slot = decode.storage_key(value)
    return slot, word(slot) if len(value) == 66 else hex(slot)


def get_proof(node: Node, address: bytes, keys: list[tuple[int, str]], which: Any) -> Later:
    node.check_whole("proofs")
    at = node.chain.state_at(which)

    def run() -> dict[str, Any]:
        shown = at.prove(address, [slot for slot, _ in keys]).to_json()
        for one, (_, name) in zip(shown["storageProof"], keys):
            one["key"] = name
        return shown

    return Later(run)


def get_account(node: Node, address: bytes, which: Any) -> Later:
    node.check_whole("storage roots")
    at = node.chain.state_at(which)

    def run() -> dict[str, Any] | None:
        if address not in at:
            return None
        shown = at.prove(address).to_json()
        members = {"balance": "balance", "nonce": "nonce", "codeHash": "codeHash", "storageRoot": "storageHash"}
        return {name: shown[theirs] for name, theirs in members.items()}

    return Later(run)


def next_base_fee(node: Node) -> str | None:
    header = node.chain.pending.header
    return None if header.base_fee_per_gas is None else hex(header.base_fee_per_gas)


def blob_price(node: Node) -> str:
    return hex(blob_fee(node.chain.head.header))


def gas_price(node: Node) -> str:
    return hex((node.chain.pending.header.base_fee_per_gas or 0) + 10**9)


def fee_history(node: Node, count: int, newest: Any, percentiles: list[float]) -> Any:
    if len(percentiles) > _PERCENTILES_MOST:
        raise RpcError(INVALID_PARAMS, f"over the query limit {_PERCENTILES_MOST}: {len(percentiles)} percentiles")
    if any(not 0 <= one <= 100 for one in percentiles) or sorted(percentiles) != percentiles:
        raise RpcError(INVALID_PARAMS, "invalid reward percentile: they are 0 to 100, each above the one before")
    chain, fork = node.chain, node.fork
    if not count:
        return {"oldestBlock": "0x0", "gasUsedRatio": []}
    count = min(count, _HISTORY_MOST)
    if fork is None:
        last = chain.head.number if newest == "pending" else chain.block(newest).number
        return _history(chain, max(chain.first, last - count + 1), last, percentiles)
    last = fork.block_number(node, newest)
    first = max(0, last - count + 1)
    if first > fork.number:
        return _history(chain, first, last, percentiles)
    own = _history(chain, fork.number + 1, last, percentiles) if last > fork.number else None
    older = min(last, fork.number)

    def run() -> Any:
        asked = fork.ask("eth_feeHistory", (hex(older - first + 1), hex(older), percentiles))
        try:
            return asked if own is None else _joined(asked, own)
        except (AttributeError, LookupError, TypeError):
            raise fork.bad_answer("eth_feeHistory") from None

    return Later(run)


def _joined(older: dict[str, Any], newer: dict[str, Any]) -> dict[str, Any]:
    """Two histories, of which the first also says what is next after it."""
    found = {"oldestBlock": older["oldestBlock"]}
    for name, values in newer.items():
        if name != "oldestBlock":
            before = older.get(name) or []
            found[name] = before[: len(older["gasUsedRatio"])] + values
    return found


def _history(chain: DevChain, first: int, last: int, percentiles: list[float]) -> dict[str, Any]:
    blocks = [chain.block(number) for number in range(first, last + 1)]
    headers = [block.header for block in blocks]
    fees = [header.base_fee_per_gas or 0 for header in headers]
    following = chain.block(last + 1).header if last < chain.head.number else chain.pending.header
    shown: dict[str, Any] = {
        "oldestBlock": hex(first),
        "baseFeePerGas": [hex(fee) for fee in (*fees, following.base_fee_per_gas or 0)],
        "gasUsedRatio": [header.gas_used / (header.gas_limit or 1) for header in headers],
        "baseFeePerBlobGas": [hex(blob_fee(header)) for header in (*headers, following)],
        "blobGasUsedRatio": [_blob_ratio(header) for header in headers],
    }
    if percentiles:
        shown["reward"] = [_rewards(block, percentiles) for block in blocks]
    return shown


def _blob_ratio(header: Any) -> float:
    from ..._core import PARAMETERS
    from ...chain.schedule import blob_limits, rules_of

    most = (header.blob_schedule or blob_limits(rules_of(header.fork)))[1] * PARAMETERS["blob_gas_per_blob"]
    return (header.blob_gas_used or 0) / most if most else 0.0


def _rewards(block: Any, percentiles: list[float]) -> list[str]:
    fee = block.header.base_fee_per_gas or 0
    tips = sorted(
        (effective_price(transaction, block.header) - fee, receipt.gas_used)
        for transaction, receipt in zip(block.block.transactions, block.receipts)
    )
    found, used, place = [], 0, -1
    for percentile in percentiles:
        while place + 1 < len(tips) and (place < 0 or used < block.header.gas_used * percentile / 100):
            place += 1
            used += tips[place][1]
        found.append(hex(tips[place][0] if tips else 0))
    return found


def _percentile(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise decode.Unfit("expected a number")
    return float(value)


__all__ = ["ROWS", "state"]
ROWS = rows(
    ("eth_getBalance", get_balance, ADDRESS, AT),
    ("eth_getTransactionCount", get_nonce, ADDRESS, AT),
    ("eth_getCode", get_code, ADDRESS, AT),
    ("eth_getStorageAt", get_storage, ADDRESS, required("key", decode.storage_key), AT),
    ("eth_getStorageValues", get_storage_values, required("requests", decode.map_of(decode.address, decode.list_of(decode.storage_key))), AT),
    ("eth_getProof", get_proof, ADDRESS, optional("keys", decode.list_of(_key, _KEYS_MOST), []), AT),
    ("eth_getAccount", get_account, ADDRESS, AT),
    ("eth_baseFee", next_base_fee),
    ("eth_blobBaseFee", blob_price),
    ("eth_gasPrice", gas_price),
    ("eth_maxPriorityFeePerGas", lambda node: hex(10**9)),
    ("eth_feeHistory", fee_history, required("blockCount", decode.lenient), required("newestBlock", decode.block_number), optional("rewardPercentiles", decode.list_of(_percentile), [])),
)  # fmt: skip
