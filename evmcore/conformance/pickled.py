"""Chains whose blocks and states go through pickles: what comes out has to be, and to do, what went in."""

from __future__ import annotations

import pickle
from typing import TypeVar

from .._core import BlockResult, State, execute_block
from ..block import Block
from ..chain.dao import apply_dao_fork
from ..chain.importer import Chain
from ..errors import EvmError

__all__ = ["PickleFault", "PickledChain"]

_Value = TypeVar("_Value", State, Block, BlockResult)


class PickleFault(Exception):
    """Something came out of its pickle otherwise. Not an EvmError: no test wants a block refused for it."""


class PickledChain(Chain):
    """A chain whose every block is executed again with all that it takes unpickled; both results and states have to be the same, pickled, too."""

    def _run(self, block: Block, state: State) -> tuple[BlockResult, State]:
        after = state.copy()
        is_dao = block.header.number == self.schedule.dao_block
        if is_dao:
            apply_dao_fork(after)
        given = block, after.copy()
        result = execute_block(block, after, workers=self.workers, strategy=self.strategy, changes=True)
        try:
            unpickled, after_unpickled = _through(given[0]), _through(given[1])
            again = execute_block(
                unpickled, after_unpickled, workers=self.workers, strategy=self.strategy, changes=True
            )
            differences = {
                "block": unpickled != block or unpickled.hash != block.hash,
                "header's surroundings": unpickled.header.block_hashes != block.header.block_hashes,
                "state": after_unpickled != after,
                "pickled state": _through(after).to_bytes() != after.to_bytes(),
                "state root": again.state_root != result.state_root,
                "changes": again.changes != result.changes,
            }
            pickled = _through(result)
            differences["pickled state root"] = pickled.state_root != result.state_root
            differences["pickled changes"] = pickled.changes != result.changes
            names = [name for name, is_other in differences.items() if is_other]
            names += [*result.differences(again), *(f"pickled {name}" for name in result.differences(pickled))]
        except EvmError as error:
            raise PickleFault(f"after pickling: {type(error).__name__}: {error}") from None
        if names:
            raise PickleFault(f"after pickling differs: {', '.join(names)}")
        return result, after


def _through(value: _Value) -> _Value:
    made: _Value = pickle.loads(pickle.dumps(value))
    return made
