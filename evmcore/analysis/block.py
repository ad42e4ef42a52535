"""A block taken apart: its conflicts, its critical path, what is hot in it, and what more workers would do for it.

Time is gas: schedules are simulated (evmcore.layers.schedule), and say the same on every machine.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from .. import Block, UnusableInput, execute_block
from ..layers.prediction import Prediction, actual
from ..layers.router import Assignment, Router
from ..layers.schedule import Scheduled, schedule_apart, schedule_together

__all__ = ["EDGE_DTYPE", "HOT_DTYPE", "TRANSACTION_DTYPE", "WORKERS", "BlockAnalysis", "analyse"]

WORKERS = (1, 2, 4, 8, 16, 32, 64)

# finish: when it could have finished with workers without number, in gas after the block's start. waits_for: the one that it waits for
# longest, -1: for none. is_critical: on the longest chain.
TRANSACTION_DTYPE = np.dtype(
    [
        ("sender", "u1", 20),
        ("to", "u1", 20),
        ("gas", "<u8"),
        ("finish", "<u8"),
        ("waits_for", "<i4"),
        ("conflicts", "<u4"),
        ("is_critical", "?"),
    ]
)
# `reader` reads what `writer` wrote last: of `address` the slot, or with is_slot false what `what` says (b balance, n nonce, c code, l life).
EDGE_DTYPE = np.dtype(
    [("writer", "<u4"), ("reader", "<u4"), ("address", "u1", 20), ("is_slot", "?"), ("slot", "u1", 32), ("what", "S1")]
)
# touches: transactions that read or write it;  conflicts: that read what another one wrote;  gas: of these
HOT_DTYPE = np.dtype(
    [
        ("address", "u1", 20),
        ("is_slot", "?"),
        ("slot", "u1", 32),
        ("touches", "<u4"),
        ("conflicts", "<u4"),
        ("gas", "<u8"),
    ]
)


@dataclass(frozen=True, eq=False)
class BlockAnalysis:
    """What `analyse` found.

    transactions  TRANSACTION_DTYPE, in the block's order
    edges         EDGE_DTYPE: the conflict graph, by reader
    hot_slots     HOT_DTYPE: slots and fields of accounts, those with most conflicts first
    hot_contracts HOT_DTYPE with is_slot false: by account
    done          what each transaction does
    """

    number: int
    fork: str
    transactions: np.ndarray
    edges: np.ndarray
    hot_slots: np.ndarray
    hot_contracts: np.ndarray
    done: tuple[Prediction, ...]

    @property
    def gas(self) -> int:
        """Of all transactions."""
        return int(self.transactions["gas"].sum())

    @property
    def critical_path(self) -> list[int]:
        """The longest chain of transactions that wait for each other, in order."""
        return np.flatnonzero(self.transactions["is_critical"]).tolist()

    @property
    def critical_path_gas(self) -> int:
        """How long it is: no number of workers makes the block faster."""
        return int(self.transactions["finish"].max()) if len(self.transactions) else 0

    def schedule(self, workers: int, *, predicted: bool = False) -> Scheduled:
        """Workers of one engine; predicted: who conflicts is known before."""
        return schedule_together(self.done, workers, self.done if predicted else None)

    def speed_ups(self, workers: tuple[int, ...] = WORKERS) -> np.ndarray:
        """Rows of (workers, engine without predictions, engine that knows all conflicts, layers that don't see each other): times as fast as one."""
        rows = []
        for count in workers:
            apart = schedule_apart(self.done, self.layers(count))
            rows.append(
                (count, self.schedule(count).speed_up, self.schedule(count, predicted=True).speed_up, apart.speed_up)
            )
        return np.array(rows, [("workers", "<u4"), ("engine", "<f8"), ("predicted", "<f8"), ("layers", "<f8")])

    def layers(self, count: int) -> Assignment:
        """The transactions cut into layers that don't see each other's writes."""
        return Router(count).assign(self.done)


def analyse(block: Block) -> BlockAnalysis:
    """Execute the block in order on a copy of its state, and take apart what it did. Raises what `execute_block` does."""
    if block.pre_state is None:
        raise UnusableInput(f"block {block.number}: no pre-state")
    result = execute_block(
        block, block.pre_state.copy(), workers=1, strategy="sequential", record=True, state_roots=False
    )
    assert result.accesses is not None
    done = actual(result.accesses, block.transactions)
    transactions = np.zeros(len(done), TRANSACTION_DTYPE)
    edges: list[tuple[object, ...]] = []
    writers: dict[bytes, int] = {}
    touches: Counter[bytes] = Counter()
    conflicts: Counter[bytes] = Counter()
    gas: defaultdict[bytes, int] = defaultdict(int)
    for index, one in enumerate(done):
        row = transactions[index]
        row["sender"] = np.frombuffer(one.sender or bytes(20), "u1")
        row["to"] = np.frombuffer(block.transactions[index].to or bytes(20), "u1")
        row["gas"], row["waits_for"] = one.cost, -1
        ready = 0
        for key in sorted(one.reads):
            writer = writers.get(key)
            if writer is None:
                continue
            row["conflicts"] += 1
            conflicts[key] += 1
            gas[key] += one.cost
            edges.append((writer, index, *_parts(key)))
            finish = int(transactions[writer]["finish"])
            if finish > ready:
                ready, row["waits_for"] = finish, writer
        row["finish"] = ready + one.cost
        touches.update(one.reads | one.writes)
        writers.update(dict.fromkeys(one.writes, index))
    at = int(transactions["finish"].argmax()) if len(done) else -1
    while at >= 0:
        transactions[at]["is_critical"] = True
        at = int(transactions[at]["waits_for"])
    return BlockAnalysis(
        block.number,
        block.header.fork,
        transactions,
        np.array(edges, EDGE_DTYPE),
        _hottest(touches, conflicts, gas),
        _contracts(done, touches, conflicts, gas),
        tuple(done),
    )


def _parts(key: bytes) -> tuple[object, ...]:
    """Of EDGE_DTYPE, what says which key it is."""
    is_slot = len(key) == 52
    return (
        np.frombuffer(key[:20], "u1"),
        is_slot,
        np.frombuffer(key[20:] if is_slot else bytes(32), "u1"),
        b"" if is_slot else key[20:],
    )


def _hottest(touches: Counter[bytes], conflicts: Counter[bytes], gas: dict[bytes, int]) -> np.ndarray:
    keys = sorted(touches, key=lambda key: (-conflicts[key], -touches[key], key))
    rows = [(*_parts(key)[:3], touches[key], conflicts[key], gas.get(key, 0)) for key in keys if touches[key] > 1]
    return np.array(rows, HOT_DTYPE)


def _contracts(
    done: list[Prediction], touches: Counter[bytes], conflicts: Counter[bytes], gas: dict[bytes, int]
) -> np.ndarray:
    """The same by account: transactions that touch anything of it, and the conflicts over all that it has."""
    users: Counter[bytes] = Counter()
    for one in done:
        users.update({key[:20] for key in one.reads | one.writes})
    over: Counter[bytes] = Counter()
    lost: defaultdict[bytes, int] = defaultdict(int)
    for key in touches:
        over[key[:20]] += conflicts[key]
        lost[key[:20]] += gas.get(key, 0)
    accounts = sorted(users, key=lambda one: (-over[one], -users[one], one))
    none = np.zeros(32, "u1")
    rows = [(np.frombuffer(one, "u1"), False, none, users[one], over[one], lost[one]) for one in accounts]
    return np.array(rows, HOT_DTYPE)
