"""What the tables know, tested for all rows at once: instructions, forks, precompiles, transaction types, outcomes."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from differential.specification import FORK_MODULES
from helpers import FORK_NAMES

import evmcore.chain.refusal as refusal_module
from evmcore import (
    FORKS,
    OPCODES,
    PRECOMPILES,
    STATUSES,
    TRANSACTION_TYPES,
    Header,
    State,
    Transaction,
    assemble,
    errors,
    fork_includes,
    fork_index,
    fork_name,
    run,
    transact,
)
from evmcore._core import base_gas, price_and_run_precompile
from evmcore.chain.refusal import refusal
from evmcore.errors import InvalidTransaction

ROWS = {row.name: row for row in OPCODES}
# Instructions whose zero operands cost nothing beyond the base gas, so that the whole price shows.
DEARER_THAN_BASE = {
    "SSTORE", "CREATE", "CREATE2", "SELFDESTRUCT", "BALANCE", "EXTCODESIZE", "EXTCODECOPY", "EXTCODEHASH", "SLOAD", "CALL",
    "CALLCODE", "DELEGATECALL", "STATICCALL", "MLOAD", "MSTORE", "MSTORE8",
}  # fmt: skip
ENDS = {"STOP", "RETURN", "REVERT", "SELFDESTRUCT", "INVALID", "JUMP"}


def forks_before(row) -> list[str]:
    return [fork for fork in FORK_NAMES if not fork_includes(fork, row.since)]


def forks_with(row) -> list[str]:
    return [fork for fork in FORK_NAMES if fork_includes(fork, row.since)]


def zeros(count: int) -> bytes:
    return b"\x60\0" * count


each_opcode = pytest.mark.parametrize("row", OPCODES, ids=lambda row: row.name)


def test_numbers_and_names_are_unique():
    assert len({row.number for row in OPCODES}) == len({row.name for row in OPCODES}) == len(OPCODES)
    assert [row.number for row in OPCODES] == sorted(row.number for row in OPCODES)


@each_opcode
def test_undefined_before_its_fork(row):
    for fork in forks_before(row):
        result = run(zeros(row.depth) + bytes([row.number]), gas=1_000_000, fork=fork)
        assert (result.outcome, result.gas_used) == ("UNDEFINED_INSTRUCTION", 1_000_000), fork
        assert base_gas(row.number, fork) is None


@each_opcode
def test_defined_since_its_fork(row):
    for fork in forks_with(row):
        result = run(zeros(row.depth) + bytes([row.number]), gas=1_000_000, fork=fork)
        assert result.outcome != "UNDEFINED_INSTRUCTION", fork
        assert (result.outcome == "INVALID_INSTRUCTION") == (row.name == "INVALID")


def test_all_other_numbers_are_undefined():
    known = {row.number for row in OPCODES}
    for number in set(range(256)) - known:
        for fork in FORK_NAMES:
            assert run(zeros(17) + bytes([number]), gas=100_000, fork=fork).outcome == "UNDEFINED_INSTRUCTION"


@each_opcode
def test_underflow(row):
    for fork in forks_with(row):
        for items in range(row.pops):
            result = run(zeros(items) + bytes([row.number]), gas=1_000_000, fork=fork)
            assert (result.outcome, result.gas_left) == ("STACK_UNDERFLOW", 0), (fork, items)


@each_opcode
def test_overflow(row):
    fork = row.since
    grows = row.pushes - row.pops
    full = run(zeros(1024) + bytes([row.number]) + bytes(row.immediate), gas=1_000_000, fork=fork)
    assert (full.outcome == "STACK_OVERFLOW") == (grows > 0)
    if grows > 0:
        room = run(zeros(1024 - grows) + bytes([row.number]) + bytes(row.immediate), gas=1_000_000, fork=fork)
        assert room.is_success


@each_opcode
def test_base_gas_of_each_fork(row):
    for fork in forks_with(row):
        price = base_gas(row.number, fork)
        before = 3 * row.depth
        program = zeros(row.depth) + bytes([row.number]) + bytes(row.immediate)
        if price:
            assert run(program, gas=before + price - 1, fork=fork).outcome == "OUT_OF_GAS", fork
        if row.name not in ENDS and row.name not in DEARER_THAN_BASE:
            result = run(program, gas=before + price, fork=fork)
            assert (result.outcome, result.gas_used) == ("SUCCESS", before + price), fork


@pytest.mark.parametrize("fork", FORK_MODULES)
def test_numbers_and_forks_are_the_specification_s(fork):
    pytest.importorskip("ethereum.forks", reason="ethereum-execution (Python 3.11) is not installed")
    ops = importlib.import_module(f"ethereum.forks.{FORK_MODULES[fork]}.vm.instructions").Ops
    other_names = {"KECCAK": "KECCAK256", "DIFFICULTY": "PREVRANDAO"}
    theirs = {other_names.get(op.name, op.name): op.value for op in ops}
    # The specification takes 0xfe for one more undefined number: it ends the frame in the same way.
    ours = {row.name: row.number for row in OPCODES if fork_includes(fork, row.since) and row.name != "INVALID"}
    assert ours == theirs


@each_opcode
def test_the_assembler_knows_each_instruction(row):
    text = row.name + (" 0" if row.immediate else "")
    assert assemble(text) == bytes([row.number]) + bytes(row.immediate)


# ---------------------------------------------------------------- forks


def test_forks_by_each_of_their_names_in_any_case():
    for fork in FORKS:
        for name in (fork.name, fork.mainnet_name, fork.test_name, *fork.other_names):
            for spelt in (name, name.lower(), name.upper()):
                assert fork_index(spelt) == fork.index
                assert fork_name(spelt) == fork.mainnet_name


@pytest.mark.parametrize("name", ["", "Londres", "London ", None, 1.5, b"London", -1, 10_000])
def test_an_unknown_fork_is_refused_by_name(name):
    with pytest.raises(ValueError, match="unknown fork"):
        fork_index(name)


# ---------------------------------------------------------------- precompiles


@pytest.mark.parametrize("row", PRECOMPILES, ids=lambda row: row.name)
def test_a_precompile_is_there_from_its_fork_on(row):
    for fork in FORK_NAMES:
        if not fork_includes(fork, row.since):
            with pytest.raises(ValueError, match="no precompile"):
                price_and_run_precompile(row.address, b"", fork=fork)
        else:
            gas, _ = price_and_run_precompile(row.address, b"", fork=fork)
            assert gas is None or gas >= 0


@pytest.mark.parametrize("row", PRECOMPILES, ids=lambda row: row.name)
def test_before_its_fork_a_precompile_is_an_empty_account(row):
    program = assemble(
        f"PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH2 {row.address} PUSH3 500000 CALL PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN"
    )
    for fork in forks_before(row):
        result = run(program, gas=2_000_000, fork=fork)
        assert result.word == 1, fork
        assert result.gas_used < 100_000, fork


# ---------------------------------------------------------------- transaction types, outcomes


@pytest.mark.parametrize("row", TRANSACTION_TYPES, ids=lambda row: row.name)
def test_a_transaction_type_is_refused_before_its_fork(row):
    extra = {
        0: {}, 1: {"access_list": [(bytes(20), [1])]}, 2: {"max_fee_per_gas": 0},
        3: {"blob_versioned_hashes": [b"\x01" + bytes(31)], "max_fee_per_blob_gas": 1},
        4: {"authorization_list": [(0, bytes(20), 0, 0, 1, 1)]},
    }[row.type]  # fmt: skip
    sender = bytes([1]) * 20
    tx = Transaction(type=row.type, gas_limit=100_000, to=bytes([2]) * 20, sender=sender, **extra)
    for fork in FORK_NAMES:
        state = State({sender: {"balance": 10**18}})
        header = Header(fork=fork)
        if not fork_includes(fork, row.since):
            with pytest.raises(InvalidTransaction) as caught:
                transact(tx, state, header)
            assert (caught.value.status, caught.value.have) == ("TYPE_NOT_SUPPORTED", row.type)
        else:
            assert transact(tx, state, header).type == row.type


def test_outcomes_have_unique_names_and_exception_names():
    assert len({row.name for row in STATUSES}) == len(STATUSES)
    refusals = [row for row in STATUSES if row.kind == "INVALID"]
    assert all(row.text.split(".")[0] in ("TransactionException", "BlockException", "RLPException") for row in refusals)


def test_every_refusal_that_a_chain_makes_has_its_words():
    """And no words are for a row that isn't there."""
    folder = Path(refusal.__code__.co_filename).parent
    used = {name for path in folder.glob("*.py") for name in re.findall(r'refusal\(\s*"(\w+)"', path.read_text())}
    spoken = {
        name
        for path in folder.glob("*.py")
        for name in re.findall(r'refusal\(\s*"(\w+)",\s*message=', path.read_text())
    }
    rows = {row.name for row in STATUSES if row.kind == "INVALID"}
    assert len(used) > 20
    assert used <= rows
    assert used - spoken <= set(refusal_module._MESSAGES) <= rows
    for name in set(refusal_module._MESSAGES) | used - spoken:
        assert refusal(name, 1, 2).status == name


def test_every_refusal_by_the_core_has_its_words():
    rows = {row.name: row for row in STATUSES if row.kind == "INVALID"}
    assert set(errors._NUMBERS) <= set(rows)
    for name, row in rows.items():
        error = errors.rejection(name, row.text, have=41, want=43)
        assert (error.status, error.exception) == (name, row.text)
        assert re.fullmatch(r"[A-Za-z].*[a-z0-9]", str(error)), name
        if name in errors._NUMBERS:
            assert "41" in str(error) or "43" in str(error), name


def test_every_outcome_of_the_core_is_a_value_that_python_has():
    assert [row.number for row in STATUSES] == list(range(len(STATUSES)))
    assert {row.kind for row in STATUSES} == {"FLOW", "OK", "REVERT", "HALT", "INVALID", "BROKEN"}
