"""eth_config: which forks a chain has, with what they have (EIP-7910)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ..._core import PRECOMPILES, SYSTEM_ADDRESSES, fork_includes
from ...chain.networks import fork_id, known_network
from ...chain.schedule import blob_limits, rules_of
from ...dev import DevChain
from ...errors import UnusableInput
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
    if chain.first or node.fork is not None:
        return {"current": _continued(chain), "next": None, "last": None}
    begins = _begins(chain)
    reached = [at for at, (begin, _) in enumerate(begins) if begin <= header.timestamp]
    now = reached[-1] if reached else None
    if now is None:
        current = _of_chain(chain, 0, header.fork)
        following = begins
    else:
        current = _of_chain(chain, *begins[now])
        following = begins[now + 1 :]
    return {
        "current": current,
        "next": _of_chain(chain, *following[0]) if following else None,
        "last": _of_chain(chain, *following[-1]) if following else None,
    }


def _continued(chain: DevChain) -> dict[str, Any]:
    """The fork of a chain that goes on from another's block: its rules hold for good. When they began and the identifier are those of the
    public chain where that has them at the block, else null: from there nothing before the block is known."""
    first = chain.block("earliest").header
    begin = identifier = None
    with suppress(UnusableInput):
        network = known_network(first.chain_id)
        begin = network.begin_of(first.fork, first.timestamp)
        identifier = None if begin is None else network.fork_id(begin)
    return _fork_json(chain, begin, first.fork, identifier)


def _begins(chain: DevChain) -> list[tuple[int, str]]:
    """(timestamp, fork), … of the forks by time; of a chain whose forks come by number there are none."""
    schedule = chain.schedule
    return [] if schedule is None else [(begin, name) for begin, name in schedule.by_timestamp]


def _of_chain(chain: DevChain, begin: int, fork: str) -> dict[str, Any]:
    return _fork_json(chain, begin, fork, _fork_id(chain, begin))


def _fork_json(chain: DevChain, begin: int | None, fork: str, identifier: bytes | None) -> dict[str, Any]:
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
        "forkId": None if identifier is None else to_hex(identifier),
        "precompiles": dict(sorted(precompiles.items())),
        "systemContracts": dict(sorted(contracts.items())),
    }


def _fork_id(chain: DevChain, until: int) -> bytes:
    """That of the forks that have begun by a time."""
    schedule, genesis = chain.schedule, chain.block("earliest")
    numbers = schedule.by_number if schedule is not None else chain.forks
    times = (
        [] if schedule is None else [begin for begin, _ in schedule.by_timestamp if begin > genesis.header.timestamp]
    )
    return fork_id(genesis.hash, (begin for begin, _ in numbers), times, until)


ROWS = rows(("eth_config", config))
