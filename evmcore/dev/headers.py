"""The headers of a DevChain: its first, and that of the next block, before anything is in it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .._core import PARAMETERS, State, fork_name
from ..chain.header_rules import base_fee, difficulty_after, excess_blob_gas
from ..chain.schedule import BlobLimits, Schedule, blob_limits, rules_of
from ..errors import UnusableInput
from ..header import EMPTY_BLOCK_ACCESS_LIST_HASH, EMPTY_OMMERS_HASH, EMPTY_TRIE_ROOT, LATER_FIELDS, Header

__all__ = ["Calendar", "first_header", "header_after"]

# sha256 of nothing: the hash of no requests (EIP-7685).
_NO_REQUESTS_HASH = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")


class Calendar:
    """Which fork a block is of: by number, or as a chain's schedule says. `forks` are those by number."""

    def __init__(self, given: str | Sequence[tuple[int, str]] | Schedule) -> None:
        self.schedule = given if isinstance(given, Schedule) else None
        self.forks: tuple[tuple[int, str], ...] = ()
        if isinstance(given, Schedule):
            return
        pairs = [(0, given)] if isinstance(given, str) else [(number, name) for number, name in given]
        self.forks = tuple((number, fork_name(name)) for number, name in pairs)
        numbers = [number for number, _ in self.forks]
        if not numbers or numbers[0] != 0 or numbers != sorted(set(numbers)):
            raise UnusableInput("forks: they begin at block 0, and each after the one before")

    @property
    def names(self) -> tuple[str, ...]:
        """All forks that there are."""
        if self.schedule is None:
            return tuple(fork for _, fork in self.forks)
        return tuple(fork for _, fork in (*self.schedule.by_number, *self.schedule.by_timestamp))

    def place(self, number: int, timestamp: int, total_difficulty: int) -> tuple[str, BlobLimits | None]:
        """(fork, blob limits where they aren't the fork's) of a block. total_difficulty: of its parent."""
        if self.schedule is None:
            return [fork for begin, fork in self.forks if begin <= number][-1], None
        fork = self.schedule.fork_at(number, timestamp, total_difficulty)
        return fork, self.schedule.blob_limits_of(fork)


def _later(fork: str, **fields: Any) -> dict[str, Any]:
    """The fields that came with forks, of those that this one has."""
    rules = rules_of(fork)
    every: dict[str, Any] = {
        "base_fee_per_gas": PARAMETERS["initial_base_fee_wei"],
        "withdrawals_root": EMPTY_TRIE_ROOT,
        "blob_gas_used": 0,
        "excess_blob_gas": 0,
        "parent_beacon_block_root": bytes(32),
        "requests_hash": _NO_REQUESTS_HASH,
        "block_access_list_hash": EMPTY_BLOCK_ACCESS_LIST_HASH,
        "slot_number": 0,
        **fields,
    }
    return {name: every[name] for name, rule in LATER_FIELDS.items() if getattr(rules, rule)}


def first_header(fork: str, chain_id: int, state: State, given: Mapping[str, Any]) -> Header:
    """A genesis, some of whose fields are given."""
    fields: dict[str, Any] = {
        "timestamp": int(time.time()),
        "difficulty": 0 if rules_of(fork).is_proof_of_stake else PARAMETERS["difficulty_minimum"],
        **_later(fork),
    }
    if "state_root" not in given:
        fields["state_root"] = state.root()
    return Header(**{**fields, **given}, fork=fork, chain_id=chain_id)


def header_after(
    parent: Header,
    parent_hash: bytes,
    timestamp: int,
    place: tuple[str, BlobLimits | None],
    block_hashes: Mapping[int, bytes],
) -> Header:
    """The header of the block after `parent`. place: its fork, and its blob limits where they aren't the fork's."""
    fork, limits = place
    number = parent.number + 1
    rules = rules_of(fork)
    fields: dict[str, Any] = {"difficulty": 0, "mix_hash": os.urandom(32)}
    if not rules.is_proof_of_stake:
        has_ommers = parent.ommers_hash != EMPTY_OMMERS_HASH
        wanted = difficulty_after(fork, number, timestamp, parent.timestamp, parent.difficulty, has_ommers)
        fields = {"difficulty": wanted}
    excess = excess_blob_gas(parent, fork, limits or blob_limits(rules)) if rules.has_blobs else None
    gas_limit = parent.gas_limit
    if rules.has_base_fee and parent.base_fee_per_gas is None:
        gas_limit *= PARAMETERS["elasticity_multiplier"]  # the target stays what the limit was (EIP-1559)
    return Header(
        parent_hash=parent_hash,
        number=number,
        timestamp=timestamp,
        gas_limit=gas_limit,
        **fields,
        **_later(fork, base_fee_per_gas=base_fee(parent), excess_blob_gas=excess, slot_number=number),
        fork=fork,
        chain_id=parent.chain_id,
        block_hashes=block_hashes,
        blob_schedule=limits,
    )
