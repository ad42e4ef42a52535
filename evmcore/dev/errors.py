"""What a DevChain doesn't have, and executions that came to nothing."""

from __future__ import annotations

from ..errors import EvmError, ExecutionFailed
from ..hexadecimal import shown

__all__ = ["BlockNotFound", "ExecutionFailed", "StateNotKept", "TransactionNotFound"]


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


class StateNotKept(EvmError, LookupError):
    """The state after a block was let go of (`DevChain.states_kept`). `.number` is the block's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"the state after block {self.number} is not kept"


def _named(value: object) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else shown(value)
