"""The fuzzers' own laws, on inputs that are sound, on those that once found a fault, and on some that are neither.

`make fuzz` goes on from there for as long as it is told to.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

from fuzz import encodings, programs

FOUND = Path(__file__).parent / "fuzz" / "found"
CHECKS = {"decoders": encodings.check, "programs": programs.check}


def test_what_once_was_wrong():
    """Each file is named for what was wrong."""
    for kind, check in CHECKS.items():
        for path in sorted((FOUND / kind).glob("*")):
            print(path)
            check(path.read_bytes())


def test_sound_encodings_decode():
    for data in encodings.sound_inputs():
        encodings.check(data)


def test_changed_encodings_are_refused_or_come_back():
    random = Random(3)
    sound = encodings.sound_inputs()
    for data in sound:
        for _ in range(200):
            encodings.check(encodings.changed(random, data, random.choice(sound)))


def test_sound_programs_run_every_way():
    for data in programs.sound_inputs(60):
        programs.check(data)


def test_any_bytes_are_a_case():
    random = Random(5)
    for size in (0, 1, 2, 10, 100, 1000, 4096):
        for _ in range(5):
            programs.check(random.randbytes(size))


def test_most_sound_programs_get_somewhere():
    """Or the fuzzer would start from nothing."""
    ended = []
    for data in programs.sound_inputs(60):
        block, state, _ = programs.case(programs.Bytes(data))
        result = programs.outcome(block, state, workers=1)
        ended += [] if isinstance(result, (str, tuple)) else [receipt.outcome for receipt in result.receipts]
    assert ended.count("SUCCESS") > 30
    assert len(set(ended)) > 4
