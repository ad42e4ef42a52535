"""What the process's cache of codes is worth: blocks whose codes an earlier state had, with the cache and without it.

    python -m bench.codes [--rounds 8]

Each block is loaded anew and executed once, sequentially, next to the same without a cache, by turns; printed are the median and the
range over the rounds of how many times as long the execution, and the loading, take without.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from evmcore import Block, code_cache_info, execute_block, recover_senders, set_code_cache_limit
from evmcore.fixtures import block_paths

from .machine import ROOT, description

BLOCKS = ROOT.parent / "shared" / "mainnet-blocks"
ROOMY_BYTES = 256 << 20


def seconds(path: Path, limit_bytes: int) -> tuple[float, float]:
    """Of loading a block and of executing it once."""
    set_code_cache_limit(limit_bytes)
    began = time.perf_counter()
    block = Block.load(path)
    loading = time.perf_counter() - began
    recover_senders(block.transactions, fork=block.header.fork)
    result = execute_block(block, block.pre_state, workers=1, strategy="sequential", state_roots=False)
    return loading, result.statistics.execute_seconds


def without_by_with(paths: list[Path], with_first: bool) -> tuple[float, float]:
    """How many times as long without: loading, executing."""
    totals = {ROOMY_BYTES: [0.0, 0.0], 0: [0.0, 0.0]}
    for path in paths:
        for limit_bytes in sorted(totals, reverse=with_first):
            seconds(path, limit_bytes)  # leaves the codes in the cache, or finds none
            for kind, spent in enumerate(seconds(path, limit_bytes)):
                totals[limit_bytes][kind] += spent
    return totals[0][0] / totals[ROOMY_BYTES][0], totals[0][1] / totals[ROOMY_BYTES][1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.codes", description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=Path, default=BLOCKS, metavar="DIR")
    parser.add_argument("--rounds", type=int, default=8, metavar="K")
    arguments = parser.parse_args()
    limit_bytes = code_cache_info().limit_bytes
    paths = [path for path, _ in block_paths([arguments.blocks]) if path.name.split(".")[0].isdecimal()]
    rounds = [without_by_with(paths, turn % 2 == 0) for turn in range(arguments.rounds)]
    set_code_cache_limit(limit_bytes)
    print(description())
    for name, ratios in zip(("loading", "executing"), zip(*rounds)):
        print(f"{name} without / with: {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
