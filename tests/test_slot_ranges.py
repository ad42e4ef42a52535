"""Slots that are only counted up and down: what a run says it depends on is all that it depends on."""

from __future__ import annotations

from random import Random

import pytest
from helpers import CONTRACT, header

from evmcore import State, assemble
from evmcore._core import probe_slots

MAX = 2**256 - 1
OTHER = bytes([7]) * 20  # runs in the contract's storage
CORNERS = (0, 1, 2, 3, 5, 2**128 - 1, 2**128, 2**255, MAX - 2, MAX - 1, MAX)


def tracked(code: str, slots: dict[int, int], data: bytes = b"", other: str = "STOP"):
    state = State({CONTRACT: {"code": assemble(code), "storage": slots, "nonce": 1}, OTHER: {"code": assemble(other)}})
    result, seen = probe_slots(state, header(), CONTRACT, data)
    return (result.outcome, result.gas_used, result.gas_refund, result.output, result.logs), seen


# Each takes what a slot holds, 10 at first, does something with it, and the bounds say what it depended on.
@pytest.mark.parametrize(
    ("code", "bounds"),
    [
        ("PUSH1 0 SLOAD POP", (0, MAX)),
        ("PUSH1 0 SLOAD PUSH1 5 ADD POP", (0, MAX)),
        # Written back: whether it was zero, and is, has a price.
        ("PUSH1 1 PUSH1 0 SLOAD ADD PUSH1 0 SSTORE", (1, MAX - 1)),
        ("PUSH1 3 PUSH1 0 SLOAD SUB PUSH1 0 SSTORE", (4, MAX)),
        ("PUSH1 0 SLOAD PUSH1 0 SSTORE", (1, MAX)),
        ("PUSH1 10 PUSH1 0 SLOAD SUB PUSH1 0 SSTORE", None),  # is zero afterwards
        # Guards.
        ("PUSH1 4 PUSH1 0 SLOAD LT POP", (4, MAX)),
        ("PUSH1 0 SLOAD PUSH1 4 LT POP", (5, MAX)),
        ("PUSH1 40 PUSH1 0 SLOAD LT POP", (0, 39)),
        ("PUSH1 40 PUSH1 0 SLOAD GT POP", (0, 40)),
        ("PUSH1 10 PUSH1 0 SLOAD GT POP", (0, 10)),
        ("PUSH1 9 PUSH1 0 SLOAD EQ POP", (10, MAX)),
        ("PUSH1 0 SLOAD PUSH1 11 EQ POP", (0, 10)),
        ("PUSH1 10 PUSH1 0 SLOAD EQ POP", None),
        ("PUSH1 0 SLOAD ISZERO POP", (1, MAX)),
        ("PUSH1 0 SLOAD PUSH1 8 JUMPI JUMPDEST", (1, MAX)),
        # Checked sums, as compilers write them: x + 5 < x; x > x + 5; x < 3; x > ~5.
        ("PUSH1 0 SLOAD DUP1 PUSH1 5 ADD LT POP", (0, MAX - 5)),
        ("PUSH1 0 SLOAD DUP1 PUSH1 5 ADD SWAP1 GT POP", (0, MAX - 5)),
        ("PUSH1 5 NOT PUSH1 0 SLOAD GT POP", (0, MAX - 5)),
        # A difference of itself is a constant.
        ("PUSH1 0 SLOAD DUP1 PUSH1 5 ADD SUB PUSH1 0 MSTORE", (0, MAX)),
        ("PUSH1 0 SLOAD DUP1 EQ PUSH1 0 MSTORE", (0, MAX)),
        # Below a mask it is itself; above it isn't.
        ("PUSH16 0xffffffffffffffffffffffffffffffff PUSH1 0 SLOAD AND POP", (0, 2**128 - 1)),
        ("PUSH1 7 PUSH1 0 SLOAD AND POP", None),
        ("PUSH1 0xfe PUSH1 0 SLOAD AND POP", None),
        # Any other use.
        ("PUSH1 0 SLOAD PUSH1 0 MSTORE", None),
        ("PUSH1 0 SLOAD PUSH1 2 MUL POP", None),
        ("PUSH1 0 SLOAD DUP1 ADD POP", None),
        ("PUSH1 0 SLOAD PUSH1 3 SUB POP", None),
        ("PUSH1 0 SLOAD SLOAD POP", None),
        ("PUSH1 0 SLOAD PUSH1 1 SSTORE", None),
        ("PUSH1 7 PUSH1 0 SSTORE", None),
        ("PUSH1 0 SLOAD POP PUSH1 7 PUSH1 0 SSTORE", None),
        ("PUSH1 0 SLOAD PUSH1 0 PUSH1 0 LOG1", None),
        ("PUSH1 0 SLOAD PUSH1 1 SLOAD LT POP", None),
        ("PUSH1 0 SLOAD PUSH1 1 SLOAD ADD POP", None),  # of two, the one on top stays a sum
        ("PUSH1 1 SLOAD PUSH1 0 SLOAD ADD POP", (0, MAX)),
    ],
)
def test_what_a_run_depends_on(code, bounds):
    _, slots = tracked(code, {0: 10, 1: 20})
    assert slots[0][2] == bounds


