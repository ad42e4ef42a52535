"""What each kind of commutative update saves: how many transactions would depend on an earlier one without it.

Works on recorded accesses. A transaction depends on the last one before it that wrote what it read; what counts as a read is the
model's. Each model adds one kind of update to the one before it; the last, re-basing all slots that a transaction reads and writes
back, is the most that value tracking can save.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evmcore.accesses import Accesses

READ_BALANCE, READ_MINIMUM, READ_NONCE = 1, 2, 4
READ_IDENTITY = 8 | 16 | 32 | 64
WROTE_BALANCE, WROTE_NONCE, WROTE_IDENTITY = 1, 2, 4 | 16 | 32

MODELS = (
    "every value exactly",
    "the fee is credited unseen",
    "credits are changes",
    "debits need a minimum",
    "the sender's nonce is its own",
    "and slots that are written back, all of them",
)


_WRITES = (("balance", WROTE_BALANCE), ("nonce", WROTE_NONCE), ("identity", WROTE_IDENTITY))


def needs(accesses: Accesses, senders: Sequence[bytes]) -> list[list[set[int]]]:
    """For each of MODELS, for each transaction, the earlier ones that it depends on."""
    needed: list[list[set[int]]] = [[set() for _ in senders] for _ in MODELS]
    written: dict[tuple, int] = {}  # the last transaction before that wrote it
    accounts, slots = _by_transaction(accesses.accounts), _by_transaction(accesses.slots)
    for index, sender in enumerate(senders):

        def depend(cell: tuple, strictness: int, index: int = index) -> None:
            """So many of the models make it wait, the strictest first."""
            for model in range(strictness):
                needed[model][index].add(written[cell])

        writes = []
        for row in accounts.get(index, ()):
            address, read, wrote = row["address"].tobytes(), int(row["reads"]), int(row["writes"])
            if ("balance", address) in written:
                if read & READ_BALANCE:
                    depend(("balance", address), len(MODELS))
                elif read & READ_MINIMUM:
                    depend(("balance", address), 3)
                elif wrote & WROTE_BALANCE:
                    depend(("balance", address), 2 if read else 1)
            if read & READ_NONCE and ("nonce", address) in written:
                depend(("nonce", address), 4 if address == sender else len(MODELS))
            if read & READ_IDENTITY and ("identity", address) in written:
                depend(("identity", address), len(MODELS))
            writes += [(name, address) for name, bit in _WRITES if wrote & bit]
        for row in slots.get(index, ()):
            key = ("slot", row["address"].tobytes(), row["slot"].tobytes())
            if key in written:
                depend(key, 5 if row["is_write"] else len(MODELS))
            if row["is_write"]:
                writes.append(key)
        written.update(dict.fromkeys(writes, index))
    return needed


def _by_transaction(rows: np.ndarray) -> dict[int, np.ndarray]:
    numbers, starts = np.unique(rows["transaction"], return_index=True)
    return dict(zip(numbers.tolist(), np.split(rows, starts[1:])))
