"""The first block of a chain and the state it comes with: go-ethereum's genesis.json, or the parts of a test.

What can't be read raises UnusableInput and names the member.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from .._core import FORKS, PARAMETERS, State, fake_exponential, fork_index
from ..errors import UnusableInput
from ..files import read_json
from ..header import EMPTY_BLOCK_ACCESS_LIST_HASH, EMPTY_TRIE_ROOT, LATER_FIELDS, Header
from ..hexadecimal import data, field, quantity, to_address
from .schedule import BlobLimits, Schedule, blob_limits, rules_of

__all__ = ["Genesis", "read_blob_limits"]

# config's member -> fork, in the order that a chain has to keep: forks.def's.
_BY_NUMBER = {fork.config_name: fork.mainnet_name for fork in FORKS if fork.config_name.endswith("Block")}
_BY_TIMESTAMP = {fork.config_name: fork.mainnet_name for fork in FORKS if fork.config_name.endswith("Time")}
# They change the difficulty bomb, blob limits or one state alone.
_MAY_BE_LEFT_OUT = {fork.mainnet_name for fork in FORKS if fork.may_be_left_out}
# Members that say nothing about rules, or what another says, too.
_OTHER_BLOCKS = {"eip155Block", "mergeNetsplitBlock", "mergeForkBlock"}
# go-ethereum's, for a genesis that doesn't say.
_DEFAULT_GAS_LIMIT = 4_712_388


@dataclass(frozen=True, slots=True)
class Genesis:
    """A chain's first block, its state, and when its forks begin. `state` is to be copied, not changed."""

    header: Header
    state: State
    schedule: Schedule

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Genesis:
        """From a file in go-ethereum's form. Raises UnusableInput with path and reason."""
        value = read_json(path)
        if not isinstance(value, Mapping):
            raise UnusableInput(f"{path}: not a JSON object")
        try:
            return cls.from_json(value)
        except UnusableInput as error:
            raise UnusableInput(f"{path}: {error}") from None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Genesis:
        """From go-ethereum's genesis.json: `config` with the forks, `alloc`, and the header's members."""
        schedule = read_config(_mapping(field(value, "config", "genesis"), "config"))
        state = read_alloc(_mapping(field(value, "alloc", "genesis"), "alloc"))

        def number(name: str, default: int = 0, bits: int = 64) -> int:
            return quantity(value.get(name) or default, name, bits)

        timestamp, block_number = number("timestamp"), number("number")
        fork = schedule.genesis_fork(block_number, timestamp)
        rules = rules_of(fork)
        later_fields: dict[str, Any] = {
            "base_fee_per_gas": number("baseFeePerGas", PARAMETERS["initial_base_fee_wei"], 256),
            "withdrawals_root": EMPTY_TRIE_ROOT,
            "blob_gas_used": number("blobGasUsed"),
            "excess_blob_gas": number("excessBlobGas"),
            "parent_beacon_block_root": bytes(32),
            "requests_hash": sha256().digest(),
            "block_access_list_hash": EMPTY_BLOCK_ACCESS_LIST_HASH,
            "slot_number": number("slotNumber"),
        }
        header = Header(
            parent_hash=data(value.get("parentHash") or bytes(32), "parentHash", 32),
            coinbase=to_address(value.get("coinbase") or bytes(20), "coinbase"),
            state_root=state.root(),
            difficulty=number("difficulty", bits=256),
            number=block_number,
            gas_limit=number("gasLimit", _DEFAULT_GAS_LIMIT),
            gas_used=number("gasUsed"),
            timestamp=timestamp,
            extra_data=data(value.get("extraData") or b"", "extraData"),
            mix_hash=data(value.get("mixHash") or value.get("mixhash") or bytes(32), "mixHash", 32),
            nonce=number("nonce").to_bytes(8, "big"),
            **{name: later_fields[name] for name, rule in LATER_FIELDS.items() if getattr(rules, rule)},
            fork=fork,
            chain_id=schedule.chain_id,
        )
        return cls(header, state, schedule)

    def __post_init__(self) -> None:
        """A chain may begin with any excess blob gas that still has a price."""
        excess = self.header.excess_blob_gas
        if excess is not None:
            fraction = (self.schedule.blob_limits_of(self.header.fork) or blob_limits(rules_of(self.header.fork)))[2]
            try:
                fake_exponential(1, excess, fraction)
            except ValueError as error:
                raise UnusableInput(f"excessBlobGas: {error}") from None


