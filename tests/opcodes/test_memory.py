"""MLOAD to MCOPY: what memory holds, and what growth costs: 3 a word and a square (Yellow Paper H.1)."""

from __future__ import annotations

import pytest
from helpers import word_of

from evmcore import assemble, keccak256, run


def memory_gas(words: int) -> int:
    return 3 * words + words * words // 512


def test_memory_starts_as_zeros():
    assert word_of("PUSH 1000 MLOAD") == 0


def test_mstore_and_mload_are_big_endian_at_any_offset():
    assert word_of("PUSH 0x1234 PUSH 7 MSTORE PUSH 8 MLOAD") == 0x123400


def test_mstore8_writes_the_lowest_byte():
    assert word_of("PUSH 0xabcd PUSH 31 MSTORE8 PUSH 0 MLOAD") == 0xCD


@pytest.mark.parametrize(
    ("program", "words"),
    [("PUSH 0 MLOAD POP", 1), ("PUSH 1 MLOAD POP", 2), ("PUSH 0 PUSH 63 MSTORE8", 2), ("PUSH 0 PUSH 64 MSTORE8", 3)],
)
def test_msize_counts_whole_words(program, words):
    assert word_of(f"{program} MSIZE") == 32 * words


@pytest.mark.parametrize("end", [32, 33, 1024, 32 * 724, 32 * 725, 1_000_000])
def test_growth_costs_the_difference(end):
    """At 724 words the square begins to count more than the line."""
    program = assemble(f"PUSH3 0 MLOAD POP PUSH3 {end - 32} MLOAD")
    first, words = memory_gas(1), -(-end // 32)
    assert run(program).gas_used == 3 + 3 + 2 + 3 + 3 + first + (memory_gas(words) - first)


@pytest.mark.parametrize("offset", [2**32, 2**41, 2**63, 2**64 - 1, 2**64, 2**255, 2**256 - 1])
@pytest.mark.parametrize(
    "instruction", ["MLOAD", "MSTORE", "MSTORE8", "KECCAK256", "RETURN", "LOG0", "CALLDATACOPY", "MCOPY"]
)
def test_a_far_offset_is_out_of_gas(offset, instruction):
    operands = {"MLOAD": 0, "MSTORE": 1, "MSTORE8": 1, "CALLDATACOPY": 2, "MCOPY": 2}.get(instruction, 1)
    result = run(assemble("PUSH 1 " * operands + f"PUSH32 {offset} {instruction}"), gas=30_000_000)
    assert (result.outcome, result.gas_left) == ("OUT_OF_GAS", 0)


@pytest.mark.parametrize("instruction", ["KECCAK256", "RETURN", "LOG0", "CALLDATACOPY", "CODECOPY", "MCOPY"])
def test_a_size_of_zero_reaches_for_no_memory(instruction):
    operands = 3 if instruction.endswith("COPY") else 2
    # Offsets are far away, and yet nothing grows.
    program = "PUSH1 0 " + f"PUSH32 {2**256 - 1} " * (operands - 1) + instruction
    assert run(assemble(program), gas=1000).is_success


def test_keccak256_of_memory():
    assert word_of("PUSH 0x616263 PUSH 0 MSTORE PUSH 3 PUSH 29 KECCAK256") == int.from_bytes(keccak256(b"abc"), "big")


def test_keccak256_costs_by_the_word():
    for size, words in [(0, 0), (1, 1), (32, 1), (33, 2), (320, 10)]:
        result = run(assemble(f"PUSH2 {size} PUSH1 0 KECCAK256"))
        assert result.gas_used == 6 + 30 + 6 * words + memory_gas(words)


@pytest.mark.parametrize(("to", "start"), [(0, 32), (32, 0), (1, 0), (0, 1), (5, 5), (16, 8)])
def test_mcopy_copies_as_if_through_a_buffer(to, start):
    """EIP-5656: source and target may overlap."""
    data = bytes(range(1, 65))
    model = bytearray(data.ljust(128, b"\0"))
    model[to : to + 32] = bytes(model[start : start + 32])
    program = f"PUSH32 0x{data[:32].hex()} PUSH 0 MSTORE PUSH32 0x{data[32:].hex()} PUSH 32 MSTORE PUSH 32 PUSH {start} PUSH {to} MCOPY"
    result = run(assemble(program + " PUSH 128 PUSH 0 RETURN"), fork="Cancun")
    assert result.output == bytes(model)


def test_mcopy_grows_for_what_it_reads_too():
    assert word_of("PUSH 1 PUSH 0x5000 PUSH 0 MCOPY MSIZE") == 0x5020


@pytest.mark.parametrize("offset", [0, 3, 5, 6, 100, 2**64, 2**256 - 1])
def test_copies_fill_up_with_zeros_behind_the_end(offset):
    data = b"abcde"
    want = data[offset:].ljust(8, b"\0")
    for instruction, options in (("CALLDATACOPY", {"data": data}), ("CODECOPY", {})):
        code = assemble(
            f"PUSH32 {2**256 - 1} PUSH 0 MSTORE PUSH 8 PUSH32 {offset} PUSH 0 {instruction} PUSH 8 PUSH 0 RETURN"
        )
        if instruction == "CODECOPY":
            want = code[offset : offset + 8].ljust(8, b"\0")
        assert run(code, **options).output == want
