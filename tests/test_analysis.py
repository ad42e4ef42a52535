"""What keeps a block from being faster: as arrays, as graphs, and as a page that is right, whole and loads nothing."""

from __future__ import annotations

import csv
import io
import itertools
import os
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from evmcore import Block, UnusableInput, execute_block
from evmcore.__main__ import main
from evmcore.analysis import analyse, report, to_csv, to_dot, to_networkx
from evmcore.example import EXAMPLE_FILE


@pytest.fixture(scope="module")
def example():
    return analyse(Block.load(EXAMPLE_FILE))


@pytest.fixture(scope="module")
def recorded():
    block = Block.load(EXAMPLE_FILE)
    return execute_block(block, block.pre_state.copy(), workers=1, record=True)


def test_the_critical_path_is_that_of_the_engine(example, recorded):
    assert example.gas == recorded.gas_used
    # The engine's counts the nonce of a sender, too, which needs nobody to wait.
    assert np.all(example.transactions["finish"] <= recorded.accesses.transactions["finish_gas"])
    assert example.critical_path_gas == recorded.statistics.critical_path_gas


def test_the_critical_path_is_a_chain(example):
    path = example.critical_path
    rows = example.transactions
    assert len(path) > 1
    assert sum(int(rows[index]["gas"]) for index in path) == example.critical_path_gas
    assert [int(rows[index]["waits_for"]) for index in path] == [-1, *path[:-1]]
    pairs = set(zip(example.edges["writer"].tolist(), example.edges["reader"].tolist()))
    assert set(itertools.pairwise(path)) <= pairs


def test_edges_lead_from_earlier_to_later_transactions(example):
    assert np.all(example.edges["writer"] < example.edges["reader"])
    counts = np.bincount(example.edges["reader"], minlength=len(example.transactions))
    assert counts.tolist() == example.transactions["conflicts"].tolist()
    assert int(example.hot_slots["conflicts"].sum()) == len(example.edges)
    assert int(example.hot_contracts["conflicts"].sum()) == len(example.edges)
    assert np.all(np.diff(example.hot_slots["conflicts"].astype(int)) <= 0)


def test_speed_ups_lie_within_their_bounds(example):
    rows = example.speed_ups()
    assert rows["workers"].tolist() == [1, 2, 4, 8, 16, 32, 64]
    bound = example.gas / example.critical_path_gas
    for name in ("engine", "predicted"):
        assert rows[name][0] == 1
        assert np.all(rows[name] <= np.minimum(rows["workers"], bound) + 1e-9)


def test_the_timeline_is_what_each_worker_does(example):
    scheduled = example.schedule(3)
    assert sorted({one.transaction for one in scheduled.executions}) == list(range(len(example.transactions)))
    for worker in range(3):
        own = [one for one in scheduled.executions if one.worker == worker]
        assert all(one.end <= other.begin for one, other in itertools.pairwise(own))
    assert sum(one.end - one.begin for one in scheduled.executions if one.is_aborted) == scheduled.wasted > 0
    last = {one.transaction: one for one in scheduled.executions}
    assert not any(one.is_aborted for one in last.values())
    assert max(one.end for one in scheduled.executions) == scheduled.length


def test_the_graph_for_other_programs(example):
    text = to_dot(example)
    assert text.count(" [label=") == len(example.transactions)
    pairs = set(zip(example.edges["writer"].tolist(), example.edges["reader"].tolist()))
    assert set(re.findall(r"^  (\d+) -> (\d+) ", text, re.MULTILINE)) == {(str(a), str(b)) for a, b in pairs}
    for table, rows in (
        ("edges", example.edges),
        ("transactions", example.transactions),
        ("hot_slots", example.hot_slots),
    ):
        lines = list(csv.reader(io.StringIO(to_csv(example, table))))
        assert len(lines) == 1 + len(rows)
        assert all(len(line) == len(lines[0]) for line in lines)
    assert next(csv.reader(io.StringIO(to_csv(example)))) == list(example.edges.dtype.names)
    with pytest.raises(UnusableInput, match="horses"):
        to_csv(example, "horses")


def test_the_graph_for_networkx(example):
    networkx = pytest.importorskip("networkx", reason="pip install networkx")
    graph = to_networkx(example)
    assert len(graph) == len(example.transactions)
    assert graph.number_of_edges() == len(example.edges)
    assert networkx.is_directed_acyclic_graph(graph)
    assert graph.nodes[example.critical_path[-1]]["finish"] == example.critical_path_gas


