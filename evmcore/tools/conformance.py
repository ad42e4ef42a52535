"""`evmcore conformance`: every test fixture there is, on all cores, and the table of what passed."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..conformance.discovery import Selection, Suite, cache_folder, find_corpus, load_skips, suites_of, fixture_files
from ..conformance.report import Tally, conformance_page, short_table, write_between
from ..conformance.results import CaseResult
from ..conformance.runner import run_files
from ..errors import UnusableInput
from . import testing
from .output import EXIT_MISMATCH, EXIT_OK, EXIT_UNUSABLE, Progress, complain, positive, processors

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

exit status: 0 all cases pass, 1 one fails, 2 no fixtures, or unusable ones
"""
SKIPS = "ethereum-tests/skips.txt"
ARCHIVES = "../shared/ethereum-tests"
# What the report says to type.
COMMAND = "make conformance"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--archives",
        type=Path,
        default=Path(ARCHIVES),
        metavar="DIR",
        help="where archives of fixtures (.tar.xz) are (default: %(default)s)",
    )
    parser.add_argument("--suite", type=testing.pattern, metavar="REGEX", help="only suites whose name has a match")
    parser.add_argument(
        "--sample", type=positive, default=1, metavar="N", help="one test in N, by its name, and all of the newest forks"
    )
    parser.add_argument("--workers", type=positive, metavar="N", help="processes (default: one a processor)")
    parser.add_argument(
        "--strategy",
        choices=testing.strategies(),
        metavar="S",
        help="run state tests as blocks, and blocks with 2 and 4 threads, against the sequential result",
    )
    parser.add_argument("--no-write", action="store_true", help="print the table and write no file")


def main(arguments: argparse.Namespace) -> int:
    """Run everything; the exit status says how it went."""
    project = Path.cwd()
    root = find_corpus(project, arguments.archives, cache_folder())
    if root is None:
        raise UnusableInput("no fixtures: set EVMCORE_TESTS, or fetch them with ethereum-tests/fetch")
    suites = [suite for suite in suites_of(root) if arguments.suite is None or arguments.suite.search(suite.name)]
    selection = Selection(skips=load_skips(project / SKIPS), sample=arguments.sample)
    workers = processors() if arguments.workers is None else arguments.workers
    tally = Tally()
    started = time.perf_counter()
    is_unusable = False
    for suite in suites:
        is_unusable |= not _run_suite(suite, _runner(suite.kind, selection, arguments.strategy), workers, tally)
    seconds = time.perf_counter() - started
    total = tally.total
    print(short_table(tally))
    print(f"{total.passed:,} passed, {total.failed:,} failed, {total.skipped:,} skipped in {seconds:.0f} s, {workers} processes")
    if not arguments.no_write and arguments.suite is None and arguments.sample == 1 and arguments.strategy is None:
        (project / "conformance.md").write_text(conformance_page(tally, COMMAND), "utf-8")
        write_between(project / "README.md", short_table(tally))
    if is_unusable:
        return EXIT_UNUSABLE
    return EXIT_OK if total.failed == 0 else EXIT_MISMATCH


def _run_suite(suite: Suite, run_file: Callable[[str], list[CaseResult]], workers: int, tally: Tally) -> bool:
    """Run a suite's files, count them, and tell what failed; False if a file was unusable."""
    files = [path for path, _ in fixture_files([str(suite.folder)])]
    progress = Progress(len(files))
    is_good = True
    for done, (path, results) in enumerate(run_files(run_file, files, workers), 1):
        progress.show(done, f"{suite.name}: {Path(path).parent.name}")
        if isinstance(results, UnusableInput):
            progress.clear()
            complain(str(results))
            is_good = False
            continue
        tally.add(suite.name, results)
        for result in results:
            if not result.is_passed and result.skipped is None:
                progress.complain(f"{result.file}: {result.name} {result.fork} {result.index}: {result.error}")
    progress.clear()
    return is_good


def _runner(kind: str, selection: Selection, strategy: str | None) -> Callable[[str], list[CaseResult]]:
    if kind == "transaction":
        from ..conformance import transaction_tests

        return partial(transaction_tests.run_file, selection=selection)
    if kind == "blockchain":
        from ..conformance import block_tests

        return partial(block_tests.run_file, selection=selection, strategy=strategy)
    if strategy is not None:
        from ..conformance import state_blocks

        return partial(state_blocks.run_file, selection=selection, strategy=strategy)
    from ..conformance import state_tests

    return partial(state_tests.run_file, selection=selection)
