"""`make bench`: run the benchmarks and write what they say: the short table into README.md, all of it into bench/results.md.

    python -m bench.report [--json FILE] [--readme FILE] [--results FILE] [pytest arguments]

With --json FILE of an earlier run (pytest-benchmark's format) nothing is measured again. Losers stay in the tables.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from .machine import ROOT, description
from .tables import duration, table, write_marked

SUITES = ("programs", "opcodes", "blocks", "precompiles", "overheads", "roots")
README_TABLE = "blocks"
Row = dict[str, Any]
SKIPPED = (
    "A dash: it would take too long, or it doesn't use the gas that the others agree on and so didn't do the same (pyrevm "
    "takes slots that were put in as warm)."
)
# Why a peer won, where it was looked into: each sentence comes from taking the run apart, not from reading code.
REASONS = {
    "synth/log2_5k": "two thirds of our time is making the receipt's logs Python objects",
    "erc20/bench_internal_2000": "half of our time is making the receipt's logs Python objects",
    "call of a contract that stops": "a third of our time is making the CallResult",
    "transfer of value": "our time has the making of a Transaction and of a Receipt in it; a message of pyrevm's is neither",
    "snapshot, transaction, revert": "our time has the making of a Receipt in it; a message of pyrevm's has none",
}
NOT_LOOKED_INTO = "not taken apart yet"


def rows_of(path: Path) -> dict[str, list[Row]]:
    """kind -> what the benchmarks noted of themselves, with the median seconds of a run."""
    found: dict[str, list[Row]] = defaultdict(list)
    for item in json.loads(path.read_text())["benchmarks"]:
        row = {"median": item["stats"]["median"], **item["extra_info"]}
        if "kind" in row:
            found[row["kind"]].append(row)
    return found


def run_benchmarks(path: Path, arguments: list[str]) -> int:
    """All suites in one pytest run; its exit status."""
    import pytest

    files = [str(ROOT / "bench" / f"{name}.py") for name in SUITES]
    return int(
        pytest.main(
            [*files, "--benchmark-enable", "--benchmark-only", f"--benchmark-json={path}", "--quiet", *arguments]
        )
    )


# ---------------------------------------------------------------- sections


def blocks_section(rows: list[Row]) -> str:
    heads = ["block", "fork", "txs", "Mgas", "ms", "Mgas/s", "µs a transaction"]
    cells = [
        [
            row["block"],
            row["fork"],
            row["transactions"],
            f"{row['gas'] / 1e6:.2f}",
            f"{row['seconds'] * 1e3:.2f}",
            f"{row['gas'] / row['seconds'] / 1e6:,.0f}",
            f"{row['seconds'] * 1e6 / row['transactions']:.1f}" if row["transactions"] else "-",
        ]
        for row in rows
    ]
    return "## Real blocks, one thread\n\nExecution alone, senders known.\n\n" + table(heads, cells, texts=2)


def by_engine(rows: list[Row], key: str) -> tuple[list[str], dict[str, dict[str, float]]]:
    """The engines, ours first, and key -> engine -> seconds."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows:
        found[row[key]][row["engine"]] = row["median"]
    engines = sorted({row["engine"] for row in rows}, key=lambda name: (name != "evmcore", name))
    return engines, found


def compared(rows: list[Row], key: str, title: str, note: str = "") -> str:
    """A table of all engines, and who is fastest in how many rows, and why."""
    engines, found = by_engine(rows, key)
    wins: dict[str, list[str]] = defaultdict(list)
    cells = []
    for name, seconds in found.items():
        fastest = min(seconds, key=lambda engine: seconds[engine])
        wins[fastest].append(name)
        cells.append([name, *(_marked(seconds.get(engine), engine == fastest) for engine in engines)])
    text = f"## {title}\n\n" + table([key, *engines], cells)
    if len(engines) < 2:
        return text + "\n\nNo peer is installed: `pip install pyrevm` and `pip install --pre py-evm` bring two."
    lines = [f"evmcore is fastest in {len(wins['evmcore'])} of {len(found)}. {note}".strip()]
    lines += [
        f"- {name}: {engine} wins; {REASONS.get(name, NOT_LOOKED_INTO)}."
        for engine, names in wins.items()
        if engine != "evmcore"
        for name in names
    ]
    return text + "\n\n" + "\n".join(lines[:1]) + ("\n\n" + "\n".join(lines[1:]) if lines[1:] else "")


def _marked(seconds: float | None, is_fastest: bool) -> str:
    text = duration(seconds)
    return f"**{text}**" if is_fastest else text