def read_alloc(value: Mapping[str, Any]) -> State:
    """The state of an alloc: address -> balance, nonce, code, storage."""
    for address, account in value.items():
        _mapping(account, f"alloc.{address}")
    try:
        return State.from_alloc(value)
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        raise UnusableInput(f"alloc: {error}") from None


def read_config(config: Mapping[str, Any]) -> Schedule:
    """The schedule of a `config`. Proofs of work are not checked: where forks are given so, chains are made for tests."""
    for name, begin in config.items():
        is_known = name in _BY_NUMBER or name in _BY_TIMESTAMP or name in _OTHER_BLOCKS
        if begin is not None and name.endswith(("Block", "Time")) and not is_known:
            raise UnusableInput(
                f"config.{name}: a fork that evmcore doesn't know"
            )  # the chain can't be followed into it
    given = dict(config)
    if given.get("daoForkSupport") is False:
        given.pop("daoForkBlock", None)
    if given.get("eip155Block") != given.get("eip158Block"):
        raise UnusableInput("config.eip155Block: differs from eip158Block; both came with one fork")
    if given.get("petersburgBlock") is None:  # go-ethereum's rule: Constantinople without it never was on mainnet
        given["petersburgBlock"] = given.get("constantinopleBlock")
    total_difficulty = given.get("terminalTotalDifficulty")
    by_number = _begins(given, _BY_NUMBER, 64)
    dao_block = {fork: begin for begin, fork in by_number}.get("DAOFork")
    return Schedule(
        ((0, FORKS[0].mainnet_name), *by_number),
        _begins(given, _BY_TIMESTAMP, 64),
        None if total_difficulty is None else quantity(total_difficulty, "config.terminalTotalDifficulty"),
        quantity(given.get("chainId", 1), "config.chainId", 64),
        read_blob_limits(_mapping(given.get("blobSchedule") or {}, "config.blobSchedule")),
        dao_block,
    )


def _begins(config: Mapping[str, Any], members: Mapping[str, str], bits: int) -> tuple[tuple[int, str], ...]:
    """(begin, fork), … of the forks that are scheduled; each after the one before, none missing between them."""
    begins: list[tuple[int, str]] = []
    missing = None
    for member, fork in members.items():
        if config.get(member) is None:
            if fork not in _MAY_BE_LEFT_OUT:
                missing = missing or member
            continue
        begin = quantity(config[member], f"config.{member}", bits)
        if missing is not None:
            raise UnusableInput(f"config.{member}: is given, but {missing} is not")
        if begins and begin < begins[-1][0]:
            raise UnusableInput(f"config.{member}: {begin} is before {begins[-1][1]} at {begins[-1][0]}")
        begins.append((begin, fork))
    return tuple(begins)


def read_blob_limits(value: Mapping[str, Any]) -> dict[str, BlobLimits]:
    """A blobSchedule: fork -> target, max and baseFeeUpdateFraction. Forks that evmcore doesn't know are passed over."""
    limits = {}
    for name, numbers in value.items():
        try:
            fork = FORKS[fork_index(name)].mainnet_name
        except ValueError:
            continue
        where = f"blobSchedule.{name}"
        target, most, fraction = (
            quantity(field(_mapping(numbers, where), member, where), f"{where}.{member}", 63)
            for member in ("target", "max", "baseFeeUpdateFraction")
        )
        if fraction == 0 or most == 0:
            raise UnusableInput(f"{where}: has a zero")
        limits[fork] = (target, most, fraction)
    return limits


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UnusableInput(f"{name}: not an object")
    return value
