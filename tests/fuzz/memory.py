"""Lets the core's allocations fail, one after the other, and looks what becomes of the call: it ends right or in a MemoryError,
its state is as before, and the same call afterwards is right.

    python -m fuzz.memory --minutes 10      all calls, every allocation, then random pairs of a call and an allocation
    python -m fuzz.memory --sample 40       so many allocations of each call, chosen by --seed

The allocator's functions are replaced by a small library that is preloaded (failing_allocations.cpp): glibc and a C++ compiler.
"""

from __future__ import annotations

import argparse
import ctypes
import io
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("failing_allocations.cpp")
MARK = "EVMCORE_FAILING_ALLOCATIONS"  # in the environment: the library is preloaded


def missing() -> str | None:
    """Why allocations can't be made to fail here; None if they can."""
    if not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "__libc_malloc"):
        return "the C library is not glibc"
    if compiler() is None:
        return "no C++ compiler"
    return None


def compiler() -> str | None:
    return next(filter(None, map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))), None)


def environment(folder: Path) -> dict[str, str]:
    """That of a process whose allocations can fail; the library is built in `folder`."""
    library = folder / "libfailing.so"
    command = [
        compiler() or "c++",
        "-std=c++20",
        "-O1",
        "-shared",
        "-fPIC",
        "-fno-builtin",
        str(SOURCE),
        "-o",
        str(library),
    ]
    subprocess.run(command, check=True)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return {**os.environ, "LD_PRELOAD": str(library), MARK: str(library), "PYTHONPATH": paths}


