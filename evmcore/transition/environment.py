"""The block around a transition: its `env`, with what follows from the parent where it isn't given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .._core import fork_name
from ..chain.header_rules import base_fee, difficulty_after, excess_blob_gas
from ..chain.schedule import BlobLimits, Schedule, blob_limits, rules_of
from ..errors import UnusableInput
from ..header import EMPTY_OMMERS_HASH, LATER_FIELDS, Header, Withdrawal
from ..hexadecimal import data, quantity, to_address
from . import faults
from .faults import TransitionFault

__all__ = ["Environment"]

# Member of env -> field here, and the bits of a number.
_NUMBERS: dict[str, tuple[str, int]] = {
    "currentGasLimit": ("gas_limit", 64),
    "currentNumber": ("number", 64),
    "currentTimestamp": ("timestamp", 64),
    "currentDifficulty": ("difficulty", 256),
    "currentRandom": ("random", 256),
    "currentBaseFee": ("base_fee", 256),
    "currentExcessBlobGas": ("excess_blob_gas", 64),
    "parentDifficulty": ("parent_difficulty", 256),
    "parentBaseFee": ("parent_base_fee", 256),
    "parentGasUsed": ("parent_gas_used", 64),
    "parentGasLimit": ("parent_gas_limit", 64),
    "parentTimestamp": ("parent_timestamp", 64),
    "parentExcessBlobGas": ("parent_excess_blob_gas", 64),
    "parentBlobGasUsed": ("parent_blob_gas_used", 64),
    "slotNumber": ("slot_number", 64),
}
_NEEDED = ("currentCoinbase", "currentGasLimit", "currentNumber", "currentTimestamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The members of go-ethereum's `env`; None: not given."""

    coinbase: bytes
    gas_limit: int
    number: int
    timestamp: int
    difficulty: int | None = None
    random: int | None = None
    base_fee: int | None = None
    excess_blob_gas: int | None = None
    parent_difficulty: int | None = None
    parent_base_fee: int | None = None
    parent_gas_used: int | None = None
    parent_gas_limit: int | None = None
    parent_timestamp: int | None = None
    parent_excess_blob_gas: int | None = None
    parent_blob_gas_used: int | None = None
    parent_ommers_hash: bytes = EMPTY_OMMERS_HASH
    parent_beacon_block_root: bytes | None = None
    slot_number: int | None = None
    block_hashes: Mapping[int, bytes] = field(default_factory=dict)
    ommers: tuple[tuple[int, bytes], ...] = ()  # (how many blocks older, beneficiary)
    withdrawals: tuple[Withdrawal, ...] | None = None

    @classmethod
    def from_json(cls, value: object) -> Environment:
        """From the members of an `env`; others are passed over. Raises TransitionFault (10)."""
        if not isinstance(value, Mapping):
            raise TransitionFault(faults.JSON, "failed unmarshaling env: not an object")
        try:
            return cls(**_members(value))
        except (UnusableInput, AttributeError, LookupError, TypeError) as error:
            raise TransitionFault(faults.JSON, f"failed unmarshaling env: {error}") from None

    def completed(self, schedule: Schedule, limits: BlobLimits | None) -> tuple[Environment, str]:
        """The same with what its fork needs worked out, and the fork. Raises TransitionFault (3) for what is missing."""
        fork = self.fork(schedule)
        rules = rules_of(fork)
        made: dict[str, Any] = {}
        if rules.has_base_fee and self.base_fee is None:
            made["base_fee"] = self._next_base_fee(fork)
        if rules.is_proof_of_stake:
            if self.random is None:
                raise TransitionFault(faults.CONFIG, "post-merge requires currentRandom to be defined in env")
            if self.difficulty:
                raise TransitionFault(faults.CONFIG, "post-merge difficulty must be zero (or omitted) in env")
            made["difficulty"] = None
        elif self.difficulty is None:
            made["difficulty"] = self._next_difficulty(fork)
        if rules.has_withdrawals and self.withdrawals is None:
            raise TransitionFault(faults.CONFIG, "Shanghai config but missing 'withdrawals' in env section")
        if not rules.has_beacon_root:
            made["parent_beacon_block_root"] = None
        elif self.parent_beacon_block_root is None:
            raise TransitionFault(faults.CONFIG, "post-cancun env requires parentBeaconBlockRoot to be set")
        if not rules.has_blobs:
            made["excess_blob_gas"] = None
        elif self.excess_blob_gas is None:
            made["excess_blob_gas"] = self._next_excess_blob_gas(fork, limits)
        return replace(self, **made), fork

    def fork(self, schedule: Schedule) -> str:
        """The fork that holds in this block. A chain that comes to proof of stake some day is there once there is a random value."""
        reached = schedule.terminal_total_difficulty
        is_stake = reached is not None and (reached == 0 or self.random is not None)
        return schedule.fork_at(self.number, self.timestamp, reached if is_stake and reached is not None else -1)

    def header(self, fork: str, chain_id: int, limits: BlobLimits | None) -> Header:
        """The header that the transactions run under."""
        rules = rules_of(fork)
        later: dict[str, Any] = {
            "base_fee_per_gas": self.base_fee,
            "withdrawals_root": None,
            "blob_gas_used": None,
            "excess_blob_gas": self.excess_blob_gas or 0,
            "parent_beacon_block_root": self.parent_beacon_block_root,
            "requests_hash": None,
            "slot_number": self.slot_number or 0,
        }
        return Header(
            parent_hash=self.block_hashes.get(self.number - 1, bytes(32)),
            coinbase=self.coinbase,
            difficulty=self.difficulty or 0,
            number=self.number,
            gas_limit=self.gas_limit,
            timestamp=self.timestamp,
            mix_hash=(self.random or 0).to_bytes(32, "big") if rules.is_proof_of_stake else bytes(32),
            **{name: later[name] for name, rule in LATER_FIELDS.items() if name in later and getattr(rules, rule)},
            fork=fork,
            chain_id=chain_id,
            block_hashes=self.block_hashes,
            blob_schedule=limits,
        )

    def _next_base_fee(self, fork: str) -> int:
        if self.parent_base_fee is None or self.number == 0:
            raise TransitionFault(faults.CONFIG, "EIP-1559 config but missing 'parentBaseFee' in env section")
        parent = Header(
            base_fee_per_gas=self.parent_base_fee,
            gas_used=self.parent_gas_used or 0,
            gas_limit=self.parent_gas_limit or 0,
            number=self.number - 1,
            fork=fork,
        )
        return base_fee(parent)

    def _next_difficulty(self, fork: str) -> int:
        if self.parent_difficulty is None:
            raise TransitionFault(
                faults.CONFIG,
                "currentDifficulty was not provided, and cannot be calculated due to missing parentDifficulty",
            )
        if self.number == 0:
            raise TransitionFault(faults.CONFIG, "currentDifficulty needs to be provided for block number 0")
        before = self.parent_timestamp or 0
        if self.timestamp <= before:
            raise TransitionFault(
                faults.CONFIG,
                f"currentDifficulty cannot be calculated -- currentTime ({self.timestamp}) needs to be after parent time ({before})",
            )
        has_ommers = self.parent_ommers_hash not in (EMPTY_OMMERS_HASH, bytes(32))
        return difficulty_after(fork, self.number, self.timestamp, before, self.parent_difficulty, has_ommers)

    def _next_excess_blob_gas(self, fork: str, limits: BlobLimits | None) -> int | None:
        """None where the parent's isn't told either."""
        if self.parent_excess_blob_gas is None or self.parent_blob_gas_used is None:
            return None
        parent = Header(
            base_fee_per_gas=self.parent_base_fee,
            withdrawals_root=bytes(32),
            blob_gas_used=self.parent_blob_gas_used,
            excess_blob_gas=self.parent_excess_blob_gas,
            fork=fork,
        )
        return excess_blob_gas(parent, fork_name(fork), limits or blob_limits(rules_of(fork)))


