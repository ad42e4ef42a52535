"""No memory, and more than a transaction may hold: the call ends in MemoryError or ResourceLimit, the state is as before, and the
next call is right. Each program runs in a process of its own, which on a fault would end."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from fuzz import memory

ROOT = Path(__file__).resolve().parent.parent

IS_SANITIZED = any(name in os.environ.get("LD_PRELOAD", "") for name in ("libasan", "libtsan"))
pytestmark = pytest.mark.skipif(
    IS_SANITIZED, reason="a sanitizer's shadow takes more address space, and its allocator is its own"
)

# Each would take more than the address space, and none comes to a limit of 1 GiB before.
PROGRAMS = {
    "SSTORE": "PUSH 0 again: PUSH 1 DUP2 SSTORE PUSH 1 ADD PUSH @again JUMP",
    "SSTORE of one slot": "again: PUSH 1 PUSH 0 SSTORE PUSH 2 PUSH 0 SSTORE PUSH @again JUMP",
    "SLOAD": "PUSH 0 again: DUP1 SLOAD POP PUSH 1 ADD PUSH @again JUMP",
    "TSTORE": "PUSH 0 again: PUSH 1 DUP2 TSTORE PUSH 1 ADD PUSH @again JUMP",
    "BALANCE": "PUSH 0 again: DUP1 BALANCE POP PUSH 1 ADD PUSH @again JUMP",
    "LOG0": "again: PUSH 0 PUSH 0 LOG0 PUSH @again JUMP",
    "LOG4": "again: PUSH 1 PUSH 2 PUSH 3 PUSH 4 PUSH4 100000 PUSH 0 LOG4 PUSH @again JUMP",
    "RETURN": "PUSH4 500000000 PUSH 0 RETURN",
    "REVERT": "PUSH4 500000000 PUSH 0 REVERT",
    "MLOAD": "PUSH4 0xd0000000 MLOAD",
    "CALL of IDENTITY": "PUSH 0 PUSH 0 PUSH4 300000000 PUSH 0 PUSH 4 GAS STATICCALL again: PUSH @again JUMP",
    "CREATE2": """PUSH 0x6120006000f3 PUSH 0 MSTORE PUSH 0
                  again: DUP1 PUSH 6 PUSH 26 PUSH 0 CREATE2 POP PUSH 1 ADD PUSH @again JUMP""",
}


def run_apart(program: str, megabytes: int = 300) -> str:
    """What a program prints that may have so much address space; its process has to end by itself."""
    script = textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20,) * 2),
    )
    assert done.returncode == 0, f"ended with {done.returncode}: {done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_takes_all_memory_ends_in_a_memory_error(name):
    out = run_apart(f"""
        from evmcore import ResourceLimit, State, assemble, run
        try:
            print(run(assemble({PROGRAMS[name]!r}), gas=2**62, fork="Cancun").outcome)
        except (MemoryError, ResourceLimit) as error:
            print(type(error).__name__)
        print(run(assemble("PUSH 1 PUSH 1 SSTORE PUSH 1 SLOAD PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN"), gas=100_000).word)
        print(int(open("/proc/self/statm").read().split()[1]) * 4096 < 150 * 2**20)
    """)
    assert out.split() == ["MemoryError", "1", "True"], out


def test_a_transaction_that_takes_all_memory_leaves_the_state_alone():
    out = run_apart(f"""
        from evmcore import *
        import sys; sys.path.insert(0, "tests")
        from helpers import ALICE, CONTRACT, ETHER, header
        state = State({{ALICE: {{"balance": ETHER}}, CONTRACT: {{"code": assemble({PROGRAMS["LOG4"]!r})}}}})
        before = state.root()
        hungry = Transaction(to=CONTRACT, gas_limit=2**62, sender=ALICE, gas_price=0)
        head = header(fork="Prague", gas_limit=2**63 - 1)
        for strategy in ("transact", "sequential", "optimistic", "groups"):
            try:
                if strategy == "transact":
                    transact(hungry, state, head)
                else:
                    execute_block(Block(head, [hungry], (), ()), state, strategy=strategy, workers=2)
            except MemoryError:
                print(strategy, state.root() == before)
        print(transact(Transaction(to=ALICE, sender=ALICE, gas_price=0), state, head).status)
    """, 700)  # fmt: skip
    assert out.split() == ["transact", "True", "sequential", "True", "optimistic", "True", "groups", "True", "1"], out


def test_large_data_is_a_memory_error():
    out = run_apart("""
        from evmcore import *
        for make in (lambda: Transaction(to=bytes(20), data=bytes(200_000_000)),
                     lambda: run(assemble("STOP"), data=bytes(500_000_000)),
                     lambda: Transaction.decode(b"\\xfa\\x0f\\x00\\x00\\x00" + bytes(0x0f000000))):
            try:
                make()
            except MemoryError:
                print("MemoryError")
            except DecodeError:
                print("DecodeError")
    """, 900)  # fmt: skip
    assert out.split() == ["MemoryError", "MemoryError", "DecodeError"], out


LIMITS = {
    "undo log": PROGRAMS["SSTORE of one slot"],
    "logs": PROGRAMS["LOG4"].replace("100000", "10000000"),
    "output": "PUSH4 1100000000 PUSH 0 RETURN",
    "codes": "PUSH4 1100000000 PUSH 0 PUSH 0 CREATE again: PUSH @again JUMP",
}


@pytest.mark.parametrize("thing", LIMITS)
def test_what_a_transaction_may_hold_has_a_limit_that_is_named(thing):
    fork = "Homestead" if thing == "codes" else "Cancun"  # later ones have a limit of their own for init code
    out = run_apart(f"""
        from evmcore import ResourceLimit, assemble, run
        try:
            print(run(assemble({LIMITS[thing]!r}), gas=2**62, fork={fork!r}).outcome)
        except ResourceLimit as error:
            print(error)
        print(run(assemble("PUSH 1 PUSH 1 SSTORE"), gas=100_000).outcome)
        print(int(open("/proc/self/statm").read().split()[1]) * 4096 < 150 * 2**20)
    """, 8000)  # fmt: skip
    message, *rest = out.splitlines()
    assert thing in message, out
    assert "1 GiB" in message, out
    assert rest == ["SUCCESS", "True"], out


# ---------------------------------------------------------------- each allocation


@pytest.mark.parametrize("part", ["transact", "call", "run", "Transaction", "recover", "State", "trie", "precompile", "execute_block",
                                  "receipts"])  # fmt: skip
def test_each_allocation_may_fail(part, tmp_path):
    """A sample of them; `make fuzz ARGS="memory"` lets all fail."""
    if (reason := memory.missing()) is not None:
        pytest.skip(reason)
    done = memory.start(tmp_path, "--sample", "4", "--seed", "1", "--only", part, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "nothing found" in done.stdout


def test_a_thread_that_comes_to_the_core_first_needs_no_memory_of_the_loader(tmp_path):
    """For what is thread_local the C library needs memory when a thread first uses it, and ends the process where it has none."""
    if (reason := memory.missing()) is not None:
        pytest.skip(reason)
    program = """
        import threading
        from evmcore import Block, Header, State, Transaction, assemble, call, execute_block
        from fuzz.memory import Failing
        failing = Failing("/ld-")
        A, AT = bytes([0x11]) * 20, bytes([0x22]) * 20
        products = "PUSH32 0xf" + "1" * 63 + " PUSH32 0xe" + "1" * 63 + " DUP1 MULMOD PUSH 0 SSTORE "
        state = State({A: {"balance": 10**20}, AT: {"code": assemble(products * 9)}})
        header = Header(number=1, fork="Cancun", gas_limit=10**8)
        def block(to):
            return Block(header, [Transaction(to=to, sender=A, nonce=n, gas_limit=10**5) for n in range(40)])
        class Watcher:
            def on_step(self, step): pass
        def work():
            failing.library.failing_stop()
            failing.library.failing_start(1, 0)
            try:
                done.append(call(state, header, to=AT, tracer=Watcher()).outcome)
            finally:
                failing.library.failing_stop()
        done = []
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        execute_block(block(A), state.copy(), workers=2, strategy="optimistic")  # the workers are there, and have not used it
        failing.library.failing_start(1, 0)
        try:
            done.append(execute_block(block(AT), state.copy(), workers=2, strategy="optimistic").gas_used > 40 * 21000)
        finally:
            failing.library.failing_stop()
        print(*done)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=memory.environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.split() == ["SUCCESS", "True"]


