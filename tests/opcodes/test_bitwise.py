"""LT to CLZ: comparisons give 0 or 1, shifts take the count first, BYTE counts from the most significant."""

from __future__ import annotations

import pytest
from helpers import word_of

TOP = 2**256
MINUS_ONE = TOP - 1
MIN = 2**255


@pytest.mark.parametrize(
    ("program", "word"),
    [
        ("PUSH 2 PUSH 1 LT", 1),
        ("PUSH 1 PUSH 1 LT", 0),
        (f"PUSH {MINUS_ONE} PUSH 1 LT", 1),
        ("PUSH 1 PUSH 2 GT", 1),
        ("PUSH 2 PUSH 2 GT", 0),
        ("PUSH 1 PUSH -1 SLT", 1),
        (f"PUSH {MIN} PUSH {MIN - 1} SLT", 0),
        ("PUSH -1 PUSH 1 SGT", 1),
        ("PUSH -2 PUSH -1 SGT", 1),
        (f"PUSH {MINUS_ONE} PUSH {MINUS_ONE} EQ", 1),
        (f"PUSH {2**192} PUSH 0 EQ", 0),
        ("PUSH 0 ISZERO", 1),
        (f"PUSH {2**192} ISZERO", 0),
        ("PUSH 0b1100 PUSH 0b1010 AND", 0b1000),
        ("PUSH 0b1100 PUSH 0b1010 OR", 0b1110),
        ("PUSH 0b1100 PUSH 0b1010 XOR", 0b0110),
        ("PUSH 0 NOT", MINUS_ONE),
        (f"PUSH {0xAB << 248} PUSH 0 BYTE", 0xAB),
        ("PUSH 0xab PUSH 31 BYTE", 0xAB),
        ("PUSH 0xab PUSH 32 BYTE", 0),
        (f"PUSH 0xab PUSH {2**64 + 31} BYTE", 0),
        ("PUSH 1 PUSH 255 SHL", MIN),
        ("PUSH 1 PUSH 256 SHL", 0),
        (f"PUSH 1 PUSH {2**64} SHL", 0),
        (f"PUSH {MIN} PUSH 255 SHR", 1),
        (f"PUSH {MIN} PUSH 256 SHR", 0),
        (f"PUSH {MIN} PUSH 255 SAR", MINUS_ONE),
        (f"PUSH {MIN} PUSH {2**255} SAR", MINUS_ONE),
        (f"PUSH {MIN - 1} PUSH 256 SAR", 0),
    ],
)
def test_result(program, word):
    assert word_of(program) == word


@pytest.mark.parametrize(("x", "zeros"), [(0, 256), (1, 255), (2**64, 191), (MIN, 0), (MINUS_ONE, 0)])
def test_clz_counts_from_the_top(x, zeros):
    assert word_of(f"PUSH32 {x} CLZ", fork="Osaka") == zeros
