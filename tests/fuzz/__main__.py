"""Fuzz evmcore: coverage-guided with AddressSanitizer and UndefinedBehaviorSanitizer, and against the executable specification.

    python -m tests.fuzz                               ten minutes of each
    python -m tests.fuzz programs --minutes 40
    python -m tests.fuzz decoders programs specification --minutes 60 --together
    python -m tests.fuzz api --minutes 60 --sanitize   with the build of `make sanitize`

decoders       bytes as a transaction: refused, or decoded to what encodes to the same bytes
encodings      the same of headers, blocks and states: encodings, changed at random (tests/fuzz/encodings.py)
programs       bytes as a block on a small world: in order, with two workers and traced, it comes out the same
specification  random blocks, compared in full with the executable specification
api            programs of hostile calls: what lies, raises, interrupts and runs beside them (tests/fuzz/api)
memory         calls whose allocations fail, one after the other (tests/fuzz/memory.py)

The first two are libFuzzer's and need clang. They go on where they stopped: inputs that reach new code are kept in
build/fuzz. An input that finds something lies in build/fuzz too; with its fault mended it belongs into tests/fuzz/found.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "fuzz"
FOUND = Path(__file__).parent / "found"
KINDS = ("decoders", "encodings", "programs", "specification", "api", "memory")
FLAGS = ["-std=c++20", "-O1", "-g", "-Ipyx", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
DECODERS = [
    "tests/fuzz/decode.cpp",
    *(
        str(path.relative_to(ROOT))
        for folder in ("base", "math")
        for path in sorted((ROOT / "pyx/core" / folder).glob("*.cpp"))
    ),
    "pyx/core/crypto/keccak.cpp",
]
# Python's own small allocations would hide what is read beyond their end; and it never gives all of its memory back.
ENVIRONMENT = {
    "PYTHONMALLOC": "malloc",
    "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0:malloc_context_size=6",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


def build_decoders() -> Path:
    program = FOLDER / "decoders"
    subprocess.run(["clang++", *FLAGS, *DECODERS, "-o", str(program)], cwd=ROOT, check=True)
    return program


def build_programs() -> Path:
    """The extension with sanitizers and coverage, and a program that embeds Python to load it."""
    environment = {"CC": "clang", "CXX": "clang++", "EVMCORE_SANITIZE": "address,undefined,fuzzer-no-link"}
    places = ["--build-lib", str(FOLDER / "lib"), "--build-temp", str(FOLDER / "temp")]
    command = [sys.executable, "setup.py", "-q", "build", *places]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True)
    program = FOLDER / "programs"
    library, folder = sysconfig.get_config_var("LDVERSION"), sysconfig.get_config_var("LIBDIR")
    python = [f"-I{sysconfig.get_path('include')}", f"-L{folder}", f"-Wl,-rpath,{folder}", f"-lpython{library}"]
    # The extension takes the sanitizers and libFuzzer's counters from the program.
    source = "tests/fuzz/programs.cpp"
    subprocess.run(
        ["clang++", *FLAGS, "-rdynamic", source, *python, "-ldl", "-lm", "-o", str(program)], cwd=ROOT, check=True
    )
    return program


def sound_inputs(kind: str) -> list[bytes]:
    """Inputs to change, so that the fuzzer needn't find RLP or calls by itself."""
    if kind == "programs":
        from fuzz.programs import sound_inputs

        return sound_inputs(500)
    from fuzz.encodings import sound_inputs as sound_encodings

    return sound_encodings()


