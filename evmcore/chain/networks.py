"""Mainnet and its test networks: when each of their forks began, so that a block's fork follows from chain, number and timestamp.

The times are those of go-ethereum's chain configurations. What isn't scheduled yet isn't here: Amsterdam has begun on Sepolia alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import UnusableInput
from .schedule import FIRST_OF_STAKE, Schedule

__all__ = ["NETWORKS", "Network", "fork_id", "fork_of_block", "known_network"]


@dataclass(frozen=True, slots=True)
class Network:
    """A public chain.

    schedule      when its forks begin; its chain id
    merge_block   number of its first block of proof of stake
    genesis_hash  of its first block
    id_blocks     of its fork identifiers (EIP-2124): the blocks, not those of the genesis, that are in them
    """

    name: str
    schedule: Schedule
    merge_block: int
    genesis_hash: bytes
    id_blocks: tuple[int, ...] = ()

    def begin_of(self, fork: str, timestamp: int) -> int | None:
        """The timestamp at which a fork began, 0 for Paris; None where at `timestamp` it isn't the chain's, or came by number before Paris."""
        begun = [(begin, name) for begin, name in self.schedule.by_timestamp if begin <= timestamp]
        begin, name = begun[-1] if begun else (0, FIRST_OF_STAKE)
        return begin if name == fork else None

    def fork_id(self, timestamp: int) -> bytes:
        """The 4 bytes of EIP-2124 once the forks up to a timestamp have begun, and those by number."""
        return fork_id(self.genesis_hash, self.id_blocks, (begin for begin, _ in self.schedule.by_timestamp), timestamp)

    def fork_at(self, number: int, timestamp: int) -> str:
        """The fork of a block, by mainnet's name."""
        total_difficulty = self.schedule.terminal_total_difficulty or 0
        return self.schedule.fork_at(number, timestamp, total_difficulty if number >= self.merge_block else -1)


def fork_id(genesis_hash: bytes, blocks: Iterable[int], times: Iterable[int], timestamp: int) -> bytes:
    """EIP-2124's checksum of a genesis, the numbers of all forks after it, and the times of those that have begun."""
    checksum = zlib.crc32(genesis_hash)
    for begin in (*sorted({*blocks} - {0}), *sorted({begin for begin in times if 0 < begin <= timestamp})):
        checksum = zlib.crc32(begin.to_bytes(8, "big"), checksum)
    return checksum.to_bytes(4, "big")


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
        bytes.fromhex("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"),
        tuple(begin for begin, _ in _MAINNET_BY_NUMBER),
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
        bytes.fromhex("25a5cc106eea7138acab33231d7160d69cb777ee0c2c553fcddf5138993e6dd9"),
        (1_735_371,),  # where clients of other chains parted
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
        bytes.fromhex("b5f7f912443c940f21fd611f12828d75b534364ed9e95ca4e307729a4661bde4"),
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
        bytes.fromhex("bbe312868b376a3001692a646dd2d7d1e4406380dfd86b98aa8a34d1557c971b"),
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
