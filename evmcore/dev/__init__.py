"""A chain for development and tests: blocks are made at once, and everything of its past can be looked at.

Start with `DevChain(accounts={…})`, `chain.send(transaction)` and `chain.call(…)`.
"""

from .chain import DevBlock, DevChain
from .errors import BlockNotFound, ExecutionFailed, TransactionNotFound
from .system_contracts import system_contracts

__all__ = ["BlockNotFound", "DevBlock", "DevChain", "ExecutionFailed", "TransactionNotFound", "system_contracts"]
