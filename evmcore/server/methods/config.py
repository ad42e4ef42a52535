"""eth_config: which forks a chain has, with what they have (EIP-7910)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

from ..._core import PRECOMPILES, SYSTEM_ADDRESSES, fork_includes
from ...chain.schedule import blob_limits, rules_of
from ...dev import DevChain
from ...hexadecimal import to_hex
from ..node import Node
from .table import rows

# Names that EIP-7910 has otherwise than precompiles.def.
_PRECOMPILE_NAMES = {"ECRECOVER": "ECREC", "IDENTITY": "ID"}
# A rule of forks.def -> the system contract that came with it, as EIP-7910 names it, and as ours are.
_SYSTEM = (
    ("has_beacon_root", "BEACON_ROOTS_ADDRESS", "beacon_roots_contract"),
    ("has_requests", "CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS", "consolidation_contract"),
    ("has_requests", "DEPOSIT_CONTRACT_ADDRESS", "deposit_contract"),
    ("stores_parent_hash", "HISTORY_STORAGE_ADDRESS", "history_contract"),
    ("has_requests", "WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS", "withdrawal_contract"),
    ("has_builder_requests", "BUILDER_DEPOSIT_PREDEPLOY_ADDRESS", "builder_deposit_contract"),
    ("has_builder_requests", "BUILDER_EXIT_PREDEPLOY_ADDRESS", "builder_exit_contract"),
)


def config(node: Node) -> dict[str, Any]:
    """The current fork, the next one and the last that is known; null where there is none."""
    chain = node.chain
    header = chain.head.header
    begins = _begins(chain)
    reached = [at for at, (begin, _) in enumerate(begins) if begin <= header.timestamp]
    now = reached[-1] if reached else None
    if now is None:
        current = _fork_json(chain, 0, header.fork, begins)
        following = begins
    else:
        current = _fork_json(chain, *begins[now], begins)
        following = begins[now + 1 :]
    return {
        "current": current,
        "next": _fork_json(chain, *following[0], begins) if following else None,
        "last": _fork_json(chain, *following[-1], begins) if following else None,
    }


def _begins(chain: DevChain) -> list[tuple[int, str]]:
    """(timestamp, fork), … of the forks by time; of a chain whose forks come by number there are none."""
    schedule = chain.schedule
    return [] if schedule is None else [(begin, name) for begin, name in schedule.by_timestamp]


def _fork_json(chain: DevChain, begin: int, fork: str, begins: list[tuple[int, str]]) -> dict[str, Any]:
    rules = rules_of(fork)
    own = None if chain.schedule is None else chain.schedule.blob_limits_of(fork)
    target, most, fraction = own or blob_limits(rules)
    precompiles = {
        _PRECOMPILE_NAMES.get(row.name, row.name): to_hex(row.address.to_bytes(20, "big"))
        for row in PRECOMPILES
        if fork_includes(fork, row.since)
    }
    contracts = {name: to_hex(SYSTEM_ADDRESSES[ours]) for rule, name, ours in _SYSTEM if getattr(rules, rule)}
    return {
        "activationTime": begin,
        "blobSchedule": {"baseFeeUpdateFraction": fraction, "max": most, "target": target} if rules.has_blobs else None,
        "chainId": hex(chain.chain_id),
        "forkId": to_hex(_fork_id(chain, begin)),
        "precompiles": dict(sorted(precompiles.items())),
        "systemContracts": dict(sorted(contracts.items())),
    }


def checksum_of(genesis_hash: bytes, begins: Iterable[int]) -> bytes:
    """EIP-2124's, 4 bytes, of the genesis and the forks' numbers or times, in order."""
    checksum = zlib.crc32(genesis_hash)
    for begin in begins:
        checksum = zlib.crc32(begin.to_bytes(8, "big"), checksum)
    return checksum.to_bytes(4, "big")


def _fork_id(chain: DevChain, until: int) -> bytes:
    """That of the forks that have begun by a time."""
    schedule = chain.schedule
    numbers = schedule.by_number if schedule is not None else chain.forks
    genesis_time = chain.block("earliest").header.timestamp
    passed = sorted({begin for begin, _ in numbers if begin > 0})
    if schedule is not None:
        passed += sorted({begin for begin, _ in schedule.by_timestamp if genesis_time < begin <= until})
    return checksum_of(chain.block("earliest").hash, passed)


ROWS = rows(("eth_config", config))
