"""What `run`, `statetest` and `blocktest` share in go-ethereum's spelling (`evm run`, …): flags, tracers, reports."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TextIO

from ..errors import UnusableInput
from ..tracing import Eip3155
from .geth import Flag, Given, parse
from .output import EXIT_OK, EXIT_UNUSABLE, complain, say

__all__ = ["TEST_FLAGS", "TRACE_FLAGS", "names_from_standard_input", "report", "run_test_files", "tracer_of"]

TRACE_FLAGS = (
    Flag("trace", "write a trace to standard error", bool, False),
    Flag("trace.format", "json, struct or md", default="json"),
    Flag("trace.nomemory", "no memory in traces", bool, True, ("nomemory",)),
    Flag("trace.nostack", "no stack in traces", bool, False, ("nostack",)),
    Flag("trace.nostorage", "no storage in traces", bool, False, ("nostorage",)),
    Flag("trace.noreturndata", "no return data in traces", bool, True, ("noreturndata",)),
    Flag("debug", "the same as --trace --trace.format=struct", bool, False),
)
TEST_FLAGS = (
    Flag("run", "only tests whose name has a match", default=".*"),
    Flag("dump", "the state after each test", bool, False),
    Flag("human", "one line a test, for people", bool, False),
    Flag("fuzz", "report after each test", bool, False),
    Flag("verbosity", "accepted; there is no talk", int, 3),
)


def is_geth(words: Sequence[str], own: frozenset[str]) -> bool:
    """Whether none of evmcore's own flags is among the words."""
    return not any(word.partition("=")[0] in own for word in words)


def is_geth_test(words: Sequence[str], own: frozenset[str]) -> bool:
    """Whether they are go-ethereum's spelling of a command that runs tests: a folder is evmcore's."""
    return is_geth(words, own) and not any(os.path.isdir(word) for word in words)


def add_flags(parser: argparse.ArgumentParser, flags: Sequence[Flag]) -> None:
    """Those flags that the parser doesn't have yet, for its help."""
    group = parser.add_argument_group("in go-ethereum's spelling")
    for flag in flags:
        if f"--{flag.name}" in parser._option_string_actions:
            continue
        if flag.kind is bool:
            group.add_argument(f"--{flag.name}", help=flag.help, action="store_true")
        else:
            group.add_argument(f"--{flag.name}", help=flag.help, metavar="VALUE")


def tracer_of(given: Given, stream: TextIO | None) -> Any:
    """The tracer that the flags ask for, or None."""
    if stream is None:
        return None
    style = given["trace.format"] if given["trace"] else "struct" if given["debug"] else None
    options = {
        "stack": not given["trace.nostack"],
        "memory": not given["trace.nomemory"],
        "return_data": not given["trace.noreturndata"],
    }
    if style is None:
        return None
    if style == "json":
        return Eip3155(stream, geth=True, **options)
    from .evm_formats import MarkdownTrace, StructTrace

    if style == "struct":
        return StructTrace(stream, storage=not given["trace.nostorage"], **options)
    if style in ("md", "markdown"):
        return MarkdownTrace(stream)
    raise UnusableInput(f"unknown trace format: {style!r}")


def names_from_standard_input() -> Iterator[str]:
    """File names, each as soon as its line is there; an empty line is the last."""
    if sys.stdin is None:
        raise UnusableInput("standard input is closed")
    try:
        for line in sys.stdin:
            if not line.strip():
                return
            yield line.strip()
    except UnicodeDecodeError:
        raise UnusableInput("standard input: not text") from None


def report(results: Sequence[dict[str, Any]], *, is_for_people: bool) -> None:
    """Results as go-ethereum's reporter prints them."""
    if not is_for_people:
        say(json.dumps(list(results), indent=2))
        return
    for result in results:
        verdict = "[\033[32mPASS\033[0m]" if result["pass"] else "[\033[31mFAIL\033[0m]"
        extra = "" if result["pass"] else f", err={result.get('error')}, fork={result['fork']}"
        say(f"{verdict} {result['name']}{extra}")
        if "state" in result:
            say(json.dumps(result["state"], indent=2))
    passed = sum(result["pass"] for result in results)
    say(f"--\n{passed} tests passed, {len(results) - passed} tests failed.")


RunFile = Callable[[str, Given, re.Pattern[str]], Iterator[dict[str, Any]]]


def run_test_files(words: Sequence[str], flags: Sequence[Flag], run_file: RunFile) -> int:
    """Run the file or folder that is named, or those that standard input names, and report. A test that fails is a result."""
    given = parse(words, flags)
    if len(given.arguments) > 1:
        raise UnusableInput(f"unexpected argument {given.arguments[1]!r}: one path, or names on standard input")
    try:
        names = re.compile(given["run"])
    except re.error as error:
        raise UnusableInput(f"invalid regex -run: {error}") from None
    tracer_of(given, sys.stderr)  # a format that there isn't is told before anything runs
    if given.arguments:
        batches: Iterator[str] = iter(given.arguments)
    else:
        batches = names_from_standard_input()
    has_run = False
    for path in batches:
        if "\0" in path:
            raise UnusableInput(f"{path!r:.80}: no name of a file")
        if not os.path.exists(path):
            raise UnusableInput(f"{path}: no such file or directory")
        has_run = True
        results = []
        for result in run_file(path, given, names):
            results.append(result)
            if given["fuzz"]:
                report([result], is_for_people=given["human"])
        if not given["fuzz"]:
            report(results, is_for_people=given["human"])
    if not has_run:
        complain("no test files are named")
        return EXIT_UNUSABLE
    return EXIT_OK


def state_dump(state: Any) -> dict[str, Any]:
    """A state as go-ethereum dumps it."""
    from .._core import keccak256
    from ..transition.words import checksum_address

    accounts = {}
    for address, account in sorted(state.items()):
        proof = state.prove(address)
        members: dict[str, Any] = {
            "balance": str(account.balance),
            "nonce": account.nonce,
            "root": "0x" + proof.storage_root.hex(),
            "codeHash": "0x" + account.code_hash.hex(),
        }
        if account.code:
            members["code"] = "0x" + account.code.hex()
        slots = {f"0x{slot:064x}": f"{value:x}" for slot, value in sorted(account.storage.items()) if value}
        if slots:
            members["storage"] = {key: value.rjust(len(value) + len(value) % 2, "0") for key, value in slots.items()}
        members.update(address="0x" + address.hex(), key="0x" + keccak256(address).hex())
        accounts[checksum_address(address)] = members
    return {"root": state.root().hex(), "accounts": accounts}
