"""Traces against go-ethereum's: state tests of all forks by both, line by line.

    go install github.com/ethereum/go-ethereum/cmd/evm@v1.17.10
    python -m tests.differential.traces --count 500 --seed 7

`EVMCORE_GETH` names the program; else `evm` is looked for on the path. Forks come in turn, so that rare ones have as many cases as others. Compared
are depth, pc, instruction, gas, its cost, memory size, the whole stack and the refund of each step, and the state root. Where there is state gas
(EIP-8037) the cost is left out: evmcore's is all that `gas` goes down by, go-ethereum's is without the state gas that `gas` pays.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evmcore._core import fork_rules
from evmcore.conformance.discovery import cache_folder

from . import geth

FLAGS = ("statetest", "--trace", "--trace.format=json", "--trace.nomemory=true", "--trace.noreturndata=true")
FOLDERS = (
    "GeneralStateTests",
    "LegacyTests/Cancun/GeneralStateTests",
    "LegacyTests/Constantinople/GeneralStateTests",
    "eest-fixtures",
)
MOST_BYTES = 400_000  # of a file
PLACE = ("depth", "pc", "op", "gas")
REST = ("gasCost", "memSize", "stack", "refund")


def files(root: Path) -> list[Path]:
    """State tests, in order."""
    return [
        path
        for folder in FOLDERS
        for path in sorted((root / folder).rglob("*.json"))
        if ("state_tests" in path.parts or "GeneralStateTests" in path.parts) and path.stat().st_size < MOST_BYTES
    ]


def cases(root: Path, count: int, seed: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(name, fork, a file with that one case), the fork that has come the least often first."""
    chance = random.Random(seed)
    paths = files(root)
    chance.shuffle(paths)
    seen: Counter[str] = Counter()
    for path in paths:
        tests = json.loads(path.read_text())
        known = [
            name for name, test in tests.items() if isinstance(test, dict) and "post" in test and "transaction" in test
        ]
        if not known:
            continue
        name = chance.choice(sorted(known))
        fork = min(tests[name]["post"], key=lambda fork: (seen[fork], fork))
        seen[fork] += 1
        yield (
            f"{path.name} {name}",
            fork,
            {name: {**tests[name], "post": {fork: [chance.choice(tests[name]["post"][fork])]}}},
        )
        if sum(seen.values()) == count:
            return


def steps(text: str, fork: str) -> tuple[list[tuple[Any, Any]], str]:
    """(where and what, the rest; None where the step failed) of a trace's lines, and the state root."""
    rest = [name for name in REST if name != "gasCost" or not fork_rules(fork)["has_state_gas"]]
    found: list[tuple[Any, Any]] = []
    root = ""
    for line in text.splitlines():
        if not line.startswith("{"):
            continue
        said = json.loads(line)
        root = said.get("stateRoot", root)
        if "pc" not in said:
            continue
        place = tuple(said[name] for name in PLACE)
        if "error" not in said:
            found.append((place, [said.get(name) or None for name in rest]))
        elif not found or found[-1][0] != place:  # else told a second time, with the error
            found.append((place, None))
    return found, root


def first_difference(ours: list[tuple[Any, Any]], theirs: list[tuple[Any, Any]]) -> int | None:
    """Where two traces part. Of what failed nothing but the place is compared, since costs and memory may be those before or after."""
    for at, ((place, rest), (other, its)) in enumerate(zip(ours, theirs)):
        if place != other or (rest != its and rest is not None and its is not None):
            return at
    return None if len(ours) == len(theirs) else min(len(ours), len(theirs))


def trace(command: list[str], path: Path, fork: str) -> tuple[list[tuple[Any, Any]], str]:
    """Of the one case of a file."""
    done = subprocess.run([*command, *FLAGS, str(path)], capture_output=True, text=True, timeout=300, check=False)
    return steps(done.stderr, fork)


def case_root(case: dict[str, Any]) -> str:
    """The state root that a file's one case wants."""
    [test] = case.values()
    [[wanted]] = test["post"].values()
    return str(wanted["hash"])


def main() -> int:
    """How many are equal, by fork."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--count", type=int, default=500)
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument(
        "--corpus", type=Path, default=None, help="the fixtures; else where `evmcore conformance` has unpacked them"
    )
    options = arguments.parse_args()
    theirs = geth.program()
    if theirs is None:
        raise SystemExit(f"no go-ethereum evm ({geth.VERSION}): EVMCORE_GETH names it, or it is `evm` on the path")
    equal: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    unfit: Counter[str] = Counter()  # go-ethereum doesn't pass the test
    count: dict[str, int] = defaultdict(int)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.json"
        for name, fork, case in cases(options.corpus or cache_folder(), options.count, options.seed):
            path.write_text(json.dumps(case))
            want, root = trace([theirs], path, fork)
            found, own_root = trace([sys.executable, "-m", "evmcore"], path, fork)
            seen[fork] += 1
            count[fork] += len(want)
            at = first_difference(found, want)
            if at is None and own_root == root:
                equal[fork] += 1
                continue
            wanted = case_root(case)
            if root != wanted == own_root:
                unfit[fork] += 1
                print(f"{name} {fork}: go-ethereum fails the test, evmcore passes it", flush=True)
                continue
            at = len(want) if at is None else at
            print(
                f"{name} {fork}: roots {'equal' if root == own_root else 'differ'}, step {at} of {len(want)} and {len(found)}",
                flush=True,
            )
            print("  go-ethereum", want[at : at + 1], "\n  evmcore    ", found[at : at + 1], flush=True)
    for fork in sorted(seen):
        print(f"{fork}: {equal[fork]} of {seen[fork]}, {count[fork]:,} steps")
    fit = seen - unfit
    print(
        f"{equal.total()} of {fit.total()} equal, {sum(count.values()):,} steps; {unfit.total()} that go-ethereum fails"
    )
    return int(equal != fit)


if __name__ == "__main__":
    raise SystemExit(main())
