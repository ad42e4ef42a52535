"""Markdown tables and the marked places in a file that they are written to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], texts: int = 1) -> str:
    """A table; the first `texts` columns are words and lie left, the others are numbers and lie right."""
    marks = ["---" if place < texts else "---:" for place in range(len(heads))]
    lines = [heads, marks, *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def times(ratio: float | None) -> str:
    """A speed-up."""
    return "-" if ratio is None else f"{ratio:.2f}"


def ms(seconds: float) -> str:
    """Milliseconds, with as many digits as mean something."""
    return f"{seconds * 1e3:.2f}" if seconds < 0.1 else f"{seconds * 1e3:.0f}"


def duration(seconds: float | None) -> str:
    """A time in the unit that suits it."""
    if seconds is None:
        return "-"
    for unit, scale in (("ns", 1e9), ("µs", 1e6), ("ms", 1e3)):
        if seconds * scale < 1000:
            value = seconds * scale
            return f"{value:.2f} {unit}" if value < 10 else f"{value:.1f} {unit}"
    return f"{seconds:.2f} s"


def write_marked(path: Path, name: str, text: str) -> None:
    """Put the text between `<!-- measured table: NAME -->` and the next end mark of the file."""
    begin, end = f"<!-- measured table: {name} -->", "<!-- measured table: end -->"
    content = path.read_text()
    if begin not in content:
        raise ValueError(f"{path}: no line {begin}")
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    path.write_text(pattern.sub(lambda _: f"{begin}\n{text.strip()}\n{end}", content, count=1))
