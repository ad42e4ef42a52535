"""Traces as arrays, natively recorded, and go-ethereum's answers made of them: call trees, state diffs, step by step.

`Trace` is a tracer: give it to `transact`, `call`, `run` or `execute_block` and read its arrays afterwards. `trace_transaction` executes a
transaction and gives the answer of one of TRACERS, as `debug_traceTransaction` does.
"""

from .answers import TRACERS, Answer, trace_transaction
from .log import CALL_DTYPE, LOG_DTYPE, STEP_DTYPE, Memories, Stacks, Trace
from .reverts import Panic, decode_revert

__all__ = [
    "CALL_DTYPE",
    "LOG_DTYPE",
    "STEP_DTYPE",
    "TRACERS",
    "Answer",
    "Memories",
    "Panic",
    "Stacks",
    "Trace",
    "decode_revert",
    "trace_transaction",
]
