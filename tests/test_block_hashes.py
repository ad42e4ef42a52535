"""The hashes of earlier blocks that a header has: converted once, never changed, whatever they were made of."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from helpers import CONTRACT
from test_edges_values import LyingBytes, LyingInt

from evmcore import (
    BlockHashes,
    Header,
    MissingBlockHash,
    State,
    UnusableInput,
    assemble,
    call,
    keccak256,
    run,
)


def hash_of(number: int) -> bytes:
    return number.to_bytes(32, "big")


def asked(number: int, header: Header) -> bytes:
    """What BLOCKHASH gives."""
    result = run(assemble(f"PUSH {number} BLOCKHASH PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN"), header=header)
    assert result.error is None
    return result.output


class Counting(Mapping):
    """A mapping that counts its uses."""

    def __init__(self, numbers):
        self.uses = 0
        self.numbers = numbers

    def __getitem__(self, number):
        self.uses += 1
        return hash_of(number)

    def __iter__(self):
        return iter(self.numbers)

    def __len__(self):
        return sys.maxsize  # which nobody has to believe


def test_a_call_asks_nothing_of_the_mapping_that_a_header_was_made_with():
    given = Counting(range(744, 1000))
    header = Header(number=1000, block_hashes=given)
    assert given.uses == 256
    state = State({CONTRACT: {"code": assemble("PUSH 900 BLOCKHASH PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")}})
    for _ in range(3):
        assert call(state, header, to=CONTRACT).output == hash_of(900)
    assert given.uses == 256


def test_the_mapping_is_copied_when_the_header_is_made():
    given = {n: hash_of(n) for n in range(744, 1000)}
    header = Header(number=1000, block_hashes=given)
    assert header.block_hashes == given
    given[900] = bytes(32)
    given.pop(999)
    assert asked(900, header) == hash_of(900)
    assert asked(999, header) == hash_of(999)
    with pytest.raises((AttributeError, TypeError)):
        header.block_hashes[900] = bytes(32)
    with pytest.raises((AttributeError, TypeError)):
        header.block_hashes.clear()
    with pytest.raises(AttributeError):
        header.block_hashes.synthetic = True
    header.block_hashes.__init__({900: bytes(32)})
    assert asked(900, header) == hash_of(900)
    assert replace(header, gas_limit=5).block_hashes is header.block_hashes
    assert asked(900, replace(header, number=1001)) == hash_of(900)


def test_blockhash_gives_what_is_known_within_the_window():
    known = {n: hash_of(n) for n in (0, 700, 743, 744, 999, 1000, 1001, 2**64 - 1)}
    header = Header(number=1000, block_hashes=known)
    for number in (744, 999):
        assert asked(number, header) == hash_of(number)
    for number in (0, 700, 743, 1000, 1001, 2**64 - 1):  # as the instruction has it: nothing
        assert asked(number, header) == bytes(32)
    with pytest.raises(MissingBlockHash, match="800"):
        asked(800, header)
    parent = Header(number=1000, parent_hash=hash_of(5))
    assert asked(999, parent) == hash_of(5)
    with pytest.raises(MissingBlockHash, match="998"):
        asked(998, parent)
    assert asked(999, replace(parent, block_hashes=known)) == hash_of(999)
    with pytest.raises(MissingBlockHash, match="999"):
        asked(999, Header(number=1000))
    assert asked(2**64 - 2, Header(number=2**64 - 1, block_hashes={2**64 - 2: hash_of(6)})) == hash_of(6)
    with pytest.raises(MissingBlockHash):
        asked(0, Header(number=1))


def test_synthetic_hashes_are_those_of_decimal_numbers():
    hashes = BlockHashes({7: hash_of(1)}, synthetic=True)
    header = Header(number=250, block_hashes=hashes)
    assert header.block_hashes is hashes
    assert asked(7, header) == hashes[7] == hash_of(1)
    for number in (0, 8, 99, 249):
        assert asked(number, header) == hashes[number] == keccak256(str(number).encode())
    assert hashes[2**64 - 1] == keccak256(str(2**64 - 1).encode())
    assert (list(hashes), len(hashes), bool(BlockHashes(synthetic=True)), bool(BlockHashes())) == ([7], 1, True, False)


def test_it_is_a_mapping():
    hashes = BlockHashes(
        {9: hash_of(9), 3: "0x" + "33" * 32, LyingInt(5): LyingBytes(hash_of(5)), np.uint64(4): bytearray(32)}
    )
    assert isinstance(hashes, Mapping)
    plain = {3: b"\x33" * 32, 4: bytes(32), 5: hash_of(5), 9: hash_of(9)}
    assert list(hashes) == list(hashes.keys()) == [3, 4, 5, 9]
    assert {type(item) for pair in hashes.items() for item in pair} == {int, bytes}
    assert dict(hashes) == dict(hashes.items()) == plain == hashes
    assert list(hashes.values()) == list(plain.values())
    assert hashes != {**plain, 9: bytes(32)}
    assert hashes != BlockHashes(plain, synthetic=True)
    assert hashes == BlockHashes(MappingProxyType(plain))
    assert hashes != 5
    for number in (2, -1, 2**64, 2**300, "3", None, True, 3.0, b"3"):
        assert number not in hashes
        assert hashes.get(number, "other") == "other"
        with pytest.raises(KeyError):
            hashes[number]
    assert hashes.get(np.int8(3)) == b"\x33" * 32
    with pytest.raises(TypeError):
        hash(hashes)
    assert hash(Header(block_hashes=hashes)) == hash(Header())
    assert repr(BlockHashes({1: bytes(32)})) == f"BlockHashes({{1: 0x{'00' * 32}}})"
    assert len(repr(BlockHashes({n: bytes(32) for n in range(5000)}))) < 300


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"5": bytes(32)}, "expected an int, got str"), ({None: bytes(32)}, "expected an int"), ({True: bytes(32)}, "expected an int, got bool"),
        ({-1: bytes(32)}, "-1 is negative"), ({2**64: bytes(32)}, "does not fit 64 bits"), ({2**70000: bytes(32)}, "number of 70001 bits"),
        ({5: b"short"}, r"block_hashes\[5\]: expected 32 bytes, got 5"), ({5: None}, r"block_hashes\[5\]"), ({5: 5}, r"block_hashes\[5\]"),
        ({5: "0x1"}, r"block_hashes\[5\]: '0x1' has 1 hexadecimal digits"), ([(5, bytes(32))], "is not a mapping"), (5, "is not a mapping"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_no_hash_is_refused_where_the_header_is_made(given, says):
    with pytest.raises(UnusableInput, match=says):
        BlockHashes(given)
    with pytest.raises(UnusableInput, match="^header.block_hashes.*" + says.replace("block_hashes", "")):
        Header(block_hashes=given)


def test_a_mapping_that_raises_or_lies_makes_no_header():
    class Lies(dict):
        def __init__(self, items):
            super().__init__({1: bytes(32)})
            self.given = items

        def items(self):
            return self.given()

    class Stop(BaseException):
        pass

    def raises():
        raise Stop

    with pytest.raises(Stop):
        Header(block_hashes=Lies(raises))
    for items in (lambda: 5, lambda: [5], lambda: [(1, 2, 3)], lambda: ["ab"], lambda: None):
        with pytest.raises(UnusableInput, match="header.block_hashes"):
            Header(block_hashes=Lies(items))
    made = Header(number=3, block_hashes=Lies(lambda: iter([(2, hash_of(1)), (2, hash_of(2))])))
    assert asked(2, made) == hash_of(2)


def test_copies_and_pickles_are_equal():
    for hashes in (
        BlockHashes(),
        BlockHashes({1: hash_of(1), 5: hash_of(2)}),
        BlockHashes({1: hash_of(1)}, synthetic=True),
    ):
        for other in (copy.copy(hashes), copy.deepcopy(hashes), pickle.loads(pickle.dumps(hashes))):
            assert type(other) is BlockHashes
            assert (other, other.synthetic) == (hashes, hashes.synthetic)
        header = Header(number=9, block_hashes=hashes)
        assert pickle.loads(pickle.dumps(header)) == header == copy.deepcopy(header)
    restore, _ = BlockHashes().__reduce__()
    with pytest.raises(UnusableInput):
        restore({5: b"short"}, False)
    with pytest.raises(TypeError):
        type("Sub", (BlockHashes,), {})


def test_a_caller_of_a_header_that_is_none_of_ours_is_checked():
    class Other:
        def __getattr__(self, name):
            return getattr(Header(number=1000), name)

    other = Other()
    other.block_hashes = {999: hash_of(9)}
    assert asked(999, other) == hash_of(9)
    other.block_hashes = {999: b"short"}
    with pytest.raises(UnusableInput, match=r"block_hashes\[999\]"):
        asked(999, other)
    other.block_hashes = None
    with pytest.raises(UnusableInput, match="None is not a mapping"):
        asked(999, other)
