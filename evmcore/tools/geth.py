"""What the commands in go-ethereum's spelling share: flags as its `evm` takes them, files in and out, exit statuses.

A flag is `--name value`, `--name=value` or with one dash; a switch is `--name` or `--name=false`. Flags and arguments may be mixed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import EvmError, UnusableInput
from ..files import max_json_bytes, parse_json, read_file, write_file
from ..transition import faults
from ..transition.faults import TransitionFault
from .output import json_text, say, standard_input

__all__ = ["Flag", "Given", "Inputs", "Outputs", "add_flags", "parse", "run_tool"]

_YES, _NO = ("true", "1", "t"), ("false", "0", "f")


@dataclass(frozen=True)
class Flag:
    """A flag. `kind`: bool for a switch, int (decimal or 0x), or str."""

    name: str
    help: str
    kind: type = str
    default: Any = ""
    aliases: tuple[str, ...] = ()


@dataclass
class Given:
    """What was given: a value for each flag, those that were given, and the arguments."""

    values: dict[str, Any]
    named: set[str] = field(default_factory=set)
    arguments: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


class _UsageError(UnusableInput):
    """A flag that isn't one, or has no such value."""


def parse(words: Sequence[str], flags: Iterable[Flag]) -> Given:
    """Read the words of a command line. Raises UnusableInput."""
    table = {name: flag for flag in flags for name in (flag.name, *flag.aliases)}
    given = Given({flag.name: flag.default for flag in table.values()})
    rest = iter(words)
    for word in rest:
        if word == "--":
            given.arguments += rest
            break
        if not word.startswith("-") or word == "-":
            given.arguments.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        flag = table.get(name)
        if flag is None:
            raise _UsageError(f"flag provided but not defined: -{name}")
        if flag.kind is bool:
            text = value.lower() if equals else "true"
            if text not in _YES + _NO:
                raise _UsageError(f"invalid boolean value {value!r} for -{name}")
            given.values[flag.name] = text in _YES
        else:
            if not equals:
                following = next(rest, None)
                if following is None:
                    raise _UsageError(f"flag needs an argument: -{name}")
                value = following
            given.values[flag.name] = value if flag.kind is str else _integer(value, name)
        given.named.add(flag.name)
    return given


def _integer(text: str, name: str) -> int:
    try:
        if not text.isascii() or "_" in text:
            raise ValueError
        return int(text, 16 if text[:2].lower() == "0x" else 10)
    except ValueError:
        raise _UsageError(f"invalid value {text!r} for flag -{name}: not a number") from None


def add_flags(parser: argparse.ArgumentParser, flags: Iterable[Flag]) -> None:
    """The same flags for argparse, which shows them in the help."""
    for flag in flags:
        names = [f"--{flag.name}"]
        shown = f" (default: {flag.default})" if flag.default not in ("", False) else ""
        if flag.kind is bool:
            parser.add_argument(*names, action="store_true", help=flag.help + shown)
        else:
            parser.add_argument(
                *names, default=flag.default, metavar="N" if flag.kind is int else "FILE|VALUE", help=flag.help + shown
            )


def run_tool(main: Callable[[Given], None], words: Sequence[str], flags: Iterable[Flag]) -> int:
    """Run a command that ends with go-ethereum's exit statuses; what went wrong is a line `ERROR(status): …` on standard error."""
    try:
        given = parse(words, flags)
        if given.arguments:
            raise _UsageError(f"unexpected argument {given.arguments[0]!r}")
        main(given)
    except TransitionFault as fault:
        return _fail(fault.code, str(fault))
    except _UsageError as error:
        return _fail(1, str(error))
    except UnusableInput as error:
        return _fail(faults.IO, str(error))
    except EvmError as error:
        return _fail(faults.EVM, str(error))
    return 0


def _fail(status: int, message: str) -> int:
    if sys.stderr is not None:
        print(f"ERROR({status}): {' '.join(message.splitlines())}", file=sys.stderr, flush=True)
    return status


class Inputs:
    """Where a command reads from: files, or members of one JSON object on standard input."""

    def __init__(self) -> None:
        self._members: Mapping[str, Any] | None = None

    def read(self, place: str, member: str) -> Any:
        """JSON from a file; from "stdin", that member. Raises TransitionFault: 11 for no file, 10 for no JSON."""
        if place == "stdin":
            return self.members().get(member)
        try:
            content = read_file(place, max_json_bytes())
        except UnusableInput as error:
            raise TransitionFault(faults.IO, f"failed reading {member} file: {error}") from None
        try:
            return parse_json(content, place)
        except UnusableInput as error:
            raise TransitionFault(faults.JSON, f"failed unmarshaling {member} file: {error}") from None

    def members(self) -> Mapping[str, Any]:
        """The object on standard input."""
        if self._members is None:
            text = standard_input()
            try:
                value = parse_json(text.encode(), "stdin")
            except UnusableInput as error:
                raise TransitionFault(faults.JSON, f"failed unmarshaling stdin: {error}") from None
            if not isinstance(value, Mapping):
                raise TransitionFault(faults.JSON, "failed unmarshaling stdin: not an object")
            self._members = value
        return self._members


class Outputs:
    """Where a command writes to: files below a folder, or one JSON object on standard output, another on standard error."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        if folder:
            try:
                os.makedirs(folder, exist_ok=True)
            except OSError as error:
                raise TransitionFault(
                    faults.IO, f"failed creating output basedir: {folder}: {error.strerror}"
                ) from None
        self._streams: dict[str, dict[str, Any]] = {}

    def path(self, name: str) -> str:
        """Of a file in the folder."""
        return os.path.join(self.folder, name)

    def put(self, place: str, name: str, value: Any) -> None:
        """Write a value: to a file at once; to "stdout" or "stderr" with `finish`; to "" not at all."""
        if place in ("stdout", "stderr"):
            self._streams.setdefault(place, {})[name] = value
        elif place:
            self.write(place, json.dumps(value, indent=1).encode())

    def write(self, name: str, content: bytes) -> None:
        """A file in the folder. Raises TransitionFault (11)."""
        try:
            write_file(self.path(name), content)
        except UnusableInput as error:
            raise TransitionFault(faults.IO, f"failed writing output: {error}") from None

    def finish(self) -> None:
        """Write what goes to the streams."""
        if "stdout" in self._streams:
            say(json.dumps(self._streams["stdout"], indent=2))
        if "stderr" in self._streams and sys.stderr is not None:
            print(json_text(self._streams["stderr"]), file=sys.stderr, flush=True)
