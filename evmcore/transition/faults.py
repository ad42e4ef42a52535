"""What ends a transition, with the exit status that go-ethereum gives it."""

from __future__ import annotations

from ..errors import EvmError

__all__ = ["CONFIG", "EVM", "IO", "JSON", "MISSING_BLOCK_HASH", "TransitionFault"]

EVM = 2  # the execution itself
CONFIG = 3  # a fork that isn't known, a member of the environment that its rules need
MISSING_BLOCK_HASH = 4
JSON = 10  # input that isn't JSON, or not of the form
IO = 11  # files that can't be read or written; RLP that is none


class TransitionFault(EvmError):
    """The transition can't be made. `code` is the exit status: 2 EVM, 3 configuration, 4 block hash, 10 JSON, 11 files."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