def instructions_section(rows: list[Row]) -> str:
    empty = next((row["median"] for row in rows if row["family"] == "nothing"), 0.0)
    cells = [
        [row["family"], f"{max(0.0, row['median'] - empty) / row['count'] * 1e9:.2f}"]
        for row in rows
        if row["family"] != "nothing"
    ]
    return (
        "## Instructions\n\nNanoseconds for each turn, its operands' PUSHes and POPs included, the loop's own time taken off.\n\n"
        + table(["turn", "ns"], cells)
    )


def precompiles_section(rows: list[Row]) -> str:
    cells = [
        [
            row["precompile"],
            row["input_bytes"],
            row["gas"],
            duration(row["median"]),
            f"{row['gas'] / row['median'] / 1e6:,.0f}",
        ]
        for row in rows
    ]
    text = "## Precompiles\n\nCalled from Python, gas of Osaka.\n\n"
    return text + table(["precompile", "bytes", "gas", "time", "Mgas/s"], cells)


def around_section(rows: list[Row]) -> str:
    cells = [
        [
            row["what"],
            row["count"],
            duration(row["median"]),
            f"{duration(row['median'] / row['count'])} a {row['unit']}",
        ]
        for row in rows
    ]
    return "## Around the execution\n\n" + table(["what", "of", "time", "each"], cells)


def threads_section(row: Row) -> str:
    first, second = row["blocks"]
    return (
        f"## Threads\n\nBlock {first} on one thread and block {second} on another, at the same time, take "
        f"**{row['ratio']:.2f}** times as long as the slower of them alone (paired runs, median); one after the other they "
        "would take 2. The GIL is free during execution."
    )


# ---------------------------------------------------------------- README


def short_table(rows: dict[str, list[Row]]) -> str:
    """What the README says: few figures, each with what it stands beside."""
    cells: list[list[object]] = []
    for row in rows["threads"]:
        cells.append(
            [
                "two threads, a block each, against the slower alone",
                f"{row['ratio']:.2f} × its time",
                "one after the other: 2",
            ]
        )
    for peer, (faster, mean) in _against(rows["program"]).items():
        count = sum(row["engine"] == peer for row in rows["program"])
        cells.append(
            [f"{count} programs, against {peer}", f"faster in {faster}", f"{mean:.1f} times as fast (geometric mean)"]
        )
    for name, seconds_of in by_engine(rows["overhead"], "case")[1].items():
        others = ", ".join(f"{engine} {duration(each)}" for engine, each in seconds_of.items() if engine != "evmcore")
        cells.append([f"{name}, from Python", duration(seconds_of.get("evmcore")), others or "-"])
    return "\n\n".join(
        [
            table(["measured", "evmcore", "beside it"], cells, texts=3),
            f"{description()}. All rows, losers too: [bench/results.md](bench/results.md); written by `make bench`. The parallel "
            "engine has a table of its own, bench/parallel.md, written by `make bench-parallel`.",
        ]
    )


def _against(rows: list[Row]) -> dict[str, tuple[int, float]]:
    """peer -> (programs in which we are faster, geometric mean of how many times as fast we are)."""
    engines, found = by_engine(rows, "program")
    against = {}
    for peer in engines:
        ratios = [each[peer] / each["evmcore"] for each in found.values() if peer in each and "evmcore" in each]
        if peer != "evmcore" and ratios:
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            against[peer] = (sum(ratio > 1 for ratio in ratios), mean)
    return against


def results(rows: dict[str, list[Row]]) -> str:
    """The whole of bench/results.md."""
    parts = [
        "# Measured",
        f"Written by `make bench`. {description()}. One thread, medians; forks as the rows have them.",
    ]
    if rows["block"]:
        parts.append(blocks_section(rows["block"]))
    parts += [threads_section(row) for row in rows["threads"]]
    if rows["program"]:
        parts.append(
            compared(rows["program"], "program", "Programs: whole transactions, called from Python (Cancun)", SKIPPED)
        )
    if rows["overhead"]:
        parts.append(compared(rows["overhead"], "case", "Calls from Python (Cancun)"))
    if rows["instruction"]:
        parts.append(instructions_section(rows["instruction"]))
    if rows["precompile"]:
        parts.append(precompiles_section(rows["precompile"]))
    if rows["around"]:
        parts.append(around_section(rows["around"]))
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Measure unless a file is given, and write both files."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="measure nothing: take an earlier run's figures")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md", metavar="FILE")
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results.md", metavar="FILE")
    arguments, others = parser.parse_known_args()
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.json or Path(folder) / "benchmarks.json"
        if arguments.json is None:
            status = run_benchmarks(path, others)
            if not path.exists() or not path.stat().st_size:
                return status or 1
        rows = rows_of(path)
    arguments.results.write_text(results(rows))
    write_marked(arguments.readme, README_TABLE, short_table(rows))
    return status


if __name__ == "__main__":
    raise SystemExit(main())
