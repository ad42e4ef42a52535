"""`evmcore replay`: blocks executed again, each from its own pre-state, and held against their headers."""

from __future__ import annotations

import argparse
import functools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..block import Block
from ..errors import EvmError, UnusableInput
from ..files import read_json
from ..fixtures import block_of, block_paths, is_block_json
from ..statistics import Strategy
from ..verification import Verification, differing_transaction, result_differences
from .fetch import expanded
from .output import (
    EXIT_MISMATCH,
    EXIT_OK,
    EXIT_UNUSABLE,
    SPEED_COLUMNS,
    Column,
    Progress,
    Table,
    mark,
    positive,
    print_json,
    processors,
)
from .remote import add_node_arguments, client_of, fetch_named_block, refuse_node_arguments

if TYPE_CHECKING:
    from .._core import BlockResult
    from ..accesses import Accesses

SUMMARY = "execute blocks again and verify them"
DESCRIPTION = """\
Read block files (format mainnet-block/1, JSON, gzipped or not), execute each block on the state that came with it, and
hold transactions root, senders, gas, logs bloom, receipts root and, where the state is whole, state root against the header.

A directory is not walked into; in it, files of the format count. ms is the execution alone, the best of K repeats;
executions counts transaction runs, aborted those whose read set failed validation.

With --fork URL blocks are named in the place of files (a number, a range such as 19000000-19000009, a hash, latest, safe, finalized) and fetched from that
node, with the part of the state before them that they read.

What each transaction reads and writes can be kept (--accesses) and given to a later replay (--recorded), which then needs no
speculation. One block file: FILE. Several, or a directory: a directory, with <number>.json.gz for each block.

--executor executes several blocks at a time, each on one thread: in threads, in processes, by the workers of a Dask cluster
(dask:tcp://HOST:PORT), or by the ranks of an MPI program (mpi; mpirun -n 3 evmcore replay … --executor mpi). They read the files
themselves. With --journal, what is finished is on disk when its line is printed, and a restart goes on where it stopped.
"""
EXAMPLES = """\
  evmcore replay blocks/
  evmcore replay blocks/19426586.json.gz --workers 4 --repeat 20
  evmcore replay blocks/ --json | jq 'select(.ok | not)'
  evmcore replay blocks/ --accesses accesses/
  evmcore replay blocks/ --recorded accesses/
  evmcore replay --fork https://node.example/key 19000000-19000009 latest
  evmcore replay blocks/ --executor processes --chunk 10 --journal blocks.journal

exit status: 0 all blocks verify, 1 a mismatch, or the node fails, 2 unusable input
"""
# The strategies that make use of recorded accesses; "auto" stands for the first of them.
RECORDED_STRATEGIES: tuple[Strategy, ...] = ("recorded", "recorded-hint")
# Where the receipts of each transaction lie beside the block files, to find the one that differs.
PER_TRANSACTION_FOLDER = "per-tx"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    from .._core import STRATEGIES

    parser.add_argument(
        "paths",
        nargs="+",
        metavar="FILE|DIR|BLOCK",
        help="block files, or directories with some; with --fork the node's blocks",
    )
    parser.add_argument(
        "--workers", type=positive, metavar="N", help="threads to execute with (default: one a processor)"
    )
    parser.add_argument(
        "--strategy", choices=STRATEGIES, default="auto", metavar="S", help=f"one of {', '.join(STRATEGIES)}"
    )
    parser.add_argument(
        "--repeat", type=positive, default=1, metavar="K", help="execute K times, compare, and give the best time"
    )
    parser.add_argument(
        "--accesses", type=Path, metavar="FILE|DIR", help="write what the transactions read and wrote, for --recorded"
    )
    parser.add_argument(
        "--recorded",
        type=Path,
        metavar="FILE|DIR",
        help="execute by these accesses (strategy recorded, or recorded-hint where they may be wrong)",
    )
    parser.add_argument(
        "--executor", metavar="E", help="threads, processes, dask:ADDRESS or mpi: several blocks at a time"
    )
    parser.add_argument("--chunk", type=positive, metavar="N", help="blocks a task of the executor (default: 1)")
    parser.add_argument("--journal", metavar="FILE", help="append finished blocks to it, and pass over those in it")
    parser.add_argument("--json", action="store_true", help="print one JSON object a block and nothing else")
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first block that doesn't verify")
    add_node_arguments(parser, "--fork", is_needed=False, has_block=False)


