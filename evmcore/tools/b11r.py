"""`evmcore b11r`: a block put together, in go-ethereum's spelling (`evm b11r`)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from .geth import Flag, Given, Inputs, Outputs, add_flags, run_tool

SUMMARY = "put a block together, as `evm b11r` does"
DESCRIPTION = """\
Make the RLP of a block, and its hash, of a header, transactions, ommers and withdrawals. Nothing is executed; roots are those
that the header gives, or those of empty lists. --seal.clique signs it.
"""
EXAMPLES = """\
  evmcore b11r --input.header=header.json --input.txs=txs.rlp --output.block=stdout

exit status: 3 a seal that can't be made, 10 not JSON, 11 a file or RLP that can't be read
"""

FLAGS = (
    Flag("input.header", "the header: a file or stdin", default="header.json"),
    Flag("input.ommers", "a list of blocks' RLP, whose headers are the ommers: a file or stdin"),
    Flag("input.withdrawals", "a list of withdrawals: a file or stdin"),
    Flag("input.txs", "the RLP of a list of transactions in a JSON string: a file or stdin", default="txs.rlp"),
    Flag("seal.clique", "what to sign the block with: a file or stdin"),
    Flag("output.basedir", "the folder of output files; it is made"),
    Flag("output.block", "the block: a file, stdout or stderr", default="block.json"),
    Flag("verbosity", "accepted; there is no talk", int, 3),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments, for its help."""
    add_flags(parser, FLAGS)


def geth_main(words: Sequence[str]) -> int:
    """Run the command; the exit status is go-ethereum's."""
    return run_tool(_run, words, FLAGS)


def _run(given: Given) -> None:
    from ..transition.blocks import build

    inputs = Inputs()
    outputs = Outputs(given["output.basedir"])
    header = inputs.read(given["input.header"], "header")
    parts: dict[str, Any] = {
        name: inputs.read(given[flag], name) if given[flag] else None
        for name, flag in (("ommers", "input.ommers"), ("withdrawals", "input.withdrawals"), ("clique", "seal.clique"))
    }
    txs = inputs.read(given["input.txs"], "txs")
    made = build(header, txs, **parts)
    place = given["output.block"]
    if place in ("stdout", "stderr"):
        for name, value in made.items():
            outputs.put(place, name, value)
    else:
        outputs.put(place, "block", made)
    outputs.finish()
