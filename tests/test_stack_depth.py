"""Each instruction keeps to its row: what it takes and leaves, how deep it looks, and what that says of slots that are tracked."""

from __future__ import annotations

from random import Random

import pytest
from helpers import CONTRACT, NEWEST, header

from evmcore import OPCODES, State, fork_includes, run
from evmcore._core import probe_slots
from evmcore.tracing import Recorder

STOP = b"\0"
SLOT_VALUE = 10
each_opcode = pytest.mark.parametrize("row", OPCODES, ids=lambda row: row.name)


def fork_of(row) -> str:
    return NEWEST if fork_includes(NEWEST, row.since) else row.since


def push(number: int) -> bytes:
    return b"\x61" + number.to_bytes(2, "big")


def immediates_of(row) -> list[bytes]:
    """All of one byte, a few of more."""
    if row.immediate <= 1:
        return [bytes([value]) for value in range(256)] if row.immediate else [b""]
    random = Random(row.number)
    return [bytes(row.immediate), b"\xff" * row.immediate, random.randbytes(row.immediate)]


def stacks(row, immediate: bytes, items: list[int]):
    """Outcome, gas, and the stack after the instruction; None where it ends the program."""
    tracer = Recorder()
    program = b"".join(push(item) for item in items) + bytes([row.number]) + immediate + STOP
    result = run(program, gas=1_000_000, fork=fork_of(row), tracer=tracer)
    after = [step.stack for step in tracer.steps if step.pc == len(program) - 1]
    return result.outcome, result.gas_used, after[0] if after else None


@each_opcode
def test_an_instruction_looks_no_deeper_than_its_row_says(row):
    """And leaves as many items as it says. Otherwise slots that are tracked would be taken for constants."""
    for immediate in immediates_of(row):
        below = [3, 5, 7]
        top = list(range(20, 20 + row.depth))
        outcome, gas, after = stacks(row, immediate, below + top)
        assert outcome != "STACK_UNDERFLOW", "depth is enough for each immediate"
        other = stacks(row, immediate, [1003, 1005, 1007, *top])
        assert other[:2] == (outcome, gas)
        if after is not None and other[2] is not None:
            assert len(after) == 3 + row.depth + row.pushes - row.pops
            assert list(after[:3]) == below
            assert list(other[2][:3]) == [1003, 1005, 1007]
            assert other[2][3:] == after[3:]


def places_of(row, immediate: bytes) -> list[int]:
    """Which items to look at, from the top: all of a few; of many those that the instruction moves, and some."""
    if row.depth <= 17:
        return list(range(row.depth))
    before = list(range(20, 20 + row.depth))
    after = stacks(row, immediate, before)[2]
    if after is None:
        return [0, row.depth - 1]
    # Changed where it stood, or copied to the top.
    touched = [row.depth - 1 - i for i, item in enumerate(before) if after[i] != item]
    touched += [row.depth - 1 - before.index(item) for item in after[len(before) - 1 :] if item in before]
    return sorted({0, 1, row.depth - 1, *touched})


def tracked(row, code: bytes, value: int):
    state = State({CONTRACT: {"code": code, "storage": {0: value}, "nonce": 1}})
    result, seen = probe_slots(state, header(fork=fork_of(row)), CONTRACT)
    return (result.outcome, result.gas_used, result.output, result.logs), seen.get(0)


# The item goes to the output, or back to the slot.
SINKS = (b"\x5f\x52\x60\x20\x5f\xf3", b"\x5f\x55\x00")


@each_opcode
def test_what_an_instruction_makes_of_a_tracked_slot(row):
    """An item out of the slot lies at each depth; what comes out at each depth is the same on all values of the range."""
    compared = 0
    immediates = immediates_of(row)
    for immediate in immediates if row.depth > 17 else immediates[:4]:
        places = places_of(row, immediate)
        for place in places:
            items = [push(20 + i) for i in range(row.depth)]
            items[row.depth - 1 - place] = b"\x5f\x54"  # PUSH0 SLOAD
            for out in {0, *places}:
                for sink in SINKS:
                    head = b"".join(items) + bytes([row.number]) + immediate
                    code = head + b"\x50" * out + sink
                    seen = tracked(row, code, SLOT_VALUE)
                    if seen[1] is None or seen[1][2] is None:
                        continue
                    low, high = seen[1][2]
                    for value in {low, high, min(high, SLOT_VALUE + 3), max(low, SLOT_VALUE - 3)} - {SLOT_VALUE}:
                        again = tracked(row, code, value)
                        where = f"{row.name} {immediate.hex()}: item {place} is the slot, item {out} comes out"
                        assert again[0] == seen[0], where
                        assert again[1][1] == (seen[1][1] + value - SLOT_VALUE) % 2**256, where
                        compared += 1
    assert compared or row.name not in ("ADD", "SUB", "DUP1", "DUP16", "SWAP1", "SWAP16"), "nothing was tracked"
