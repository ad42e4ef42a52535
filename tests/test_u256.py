"""256-bit words against Python's own integers: the edges in all pairs, then whatever hypothesis finds."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evmcore._core import probe_u256

TOP = 2**256
EDGES = [0, 1, 2, 3, 255, 256, 2**32 - 1, 2**32, 2**63, 2**64 - 1, 2**64, 2**64 + 1, 2**127, 2**128 - 1, 2**128, 2**128 + 1,
         2**191, 2**192 - 1, 2**192, 2**192 + 1, 2**255 - 1, 2**255, 2**255 + 1, TOP - 2**64, TOP - 2, TOP - 1]  # fmt: skip


def signed(x: int) -> int:
    return x - TOP if x >> 255 else x


def truncated_division(a: int, b: int) -> int:
    """Towards zero, as SDIV divides; 0 for division by 0."""
    if b == 0:
        return 0
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def sign_extended(k: int, x: int) -> int:
    if k >= 31:
        return x
    low = x & ((1 << (8 * k + 8)) - 1)
    return low - (1 << (8 * k + 8)) if low >> (8 * k + 7) else low


UNARY = {
    "negative": lambda x: -x,
    "square": lambda x: x * x,
    "leading_zeros": lambda x: 256 - x.bit_length(),
    "bit_length": lambda x: x.bit_length(),
}
BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a // b if b else 0,
    "mod": lambda a, b: a % b if b else 0,
    "sdiv": lambda a, b: truncated_division(signed(a), signed(b)),
    "smod": lambda a, b: signed(a) - signed(b) * truncated_division(signed(a), signed(b)) if b else 0,
    "exp": lambda a, b: pow(a, b, TOP),
    "shl": lambda count, x: x << count if count < 256 else 0,
    "shr": lambda count, x: x >> count if count < 256 else 0,
    "sar": lambda count, x: signed(x) >> min(count, 256),
    "byte": lambda i, x: x.to_bytes(32, "big")[i] if i < 32 else 0,
    "sign_extend": sign_extended,
    "less": lambda a, b: a < b,
    "signed_less": lambda a, b: signed(a) < signed(b),
}
OVERFLOWING = {
    "add_overflow": lambda a, b: (a + b >= TOP, (a + b) % TOP),
    "sub_borrow": lambda a, b: (a < b, (a - b) % TOP),
    "mul_overflow": lambda a, b: (a * b >= TOP, (a * b) % TOP),
}
TERNARY = {
    "addmod": lambda a, b, n: (a + b) % n if n else 0,
    "mulmod": lambda a, b, n: a * b % n if n else 0,
}

words = st.one_of(
    st.sampled_from(EDGES),
    st.integers(0, TOP - 1),
    st.integers(0, 300),
    # Few bits set, or few clear: where carries run far.
    st.builds(lambda a, b: (1 << a) | (1 << b), st.integers(0, 255), st.integers(0, 255)),
    st.builds(lambda a, b: (TOP - 1) ^ (1 << a) ^ (1 << b), st.integers(0, 255), st.integers(0, 255)),
    st.builds(lambda a: (1 << a) - 1, st.integers(0, 256)),
)


@pytest.mark.parametrize("name", UNARY)
def test_one_operand(name):
    for a in EDGES:
        assert probe_u256(name, a) == UNARY[name](a) % TOP, a


@pytest.mark.parametrize("name", BINARY)
def test_edges_in_pairs(name):
    for a, b in product(EDGES, EDGES):
        assert probe_u256(name, a, b) == BINARY[name](a, b) % TOP, (a, b)


@pytest.mark.parametrize("name", OVERFLOWING)
def test_overflow_is_told(name):
    for a, b in product(EDGES, EDGES):
        assert probe_u256(name, a, b) == OVERFLOWING[name](a, b), (a, b)


@pytest.mark.parametrize("name", TERNARY)
def test_edges_in_threes(name):
    for a, b, n in product(EDGES, EDGES, EDGES):
        assert probe_u256(name, a, b, n) == TERNARY[name](a, b, n), (a, b, n)


@settings(max_examples=500, deadline=None)
@given(words, words, words)
def test_any_words(a, b, n):
    for name, expected in UNARY.items():
        assert probe_u256(name, a) == expected(a) % TOP, name
    for name, expected in BINARY.items():
        assert probe_u256(name, a, b) == expected(a, b) % TOP, name
    for name, expected in OVERFLOWING.items():
        assert probe_u256(name, a, b) == expected(a, b), name
    for name, expected in TERNARY.items():
        assert probe_u256(name, a, b, n) == expected(a, b, n), name


@settings(max_examples=500, deadline=None)
@given(words, st.integers(0, 2**64 - 1))
def test_product_with_a_limb(a, b):
    assert probe_u256("mul_u64_overflow", a, b) == (a * b >= TOP, a * b % TOP)


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 300), words)
def test_shifts_by_counts_around_the_limbs(count, x):
    for name in ("shl", "shr", "sar"):
        assert probe_u256(name, count, x) == BINARY[name](count, x) % TOP, name


@pytest.mark.parametrize("wrong", [-1, TOP])
def test_numbers_outside_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=r"^b: "):
        probe_u256("add", 1, wrong)
