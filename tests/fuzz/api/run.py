"""The process that runs programs. It tells on its standard output, a line of JSON each, which of them failed and how.

python -m fuzz.api.run FIRST COUNT PROGRESS      programs of seeds; where it is stands in the file PROGRESS
python -m fuzz.api.run - TIMES PROGRESS          the program that comes by standard input, until it fails
"""

from __future__ import annotations

import gc
import json
import mmap
import os
import resource
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from evmcore import State

from . import given, harness, hostile, model, operations, promises, world
from .sequence import CHANGES, IMPORTS, MARKS, MODELLED, STATES, Program, program_of

__all__ = ["operations", "run_program"]

# How long a process goes on, so that what it found is told soon.
SECONDS = 60
WARM, MORE, MOST_NEW_THREADS, MOST_NEW_MEBIBYTES = 3, 5, 8, 120
Mark = Callable[[int], Any]


class Failure(Exception):
    """A promise that was broken by a line."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class Runner:
    """Runs the lines of one program on States and on models."""

    def __init__(self, program: Program, mark: Mark) -> None:
        self.program, self.mark = program, mark
        self.real: dict[str, Any] = {}
        exec(IMPORTS, self.real)
        for module in (hostile, world, given, harness, promises):
            self.real.update({name: value for name, value in vars(module).items() if name[0] != "_"})
        self.real["annotations"] = None
        self.plain = {**self.real, "State": model.Model}
        self.models: dict[int, tuple[State, model.Model]] = {}

    def run(self) -> None:
        for index, (line, kind) in enumerate(self.program.lines):
            self.mark(index)
            unraised.clear()
            try:
                if kind == MODELLED:
                    self.compare(line)
                    self.pair()
                else:
                    if kind == CHANGES:
                        self.check()
                    self.attempt(line, self.real)
                    if kind == CHANGES:
                        self.take_over(line)
            except AssertionError as error:
                raise Failure(index, f"{error}") from error
            if unraised:
                raise Failure(index, f"an exception was ignored: {unraised[0]}")
        self.check_at(len(self.program.lines) - 1)

    @staticmethod
    def attempt(line: str, space: dict[str, Any]) -> Any:
        """("value", …) or the name of the error."""
        try:
            try:
                code = compile(line, "<line>", "eval")
            except SyntaxError:
                exec(line, space)
                return ("value", None)
            return ("value", eval(code, space))
        except NameError as error:
            return ("NameError", error)
        except SystemExit:
            raise
        except model.Refused:
            return ("refused", None)
        except AssertionError:
            raise
        except BaseException as error:
            if not harness.expected(error):
                raise AssertionError(f"{type(error).__name__}: {error}") from error
            return ("refused", error)

    def compare(self, line: str) -> None:
        have, want = self.attempt(line, self.real), self.attempt(line, self.plain)
        if "NameError" in (have[0], want[0]):
            if have[0] != want[0]:  # one of the two has run: of what it may have changed there is no model
                for name in STATES + MARKS:
                    if name in line:
                        self.plain.pop(name, None)
            return
        assert have[0] == want[0], f"{line} is {have[0]} {have[1]}, of the model {want[0]} {want[1]}"
        name = line.split(" = ")[0]
        if have[0] == "value" and name not in MARKS + STATES and not isinstance(have[1], State):
            assert type(have[1]) is type(want[1]), f"{line}: {have[1]!r} in place of {want[1]!r}"
            assert have[1] == want[1], f"{line}: {have[1]!r} in place of {want[1]!r}"

    def pair(self) -> None:
        """Which model belongs to which state; a state that is fetched or partly known has none."""
        for name in STATES:
            state, plain = self.real.get(name), self.plain.get(name)
            if isinstance(state, State) and isinstance(plain, model.Model):
                self.models.setdefault(id(state), (state, plain))

    def take_over(self, line: str) -> None:
        """Let the models have what the states have, after a line that they can't follow."""
        for name in STATES:
            state = self.real.get(name)
            if not isinstance(state, State):
                self.real.pop(name, None)
                self.plain.pop(name, None)
                continue
            try:
                if state.is_strict:
                    self.plain.pop(name, None)
                    continue
                _, plain = self.models.setdefault(id(state), (state, model.Model()))
                plain.load(state)
                self.plain[name] = plain
            except Exception:  # one that its constructor was kept from making
                self.real.pop(name, None)
                self.plain.pop(name, None)
        if any(word in line for word in ("revert", "release", "__init__", "snapshot")):
            for name in MARKS:
                self.real.pop(name, None)
                self.plain.pop(name, None)

    def check(self) -> None:
        """The states are as their models say."""
        for name in STATES:
            if isinstance(self.plain.get(name), model.Model) and isinstance(self.real.get(name), State):
                have = {key: (a.balance, a.nonce, a.code, dict(a.storage)) for key, a in self.real[name].items()}
                want = self.plain[name].dump()
                assert have == want, f"{name} has {different(have, want)}"
                fresh = State({key: dict(zip(("balance", "nonce", "code", "storage"), a)) for key, a in want.items()})
                assert fresh.root() == self.real[name].root(), f"{name}'s root is not that of its accounts"

    def check_at(self, index: int) -> None:
        try:
            self.check()
        except AssertionError as error:
            raise Failure(index, str(error)) from error


