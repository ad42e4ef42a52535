"""Every program in examples/ runs by itself, quickly, and prints what it is there to show."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = sorted((ROOT / "examples").glob("*.py"))
# What the output has to say, beside being there.
SHOWN = {
    "access_lists": r"executed with the list: 99 executions of 99 transactions$",
    "conflict_analysis": r"longest chain: [\d,]+ gas in \d+ transactions: \d+ → \d+",
    "custom_chain": r"refused: .*; the head is still block 3$",
    "lazy_state": r"receipts as in the header: True$",
    "parallel": r"^optimistic +4 .* yes$",
    "replay": r"^  state_root .* matches the header$",
    "tracer": r"^  SSTORE +7 times",
    "what_if": r"^and the state is as it was",
}


def seconds_of_children() -> float:
    """Processor time, so that a busy machine doesn't count."""
    return os.times().children_user + os.times().children_system


def test_there_are_eight_and_the_list_names_them():
    assert [program.stem for program in PROGRAMS] == list(SHOWN)
    listed = re.findall(
        r"^\| \[`(\w+)\.py`\]\((\w+)\.py\)", (ROOT / "examples" / "README.md").read_text(), re.MULTILINE
    )
    assert sorted(listed) == [(name, name) for name in SHOWN]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_an_example_runs_and_shows_what_it_promises(program, tmp_path):
    assert len(program.read_text().splitlines()) <= 60
    before = seconds_of_children()
    done = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(SHOWN[program.stem], done.stdout, re.MULTILINE), done.stdout
    assert "DIFFERS" not in done.stdout
    assert seconds_of_children() - before < 3
