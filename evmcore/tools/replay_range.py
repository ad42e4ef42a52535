"""`evmcore replay --executor`: blocks of files over threads, processes, a cluster or MPI, through `evmcore.layers`."""

from __future__ import annotations

import argparse
import time
from contextlib import closing

from ..errors import UnusableInput
from ..fixtures import BLOCK_FORMAT, block_paths
from ..layers import BlockSummary, open_executor, replay_range
from .output import EXIT_MISMATCH, EXIT_OK, EXIT_UNUSABLE, SPEED_COLUMNS, Column, Progress, Table, mark, print_json

COLUMNS = (
    *SPEED_COLUMNS,
    Column("digest", 18, is_number=False),
    Column("ok", 2, is_number=False),
)


def main(arguments: argparse.Namespace) -> int:
    """Replay all blocks; the exit status says how it went. On an MPI rank that works for another one: 0, when there is no more to do."""
    for name in ("accesses", "recorded"):
        if getattr(arguments, name) is not None:
            raise UnusableInput(f"--{name} and --executor don't go together")
    if arguments.repeat != 1:
        raise UnusableInput("--repeat and --executor don't go together")
    if arguments.strategy in ("recorded", "recorded-hint"):
        raise UnusableInput(f"--strategy {arguments.strategy} needs --recorded")
    with open_executor(arguments.executor, arguments.workers) as executor:
        return EXIT_OK if executor is None else _replay(arguments, executor)


def _replay(arguments: argparse.Namespace, executor: object) -> int:
    paths = block_paths(arguments.paths)
    named = {str(path) for path, is_named in paths if is_named}
    progress = Progress(len(paths))
    table = Table(COLUMNS, progress)
    status = EXIT_OK
    blocks = good = gas = 0
    started = time.perf_counter()
    summaries = replay_range(
        [str(path) for path, _ in paths],
        arguments.workers,
        executor,
        strategy=arguments.strategy,
        chunk=arguments.chunk or 1,
        journal=arguments.journal,
    )
    with closing(summaries):  # type: ignore[type-var]  # it is a generator
        for done, summary in enumerate(summaries, 1):
            if summary.source not in named and f"wants {BLOCK_FORMAT!r}" in (summary.error or ""):
                continue  # a file of another format, which only lay in the directory
            blocks += 1
            if arguments.json:
                print_json(_as_json(summary))
            elif summary.number is not None:
                cells = (
                    str(summary.number),
                    summary.fork,
                    summary.transactions,
                    summary.gas_used,
                    sum(summary.seconds.values()),
                )
                _row(table, *cells, summary.is_ok, summary.digest)
            good += summary.is_ok
            gas += summary.gas_used
            if not summary.is_ok:
                progress.complain(
                    str(summary.error)
                    if summary.number is None
                    else f"block {summary.number} ({summary.fork}): {summary.error}"
                )
                status = max(status, EXIT_MISMATCH if summary.number is not None else EXIT_UNUSABLE)
                if arguments.fail_fast:
                    break
            progress.show(done, summary.source or "", "blocks")
    progress.clear()
    if not blocks:
        raise UnusableInput(f"{', '.join(map(str, arguments.paths))}: no block files in it")
    if not arguments.json:
        table.rule()
        _row(table, "total", f"{good} of {blocks}", 0, gas, time.perf_counter() - started, good == blocks)
    return status


def _row(
    table: Table,
    name: str,
    fork: str,
    transactions: int,
    gas: int,
    seconds: float,
    is_ok: bool,
    digest: bytes | None = None,
) -> None:
    table.row(
        name,
        fork,
        str(transactions) if transactions else "",
        f"{gas / 1e6:.3f}",
        f"{seconds * 1e3:.3f}",
        f"{gas / seconds / 1e6:.0f}" if seconds > 0 and gas else "-",
        "" if digest is None else f"0x{digest[:8].hex()}",
        mark(is_ok),
    )


def _as_json(summary: BlockSummary) -> dict[str, object]:
    return {
        "number": summary.number,
        "fork": summary.fork,
        "transactions": summary.transactions,
        "gas_used": summary.gas_used,
        "ok": summary.is_ok,
        "checks": dict(summary.checks),
        "seconds": dict(summary.seconds),
        "executions": summary.executions,
        "aborted": summary.aborted,
        "digest": None if summary.digest is None else "0x" + summary.digest.hex(),
        "source": summary.source,
        "error": summary.error,
    }
