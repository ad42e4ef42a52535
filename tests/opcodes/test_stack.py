"""PUSH, POP, DUP and SWAP; and what lies behind the end of the code."""

from __future__ import annotations

import pytest
from helpers import word_of

from evmcore import OPCODES, run

PUSHES = [row for row in OPCODES if row.immediate and row.name.startswith("PUSH")]


@pytest.mark.parametrize("row", PUSHES, ids=lambda row: row.name)
def test_push_takes_its_bytes_big_endian(row):
    data = bytes(range(1, row.immediate + 1))
    assert word_of(f"{row.name} 0x{data.hex()}") == int.from_bytes(data, "big")


@pytest.mark.parametrize("row", PUSHES, ids=lambda row: row.name)
def test_a_push_that_the_end_cuts_off_is_filled_with_zeros(row):
    """Yellow Paper 9.4.1: code is followed by as many zeros as one looks for, and the zero behind it is STOP."""
    for size in range(row.immediate):
        result = run(bytes([row.number]) + b"\x01" * size, gas=3)
        assert (result.outcome, result.gas_used) == ("SUCCESS", 3)


def test_push0_pushes_nothing_but_zero():
    assert word_of("PUSH0") == 0


@pytest.mark.parametrize("n", range(1, 17))
def test_dup_copies_the_nth(n):
    below = " ".join(f"PUSH {item}" for item in range(n, 0, -1))  # 1 is on top
    assert word_of(f"{below} DUP{n}") == n


@pytest.mark.parametrize("n", range(1, 17))
def test_swap_exchanges_the_first_with_the_one_n_below(n):
    below = " ".join(f"PUSH {item}" for item in range(n + 1, 0, -1))
    assert word_of(f"{below} SWAP{n}") == n + 1
    assert word_of(f"{below} SWAP{n} " + "POP " * n) == 1


def test_pop_takes_one():
    assert word_of("PUSH 7 PUSH 8 POP") == 7


def test_the_stack_holds_1024():
    assert run(b"\x60\0" * 1024).is_success
    assert run(b"\x60\0" * 1025).outcome == "STACK_OVERFLOW"


def test_empty_code_succeeds_without_gas():
    result = run(b"", gas=0)
    assert (result.outcome, result.gas_used, result.output) == ("SUCCESS", 0, b"")
