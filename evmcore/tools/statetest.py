"""`evmcore statetest`: state tests run, and held against the state roots and rejections that they expect."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from . import evm, testing
from .geth import Flag, Given
from .output import fork, positive

SUMMARY = "run state tests"
DESCRIPTION = """\
Run Ethereum's state tests, of ethereum/tests or execution-spec-tests: each case is a transaction on a pre-state. State root
and logs are compared, and a rejection has to be of the kind that the case names.

A directory is walked. The summary goes to standard error.

A single file, or none, and none of evmcore's own options: as go-ethereum's `evm statetest` does. A JSON list of results goes to
standard output, each case's state root, and its trace if that is wanted, to standard error; a test that fails is a result, and
the exit status is 0. Without PATH, file names are read from standard input, each run as soon as its line is there.
"""
EXAMPLES = """\
  evmcore statetest GeneralStateTests/stExample
  evmcore statetest fixtures/state_tests --fork prague --run delegat --workers 4
  evmcore statetest GeneralStateTests/stExample/add11.json --json
  evmcore statetest --trace --trace.format=json --trace.nomemory=true --trace.noreturndata=true test.json

exit status: 0 all cases pass, 1 one fails, 2 unusable input
"""


FLAGS = (
    *evm.TRACE_FLAGS,
    *evm.TEST_FLAGS,
    Flag("statetest.fork", "only this fork's cases"),
    Flag("statetest.index", "only the case with this index", int, -1),
    Flag("bench", "time each case, too", bool, False),
)
# Options of evmcore's own spelling: with one of them the other spelling isn't meant.
_OWN = frozenset(("--json", "--fork", "--index", "--workers", "--strategy", "--summary"))


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
    evm.add_flags(parser, FLAGS)


def geth_main(words: Sequence[str]) -> int | None:
    """Run as go-ethereum's `evm statetest` does; None where the words are evmcore's own spelling."""
    return evm.run_test_files(words, FLAGS, _run_file) if evm.is_geth_test(words, _OWN) else None


def _run_file(path: str, given: Given, names: re.Pattern[str]) -> Iterator[dict[str, Any]]:
    from ..conformance.geth_states import run_file

    return run_file(
        path,
        names,
        fork=given["statetest.fork"],
        index=given["statetest.index"],
        make_tracer=partial(evm.tracer_of, given),
        is_timed=given["bench"],
        dump=evm.state_dump if given["dump"] else None,
    )


def main(arguments: argparse.Namespace) -> int:
    """Run the tests; the exit status says how it went."""
    from ..conformance import state_tests

    selection = testing.selection_of(arguments)
    if arguments.strategy is not None:
        from ..conformance import state_blocks

        run_file = partial(state_blocks.run_file, selection=selection, strategy=arguments.strategy)
    else:
        run_file = partial(state_tests.run_file, selection=selection)
    return testing.run(run_file, arguments)
