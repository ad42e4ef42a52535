"""Chains whose blocks are executed twice: in order, which makes their access list, and with that beside them."""

from __future__ import annotations

from dataclasses import replace

from .._core import BlockResult, State, execute_block
from ..block import Block
from ..chain.dao import apply_dao_fork
from ..chain.importer import Chain
from ..errors import EvmError, InvalidAccessList

__all__ = ["ListFault", "ListedChain"]


class ListFault(Exception):
    """A block came out otherwise with its list beside it. Not an EvmError: no test wants a block refused for it."""


class ListedChain(Chain):
    """A chain whose every block has to have the same result, state and state root with its own access list (EIP-7928)."""

    def _run(self, block: Block, state: State) -> tuple[BlockResult, State]:
        before = state.copy()
        if block.header.number == self.schedule.dao_block:
            apply_dao_fork(before)
        before.root()  # so that the root follows from it beside the execution
        after, after_listed = before.copy(), before.copy()
        result = execute_block(block, after, workers=1, strategy="sequential", access_list=True)
        assert result.access_list is not None
        if block.header.block_access_list_hash not in (None, result.access_list.hash):
            return result, after  # the chain refuses it
        try:
            listed = execute_block(
                replace(block, access_list=result.access_list), after_listed, workers=self.workers, strategy="listed"
            )
        except EvmError as error:
            if isinstance(error, InvalidAccessList) and error.status == "BLOCK_ACCESS_LIST_SIZE":
                return result, after  # likewise
            raise ListFault(f"with its list: {type(error).__name__}: {error}") from None
        differences = result.differences(listed)
        differences += [
            name
            for name, have, want in (
                ("access list", listed.access_list, result.access_list),
                ("state root", listed.state_root, after.root()),
                ("state", after_listed, after),
            )
            if have != want
        ]
        if differences:
            raise ListFault(f"with its list differs: {', '.join(differences)}")
        return result, after
