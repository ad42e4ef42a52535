"""The differential test as a command.

    python -m tests.differential --minutes 10            random seeds, until the time is over
    python -m tests.differential --seed 7 --count 100    these seeds
    python -m tests.differential --seed 7 --fork London --shrink --save case.json
    python -m tests.differential --case case.json
    python -m tests.differential --edges --seed 7 --count 100    the gas limits at which the first transaction does something else
    python -m tests.differential --engine geth --fork Amsterdam --minutes 10      against go-ethereum's evm (geth.py says what it needs)

A fault prints its seed and fork. Exit status 1 if there was one.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

from . import geth
from .case import Case
from .edges import cases_at_edges
from .scenarios import FORKS, make_case
from .shrink import shrink


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, help="the first seed; else a random one")
    parser.add_argument("--count", type=int, help="how many seeds (1 if a seed is given, else no end)")
    parser.add_argument("--minutes", type=float, help="stop after this time")
    parser.add_argument("--fork", choices=(*FORKS, "Amsterdam"), help="this fork only; else the seed chooses")
    parser.add_argument(
        "--engine", choices=("specification", "geth"), default="specification", help="what to compare with"
    )
    parser.add_argument("--workers", type=int, default=2, help="also compare with this many workers (default 2)")
    parser.add_argument("--case", type=Path, help="a case that was saved, instead of a seed")
    parser.add_argument(
        "--edges",
        action="store_true",
        help="each case's first transaction alone, at gas limits where it begins to do something else",
    )
    parser.add_argument("--shrink", action="store_true", help="make a failing case small")
    parser.add_argument("--save", type=Path, help="where to write a failing case (the last one)")
    options = parser.parse_args()
    if options.engine == "geth":
        if geth.program() is None:
            parser.error(
                f"--engine geth: EVMCORE_GETH or the path has no go-ethereum evm that knows Amsterdam ({geth.VERSION})"
            )
        forks, faults = geth.FORKS, geth.faults
    else:
        from .compare import faults  # needs the specification

        forks = FORKS
    if options.fork is not None and options.fork not in forks:
        parser.error(f"--fork: {options.engine} is compared with on {', '.join(forks)}")

    def fails(case: Case) -> bool:
        """For the shrinker: a case that one side can't run at all doesn't count."""
        try:
            return bool(faults(case))
        except Exception:
            return False

    if options.case is not None:
        found = faults(Case.from_json(json.loads(options.case.read_text())), workers=options.workers)
        print("\n".join(found) or "no difference")
        return 1 if found else 0
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    count = options.count or (1 if options.seed is not None and options.minutes is None else sys.maxsize)
    end = time.monotonic() + options.minutes * 60 if options.minutes else float("inf")
    done: Counter[str] = Counter()
    failed = 0
    while count > 0 and time.monotonic() < end:
        fork = options.fork or (None if options.engine == "specification" else forks[seed % len(forks)])
        made = make_case(seed, fork)
        for case in cases_at_edges(made, seed) if options.edges else (made,):
            found = faults(case, workers=options.workers)
            done[case.fork] += 1
            if not found:
                continue
            failed += 1
            print(f"seed {seed} fork {case.fork}:", *found[:6], sep="\n  ", flush=True)
            if options.shrink:
                case = shrink(case, fails)
                print("  shrunk: " + json.dumps(case.to_json()), flush=True)
            if options.save:
                options.save.write_text(json.dumps(case.to_json(), indent=1) + "\n")
        seed += 1
        count -= 1
    print(
        f"{sum(done.values())} cases, {failed} with a difference:", ", ".join(f"{n} {f}" for f, n in done.most_common())
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
