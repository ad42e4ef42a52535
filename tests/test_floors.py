"""The house stays a house: floors include lower floors only, and no code asks the calendar instead of the rules.

Reads the include lines themselves; nothing is compiled. ARCHITECTURE.md has the drawing.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "pyx" / "core"

FLOORS = {
    "base": 0,
    "math": 1,
    "crypto": 1,
    "rules": 2,
    "state": 3,
    "tracking": 3,
    "vm": 4,
    "precompiles": 4,
    "parallel": 7,
}
# A table is rows of macros: it includes nothing, and any file may expand its rows.
TABLE = ".def"

# What is compiled with Cython, in the order in which it is included.
PROCEDURES = {
    "interpreter.pxi": 4,
    "authorizations.pxi": 5,
    "message.pxi": 5,
    "transaction.pxi": 5,
    "block.pxi": 6,
    "parallel.pxi": 8,
    "recorded.pxi": 8,
    "roots.pxi": 8,
}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
CIMPORT = re.compile(r"^(?:from|cimport) (core(?:\.\w+)*)", re.MULTILINE)
# `fork >= LONDON` and its kin, and Python's way to it over the place in FORKS. SINCE is a word of a row, compared by the
# tables' own macros.
FORK_COMPARISON = re.compile(
    r"\b(fork|Fork(::|\.)(?!SINCE)[A-Z_0-9]+)\s*(==|!=|<=|>=|<(?!<)|>(?!>))\s*(Fork(::|\.)|fork\b|[A-Z]{4,})"
    r"|\bfork_index\([^()]*\)\s+(<|>)|\s(<|>|<=|>=)\s+fork_index\("
)

SOURCES = sorted(path for path in CORE.rglob("*") if path.suffix in (".hpp", ".cpp", TABLE))
DECLARATIONS = sorted(CORE.rglob("*.pxd"))
CODE = [path for path in SOURCES + DECLARATIONS if path.parent.name != "rules"] + sorted(
    path for suffix in ("pxi", "pyx") for path in (ROOT / "pyx").glob(f"*.{suffix}")
)
FACES = sorted((ROOT / "evmcore").rglob("*.py"))
TESTS = sorted(path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__).resolve())


def place_of(path):
    """The folder of pyx/core that a file lies in: what its floor is known by."""
    return path.relative_to(CORE).parts[0]


def included_files(path):
    for name in INCLUDE.findall(path.read_text()):
        beside, from_pyx = (path.parent / name).resolve(), (ROOT / "pyx" / name).resolve()
        yield beside if beside.exists() else from_pyx


def test_every_folder_of_the_core_has_a_floor():
    assert {place_of(path) for path in SOURCES} <= set(FLOORS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(CORE).as_posix())
def test_a_floor_includes_lower_floors_only(path):
    for included in included_files(path):
        assert included.exists(), f"{path} includes {included}, which is not there"
        if included.suffix != TABLE:
            assert FLOORS[place_of(included)] <= FLOORS[place_of(path)], f"{path.name} looks up to {included.name}"


@pytest.mark.parametrize("path", DECLARATIONS, ids=lambda path: path.relative_to(CORE).as_posix())
def test_a_header_is_declared_to_cython_beside_it_and_needs_lower_floors_only(path):
    header = path.with_suffix(".hpp")
    assert header.exists()
    text = path.read_text()
    assert set(re.findall(r'^cdef extern from "([^"]+)"', text, re.MULTILINE)) == {
        f"core/{header.relative_to(CORE).as_posix()}"
    }
    for module in CIMPORT.findall(text):
        declared = (ROOT / "pyx").joinpath(*module.split(".")).with_suffix(".pxd")
        assert declared.exists(), f"{path.name} cimports {module}, which is not there"
        assert FLOORS[place_of(declared)] <= FLOORS[place_of(path)], f"{path.name} looks up to {module}"


def test_what_is_compiled_with_cython_says_what_it_takes_of_the_core():
    for path in (ROOT / "pyx").glob("*.p[xy][xi]"):
        text = path.read_text()
        assert 'extern from "core/' not in text, f"{path.name} declares what belongs beside its header"
        assert not re.search(r"cimport \*", text), f"{path.name} takes all names of a module"
        for module in CIMPORT.findall(text):
            floor = FLOORS[module.split(".")[1]]
            assert floor <= PROCEDURES.get(path.name, 8), f"{path.name} looks up to {module}"


def test_tables_include_nothing():
    for table in CORE.rglob("*" + TABLE):
        assert not list(included_files(table)), table


def test_the_rules_stand_on_base_alone():
    for path in (CORE / "rules").glob("*.hpp"):
        assert {place_of(included) for included in included_files(path)} <= {"base", "rules"}, path


def test_the_scheduler_knows_no_evm():
    for path in (CORE / "parallel").glob("scheduler*"):
        places = {place_of(included) for included in included_files(path)}
        assert places <= {"base", "parallel"}, f"{path.name} includes {places}"


def test_value_tracking_is_a_folder_that_few_use():
    """It can be taken out; ARCHITECTURE.md says how."""
    users = {
        path.relative_to(CORE).as_posix()
        for path in SOURCES
        if place_of(path) != "tracking" and "tracking" in {place_of(included) for included in included_files(path)}
    }
    assert users == {"state/effects.hpp", "vm/frame.hpp", "parallel/multiversion.hpp"}


def test_the_parallel_floor_is_cpp_and_procedures_know_nothing_of_it():
    """It executes transactions through the hooks that floor 8 gives it."""
    kinds = {path.suffix for path in (CORE / "parallel").iterdir()}
    assert kinds == {".hpp", ".cpp", ".def", ".pxd"}
    names = re.compile(r"\b(Engine|EngineWorker|MultiVersionMemory|Scheduler|AccessList|schedule_point|ApplyMode)\b")
    for name, floor in PROCEDURES.items():
        if floor < 7:
            assert not names.search((ROOT / "pyx" / name).read_text()), name


def test_procedures_are_included_from_the_lowest_up():
    included = re.findall(r'^include "(\w+\.pxi)"', (ROOT / "pyx" / "_core.pyx").read_text(), re.MULTILINE)
    floors = [PROCEDURES[name] for name in included if name in PROCEDURES]
    assert floors == sorted(floors)


def test_procedures_call_no_python_below_the_boundary():
    """Floors 4 to 6 are nogil throughout: no `def`, no `with gil`, no Python objects by name."""
    for name, floor in PROCEDURES.items():
        if floor < 7:
            text = (ROOT / "pyx" / name).read_text()
            assert not re.search(r"^\s*(def|cpdef)\s|with gil|\bobject\s+\w+\s*[,)]", text, re.MULTILINE), name


@pytest.mark.parametrize("path", CODE + FACES + TESTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_code_asks_the_rules_and_not_the_calendar(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        code = line.split("//")[0].split("#")[0] if path.suffix not in (".hpp", ".cpp") else line.split("//")[0]
        assert not FORK_COMPARISON.search(code), f"{path.name}:{number} compares forks: {line.strip()}"


def test_the_comparison_is_recognised():
    for line in (
        "if (rules.fork >= Fork::LONDON)",
        "if fork == Fork.BERLIN:",
        "if fork < LONDON:",
        "Fork::PARIS <= fork",
        'if fork_index(fork) >= fork_index("London"):',
        "if index <= fork_index(row.since):",
    ):
        assert FORK_COMPARISON.search(line), line
    for line in (
        "rules_of(<Fork><uint8_t>x)",
        "fork = name",
        "Fork::SINCE == fork_of_row",
        "vector<Fork> forks;",
        "fork_index(name) == fork",
        "f = fork_index(x) + 1",
    ):
        assert not FORK_COMPARISON.search(line), line
