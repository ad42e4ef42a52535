"""The law of the parallel floor on real blocks, as often as one likes: every run is the sequential one.

    python -m tests.law [--blocks DIR] [--workers 1,2,3,4,8,16] [--strategies optimistic] [--repeats 200] [--generated N]

Receipts, logs, gas and requests are compared by their roots, and the whole state by its own. `--generated` adds blocks of N
hard transactions, one a seed. The first difference ends it, with the block, the strategy, the workers and the turn.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from evmcore import Block, EvmError, execute_block, recover_senders
from evmcore.fixtures import block_paths

sys.path.insert(0, str(Path(__file__).parent))
from hard_blocks import hard_block

MAINNET = Path(__file__).parents[2] / "shared" / "mainnet-blocks"
GENERATED_SEEDS = 20
GAS_A_TRANSACTION = 400_000


def outcome(block: Block, **options) -> tuple:
    """All that has to be the same; of a refused block, why, and that the state is as it was."""
    assert block.pre_state is not None
    state = block.pre_state.copy()
    try:
        result = execute_block(block, state, state_roots=False, **options)
    except EvmError as error:
        return type(error), str(error), state.root()
    return result.gas_used, result.logs_bloom, result.receipts_root, result.requests, result.state_root, state.root()


def blocks(folder: Path, size: int) -> Iterator[tuple[str, Block]]:
    """Real ones, then generated ones."""
    for path, _ in block_paths([folder]) if folder.is_dir() else ():
        if path.name.split(".")[0].isdecimal():
            yield path.name, Block.load(path)
    for seed in range(GENERATED_SEEDS if size else 0):
        block = hard_block(seed, size)
        # Room for all of them: as they come they are made for a block of 30 Mgas.
        header = replace(block.header, gas_limit=max(block.header.gas_limit, size * GAS_A_TRANSACTION))
        yield f"seed {seed} of {size}", replace(block, header=header)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.law", description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=Path, default=MAINNET, metavar="DIR")
    parser.add_argument("--workers", default="1,2,3,4,8,16", metavar="N,…")
    parser.add_argument("--strategies", default="optimistic", metavar="S,…", help="optimistic, groups, auto, recorded")
    parser.add_argument("--repeats", type=int, default=200, metavar="K")
    parser.add_argument("--generated", type=int, default=0, metavar="N")
    arguments = parser.parse_args()
    workers = [int(word) for word in arguments.workers.split(",")]
    strategies = arguments.strategies.split(",")
    started = time.monotonic()
    runs = count = 0
    for name, block in blocks(arguments.blocks, arguments.generated):
        try:
            recover_senders(block.transactions, fork=block.header.fork)
            known = execute_block(
                block, block.pre_state.copy(), workers=1, strategy="sequential", state_roots=False, record=True
            ).accesses
        except EvmError:
            known = None  # a block that is refused has no accesses
        sequential = outcome(block, workers=1, strategy="sequential")
        for strategy in strategies:
            if strategy == "recorded" and known is None:
                continue
            options = {"accesses": known} if strategy == "recorded" else {}
            for number in workers:
                for turn in range(arguments.repeats):
                    if outcome(block, workers=number, strategy=strategy, **options) != sequential:
                        print(f"{name}: {strategy} with {number} workers differs in turn {turn}")
                        return 1
                    runs += 1
        count += 1
    print(f"{count} blocks, {runs:,} runs, no difference, {time.monotonic() - started:.0f} s")
    return 0 if count else 2


if __name__ == "__main__":
    sys.exit(main())