class Page(HTMLParser):
    """Holds a page to its form: what is opened is closed, and nothing is loaded."""

    EMPTY = ("meta", "link", "br", "input")

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.tags = []
        self.labels = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        for name in ("src", "href", "xlink:href", "action"):
            assert attributes.get(name, "data:,") == "data:,", f"{tag} loads {attributes[name]}"
        if tag == "svg":
            self.labels.append(attributes["aria-label"])
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def check_page(text):
    page = Page(text)
    assert not page.open
    assert not re.search(r"https?://|@import|url\(", text)
    assert "prefers-color-scheme: dark" in text
    assert page.tags.count("script") == 1
    return page


def test_the_page_of_a_block_is_whole_and_loads_nothing(example):
    text = report([example])
    page = check_page(text)
    assert len(page.labels) == 5
    assert page.tags.count("rect") >= 2 * len(example.transactions)
    for words in ("Critical path", "4 workers", "Hottest slots", "Hottest contracts", "Cut into layers", "64"):
        assert words in text
    assert f"{example.critical_path_gas:,}" in text


def test_the_page_of_several_blocks_has_all(example):
    empty = Block.load(EXAMPLE_FILE)
    empty.transactions = ()
    page = check_page(report([example, analyse(empty), example], workers=64))
    assert page.tags.count("details") == 3
    with pytest.raises(UnusableInput, match="no blocks"):
        report([])
    with pytest.raises(UnusableInput, match="workers: 0"):
        report([example], workers=0)


def test_the_command_writes_the_page_and_the_graph(tmp_path, capsys):
    shutil.copy(EXAMPLE_FILE, tmp_path / "1.json.gz")
    (tmp_path / "other.json").write_text("{}")
    page, dot, table = (tmp_path / name for name in ("report.html", "graph.dot", "edges.csv"))
    assert main(["report", str(tmp_path), "-o", str(page), "--dot", str(dot), "--csv", str(table)]) == 0
    check_page(page.read_text())
    assert dot.read_text().startswith("digraph")
    assert main(["report", str(EXAMPLE_FILE), str(EXAMPLE_FILE), "-o", str(page)]) == 0
    assert main(["report", str(EXAMPLE_FILE), str(EXAMPLE_FILE), "-o", str(page), "--dot", str(dot)]) == 2
    assert main(["report", str(tmp_path / "other.json"), "-o", str(page)]) == 2
    assert main(["report", str(EXAMPLE_FILE), "-o", "/dev/full"]) == 2
    assert "No space left" in capsys.readouterr().err


def test_the_page_in_a_browser(example, tmp_path):
    """Without an error, light and dark, by keyboard. EVMCORE_CHROMIUM names a browser that playwright didn't bring."""
    api = pytest.importorskip("playwright.sync_api", reason="pip install playwright; playwright install chromium")
    path = tmp_path / "report.html"
    path.write_text(report([example]))
    with api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("EVMCORE_CHROMIUM"), args=["--no-sandbox"]
            )
        except api.Error as error:
            pytest.skip(f"no chromium for playwright: {str(error).splitlines()[0]}")
        grounds = []
        for scheme in ("light", "dark"):
            page = browser.new_page(color_scheme=scheme, viewport={"width": 1100, "height": 900})
            said = []
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on(
                "request", lambda request: said.append(request.url) if not request.url.startswith("file:") else None
            )
            page.goto(path.as_uri())
            assert page.screenshot(full_page=True, path=str(tmp_path / f"{scheme}.png"))
            colour = "getComputedStyle(document.body).backgroundColor"
            grounds.append(page.evaluate(colour))
            page.click("#theme")
            assert page.evaluate(colour) != grounds[-1]
            page.keyboard.press("Tab")  # to the first picture's first transaction
            first = page.evaluate("document.activeElement.querySelector(':scope > title').textContent")
            assert first.startswith("transaction 0")
            page.keyboard.press("ArrowRight")
            assert page.evaluate("document.activeElement.querySelector(':scope > title').textContent").startswith(
                "transaction 1:"
            )
            assert page.inner_text(".said >> nth=0").startswith("transaction 1:")
            overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert overflow <= 0
            assert not [one for one in said if not one.startswith("data:")], said
            page.close()
        assert grounds[0] != grounds[1]
        browser.close()