def different(have: dict[Any, Any], want: dict[Any, Any]) -> str:
    for key in sorted({*have, *want}):
        if have.get(key) != want.get(key):
            return f"{have.get(key)!r:.200} at {key.hex()} in place of {want.get(key)!r:.200}"
    return "the same"


unraised: list[str] = []


def note_unraised(what: Any) -> None:
    """What Cython couldn't raise was lost; what else can't be raised (a signal's in a finaliser) is Python's way."""
    if isinstance(what.object, str) or not harness.expected(what.exc_value or Exception()):
        unraised.append(f"{what.exc_type.__name__}: {what.exc_value} in {what.object!r}")


def run_more(program: Program, mark: Mark) -> tuple[int, float]:
    """Run it some times more. By how many threads and MiB the process has grown."""
    threads, resident = harness.threads_now(), harness.resident()
    for _ in range(MORE):
        Runner(program, mark).run()
    gc.collect()
    return harness.threads_now() - threads, harness.resident() - resident


def run_program(program: Program, mark: Mark = lambda line: None) -> dict[str, Any] | None:
    """How a program failed: line and message; None if it didn't. One that repeats is held to leave nothing behind."""
    try:
        Runner(program, mark).run()
        if program.repeats:
            for _ in range(WARM - 1):
                Runner(program, mark).run()
            # What waits for the next block (some engines, up to 32 threads) may differ from time to time: a leak goes on growing.
            grown = [run_more(program, mark) for _ in range(2)]
            if all(threads > MOST_NEW_THREADS for threads, _ in grown):
                raise Failure(0, f"{grown[0][0]} and {grown[1][0]} more threads after {MORE} more times each")
            if all(mebibytes > MOST_NEW_MEBIBYTES for _, mebibytes in grown) and not harness.IS_SANITIZED:
                raise Failure(0, f"{grown[0][1]:.0f} and {grown[1][1]:.0f} MiB more after {MORE} more times each")
    except Failure as failure:
        return {"line": failure.line, "message": str(failure)}
    except SystemExit:
        raise
    except BaseException as error:  # of the harness itself, or where a signal came late
        if isinstance(error, (hostile.Stop, MemoryError)):
            return None
        return {"line": 0, "message": f"{type(error).__name__}: {error}"}
    return None


def main() -> int:
    first, count, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with open(path, "r+b") as file:
        progress = mmap.mmap(file.fileno(), 16)
    sys.unraisablehook = note_unraised
    threading.excepthook = lambda what: note_unraised(
        type("", (), {**{n: getattr(what, n) for n in ("exc_type", "exc_value")}, "object": "thread"})
    )
    given_program = Program(**json.load(sys.stdin)) if first == "-" else None
    process, began = os.getpid(), time.monotonic()
    done = 0
    for turn in range(count):
        if time.monotonic() - began > SECONDS and not given_program:
            break
        seed = given_program.seed if given_program else int(first) + turn
        program = given_program or program_of(seed, harness.IS_SANITIZED, os.environ.get("EVMCORE_FUZZ_ONLY", ""))
        failure = run_program(program, lambda line, seed=seed: struct.pack_into("<QQ", progress, 0, seed, line))
        assert os.getpid() == process
        if failure is not None:
            os.write(out, json.dumps({"seed": seed, **failure}).encode() + b"\n")
            if given_program:
                break
        done += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        if turn % 20 == 19:
            gc.collect()
    struct.pack_into("<QQ", progress, 0, 2**64 - 1, 0)
    os.write(out, json.dumps({"done": done}).encode() + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
