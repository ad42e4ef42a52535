"""The journal of a range: what has been finished, on disk, so that a restart goes on where it stopped.

A line is a checksum and JSON: the first says what the file is, each other one has a block's place in the range, what it was given as,
and its summary. A line that was being written when the machine stopped is dropped; anything else that is wrong is refused.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import IO, Any

import orjson

from .. import __version__
from ..block import Block
from ..errors import UnusableInput
from ..hexadecimal import shown
from ..receipt import keccak256
from .carried import Carried
from .summary import BlockSummary, plain_of, summary_of

__all__ = ["Journal", "identity_of"]

FORMAT = "evmcore-range-journal/1"
_HEAD_BEGIN = b' {"format":"evmcore-range-journal'  # behind the checksum
_HEAD_BYTES = 200  # of the first line at most
_CHECKSUM_BYTES = 9  # with the blank behind it


def identity_of(block: object) -> str:
    """What tells a block of a range from another: its hash, the path it was given as, or the hash of its content."""
    if isinstance(block, Block):
        return "block 0x" + block.hash.hex()
    if isinstance(block, Carried):
        return "block 0x" + block.header.hash.hex()
    if isinstance(block, (str, os.PathLike)):
        return "file " + _text(os.fsdecode(block))
    if isinstance(block, (bytes, bytearray, memoryview)):
        return "content 0x" + keccak256(bytes(block)).hex()
    if isinstance(block, Mapping):
        try:
            content = orjson.dumps(block, option=orjson.OPT_SORT_KEYS)
        except TypeError:  # numbers beyond 64 bits, bytes, mappings that are no dict
            content = _any_json(block)
        return "content 0x" + keccak256(content).hex()
    return f"a {type(block).__name__}"


class Journal:
    """The finished blocks of one range. One process at a time has it open.

    path   made if it isn't there
    raise  UnusableInput: not a journal, one of a newer form, damaged before its last line, in use, or on a disk that fails
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fsdecode(path)
        if "\0" in self.path:
            raise UnusableInput(f"journal: {shown(self.path)} is not a path")
        self._places: dict[int, tuple[int, int]] = {}  # index -> where its line is in the file, and how long
        file: IO[bytes] | None = None
        try:
            file = open(path, "a+b", buffering=0)  # noqa: SIM115  # it stays open
            self._file = file
            self._claim()
            self._read()
        except OSError as error:
            if file is not None:
                file.close()
            raise self._unusable(error.strerror or str(error)) from None
        except BaseException:
            if file is not None:
                file.close()
            raise

    def _unusable(self, reason: str) -> UnusableInput:
        return UnusableInput(f"{self.path}: {reason}")

    def _claim(self) -> None:
        try:
            import fcntl
        except ImportError:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._unusable("another process is writing this journal") from None

    def _read(self) -> None:
        """Find the entries, and drop a last line that isn't whole."""
        if not stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            raise self._unusable("not a regular file")
        with open(self._file.fileno(), "rb", closefd=False) as file:
            file.seek(0)
            first = file.readline(_HEAD_BYTES)
            own = _line({"format": FORMAT, "engine": __version__})
            is_begun = len(first) >= _CHECKSUM_BYTES and first != own and own.startswith(first)
            if not first or is_begun or (not first.endswith(b"\n") and first[8:].startswith(_HEAD_BEGIN)):
                self._truncate(0)
                self._write([{"format": FORMAT, "engine": __version__}])
                self._keep_name()
                return
            head = _parsed(first)
            if head is None or "format" not in head:
                raise self._unusable(f"not a journal of a range ({FORMAT})")
            if head["format"] != FORMAT:
                raise self._unusable(f"format is {shown(head['format'])}, this evmcore reads {FORMAT!r}")
            at = len(first)
            for number, line in enumerate(file, 2):
                entry = _parsed(line)
                if entry is None or not isinstance(entry.get("index"), int):
                    if file.read(1):
                        raise self._unusable(f"line {number} is damaged")
                    self._truncate(at)
                    break
                self._places[entry["index"]] = (at, len(line))
                at += len(line)

    def _truncate(self, size: int) -> None:
        self._file.truncate(size)
        os.fsync(self._file.fileno())

    def _keep_name(self) -> None:
        """A new file is there after a loss of power once its folder is on the disk, too."""
        folder = os.open(os.path.dirname(os.path.abspath(self.path)), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _write(self, values: Iterable[Mapping[str, Any]]) -> list[tuple[int, int]]:
        """Append lines, all or none, and wait until the disk has them. Where they are, and how long."""
        lines = [_line(value) for value in values]
        at = begin = os.fstat(self._file.fileno()).st_size
        content = b"".join(lines)
        try:
            while content:
                content = content[self._file.write(content) :]
            os.fsync(self._file.fileno())
        except BaseException:  # no room, Ctrl-C: what comes later doesn't stand behind half a line
            with contextlib.suppress(OSError):
                self._file.truncate(begin)
            raise
        places = []
        for line in lines:
            places.append((at, len(line)))
            at += len(line)
        return places

    def __len__(self) -> int:
        return len(self._places)

    def find(self, index: int, block: object) -> BlockSummary | None:
        """The summary of the block at that place, if it was finished. UnusableInput where another block was there."""
        if index not in self._places:
            return None
        at, size = self._places[index]
        try:
            entry = _parsed(os.pread(self._file.fileno(), size, at)) or {}
            given, summary = entry["given"], summary_of(entry["summary"])
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise self._unusable(f"the entry of block {index}: {type(error).__name__}: {error}") from None
        if given != (here := identity_of(block)):
            raise self._unusable(f"of another range: block {index} is {given} there, and {here} here")
        if isinstance(block, (str, os.PathLike)):
            summary = replace(summary, source=os.fspath(block))  # whose bytes JSON may not hold
        return summary

    def add(self, finished: Iterable[tuple[int, str, BlockSummary]]) -> None:
        """Append blocks, by place and identity; they are on the disk when it returns. UnusableInput where that can't be done."""
        listed = list(finished)
        try:
            places = self._write(
                {"index": index, "given": given, "summary": plain_of(summary)} for index, given, summary in listed
            )
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from None
        except ValueError as error:  # it was closed
            raise self._unusable(str(error)) from None
        self._places.update((index, place) for (index, _, _), place in zip(listed, places))

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others have it."""
        if self._file.closed:
            return
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            # Copies of this process (workers that were forked) have the file open, too, and would keep the lock.
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._file.close()


def _text(value: str) -> str:
    """As JSON can hold it: a file's name may have bytes that are no text."""
    return value.encode(errors="backslashreplace").decode()


def _any_json(block: Mapping[Any, Any]) -> bytes:
    """What tells this mapping from others, of whatever values a block may be given in."""

    def plain(value: object) -> object:
        return dict(value) if isinstance(value, Mapping) else f"{type(value).__name__} {value!r}"

    try:
        return json.dumps(dict(block), sort_keys=True, default=plain).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UnusableInput(f"journal: a block given as a mapping can't be told from others: {error}") from None


def _line(value: Mapping[str, Any]) -> bytes:
    text = orjson.dumps(value)
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The JSON of a line; None where its checksum is another."""
    checksum, _, text = line.removesuffix(b"\n").partition(b" ")
    if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text):
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
