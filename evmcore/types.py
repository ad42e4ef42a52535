"""The plain values of evmcore in one place: what goes into an execution and what comes out.

All of them are frozen but `Block`, whose parts are. Quantities are int, bytes are bytes, addresses are 20 bytes (and may
be given as "0x…"). `State`, `Transaction` and `BlockResult` are the core's own, in `evmcore._core`.
"""

from typing import TYPE_CHECKING, Any

from .block import Block, Expected
from .header import Header, Overrides, Withdrawal
from .hexadecimal import to_address
from .receipt import Account, CallResult, Log, Receipt
from .statistics import BlockStatistics, Strategy

if TYPE_CHECKING:
    from .ranges import BlockSummary

__all__ = [
    "Account",
    "Block",
    "BlockStatistics",
    "BlockSummary",
    "CallResult",
    "Expected",
    "Header",
    "Log",
    "Overrides",
    "Receipt",
    "Strategy",
    "Withdrawal",
    "to_address",
]


def __getattr__(name: str) -> Any:
    """BlockSummary, whose module takes as long to import as the others here together, once it is asked for."""
    if name != "BlockSummary":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .ranges import BlockSummary

    globals()[name] = BlockSummary
    return BlockSummary
