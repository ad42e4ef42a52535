"""How the work on a block went: counts and times that no result depends on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class BlockStatistics:
    """What `execute_block` did. Also a read-only mapping of its fields: `statistics["aborted"]`, `dict(statistics)`.

    strategy, workers        as they were: what "auto" chose, 1 for a sequential block
    transactions             in the block
    gas_used                 by the block
    executions               of transactions, aborted ones included
    aborted                  executions whose read set failed validation
    aborted_early            of these, found before the transaction was at the commit index
    aborted_while_executing  of these, stopped before they ended
    aborted_gas              gas used by aborted executions
    rebased                  transactions that validate although a balance or slot that they change has changed
    rebased_slots            of these, those with such a slot
    fallback_transactions    executed by the sequential fallback
    execute_seconds          of the execution, from the first system call to the last change of the state
    busy_seconds             of each worker at work; empty for a sequential block
    recover_seconds          of all workers, for senders that were not known
    mismatch                 the first transaction that did not do what the given accesses say; None: none did not
    critical_path_gas        of the longest chain of dependent transactions, in a recorded block; else None
    speedup_bound            gas_used / critical_path_gas
    list_roots_seconds       of the roots of receipts and transactions, once they were asked for
    state_root_seconds       of the state root, once it was asked for
    batches, keys            fetched from the source of a lazy state
    """

    strategy: str
    workers: int
    transactions: int
    gas_used: int
    executions: int = 0
    aborted: int = 0
    aborted_early: int = 0
    aborted_while_executing: int = 0
    aborted_gas: int = 0
    rebased: int = 0
    rebased_slots: int = 0
    fallback_transactions: int = 0
    execute_seconds: float = 0.0
    busy_seconds: tuple[float, ...] = ()
    recover_seconds: float = 0.0
    mismatch: int | None = None
    critical_path_gas: int | None = None
    speedup_bound: float | None = None
    list_roots_seconds: float | None = None
    state_root_seconds: float | None = None
    batches: int | None = None
    keys: int | None = None

    def __getitem__(self, name: str) -> Any:
        if name not in _NAMES:
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)


_NAMES = tuple(field.name for field in fields(BlockStatistics))
