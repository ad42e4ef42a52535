"""Text to bytecode: the instructions' own names, numbers after PUSH, and labels.

    assemble('''
        PUSH 0
    again:                      ; a label is a JUMPDEST with a name
        PUSH 1 ADD
        DUP1 PUSH 10 GT         ; PUSH takes the shortest form that holds its number
        PUSH @again JUMPI
        STOP
    ''')

Words are separated by blanks; `;` starts a comment. PUSH1 … PUSH32 take a number or a label, `0x…` alone is raw bytes.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from .errors import UnusableInput

__all__ = ["assemble", "init_code"]

# A label's address takes two bytes: code is at most 24,576 bytes (EIP-170).
_LABEL_BYTES = 2


@cache
def _rows_by_name() -> dict[str, Any]:
    from ._core import OPCODES

    return {row.name: row for row in OPCODES}


def _number(word: str, line: int) -> int:
    try:
        value = int(word, 0)
    except ValueError:
        raise UnusableInput(f"line {line}: {word!r} is not a number") from None
    # A negative number is its two's complement, as SIGNEXTEND and SDIV read it.
    if not -(1 << 255) <= value < 1 << 256:
        raise UnusableInput(f"line {line}: {word} does not fit 256 bits")
    return value % (1 << 256)


def _words(text: str) -> list[tuple[str, int]]:
    return [
        (word, number)
        for number, line in enumerate(text.splitlines(), 1)
        for word in re.split(r"\s+", line.split(";", 1)[0].strip())
        if word
    ]


def assemble(text: str) -> bytes:
    """The bytecode of a program. Raises UnusableInput, which names the line."""
    rows = _rows_by_name()
    code = bytearray()
    labels: dict[str, int] = {}
    uses: list[tuple[int, str, int]] = []
    words = iter(_words(text))
    for word, line in words:
        if word.endswith(":"):
            if word[:-1] in labels:
                raise UnusableInput(f"line {line}: label {word[:-1]!r} is there twice")
            labels[word[:-1]] = len(code)
            code.append(rows["JUMPDEST"].number)
        elif word[:2] in ("0x", "0X"):
            try:
                code += bytes.fromhex(word[2:])
            except ValueError:
                raise UnusableInput(f"line {line}: {word!r} is not hexadecimal") from None
        elif word.upper() == "PUSH" or (word.upper() in rows and rows[word.upper()].immediate):
            operand, operand_line = next(words, ("", line))
            if not operand:
                raise UnusableInput(f"line {line}: {word} needs a number")
            size = None if word.upper() == "PUSH" else rows[word.upper()].immediate
            if operand.startswith("@"):
                size = _LABEL_BYTES if size is None else size
                uses.append((len(code) + 1, operand[1:], operand_line))
                value = 0
            else:
                value = _number(operand, operand_line)
                # PUSH 0 is PUSH1 0: PUSH0 is not there before Shanghai.
                size = max(1, (value.bit_length() + 7) // 8) if size is None else size
                if value.bit_length() > size * 8:
                    raise UnusableInput(f"line {operand_line}: {operand} does not fit {word}")
            code.append(rows[f"PUSH{size}"].number if word.upper() == "PUSH" else rows[word.upper()].number)
            code += value.to_bytes(size, "big")
        elif word.upper() in rows:
            code.append(rows[word.upper()].number)
        else:
            raise UnusableInput(f"line {line}: no instruction {word!r}")
    _fill_labels(code, labels, uses)
    return bytes(code)


def _fill_labels(code: bytearray, labels: dict[str, int], uses: list[tuple[int, str, int]]) -> None:
    by_number = {row.number: row for row in _rows_by_name().values()}
    for at, name, line in uses:
        if name not in labels:
            raise UnusableInput(f"line {line}: no label {name!r}")
        size = by_number[code[at - 1]].immediate
        if labels[name].bit_length() > size * 8:
            raise UnusableInput(f"line {line}: label {name!r} lies at {labels[name]}, too far for {size} bytes")
        code[at : at + size] = labels[name].to_bytes(size, "big")


def init_code(runtime: bytes, constructor: str = "") -> bytes:
    """Init code that runs `constructor` (its stack has to be empty at the end) and leaves `runtime` as the code."""
    before = assemble(constructor)
    copy = f"PUSH2 {len(runtime)} DUP1 PUSH2 {{at}} PUSH1 0 CODECOPY PUSH1 0 RETURN"
    at = len(before) + len(assemble(copy.format(at=0)))
    return before + assemble(copy.format(at=at)) + runtime
