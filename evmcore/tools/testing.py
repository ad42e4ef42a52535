"""What the commands that run test fixtures share: arguments, the loop over the files, the summary."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from ..conformance.discovery import Selection, fixture_files
from ..conformance.report import Tally
from ..conformance.results import CaseResult
from ..conformance.runner import run_files
from ..errors import UnusableInput
from .output import (
    EXIT_MISMATCH,
    EXIT_OK,
    EXIT_UNUSABLE,
    Progress,
    complain,
    json_text,
    processors,
    say,
    standard_input,
)

# Failures that are told one by one when no JSON is wanted; the summary counts them all.
_TOLD_FAILURES = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of every such command."""
    parser.add_argument("paths", nargs="*", metavar="PATH", help="test files, or directories with some")
    parser.add_argument("--json", action="store_true", help="print a JSON list of the results on standard output")
    parser.add_argument("--summary", action="store_true", help="no more than the summary, of a single file, too")


def pattern(text: str) -> re.Pattern[str]:
    """A regular expression, for argparse."""
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a regular expression: {error}") from None


def strategies() -> tuple[str, ...]:
    """What `execute_block` knows."""
    from .._core import STRATEGIES

    return STRATEGIES


def selection_of(arguments: argparse.Namespace) -> Selection:
    """The selection that the options make."""
    from .._core import fork_index

    return Selection(
        None if arguments.fork is None else fork_index(arguments.fork), getattr(arguments, "index", None), arguments.run
    )


def run(run_file: Callable[[str], list[CaseResult]], arguments: argparse.Namespace) -> int:
    """Run the files, print what came of them, and return the exit status."""
    names = arguments.paths or standard_input().splitlines()
    files = dict(fixture_files(names))
    progress = Progress(len(files))
    tally = Tally()
    listed: list[CaseResult] = []
    told = 0
    is_unusable = False
    with_tests: list[str] = []
    is_selective = any(getattr(arguments, name, None) is not None for name in ("run", "fork", "index"))
    started = time.perf_counter()
    workers = processors() if arguments.workers is None else arguments.workers
    for done, (path, results, _) in enumerate(run_files(run_file, list(files), workers), 1):
        progress.show(done, path)
        if isinstance(results, UnusableInput):
            progress.complain(str(results))
            is_unusable = True
            continue
        if results:
            with_tests.append(path)
        elif files[path] and not is_selective:
            progress.complain(f"{path}: no test of this kind in it")
            is_unusable = True
        tally.add(str(Path(path).parent), results)
        if arguments.json:
            listed += results
        for result in results:
            if not result.is_passed and result.skipped is None:
                told += 1
                if told <= _TOLD_FAILURES:
                    progress.complain(f"{result.file}: {result.name} {result.fork} {result.index}: {result.error}")
    progress.clear()
    if arguments.json:
        order = {path: place for place, path in enumerate(files)}
        listed.sort(key=lambda result: order[result.file])
        say(json_text([result.as_json() for result in listed], orjson.OPT_INDENT_2))
    _summarise(tally, time.perf_counter() - started, told)
    for folder in names:
        if not is_selective and os.path.isdir(folder) and not any(_lies_in(file, folder) for file in with_tests):
            complain(f"{folder}: no test of this kind in it")
            is_unusable = True
    if not files and not is_unusable:
        complain("no test files are named")
        is_unusable = True
    if is_unusable:
        return EXIT_UNUSABLE
    return EXIT_OK if tally.total.failed == 0 else EXIT_MISMATCH


def _lies_in(file: str, folder: str) -> bool:
    return os.path.join(file, "").startswith(os.path.join(folder, ""))


def _summarise(tally: Tally, seconds: float, told: int) -> None:
    """Counts by folder and fork, and the total, on standard error."""
    rows = sorted(tally.rows(), key=lambda row: row[0])
    width = max((len(folder) for folder, _, _ in rows), default=0)
    for folder, fork, count in rows:
        failed = f"  {count.failed} failed" if count.failed else ""
        skipped = f"  {count.skipped} skipped" if count.skipped else ""
        _note(f"{folder:<{width}}  {fork:<18} {count.passed:>7} passed{failed}{skipped}")
    if told > _TOLD_FAILURES:
        _note(f"… and {told - _TOLD_FAILURES} more failures")
    total = tally.total
    rate = total.total / seconds if seconds > 0 else 0
    _note(
        f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped in {seconds:.1f} s ({rate:.0f} cases/s)"
    )


def _note(line: str) -> None:
    """A line of the summary on standard error, if there is one that takes it."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is not None:
            print(line, file=sys.stderr, flush=True)
