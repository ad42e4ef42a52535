"""`evmcore blocktest`: blockchain tests run, and held against the head, the state and the refusals that they expect."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from . import evm, testing
from .geth import Flag, Given
from .output import positive

SUMMARY = "run blockchain tests"
DESCRIPTION = """\
Run Ethereum's blockchain tests, of ethereum/tests or execution-spec-tests: the blocks of each are imported on its genesis
with the rules of its network. Head and state are compared, and a block that has to be refused has to be refused for the
reason that the test names.

A directory is walked. The summary goes to standard error.

A single file, or none, and none of evmcore's own options: as go-ethereum's `evm blocktest` does, with a JSON list of results on
standard output and exit status 0 for a test that fails, too. Without PATH, file names are read from standard input.
"""
EXAMPLES = """\
  evmcore blocktest BlockchainTests/ValidBlocks
  evmcore blocktest BlockchainTests --fork BerlinToLondonAt5
  evmcore blocktest fixtures/blockchain_tests --fork prague --run withdrawal --workers 4

exit status: 0 all tests pass, 1 one fails, 2 unusable input
"""


FLAGS = (
    *evm.TRACE_FLAGS,
    *evm.TEST_FLAGS,
    Flag("cross-check", "execute each block again, from the witness that it makes", bool, False, ("xc",)),
)
# Options of evmcore's own spelling: with one of them the other spelling isn't meant.
_OWN = frozenset(("--json", "--fork", "--workers", "--strategy", "--stateless", "--summary"))


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
    evm.add_flags(parser, FLAGS)


def geth_main(words: Sequence[str]) -> int | None:
    """Run as go-ethereum's `evm blocktest` does; None where the words are evmcore's own spelling."""
    return evm.run_test_files(words, FLAGS, _run_file) if evm.is_geth_test(words, _OWN) else None


def _run_file(path: str, given: Given, names: re.Pattern[str]) -> Iterator[dict[str, Any]]:
    from ..conformance.block_tests import run_block_test
    from ..conformance.discovery import load_tests
    from ..errors import UnusableInput

    if given["trace"] or given["debug"] or given["dump"]:
        raise UnusableInput("blocktest: traces and dumps are of state tests; evmcore.traces has those of blocks")
    tests = load_tests(path, "blockchain")
    if not tests:
        raise UnusableInput(f"{path}: no test of this kind in it")
    for name, test in sorted(tests.items()):
        if names.search(name) is None:
            continue
        result = run_block_test(
            name, test, path, workers=1, strategy="sequential", way="stateless" if given["cross-check"] else None
        )
        members: dict[str, Any] = {"name": name, "pass": result.is_passed}
        if result.is_passed:
            members["stateRoot"] = result.state_root
        members["fork"] = result.fork
        if result.error is not None:
            members["error"] = result.error
        yield members


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
        way="stateless" if arguments.stateless else None,
        strategy=arguments.strategy or (None if arguments.workers is None else "auto"),
    )
    # The threads are the blocks'; the files go through one process.
    return testing.run(run_file, argparse.Namespace(**{**vars(arguments), "workers": 1}))
