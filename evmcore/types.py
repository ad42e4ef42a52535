"""The plain values of evmcore in one place: what goes into an execution and what comes out.

All of them are frozen but `Block`, whose parts are. Quantities are int, bytes are bytes, addresses are 20 bytes (and may
be given as "0x…"). `State`, `Transaction` and `BlockResult` are the core's own, in `evmcore._core`.
"""

from .block import Block, Expected
from .header import Header, Withdrawal
from .hexadecimal import to_address
from .ranges import BlockSummary
from .receipt import Account, CallResult, Log, Receipt
from .statistics import BlockStatistics, Strategy

__all__ = [
    "Account",
    "Block",
    "BlockStatistics",
    "BlockSummary",
    "CallResult",
    "Expected",
    "Header",
    "Log",
    "Receipt",
    "Strategy",
    "Withdrawal",
    "to_address",
]