def _members(value: Mapping[str, Any]) -> dict[str, Any]:
    for name in _NEEDED:
        if value.get(name) is None:
            raise UnusableInput(f"missing required field '{name}' for stEnv")
    made: dict[str, Any] = {"coinbase": to_address(value["currentCoinbase"], "currentCoinbase")}
    for name, (member, bits) in _NUMBERS.items():
        if value.get(name) is not None:
            made[member] = quantity(value[name], name, bits)
    for name, member in (
        ("parentUncleHash", "parent_ommers_hash"),
        ("parentBeaconBlockRoot", "parent_beacon_block_root"),
    ):
        if value.get(name) is not None:
            made[member] = data(value[name], name, 32)
    made["block_hashes"] = {
        quantity(number, "blockHashes", 64): data(block_hash, "blockHashes", 32)
        for number, block_hash in (value.get("blockHashes") or {}).items()
    }
    made["ommers"] = tuple(
        (quantity(ommer["delta"], "ommers.delta", 64), to_address(ommer["address"], "ommers.address"))
        for ommer in value.get("ommers") or ()
    )
    if value.get("withdrawals") is not None:
        made["withdrawals"] = tuple(
            Withdrawal.from_json(item, f"withdrawals[{i}]") for i, item in enumerate(value["withdrawals"])
        )
    return made
