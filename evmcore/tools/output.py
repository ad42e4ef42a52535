"""What the commands share: exit statuses, a table printed row by row, a progress bar, fork names and hexadecimal text.

Results go to standard output, all talk to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import orjson

from ..errors import UnusableInput
from ..files import MAX_JSON_VARIABLE, max_json_bytes, read_file
from ..hexadecimal import data

EXIT_OK = 0
EXIT_MISMATCH = 1
EXIT_UNUSABLE = 2


def print_json(value: Any) -> None:
    """One line of JSON on standard output, at once."""
    say(json_text(value))


def json_text(value: Any, option: int | None = None) -> str:
    """JSON of plain values. A file's name that is no text in UTF-8 is written with escapes."""
    try:
        return orjson.dumps(value, option=option).decode()
    except orjson.JSONEncodeError:
        return json.dumps(value)


def say(line: str = "") -> None:
    """A line of results on standard output, at once; characters that it can't show are escaped."""
    try:
        print(line, flush=True)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def complain(message: str) -> None:
    """One line on standard error, if there is one that takes it."""
    line = " ".join(message.splitlines())
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is not None:  # print would take standard output in its place
            print(f"evmcore: {line}", file=sys.stderr, flush=True)


def write_nowhere() -> None:
    """Send what is left for standard output to nobody: it can't be written, and Python would say so at exit, with status 120."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def standard_input() -> str:
    """All of standard input, as text."""
    if sys.stdin is None:
        raise UnusableInput("standard input is closed")
    most = max_json_bytes()
    try:
        text = sys.stdin.read(most + 1)
    except UnicodeDecodeError:
        raise UnusableInput("standard input: not text") from None
    except OSError as error:
        raise UnusableInput(f"standard input: {error.strerror or error}") from None
    if len(text) > most:
        raise UnusableInput(f"standard input: holds more than {most >> 20} MB; {MAX_JSON_VARIABLE} allows more")
    return text


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


# The first columns of a table of executed blocks.
SPEED_COLUMNS = (
    Column("block", 9),
    Column("fork", 16, is_number=False),
    Column("txs", 5),
    Column("Mgas", 8),
    Column("ms", 9),
    Column("Mgas/s", 8),
)


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
            say(self._line([column.head for column in self._columns]))
        say(self._line(cells))

    def rule(self) -> None:
        """A line between the rows and their total."""
        self._progress.clear()
        say(self._line(["-" * column.width for column in self._columns]))


class Progress:
    """A bar on standard error, if that is a terminal; else nothing."""

    WIDTH = 24
    # Ten times a second is smooth enough and costs nothing.
    INTERVAL_S = 0.1

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._total = total
        self._is_shown = total > 1 and self._stream is not None and self._stream.isatty()
        self._drawn_at = 0.0
        self._is_drawn = False
        self._began: tuple[int, float] | None = None  # how many were done when it was first shown, and when

    def show(self, done: int, label: str, unit: str = "") -> None:
        """Say how many are done and what is going on; with a unit of what is counted, how fast it goes and how long it will take."""
        if not self._is_shown or time.monotonic() - self._drawn_at < self.INTERVAL_S:
            return
        filled = self.WIDTH * done // self._total
        bar = "#" * filled + "." * (self.WIDTH - filled)
        speed = self._speed(done, unit) if unit else ""
        self._write(f"\r\x1b[K[{bar}] {done}/{self._total} {speed}{label}")
        self._drawn_at = time.monotonic()
        self._is_drawn = True

    def _speed(self, done: int, unit: str) -> str:
        if self._began is None:
            self._began = done, time.monotonic()
        first, since = self._began
        seconds = time.monotonic() - since
        if done <= first or seconds <= 0:
            return ""
        rate = (done - first) / seconds
        left = round((self._total - done) / rate)
        clock = f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}"
        return f"{rate:.3g} {unit}/s, {clock} left "

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()

    def complain(self, message: str) -> None:
        """A line on standard error, in the bar's place."""
        self.clear()
        complain(message)

    def clear(self) -> None:
        """Take the bar off the screen, so that a line can be printed."""
        if self._is_drawn:
            self._write("\r\x1b[K")
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
        given = text
        try:
            text = standard_input() if text == "@-" else read_file(text[1:], max_json_bytes()).decode("ascii")
        except UnicodeDecodeError:
            raise UnusableInput(f"{name}: {text[1:]}: not hexadecimal text") from None
        except UnusableInput as error:
            raise UnusableInput(f"{name}: {error}") from None
        return data("".join(text.split()), f"{name}: {given[1:]}")
    return data(text, name)
