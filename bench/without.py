"""What each kind of repair is worth: the same blocks with it and without it, in paired runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evmcore import Block, execute_block, recover_senders
from evmcore._core import probe_repairs

from .paired import paired, ratio
from .tables import times

# (merging of slots, looking ahead)
WAYS = {
    "all": (True, True),
    "no merging of slots": (False, True),
    "no looking ahead": (True, False),
    "neither": (False, False),
}


def without(blocks: Sequence[Block], workers: int, rounds: int) -> list[list[object]]:
    """A row for each of WAYS: speed-up over sequential, transactions, discarded runs, merged ones, and those by slots."""
    counts: dict[str, dict[str, int]] = {}
    for block in blocks:
        recover_senders(block.transactions, fork=block.header.fork)

    def once(block: Block, strategy: str) -> dict:
        assert block.pre_state is not None
        number = 1 if strategy == "sequential" else workers
        return execute_block(
            block, block.pre_state.copy(), workers=number, strategy=strategy, state_roots=False
        ).statistics

    def timed(name: str) -> Callable[[], float]:
        def run() -> float:
            strategy = "sequential" if name == "sequential" else "optimistic"
            probe_repairs(*WAYS.get(name, (True, True)))
            try:
                seconds = 0.0
                found = dict.fromkeys(("conflicts", "repairs", "slot_repairs"), 0)
                for block in blocks:
                    # Twice, and the second counts, as for the other tables.
                    once(block, strategy)
                    said = once(block, strategy)
                    seconds += said["execute_seconds"]
                    for key in found:
                        found[key] += said.get(key, 0)
                counts[name] = found
                return seconds
            finally:
                probe_repairs(True, True)

        return run

    seconds = paired({name: timed(name) for name in ("sequential", *WAYS)}, rounds)
    total = sum(len(block.transactions) for block in blocks)
    return [
        [
            name,
            times(ratio(seconds["sequential"], seconds[name])),
            f"{total:,}",
            *(f"{counts[name][key]:,}" for key in ("conflicts", "repairs", "slot_repairs")),
        ]
        for name in WAYS
    ]
