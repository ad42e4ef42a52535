"""Blocks that others made, executed and checked, with what a DevChain keeps of them."""

from __future__ import annotations

from collections.abc import Iterable

from .._core import BlockResult, State
from ..block import Block
from ..chain.genesis import Genesis
from ..chain.importer import Chain
from .block import DevBlock

__all__ = ["import_blocks"]


class _Recording(Chain):
    """A chain that keeps what its blocks came to. All states are kept: a state is a fork of its parent's."""

    def __init__(self, genesis: Genesis) -> None:
        super().__init__(genesis)
        self.made: dict[bytes, tuple[Block, BlockResult, State]] = {}

    def _run(self, block: Block, state: State) -> tuple[BlockResult, State]:
        result, after = super()._run(block, state)
        self.made[block.hash] = (block, result, after)
        return result, after


def import_blocks(genesis: Genesis, encoded: Iterable[bytes]) -> list[DevBlock]:
    """The blocks of the chain that counts, from the first after the genesis on. Raises what refuses one: InvalidBlock, DecodeError …"""
    chain = _Recording(genesis)
    for block in encoded:
        chain.add(block)
    found = []
    entry = chain.head
    while entry.parent is not None:
        placed, result, state = chain.made[entry.hash]
        found.append(DevBlock(placed, tuple(result.receipts), state, entry.hash))
        entry = entry.parent
    return found[::-1]
