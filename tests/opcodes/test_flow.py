"""JUMP, JUMPI, JUMPDEST, PC, GAS and the ends of a frame."""

from __future__ import annotations

import pytest
from helpers import word_of

from evmcore import OPCODES, assemble, run

RUNS_ON = "PUSH @there JUMP INVALID there: "


def test_a_jump_lands_on_a_jumpdest():
    assert word_of(RUNS_ON + "PUSH 7") == 7


@pytest.mark.parametrize("target", [0, 1, 33, 34, 35, 2**32, 2**64, 2**256 - 1])
def test_a_jump_anywhere_else_halts(target):
    result = run(assemble(f"PUSH32 {target} JUMP STOP"), gas=1000)
    assert (result.outcome, result.gas_left) == ("BAD_JUMP_DESTINATION", 0)


# Immediates that came later are no data to jump analysis (EIP-8024): test_amsterdam.py.
@pytest.mark.parametrize("row", [row for row in OPCODES if row.name.startswith("PUSH") and row.immediate], ids=lambda row: row.name)  # fmt: skip
def test_push_data_is_no_jump_destination(row):
    """Each byte of it looks like a JUMPDEST; the first one behind it is."""
    body = bytes([row.number]) + b"\x5b" * row.immediate + b"\x5b"
    for place in range(row.immediate):
        target = 3 + 1 + place
        assert run(bytes([0x60, target, 0x56]) + body, gas=1000).outcome == "BAD_JUMP_DESTINATION"
    assert run(bytes([0x60, 3 + 1 + row.immediate, 0x56]) + body, gas=1000).is_success


def test_jumpi_needs_any_bit_set():
    for condition in (1, 2**64, 2**255):
        assert word_of(f"PUSH 5 PUSH {condition} PUSH @there JUMPI INVALID there:") == 5


def test_jumpi_without_the_condition_does_not_look_at_the_target():
    assert word_of(f"PUSH 5 PUSH 0 PUSH32 {2**256 - 1} JUMPI") == 5


def test_a_jumpdest_passed_by_a_jump_is_paid_for():
    # PUSH2 3, JUMP 8, JUMPDEST 1
    assert run(assemble("PUSH @there JUMP there:"), gas=12).outcome == "SUCCESS"
    assert run(assemble("PUSH @there JUMP there:"), gas=11).outcome == "OUT_OF_GAS"


def test_pc_is_the_place_of_the_instruction_itself():
    assert word_of("JUMPDEST JUMPDEST PC") == 2


def test_gas_is_what_is_left_after_it():
    assert word_of("GAS", gas=100_000) == 99_998


def test_stop_returns_nothing():
    assert run(assemble("PUSH 1 PUSH 0 MSTORE STOP")).output == b""


def test_revert_gives_output_and_gas_back():
    result = run(assemble("PUSH 7 PUSH 0 MSTORE PUSH 32 PUSH 0 REVERT"), gas=1000)
    assert (result.is_success, result.outcome, result.word, result.gas_left > 900) == (False, "REVERT", 7, True)


def test_a_halt_takes_all_gas_and_gives_no_output():
    for program in ("INVALID", "POP", "PUSH 0 JUMP", "0x0c", "PUSH 0 PUSH 0 PUSH 1 RETURNDATACOPY RETURNDATACOPY"):
        result = run(assemble("PUSH 7 PUSH 0 MSTORE " + program), gas=1000)
        assert (result.is_success, result.gas_used, result.output) == (False, 1000, b""), program


def test_behind_the_end_of_the_code_is_a_stop():
    assert run(assemble("PUSH 1")).outcome == "SUCCESS"
