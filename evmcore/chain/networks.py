"""Mainnet and its test networks: when each of their forks began, so that a block's fork follows from chain, number and timestamp.

The times are those of go-ethereum's chain configurations. What isn't scheduled yet isn't here: Amsterdam has begun on Sepolia alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UnusableInput
from .schedule import Schedule

__all__ = ["NETWORKS", "Network", "fork_of_block", "known_network"]


@dataclass(frozen=True, slots=True)
class Network:
    """A public chain.

    schedule     when its forks begin; its chain id
    merge_block  number of its first block of proof of stake
    """

    name: str
    schedule: Schedule
    merge_block: int

    def fork_at(self, number: int, timestamp: int) -> str:
        """The fork of a block, by mainnet's name."""
        total_difficulty = self.schedule.terminal_total_difficulty or 0
        return self.schedule.fork_at(number, timestamp, total_difficulty if number >= self.merge_block else -1)


# Of mainnet's forks by number; those that came with Frontier's rules or the same block are left to their successors.
_MAINNET_BY_NUMBER = (
    (0, "Frontier"),
    (1_150_000, "Homestead"),
    (1_920_000, "DAOFork"),
    (2_463_000, "TangerineWhistle"),
    (2_675_000, "SpuriousDragon"),
    (4_370_000, "Byzantium"),
    (7_280_000, "Petersburg"),
    (9_069_000, "Istanbul"),
    (9_200_000, "MuirGlacier"),
    (12_244_000, "Berlin"),
    (12_965_000, "London"),
    (13_773_000, "ArrowGlacier"),
    (15_050_000, "GrayGlacier"),
)

NETWORKS = (
    Network(
        "mainnet",
        Schedule(
            _MAINNET_BY_NUMBER,
            (
                (1681338455, "Shanghai"),
                (1710338135, "Cancun"),
                (1746612311, "Prague"),
                (1764798551, "Osaka"),
                (1765290071, "BPO1"),
                (1767747671, "BPO2"),
            ),
            58_750_000_000_000_000_000_000,
            1,
            dao_block=1_920_000,
        ),
        15_537_394,
    ),
    Network(
        "sepolia",
        Schedule(
            ((0, "London"),),
            (
                (1677557088, "Shanghai"),
                (1706655072, "Cancun"),
                (1741159776, "Prague"),
                (1760427360, "Osaka"),
                (1761017184, "BPO1"),
                (1761607008, "BPO2"),
                (1791294816, "Amsterdam"),
            ),
            17_000_000_000_000_000,
            11_155_111,
        ),
        1_450_409,
    ),
    Network(
        "holesky",
        Schedule(
            ((0, "London"),),
            (
                (1696000704, "Shanghai"),
                (1707305664, "Cancun"),
                (1740434112, "Prague"),
                (1759308480, "Osaka"),
                (1759800000, "BPO1"),
                (1760389824, "BPO2"),
            ),
            0,
            17_000,
        ),
        0,
    ),
    Network(
        "hoodi",
        Schedule(
            ((0, "London"),),
            (
                (0, "Cancun"),
                (1742999832, "Prague"),
                (1761677592, "Osaka"),
                (1762365720, "BPO1"),
                (1762955544, "BPO2"),
            ),
            0,
            560_048,
        ),
        0,
    ),
)


def known_network(chain: int | str) -> Network:
    """A public chain by its id or its name, in any case. Raises UnusableInput for any other."""
    for network in NETWORKS:
        if chain == network.schedule.chain_id or (isinstance(chain, str) and chain.lower() == network.name):
            return network
    names = ", ".join(f"{network.name} ({network.schedule.chain_id})" for network in NETWORKS)
    raise UnusableInput(f"chain: {chain!r} is not one whose forks evmcore knows; those are {names}")


def fork_of_block(chain: int | str, number: int, timestamp: int) -> str:
    """The fork of a block of a public chain, by mainnet's name: for `Header(fork=…)`. Raises UnusableInput for another chain."""
    return known_network(chain).fork_at(number, timestamp)
