"""evmcore against the executable specification: random blocks, and the cases that once found a fault.

A failure prints seed and fork; `python -m tests.differential --seed SEED --fork FORK --shrink` makes it small.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from differential.case import Case, Ran, differences
from differential.programs import program
from differential.scenarios import FORKS, make_case
from differential.shrink import shrink

from evmcore import Header, assemble, fork_index

ethereum = pytest.importorskip("ethereum.forks", reason="ethereum-execution (Python 3.11 or newer) is not installed")

from differential import subject  # noqa: E402
from differential.compare import faults  # noqa: E402
from differential.specification import specification  # noqa: E402

KEPT = sorted((Path(__file__).parent / "differential" / "cases").glob("*.json"))
CASES_A_FORK = 12
FIRST_SEED = 70_000


@pytest.mark.parametrize("fork", FORKS)
def test_random_blocks(fork):
    for seed in range(FIRST_SEED, FIRST_SEED + CASES_A_FORK):
        found = faults(make_case(seed, fork), workers=2)
        assert not found, f"seed {seed} fork {fork}: " + "; ".join(found[:3])


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_what_once_was_wrong(path):
    """Named for what was wrong; made small by the shrinker."""
    assert faults(Case.from_json(json.loads(path.read_text())), workers=2) == []


def test_cases_get_somewhere():
    """Most transactions run, most of those to an end of their own, and they call, create, store and log."""
    outcomes: Counter[str] = Counter()
    changed = 0
    for seed in range(FIRST_SEED, FIRST_SEED + 60):
        case = make_case(seed, "Prague")
        report = subject.run(case)
        for outcome in report.outcomes:
            outcomes["ran" if isinstance(outcome, Ran) else "refused"] += 1
        changed += any(
            report.state.get(address, (0, 0, b"", {}))[3] != storage
            for address, (_, _, _, storage) in case.accounts.items()
        )
    assert outcomes["ran"] > 2 * outcomes["refused"] > 0
    assert changed > 20


def test_a_seed_is_a_case_and_goes_through_json():
    for seed in range(20):
        case = make_case(seed)
        assert make_case(seed) == case
        assert Case.from_json(json.loads(json.dumps(case.to_json()))) == case


def test_a_difference_is_seen():
    """Two reports of one case under different rules: gas, receipts and state tell."""
    seen = 0
    for seed in range(20):
        case = make_case(seed, "London")
        older = Case(**{**case.__dict__, "fork": "Berlin"})
        seen += bool(differences(specification("London").run(case), subject.run(older)))
    assert seen > 15


def test_shrinking_keeps_the_fault_and_little_else():
    case = make_case(3, "London")
    address = next(address for address, account in case.accounts.items() if len(account[2]) > 10)
    fault = case.accounts[address][2][4]
    small = shrink(case, lambda other: fault in other.accounts.get(address, (0, 0, b"", {}))[2])
    assert small.accounts[address][2] == bytes([fault])
    assert (len(small.accounts), small.transactions) == (1, [])


def test_programs_are_sound():
    """What a program is made of has the stack that it needs, nearly always: underflow is rare."""
    random = Random(1)
    outcomes = Counter()
    for _ in range(300):
        from evmcore import run

        code = program(random, fork_index("Prague"), [bytes([1]) * 20])
        outcomes[
            run(
                code,
                gas=5_000_000,
                header=Header(fork="Prague", number=300, block_hashes={n: bytes(32) for n in range(300)}),
                fork="Prague",
            ).outcome
        ] += 1
    assert outcomes["STACK_UNDERFLOW"] + outcomes["UNDEFINED_INSTRUCTION"] < 60
    assert outcomes["SUCCESS"] > 100
    assert assemble("STOP") == b"\0"
