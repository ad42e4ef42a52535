"""Execute a block with one worker and with several, and compare: `python examples/parallel.py [BLOCK_FILE]`."""

import sys
import time

from evmcore import Block, execute_block, recover_senders
from evmcore.example import EXAMPLE_FILE

ROUNDS = 5


def main() -> None:
    block = Block.load(sys.argv[1] if len(sys.argv) > 1 else EXAMPLE_FILE)
    recover_senders(block.transactions, fork=block.header.fork)  # so that it isn't measured below
    sequential = execute_block(block, block.pre_state.copy(), workers=1)

    print(f"block {block.number}: {len(block.transactions)} transactions, {sequential.gas_used:,} gas")
    print(f"{'strategy':12} {'workers':>7} {'best ms':>8} {'executions':>10} {'same result':>11}")
    for strategy, workers in [("auto", 1), ("optimistic", 2), ("optimistic", 4), ("groups", 2), ("auto", 4)]:
        best = float("inf")
        for _ in range(ROUNDS):
            state = block.pre_state.copy()
            started = time.perf_counter()
            result = execute_block(block, state, workers=workers, strategy=strategy)
            best = min(best, time.perf_counter() - started)
        # == compares receipts, gas, bloom and all roots.
        same = result == sequential
        executions = result.statistics.executions
        print(f"{strategy:12} {workers:7} {best * 1000:8.3f} {executions:10} {'yes' if same else 'NO':>11}")
    print(
        "More executions than transactions: some were aborted, since an earlier transaction changed what they had read."
    )


if __name__ == "__main__":
    main()
