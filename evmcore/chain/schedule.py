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

from .._core import FORKS, fork_index, fork_name, fork_rules
from ..errors import UnusableInput

__all__ = ["BlobLimits", "Schedule", "blob_limits", "network_schedule", "rules_of"]

# (target, maximum, base fee update fraction), as Header.blob_schedule has it.
BlobLimits = tuple[int, int, int]


@cache
def rules_of(fork: str) -> SimpleNamespace:
    """The numbers of a fork (forks.def), as attributes."""
    return SimpleNamespace(**fork_rules(fork))


def parent_of(fork: str) -> str | None:
    """The fork whose rules a fork starts from (forks.def); None for the first."""
    return FORKS[fork_index(fork)].parent


def blob_limits(rules: SimpleNamespace) -> BlobLimits:
    """A fork's blob limits as forks.def has them."""
    return rules.blob_target, rules.blob_max, rules.blob_fee_update_fraction


# The fork that ends proof of work, and the last before it.
FIRST_OF_STAKE: str = next(fork.mainnet_name for fork in FORKS if rules_of(fork.mainnet_name).is_proof_of_stake)
LAST_OF_WORK: str = parent_of(FIRST_OF_STAKE) or FORKS[0].mainnet_name


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

    by_number: tuple[tuple[int, str], ...] = ((0, FORKS[0].mainnet_name),)
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
        return _latest(self.by_timestamp, timestamp) or FIRST_OF_STAKE

    def genesis_fork(self, number: int, timestamp: int) -> str:
        """The fork that says which fields the first block has: it has no parent, so total difficulty doesn't count."""
        by_number = self.fork_at(number, timestamp, -1)
        later = _latest(self.by_timestamp, timestamp)
        return later if later is not None and rules_of(by_number).has_base_fee else by_number

    def blob_limits_of(self, fork: str) -> BlobLimits | None:
        """A fork's limits, where they are not forks.def's: the chain's own, or those of a fork that it has before; None: they are.

        A fork that changes no limit (Osaka) takes over those of the one before it in the chain, or in forks.def where the
        chain has none before.
        """
        name: str | None = fork_name(fork)
        while name is not None:
            own = self.blob_limits.get(name)
            if own is not None:
                return own
            parent = parent_of(name)
            limits = blob_limits(rules_of(name))
            if parent is None or limits != blob_limits(rules_of(parent)):
                return None if limits == blob_limits(rules_of(fork_name(fork))) else limits
            name = self._before(name) or parent
        return None

    def _before(self, fork: str) -> str | None:
        """The fork that the chain has before this one, of those that follow Paris; None if it is the first, or not there."""
        names = [name for _, name in self.by_timestamp]
        place = names.index(fork) if fork in names else 0
        return names[place - 1] if place > 0 else None


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
            return Schedule(((0, LAST_OF_WORK),), ((0, fork),), 0)
        return Schedule(((0, fork),), dao_block=0 if fork == "DAOFork" else None)
    before = _fork(match["before"], name)
    after = _fork("DAOFork" if match["after"] == "Dao" else match["after"], name)
    if match["time"]:
        begin = int(match["time"]) * (1000 if match["thousands"] else 1)
        return Schedule(((0, LAST_OF_WORK),), ((0, before), (begin, after)), 0)
    if match["difficulty"]:
        return Schedule(((0, before),), ((0, after),), int(match["difficulty"], 16))
    begin = int(match["number"])
    return Schedule(((0, before), (begin, after)), dao_block=begin if after == "DAOFork" else None)


def _fork(name: str, network: str) -> str:
    try:
        return FORKS[fork_index(name)].mainnet_name
    except ValueError:
        raise UnusableInput(f"network: {network!r} is not one that evmcore knows") from None
