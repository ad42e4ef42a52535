"""The page of one block or several: one HTML file that loads nothing, light or dark, for a mouse, a keyboard and a reader."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

import numpy as np

from ..errors import UnusableInput
from .block import WORKERS, BlockAnalysis
from .export import name_of_key
from .pictures import bars, conflict_graph, curves, timeline

__all__ = ["report"]

_HOTTEST = 12
_LAYERS = (2, 4, 16)
_TIMELINE_WORKERS = 4

_STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1b1f24; --faint: #d5dae0; --soft: #5a6572; --blue: #2f6fb3; --red: #c2402f;
        --amber: #b77a00; --green: #2d7d46 }
@media (prefers-color-scheme: dark) { :root { --ground: #14181d; --ink: #e8ebee; --faint: #343b44; --soft: #9aa5b1; --blue: #6aa9ea;
        --red: #f0776a; --amber: #e3b04b; --green: #6cc48a } }
:root[data-theme="light"] { color-scheme: light; --ground: #ffffff; --ink: #1b1f24; --faint: #d5dae0; --soft: #5a6572; --blue: #2f6fb3;
        --red: #c2402f; --amber: #b77a00; --green: #2d7d46 }
:root[data-theme="dark"] { color-scheme: dark; --ground: #14181d; --ink: #e8ebee; --faint: #343b44; --soft: #9aa5b1; --blue: #6aa9ea;
        --red: #f0776a; --amber: #e3b04b; --green: #6cc48a }
body { background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1000px; padding: 0 1rem }
h1, h2, h3 { line-height: 1.2 } h2 { border-top: 1px solid var(--faint); padding-top: 1.2rem; margin-top: 2rem }
p.soft { color: var(--soft) } table { border-collapse: collapse; width: 100% } .scroll { overflow-x: auto }
th, td { border-bottom: 1px solid var(--faint); padding: .25rem .6rem; text-align: right } th:first-child, td:first-child { text-align: left }
svg { display: block; overflow: visible; width: 100%; height: auto; margin: .5rem 0 1rem } svg text { fill: var(--ink); font: 12px system-ui, sans-serif }
.mono { font-family: ui-monospace, monospace !important; font-size: 11px !important } .middle { text-anchor: middle }
.transaction { fill: var(--blue) } .transaction.critical { fill: var(--red) } .transaction.aborted { fill: var(--amber) }
.edge { fill: none; stroke: var(--soft); stroke-width: 1; opacity: .5 } .edge.critical { stroke: var(--red); stroke-width: 2; opacity: 1 }
.grid { stroke: var(--faint) } .bar { fill: var(--blue) } .line { fill: none; stroke-width: 2 }
.line0 { stroke: var(--blue) } .line1 { stroke: var(--green) } .line2 { stroke: var(--amber) } .dot.line0, svg text.line0 { fill: var(--blue) }
.dot.line1, svg text.line1 { fill: var(--green) } .dot.line2, svg text.line2 { fill: var(--amber) } svg text.name { stroke: none }
:focus-visible { outline: 2px solid var(--ink); outline-offset: 2px } rect:focus, circle:focus { stroke: var(--ink); stroke-width: 2 }
button { float: right; background: none; border: 1px solid var(--faint); border-radius: 4px; color: inherit; padding: .3rem .7rem }
.key span { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 1em } .said { min-height: 1.5em; color: var(--soft) }
details > summary { cursor: pointer; font-size: 1.1rem; padding: .4rem 0 }
"""

# The theme that was chosen, what the focus is on in words below its picture, and the arrows that lead to the next.
_SCRIPT = """
const root = document.documentElement;
document.getElementById("theme").addEventListener("click", () => {
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
});
for (const picture of document.querySelectorAll("svg")) {
  const said = document.createElement("div");
  said.className = "said";
  said.setAttribute("aria-live", "polite");
  picture.after(said);
  [...picture.querySelectorAll("[tabindex]")].slice(1).forEach(item => item.setAttribute("tabindex", "-1"));
}
// Of the document: a picture that listens itself takes the focus.
document.addEventListener("focusin", event => {
  const picture = event.target.closest("svg");
  if (picture) picture.nextSibling.textContent = event.target.querySelector(":scope > title").textContent;
});
document.addEventListener("keydown", event => {
  const picture = event.target.closest("svg");
  const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
  if (!picture || !step) return;
  const items = [...picture.querySelectorAll("[tabindex]")];
  items[items.indexOf(event.target) + step]?.focus();
  event.preventDefault();
});
"""


def report(analyses: Sequence[BlockAnalysis], *, workers: int = _TIMELINE_WORKERS) -> str:
    """The page, as HTML.

    analyses  one or more
    workers   of the timelines, 1 to 64
    """
    if not analyses:
        raise UnusableInput("report: no blocks")
    if not 1 <= workers <= WORKERS[-1]:
        raise UnusableInput(f"workers: {workers} is not from 1 to {WORKERS[-1]}")
    names = [str(one.number) for one in analyses]
    title = f"Block {names[0]}" if len(names) == 1 else f"{len(names)} blocks, {names[0]} to {names[-1]}"
    curves_of = [one.speed_ups() for one in analyses]
    body = [f'<button id="theme" type="button">Light / dark</button><h1>{escape(title)}</h1>', _INTRODUCTION]
    if len(analyses) == 1:
        body.append(_block(analyses[0], curves_of[0], workers))
    else:
        body.append(_overview(analyses, curves_of))
        for one, speed_ups in zip(analyses, curves_of):
            body.append(f"<details><summary>Block {one.number}</summary>{_block(one, speed_ups, workers)}</details>")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="icon" href="data:,"><style>{_STYLE}</style></head>\n<body><main>{"".join(body)}</main>\n'
        f"<script>{_SCRIPT}</script></body></html>\n"
    )


