"""Blocks that nobody mines, one on the other, with calls in them: what `eth_simulateV1` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._core import PARAMETERS, State, Transaction
from ..block import Block
from ..block_builder import BlockBuilder
from ..chain.header_rules import base_fee, excess_blob_gas
from ..chain.schedule import BlobLimits, blob_limits, rules_of
from ..errors import EvmError
from ..header import EMPTY_BLOCK_ACCESS_LIST_HASH, EMPTY_TRIE_ROOT, LATER_FIELDS, Header
from ..receipt import Log, Receipt
from .call import Call
from .overrides import AccountOverride, BlockOverride, apply_overrides
from .transfers import log_trace, logs_with_transfers

__all__ = ["SimulatedBlock", "SimulatedCall", "SimulationRefused", "simulate_blocks"]

# go-ethereum's.
MOST_BLOCKS = 256
SECONDS_BETWEEN = 12

# (number, timestamp, total difficulty of the parent) -> fork, and blob limits where they aren't the fork's.
Forks = Callable[[int, int, int], tuple[str, "BlobLimits | None"]]


_AS_IT_IS = BlockOverride()


class SimulationRefused(EvmError):
    """Blocks that can't follow one another. `.reason`: "block_number", "timestamp", "block_gas" or "too_many"."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedBlock:
    """A block to make: what it has otherwise, what the state has otherwise before it, and its calls."""

    block: BlockOverride = _AS_IT_IS
    accounts: Mapping[bytes, AccountOverride] | None = None
    calls: Sequence[Call] = ()


@dataclass(frozen=True, slots=True)
class SimulatedCall:
    """What a call came to. `logs`: (log, index in the block), transfers of value among them where they were wanted."""

    transaction: Transaction
    receipt: Receipt
    logs: tuple[tuple[Log, int], ...]


@dataclass(frozen=True, slots=True)
class _Base:
    header: Header
    hash: bytes
    total_difficulty: int


def simulate_blocks(
    header: Header,
    state: State,
    blocks: Sequence[SimulatedBlock],
    *,
    forks: Forks | None = None,
    total_difficulty: int = 0,
    validation: bool = False,
    trace_transfers: bool = False,
    gas: int = 50_000_000,
) -> list[tuple[Block, list[SimulatedCall]]]:
    """Make blocks on a block, and nothing of them stays.

    header            of the block before, with the hashes of those before it
    state             after that block; it stays as it is
    blocks            numbers that are left out are filled with empty blocks
    forks             None: all are of the header's fork
    total_difficulty  of the block before, where the chain has one
    validation        whether nonces and base fee are held against calls, and blocks have a base fee of their own; else it is 0
    trace_transfers   whether transfers of value are among the logs, as of a token at 0xeeee…
    gas               what all calls together may use
    return            a (Block, calls) for each block, the filled ones included
    raise             SimulationRefused; InvalidTransaction for a call that can't be in its block; UnusableInput for an override
    """
    simulator = _Simulator(state.copy(), forks, validation, trace_transfers, gas)
    base = _Base(header, header.hash, total_difficulty)
    hashes = {**dict(header.block_hashes), header.number: base.hash}
    made = []
    before = header
    for block in _in_order(header, blocks):
        block_header, before = simulator.header_of(block, base, before), before
        block_header = replace(block_header, block_hashes=_recent(hashes, block_header.number))
        closed, calls = simulator.execute(block, block_header)
        made.append((closed, calls))
        before = closed.header
        hashes[before.number] = closed.hash
        base = _Base(before, closed.hash, base.total_difficulty + before.difficulty)
    return made


def _recent(hashes: Mapping[int, bytes], number: int) -> dict[int, bytes]:
    first = number - PARAMETERS["block_hash_window"]
    return {at: value for at, value in hashes.items() if first <= at < number}


def _in_order(header: Header, blocks: Sequence[SimulatedBlock]) -> list[SimulatedBlock]:
    """All blocks that there are to be, each with its number and time."""
    placed: list[SimulatedBlock] = []
    number, timestamp = header.number, header.timestamp

    def put(block: SimulatedBlock, at: int, when: int) -> None:
        placed.append(replace(block, block=replace(block.block, number=at, timestamp=when)))

    for block in blocks:
        wanted = number + 1 if block.block.number is None else block.block.number
        if wanted <= number:
            raise SimulationRefused("block_number", f"block numbers must be in order: {wanted} <= {number}")
        if wanted - header.number > MOST_BLOCKS:
            raise SimulationRefused("too_many", "too many blocks")
        for between in range(number + 1, wanted):
            timestamp += SECONDS_BETWEEN
            put(SimulatedBlock(), between, timestamp)
        when = timestamp + SECONDS_BETWEEN if block.block.timestamp is None else block.block.timestamp
        if when <= timestamp:
            raise SimulationRefused("timestamp", f"block timestamps must be in order: {when} <= {timestamp}")
        put(block, wanted, when)
        number, timestamp = wanted, when
    return placed


