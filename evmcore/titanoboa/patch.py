"""The block around boa's calls: what `boa.env.evm.patch` shows and changes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .._core import NEWEST_FORK, BlockHashes, fork_name, fork_rules
from ..header import Header

__all__ = ["Patch"]

_HASHES_MOST = 256  # that BLOCKHASH can tell
# py-evm's: the block after an empty genesis.
_FIRST = {
    "block_number": 1,
    "coinbase": bytes(20),
    "difficulty": 0,
    "prev_hashes": (),
    "chain_id": 1,
    "gas_limit": 2 * 10**8,
    "prevrandao": bytes(32),
}
BASE_FEE_WEI = 10**9


class Patch:
    """What the next calls find around them; each may be assigned.

    block_number, timestamp, chain_id, gas_limit, difficulty   numbers
    coinbase         20 bytes, or boa's Address
    prevrandao       32 bytes
    prev_hashes      of the blocks before, the last one first; BLOCKHASH tells zero for others
    code_size_limit  bytes of a new contract; None: the fork's. A larger one than that means none at all
    """

    NAMES = (*_FIRST, "timestamp", "code_size_limit")

    block_number: int
    timestamp: int
    coinbase: bytes | str
    difficulty: int
    prev_hashes: Sequence[bytes]
    chain_id: int
    gas_limit: int
    prevrandao: bytes
    code_size_limit: int | None
    fork: str
    base_fee: int
    excess_blob_gas: int

    def __init__(self, fork: str = NEWEST_FORK) -> None:
        values: dict[str, Any] = {
            **_FIRST,
            "timestamp": int(time.time()),
            "code_size_limit": fork_rules(fork)["max_code_size_bytes"] or None,
        }
        self.__dict__.update(values, fork=fork_name(fork), base_fee=BASE_FEE_WEI, excess_blob_gas=0, _header=None)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.NAMES:
            raise AttributeError(f"{name}: can't be patched; what can is {', '.join(self.NAMES)}")
        self.__dict__.update({name: value, "_header": None})

    @contextmanager
    def anchor(self) -> Iterator[None]:
        """Put all back at the end of the `with`."""
        before = {name: getattr(self, name) for name in self.NAMES}
        try:
            yield
        finally:
            self.__dict__.update(before, _header=None)

    @property
    def lifts_code_size(self) -> bool:
        """Whether contracts may be larger than the fork says."""
        limit = fork_rules(self.fork)["max_code_size_bytes"]
        return bool(limit) and self.code_size_limit is not None and self.code_size_limit > limit

    @property
    def header(self) -> Header:
        """The same as the header of a block."""
        kept = self.__dict__["_header"]
        # A list of hashes may have been changed in its place.
        if kept is not None and self.__dict__["_hashes"] == tuple(self.prev_hashes):
            return kept  # type: ignore[no-any-return]
        hashes = tuple(self.prev_hashes)
        made = self._make_header(hashes)
        self.__dict__.update(_header=made, _hashes=hashes)
        return made

    def _make_header(self, hashes: Sequence[bytes]) -> Header:
        rules = fork_rules(self.fork)
        later: dict[str, Any] = {"base_fee_per_gas": self.base_fee} if rules["has_base_fee"] else {}
        if rules["has_withdrawals"]:
            later["withdrawals_root"] = bytes(32)
        if rules["has_blobs"]:
            later.update(blob_gas_used=0, excess_blob_gas=self.excess_blob_gas)
        if rules["has_slot_number"]:
            later["slot_number"] = 0
        first = max(self.block_number - _HASHES_MOST, 0)
        known = {number: bytes(32) for number in range(first, self.block_number)}
        known.update(
            {self.block_number - 1 - at: bytes(one) for at, one in enumerate(hashes[: self.block_number - first])}
        )
        return Header(
            number=self.block_number,
            timestamp=self.timestamp,
            coinbase=self.coinbase,  # type: ignore[arg-type]  # a str, too
            difficulty=0 if rules["is_proof_of_stake"] else self.difficulty,
            mix_hash=self.prevrandao,
            gas_limit=self.gas_limit,
            fork=self.fork,
            chain_id=self.chain_id,
            block_hashes=BlockHashes(known),
            **later,
        )