def test_the_core_has_no_array_that_throws():
    """std::vector would end the process: base/vector.hpp says when there is no memory."""
    for path in sorted((ROOT / "pyx" / "core").rglob("*.?pp")):
        code = re.sub(r"//.*", "", path.read_text())
        assert not re.search(r"std::(vector|string|deque|map|unordered_map|make_unique|make_shared)\b", code), path


@pytest.mark.parametrize(
    "write",
    [
        "state.set_storage(A, n, n + 1)",
        "state.set_balance(n.to_bytes(20, 'big'), 1)",
        "state.set_code(A, n.to_bytes(20_000, 'big'))",
        "state.set_account(n.to_bytes(20, 'big'), {'balance': 1, 'code': n.to_bytes(9000, 'big'), 'storage': {1: 1, 2: 2}})",
        "state.set_storage(A, 5, n)",
    ],
)
def test_a_state_without_memory_is_as_it_was_and_can_be_reverted(write):
    """Of accounts, slots, codes, and what undoes them. Then a copy of it, which a result is observed beside."""
    out = run_apart(f"""
        from evmcore import *
        A, B = bytes([0x11]) * 20, bytes([0x22]) * 20
        state = State({{A: {{"balance": 1, "storage": {{1: 1}}}}, B: {{"balance": 10**20}}}})
        pay = Transaction(sender=B, to=A, gas_price=0)
        result = execute_block(Block(Header(number=1, fork="Berlin"), [pay]), state, workers=1)
        before, listed = state.root(workers=1), dict(state.items())
        outer = state.snapshot()
        n = 10**6
        try:
            while n < 10**7:
                n += 1
                if n % 1000 == 0:
                    inner = state.snapshot()
                {write}
        except MemoryError:
            print("MemoryError")
        count, size = len(state), state.size_bytes
        for _ in range(3):
            try:
                {write}
            except MemoryError:
                pass
        print(len(state) - count <= 1, state.size_bytes - size < 2**20)
        try:
            state.copy().set_balance(A, 7)
        except MemoryError:
            pass
        state.revert(outer)
        print(state.root(workers=1) == before, dict(state.items()) == listed)
        try:
            print(result.state_root == before)
        except MemoryError:  # for want of a before-image
            print(True)
        state.set_balance(A, 5)
        print(state.get_balance(A))
    """)  # fmt: skip
    assert out.split() == ["MemoryError", "True", "True", "True", "True", "True", "5"], out
