"""The README tells the truth: its example runs and prints what it says, its commands are there, and its links lead somewhere."""

import re
from pathlib import Path

from evmcore.__main__ import COMMANDS
from evmcore.conformance.report import BEGIN, END

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def example():
    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    return code


def test_the_example_runs_and_prints_what_it_says(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    exec(compile(example(), "README.md", "exec"), {})
    said = re.findall(r"print\(.*\)  # (.*)", example())
    assert capsys.readouterr().out.splitlines() == said


def test_the_example_has_about_twenty_lines():
    assert len([line for line in example().splitlines() if line and not line.startswith("#")]) <= 20


def test_every_command_is_named():
    assert set(re.findall(r"^evmcore (\w+) (?:[a-z]+\|[a-z|]+ )?[A-Z-]", README, re.MULTILINE)) == set(COMMANDS)


def test_links_lead_to_files():
    for document in ROOT.glob("*.md"):
        for target in re.findall(r"\]\(([\w./-]+\.md)\)", document.read_text()):
            assert (ROOT / target).is_file(), f"{document.name} points to {target}"


def test_every_verb_of_the_makefile_is_explained():
    verbs = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    guide = (ROOT / "CONTRIBUTING.md").read_text() + README
    assert [verb for verb in verbs if verb != "help" and f"make {verb}" not in guide] == []


def table_rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]


def test_the_conformance_table_is_that_of_the_last_run_and_nothing_fails_in_it():
    page = (ROOT / "conformance.md").read_text()
    short, by_fork = page.split("## By suite and fork")
    shown = README[README.index(BEGIN) : README.index(END)]
    assert table_rows(shown) == table_rows(short)
    totals = []
    for line in [*table_rows(short)[2:], *table_rows(by_fork)[2:]]:
        passed, failed, skipped = (int(cell.strip(" *").replace(",", "")) for cell in line.split("|")[3:6])
        assert failed == 0, line
        assert passed + skipped > 0, line
        totals.append((passed, skipped))
    assert totals[-1] == totals[len(table_rows(short)) - 3]
    assert totals[-1] == tuple(map(sum, zip(*totals[: len(table_rows(short)) - 3])))
