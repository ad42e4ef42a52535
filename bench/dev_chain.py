"""What a DevChain and the faces on it keep: memory after many blocks, calls, snapshots and reverts, and how long each takes.
`python -m bench.dev_chain [--write]` makes bench/dev_chain.md. Faces of packages that aren't installed are left out.

Each row is measured in a process of its own; `kept` is what the resident memory has grown by since the chain was made, after a warm-up.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

from evmcore import Account, Transaction, assemble
from evmcore.dev import DevChain

from . import dev_faces

KEY = b"\x11" * 32
SENDER = Transaction(gas_price=0).sign(KEY).sender
FRIEND, TOKEN = b"\x22" * 20, b"\x33" * 20
# Counts in one slot, and writes another each time.
PROGRAM = assemble("PUSH 0 SLOAD PUSH 1 ADD DUP1 PUSH 0 SSTORE DUP1 SSTORE")
TABLE = Path(__file__).with_suffix(".md")


def resident_bytes() -> int:
    """Of this process, now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise OSError("no VmRSS")


def new_chain() -> DevChain:
    """A chain with one sender, and a program."""
    return DevChain({SENDER: Account(balance=10**24), TOKEN: Account(nonce=1, code=PROGRAM)}, forks="Osaka")


def pay(chain: DevChain, to: bytes) -> Transaction:
    """The sender's next transaction."""
    nonce = chain.pending.state.get_nonce(SENDER)
    return Transaction(to=to, value=1, nonce=nonce, gas_price=10**10, gas_limit=100_000, chain_id=1337).sign(KEY)


def empty_blocks(chain: DevChain, count: int) -> None:
    """Blocks without transactions."""
    for _ in range(count):
        chain.mine()


def blocks_of_last_states(chain: DevChain, count: int) -> None:
    """Blocks without transactions, the last hundred with their states."""
    chain.states_kept = 100
    empty_blocks(chain, count)


def payments(chain: DevChain, count: int) -> None:
    """Blocks with a payment each."""
    for _ in range(count):
        chain.send(pay(chain, FRIEND))


def writes(chain: DevChain, count: int) -> None:
    """Blocks with a call each that fills a new slot."""
    for _ in range(count):
        chain.send(pay(chain, TOKEN))


def calls(chain: DevChain, count: int) -> None:
    """Calls of a program, of which nothing is kept."""
    asked = Transaction(to=TOKEN, gas_price=0, gas_limit=100_000, sender=SENDER)
    for _ in range(count):
        chain.call(asked)


def snapshots(chain: DevChain, count: int) -> None:
    """A snapshot, a payment, and back."""
    for _ in range(count):
        mark = chain.snapshot()
        chain.send(pay(chain, FRIEND))
        chain.revert(mark)


def open_snapshots(chain: DevChain, count: int) -> None:
    """Snapshots that are not gone back to."""
    for _ in range(count):
        chain.snapshot()


def pyrevm_calls(_: DevChain, count: int) -> None:
    """Messages of compat.pyrevm that write the same slots again."""
    from evmcore.compat.pyrevm import EVM, AccountInfo

    evm, token, sender = EVM(), "0x" + TOKEN.hex(), "0x" + SENDER.hex()
    evm.insert_account_info(token, AccountInfo(code=assemble("PUSH 0 SLOAD PUSH 1 ADD PUSH 0 SSTORE")))
    for _ in range(count):
        evm.message_call(sender, token)


def pyrevm_checkpoints(_: DevChain, count: int) -> None:
    """Checkpoints of compat.pyrevm, a message, and back."""
    from evmcore.compat.pyrevm import EVM, AccountInfo

    evm, token, sender = EVM(), "0x" + TOKEN.hex(), "0x" + SENDER.hex()
    evm.insert_account_info(token, AccountInfo(code=PROGRAM))
    for _ in range(count):
        mark = evm.snapshot()
        evm.message_call(sender, token)
        evm.revert(mark)


def boa_calls(_: DevChain, count: int) -> None:
    """Calls of titanoboa's engine."""
    from boa.util.abi import Address

    from evmcore.titanoboa import Env

    env = Env()
    token = Address("0x" + TOKEN.hex())
    env.set_code(token, assemble("PUSH 0 SLOAD PUSH 1 ADD PUSH 0 SSTORE"))
    for _ in range(count):
        env.execute_code(token, data=b"")


def tester_calls(_: DevChain, count: int) -> None:
    """Calls through eth-tester."""
    from bench.dev_faces import steps, testers

    work = steps(testers()["evmcore"])["A call of which nothing is kept"]
    for _ in range(count):
        work()


def what_ifs(_: DevChain, count: int) -> None:
    """What-ifs of simulate_many, a thousand at a time."""
    from evmcore import Header, State, simulate_many

    state = State({TOKEN: {"code": PROGRAM}})
    asked = [{"to": TOKEN, "gas": 100_000}] * min(1000, count)
    for _ in range(count // len(asked)):
        simulate_many(state, Header(number=1, fork="Osaka", base_fee_per_gas=7, excess_blob_gas=0), asked)


ROWS = (
    (empty_blocks, 10_000),
    (blocks_of_last_states, 10_000),
    (payments, 10_000),
    (writes, 10_000),
    (calls, 100_000),
    (snapshots, 100_000),
    (open_snapshots, 100_000),
    (what_ifs, 1_000_000),
    (pyrevm_calls, 100_000),
    (pyrevm_checkpoints, 100_000),
    (boa_calls, 100_000),
    (tester_calls, 20_000),
)
NEEDS = {boa_calls: "boa", tester_calls: "eth_tester"}


def measure(name: str, count: int) -> dict[str, float]:
    """One row, in this process."""
    work = globals()[name]
    chain = new_chain()
    work(chain, 100)
    gc.collect()
    before, began = resident_bytes(), time.perf_counter()
    work(chain, count // 2)
    half = resident_bytes() - before
    work(chain, count - count // 2)
    seconds = time.perf_counter() - began
    gc.collect()
    return {"half": half, "kept": resident_bytes() - before, "seconds": seconds}


def main() -> None:
    """All rows, as a table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", action="store_true", help="write bench/dev_chain.md")
    arguments.add_argument("--row", nargs=2, help=argparse.SUPPRESS)
    arguments.add_argument("--part", type=float, default=1.0, help="of each count")
    options = arguments.parse_args()
    if options.row:
        print(json.dumps(measure(options.row[0], int(options.row[1]))))
        return
    lines = [
        "| | how many | MB after half | MB after all | bytes each | µs each |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for work, whole in ROWS:
        if work in NEEDS and importlib.util.find_spec(NEEDS[work]) is None:
            continue
        count = int(whole * options.part)
        command = [sys.executable, "-m", "bench.dev_chain", "--row", work.__name__, str(count)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        lines.append(
            f"| {work.__doc__.removesuffix('.')} | {count:,} | {row['half'] / 1e6:.1f} | {row['kept'] / 1e6:.1f} "
            f"| {row['kept'] / count:,.0f} | {row['seconds'] / count * 1e6:,.0f} |"
        )
    faces = dev_faces.lines()
    text = "\n".join(lines) + "\n" + ("\n" + "\n".join(faces) + "\n" if faces else "")
    print(text)
    if options.write:
        from .machine import description

        TABLE.write_text(f"# What a DevChain keeps, and what its faces take\n\n{description()}\n\n{text}")


if __name__ == "__main__":
    main()
