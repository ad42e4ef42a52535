"""`evmcore replay`: blocks executed again, each from its own pre-state, and held against their headers."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..block import Block
from ..errors import EvmError, UnusableInput
from ..fixtures import block_of, block_paths, is_block_json, read_json
from ..verification import Verification, differing_transaction, result_differences
from .output import (
    EXIT_MISMATCH,
    EXIT_OK,
    EXIT_UNUSABLE,
    Column,
    Progress,
    Table,
    mark,
    positive,
    print_json,
    processors,
)

if TYPE_CHECKING:
    from .._core import BlockResult

SUMMARY = "execute blocks again and verify them"
DESCRIPTION = """\
Read block files (format mainnet-block/1, JSON, gzipped or not), execute each block on the state that came with it, and
hold transactions root, senders, gas, logs bloom, receipts root and, where the state is whole, state root against the header.

A directory is not walked into; in it, files of the format count. ms is the execution alone, the best of K repeats;
executions counts transaction runs, conflicts those that were discarded.
"""
EXAMPLES = """\
  evmcore replay blocks/
  evmcore replay blocks/19426586.json.gz --workers 4 --repeat 20
  evmcore replay blocks/ --json | jq 'select(.ok | not)'

exit status: 0 all blocks verify, 1 a mismatch, 2 unusable input
"""
# Where the receipts of each transaction lie beside the block files, to find the one that differs.
PER_TRANSACTION_FOLDER = "per-tx"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    from .._core import STRATEGIES

    parser.add_argument("paths", nargs="+", metavar="FILE|DIR", help="block files, or directories with some")
    parser.add_argument(
        "--workers", type=positive, metavar="N", help="threads to execute with (default: one a processor)"
    )
    parser.add_argument(
        "--strategy", choices=STRATEGIES, default="auto", metavar="S", help=f"one of {', '.join(STRATEGIES)}"
    )
    parser.add_argument(
        "--repeat", type=positive, default=1, metavar="K", help="execute K times, compare, and give the best time"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a block and nothing else")
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first block that doesn't verify")


@dataclass(slots=True)
class Report:
    """What is said of one block; seconds are wall time."""

    number: int
    fork: str
    transactions: int
    workers: int
    strategy: str
    verification: Verification
    gas_used: int = 0
    seconds: dict[str, float] = field(
        default_factory=lambda: {"load": 0.0, "recover": 0.0, "execute": 0.0, "roots": 0.0}
    )
    executions: int = 0
    conflicts: int = 0
    error: str | None = None

    @property
    def is_ok(self) -> bool:
        """Executed, and right as far as the data can tell."""
        return self.verification.is_ok

    def as_json(self) -> dict[str, Any]:
        """The members of the block's JSON object."""
        return {
            "number": self.number,
            "fork": self.fork,
            "transactions": self.transactions,
            "gas_used": self.gas_used,
            "workers": self.workers,
            "strategy": self.strategy,
            "ok": self.is_ok,
            "checks": self.verification.checks,
            "seconds": self.seconds,
            "executions": self.executions,
            "conflicts": self.conflicts,
            "error": self.error,
        }


def main(arguments: argparse.Namespace) -> int:
    """Replay all blocks; the exit status says how it went."""
    workers = processors() if arguments.workers is None else arguments.workers
    paths = block_paths(arguments.paths)
    progress = Progress(len(paths))
    printer = _Printer(progress, arguments.json)
    status = EXIT_OK
    folders_without = {Path(name) for name in arguments.paths if Path(name).is_dir()}
    for done, (path, is_named) in enumerate(paths):
        progress.show(done, path.name)
        try:
            block, load_s = _load(path, is_named)
        except UnusableInput as error:
            progress.complain(str(error))
            status = EXIT_UNUSABLE
            block = None
        if block is not None:
            folders_without.discard(path.parent)
            report = replay(block, path, workers, arguments.strategy, arguments.repeat)
            report.seconds["load"] = load_s
            printer.block(report)
            if not report.is_ok:
                progress.complain(f"block {report.number} ({report.fork}): {report.error}")
                status = max(status, EXIT_MISMATCH)
        if status != EXIT_OK and arguments.fail_fast:
            break
    else:
        for folder in sorted(folders_without):
            progress.complain(f"{folder}: no block files in it")
            status = EXIT_UNUSABLE
    progress.clear()
    printer.total()
    return status


def _load(path: Path, is_named: bool) -> tuple[Block | None, float]:
    """The block of a file and the seconds it took; None for a file of another format that only lay in the directory."""
    started = time.perf_counter()
    value = read_json(path)
    if not is_named and not is_block_json(value):
        return None, 0.0
    return block_of(path, value), time.perf_counter() - started


