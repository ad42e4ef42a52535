"""Files in and out: read with a bound on what they unpack to, written whole or not at all.

What goes wrong raises UnusableInput with the path and the reason. Sizes are in bytes.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import zlib
from typing import Any

import orjson

from .errors import UnusableInput

__all__ = ["MAX_JSON_VARIABLE", "max_json_bytes", "parse_json", "read_file", "read_json", "unpack", "write_file"]

# A few megabytes of gzip can hold gigabytes, and JSON takes several times its size once it is read.
MAX_JSON_VARIABLE = "EVMCORE_MAX_JSON_MB"
DEFAULT_MAX_JSON_MB = 256
GZIP_MAGIC = b"\x1f\x8b"
_PIECE_BYTES = 1 << 20


def max_json_bytes() -> int:
    """The most that a JSON file may hold, unpacked: $EVMCORE_MAX_JSON_MB, else 256 MB."""
    given = os.environ.get(MAX_JSON_VARIABLE, "")
    if not given:
        return DEFAULT_MAX_JSON_MB << 20
    if not (given.isascii() and given.isdigit() and 0 < len(given) < 10 and int(given) > 0):
        raise UnusableInput(f"{MAX_JSON_VARIABLE}: {given!r:.40} is not a number of megabytes")
    return int(given) << 20


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _too_large(name: str, most: int) -> UnusableInput:
    return UnusableInput(f"{name}: holds more than {most >> 20} MB; {MAX_JSON_VARIABLE} allows more")


def read_file(path: str | os.PathLike[str], most: int | None = None) -> bytes:
    """The bytes of a file. `most`: how many there may be; what is no regular file, and may have no end, needs it."""
    name = os.fsdecode(path)
    pieces: list[bytes] = []
    size = 0
    try:
        with open(path, "rb") as file:
            if most is None and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file.read()
            most = max_json_bytes() if most is None else most
            while piece := file.read(_PIECE_BYTES):
                size += len(piece)
                if size > most:
                    raise _too_large(name, most)
                pieces.append(piece)
    except (OSError, ValueError) as error:  # ValueError: a path with a zero in it
        if isinstance(error, UnusableInput):
            raise
        raise UnusableInput(f"{name}: {_reason(error)}") from None
    return b"".join(pieces)


def unpack(content: bytes, name: str, most: int) -> bytes:
    """What gzip holds, all its members, at most so many bytes."""
    pieces: list[bytes] = []
    room = most
    try:
        while content[:2] == GZIP_MAGIC:
            reader = zlib.decompressobj(wbits=31)
            while not reader.eof:
                piece = reader.decompress(content, _PIECE_BYTES)
                content = reader.unconsumed_tail
                room -= len(piece)
                if room < 0:
                    raise _too_large(name, most)
                pieces.append(piece)
                if not piece and not content and not reader.eof:
                    raise UnusableInput(f"{name}: damaged gzip: it was cut off")
            content = reader.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise UnusableInput(f"{name}: damaged gzip: {error}") from None
    if content:
        raise UnusableInput(f"{name}: damaged gzip: {len(content)} bytes behind it are none")
    return b"".join(pieces)


def parse_json(content: bytes, name: str) -> Any:
    """The JSON of a file's bytes, unpacked first if they are gzip."""
    if content[:2] == GZIP_MAGIC:
        content = unpack(content, name, max_json_bytes())
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise UnusableInput(f"{name}: not JSON: {error}") from None


def read_json(path: str | os.PathLike[str]) -> Any:
    """The JSON of a file, gzipped or not."""
    name = os.fsdecode(path)
    content = read_file(path, max_json_bytes())
    if name.endswith(".gz") and content[:2] != GZIP_MAGIC:
        raise UnusableInput(f"{name}: not gzip, though its name ends in .gz")
    return parse_json(content, name)


def write_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Put these bytes into a file, all of them or none: where that fails, what was there stays.

    They are written beside it and take its place when the disk has them. What is no regular file is written to as it is.
    """
    name = os.fsdecode(path)
    beside = None
    try:
        target = os.path.realpath(name)
        if os.path.exists(target) and not os.path.isfile(target):
            with open(target, "wb") as file:
                file.write(content)
            return
        handle, beside = tempfile.mkstemp(dir=os.path.dirname(target) or ".", prefix=".evmcore-", suffix=".part")
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
            os.fchmod(handle, _mode_of(target))
        os.replace(beside, target)
        beside = None
    except (OSError, ValueError) as error:
        raise UnusableInput(f"{name}: {_reason(error)}") from None
    finally:
        if beside is not None:
            with contextlib.suppress(OSError):
                os.unlink(beside)


def _mode_of(path: str) -> int:
    """The permissions of a file that is to be replaced, or those of a new one."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        mask = os.umask(0o077)
        os.umask(mask)
        return 0o666 & ~mask
