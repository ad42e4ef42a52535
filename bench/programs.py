"""The programs that EVM engines are compared on, on evmcore and on the peers that are installed: whole transactions, called
from Python, on one thread, from a snapshot and back to it. Thread CPU time."""

from __future__ import annotations

import json
import time

import pytest

from .conftest import SHARED
from .peers import ENGINES, installed

_FILE = SHARED / "evm-benchmarks" / "programs.json"
PROGRAMS = json.loads(_FILE.read_text()) if _FILE.exists() else []


@pytest.mark.benchmark(timer=time.thread_time)
@pytest.mark.parametrize("engine", installed())
@pytest.mark.parametrize("program", PROGRAMS, ids=[program["name"] for program in PROGRAMS])
def test_program(measure, benchmark, program, engine):
    _, prepare, most_instructions = ENGINES[engine]
    if program["instructions"] > most_instructions:
        pytest.skip(f"{engine} would take too long")
    benchmark.group = f"program {program['name']}"
    run = prepare(program)
    for _ in range(
        2
    ):  # a second time, too: a snapshot that forgets to cool a slot would make the runs that count cheaper
        gas_used = run()
        if engine != "evmcore" and gas_used != program["gas_used"]:
            pytest.skip(f"{engine} uses {gas_used} gas instead of {program['gas_used']}: it didn't do the same")
        assert gas_used == program["gas_used"]
    measure(run, kind="program", program=program["name"], engine=engine, gas=program["gas_used"])
