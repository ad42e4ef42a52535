"""Starts the processes that run programs, and sees to what they end of: a failure is run again, made small and printed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import randrange

from . import operations
from .sequence import Program, program_of, stand_alone
from .shrink import shrink

__all__ = ["Failure", "fuzz", "operations"]

ROOT = Path(__file__).resolve().parents[3]
BATCH = 200
# A line takes this long only if it hangs. On a machine that others use that says the processor's time that it was given; one
# that waits for what doesn't come is given none, and has as many times as long.
PATIENCE_SECONDS = 150
PATIENCE_WHERE_OTHERS_WORK = 6
SANITIZED = ROOT / "build" / "sanitize"


@dataclass(frozen=True)
class Failure:
    """A program that failed. `what`: the same for failures that are probably one."""

    seed: int
    operation: str
    line: str
    message: str
    what: str


def build_sanitized() -> None:
    """As `make sanitize` does."""
    command = [sys.executable, "setup.py", "-q", "build", "--build-lib", str(SANITIZED)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "EVMCORE_SANITIZE": "address,undefined"}, check=True)


class Fuzzer:
    """Runs programs in processes of the ordinary or of the sanitized build."""

    def __init__(self, is_sanitized: bool, folder: Path, library: Path | None = None) -> None:
        self.is_sanitized, self.folder = is_sanitized, folder
        library = library or (SANITIZED if is_sanitized else ROOT)
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(library), str(ROOT / "tests")]),
            "TMPDIR": str(folder),
            "PYTHONWARNINGS": "ignore",
        }
        if is_sanitized:
            compiler = os.environ.get("CXX", "g++")
            libraries = (
                subprocess.run(
                    [compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True
                ).stdout.strip()
                for name in ("libasan.so", "libstdc++.so")
            )
            self.environment.update(
                LD_PRELOAD=" ".join(libraries),
                PYCRYPTODOME_DISABLE_DEEPBIND="1",
                # Python's own small allocations would hide what is read beyond their end.
                PYTHONMALLOC="malloc",
                UBSAN_OPTIONS="print_stacktrace=1",
                ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=0:allocator_may_return_null=1:handle_abort=1",
            )

    def process(
        self, first: str, count: int, program: Program | None = None
    ) -> tuple[list[dict], int, str, tuple[int, int]]:
        """What a process told, its exit status, the end of its standard error, and the seed and line where it was last."""
        progress, told_, errors = (self.folder / name for name in ("progress", "told", "errors"))
        progress.write_bytes(bytes(16))
        command = [sys.executable, "-X", "faulthandler", "-m", "fuzz.api.run", first, str(count), str(progress)]
        hangs = False
        with open(told_, "wb") as out, open(errors, "wb") as err:
            done = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdin=subprocess.PIPE, stdout=out, stderr=err
            )
            assert done.stdin is not None
            with done.stdin as given:
                given.write(json.dumps(asdict(program)).encode() if program else b"")
            before, since, used = b"", time.monotonic(), 0.0
            while True:
                try:
                    done.wait(1)
                    break
                except subprocess.TimeoutExpired:
                    if (now := progress.read_bytes()) != before:
                        before, since, used = now, time.monotonic(), _processor_seconds(done.pid)
                    elif _is_hanging(time.monotonic() - since, _processor_seconds(done.pid) - used):
                        # Its faulthandler says where each thread is.
                        done.send_signal(signal.SIGKILL if hangs else signal.SIGABRT)
                        hangs = True
                        with contextlib.suppress(subprocess.TimeoutExpired):
                            done.wait(20)
        told = [json.loads(line) for line in told_.read_bytes().splitlines()]
        text = ("HANGS\n" if hangs else "") + errors.read_text("utf-8", "replace")
        at = progress.read_bytes()
        is_done = bool(told) and "done" in told[-1]
        status = done.returncode or (0 if is_done else 99)
        return told, status, text, (int.from_bytes(at[:8], "little"), int.from_bytes(at[8:], "little"))

    def failures_of(self, first: str, count: int, program: Program | None = None) -> tuple[list[Failure], int]:
        """The failures of a process, and how many seeds it got through."""
        told, status, text, (seed, line) = self.process(first, count, program)
        done = told.pop()["done"] if told and "done" in told[-1] else None

        def made(seed: int) -> Program:
            return program or program_of(seed, self.is_sanitized, os.environ.get("EVMCORE_FUZZ_ONLY", ""))

        found = [_failure(made(one["seed"]), one["line"], one["message"]) for one in told]
        if done is None and program is None and seed < int(first):
            raise RuntimeError(f"the process did not start:\n{text[-3000:]}")
        if done is None:
            found.append(_failure(made(seed), line, _crash(status, text)))
            return found, count if program else seed - int(first) + 1
        if status != 0:  # after the last program, as the interpreter ended
            last = int(first) if program is None else program.seed
            found.append(Failure(last, "end", "", _crash(status, text), f"the end: {status}"))
        return found, done

    def again(self, program: Program, what: str, times: int) -> bool:
        """Whether a program fails in the same way, in a process of its own."""
        found, _ = self.failures_of("-", times, program)
        return any(one.what.split(":")[0] == what.split(":")[0] for one in found)


def _processor_seconds(process: int) -> float:
    """What all threads of a process have used; infinite where that isn't told."""
    try:
        words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return float("inf")