@dataclass(slots=True)
class Report:
    """What is said of one block; seconds are wall time."""

    number: int
    fork: str
    transactions: int
    workers: int
    strategy: Strategy
    verification: Verification
    gas_used: int = 0
    seconds: dict[str, float] = field(
        default_factory=lambda: {"load": 0.0, "recover": 0.0, "execute": 0.0, "roots": 0.0}
    )
    executions: int = 0
    aborted: int = 0
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
            "aborted": self.aborted,
            "error": self.error,
        }


def main(arguments: argparse.Namespace) -> int:
    """Replay all blocks; the exit status says how it went."""
    if arguments.executor is not None:
        if arguments.node is not None:
            raise UnusableInput("--executor: reads block files, which evmcore fetch writes; --fork has no part in it")
        from .replay_range import main as main_of_range

        return main_of_range(arguments)
    for name in ("chunk", "journal"):
        if getattr(arguments, name) is not None:
            raise UnusableInput(f"--{name} needs --executor")
    workers = processors() if arguments.workers is None else arguments.workers
    strategy = _strategy(arguments)
    if arguments.node is None:
        refuse_node_arguments(arguments, "--fork")
        items = [
            _Item(path.name, path, functools.partial(_load, path, is_named), is_named)
            for path, is_named in block_paths(arguments.paths)
        ]
    else:
        items = _items_of_node(arguments)
    is_one = len(items) == 1 and items[0].is_named
    written = _AccessFiles(arguments.accesses, is_one) if arguments.accesses is not None else None
    read = _AccessFiles(arguments.recorded, is_one) if arguments.recorded is not None else None
    progress = Progress(len(items))
    printer = _Printer(progress, arguments.json)
    status = EXIT_OK
    folders_without = {Path(name) for name in arguments.paths if arguments.node is None and Path(name).is_dir()}
    for done, item in enumerate(items):
        progress.show(done, item.name)
        accesses = None
        try:
            block, load_s = item.load()
            if block is not None and read is not None:
                accesses = read.load(block.number)
        except UnusableInput as error:
            progress.complain(str(error))
            status = EXIT_UNUSABLE
            block = None
        except EvmError as error:  # of a node
            progress.complain(f"block {item.name}: {error}")
            status = max(status, EXIT_MISMATCH)
            block = None
        if block is not None:
            folders_without.discard(item.path.parent)
            report = replay(block, item.path, workers, strategy, arguments.repeat, accesses)
            report.seconds["load"] = load_s
            printer.block(report)
            if report.is_ok and written is not None:
                written.save(block.number, _record(block))
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


@dataclass(frozen=True, slots=True)
class _Item:
    """A block that is asked for. path: its file, or where there is none; load() gives it, None for what is no block, and the seconds."""

    name: str
    path: Path
    load: Callable[[], tuple[Block | None, float]]
    is_named: bool


def _items_of_node(arguments: argparse.Namespace) -> list[_Item]:
    """The node's blocks that the words name."""
    client = client_of(arguments)

    def load(block: int | str) -> tuple[Block | None, float]:
        started = time.perf_counter()
        fetched = fetch_named_block(client, block, arguments)
        return fetched.block, time.perf_counter() - started

    wanted = [block for word in arguments.paths for block in expanded(word)]
    return [_Item(str(block), Path(os.devnull), functools.partial(load, block), True) for block in wanted]


