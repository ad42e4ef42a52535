"""`evmcore conformance`: every test fixture there is, on all cores, and the table of what passed."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..conformance.discovery import Selection, Suite, cache_folder, find_corpus, fixture_files, load_skips, suites_of
from ..conformance.report import Speed, Tally, conformance_page, readme_section, short_table, write_between
from ..conformance.results import CaseResult
from ..conformance.runner import run_files
from ..errors import UnusableInput
from ..files import write_file
from ..statistics import Strategy
from . import testing
from .output import EXIT_MISMATCH, EXIT_OK, EXIT_UNUSABLE, Progress, positive, processors

if TYPE_CHECKING:
    from ..conformance.block_tests import Way

SUMMARY = "run all test fixtures and write conformance.md"
DESCRIPTION = """\
Run all state, blockchain and transaction tests that are found: in $EVMCORE_TESTS, else in ethereum-tests/, else unpacked
from archives into a cache ($EVMCORE_CACHE, else ~/.cache/evmcore). Write passed, failed and skipped by suite and fork to
conformance.md, and between the markers of README.md. To be called in the project's folder.
"""
EXAMPLES = """\
  evmcore conformance
  EVMCORE_TESTS=~/tests evmcore conformance --suite legacy --workers 8
  evmcore conformance --sample 10 --no-write
  evmcore conformance --stateless --suite legacy
  evmcore conformance --store --sample 10
  evmcore conformance --pickled

exit status: 0 all cases pass, 1 one fails, 2 no fixtures, or unusable ones
"""
SKIPS = "ethereum-tests/skips.txt"
ARCHIVES = ("../shared/ethereum-tests", "../shared/amsterdam-tests")
# What the report says to type.
COMMAND = "make conformance"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--archives",
        type=Path,
        nargs="+",
        default=[Path(folder) for folder in ARCHIVES],
        metavar="DIR",
        help=f"where archives of fixtures (.tar.xz) are (default: {' '.join(ARCHIVES)})",
    )
    parser.add_argument("--suite", type=testing.pattern, metavar="REGEX", help="only suites whose name has a match")
    parser.add_argument(
        "--sample",
        type=positive,
        default=1,
        metavar="N",
        help="one test in N, by its name, and all of the newest forks",
    )
    parser.add_argument("--workers", type=positive, metavar="N", help="processes (default: one a processor)")
    parser.add_argument(
        "--strategy",
        choices=testing.strategies(),
        metavar="S",
        help="run state tests as blocks, and blocks with 2 and 4 threads, against the sequential result",
    )
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        "--stateless",
        dest="way",
        action="store_const",
        const="stateless",
        help="blockchain tests alone: every block makes its witness and is executed again from that alone; no file is written",
    )
    ways.add_argument(
        "--store",
        dest="way",
        action="store_const",
        const="stored",
        help="blockchain tests alone: each chain is kept in a store, which is opened again, looked through and taken back; no file is written",
    )
    ways.add_argument(
        "--pickled",
        dest="way",
        action="store_const",
        const="pickled",
        help="blockchain tests alone: every block is executed again with block and state unpickled; no file is written",
    )
    parser.add_argument("--no-write", action="store_true", help="print the table and write no file")
    parser.add_argument("--optional", action="store_true", help="where there are no fixtures, say so and exit with 0")


def main(arguments: argparse.Namespace) -> int:
    """Run everything; the exit status says how it went."""
    project = Path.cwd()
    root = find_corpus(project, arguments.archives, cache_folder())
    if root is None:
        missing = f"no fixtures: neither $EVMCORE_TESTS, nor ethereum-tests/fetch'ed ones, nor archives in {' or '.join(map(str, arguments.archives))}"
        if not arguments.optional:
            raise UnusableInput(missing)
        print(f"{missing}: nothing is run")
        return EXIT_OK
    suites = [suite for suite in suites_of(root) if arguments.suite is None or arguments.suite.search(suite.name)]
    is_of_blocks = arguments.way is not None
    if arguments.way == "stored":
        from ..store.libraries import load_mdbx

        load_mdbx()
    if is_of_blocks:
        suites = [suite for suite in suites if suite.kind == "blockchain"]
    selection = Selection(skips=load_skips(project / SKIPS), sample=arguments.sample)
    workers = processors() if arguments.workers is None else arguments.workers
    run_file = partial(
        run_suite_file,
        kinds=tuple((str(suite.folder), suite.kind) for suite in suites),
        selection=selection,
        strategy=arguments.strategy,
        way=arguments.way,
    )
    tally = Tally(tuple(suite.name for suite in suites))
    speed = Speed()
    started = time.perf_counter()
    is_usable = _run_suites(suites, run_file, workers, tally, speed)
    seconds = time.perf_counter() - started
    total = tally.total
    print(short_table(tally))
    for line in (speed.rate(), speed.slowest()):
        if line:
            print(line)
    print(
        f"{total.passed:,} passed, {total.failed:,} failed, {total.skipped:,} skipped in {seconds:.0f} s, {workers} processes"
    )
    is_all = arguments.suite is None and arguments.sample == 1 and arguments.strategy is None and not is_of_blocks
    if not arguments.no_write and is_all:
        how = f"All of it takes {speed.all_seconds / 60:.0f} minutes of one core. {speed.rate()}"
        write_file(project / "conformance.md", conformance_page(tally, COMMAND, how).encode())
        write_between(project / "README.md", readme_section(tally, COMMAND, how))
    if not is_usable:
        return EXIT_UNUSABLE
    return EXIT_OK if total.failed == 0 else EXIT_MISMATCH


def _run_suites(
    suites: list[Suite], run_file: Callable[[str], list[CaseResult]], workers: int, tally: Tally, speed: Speed
) -> bool:
    """Run all suites' files, count them, and tell what failed; False if a file was unusable."""
    suite_of = {path: suite for suite in suites for path, _ in fixture_files([str(suite.folder)])}
    progress = Progress(len(suite_of))
    is_usable = True
    for done, (path, results, cpu_seconds) in enumerate(run_files(run_file, list(suite_of), workers), 1):
        suite = suite_of[path]
        progress.show(done, f"{suite.name}: {Path(path).parent.name}")
        if isinstance(results, UnusableInput):
            progress.complain(str(results))
            is_usable = False
            continue
        tally.add(suite.name, results)
        speed.add(path, suite.kind, len(results), cpu_seconds)
        for result in results:
            if not result.is_passed and result.skipped is None:
                progress.complain(f"{result.file}: {result.name} {result.fork} {result.index}: {result.error}")
    progress.clear()
    return is_usable


def run_suite_file(
    path: str,
    kinds: tuple[tuple[str, str], ...],
    selection: Selection,
    strategy: Strategy | None,
    way: Way | None = None,
) -> list[CaseResult]:
    """The cases of a file of one of the suites, which are given by folder and kind; several run beside each other."""
    kind = next(kind for folder, kind in kinds if path.startswith(folder + os.sep))
    if kind == "transaction":
        from ..conformance import transaction_tests

        return transaction_tests.run_file(path, selection)
    if kind == "blockchain":
        from ..conformance import block_tests

        return block_tests.run_file(path, selection, strategy=strategy, way=way)
    if strategy is not None:
        from ..conformance import state_blocks

        return state_blocks.run_file(path, selection, strategy)
    from ..conformance import state_tests

    return state_tests.run_file(path, selection)
