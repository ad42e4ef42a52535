"""`evmcore statetest`: state tests run, and held against the state roots and rejections that they expect."""

from __future__ import annotations

import argparse
from functools import partial

from . import testing
from .output import fork, positive

SUMMARY = "run state tests"
DESCRIPTION = """\
Run Ethereum's state tests, of ethereum/tests or execution-spec-tests: each case is a transaction on a pre-state. State root
and logs are compared, and a rejection has to be of the kind that the case names.

A directory is walked; without PATH, file names are read from standard input. The summary goes to standard error.
"""
EXAMPLES = """\
  evmcore statetest GeneralStateTests/stExample
  evmcore statetest fixtures/state_tests --fork prague --run delegat --workers 4
  evmcore statetest GeneralStateTests/stExample/add11.json --json --trace

exit status: 0 all cases pass, 1 one fails, 2 unusable input
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    testing.add_arguments(parser)
    parser.add_argument("--fork", type=fork, metavar="F", help="only this fork's cases")
    parser.add_argument("--index", type=int, metavar="N", help="only the Nth case of each fork in a test, from 0")
    parser.add_argument("--run", type=testing.pattern, metavar="REGEX", help="only tests whose name has a match")
    parser.add_argument(
        "--workers", type=positive, metavar="N", help="processes to run files in (default: one a processor)"
    )
    parser.add_argument(
        "--strategy",
        choices=testing.strategies(),
        metavar="S",
        help="also run each test's transactions as a block, with 2 and 4 threads, against the sequential result: "
        + ", ".join(testing.strategies()),
    )
    parser.add_argument("--trace", action="store_true", help="write EIP-3155 lines to standard error")


def main(arguments: argparse.Namespace) -> int:
    """Run the tests; the exit status says how it went."""
    from ..conformance import state_tests

    selection = testing.selection_of(arguments)
    if arguments.trace:
        run_file = partial(state_tests.trace_file, selection=selection)
        arguments.workers = 1
    elif arguments.strategy is not None:
        from ..conformance import state_blocks

        run_file = partial(state_blocks.run_file, selection=selection, strategy=arguments.strategy)
    else:
        run_file = partial(state_tests.run_file, selection=selection)
    return testing.run(run_file, arguments)