def _strategy(arguments: argparse.Namespace) -> Strategy:
    """The strategy to execute with; raises UnusableInput where it and --recorded don't go together."""
    strategy: Strategy = arguments.strategy
    if arguments.recorded is None:
        if strategy in RECORDED_STRATEGIES:
            raise UnusableInput(f"--strategy {strategy} needs --recorded")
        return strategy
    if strategy == "auto":
        return RECORDED_STRATEGIES[0]
    if strategy not in RECORDED_STRATEGIES:
        raise UnusableInput(f"--strategy {strategy} makes no use of --recorded: {' or '.join(RECORDED_STRATEGIES)} do")
    return strategy


class _AccessFiles:
    """Where accesses lie: a file if there is one block, else a directory with a file for each."""

    def __init__(self, path: Path, is_one: bool) -> None:
        self._path = path
        self._is_file = is_one and not path.is_dir()
        if not is_one and path.exists() and not path.is_dir():
            raise UnusableInput(f"{path}: the accesses of one block; for several, name a directory")

    def _of(self, number: int) -> Path:
        return self._path if self._is_file else self._path / f"{number}.json.gz"

    def load(self, number: int) -> Accesses:
        """The accesses of that block; raises UnusableInput."""
        from ..accesses import Accesses

        return Accesses.load(self._of(number))

    def save(self, number: int, accesses: Accesses) -> None:
        """Write them; raises UnusableInput where that can't be done."""
        path = self._of(number)
        try:
            if not self._is_file:
                path.parent.mkdir(parents=True, exist_ok=True)
            accesses.save(path)
        except OSError as error:
            raise UnusableInput(f"{path}: {error.strerror or error}") from None


def _record(block: Block) -> Accesses:
    """What the transactions read and write: from a run of its own, so that no time that is shown has it in."""
    from .._core import execute_block

    assert block.pre_state is not None
    # Roots after each transaction (before Byzantium) would have to be made in between.
    result = execute_block(
        block, block.pre_state.copy(), workers=1, strategy="sequential", record=True, state_roots=False
    )
    assert result.accesses is not None
    return result.accesses


def _load(path: Path, is_named: bool) -> tuple[Block | None, float]:
    """The block of a file and the seconds it took; None for a file of another format that only lay in the directory."""
    started = time.perf_counter()
    value = read_json(path)
    if not is_named and not is_block_json(value):
        return None, 0.0
    return block_of(path, value), time.perf_counter() - started


def replay(
    block: Block, path: Path, workers: int, strategy: Strategy, repeat: int, accesses: Accesses | None = None
) -> Report:
    """Execute one block `repeat` times on copies of its pre-state, and verify it. What is wrong is in the report."""
    report = Report(block.number, block.header.fork, len(block.transactions), workers, strategy, Verification(block))
    result: BlockResult | None = None
    try:
        _recover(block, report)
        result = _execute(block, report, repeat, accesses)
        started = time.perf_counter()
        report.verification.result(result)
        report.seconds["roots"] += time.perf_counter() - started
    except (EvmError, ValueError) as error:  # ValueError: a header that no rule can make sense of
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


def _execute(block: Block, report: Report, repeat: int, accesses: Accesses | None) -> BlockResult:
    """Run `repeat` times; the best time counts, and all results have to be the first one."""
    from .._core import execute_block

    assert block.pre_state is not None
    strategy = report.strategy
    first: BlockResult | None = None
    for turn in range(repeat):
        result = execute_block(
            block, block.pre_state.copy(), workers=report.workers, strategy=strategy, accesses=accesses
        )
        statistics = result.statistics
        if first is None or statistics.execute_seconds < report.seconds["execute"]:
            report.seconds["execute"] = statistics.execute_seconds
            report.executions, report.aborted = statistics.executions, statistics.aborted
        if first is None:
            first = result
        elif differences := result_differences(first, result):
            raise EvmError(f"run {turn + 1} of {repeat} differs from the first in {', '.join(differences)}")
    assert first is not None
    report.gas_used = first.gas_used
    report.strategy = first.statistics.strategy
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
        *SPEED_COLUMNS,
        Column("executions", 10),
        Column("aborted", 9),
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
            str(sum(report.aborted for report in reports)),
            verdict,
        )
