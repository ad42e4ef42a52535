"""A transaction with all that is around it once it was executed, for who tells of it afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._core import State, Transaction
    from .header import Header
    from .receipt import Receipt

__all__ = ["Execution"]


@dataclass(frozen=True, slots=True)
class Execution:
    """What was executed: the transaction, its block, the states around it, what came of it, its place in the block."""

    transaction: Transaction
    header: Header
    before: State
    after: State
    receipt: Receipt
    index: int = 0
