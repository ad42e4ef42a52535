"""What lists beside a block take that aren't its own, against honest ones: `python tests/lying_lists.py [ITEMS]` prints a table.

Each is decoded and executed with its block in a process of its own, on two workers. Memory is what the process holds at its peak beyond
what it held with block, state and the list's bytes; time is the least of three runs. The lies are of a small block's list.
"""

from __future__ import annotations

import contextlib
import gc
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from evmcore import Block, BlockAccessList, Header, State, Transaction, assemble, execute_block, recover_senders, rlp
from evmcore.errors import InvalidBlock

KEY = (7).to_bytes(32, "big")
TARGET = b"\xaa" * 20
TRANSACTIONS = 40
FEW = 400
FORK = "Cancun"
# By their calldata, the first key and how many: each loop does one thing with each of so many keys.
LOOP = "PUSH 32 CALLDATALOAD PUSH 0 CALLDATALOAD ADD PUSH 0 CALLDATALOAD next: {each} PUSH 1 ADD DUP2 DUP2 LT PUSH @next JUMPI STOP"
OTHER = "DUP{depth} PUSH 1 PUSH 128 SHL ADD"  # an address of that key, which is no precompile's
BODIES = {
    "reads": "DUP1 SLOAD POP",
    "writes": "DUP1 DUP1 SSTORE",
    "accounts": f"{OTHER.format(depth=1)} BALANCE POP",
    "payments": f"PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 1 {OTHER.format(depth=6)} GAS CALL POP",
}