class _Simulator:
    def __init__(self, state: State, forks: Forks | None, validation: bool, trace_transfers: bool, gas: int) -> None:
        self.state = state
        self.forks = forks
        self.validation = validation
        self.trace_transfers = trace_transfers
        self.gas_left = gas

    def header_of(self, block: SimulatedBlock, base: _Base, parent: Header) -> Header:
        """A block's header before anything is in it."""
        given = block.block
        assert given.number is not None
        assert given.timestamp is not None
        fork, limits = parent.fork, parent.blob_schedule
        if self.forks is not None:
            fork, limits = self.forks(given.number, given.timestamp, base.total_difficulty)
        rules = rules_of(fork)
        fee = given.base_fee_per_gas
        if fee is None:
            fee = base_fee(parent) if self.validation else 0
        later: dict[str, Any] = {
            "base_fee_per_gas": fee,
            "withdrawals_root": EMPTY_TRIE_ROOT,
            "blob_gas_used": 0,
            "excess_blob_gas": excess_blob_gas(parent, fork, limits or blob_limits(rules)) if rules.has_blobs else None,
            "parent_beacon_block_root": given.parent_beacon_block_root or bytes(32),
            "requests_hash": bytes(32),
            "block_access_list_hash": EMPTY_BLOCK_ACCESS_LIST_HASH,
            "slot_number": (parent.slot_number or 0) + 1,
        }
        header = Header(
            parent_hash=base.hash,
            number=given.number,
            timestamp=given.timestamp,
            coinbase=parent.coinbase,
            gas_limit=parent.gas_limit,
            difficulty=0 if rules.is_proof_of_stake else parent.difficulty,
            fork=fork,
            chain_id=parent.chain_id,
            blob_schedule=limits,
            **{name: later[name] for name, rule in LATER_FIELDS.items() if getattr(rules, rule)},
        )
        return given.apply(header)

    def execute(self, block: SimulatedBlock, header: Header) -> tuple[Block, list[SimulatedCall]]:
        """Make the block on the state, which is then the one after it."""
        if block.accounts:
            header = apply_overrides(self.state, header, block.accounts)
        builder = BlockBuilder(header, self.state)
        calls = []
        log_index = 0
        for call in block.calls:
            made, log_index = self._call(call, builder, log_index)
            calls.append(made)
        closed, _ = builder.close(withdrawals=block.block.withdrawals, access_list=False)
        self.state = builder.state
        return closed, calls

    def _call(self, call: Call, builder: BlockBuilder, log_index: int) -> tuple[SimulatedCall, int]:
        header = builder.header
        left = header.gas_limit - builder.gas_used
        if call.gas is not None and call.gas > left:
            have = builder.gas_used
            raise SimulationRefused("block_gas", f"block gas limit reached: {have} >= {header.gas_limit}")
        transaction = call.transaction(
            nonce=builder.state.get_nonce(call.sender),
            gas=min(left, self.gas_left),
            chain_id=header.chain_id,
            has_dynamic_fees=header.base_fee_per_gas is not None,
        )
        checks = {"sender_code": False, "gas_cap": False, "block_gas": False}
        if not self.validation:
            checks["nonce"] = False
            checks["base_fee"] = call.names_fees
        trace = log_trace()
        receipt = builder.add(transaction, checks=checks, tracer=trace)
        self.gas_left -= receipt.gas_used
        if rules_of(header.fork).logs_transfers:  # they are among the receipt's, by the fork's own rule (EIP-7708)
            logs = [(log, log_index + at) for at, log in enumerate(receipt.logs)]
            return SimulatedCall(transaction, receipt, tuple(logs)), log_index + len(logs)
        logs, log_index = logs_with_transfers(trace, receipt, log_index, has_transfers=self.trace_transfers)
        return SimulatedCall(transaction, receipt, tuple(logs)), log_index
