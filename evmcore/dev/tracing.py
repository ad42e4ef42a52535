"""Traces of a DevChain's transactions: each is executed again, on the state before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._core import State, Transaction
from ..block_builder import BlockBuilder
from ..estimation import SIMULATED
from ..header import Header

if TYPE_CHECKING:
    from .chain import DevBlock, DevChain

__all__ = ["LET_IN", "advanced", "begun", "trace_call", "trace_sent"]

# A transaction of the chain was let in: what isn't looked at again.
LET_IN = {"sender_code": False, "chain_id": False, "block_gas": False}


def begun(chain: DevChain, block: DevBlock) -> BlockBuilder:
    """A block in the making that is a mined one, not the first, before its transactions."""
    return BlockBuilder(block.header, chain.block(block.number - 1).state)


def advanced(builder: BlockBuilder, transactions: Sequence[Transaction]) -> State:
    """The state after the first transactions of a block that was begun."""
    for one in transactions:
        builder.add(one, checks=LET_IN)
    return builder.state


def trace_sent(chain: DevChain, transaction_hash: bytes, tracer: str | None, config: Mapping[str, Any] | None) -> Any:
    """What go-ethereum's tracer says of a mined or pending transaction."""
    from ..traces import trace_transaction

    block, index, transaction, _ = chain.transaction(transaction_hash)
    if block is not None:
        header, others = block.header, block.block.transactions
        builder = begun(chain, block)
    else:
        header, others = chain.pending.header, tuple(chain.pending.transactions)
        builder = BlockBuilder(header, chain.head.state)
    state = advanced(builder, others[:index])
    return trace_transaction(transaction, state, header, tracer=tracer, config=config, index=index, checks=LET_IN)[0]


def trace_call(
    transaction: Transaction, state: State, header: Header, tracer: str | None, config: Mapping[str, Any] | None
) -> Any:
    """What it says of a transaction that is not sent."""
    from ..traces import trace_transaction

    return trace_transaction(transaction, state, header, tracer=tracer, config=config, checks=SIMULATED)[0]