def start_libfuzzer(kind: str, seconds: int, seed: int) -> tuple[list[str], dict[str, str]]:
    """The command that fuzzes, and its environment."""
    program = build_decoders() if kind == "decoders" else build_programs()
    corpus = FOLDER / f"{kind}-corpus"
    corpus.mkdir(exist_ok=True)
    for number, data in enumerate(sound_inputs(kind)):
        (corpus / f"sound-{number}").write_bytes(data)
    kept = [str(path) for path in (corpus, FOUND / kind) if path.is_dir()]
    limits = [f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=4096", "-print_final_stats=1"]
    # Long enough for a process that was stopped for a while, or swapped out; what hangs does so for ever.
    limits.append("-timeout=600")
    # Weighing inputs by how rare what they reach is takes a third of the time, with as much to reach as here.
    limits.append("-entropic=0")
    command = [str(program), *limits, f"-artifact_prefix={FOLDER}/{kind}-", *kept]
    paths = os.pathsep.join([str(FOLDER / "lib"), str(ROOT / "tests")])
    return command, {**os.environ, **ENVIRONMENT, "PYTHONPATH": paths, "EVMCORE_FUZZ_PYTHON": sys.executable}


def start_specification(seconds: int, seed: int) -> tuple[list[str], dict[str, str]]:
    command = [sys.executable, "-m", "tests.differential", "--minutes", str(seconds / 60), "--shrink"]
    if seed:
        command += ["--seed", str(seed)]
    return [*command, "--save", str(FOLDER / "specification-case.json")], {**os.environ}


def start_api(seconds: int, seed: int, is_sanitized: bool) -> tuple[list[str], dict[str, str]]:
    command = [sys.executable, "-m", "fuzz.api", "--minutes", str(seconds / 60), "--seed", str(seed)]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return command + ["--sanitize"] * is_sanitized, {**os.environ, "PYTHONPATH": paths}


def start_encodings(seconds: int, seed: int) -> tuple[list[str], dict[str, str]]:
    command = [sys.executable, "-m", "fuzz.encodings", "--minutes", str(seconds / 60), "--seed", str(seed)]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return command, {**os.environ, "PYTHONPATH": paths}


def start_memory(seconds: int, seed: int) -> tuple[list[str], dict[str, str]]:
    command = [sys.executable, "-m", "fuzz.memory", "--minutes", str(seconds / 60), "--seed", str(seed)]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return command, {**os.environ, "PYTHONPATH": paths}


def executions(kind: str, output: str) -> int:
    """How many inputs a log tells of."""
    patterns = {
        "specification": r"^(\d+) cases,",
        "api": r"^(\d+) programs in",
        "encodings": r"^(\d+) encodings",
        "memory": r"^(\d+) failures of memory",
    }
    pattern = patterns.get(kind, r"stat::number_of_executed_units: (\d+)")
    found = re.search(pattern, output, re.MULTILINE)
    return int(found[1]) if found else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)} (default: all)")
    parser.add_argument("--minutes", type=float, default=10, help="how long for each (default %(default)g)")
    parser.add_argument("--seed", type=int, default=0, help="to begin with; 0: a random one")
    parser.add_argument("--sanitize", action="store_true", help="api: with sanitizers")
    parser.add_argument("--together", action="store_true", help="all kinds side by side, not one after the other")
    options = parser.parse_args()
    kinds = options.kinds or list(KINDS)
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        parser.error(f"{unknown[0]}: one of {', '.join(KINDS)}")
    if set(kinds) & {"decoders", "programs"} and shutil.which("clang++") is None:
        print("fuzzing needs clang++ and its runtime with libFuzzer;", file=sys.stderr)
        print(
            "on Debian and Ubuntu: apt install clang libclang-rt-14-dev (or the version that clang has)",
            file=sys.stderr,
        )
        return 2
    sys.path.insert(0, str(ROOT / "tests"))
    FOLDER.mkdir(parents=True, exist_ok=True)
    seconds = max(1, round(options.minutes * 60))
    running: list[tuple[str, subprocess.Popen[bytes], float]] = []
    status = 0
    for kind in kinds:
        if kind == "api":
            command, environment = start_api(seconds, options.seed, options.sanitize)
        elif kind == "encodings":
            command, environment = start_encodings(seconds, options.seed)
        elif kind == "memory":
            command, environment = start_memory(seconds, options.seed)
        elif kind == "specification":
            command, environment = start_specification(seconds, options.seed)
        else:
            command, environment = start_libfuzzer(kind, seconds, options.seed)
        print(f"{kind}: {options.minutes:g} minutes; what it says goes to {FOLDER / kind}.log", flush=True)
        with open(FOLDER / f"{kind}.log", "wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        running.append((kind, process, time.monotonic()))
        if not options.together:
            status |= finish(*running.pop())
    for entry in running:
        status |= finish(*entry)
    return status


def finish(kind: str, process: subprocess.Popen[bytes], started: float) -> int:
    """Wait for one, and say what came of it; 1 if it found something."""
    process.wait()
    output = (FOLDER / f"{kind}.log").read_text("utf-8", "replace")
    found = "nothing found" if process.returncode == 0 else f"ended with {process.returncode}"
    print(f"{kind}: {executions(kind, output):,} executions in {time.monotonic() - started:.0f} s, {found}", flush=True)
    if process.returncode != 0:
        print(output[-4000:], flush=True)
    return int(process.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
