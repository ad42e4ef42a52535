"""What changes and witnesses of the real blocks cost: rows of bench/state.md. Medians over the blocks of the least of some rounds.

A block file has the part of the state that its block touches, which here is taken for the whole of it: its root is that of the parent.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from evmcore import (
    Block,
    BlockAccessList,
    Changes,
    Header,
    State,
    execute_block,
    execute_stateless,
    keccak256,
    recover_senders,
)

from .paired import median
from .tables import duration

BLOCKS = Path(__file__).parents[2] / "shared/mainnet-blocks"


def least(rounds: int, run: Callable[[], Any]) -> float:
    """Seconds of this thread's processor."""
    found = float("inf")
    for _ in range(rounds):
        began = time.thread_time()
        run()
        found = min(found, time.thread_time() - began)
    return found


def recovered() -> Iterator[Block]:
    for path in sorted(BLOCKS.glob("*.json.gz")):
        block = Block.load(path)
        recover_senders(block.transactions, fork=block.header.fork)
        yield block


def executed(block: Block, state: State, **options: Any) -> Any:
    return execute_block(block, state.copy(), workers=1, strategy="sequential", state_roots=False, **options)


def of_changes(block: Block, rounds: int) -> dict[str, float]:
    """Seconds of each step, and bytes, for one block."""
    state = block.pre_state
    assert state is not None
    plain = least(rounds, lambda: executed(block, state))
    noted = least(rounds, lambda: executed(block, state, changes=True))
    changes = executed(block, state, changes=True).changes
    keys = len(changes.accounts) + len(changes.slots)
    pickled = pickle.dumps(changes)
    return {
        "keys": keys,
        "make": noted - plain,
        "part": (noted - plain) / plain,
        "apply": least(rounds, lambda: state.copy().apply(changes)),
        "pickle": least(rounds, lambda: pickle.dumps(changes)),
        "unpickle": least(rounds, lambda: pickle.loads(pickled)),
        "bytes": len(pickled),
        "join": least(rounds, lambda: Changes.joined([changes, changes.inverse()])),
        "rows": least(rounds, lambda: BlockAccessList.from_changes(changes)),
    }


def of_witness(block: Block, rounds: int) -> dict[str, float] | None:
    """The same of a witness; None for a block that asks for hashes of earlier blocks, whose headers nobody has here."""
    state = block.pre_state
    assert state is not None
    root = state.root(workers=1)
    parent = Header(number=block.header.number - 1, fork=block.header.fork, state_root=root)
    child = replace(block, header=replace(block.header, parent_hash=parent.hash, block_hashes={}))
    try:
        witness = executed(child, state, witness=True, ancestors=[parent]).witness
    except Exception:
        return None

    def with_root(**options: Any) -> None:
        _ = executed(child, state, **options).state_root

    plain = least(rounds, with_root)
    recorded = least(rounds, lambda: with_root(witness=True, ancestors=[parent]))

    def stateless() -> None:
        assert execute_stateless(child, witness, workers=1, strategy="sequential").state_root is not None

    return {
        "make": recorded - plain,
        "verify": least(rounds, stateless),
        "ratio": least(rounds, stateless) / plain,
        "hash": least(rounds, lambda: [keccak256(part) for part in (*witness.state, *witness.codes)]),
        "bytes": sum(map(len, (*witness.state, *witness.codes))),
    }


def rows(rounds: int) -> list[tuple[str, str, str]]:
    """(what, measured, wanted); none where there are no blocks."""
    changes: list[dict[str, float]] = []
    witnesses: list[dict[str, float]] = []
    for block in recovered() if BLOCKS.is_dir() else ():
        changes.append(of_changes(block, rounds))
        made = of_witness(block, rounds)
        if made is not None:
            witnesses.append(made)
    if not changes:
        return []

    def of(found: list[dict[str, float]], name: str) -> float:
        return median([each[name] for each in found])

    def timed(name: str) -> str:
        return f"{duration(of(changes, name))}; {duration(of(changes, name) / of(changes, 'keys'))} a key"

    said = [
        (f"changes of a real block ({of(changes, 'keys'):.0f} keys): kept, beside its execution", timed("make"), ""),
        ("the same as a part of its execution", f"{of(changes, 'part'):.1%}", ""),
        ("applied to another copy", timed("apply"), ""),
        (f"pickled ({of(changes, 'bytes') / 1000:.1f} kB)", timed("pickle"), ""),
        ("unpickled", timed("unpickle"), ""),
        ("joined with their inverse, which takes both apart", timed("join"), ""),
        ("as rows of EIP-7928", timed("rows"), ""),
    ]
    if witnesses:
        kilobytes = of(witnesses, "bytes") / 1000
        said += [
            (
                f"witness of a real block ({kilobytes:.0f} kB): made, beside its execution",
                duration(of(witnesses, "make")),
                "",
            ),
            ("its verification: the state from it, execution, root", duration(of(witnesses, "verify")), ""),
            ("the same over execution and root on the state itself", f"{of(witnesses, 'ratio'):.2f}", ""),
            (
                "keccak-256 of its nodes and codes, one after the other: which no verification does without",
                duration(of(witnesses, "hash")),
                "",
            ),
        ]
    return said
