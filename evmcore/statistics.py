"""How the work on a block went: counts and times, which no result depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["BlockStatistics", "Strategy"]

# What `execute_block` may be told of how to go about a block; `_core.STRATEGIES` has the same.
Strategy = Literal["auto", "sequential", "groups", "optimistic", "recorded", "recorded-hint", "listed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockStatistics:
    """How `execute_block` went about a block. Gas is in gas units, times in seconds; None: there was nothing to measure.

    strategy               that was used: what "auto" chose, "sequential" where the block needs its order
    workers                threads that executed it
    transactions           in the block
    gas_used               by the block
    executions             of transactions, aborted ones included
    aborted                executions whose read set failed validation
    aborted_gas            gas used by aborted executions
    rebased                transactions that validated although a balance or slot that they only add to had changed
    rebased_slots          of these: those with such a slot
    fallback_transactions  executed by the sequential fallback
    parked                 how often a transaction waited for an earlier one that it was predicted to conflict with
    recover_seconds        that all workers took together for senders that were not known
    execute_seconds        wall time, from the first system call to the last change of the state
    busy_seconds           that each worker was at work; empty for "sequential" and "groups"
    mismatch               index of the first transaction that did otherwise than the accesses given; None: none did
    critical_path_gas      gas of the longest chain of transactions that depend on each other, where accesses were recorded
    speedup_bound          gas_used / critical_path_gas: no number of workers makes the block faster than that
    list_roots_seconds     for the roots of receipts and transactions, once one of them was asked for
    state_root_seconds     for the state root, once it was asked for
    fetched_batches        asked of the source of a lazy state
    fetched_keys           accounts and slots in these batches
    """

    strategy: Strategy
    workers: int
    transactions: int
    gas_used: int
    executions: int = 0
    aborted: int = 0
    aborted_gas: int = 0
    rebased: int = 0
    rebased_slots: int = 0
    fallback_transactions: int = 0
    parked: int = 0
    recover_seconds: float = 0.0
    execute_seconds: float = 0.0
    busy_seconds: tuple[float, ...] = ()
    mismatch: int | None = None
    critical_path_gas: int | None = None
    speedup_bound: float | None = None
    list_roots_seconds: float | None = None
    state_root_seconds: float | None = None
    fetched_batches: int | None = None
    fetched_keys: int | None = None
