"""`evmcore report`: a page about what in a block, or in several, keeps them from being faster."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..block import Block
from ..errors import EvmError, UnusableInput
from ..files import read_json, write_file
from ..fixtures import block_of, block_paths, is_block_json
from .output import EXIT_MISMATCH, EXIT_OK, Progress, positive, say

SUMMARY = "draw what keeps blocks from being faster"
DESCRIPTION = """\
Execute block files (format mainnet-block/1) in order and write one HTML page that loads nothing from elsewhere: conflict graph, critical path, a timeline
of each worker, hottest slots and contracts, speed-up by number of workers up to 64, and a cut into layers. What workers would do is
simulated in gas time.

--dot and --csv write the conflict graph of a single block for other programs.
"""
EXAMPLES = """\
  evmcore report blocks/19426586.json.gz -o report.html
  evmcore report blocks/ -o report.html --workers 8
  evmcore report block.json.gz -o report.html --dot conflicts.dot --csv conflicts.csv

exit status: 0 written, 1 a block can't be executed, 2 unusable input
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("paths", nargs="+", metavar="FILE|DIR", help="block files, or directories with some")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the page to write")
    parser.add_argument(
        "--workers", type=_workers, default=4, metavar="N", help="of the timelines, 1 to 64 (default: 4)"
    )
    parser.add_argument("--dot", type=Path, metavar="FILE", help="the conflict graph for Graphviz")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="the conflict graph, a line a dependency")


def _workers(text: str) -> int:
    value = positive(text)
    if value > 64:
        raise argparse.ArgumentTypeError(f"{text} is more than 64")
    return value


def main(arguments: argparse.Namespace) -> int:
    """Analyse all blocks and write the page; the exit status says how it went."""
    from ..analysis import BlockAnalysis, analyse, report, to_csv, to_dot

    paths = block_paths(arguments.paths)
    progress = Progress(len(paths))
    status = EXIT_OK
    analyses: list[BlockAnalysis] = []
    for done, (path, is_named) in enumerate(paths):
        progress.show(done, path.name, "blocks")
        value = read_json(path)
        if not is_named and not is_block_json(value):
            continue
        block: Block = block_of(path, value)
        try:
            analyses.append(analyse(block))
        except EvmError as error:
            if isinstance(error, UnusableInput):
                raise
            progress.complain(f"block {block.number}: {error}")
            status = EXIT_MISMATCH
    progress.clear()
    if not analyses:
        if status != EXIT_OK:
            return status
        raise UnusableInput(f"{', '.join(map(str, arguments.paths))}: no block files in it")
    for name, write in (("dot", to_dot), ("csv", to_csv)):
        path = getattr(arguments, name)
        if path is not None:
            if len(analyses) != 1:
                raise UnusableInput(f"--{name} is for one block; there are {len(analyses)}")
            write_file(path, write(analyses[0]).encode())
    write_file(arguments.output, report(analyses, workers=arguments.workers).encode())
    say(f"{arguments.output}: {len(analyses)} block{'s' if len(analyses) > 1 else ''}")
    return status
