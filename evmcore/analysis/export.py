"""The conflict graph for other programs: networkx, Graphviz's DOT, CSV."""

from __future__ import annotations

import csv
import importlib
import io
from typing import Any

import numpy as np

from ..errors import UnusableInput
from .block import BlockAnalysis

__all__ = ["name_of_key", "to_csv", "to_dot", "to_networkx"]

_FIELDS = {b"b": "balance", b"n": "nonce", b"c": "code", b"l": "life"}
_TABLES = ("transactions", "edges", "hot_slots", "hot_contracts")


def name_of_key(row: np.void) -> str:
    """What an edge is about, as text: 0x… slot 0x…, or 0x… balance."""
    address = "0x" + row["address"].tobytes().hex()
    if row["is_slot"]:
        return f"{address} slot {hex(int.from_bytes(row['slot'].tobytes(), 'big'))}"
    return f"{address} {_FIELDS[row['what']]}" if "what" in (row.dtype.names or ()) else address


def to_networkx(analysis: BlockAnalysis) -> Any:
    """A networkx.MultiDiGraph: nodes are indices with gas, finish and is_critical; edges lead from writer to reader, with `key`."""
    try:
        networkx = importlib.import_module("networkx")
    except ImportError:
        raise UnusableInput("to_networkx: networkx is not installed; pip install networkx") from None
    graph = networkx.MultiDiGraph(number=analysis.number, fork=analysis.fork)
    for index, row in enumerate(analysis.transactions):
        graph.add_node(index, gas=int(row["gas"]), finish=int(row["finish"]), is_critical=bool(row["is_critical"]))
    for row in analysis.edges:
        graph.add_edge(int(row["writer"]), int(row["reader"]), key=name_of_key(row))
    return graph


def to_dot(analysis: BlockAnalysis) -> str:
    """The conflict graph for Graphviz; the critical path is bold."""
    critical = set(analysis.critical_path)
    lines = [f'digraph "block {analysis.number}" {{', "  rankdir=LR; node [shape=box, fontname=monospace];"]
    for index, row in enumerate(analysis.transactions):
        style = ", penwidth=3" if index in critical else ""
        lines.append(f'  {index} [label="{index}\\n{int(row["gas"])} gas"{style}];')
    pairs: dict[tuple[int, int], list[str]] = {}
    for row in analysis.edges:
        pairs.setdefault((int(row["writer"]), int(row["reader"])), []).append(name_of_key(row))
    for (writer, reader), keys in pairs.items():
        is_bold = reader in critical and int(analysis.transactions[reader]["waits_for"]) == writer
        more = f"\\n+{len(keys) - 1}" if len(keys) > 1 else ""
        lines.append(f'  {writer} -> {reader} [tooltip="{keys[0]}{more}"{", penwidth=3" if is_bold else ""}];')
    return "\n".join([*lines, "}", ""])


def to_csv(analysis: BlockAnalysis, table: str = "edges") -> str:
    """One of transactions, edges, hot_slots, hot_contracts, with a head; bytes are hexadecimal."""
    if table not in _TABLES:
        raise UnusableInput(f"table: {table!r} is not one of {', '.join(_TABLES)}")
    rows: np.ndarray = getattr(analysis, table)
    names = rows.dtype.names or ()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["index", *names] if table == "transactions" else names)
    for index, row in enumerate(rows):
        cells = [_cell(row[name]) for name in names]
        writer.writerow([index, *cells] if table == "transactions" else cells)
    return text.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "0x" + value.tobytes().hex()
    if isinstance(value, bytes):
        return value.decode()
    return str(int(value))