def replay(block: Block, path: Path, workers: int, strategy: str, repeat: int) -> Report:
    """Execute one block `repeat` times on copies of its pre-state, and verify it. What is wrong is in the report."""
    report = Report(block.number, block.header.fork, len(block.transactions), workers, strategy, Verification(block))
    result: BlockResult | None = None
    try:
        _recover(block, report)
        result = _execute(block, report, repeat)
        started = time.perf_counter()
        report.verification.result(result)
        report.seconds["roots"] += time.perf_counter() - started
    except EvmError as error:
        report.verification.faults.append(str(error))
    if not report.is_ok:
        report.error = _explain(block, report, result, path)
    return report


def _recover(block: Block, report: Report) -> None:
    """What can be checked before the block runs: its transactions, and who sent them."""
    from .._core import ordered_trie_root, recover_senders

    started = time.perf_counter()
    root = ordered_trie_root([tx.raw for tx in block.transactions])
    report.seconds["roots"] += time.perf_counter() - started
    report.verification.transactions_root(root)
    started = time.perf_counter()
    try:
        recover_senders(block.transactions, fork=block.header.fork, workers=report.workers)
    except EvmError:
        report.verification.no_senders()
        raise
    report.seconds["recover"] = time.perf_counter() - started
    report.verification.senders([tx.sender for tx in block.transactions])


def _execute(block: Block, report: Report, repeat: int) -> BlockResult:
    """Run `repeat` times; the best time counts, and all results have to be the first one."""
    from .._core import execute_block

    assert block.pre_state is not None
    first: BlockResult | None = None
    for turn in range(repeat):
        result = execute_block(block, block.pre_state.copy(), workers=report.workers, strategy=report.strategy)
        statistics = result.statistics
        if first is None or statistics["execute_seconds"] < report.seconds["execute"]:
            report.seconds["execute"] = statistics["execute_seconds"]
            report.executions, report.conflicts = statistics["executions"], statistics["conflicts"]
        if first is None:
            first = result
        elif differences := result_differences(first, result):
            raise EvmError(f"run {turn + 1} of {repeat} differs from the first in {', '.join(differences)}")
    assert first is not None
    report.gas_used = first.gas_used
    report.strategy = first.statistics["strategy"]
    return first


def _explain(block: Block, report: Report, result: BlockResult | None, path: Path) -> str:
    """The faults in a sentence, with the first transaction that differs where the files can tell."""
    faults = list(report.verification.faults)
    records = path.parent / PER_TRANSACTION_FOLDER / f"{report.number}.json.gz"
    if result is not None and records.is_file():
        try:
            known = read_json(records)["perTx"]
            difference = differing_transaction(result.receipts, known)
        except (EvmError, KeyError, TypeError) as error:
            faults.append(f"{records}: unusable: {error}")
        else:
            if difference is not None:
                index, text = difference
                name = f"transaction {index}"
                if index < report.transactions:
                    name += f" (0x{block.transactions[index].hash.hex()})"
                faults.append(f"first difference in {name}: {text}")
    return "; ".join(faults)


class _Printer:
    """The reports as they come, as a table or as JSON, and their total."""

    COLUMNS = (
        Column("block", 9),
        Column("fork", 16, is_number=False),
        Column("txs", 5),
        Column("Mgas", 8),
        Column("ms", 9),
        Column("Mgas/s", 8),
        Column("executions", 10),
        Column("conflicts", 9),
        Column("ok", 2, is_number=False),
    )

    def __init__(self, progress: Progress, is_json: bool) -> None:
        self._table = Table(self.COLUMNS, progress)
        self._is_json = is_json
        self._reports: list[Report] = []

    def block(self, report: Report) -> None:
        """One more block."""
        if self._is_json:
            print_json(report.as_json())
            return
        self._reports.append(report)
        seconds = report.seconds["execute"]
        self._row(str(report.number), report.fork, [report], seconds, mark(report.is_ok))

    def total(self) -> None:
        """The line under the table."""
        if not self._reports:
            return
        self._table.rule()
        good = sum(report.is_ok for report in self._reports)
        seconds = sum(report.seconds["execute"] for report in self._reports)
        self._row("total", f"{good} of {len(self._reports)}", self._reports, seconds, mark(good == len(self._reports)))

    def _row(self, name: str, fork: str, reports: list[Report], seconds: float, verdict: str) -> None:
        gas = sum(report.gas_used for report in reports)
        self._table.row(
            name,
            fork,
            str(sum(report.transactions for report in reports)),
            f"{gas / 1e6:.3f}",
            f"{seconds * 1e3:.3f}",
            f"{gas / seconds / 1e6:.0f}" if seconds > 0 and gas else "-",
            str(sum(report.executions for report in reports)),
            str(sum(report.conflicts for report in reports)),
            verdict,
        )
