"""`evmcore txtest`: transaction tests: signed bytes, and whether a fork takes them for a valid transaction."""

from __future__ import annotations

import argparse
from functools import partial

from . import testing
from .output import fork, positive

SUMMARY = "run transaction tests"
DESCRIPTION = """\
Run Ethereum's transaction tests: bytes that are, or are not, a valid transaction of a fork. Hash, sender and intrinsic gas
are compared, and a rejection has to be of the kind that the case names.

A directory is walked; without PATH, file names are read from standard input. The summary goes to standard error.
"""
EXAMPLES = """\
  evmcore txtest TransactionTests
  evmcore txtest TransactionTests/ttNonce --json

exit status: 0 all cases pass, 1 one fails, 2 unusable input
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    testing.add_arguments(parser)
    parser.add_argument("--fork", type=fork, metavar="F", help="only this fork's results")
    parser.add_argument("--run", type=testing.pattern, metavar="REGEX", help="only tests whose name has a match")
    parser.add_argument(
        "--workers", type=positive, default=1, metavar="N", help="processes to run files in (default: 1)"
    )


def main(arguments: argparse.Namespace) -> int:
    """Run the tests; the exit status says how it went."""
    from ..conformance import transaction_tests

    return testing.run(partial(transaction_tests.run_file, selection=testing.selection_of(arguments)), arguments)
