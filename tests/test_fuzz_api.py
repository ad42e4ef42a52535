"""The fuzzer of the public interface: some of its programs, and that it sees a fault where there is one.

`make fuzz ARGS="api --minutes 60"` goes on from there.
"""

from __future__ import annotations

import ast
from hashlib import pbkdf2_hmac
from random import Random

import pytest
from fuzz.api import harness, operations
from fuzz.api.drive import Fuzzer
from fuzz.api.model import Model
from fuzz.api.run import run_program
from fuzz.api.sequence import MODELLED, OPERATIONS, Program, program_of, stand_alone
from fuzz.api.shrink import shrink

from evmcore import State

assert operations.__all__  # they register themselves


def program(*lines: str, kind: str = "") -> Program:
    begin = Program(0)
    return Program(0, begin.lines + [(line, kind) for line in lines], begin.names + ["test"] * len(lines))


def test_states_are_as_their_models_say():
    for seed in range(60):
        one = program_of(seed, only="nothing but what the model follows")
        assert {kind for _, kind in one.lines} == {MODELLED}
        assert run_program(one) is None, f"seed {seed}"


def test_each_operation_writes_a_line_of_python():
    random = Random(1)
    for one in OPERATIONS:
        for _ in range(40):
            ast.parse(one.write(random))


def test_a_wrong_value_is_seen(monkeypatch):
    """A revert that does nothing, as a fault of the core would be."""
    monkeypatch.setattr(Model, "revert", lambda self, mark: self._forget_from(mark))
    found = run_program(program("n0 = s0.snapshot()", "s0.set_balance(A, 5)", "s0.revert(n0)", kind=MODELLED))
    assert found is not None
    assert "in place of" in found["message"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("raise_(SystemError('x'))", "SystemError"),
        ("unchanged(s0, lambda: (s0.set_balance(D, 5), stop()))", "a failed call changed the state"),
        ("whole(s0, lambda s: (s.set_balance(D, 1), s.set_balance(D, 2)), lambda go: s0.set_balance(D, 7))", "in part"),
        ("forked(lambda: os.kill(os.getpid(), 9))", "a fork ended with -9"),
        ("together(1, lambda: raise_(SystemError('x')))", "SystemError"),
        ("agree(lambda b: b)", "with a subclass of bytes"),
        ("soon(0.01, lambda: pbkdf2_hmac('sha1', b'', b'', 400000), 0)", "went on"),
        ("command(['run', '--code', '00'], None, raise_)", "shows a traceback"),
    ],
)
def test_a_broken_promise_is_seen(line, message, monkeypatch):
    def raise_(error):
        raise error

    monkeypatch.setenv("EVMCORE_TRACEBACK", "1")  # without it no command shows one
    monkeypatch.setattr(harness, "raise_", raise_, raising=False)
    monkeypatch.setattr(harness, "pbkdf2_hmac", pbkdf2_hmac, raising=False)
    found = run_program(program(line))
    assert found is not None
    assert message in found["message"]


def test_exceptions_that_answer_a_caller_are_no_failure():
    assert (
        run_program(program("s0.set_balance(None, 5)", "stop()", "undefined", "execute_block(None, State())")) is None
    )


def test_the_end_of_a_process_is_a_failure_and_shrinks(tmp_path):
    """What isn't needed goes, and what is left runs by itself."""
    fuzzer = Fuzzer(False, tmp_path)
    lines = ["s0.set_balance(D, 5)", "os.kill(os.getpid(), signal.SIGSEGV)", "s0.root()"]
    [failure], _ = fuzzer.failures_of("-", 1, program(*lines))
    assert ("Segmentation fault" if harness.IS_SANITIZED else "ended with -11") in failure.message
    assert failure.line == lines[1]
    small = shrink(program(*lines), lambda one: any("os.getpid(), signal.SIGSEGV" in line for line, _ in one.lines))
    assert [line for line, _ in small.lines] == [lines[1]]


def test_a_program_runs_by_itself(capsys):
    text = stand_alone(
        program("s0.set_balance(D, ShortInt(5))", "unchanged(s0, lambda: s0.get_nonce(LongBytes(b'1')))")
    )
    exec(compile(text, "program", "exec"), {"__name__": "program"})
    assert "NameError" not in capsys.readouterr().out
    assert "def unchanged" in text
    assert "class Stepper" not in text


def test_a_state_equals_its_model():
    model = Model({b"\1" * 20: {"balance": 5, "storage": {1: 2, 3: 0}}})
    state = State({b"\1" * 20: {"balance": 5, "storage": {1: 2, 3: 0}}})
    assert state.storage(b"\1" * 20) == model.storage(b"\1" * 20) == {1: 2}
