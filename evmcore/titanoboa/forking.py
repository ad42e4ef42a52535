"""A node's block as a state: accounts and slots are fetched by boa's RPC, with its cache on disk."""

from __future__ import annotations

from typing import Any

from boa.rpc import RPC, to_bytes, to_hex, to_int
from boa.vm.fork import CachingRPC
from eth_utils import to_checksum_address

from .._core import State

__all__ = ["fork_of"]

_TAGS = frozenset(("safe", "latest", "finalized", "pending", "earliest"))


def fork_of(rpc: RPC, block_identifier: Any, debug: bool = False, **kwargs: Any) -> tuple[State, dict[str, Any]]:
    """(state, what `Patch` is to have) after a node's block.

    rpc               boa's
    block_identifier  a number, or "safe", "latest", "finalized", "pending", "earliest"
    kwargs            CachingRPC's: cache_dir
    """
    chain_id = to_int(rpc.fetch_uncached("eth_chainId", []))
    caching = CachingRPC(rpc, chain_id, debug, **kwargs)
    wanted = block_identifier if block_identifier in _TAGS else to_hex(block_identifier)
    block = caching.fetch_uncached("eth_getBlockByNumber", [wanted, False])
    number = to_int(block["number"])
    around = {
        "block_number": number,
        "timestamp": to_int(block["timestamp"]),
        "chain_id": chain_id,
        "prev_hashes": [bytes.fromhex(block["parentHash"].removeprefix("0x"))],
    }
    return State(source=_Source(caching, to_hex(number))), around


class _Source:
    """Answers a state's questions out of one block of a node."""

    def __init__(self, rpc: CachingRPC, block: str) -> None:
        self.rpc, self.block = rpc, block

    def __call__(self, keys: list[tuple[bytes, int | None]]) -> dict[tuple[bytes, int | None], Any]:
        requests: list[tuple[str, list[Any]]] = []
        for address, slot in keys:
            account = to_checksum_address(address)
            if slot is None:
                for method in ("eth_getBalance", "eth_getTransactionCount", "eth_getCode"):
                    requests.append((method, [account, self.block]))
            else:
                requests.append(("eth_getStorageAt", [account, to_hex(slot), self.block]))
        answers = iter(self.rpc.fetch_multi(requests))
        found: dict[tuple[bytes, int | None], Any] = {}
        for address, slot in keys:
            if slot is None:
                balance, nonce, code = to_int(next(answers)), to_int(next(answers)), to_bytes(next(answers))
                # A contract's address is taken where there is code or a nonce; nodes don't say whether there is storage.
                found[address, None] = {"balance": balance, "nonce": nonce, "code": code, "has_storage": bool(code)}
            else:
                found[address, slot] = to_int(next(answers))
        return found
