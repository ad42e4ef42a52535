"""A block of a DevChain."""

from __future__ import annotations

from dataclasses import dataclass

from .._core import State
from ..block import Block
from ..header import Header
from ..receipt import Receipt
from .errors import StateNotKept

__all__ = ["DevBlock"]


@dataclass(frozen=True, slots=True, eq=False)
class DevBlock:
    """A block of a DevChain, with its receipts and the state after it, if that is kept."""

    block: Block
    receipts: tuple[Receipt, ...]
    kept_state: State | None
    hash: bytes

    @property
    def state(self) -> State:
        """The state after it, which is to be copied, not changed. Raises StateNotKept."""
        if self.kept_state is None:
            raise StateNotKept(self.number)
        return self.kept_state

    @property
    def header(self) -> Header:
        """The block's header."""
        return self.block.header

    @property
    def number(self) -> int:
        """The header's number."""
        return self.block.header.number
