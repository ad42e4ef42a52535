"""`evmcore verify`: each block executed by several layers, whose signed digests have to agree."""

from __future__ import annotations

import argparse
from pathlib import Path

import orjson

from ..errors import UnusableInput
from ..files import write_file
from ..fixtures import BLOCK_FORMAT, block_paths
from ..layers import Quorum, QuorumVerdict, local_layers
from .output import EXIT_MISMATCH, EXIT_OK, EXIT_UNUSABLE, Column, Progress, Table, mark, positive, print_json, say

SUMMARY = "execute blocks on several layers and compare what they sign"
DESCRIPTION = """\
Execute each block file (format mainnet-block/1) on K of N layers, processes of their own with a key each. What they sign is a digest: of
the block access list and the receipts root. Where two differ, further layers are asked until K agree, and who said otherwise is named and
struck off: of 2 K - 1 layers, K - 1 that lie together are outvoted. A layer that dies or is slow is replaced by another.

What the layers agree on is held against the block's header, too.
"""
EXAMPLES = """\
  evmcore verify blocks/
  evmcore verify blocks/ --layers 5 --quorum 3
  evmcore verify blocks/19426586.json.gz --certificates certificates.jsonl

exit status: 0 all blocks verify, 1 a mismatch, no agreement or a dissenter, 2 unusable input
"""
COLUMNS = (
    Column("block", 9),
    Column("fork", 16, is_number=False),
    Column("txs", 5),
    Column("digest", 18, is_number=False),
    Column("agree", 5),
    Column("asked", 5),
    Column("ok", 2, is_number=False),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("paths", nargs="+", metavar="FILE|DIR", help="block files, or directories with some")
    parser.add_argument("--layers", type=positive, default=3, metavar="N", help="how many there are (default: 3)")
    parser.add_argument("--quorum", type=positive, default=2, metavar="K", help="how many have to agree (default: 2)")
    parser.add_argument(
        "--patience", type=_seconds, default=60.0, metavar="S", help="seconds until another is asked too (default: 60)"
    )
    parser.add_argument(
        "--cpu-limit",
        type=_seconds,
        metavar="S",
        help="seconds of the processor's time a block may take (default: any)",
    )
    parser.add_argument(
        "--certificates",
        type=Path,
        metavar="FILE",
        help="write the certificates of those that agree, a line of JSON a block",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a block and nothing else")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds")
    return value


def main(arguments: argparse.Namespace) -> int:
    """Verify all blocks; the exit status says how it went."""
    paths = block_paths(arguments.paths)
    named = {str(path) for path, is_named in paths if is_named}
    progress = Progress(len(paths))
    table = Table(COLUMNS, progress)
    status, blocks = EXIT_OK, 0
    lines: list[bytes] = []
    with Quorum(
        local_layers(arguments.layers),
        arguments.quorum,
        patience_s=arguments.patience,
        cpu_limit_s=arguments.cpu_limit,
    ) as quorum:
        for done, verdict in enumerate(quorum.verify([str(path) for path, _ in paths]), 1):
            summary = verdict.summary
            if summary.source not in named and f"wants {BLOCK_FORMAT!r}" in (summary.error or ""):
                continue  # a file of another format, which only lay in the directory
            blocks += 1
            lines.append(orjson.dumps(_certificates(verdict)) + b"\n")
            if arguments.json:
                print_json(_as_json(verdict))
            elif summary.number is not None:
                table.row(
                    str(summary.number),
                    summary.fork,
                    str(summary.transactions),
                    "" if verdict.digest is None else f"0x{verdict.digest[:8].hex()}",
                    str(len(verdict.certificates)),
                    str(len(verdict.asked)),
                    mark(verdict.is_ok),
                )
            for dissent in verdict.dissents:
                progress.complain(f"{dissent.layer} (0x{dissent.address.hex()}) is struck off: {dissent.reason}")
                status = max(status, EXIT_MISMATCH)
            if not verdict.is_ok:
                is_unusable = summary.block_hash is None and summary.is_conclusive
                progress.complain(str(summary.error) if is_unusable else f"block {summary.number}: {summary.error}")
                status = max(status, EXIT_UNUSABLE if is_unusable else EXIT_MISMATCH)
            progress.show(done, summary.source or "", "blocks")
        progress.clear()
        if not blocks:
            raise UnusableInput(f"{', '.join(map(str, arguments.paths))}: no block files in it")
        if not arguments.json and quorum.lost:
            say(f"lost: {', '.join(quorum.lost)}")
    if arguments.certificates is not None:
        write_file(arguments.certificates, b"".join(lines))
    return status


def _certificates(verdict: QuorumVerdict) -> dict[str, object]:
    return {"number": verdict.summary.number, "certificates": [one.to_json() for one in verdict.certificates]}


def _as_json(verdict: QuorumVerdict) -> dict[str, object]:
    summary = verdict.summary
    return {
        "number": summary.number,
        "fork": summary.fork,
        "transactions": summary.transactions,
        "gas_used": summary.gas_used,
        "ok": verdict.is_ok,
        "digest": None if verdict.digest is None else "0x" + verdict.digest.hex(),
        "signers": ["0x" + one.signer.hex() for one in verdict.certificates],
        "dissenters": ["0x" + one.address.hex() for one in verdict.dissents],
        "abstained": [list(one) for one in verdict.abstained],
        "asked": list(verdict.asked),
        "source": summary.source,
        "error": summary.error,
    }
