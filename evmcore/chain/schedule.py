"""Which rules hold where: a chain's forks by block number, total difficulty and timestamp, and what is its own.

The forks' numbers are rows of forks.def; a schedule only says when each begins, and what a chain changes: its id, its
blob limits, its DAO block, whether proofs of work are checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import SimpleNamespace

from .._core import FORKS, fork_index, fork_rules
from ..errors import UnusableInput

__all__ = ["BlobLimits", "Schedule", "blob_limits", "network_schedule", "rules_of"]

# (target, maximum, base fee update fraction), as Header.blob_schedule has it.
BlobLimits = tuple[int, int, int]


@cache
def rules_of(fork: str) -> SimpleNamespace:
    """The numbers of a fork (forks.def), as attributes."""
    return SimpleNamespace(**fork_rules(fork))


def blob_limits(rules: SimpleNamespace) -> BlobLimits:
    """A fork's blob limits as forks.def has them."""
    return rules.blob_target, rules.blob_max, rules.blob_fee_update_fraction


@dataclass(frozen=True, slots=True)
class Schedule:
    """When each fork of a chain begins. Forks are given by any of their names and kept by mainnet's.

    by_number                  (block number, fork), … in order, the first at 0; these hold up to Paris
    by_timestamp               (timestamp, fork), … in order: what follows Paris
    terminal_total_difficulty  a block whose parent's total difficulty is at least this is one of Paris or later; None: never
    blob_limits                fork -> limits, where the chain's are not forks.def's
    dao_block                  the block of the irregular state change (EIP-779), if the chain has it
    checks_seals               whether proofs of work are checked
    """

    by_number: tuple[tuple[int, str], ...] = ((0, "Frontier"),)
    by_timestamp: tuple[tuple[int, str], ...] = ()
    terminal_total_difficulty: int | None = None
    chain_id: int = 1
    blob_limits: Mapping[str, BlobLimits] = field(default_factory=dict)
    dao_block: int | None = None
    checks_seals: bool = False

    def is_proof_of_stake(self, parent_total_difficulty: int) -> bool:
        """Whether a block on such a parent is one of Paris or later (EIP-3675)."""
        return self.terminal_total_difficulty is not None and parent_total_difficulty >= self.terminal_total_difficulty

    def fork_at(self, number: int, timestamp: int, parent_total_difficulty: int) -> str:
        """The fork of a block."""
        if not self.is_proof_of_stake(parent_total_difficulty):
            return _latest(self.by_number, number) or self.by_number[0][1]
        return _latest(self.by_timestamp, timestamp) or "Paris"

    def genesis_fork(self, number: int, timestamp: int) -> str:
        """The fork that says which fields the first block has: it has no parent, so total difficulty doesn't count."""
        by_number = self.fork_at(number, timestamp, -1)
        later = _latest(self.by_timestamp, timestamp)
        return later if later is not None and rules_of(by_number).has_base_fee else by_number

    def blob_limits_of(self, fork: str) -> BlobLimits | None:
        """The chain's own limits in a fork; None where forks.def's hold.

        A fork that changes no limit (Osaka) takes over its predecessor's.
        """
        index = fork_index(fork)
        while True:
            own = self.blob_limits.get(FORKS[index].mainnet_name)
            if own is not None or index == 0:
                return own
            before = rules_of(FORKS[index - 1].mainnet_name)
            if blob_limits(rules_of(FORKS[index].mainnet_name)) != blob_limits(before):
                return None
            index -= 1


def _latest(forks: Iterable[tuple[int, str]], reached: int) -> str | None:
    """The last fork that has begun."""
    found = None
    for begin, fork in forks:
        if begin > reached:
            break
        found = fork
    return found


# "BerlinToLondonAt5", "ArrowGlacierToParisAtDiffC0000", "CancunToPragueAtTime15k", "HomesteadToDaoAt5".
_TRANSITION = re.compile(
    r"(?P<before>\w+?)To(?P<after>\w+?)At(?:(?P<number>\d+)|Time(?P<time>\d+)(?P<thousands>k?)|Diff(?P<difficulty>[0-9A-Fa-f]+))"
)


def network_schedule(
    name: str, *, chain_id: int = 1, blob_limits: Mapping[str, BlobLimits] | None = None, checks_seals: bool = False
) -> Schedule:
    """The schedule of a network as test files name them: one fork from the start, or a transition between two.

    raise   UnusableInput for a name that is none
    """
    return replace(_network(name), chain_id=chain_id, blob_limits=dict(blob_limits or {}), checks_seals=checks_seals)


def _network(name: str) -> Schedule:
    match = _TRANSITION.fullmatch(name)
    if match is None:
        fork = _fork(name, name)
        if rules_of(fork).is_proof_of_stake:
            return Schedule(((0, "GrayGlacier"),), ((0, fork),), 0)
        return Schedule(((0, fork),), dao_block=0 if fork == "DAOFork" else None)
    before = _fork(match["before"], name)
    after = _fork("DAOFork" if match["after"] == "Dao" else match["after"], name)
    if match["time"]:
        begin = int(match["time"]) * (1000 if match["thousands"] else 1)
        return Schedule(((0, "GrayGlacier"),), ((0, before), (begin, after)), 0)
    if match["difficulty"]:
        return Schedule(((0, before),), ((0, after),), int(match["difficulty"], 16))
    begin = int(match["number"])
    return Schedule(((0, before), (begin, after)), dao_block=begin if after == "DAOFork" else None)


def _fork(name: str, network: str) -> str:
    try:
        return FORKS[fork_index(name)].mainnet_name
    except ValueError:
        raise UnusableInput(f"network: {network!r} is not one that evmcore knows") from None