def start(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run this file in such a process."""
    command = [sys.executable, "-m", "fuzz.memory", *arguments]
    return subprocess.run(command, env=environment(folder), text=True, check=False, **options)


# ---------------------------------------------------------------- the calls


class Call:
    """A call to try: `ready` makes what it needs, `work` is where allocations fail, `kept` tells what of that must stay if it
    raises, and is right if it doesn't."""

    def __init__(
        self,
        name: str,
        ready: Callable[[], Any],
        work: Callable[[Any], Any],
        kept: Callable[[Any], Any] = lambda _: None,
    ) -> None:
        self.name, self.ready, self.work, self.kept = name, ready, work, kept

    def outcome(self, ready: Any) -> tuple[Any, Any]:
        return self.work(ready), self.kept(ready)


def calls() -> Iterator[Call]:
    """One for each way in which Python uses the core's memory."""
    from differential.scenarios import REQUEST_CODES
    from helpers import ALICE, BOB, CONTRACT, ETHER, OTHER, header

    from evmcore import Block, ExecutionWitness, State, Transaction, assemble, call, execute_block, run, transact
    from evmcore._core import (
        SYSTEM_ADDRESSES,
        FixtureTrie,
        hex_prefix,
        ordered_trie_root,
        recover_senders,
        run_precompile,
    )
    from evmcore.tracing import Eip3155

    head = header(fork="Prague", gas_limit=60_000_000)
    program = assemble(
        """
        PUSH 1 PUSH 7 SSTORE  PUSH 2 PUSH 8 TSTORE  PUSH 0x1234 SLOAD POP  PUSH 0x99 BALANCE POP
        PUSH 9 PUSH 8 PUSH 7 PUSH 6 PUSH 300 PUSH 0 LOG4  PUSH 200 PUSH 0 LOG0
        PUSH 0x6005600a55600a6000f3 PUSH 0 MSTORE  PUSH 10 PUSH 22 PUSH 0 CREATE POP
        PUSH 3 PUSH 10 PUSH 22 PUSH 0 CREATE2 POP
        PUSH 64 PUSH 0 PUSH 64 PUSH 0 PUSH 1 PUSH 0xdddddddddddddddddddddddddddddddddddddddd GAS CALL POP
        PUSH 64 PUSH 0 PUSH 3000 PUSH 0 PUSH 4 GAS STATICCALL POP
        PUSH 2000 PUSH 0 RETURN
        """
    )
    inner = assemble(
        "PUSH 1 PUSH 1 SSTORE PUSH 0 PUSH 0 LOG0 CALLDATASIZE PUSH 0 PUSH 0 CALLDATACOPY PUSH 128 PUSH 0 REVERT"
    )
    world = State(
        {
            ALICE: {"balance": ETHER},
            CONTRACT: {"code": program, "balance": 10, "storage": {slot: slot for slot in range(1, 40)}},
            OTHER: {"code": inner},
        }
    )
    key = b"\x11" * 32
    payment = Transaction(
        type=2, to=BOB, value=1, max_fee_per_gas=10, chain_id=1, data=bytes(range(200)), gas_limit=100_000,
        access_list=[(OTHER, range(20)), (BOB, [])],
    ).sign(key)  # fmt: skip
    delegation = Transaction(
        type=4, to=BOB, max_fee_per_gas=10, chain_id=1, gas_limit=500_000,
        authorization_list=[(1, OTHER, nonce, 1, 5, 6) for nonce in range(9)],
    ).sign(key)  # fmt: skip
    blobs = Transaction(
        type=3,
        to=BOB,
        max_fee_per_gas=10,
        max_fee_per_blob_gas=1,
        chain_id=1,
        blob_versioned_hashes=[b"\1" + bytes(31)] * 5,
    ).sign(key)
    world.set_balance(payment.sender, ETHER)
    root = world.root()

    def root_of(state: State) -> bytes:
        return state.root(workers=1)

    def sent(tx: Transaction) -> Callable[[State], Any]:
        return lambda state: transact(tx, state, head)

    to_contract = Transaction(to=CONTRACT, gas_limit=5_000_000, sender=ALICE, gas_price=7)
    yield Call("transact", world.copy, sent(to_contract), root_of)
    yield Call("transact, type 2", world.copy, sent(payment), root_of)
    yield Call("transact, type 4", world.copy, sent(delegation), root_of)
    creation = Transaction(to=None, gas_limit=5_000_000, sender=ALICE, gas_price=7, data=program)
    yield Call("transact, creation", world.copy, sent(creation), root_of)
    yield Call("call", world.copy, lambda state: _of_call(call(state, head, to=CONTRACT, gas=3_000_000)), root_of)
    yield Call("run", lambda: None, lambda _: _of_call(run(program, data=bytes(500), gas=3_000_000, fork="Prague")))
    yield Call("call, traced", world.copy, lambda state: _traced(call, Eip3155, state, head, CONTRACT), root_of)

    for tx in (payment, delegation, blobs, Transaction(to=BOB, data=bytes(90)).sign(key)):
        raw = tx.encode()
        yield Call(f"Transaction.decode, type {tx.type}", lambda: None, lambda _, raw=raw: Transaction.decode(raw).hash)
    yield Call("Transaction.sign", lambda: None, lambda _: delegation.sign(key).encode())
    yield Call("recover_senders", lambda: [tx.forget_sender() for tx in (payment, delegation)],
               lambda some: (recover_senders(some, workers=1), [tx.sender for tx in some])[1])  # fmt: skip

    def write(state: State) -> None:
        for number in range(60):
            address = number.to_bytes(20, "big")
            state.set_balance(address, number)
            state.set_code(address, bytes([number]) * 40)
            state.set_storage(address, number, 1)

    def write_and_revert(state: State) -> None:
        number = state.snapshot()
        try:
            write(state)
            state.delete_account(CONTRACT)
        finally:
            state.revert(number)

    def write_anew(state: State) -> bytes:
        write(state)
        return root_of(state)

    def with_snapshot() -> State:
        state = world.copy()
        state.snapshot()
        return state

    yield Call("State, writes", world.copy, write_anew)
    yield Call("State, snapshot and revert", world.copy, write_and_revert, root_of)
    yield Call("State, copy of one with a snapshot", with_snapshot,
               lambda state: root_of(state.copy()), root_of)  # fmt: skip
    yield Call("State.root", world.copy, root_of, lambda state: root)
    large = State({number.to_bytes(20, "big"): {"balance": 1, "storage": {1: number}} for number in range(1, 1500)})
    yield Call("State.root, two workers", large.copy, lambda state: state.root(workers=2))
    yield Call("State.storage", world.copy, lambda state: sorted(state.storage(CONTRACT)))
    proofs = [world.prove(CONTRACT, range(1, 50)), world.prove(ALICE), world.prove(BOB)]
    yield Call("State.prove", world.copy, lambda state: state.prove(CONTRACT, range(1, 50)), root_of)
    witness = ExecutionWitness.of_proofs(proofs, [program])
    yield Call("State.from_witness", lambda: None, lambda _: _of_witness(State.from_witness(witness, root), CONTRACT))

    def lazy() -> State:
        return State(
            source=lambda keys: {
                at: world.get_account(at[0]) if at[1] is None else world.get_storage(*at) for at in keys
            }
        )

    yield Call(
        "call on a state that is fetched", lazy, lambda state: _of_call(call(state, head, to=CONTRACT, gas=3_000_000))
    )

    yield Call(
        "ordered_trie_root", lambda: [bytes([number]) * (number * 7 + 1) for number in range(150)], ordered_trie_root
    )
    yield Call("hex_prefix", lambda: None, lambda _: hex_prefix([0] * 31, True))
    yield Call("trie", FixtureTrie, _trie)
    for number, data in (
        (1, bytes(128)),
        (2, b"a"),
        (4, bytes(99)),
        (5, b"\1".rjust(32, b"\0") * 3 + b"\5\3\7"),
        (6, b""),
        (8, b""),
    ):
        yield Call(
            f"precompile {number}", lambda: None, lambda _, n=number, d=data: run_precompile(n, d, fork="Prague")
        )

    # Requests, and payments, calls and creations that conflict, on two workers.
    before = world.copy()
    for name in ("withdrawal_contract", "consolidation_contract"):
        before.set_code(SYSTEM_ADDRESSES[name], REQUEST_CODES[1])
    before.set_balance(BOB, ETHER)
    senders = [ALICE, BOB] * 4
    block = Block(
        head,
        [
            Transaction(
                to=[CONTRACT, OTHER, None][n % 3],
                data=program,
                gas_limit=3_000_000,
                sender=sender,
                nonce=n // 2,
                gas_price=9,
            )
            for n, sender in enumerate(senders)
        ],
        (),
        (),
    )
    for strategy in ("sequential", "groups", "optimistic"):
        yield Call(
            f"execute_block, {strategy}",
            before.copy,
            lambda state, strategy=strategy: _of_block(execute_block(block, state, workers=2, strategy=strategy)),
            root_of,
        )
    recorded = execute_block(block, before.copy(), workers=2, strategy="optimistic", record=True)
    accesses = recorded.accesses

    def fresh() -> Any:
        return type(accesses)(accesses.transactions, accesses.accounts, accesses.slots, accesses.codes)

    yield Call("execute_block, record", before.copy,
               lambda state: _of_block(execute_block(block, state, workers=2, strategy="optimistic", record=True)),
               root_of)  # fmt: skip
    yield Call("execute_block, recorded", before.copy,
               lambda state: _of_block(execute_block(block, state, workers=2, strategy="recorded", accesses=fresh())),
               root_of)  # fmt: skip
    example = Block.load(ROOT / "evmcore/example/block.json.gz")
    whole = execute_block(example, example.pre_state.copy(), workers=1)
    yield Call("receipts and roots", lambda: None, lambda _: _lists(execute_block, example, whole))


def _of_call(result: Any) -> tuple[Any, ...]:
    return result.outcome, result.gas_used, result.output, result.logs


def _of_witness(state: Any, address: bytes) -> tuple[Any, ...]:
    state.set_storage(address, 1, 7)
    return state.root(), state.is_strict


def _of_block(result: Any) -> tuple[Any, ...]:
    return result.gas_used, result.logs_bloom, result.requests


def _lists(execute_block: Any, block: Any, whole: Any) -> tuple[Any, ...]:
    result = execute_block(block, block.pre_state.copy(), workers=2, strategy="sequential")
    return result.receipts_root, result.transactions_root, result.withdrawals_root, result.logs_bloom


def _traced(call: Any, tracer: Any, state: Any, head: Any, to: bytes) -> str:
    stream = io.StringIO()
    call(state, head, to=to, gas=3_000_000, tracer=tracer(stream, memory=True))
    return stream.getvalue()


def _trie(trie: Any) -> bytes:
    for number in range(80):
        trie[bytes([number * 37 % 256, number])] = bytes([number + 1]) * (number * 11 + 1)
    for number in range(0, 80, 3):
        del trie[bytes([number * 37 % 256, number])]
    trie.keys()
    return bytes(trie.root())


# ---------------------------------------------------------------- the attack


class Failing:
    """The preloaded library, which lets allocations of the core fail, or of another file in memory whose path has this in it."""

    def __init__(self, of: str = "") -> None:
        import evmcore._core as core

        self.library = ctypes.CDLL(os.environ[MARK])
        self.library.failing_library.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
        self.library.failing_start.argtypes = [ctypes.c_long, ctypes.c_int]
        self.library.failing_stop.restype = ctypes.c_long
        lines = [
            line.split()
            for line in Path("/proc/self/maps").read_text().splitlines()
            if (of or str(core.__file__)) in line
        ]
        places = [line[0].split("-") for line in lines if "x" in line[1]]
        self.library.failing_library(int(places[0][0], 16), int(places[-1][1], 16))

    def attempt(self, call: Call, ready: Any, number: int, alone: bool) -> tuple[int, Any, BaseException | None]:
        """(how many allocations failed, what the call gave, what it raised)."""
        value, error = None, None
        self.library.failing_start(number, alone)
        try:
            value = call.work(ready)
        except Exception as raised:
            error = raised
        return self.library.failing_stop(), value, error


def attack(failing: Failing, call: Call, expected: Any, number: int, alone: bool) -> bool:
    """Let an allocation of the call fail; whether there was one. Raises AssertionError if that did harm."""
    ready = call.ready()
    before = call.kept(ready)
    what = f"{call.name}: allocation {number}{'' if alone else ' and all later ones'}"
    print(what, file=sys.stderr, flush=True)  # the last line tells, if the process ends
    failed, value, error = failing.attempt(call, ready, number, alone)
    if error is None:
        assert (value, call.kept(ready)) == expected, f"{what}: another result"
        return failed != 0
    assert isinstance(error, MemoryError), f"{what}: {type(error).__name__}: {error}"
    assert failed != 0, f"{what}: MemoryError without a cause"
    if before is not None:
        assert call.kept(ready) == before, f"{what}: the state is not as before"
        assert call.outcome(ready) == expected, f"{what}: another result afterwards"
    assert call.outcome(call.ready()) == expected, f"{what}: another result of a new one"
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz.memory", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--sample", type=int, default=0, help="so many allocations of each call, not all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="calls whose name contains this")
    options = parser.parse_args()
    if MARK not in os.environ:
        if (reason := missing()) is not None:
            print(reason, file=sys.stderr)
            return 2
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            return start(Path(folder), *sys.argv[1:]).returncode
    chooser = random.Random(options.seed)
    failing = Failing()
    tried = 0
    until = time.monotonic() + 60 * options.minutes
    for call in calls():
        if options.only not in call.name:
            continue
        expected = call.outcome(call.ready())
        assert call.outcome(call.ready()) == expected, f"{call.name}: not the same twice"
        for alone in (True, False):
            last = 1
            while attack(failing, call, expected, last, alone) and time.monotonic() < until and not options.sample:
                last += 1
                tried += 1
            if options.sample:
                tried += sample(failing, call, expected, alone, options.sample, chooser)
    print(f"{tried} failures of memory, nothing found")
    return 0


def sample(failing: Failing, call: Call, expected: Any, alone: bool, count: int, chooser: random.Random) -> int:
    """Some of the call's allocations, the first and the last among them."""
    most = 1
    while attack(failing, call, expected, most, True):
        most *= 2
    for number in sorted(chooser.sample(range(1, most + 1), min(count, most))):
        attack(failing, call, expected, number, alone)
    return min(count, most)


if __name__ == "__main__":
    sys.exit(main())