def test_a_call_into_the_same_storage_is_tracked_too():
    call = f"PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH20 0x{OTHER.hex()} GAS DELEGATECALL POP"
    add = "PUSH1 1 PUSH1 0 SLOAD ADD PUSH1 0 SSTORE"
    _, slots = tracked(f"{add} {call} {add}", {0: 10}, other=add)
    assert slots == {0: (10, 13, (1, MAX - 3))}
    # What is taken back was looked at all the same.
    _, slots = tracked(f"{add} {call} {add}", {0: 10}, other="PUSH1 4 PUSH1 0 SLOAD LT PUSH1 0 PUSH1 0 REVERT")
    assert slots == {0: (10, 12, (3, MAX - 2))}
    _, slots = tracked(f"{add} {call} {add}", {0: 10}, other="PUSH1 0 SLOAD PUSH1 0 MSTORE PUSH1 0 PUSH1 0 REVERT")
    assert slots == {0: (10, 12, None)}


def test_the_outcome_of_a_call_lies_where_the_callee_had_a_sum_and_is_none():
    call = f"PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH20 0x{OTHER.hex()} GAS DELEGATECALL"
    _, slots = tracked(f"PUSH1 0 SLOAD POP {call} PUSH1 0 SSTORE", {0: 10}, other="PUSH1 0 SLOAD STOP")
    assert slots == {0: (10, 1, None)}