def block_that(does: str, items: int) -> tuple[Block, State]:
    """A block whose transactions together do that with so many keys, and the state before it."""
    each = max(1, items // TRANSACTIONS)
    fee = 10
    signed = [
        Transaction(
            to=TARGET,
            nonce=nonce,
            gas_limit=100_000 + 40_000 * each,
            gas_price=fee,
            chain_id=1,
            data=(1 + nonce * each).to_bytes(32, "big") + each.to_bytes(32, "big"),
        ).sign(KEY)
        for nonce in range(TRANSACTIONS)
    ]
    state = State(
        {
            signed[0].sender: {"balance": 10**30},
            TARGET: {"balance": 10**18, "code": assemble(LOOP.format(each=BODIES[does]))},
        }
    )
    header = Header(number=1, fork=FORK, gas_limit=10**12, base_fee_per_gas=7, coinbase=b"\xcb" * 20)
    block = Block(header, tuple(signed), withdrawals=())
    recover_senders(block.transactions, fork=FORK)
    return block, state


def own_list(block: Block, state: State) -> BlockAccessList:
    made = execute_block(block, state.copy(), strategy="sequential", access_list=True, state_roots=False).access_list
    assert made is not None
    return made


def number(value: int) -> bytes:
    return rlp.number(value)


def account(address: bytes, **fields: list) -> list:
    """An account of a list, as RLP items."""
    names = ("storage", "reads", "balances", "nonces", "codes")
    return [address, *(fields.get(name, []) for name in names)]


def another(index: int) -> bytes:
    return b"\xff" + index.to_bytes(19, "big")


def lies(items: int) -> Iterator[tuple[str, Callable[[list], bytes]]]:
    """Names, and what makes the bytes of a list from an honest one's items."""

    def with_target(own: list, place: int, more: list) -> bytes:
        return rlp.encode([[*a[:place], a[place] + more, *a[place + 1 :]] if a[0] == TARGET else a for a in own])

    change = [[number(TRANSACTIONS), b""]]
    high = [number(2**200 + n) for n in range(items)]
    yield "surplus accounts", lambda own: rlp.encode(own + [account(another(n)) for n in range(items)])
    yield "surplus reads", lambda own: with_target(own, 2, high)
    yield "surplus changed slots", lambda own: with_target(own, 1, [[key, change] for key in high])
    yield (
        "a wrong balance everywhere",
        lambda own: rlp.encode(
            [[*a[:3], [[i, b"\x01"] for i, _ in a[3]], *a[4:]] for a in own]
            + [account(another(n), balances=change) for n in range(items)]
        ),
    )
    indices = [number(i) for i in range(1, TRANSACTIONS + 1)]
    each = items // len(indices) // 2
    yield (
        "balances and nonces at all indices",
        lambda own: rlp.encode(
            own
            + [
                account(another(n), balances=[[i, i] for i in indices], nonces=[[i, i] for i in indices])
                for n in range(each)
            ]
        ),
    )
    yield (
        "one account, indices beyond the block",
        lambda own: rlp.encode([*own, account(another(0), balances=[[number(i), b"\x01"] for i in range(items)])]),
    )
    yield (
        "codes of the largest size",
        lambda own: rlp.encode(
            own
            + [
                account(another(n), codes=[[b"\x01", n.to_bytes(4, "big") + bytes(24_572)]])
                for n in range(max(1, items // 1000))
            ]
        ),
    )
    yield (
        "one code of megabytes",
        lambda own: rlp.encode([*own, account(another(0), codes=[[b"\x01", bytes(32 * items)]])]),
    )
    yield (
        "the last two misplaced",
        lambda own: rlp.encode(own + [account(another(n ^ (n >= items - 2))) for n in range(items)]),
    )
    yield "cut off", lambda own: rlp.encode(own + [account(another(n)) for n in range(items)])[:-1]
    yield "lists in lists", lambda own: b"\xfb" + (2**32 - 1).to_bytes(4, "big") + b"\xc1" * (26 * items)


HONEST = {
    "honest: accounts": "accounts",
    "honest: paid accounts": "payments",
    "honest: reads": "reads",
    "honest: changed slots": "writes",
}
KINDS = (*HONEST, *(name for name, _ in lies(TRANSACTIONS * 2)))


def given(kind: str, items: int) -> tuple[Block, State, bytes]:
    """A block, the state before it, and the bytes of the list beside it."""
    block, state = block_that(HONEST.get(kind, "reads"), items if kind in HONEST else FEW)
    encoded = own_list(block, state).encode()
    return block, state, encoded if kind in HONEST else dict(lies(items))[kind](rlp.decode(encoded))


def _status(name: str) -> int:
    """A figure of this process in bytes, as Linux has it."""
    found = re.search(rf"^{name}:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def measure(kind: str, items: int) -> dict[str, object]:
    """In this process: what the list takes, and how it ends."""
    block, state, encoded = given(kind, items)
    warm, warm_state = block_that("reads", TRANSACTIONS)
    warm = replace(warm, access_list=own_list(warm, warm_state))
    execute_block(warm, warm_state, strategy="listed", workers=2, state_roots=False)  # the workers are there

    def once() -> str:
        try:
            listed = replace(block, access_list=BlockAccessList.decode(encoded))
            execute_block(listed, state.copy(), strategy="listed", workers=2, state_roots=False)
        except InvalidBlock as error:
            return str(error)
        return ""

    gc.collect()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of making it
    before = _status("VmRSS")
    ended = once()
    peak = _status("VmHWM") - before
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        once()
        seconds.append(time.perf_counter() - began)
    return {
        "kind": kind, "bytes": len(encoded), "peak": peak, "seconds": min(seconds), "end": ended,
        "kept": max(0, _status("VmRSS") - before),
    }  # fmt: skip


def measured(kind: str, items: int) -> dict:
    """The same in a process of its own."""
    command = [sys.executable, __file__, str(items), kind]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main(items: str = "1000000", kind: str = "") -> None:
    if kind:
        print(json.dumps(measure(kind, int(items))))
        return
    print("| list | MB | peak MB | kept MB | ms | ends in |\n| --- | ---: | ---: | ---: | ---: | --- |")
    for each in KINDS:
        row = measured(each, int(items))
        mb = [f"{row[name] / 1e6:.1f}" for name in ("bytes", "peak", "kept")]
        print(
            f"| {each} | {' | '.join(mb)} | {row['seconds'] * 1e3:.0f} | {row['end'] or 'the block is right'} |",
            flush=True,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
