"""A chain for development and tests: blocks are made at once, and everything of its past can be looked at.

Start with `DevChain(accounts={…})`, `chain.send(transaction)` and `chain.call(…)`.
"""

from .block import DevBlock
from .chain import DevChain
from .errors import BlockNotFound, ExecutionFailed, StateNotKept, TransactionNotFound
from .system_contracts import system_contracts

__all__ = [
    "BlockNotFound",
    "DevBlock",
    "DevChain",
    "ExecutionFailed",
    "StateNotKept",
    "TransactionNotFound",
    "system_contracts",
]
