"""Drawings of a block as SVG: colours are the page's (classes), so that they are right on light and dark ground.

Whatever has a meaning has a <title>, which browsers show and readers say.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..layers.schedule import Scheduled
from .block import BlockAnalysis
from .export import name_of_key

__all__ = ["bars", "conflict_graph", "curves", "timeline"]

_WIDTH = 960
_MOST_NODES = 1500  # a drawing of more says nothing


def _svg(height: float, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}" '
        f'preserveAspectRatio="xMinYMin meet">{"".join(parts)}</svg>'
    )


def conflict_graph(analysis: BlockAnalysis) -> str:
    """Transactions from left to right by when they could finish, and arcs to those they wait for; the critical path stands out."""
    rows = analysis.transactions[:_MOST_NODES]
    if not len(rows):
        return "<p>No transactions.</p>"
    end = max(1, analysis.critical_path_gas)
    lanes: list[int] = []
    places: list[tuple[float, float, float]] = []
    for row in rows:  # each in the first lane that is free when it begins
        begin = int(row["finish"]) - int(row["gas"])
        lane = next((place for place, free in enumerate(lanes) if free <= begin), len(lanes))
        if lane == len(lanes):
            lanes.append(0)
        lanes[lane] = int(row["finish"])
        left = 10 + begin / end * (_WIDTH - 20)
        places.append((left, 14 + 11 * lane, max(2.0, int(row["gas"]) / end * (_WIDTH - 20) - 1)))
    parts = []
    pairs: dict[tuple[int, int], list[str]] = {}
    for edge in analysis.edges:
        if edge["reader"] < len(rows):
            pairs.setdefault((int(edge["writer"]), int(edge["reader"])), []).append(name_of_key(edge))
    critical = set(analysis.critical_path)
    for (writer, reader), keys in pairs.items():
        x, y, width = places[writer]
        to_x, to_y, _ = places[reader]
        is_critical = reader in critical and int(rows[reader]["waits_for"]) == writer
        kind = "edge critical" if is_critical else "edge"
        parts.append(
            f'<path class="{kind}" d="M{x + width:.1f} {y + 4:.0f}C{x + width + 18:.1f} {y + 4:.0f} {to_x - 18:.1f} '
            f'{to_y + 4:.0f} {to_x:.1f} {to_y + 4:.0f}"><title>{writer} → {reader}: {escape("; ".join(keys[:5]))}</title></path>'
        )
    for index, (x, y, width) in enumerate(places):
        row = rows[index]
        kind = "transaction critical" if index in critical else "transaction"
        parts.append(
            f'<rect class="{kind}" tabindex="0" x="{x:.1f}" y="{y}" width="{width:.1f}" height="8">'
            f"<title>transaction {index}: {int(row['gas']):,} gas, from 0x{row['sender'].tobytes().hex()} to "
            f"0x{row['to'].tobytes().hex()}, {int(row['conflicts'])} conflicts</title></rect>"
        )
    label = f"conflict graph of block {analysis.number}: {len(rows)} transactions, {len(pairs)} dependencies"
    return _svg(30 + 11 * len(lanes), label, parts)


def timeline(analysis: BlockAnalysis, scheduled: Scheduled, workers: int) -> str:
    """What each worker executes when; aborted executions stand out, idle time is empty."""
    end = max(1.0, scheduled.length)
    parts = []
    busy = [0.0] * workers
    for one in scheduled.executions:
        busy[one.worker] += one.end - one.begin
        kind = "transaction aborted" if one.is_aborted else "transaction"
        parts.append(
            f'<rect class="{kind}" tabindex="0" x="{70 + one.begin / end * (_WIDTH - 80):.1f}" y="{6 + 20 * one.worker}" '
            f'width="{max(1.0, (one.end - one.begin) / end * (_WIDTH - 80) - 0.5):.1f}" height="14"><title>worker {one.worker}, transaction '
            f"{one.transaction}: {one.end - one.begin:,.0f} gas{', aborted' if one.is_aborted else ''}</title></rect>"
        )
    for worker in range(workers):
        parts.append(f'<text x="4" y="{17 + 20 * worker}">{worker}: {busy[worker] / end:.0%}</text>')
    label = f"{workers} workers on block {analysis.number}: {scheduled.speed_up:.2f} times as fast as one, {scheduled.wasted:,} gas aborted"
    return _svg(14 + 20 * workers, label, parts)


def curves(columns: dict[str, Sequence[float]], workers: Sequence[int], label: str) -> str:
    """Speed-up by number of workers, both axes logarithmic, one line for each column."""
    from math import log2

    top = max(1.0, *(max(values) for values in columns.values()))
    height, left = 260.0, 40.0
    across, up = (_WIDTH - 260) / max(1.0, log2(workers[-1])), (height - 40) / max(1.0, log2(top))

    def place(count: float, value: float) -> tuple[float, float]:
        return left + log2(count) * across, height - 24 - log2(max(1.0, value)) * up

    parts = []
    for count in workers:
        x, _ = place(count, 1)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="10" y2="{height - 24}"/>')
        parts.append(f'<text class="middle" x="{x:.1f}" y="{height - 8}">{count}</text>')
    step = 1.0
    while step <= top:
        _, y = place(1, step)
        parts.append(f'<line class="grid" x1="{left}" x2="{_WIDTH - 220}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="4" y="{y + 4:.1f}">{step:.0f}×</text>')
        step *= 2
    ends: list[float] = []
    for number, (name, values) in enumerate(columns.items()):
        points = [place(count, value) for count, value in zip(workers, values)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="line line{number}" points="{path}"><title>{escape(name)}</title></polyline>')
        for (x, y), count, value in zip(points, workers, values):
            parts.append(
                f'<circle class="dot line{number}" tabindex="0" cx="{x:.1f}" cy="{y:.1f}" r="4">'
                f"<title>{escape(name)}, {count} workers: {value:.2f}×</title></circle>"
            )
        y = points[-1][1] + 4
        while any(abs(y - other) < 15 for other in ends):
            y += 15
        ends.append(y)
        parts.append(f'<text class="name line{number}" x="{points[-1][0] + 10:.1f}" y="{y:.1f}">{escape(name)}</text>')
    return _svg(height, label, parts)


def bars(rows: Sequence[tuple[str, float, str]], label: str) -> str:
    """Bars with a name on the left and a figure on the right."""
    most = max((value for _, value, _ in rows), default=0) or 1
    parts = []
    for place, (name, value, figure) in enumerate(rows):
        y = 4 + 20 * place
        width = value / most * 300
        parts.append(
            f'<g tabindex="0"><title>{escape(name)}: {escape(figure)}</title><text class="mono" x="4" y="{y + 12}">{escape(name)}</text>'
            f'<rect class="bar" x="480" y="{y}" width="{max(1.0, width):.1f}" height="14"/>'
            f'<text x="{490 + width:.1f}" y="{y + 12}">{escape(figure)}</text></g>'
        )
    return _svg(8 + 20 * len(rows), label, parts)
