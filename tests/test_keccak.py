"""keccak-256: known answers, every length around the block's, and four messages at once."""

from __future__ import annotations

from random import Random

import pytest

from evmcore import assemble, keccak256, run
from evmcore._core import probe_keccak_of_four

# 136 bytes a block: its own length, one less (the padding's two ends meet), one more.
LENGTHS = [0, 1, 31, 32, 64, 135, 136, 137, 271, 272, 273, 1000, 100_000]


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (b"\x80", "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"),
        (b"\xc0", "1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"),
    ],
)
def test_known_answers(message, digest):
    assert keccak256(message).hex() == digest


@pytest.mark.parametrize("beyond", [0, 1, 135, 136, 137])
def test_the_instruction_hashes_long_messages_where_it_can_be_stopped_to_the_same(beyond):
    """From 16 MiB on another loop absorbs the blocks."""
    message = Random(beyond).randbytes(2**24 + beyond)
    code = "CALLDATASIZE PUSH1 0 PUSH1 0 CALLDATACOPY CALLDATASIZE PUSH1 0 KECCAK256 PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN"
    assert run(assemble(code), message, gas=2**60).output == keccak256(message)


def test_every_length_against_another_implementation():
    keccak = pytest.importorskip("Crypto.Hash.keccak", reason="pycryptodome comes with ethereum-execution")
    random = Random(1)
    for size in [*range(300), *LENGTHS]:
        message = random.randbytes(size)
        assert keccak256(message) == keccak.new(digest_bits=256, data=message).digest(), size


def test_four_at_once_are_each_alone():
    random = Random(2)
    for _ in range(300):
        messages = [random.randbytes(random.choice([*LENGTHS[:-1], random.randrange(600)])) for _ in range(4)]
        assert probe_keccak_of_four(messages) == tuple(map(keccak256, messages))


HASH_THE_INPUT = assemble(
    "CALLDATASIZE PUSH 0 PUSH 0 CALLDATACOPY  CALLDATASIZE PUSH 0 KECCAK256  PUSH 0 MSTORE  PUSH 32 PUSH 0 RETURN"
)


def test_programs_get_the_right_hash_however_often_they_ask():
    """More short messages than are remembered, with long runs in common, each asked for twice and out of order."""
    random = Random(4)
    messages = [bytes(12) + random.randbytes(20) + bytes(31) + bytes([slot]) for slot in range(4) for _ in range(200)]
    messages += [random.randbytes(size) for size in range(67) for _ in range(4)]
    messages += [bytes(size) for size in range(67)]
    for _ in range(2):
        random.shuffle(messages)
        for message in messages:
            assert run(HASH_THE_INPUT, message).output == keccak256(message), message.hex()
