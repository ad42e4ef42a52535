"""A run as NumPy arrays: its calls, its steps, its counts. The rows are core/vm/trace_log.hpp's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .._core import OPCODES, STATUSES, TraceLog

__all__ = [
    "CALL_DTYPE",
    "LOG_DTYPE",
    "NO_ROW",
    "OPCODE_NAMES",
    "OPCODE_NUMBERS",
    "STEP_DTYPE",
    "Memories",
    "Stacks",
    "Trace",
]

NO_ROW = 2**32 - 1  # `parent` of a transaction's own call
OPCODE_NAMES: dict[int, str] = {opcode.number: opcode.name for opcode in OPCODES}
OPCODE_NUMBERS: dict[str, int] = {opcode.name: opcode.number for opcode in OPCODES}
STATUS_NAMES = tuple(row.name for row in STATUSES)


def _dtype(size: int, fields: dict[str, tuple[str, int]]) -> np.dtype[Any]:
    formats = [form for form, _ in fields.values()]
    offsets = [offset for _, offset in fields.values()]
    return np.dtype({"names": list(fields), "formats": formats, "offsets": offsets, "itemsize": size})


# A call, creation or SELFDESTRUCT, refused ones included. Of a SELFDESTRUCT `address` is the beneficiary. `op` is CALL … CREATE2 or
# SELFDESTRUCT; `status` a place in STATUSES; begins and sizes are for Trace.input and Trace.output; `last_op` is the
# instruction that ended its frame, `last_stack` how many items were on the stack then, `last_status` how it ended it (of a creation SUCCESS where its
# code could not be kept), `had_gas` whether gas was not overdrawn.
CALL_DTYPE = _dtype(
    176,
    {
        "input_begin": ("<u8", 0), "input_size": ("<u8", 8), "output_begin": ("<u8", 16), "output_size": ("<u8", 24),
        "gas": ("<i8", 32), "gas_used": ("<i8", 40), "parent": ("<u4", 48), "transaction": ("<u4", 52),
        "value": ("V32", 56), "caller": ("V20", 88), "address": ("V20", 108), "code_address": ("V20", 128),
        "depth": ("<u2", 148), "op": ("u1", 150), "status": ("u1", 151), "is_static": ("?", 152), "is_precompile": ("?", 153),
        "last_stack": ("<u2", 154), "last_op": ("u1", 156), "last_status": ("u1", 157), "had_gas": ("?", 158),
        "memory_begin": ("<u8", 160), "memory_size": ("<u8", 168),
    },
)  # fmt: skip
# An instruction: gas, memory size (bytes) and stack before it; `gas_cost` of a call with what it hands on, of a creation without; `refund`
# afterwards; `reservoir` and `state_gas` before it as `TraceStep` has them (EIP-8037); `call` the row of its frame; `status` SUCCESS, REVERT or a halt where it ended the frame, else RUNNING.
STEP_DTYPE = _dtype(
    64,
    {
        "gas": ("<i8", 0), "gas_cost": ("<i8", 8), "refund": ("<i8", 16), "reservoir": ("<i8", 24), "state_gas": ("<i8", 32),
        "pc": ("<u4", 40), "call": ("<u4", 44), "memory_size": ("<u4", 48), "stack_size": ("<u2", 52), "stack_kept": ("<u2", 54),
        "depth": ("<u2", 56), "op": ("u1", 58), "status": ("u1", 59),
    },
)  # fmt: skip
# Whose log it is, of those that were kept: the row of the call, and how many calls its frame had made before.
LOG_DTYPE = np.dtype([("call", "<u4"), ("position", "<u4")])
_HASH_DTYPE = np.dtype([("call", "<u4"), ("size", "<u4")])


class Trace(TraceLog):
    """Records a run natively: its calls always, and what else is wanted. Each run forgets the one before.

    steps      whether instructions are recorded, a row of 64 bytes each
    stack      how many of the topmost stack items each step keeps, 32 bytes each; None: all
    memory     whether each step keeps a copy of the memory: may be very much
    opcodes    only steps of these instructions, by name or number; None: all
    addresses  only steps of frames that use the storage of these accounts; None: all
    depth      only steps of frames down to this depth, the outermost is 1; or (first, last)
    limit      how many steps are kept; `steps_left_out` says how many more there were. None: all
    counts     whether it is counted how often each instruction was executed
    data       whether inputs and outputs of calls are kept
    skip       how many of the steps that are wanted are left out, from the first on
    hashes     how many bytes an input of KECCAK256 may have to be kept; 0: none is
    last_memory  whether the memory is kept that each frame had as it ended

    `limit_bytes` may be set: a run that would leave more ends with ResourceLimit, and keeps nothing.

    Without steps and counts the machine runs its plain loop. What instructions cost and find is in the arrays' rows (STEP_DTYPE, CALL_DTYPE).
    """

    def __init__(
        self,
        *,
        steps: bool = False,
        stack: int | None = None,
        memory: bool = False,
        opcodes: Iterable[int | str] | None = None,
        addresses: Iterable[bytes | str] | None = None,
        depth: int | tuple[int, int] | None = None,
        limit: int | None = None,
        counts: bool = False,
        data: bool = True,
        skip: int = 0,
        hashes: int = 0,
        last_memory: bool = False,
    ) -> None:
        numbers = None if opcodes is None else [_number(opcode) for opcode in opcodes]
        super().__init__(
            steps=steps,
            stack=stack,
            memory=memory,
            opcodes=numbers,
            addresses=addresses,
            depth=depth,
            limit=limit,
            counts=counts,
            data=data,
            skip=skip,
            hashes=hashes,
            last_memory=last_memory,
        )
        self.wants_steps, self.wants_memory = steps, memory

    @property
    def calls(self) -> np.ndarray:
        """The calls in the order in which they began: an array of CALL_DTYPE."""
        return np.frombuffer(self.call_rows(), CALL_DTYPE)

    @property
    def steps(self) -> np.ndarray:
        """The steps in their order: an array of STEP_DTYPE."""
        return np.frombuffer(self.step_rows(), STEP_DTYPE)

    @property
    def logs(self) -> np.ndarray:
        """Whose the logs are, in the receipts' order: an array of LOG_DTYPE."""
        return np.frombuffer(self.log_rows(), LOG_DTYPE)

    @property
    def counts(self) -> dict[str, int]:
        """How often each instruction was executed, by name; instructions that no fork has as "0x0c"."""
        return {
            OPCODE_NAMES.get(number, f"0x{number:02x}"): count
            for number, count in enumerate(self.opcode_counts())
            if count
        }

    def input(self, call: np.void) -> bytes:
        """The call data or init code of a row of `calls`."""
        return self.data(int(call["input_begin"]), int(call["input_size"]))

    def output(self, call: np.void) -> bytes:
        """What it returned or reverted with; of a creation the new code."""
        return self.data(int(call["output_begin"]), int(call["output_size"]))

    def last_memory(self, call: np.void) -> bytes:
        """The memory that the frame of a row of `calls` had as it ended, if it was wanted. Growth by its last instruction counts."""
        begin = int(call["memory_begin"])
        return self.last_memories()[begin : begin + int(call["memory_size"])]

    def preimages(self) -> list[bytes]:
        """What KECCAK256 hashed, in the order in which it did: inputs of at most `hashes` bytes."""
        sizes = np.frombuffer(self.hash_rows(), _HASH_DTYPE)["size"]
        kept, ends = self.hashed(), np.cumsum(sizes, dtype=np.int64)
        return [kept[int(end) - int(size) : int(end)] for end, size in zip(ends, sizes)]

    def stacks(self) -> Stacks:
        """What steps have kept of their stacks, by the step's place: lists of numbers, the top last."""
        return Stacks(self)

    def memory_of_steps(self) -> Memories:
        """The memory before each step, by the step's place, if it was wanted."""
        return Memories(self)


class Stacks:
    """A list of stacks, made of the words that a trace has kept. `words` are the items, 32 bytes each, little-endian."""

    def __init__(self, trace: Trace) -> None:
        self.words = trace.words()
        self._ends = 32 * np.cumsum(trace.steps["stack_kept"], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, step: int) -> list[int]:
        begin = int(self._ends[step - 1]) if step else 0
        return [int.from_bytes(self.words[at : at + 32], "little") for at in range(begin, int(self._ends[step]), 32)]


class Memories:
    """A list of memories, made of what a trace has kept."""

    def __init__(self, trace: Trace) -> None:
        self._bytes = trace.memories()
        self._ends = np.cumsum(
            trace.steps["memory_size"] if trace.wants_memory else np.zeros(0, np.int64), dtype=np.int64
        )

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, step: int) -> bytes:
        return self._bytes[int(self._ends[step - 1]) if step else 0 : int(self._ends[step])]


def _number(opcode: int | str) -> int:
    if not isinstance(opcode, str):
        return opcode
    try:
        return OPCODE_NUMBERS[opcode.upper()]
    except KeyError:
        raise ValueError(f"opcodes: {opcode!r} is not the name of an instruction") from None
