"""Bytecode as text: one instruction a line, from the core's own table.

Depends on the opcode rows alone. Any bytes can be disassembled; what is no instruction is shown as what it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, overload

from .hexadecimal import data

__all__ = ["Instruction", "Listing", "disassemble", "opcode_rows"]


@cache
def opcode_rows() -> dict[int, Any]:
    """The rows of opcodes.def by number."""
    from ._core import OPCODES

    return {row.number: row for row in OPCODES}


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, or one byte that is none.

    offset       in bytes, what `pc` is when it runs
    name         "PUSH1"; "UNDEFINED" for a byte that no fork knows, or not the one that was asked for
    immediate    the bytes that belong to it, zeros added where the code ends too early; None if it takes none
    missing      how many of them lie beyond the end of the code
    """

    offset: int
    number: int
    name: str
    immediate: bytes | None = None
    missing: int = 0
    effect: str = ""

    @property
    def size(self) -> int:
        """Bytes in the code."""
        return 1 + len(self.immediate or b"") - self.missing

    def __str__(self) -> str:
        if self.name == "UNDEFINED":
            return f"UNDEFINED 0x{self.number:02x}"
        if self.immediate is None:
            return self.name
        return f"{self.name} 0x{self.immediate.hex()}"


class Listing(Sequence[Instruction]):
    """The instructions of a program, in order; printed, one a line with its offset."""

    def __init__(self, instructions: Sequence[Instruction]) -> None:
        self._instructions = tuple(instructions)

    @overload
    def __getitem__(self, index: int) -> Instruction: ...
    @overload
    def __getitem__(self, index: slice) -> Listing: ...
    def __getitem__(self, index: int | slice) -> Instruction | Listing:
        if isinstance(index, slice):
            return Listing(self._instructions[index])
        return self._instructions[index]

    def __len__(self) -> int:
        return len(self._instructions)

    def __iter__(self) -> Iterator[Instruction]:
        return iter(self._instructions)

    def lines(self) -> Iterator[str]:
        """One line an instruction: offset, text, and what it does to the stack ("before -- after")."""
        width = max(4, len(f"{self._instructions[-1].offset:x}")) if self._instructions else 4
        for instruction in self._instructions:
            text = f"{instruction.offset:0{width}x}  {instruction!s:<20}"
            remark = instruction.effect
            if instruction.missing:
                remark = f"the code ends here: {instruction.missing} of its bytes are zeros"
            yield f"{text}  ; {remark}" if remark else text.rstrip()

    def __str__(self) -> str:
        return "\n".join(self.lines())


def disassemble(code: bytes | str, fork: str | None = None) -> Listing:
    """The instructions of a program.

    code    bytes, or a 0x string
    fork    whose instructions count, by any of its names; None: the newest rows, all of them
    return  a sequence of Instruction that prints as text
    """
    return Listing(list(_instructions(data(code, "code"), fork)))


def _instructions(code: bytes, fork: str | None) -> Iterator[Instruction]:
    from ._core import base_gas

    rows = opcode_rows()
    offset = 0
    while offset < len(code):
        number = code[offset]
        row = rows.get(number)
        if row is None or (fork is not None and base_gas(number, fork) is None):
            yield Instruction(offset, number, "UNDEFINED")
            offset += 1
            continue
        immediate = code[offset + 1 : offset + 1 + row.immediate]
        missing = row.immediate - len(immediate)
        yield Instruction(
            offset,
            number,
            row.name,
            immediate + bytes(missing) if row.immediate else None,
            missing,
            row.effect,
        )
        offset += 1 + row.immediate
