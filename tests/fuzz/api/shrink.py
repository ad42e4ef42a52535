"""Makes a failing program small: drops lines, and then parts of lines, as long as it still fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .sequence import Program


def shrink(program: Program, fails: Callable[[Program], bool], budget: int = 120) -> Program:
    """The smallest program found, by greedy steps, that still fails. `budget`: how many tries."""
    tries = 0
    while True:
        for candidate in candidates(program):
            tries += 1
            if tries > budget:
                return program
            if fails(candidate):
                program = candidate
                break
        else:
            return program


def candidates(program: Program) -> Iterator[Program]:
    """Smaller programs, the much smaller ones first."""
    size = len(program.lines) // 2
    while size >= 1:
        for begin in reversed(range(0, len(program.lines), size)):
            if len(program.lines) - size >= 1:
                yield program.without(begin, begin + size)
        size //= 2
    for at, (line, kind) in enumerate(program.lines):
        # One of several kinds of transactions, one item of a list.
        for found in re.finditer(r"(?<=[(\[ ])('\w+'|[^,()\[\]']+\(.{0,40}?\)), ", line):
            shorter = line[: found.start()] + line[found.end() :]
            try:
                compile(shorter, "<line>", "exec")
            except SyntaxError:
                continue
            yield program.with_line(at, (shorter, kind))
