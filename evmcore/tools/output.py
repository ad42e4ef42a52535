"""What the commands share: exit statuses, a table printed row by row, a progress bar, fork names and hexadecimal text.

Results go to standard output, all talk to standard error.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import orjson

from ..errors import UnusableInput
from ..hexadecimal import data

EXIT_OK = 0
EXIT_MISMATCH = 1
EXIT_UNUSABLE = 2


def print_json(value: Any) -> None:
    """One line of JSON on standard output, at once."""
    sys.stdout.write(orjson.dumps(value).decode() + "\n")
    sys.stdout.flush()


def complain(message: str) -> None:
    """One line on standard error."""
    print(f"evmcore: {message}", file=sys.stderr, flush=True)


def mark(is_ok: bool) -> str:
    """✓ or ✗, or plain words where the output can't say that."""
    try:
        "✓✗".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return "ok" if is_ok else "NO"
    return "✓" if is_ok else "✗"


@dataclass(frozen=True)
class Column:
    """A column of a table: its head, and how wide it is."""

    head: str
    width: int
    is_number: bool = True


class Table:
    """Rows of text under fixed columns, each printed as soon as it is known."""

    def __init__(self, columns: Sequence[Column], progress: Progress) -> None:
        self._columns = columns
        self._progress = progress
        self._has_head = False

    def _line(self, cells: Sequence[str]) -> str:
        aligned = (
            cell.rjust(column.width) if column.is_number else cell.ljust(column.width)
            for cell, column in zip(cells, self._columns)
        )
        return "  ".join(aligned).rstrip()

    def row(self, *cells: str) -> None:
        """Print one row, with the heads above it if it is the first."""
        self._progress.clear()
        if not self._has_head:
            self._has_head = True
            print(self._line([column.head for column in self._columns]))
        print(self._line(cells), flush=True)

    def rule(self) -> None:
        """A line between the rows and their total."""
        self._progress.clear()
        print(self._line(["-" * column.width for column in self._columns]))


class Progress:
    """A bar on standard error, if that is a terminal; else nothing."""

    WIDTH = 24
    # Ten times a second is smooth enough and costs nothing.
    INTERVAL_S = 0.1

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._total = total
        self._is_shown = total > 1 and self._stream.isatty()
        self._drawn_at = 0.0
        self._is_drawn = False

    def show(self, done: int, label: str) -> None:
        """Say how many are done and what is going on."""
        if not self._is_shown or time.monotonic() - self._drawn_at < self.INTERVAL_S:
            return
        filled = self.WIDTH * done // self._total
        bar = "#" * filled + "." * (self.WIDTH - filled)
        self._stream.write(f"\r\x1b[K[{bar}] {done}/{self._total} {label}")
        self._stream.flush()
        self._drawn_at = time.monotonic()
        self._is_drawn = True

    def complain(self, message: str) -> None:
        """A line on standard error, in the bar's place."""
        self.clear()
        complain(message)

    def clear(self) -> None:
        """Take the bar off the screen, so that a line can be printed."""
        if self._is_drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._is_drawn = False
            self._drawn_at = 0.0


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def positive(text: str) -> int:
    """A whole number from 1 on, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


def gas(text: str) -> int:
    """An amount of gas: from 1 to 2**63 - 1, as the machine counts."""
    value = positive(text)
    if value >= 1 << 63:
        raise argparse.ArgumentTypeError(f"{text} does not fit 63 bits")
    return value


def fork(text: str) -> str:
    """The name of a fork, mainnet's or the tests', in any case, for argparse."""
    from .._core import fork_index

    try:
        fork_index(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def hex_bytes(text: str, name: str) -> bytes:
    """Bytes from hexadecimal text, or from a file of it: "@FILE", or "@-" for standard input. Blanks don't count."""
    if text.startswith("@"):
        try:
            text = sys.stdin.read() if text == "@-" else Path(text[1:]).read_text("ascii")
        except OSError as error:
            raise UnusableInput(f"{name}: {text[1:]}: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise UnusableInput(f"{name}: {text[1:]}: not hexadecimal text") from None
        text = "".join(text.split())
    return data(text, name)
