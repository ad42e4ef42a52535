"""`evmcore t9n`: transactions by themselves, in go-ethereum's spelling (`evm t9n`)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from ..chain.schedule import LAST_OF_WORK
from .geth import Flag, Given, Inputs, add_flags, run_tool
from .output import say

SUMMARY = "check transactions by themselves, as `evm t9n` does"
DESCRIPTION = """\
What a fork says of each transaction of an RLP list, without a state: its hash, its sender, its intrinsic gas, or what is wrong.
"""
EXAMPLES = """\
  evmcore t9n --input.txs=txs.rlp --state.fork=London

exit status: 3 unknown fork, 10 not JSON, 11 no list, or a file that can't be read
"""

FLAGS = (
    Flag("input.txs", "the RLP of a list of transactions in a JSON string: a file or stdin", default="txs.json"),
    Flag("state.chainid", "chain id", int, 1),
    Flag("state.fork", "whose rules hold", default=LAST_OF_WORK),
    Flag("verbosity", "accepted; there is no talk", int, 3),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments, for its help."""
    add_flags(parser, FLAGS)


def geth_main(words: Sequence[str]) -> int:
    """Run the command; the exit status is go-ethereum's."""
    return run_tool(_run, words, FLAGS)


def _run(given: Given) -> None:
    from .._core import fork_index
    from ..transition import faults
    from ..transition.checks import check
    from ..transition.faults import TransitionFault
    from ..transition.transactions import rlp_items

    try:
        fork = fork_index(given["state.fork"])
    except ValueError as error:
        raise TransitionFault(faults.CONFIG, f"failed constructing chain configuration: {error}") from None
    inputs = Inputs()
    text: Any = inputs.read(given["input.txs"], "txs")
    if text is None and given["input.txs"] == "stdin":
        text = inputs.members().get("txsRlp")
    if not isinstance(text, str):
        raise TransitionFault(
            faults.JSON, "failed unmarshaling txs: only RLP, as a string of hexadecimal digits, is read"
        )
    answers = [check(is_list, encoded, fork, given["state.chainid"]) for is_list, encoded in rlp_items(text)]
    say(json.dumps(answers, indent=2))