def _is_hanging(seconds: float, processor_seconds: float) -> bool:
    """Whether a line hangs that has taken so long, and so much of the processors."""
    if seconds <= PATIENCE_SECONDS:
        return False
    return not processor_seconds < PATIENCE_SECONDS or seconds > PATIENCE_SECONDS * PATIENCE_WHERE_OTHERS_WORK


def _crash(status: int, text: str) -> str:
    summary = re.search(r"^SUMMARY: .*$|^.*runtime error: .*$", text, re.MULTILINE)
    if text.startswith("HANGS"):
        return f"hangs for {PATIENCE_SECONDS} s\n{text[-3000:]}"
    report = text[text.find("ERROR: AddressSanitizer") :][:3500] if "ERROR: AddressSanitizer" in text else text[-2500:]
    return f"the process ended with {status}{': ' + summary[0] if summary else ''}\n{report}"


def _failure(program: Program, line: int, message: str) -> Failure:
    first = message.splitlines()[0] if message else ""
    kind = re.sub(r"(/\S+/)|0x[0-9a-f]+|b?['\"].*['\"]|\d+|\(.*\)", "#", first)[:90]
    if "SUMMARY" in first:
        kind = re.sub(r"0x[0-9a-f]+|\d+", "#", first.split("SUMMARY: ")[1].split("/")[-1])[:90] + " " + kind[:40]
    line = min(line, len(program.lines) - 1)
    return Failure(program.seed, program.names[line], program.lines[line][0], message, f"{program.names[line]}: {kind}")


def fuzz(
    minutes: float, seed: int = 0, is_sanitized: bool = False, shrinks: bool = True, library: Path | None = None
) -> int:
    """Run programs for so long, from a seed on (0: a random one); print what fails. Returns how many kinds failed."""
    if is_sanitized and library is None:
        build_sanitized()
    seed = seed or randrange(10**6, 10**9)
    began = time.monotonic()
    kinds: Counter[str] = Counter()
    done = 0
    with tempfile.TemporaryDirectory(prefix="evmcore-fuzz-") as folder:
        fuzzer = Fuzzer(is_sanitized, Path(folder), library)
        print(f"programs of seeds from {seed}", flush=True)
        while True:
            # With no time at all, the seed's own program.
            found, count = fuzzer.failures_of(str(seed), BATCH if minutes else 1)
            for failure in found:
                kinds[failure.what] += 1
                if kinds[failure.what] == 1:
                    seconds = time.monotonic() - began
                    print(
                        f"\n=== seed {failure.seed}, after {seconds:.0f} s: {failure.what}\n{failure.line}\n{failure.message[:3000]}",
                        flush=True,
                    )
                    if shrinks:
                        for text in report(fuzzer, failure):
                            print(text, flush=True)
            seed += count
            done += count
            if time.monotonic() - began >= minutes * 60:
                break
    print(f"{done} programs in {time.monotonic() - began:.0f} s, {len(kinds)} kinds of failures", flush=True)
    for what, times in kinds.most_common():
        print(f"{times:6} {what}", flush=True)
    return len(kinds)


def report(fuzzer: Fuzzer, failure: Failure) -> Iterator[str]:
    """The smallest program that fails so."""
    program = program_of(failure.seed, fuzzer.is_sanitized, os.environ.get("EVMCORE_FUZZ_ONLY", ""))
    for times in (1, 10):
        if fuzzer.again(program, failure.what, times):
            break
    else:
        yield "(not again by itself: it needs the programs before it, or luck)"
        return
    small = shrink(program, lambda one: fuzzer.again(one, failure.what, 1 if times == 1 else 15))
    yield "--- a program that shows it:\n" + stand_alone(
        small, f"seed {failure.seed}: {failure.message.splitlines()[0]}"
    )