_INTRODUCTION = (
    '<p class="soft">Time is gas: what workers would do is simulated, and the same on every machine. Arrow keys lead through a picture. '
    '<span class="key"><span style="background: var(--blue)"></span>transaction<span style="background: var(--red)"></span>critical path'
    '<span style="background: var(--amber)"></span>aborted execution</span></p>'
)


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in heads)
    lines = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'


def _facts(one: BlockAnalysis, speed_ups: np.ndarray) -> list[object]:
    longest = one.critical_path_gas
    waiting = int((one.transactions["waits_for"] >= 0).sum())
    return [
        one.number,
        one.fork,
        len(one.transactions),
        f"{one.gas:,}",
        waiting,
        f"{longest:,}",
        f"{one.gas / longest:.2f}" if longest else "-",
        *(f"{speed_ups['engine'][list(WORKERS).index(count)]:.2f}" for count in _LAYERS),
    ]


_FACTS = (
    "block",
    "fork",
    "transactions",
    "gas",
    "that wait",
    "critical path",
    "bound",
    *(f"× on {count}" for count in _LAYERS),
)


def _overview(analyses: Sequence[BlockAnalysis], curves_of: Sequence[np.ndarray]) -> str:
    columns: dict[str, Sequence[float]] = {
        name: np.mean([one[column] for one in curves_of], axis=0).tolist() for column, name in _CURVES.items()
    }
    rows = [_facts(one, speed_ups) for one, speed_ups in zip(analyses, curves_of)]
    return (
        f"<h2>All blocks</h2>{_table(_FACTS, rows)}<h3>Speed-up by workers, the mean of the blocks</h3>"
        f"{curves(columns, WORKERS, 'speed-up by number of workers')}"
    )


_CURVES = {"engine": "engine", "predicted": "engine, conflicts known", "layers": "layers apart"}


def _block(one: BlockAnalysis, speed_ups: np.ndarray, workers: int) -> str:
    columns: dict[str, Sequence[float]] = {name: speed_ups[column].tolist() for column, name in _CURVES.items()}
    slots, contracts = _hot(one.hot_slots), _hot(one.hot_contracts)
    scheduled = one.schedule(workers)
    path = one.critical_path
    steps = [
        (index, f"{int(one.transactions[index]['gas']):,}", f"{int(one.transactions[index]['finish']):,}")
        for index in path
    ]
    return "".join(
        [
            _table(_FACTS, [_facts(one, speed_ups)]),
            f"<h2>Who waits for whom</h2>{conflict_graph(one)}",
            f"<h2>Critical path</h2><p>{len(path)} transactions, {one.critical_path_gas:,} gas: no number of workers makes the block faster.</p>",
            _table(["transaction", "gas", "done at"], steps),
            f"<h2>{workers} workers</h2><p>{scheduled.speed_up:.2f} times as fast as one; {scheduled.wasted:,} gas aborted.</p>",
            timeline(one, scheduled, workers),
            f"<h2>Speed-up by workers</h2>{curves(columns, WORKERS, f'speed-up of block {one.number} by number of workers')}",
            f"<h2>Hottest slots</h2>{bars(slots, 'slots with most conflicts')}",
            f"<h2>Hottest contracts</h2>{bars(contracts, 'contracts with most conflicts')}",
            "<h2>Cut into layers that don't see each other</h2>",
            _layers(one),
        ]
    )


def _hot(rows: np.ndarray) -> list[tuple[str, float, str]]:
    """Bars of the hottest: by conflicts; those without any by who touches them, far behind."""
    return [
        (
            _short(name_of_key(row)),
            float(row["conflicts"] or row["touches"] / 1000),
            f"{row['conflicts']} conflicts, {row['touches']} transactions",
        )
        for row in rows[:_HOTTEST]
    ]


def _short(name: str) -> str:
    """With the middle of long slots left out."""
    return re.sub(r"slot (0x[0-9a-f]{8})[0-9a-f]{8,}([0-9a-f]{8})$", r"slot \1…\2", name)


def _layers(one: BlockAnalysis) -> str:
    rows = []
    for count in _LAYERS:
        assignment = one.layers(count)
        gas = [sum(one.done[index].cost for index in group) for group in assignment.groups]
        rows.append(
            (
                count,
                " ".join(str(len(group)) for group in assignment.groups),
                f"{max(gas, default=0):,}",
                f"{min(gas, default=0):,}",
                len(assignment.tail),
            )
        )
    return _table(["layers", "transactions in each", "most gas", "least gas", "in the tail"], rows)
