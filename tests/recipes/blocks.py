"""Blocks whose transactions count contended slots up and down with PICKN, TOPN and TRADE: in parallel as in order."""

from __future__ import annotations

import sys
from random import Random

from helpers import header

from evmcore import Block, BlockResult, State, Transaction, execute_block
from evmcore._core import SYSTEM_ADDRESSES, ScheduleFuzzer, set_tuning

CONTRACT = bytes([0xCC]) * 20
SENDERS = [bytes([i + 1]) * 20 for i in range(8)]
SLOTS = 3


def deep_program(random: Random) -> bytes:
    """Slots among constants, moved by the three instructions, then added to and written back, some to the other's place."""
    items = [bytes([0x60, random.randrange(1, 9)]) for _ in range(random.randrange(40, 60))]
    for _ in range(random.randrange(1, 6)):
        items[random.randrange(len(items) - 36, len(items))] = bytes([0x60, random.randrange(SLOTS), 0x54])
    code = b"".join(items)
    for _ in range(random.randrange(2, 9)):
        op = random.choice((0xB6, 0xB7, 0xB8))
        if op == 0xB8:
            n, m = sorted(random.sample(range(1, 16), 2))
            code += bytes([op, ((n - 1) * 16 + m - 1) ^ 143])
        else:
            code += bytes([op, (random.randrange(17, 36) - 145) % 256])
        if random.random() < 0.6:
            code += bytes([0x60, random.randrange(3), random.choice((0x01, 0x01, 0x03))])  # ADD, SUB
        if random.random() < 0.5:
            code += bytes([0x80, 0x60, random.randrange(SLOTS), 0x55])  # DUP1 key SSTORE
        elif random.random() < 0.3:
            code += bytes([0x80, 0x60, 0, 0x60, 0, 0xA1])  # DUP1 0 0 LOG1
    # Which value came up decides a write elsewhere.
    return code + bytes([0x60, random.randrange(SLOTS), 0x55, 0x60, 5 + random.randrange(2), 0x55, 0x00])


def deep_counter(random: Random) -> bytes:
    """One slot, fetched from below by one of the three, counted up and written to itself or another."""
    op = random.choice((0xB6, 0xB7, 0xB8))
    if op == 0xB8:
        n, m = sorted(random.sample(range(1, 14), 2))
        above, moved = m, bytes([op, ((n - 1) * 16 + m - 1) ^ 143]) + b"\x50" * n
    else:
        n = random.randrange(17, 40)
        above = n - 1 if op == 0xB6 else n
        moved = bytes([op, (n - 145) % 256])
    code = (
        bytes([0x60, random.randrange(SLOTS), 0x54]) + b"".join(bytes([0x60, 1 + i % 9]) for i in range(above)) + moved
    )
    return code + bytes([0x60, 1, 0x01, 0x60, random.randrange(SLOTS), 0x55, 0x00])


def deep_block(seed: int) -> Block:
    random = Random(seed)
    contracts = {
        bytes([0xC0 + i]) * 20: {"code": random.choice((deep_program, deep_counter))(random), "nonce": 1}
        for i in range(3)
    }
    # All of them run in one storage.
    routes = b""
    for index, address in enumerate(contracts):
        call = b"\x60\0\x60\0\x60\0\x60\0\x73" + address + b"\x5a\xf4\x50\x00\x5b"  # DELEGATECALL, STOP, JUMPDEST
        routes += bytes([0x5F, 0x35, 0x60, index, 0x14, 0x15, 0x60, len(routes) + 9 + len(call) - 1]) + b"\x57" + call
    storage = {slot: random.choice((1, 10, 1000, 2**255)) for slot in range(SLOTS)}
    alloc = {**contracts, CONTRACT: {"code": routes + b"\x00", "nonce": 1, "storage": storage}}
    alloc |= {sender: {"balance": 10**18} for sender in SENDERS}
    state = State(alloc)
    for system in ("withdrawal", "consolidation", "builder_deposit", "builder_exit"):
        state.set_code(SYSTEM_ADDRESSES[f"{system}_contract"], b"\0")  # no requests
    transactions = []
    for i in range(24):
        data = bytes(31) + bytes([random.randrange(3)])
        transactions.append(Transaction(to=CONTRACT, gas_limit=400_000, nonce=i // 8, sender=SENDERS[i % 8], data=data))
    return Block(header(fork="Next"), tuple(transactions), withdrawals=(), pre_state=state)


def differences(seed: int) -> tuple[list[str], BlockResult]:
    """The block with threads as they come, and on two schedules of its own; what differs from its sequential result."""
    block = deep_block(seed)
    assert block.pre_state is not None
    state = block.pre_state.copy()
    want = execute_block(block, state, workers=1, strategy="sequential")
    found: list[str] = []
    for schedule in (None, 2 * seed, 2 * seed + 1):
        parallel = block.pre_state.copy()
        if schedule is None:
            have = execute_block(block, parallel, workers=4, strategy="optimistic")
        else:
            with ScheduleFuzzer(schedule, 3, tracking_budget=0):
                have = execute_block(block, parallel, workers=3, strategy="optimistic")
        found += [f"schedule {schedule}: {name}" for name in want.differences(have)]
        if parallel.root() != state.root():
            found.append(f"schedule {schedule}: state root")
    return found, want


def main() -> None:
    """Arguments: the first seed, and how many."""
    first, count = (int(word) for word in sys.argv[1:3])
    set_tuning("tracking_budget", 0)  # every account is tracked from the first execution on
    transactions = failed = different = 0
    for seed in range(first, first + count):
        found, result = differences(seed)
        different += bool(found)
        transactions += len(result.receipts)
        failed += sum(not receipt.is_success for receipt in result.receipts)
        for line in found:
            print(f"seed {seed}: {line} differs", flush=True)
    print(
        f"{count} blocks, {transactions} transactions of which {failed} failed: {different} blocks differ from sequential"
    )
    sys.exit(different != 0)


if __name__ == "__main__":
    main()
