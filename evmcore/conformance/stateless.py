"""Chains whose blocks are executed twice: on the state, which makes their witness, and again on that alone."""

from __future__ import annotations

from .._core import BlockResult, State, execute_block
from ..block import Block
from ..chain.dao import apply_dao_fork
from ..chain.importer import Chain
from ..errors import EvmError
from ..witness import ExecutionWitness

__all__ = ["StatelessChain", "WitnessFault"]


class WitnessFault(Exception):
    """A block came out otherwise from its witness. Not an EvmError: no test wants a block refused for it."""


class StatelessChain(Chain):
    """A chain whose every block makes its witness, forgets the state, and has to have the same result from the witness alone."""

    def _run(self, block: Block, state: State) -> tuple[BlockResult, State]:
        before = state.copy()
        is_dao = block.header.number == self.schedule.dao_block
        if is_dao:
            apply_dao_fork(before)
        root = before.root()
        after = before.copy()
        headers = self._headers_before(block)
        result = execute_block(
            block, after, workers=self.workers, strategy=self.strategy, witness=True, ancestors=headers
        )
        witness = result.witness
        assert witness is not None
        ancestors = witness.ancestors(block.header)
        if not is_dao and ancestors.state_root != root:  # the DAO's accounts are moved before the block
            raise WitnessFault("the parent's state root is not that of the state")
        if ExecutionWitness.from_json(witness.to_json()) != witness:
            raise WitnessFault("the witness is another one after JSON")
        block = block.with_header(block_hashes=ancestors.block_hashes)
        try:
            again = execute_block(
                block, State.from_witness(witness, root), workers=self.workers, strategy=self.strategy
            )
            differences = result.differences(again)
            if self.strategy != "sequential":
                in_order = execute_block(
                    block, before, workers=1, strategy="sequential", witness=True, ancestors=headers
                )
                if in_order.witness != witness:
                    differences.append("witness")
        except EvmError as error:
            raise WitnessFault(f"from the witness alone: {type(error).__name__}: {error}") from None
        if differences:
            raise WitnessFault(f"from the witness alone differs: {', '.join(differences)}")
        return result, after

    def _headers_before(self, block: Block) -> list[bytes]:
        """As many as BLOCKHASH may ask for."""
        headers: list[bytes] = []
        ancestor = self.blocks.get(block.header.parent_hash)
        while ancestor is not None and len(headers) < 256:
            headers.append(ancestor.header.encode())
            ancestor = ancestor.parent
        return headers[::-1]
