"""ADD to SIGNEXTEND: operand order, signs, division by zero, the price of EXP. Values at large are tested in test_u256."""

from __future__ import annotations

import pytest
from helpers import FORK_NAMES, result_of, word_of

from evmcore import fork_includes

TOP = 2**256
MINUS_ONE = TOP - 1
MIN = 2**255  # the smallest signed number


# The first operand is on top of the stack: it is pushed last.
@pytest.mark.parametrize(
    ("program", "word"),
    [
        ("PUSH 3 PUSH 10 ADD", 13),
        (f"PUSH 1 PUSH {MINUS_ONE} ADD", 0),
        ("PUSH 3 PUSH 10 SUB", 7),
        ("PUSH 10 PUSH 3 SUB", TOP - 7),
        ("PUSH 3 PUSH 10 MUL", 30),
        (f"PUSH {2**255} PUSH 2 MUL", 0),
        ("PUSH 3 PUSH 10 DIV", 3),
        ("PUSH 0 PUSH 10 DIV", 0),
        ("PUSH -3 PUSH 10 SDIV", TOP - 3),
        ("PUSH 3 PUSH -10 SDIV", TOP - 3),
        ("PUSH -3 PUSH -10 SDIV", 3),
        (f"PUSH -1 PUSH {MIN} SDIV", MIN),  # does not fit: stays as it is
        ("PUSH 0 PUSH -10 SDIV", 0),
        ("PUSH 3 PUSH 10 MOD", 1),
        ("PUSH 0 PUSH 10 MOD", 0),
        ("PUSH 3 PUSH -10 SMOD", TOP - 1),  # the sign of the dividend
        ("PUSH -3 PUSH 10 SMOD", 1),
        ("PUSH 0 PUSH -10 SMOD", 0),
        ("PUSH 7 PUSH 5 PUSH 4 ADDMOD", 2),
        (f"PUSH 7 PUSH 2 PUSH {MINUS_ONE} ADDMOD", (TOP + 1) % 7),  # the sum has 257 bits
        ("PUSH 0 PUSH 5 PUSH 4 ADDMOD", 0),
        ("PUSH 7 PUSH 5 PUSH 4 MULMOD", 6),
        (f"PUSH 12 PUSH {MINUS_ONE} PUSH {MINUS_ONE} MULMOD", MINUS_ONE**2 % 12),
        ("PUSH 0 PUSH 5 PUSH 4 MULMOD", 0),
        ("PUSH 3 PUSH 10 EXP", 1000),
        ("PUSH 0 PUSH 0 EXP", 1),
        ("PUSH 256 PUSH 2 EXP", 0),
        ("PUSH 0xff PUSH 0 SIGNEXTEND", MINUS_ONE),
        ("PUSH 0x7fff PUSH 0 SIGNEXTEND", MINUS_ONE),
        ("PUSH 0x7fff PUSH 1 SIGNEXTEND", 0x7FFF),
        (f"PUSH {MIN} PUSH 31 SIGNEXTEND", MIN),
        (f"PUSH 0xff PUSH {2**64} SIGNEXTEND", 0xFF),
    ],
)
def test_result(program, word):
    assert word_of(program) == word


@pytest.mark.parametrize("fork", FORK_NAMES)
@pytest.mark.parametrize(("exponent", "size"), [(0, 0), (1, 1), (255, 1), (256, 2), (2**64, 9), (2**256 - 1, 32)])
def test_exp_costs_by_the_bytes_of_the_exponent(fork, exponent, size):
    """50 a byte since EIP-160, 10 before."""
    of_a_byte = 50 if fork_includes(fork, "SpuriousDragon") else 10
    without = result_of(f"PUSH32 {exponent} PUSH1 2 ADD", fork=fork).gas_used
    assert result_of(f"PUSH32 {exponent} PUSH1 2 EXP", fork=fork).gas_used == without - 3 + 10 + of_a_byte * size
