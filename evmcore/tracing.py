"""Tracing: what a run does, instruction by instruction, as EIP-3155 lines or told to a Python object.

`run`, `call`, `transact` and `execute_block` take a `tracer`: an `Eip3155`, which writes lines to a stream, or any object that
has some of the methods of `Tracer`. An exception in a tracer stops the run, which then raises it, with the state as before.

`Eip3155` and `Recorder` serve one run at a time: a second one meanwhile, in another thread or within the first, is an `EvmError`.
Other objects may serve several. Their methods are called in the thread of each run, with the GIL, and what they are told of
the runs comes interleaved, as those threads take turns.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from ._core import LineTracer, SingleRun

if TYPE_CHECKING:
    from ._core import Transaction
    from .receipt import Receipt

__all__ = ["CallEnd", "CallStart", "Eip3155", "Recorder", "Step", "Tracer"]


class Step(NamedTuple):
    """One instruction: as things were before it ran, with what it cost and whether it failed."""

    pc: int
    op: int
    name: str  # in the table of opcodes; "0x0c" where that has none
    depth: int  # 1: the outermost frame
    gas: int
    gas_cost: int  # of a call: with the gas that it hands on, not the stipend; of a creation: without
    refund: int  # the counter afterwards, as go-ethereum shows it; may be below zero within a frame
    memory_size: int  # bytes
    address: bytes  # the account whose storage is used
    stack: tuple[int, ...] | None  # the lowest item first; None if the tracer doesn't want it
    memory: bytes | None
    return_data: bytes | None  # of the last call that the frame made
    error: str | None  # "out of gas", "revert" …
    reservoir: int = 0  # state gas that is left beside `gas`, for all frames; 0 before Amsterdam (EIP-8037)
    state_gas: int = 0  # that the transaction has used, less what came back; may be below zero within a frame


class CallStart(NamedTuple):
    """A call or creation that begins, that of the transaction included."""

    kind: str  # CALL, CALLCODE, DELEGATECALL, STATICCALL, CREATE or CREATE2
    depth: int  # 1: the outermost frame
    caller: bytes
    address: bytes  # the account whose storage is used
    code_address: bytes  # the account whose code runs, or a precompile
    value: int  # wei
    gas: int  # with the stipend
    input: bytes  # call data or init code
    is_static: bool


class CallEnd(NamedTuple):
    """How a call or creation ended."""

    depth: int
    gas_used: int
    output: bytes  # of a creation: the code of the new account
    error: str | None


class Tracer:
    """Base of tracers in Python; methods that a subclass doesn't define cost nothing.

    A step is told once its cost is known: before the next one of its frame, before what it calls begins, and when its frame
    ends. So steps come in the order in which they ran.
    """

    wants_opcodes: Iterable[int | str] | None = (
        None  # `on_step` is told of these alone, by number or name; None: of all
    )
    wants_addresses: Iterable[bytes | str] | None = None  # and in frames that use the storage of these accounts alone
    wants_stack: bool = True
    wants_memory: bool = False
    wants_return_data: bool = True

    def on_enter(self, start: CallStart) -> None:
        """A call or creation begins; precompiles and accounts without code are calls too."""

    def on_step(self, step: Step) -> None:
        """An instruction has run."""

    def on_exit(self, end: CallEnd) -> None:
        """The call or creation that began last and hasn't ended yet has ended."""

    def on_transaction_start(self, index: int, transaction: Transaction) -> None:
        """`execute_block` begins with a transaction; the system calls before the first and after the last are not traced."""

    def on_transaction_end(self, index: int, receipt: Receipt) -> None:
        """`execute_block` has executed it: what it did is in the state. One that may not be included has no end."""


class Recorder(Tracer, SingleRun):
    """Keeps the steps of its runs in `steps`. One run at a time."""

    def __init__(self, *, memory: bool = False) -> None:
        self.wants_memory = memory
        self.steps: list[Step] = []

    def on_step(self, step: Step) -> None:
        self.steps.append(step)


class Eip3155(LineTracer):
    """Writes a line an instruction, one more when the outermost frame ends, and with `finish` the summary of a state test.

    stream       a text or binary file, open for writing
    stack, memory, return_data   whether lines show them
    inner_exits  whether each frame that ends gets its line {"output", "gasUsed"[, "error"]}
    geth         whether lines are those of go-ethereum's `evm`: its words for errors, two lines for an instruction whose fault shows
                 when it runs, a line for each frame that ends, calls that are refused and SELFDESTRUCT included
    frames       with `geth`: also a line {"from", "to", "gas", "value", "type"} for each frame that begins

    Values are those before the instruction; `gasCost` of a call includes the gas that it hands on, that of a creation
    doesn't, and `refund` includes what the instruction itself gave back: all as in go-ethereum. `error` is there only if the instruction ended its frame without
    success. From Amsterdam on lines have `reservoir` and `stateGas`, too, the state gas that is left and that is used (EIP-8037). Lines are written in large pieces, the last when the run ends. Source: EIP-3155.
    """

    def finish(
        self,
        *,
        state_root: bytes,
        passed: bool,
        output: bytes = b"",
        gas_used: int = 0,
        fork: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """Write the summary: one line with the state root after the transaction."""
        line: dict[str, object] = {
            "stateRoot": "0x" + state_root.hex(),
            "output": output.hex(),
            "gasUsed": hex(gas_used),
            "pass": passed,
        }
        if time_ns is not None:
            line["time"] = time_ns
        if fork is not None:
            line["fork"] = fork
        self.write_line(json.dumps(line, separators=(",", ":")))