class Program:
    """Random code that leans to what counters do, and never lets the stack run empty."""

    def __init__(self, seed: int):
        self.random = Random(seed)
        self.words: list[str] = []
        self.size = 0
        self.depth = 0

    def add(self, word: str, pops: int = 0, pushes: int = 0, size: int = 1) -> None:
        while self.depth < pops:
            self.push()
        self.words.append(word)
        self.size += size
        self.depth += pushes - pops

    def push(self, number: int | None = None) -> None:
        r = self.random
        if number is None:
            number = r.choice((*CORNERS, r.randrange(20), r.randrange(2**256), MAX - r.randrange(20)))
        size = max(1, (number.bit_length() + 7) // 8)
        self.add(f"PUSH{size} {number:#x}", 0, 1, 1 + size)

    def step(self) -> None:
        r = self.random
        kind = r.randrange(-30, 100)
        if kind < 0:
            # Counts a slot up or down, under a guard now and then.
            key = r.randrange(3)
            self.push(r.choice((r.randrange(20), r.choice(CORNERS))))
            self.push(key)
            self.add("SLOAD", 1, 1)
            self.add(r.choice(("ADD", "ADD", "SUB")), 2, 1)
            if kind < -20:
                self.add("DUP1", 1, 2)
                self.push()
                self.add(r.choice(("LT", "GT", "EQ", "SLT", "AND")), 2, 1)
                self.add("SWAP1", 2, 2)
            self.push(key)
            self.add("SSTORE", 2)
        elif kind < 14:
            self.push(r.randrange(3))
            self.add("SLOAD", 1, 1)
        elif kind < 24:
            self.push()
        elif kind < 44:
            self.add(r.choice(("ADD", "ADD", "SUB", "SUB", "AND")), 2, 1)
        elif kind < 56:
            self.add(r.choice(("LT", "GT", "EQ")), 2, 1)
        elif kind < 60:
            self.add("ISZERO", 1, 1)
        elif kind < 70:
            n = r.randrange(1, 4)
            self.add(f"DUP{n}", n, n + 1)
        elif kind < 78:
            n = r.randrange(1, 4)
            self.add(f"SWAP{n}", n + 1, n + 1)
        elif kind < 81:
            self.add("POP", 1)
        elif kind < 90:
            self.add("DUP1", 1, 2)
            self.push(r.randrange(3))
            self.add("SSTORE", 2)
        elif kind < 94:
            # Around a write, if the condition says so.
            self.add("DUP1", 1, 2)
            self.add(f"PUSH2 {self.size + 3 + 1 + 5:#06x}", 0, 1, 3)
            self.add("JUMPI", 2)
            self.add(
                f"PUSH1 {r.randrange(256)} PUSH1 {r.randrange(3)} SSTORE"
                if r.random() < 0.3
                else "PC PC POP POP JUMPDEST",
                0,
                0,
                5,
            )
            self.add("JUMPDEST")
        elif kind < 97:
            self.add(r.choice(("MUL", "XOR", "SLT", "OR", "SHR")), 2, 1)
        elif kind < 98:
            self.add("NOT", 1, 1)
        elif kind < 99:
            self.push(0)
            self.add("MSTORE", 2)
        else:
            self.words.append(f"PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH20 0x{OTHER.hex()} PUSH2 20000 DELEGATECALL")
            self.size += 8 + 21 + 3 + 1
            self.depth += 1

    def text(self, steps: int) -> str:
        for _ in range(steps):
            self.step()
        ending = self.random.choice(
            ("STOP", "PUSH1 32 PUSH1 0 RETURN", "PUSH1 32 PUSH1 0 REVERT", "PUSH1 0 SLOAD POP STOP")
        )
        return " ".join([*self.words, ending])


def check_program(seed: int) -> int:
    """How many other states the run was compared on."""
    r = Random(-seed)
    code = Program(seed).text(r.randrange(4, 40))
    other = Program(seed + 10**9).text(r.randrange(4, 12))
    slots = {key: r.choice((r.randrange(1, 30), r.choice(CORNERS), r.randrange(2**256))) for key in range(3)}
    outcome, seen = tracked(code, slots, other=other)
    bounds = {key: bound for key, (_, _, bound) in seen.items() if bound is not None}
    compared = 0
    for _ in range(6 if bounds else 0):
        others = dict(slots)
        for key, (lowest, highest) in bounds.items():
            assert lowest <= slots[key] <= highest, f"seed {seed}: slot {key}"
            near = min(highest, max(lowest, slots[key] + r.randrange(-3, 4)))
            others[key] = r.choice((lowest, highest, near, r.randint(lowest, highest)))
        again, seen_again = tracked(code, others, other=other)
        assert again == outcome, f"seed {seed}: {slots} and {others}: {again}, not {outcome}"
        for key, (was, value, bound) in seen.items():
            now, changed, _ = seen_again[key]
            difference = 0 if bound is None else now - was
            assert changed == (value + difference) % 2**256, f"seed {seed}: slot {key}"
        compared += 1
    return compared


def test_a_run_comes_out_the_same_on_all_that_its_guards_admit():
    assert sum(check_program(seed) for seed in range(3000)) > 3000
