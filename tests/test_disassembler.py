"""Text to bytecode and back, for every row of the opcode table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evmcore import OPCODES, UnusableInput, assemble, disassemble, run
from evmcore.assembler import init_code


@pytest.mark.parametrize("row", OPCODES, ids=lambda row: row.name)
def test_every_row_has_its_name_both_ways(row):
    immediate = bytes(range(1, row.immediate + 1))
    code = bytes([row.number]) + immediate
    [instruction] = disassemble(code)
    assert (instruction.name, instruction.immediate or b"") == (row.name, immediate)
    assert assemble(str(instruction)) == code


@given(st.binary(max_size=300))
def test_any_bytes_can_be_disassembled(code):
    listing = disassemble(code)
    assert sum(instruction.size for instruction in listing) == len(code)
    assert [instruction.offset for instruction in listing] == sorted({instruction.offset for instruction in listing})
    rebuilt = b"".join(
        bytes([instruction.number]) + (instruction.immediate or b"")[: instruction.size - 1] for instruction in listing
    )
    assert rebuilt == code
    assert len(str(listing).splitlines()) == len(listing)


def test_a_listing_reads_like_a_program():
    lines = str(disassemble("0x6001600101")).splitlines()
    assert [line.split(";")[0].rstrip() for line in lines] == ["0000  PUSH1 0x01", "0002  PUSH1 0x01", "0004  ADD"]


def test_a_push_that_the_code_cuts_off_is_filled_with_zeros():
    [push] = disassemble(b"\x61\xff")
    assert (push.name, push.immediate, push.missing, push.size) == ("PUSH2", b"\xff\x00", 1, 2)
    assert "1 of its bytes are zeros" in str(disassemble(b"\x61\xff"))


def test_an_instruction_is_undefined_before_its_fork():
    assert [str(part) for part in disassemble("0x5f1e", "London")] == ["UNDEFINED 0x5f", "UNDEFINED 0x1e"]
    assert [str(part) for part in disassemble("0x5f1e", "osaka")] == ["PUSH0", "CLZ"]
    with pytest.raises(ValueError, match="Atlantis"):
        disassemble("0x00", "Atlantis")


def test_labels_make_loops():
    code = assemble("""
        PUSH 0
    again:                       ; counts to ten
        PUSH 1 ADD
        DUP1 PUSH 10 GT PUSH @again JUMPI
        PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN
    """)
    assert run(code).word == 10


def test_push_takes_the_shortest_form():
    assert assemble("PUSH 0") == b"\x60\x00"
    assert assemble("PUSH 256") == b"\x61\x01\x00"
    assert assemble("push -1") == b"\x7f" + b"\xff" * 32
    assert assemble("PUSH4 0x01020304 0xfe00") == b"\x63\x01\x02\x03\x04\xfe\x00"


def test_init_code_leaves_the_runtime_code():
    runtime = assemble("PUSH 7 PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")
    result = run(init_code(runtime, "PUSH 1 PUSH 0 SSTORE"))
    assert result.output == runtime


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ADD\nSUBTRACT", "line 2: no instruction 'SUBTRACT'"),
        ("PUSH", "line 1: PUSH needs a number"),
        ("PUSH1 256", "line 1: 256 does not fit PUSH1"),
        ("PUSH one", "line 1: 'one' is not a number"),
        (f"PUSH {1 << 256}", f"line 1: {1 << 256} does not fit 256 bits"),
        ("PUSH @nowhere", "line 1: no label 'nowhere'"),
        ("here: here:", "line 1: label 'here' is there twice"),
        ("0xabc", "line 1: '0xabc' is not hexadecimal"),
    ],
)
def test_bad_text_is_refused_with_its_line(text, reason):
    with pytest.raises(UnusableInput) as refused:
        assemble(text)
    assert str(refused.value) == reason
