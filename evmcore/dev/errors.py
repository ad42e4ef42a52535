"""What a DevChain doesn't have, and executions that came to nothing."""

from __future__ import annotations

from ..errors import EvmError, ExecutionFailed
from ..hexadecimal import shown

__all__ = ["BlockNotFound", "ExecutionFailed", "TransactionNotFound"]


class BlockNotFound(EvmError, LookupError):
    """No block has this number, hash or name. `.block` is what was asked for."""

    def __init__(self, block: object) -> None:
        super().__init__(block)
        self.block = block

    def __str__(self) -> str:
        return f"no block {_named(self.block)}"


class TransactionNotFound(EvmError, LookupError):
    """No transaction, mined or pending, has this hash. `.hash` is what was asked for."""

    def __init__(self, transaction_hash: object) -> None:
        super().__init__(transaction_hash)
        self.hash = transaction_hash

    def __str__(self) -> str:
        return f"no transaction {_named(self.hash)}"


def _named(value: object) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else shown(value)
