"""`evmcore blocktest`: blockchain tests run, and held against the head, the state and the refusals that they expect."""

from __future__ import annotations

import argparse
from functools import partial

from . import testing
from .output import positive

SUMMARY = "run blockchain tests"
DESCRIPTION = """\
Run Ethereum's blockchain tests, of ethereum/tests or execution-spec-tests: the blocks of each are imported on its genesis
with the rules of its network. Head and state are compared, and a block that has to be refused has to be refused for the
reason that the test names.

A directory is walked; without PATH, file names are read from standard input. The summary goes to standard error.
"""
EXAMPLES = """\
  evmcore blocktest BlockchainTests/ValidBlocks
  evmcore blocktest BlockchainTests --fork BerlinToLondonAt5
  evmcore blocktest fixtures/blockchain_tests --fork prague --run withdrawal --workers 4

exit status: 0 all tests pass, 1 one fails, 2 unusable input
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    testing.add_arguments(parser)
    parser.add_argument("--fork", type=_network, metavar="F", help="only tests of this network: a fork or a transition")
    parser.add_argument("--run", type=testing.pattern, metavar="REGEX", help="only tests whose name has a match")
    parser.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="threads to execute a block with (default: 1; with --strategy, 2 and 4)",
    )
    parser.add_argument(
        "--stateless", action="store_true", help="execute each block again, from the witness that it makes alone"
    )
    parser.add_argument(
        "--strategy", choices=testing.strategies(), metavar="S", help=f"one of {', '.join(testing.strategies())}"
    )


def _network(text: str) -> str:
    """A fork by any of its names, or a transition, for argparse."""
    from ..chain.schedule import network_schedule
    from ..errors import UnusableInput

    try:
        network_schedule(text)
    except UnusableInput as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def main(arguments: argparse.Namespace) -> int:
    """Run the tests; the exit status says how it went."""
    from .._core import fork_index
    from ..conformance import block_tests
    from ..conformance.discovery import Selection

    fork = network = None
    if arguments.fork is not None:
        try:
            fork = fork_index(arguments.fork)
        except ValueError:
            network = arguments.fork
    run_file = partial(
        block_tests.run_file,
        selection=Selection(fork=fork, names=arguments.run),
        network=network,
        workers=arguments.workers,
        stateless=arguments.stateless,
        strategy=arguments.strategy or (None if arguments.workers is None else "auto"),
    )
    # The threads are the blocks'; the files go through one process.
    return testing.run(run_file, argparse.Namespace(**{**vars(arguments), "workers": 1}))
