"""Programs that want too much, Ctrl-C in the middle of anything, and several threads at once: an end, and nothing half done."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from differential.scenarios import make_case
from helpers import ALICE, CONTRACT, ETHER, header

from evmcore import (
    Block,
    EvmError,
    ResourceLimit,
    State,
    Transaction,
    assemble,
    call,
    execute_block,
    run,
    transact,
)

# ---------------------------------------------------------------- programs that want too much


def test_code_of_ten_megabytes_runs():
    code = b"\x5b" * (10 * 1024 * 1024)
    state = State({CONTRACT: {"code": code}})
    assert state.get_code(CONTRACT) == code
    assert call(state, header(), to=CONTRACT, gas=100_000_000).gas_used == len(code)
    assert run(code + assemble("PUSH 1 PUSH 2 ADD"), gas=100_000_000).gas_used == len(code) + 9


def test_code_beyond_any_sense_is_refused_by_name():
    with pytest.raises(ValueError, match=r"^code: "):
        State().set_code(CONTRACT, bytes(64 * 1024 * 1024 + 1))


@pytest.mark.parametrize(
    "instruction",
    [
        "MLOAD",
        "PUSH1 1 SWAP1 MSTORE",
        "PUSH1 1 SWAP1 MSTORE8",
        "PUSH1 1 SWAP1 KECCAK256",
        "PUSH1 1 SWAP1 RETURN",
        "PUSH1 0 PUSH1 0 CALLDATACOPY",
    ],
)
@pytest.mark.parametrize("offset", [2**30, 2**32, 2**40, 2**41, 2**63, 2**64 - 32, 2**255])
def test_absurd_gas_and_a_far_offset_end_in_a_limit_or_out_of_gas(instruction, offset):
    """With 2**63 - 1 gas memory of terabytes can be paid; nobody has it."""
    try:
        result = run(assemble(f"PUSH32 {offset} {instruction}"), gas=2**63 - 1)
    except ResourceLimit as error:
        assert "memory" in str(error)  # noqa: PT017 (it may also succeed)
    else:
        assert result.outcome in ("OUT_OF_GAS", "SUCCESS")
    assert run(assemble("PUSH 1 MLOAD"), gas=100).is_success, "the next run is as if nothing had been"


def test_memory_is_bounded_over_all_frames_too():
    """Each frame takes 100 MB and calls itself."""
    state = State(
        {
            CONTRACT: {
                "code": assemble("PUSH4 100000000 MLOAD POP PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 ADDRESS GAS CALL")
            }
        }
    )
    with pytest.raises(ResourceLimit):
        call(state, header(), to=CONTRACT, gas=2**62)


def resident_mebibytes() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system doesn't tell resident memory in /proc")
@pytest.mark.parametrize("strategy", ["sequential", "optimistic"])
def test_a_worker_at_rest_keeps_no_program_s_memory(strategy):
    """Memory that is only paid for is never touched; kept for the next program, all of it would have to be wiped."""
    paid = 96
    state = State(
        {ALICE: {"balance": ETHER}, CONTRACT: {"code": assemble(f"PUSH1 1 PUSH4 {paid * 2**20 - 1} MSTORE8")}}
    )
    head = header(fork="Cancun", gas_limit=10**12)
    transaction = Transaction(to=CONTRACT, gas_limit=10**11, sender=ALICE, gas_price=0)
    before = resident_mebibytes()
    for _ in range(8):  # on two workers either may run it
        result = execute_block(Block(head, [transaction], (), ()), state.copy(), workers=2, strategy=strategy)
        assert result.receipts[0].is_success
    assert resident_mebibytes() - before < paid / 2


def test_a_limit_leaves_the_state_of_a_transaction_alone():
    state = State(
        {ALICE: {"balance": ETHER}, CONTRACT: {"code": assemble("PUSH1 1 PUSH1 1 SSTORE PUSH5 0x0100000000 MLOAD")}}
    )
    before = state.root()
    block = header(fork="Prague", gas_limit=2**63 - 1)
    with pytest.raises(ResourceLimit):
        transact(Transaction(to=CONTRACT, gas_limit=2**62, sender=ALICE), state, block)
    assert state.root() == before


@pytest.mark.parametrize("fork", ["Homestead", "BPO2"])
def test_recursion_ends_at_1024_and_not_in_the_thread_s_stack(fork):
    """In a thread with the smallest stack there is."""
    state = State(
        {CONTRACT: {"code": assemble("PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 ADDRESS PUSH2 9000 GAS SUB CALL")}}
    )
    results = []
    size = threading.stack_size(128 * 1024)
    try:
        thread = threading.Thread(target=lambda: results.append(call(state, header(fork=fork), to=CONTRACT, gas=2**60)))
        thread.start()
    finally:
        threading.stack_size(size)
    thread.join(60)
    assert results
    assert results[0].is_success


def test_creation_recursion_ends_too():
    """Init code that creates with its own code, all the way down."""
    again = "CODESIZE PUSH1 0 PUSH1 0 CODECOPY CODESIZE PUSH1 0 PUSH1 0 CREATE PUSH1 0 PUSH1 0 RETURN"
    assert call(State(), header(fork="Homestead"), to=None, data=assemble(again), gas=2**40).is_success


def test_a_log_and_an_output_of_many_megabytes():
    result = run(assemble("PUSH4 50000000 PUSH1 0 LOG0 PUSH4 50000000 PUSH1 0 RETURN"), gas=2**50)
    assert (len(result.logs[0].data), len(result.output)) == (50_000_000, 50_000_000)


# ---------------------------------------------------------------- Ctrl-C

ENDLESS = textwrap.dedent("""
    import sys, time
    from evmcore import *
    from evmcore.accesses import Accesses
    spin = assemble("again: PUSH @again JUMP")
    calls = assemble("again: PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 99 GAS CALL POP PUSH @again JUMP")
    code = {{"spin": spin, "calls": calls}}["{program}"]
    sender, target = bytes([1]) * 20, bytes([2]) * 20
    state = State({{sender: {{"balance": 10**30}}, target: {{"code": code}}}})
    header = Header(fork="Prague", gas_limit=2**63 - 1)
    def tx(n):
        return Transaction(to=target, nonce=n, gas_limit=2**60, sender=sender)
    request = {{"nonce": 1, "code": "0x00"}}
    for address in ("0x00000961ef480eb55e80d19ad83579a64c007002", "0x0000bbddc7ce488642fb579f8b00f3a590007251"):
        state.set_account(address, request)
    before = state.root()
    print("ready", flush=True)
    try:
        {action}
    except KeyboardInterrupt:
        print("interrupted", state.root() == before, flush=True)
        assert run(assemble("PUSH 1")).is_success
    else:
        print("went on", flush=True)
""")
ACTIONS = {
    "run": "run(code, gas=2**62)",
    "call": "call(state, header, to=target, gas=2**62)",
    "transact": "transact(tx(0), state, header)",
    "block": "execute_block(Block(header, [tx(0)], (), ()), state, workers=1)",
    "two workers": "execute_block(Block(header, [tx(n) for n in range(4)], (), ()), state, workers=2)",
    "groups": "execute_block(Block(header, [tx(n) for n in range(4)], (), ()), state, workers=2, strategy='groups')",
    "recorded": "execute_block(Block(header, [tx(n) for n in range(4)], (), ()), state, workers=2, strategy='recorded', "
    "accesses=Accesses())",
}
# What takes long in a precompile: input of some precompile, and the fork. All of them take seconds, and most take minutes.
PRECOMPILES = {
    "blake2f": ("Istanbul", 9, "b'\\xff' * 4 + bytes(209)"),
    "modexp with a long exponent": ("Byzantium", 5, "lengths(10**4, 10**4, 10**4) + bytes([255]) * 30_000"),
    "modexp of long odd numbers": ("Byzantium", 5, "lengths(2**21, 9, 2**21) + bytes([255]) * (2**22 + 9)"),
    "modexp of a long even number": (
        "Byzantium",
        5,
        "lengths(2**21, 9, 2**21) + bytes([255]) * 3_000_009 + bytes(2**20)",
    ),
    "bn254 pairings": ("Istanbul", 8, "pair_of_bn254 * 60_000"),
    "bls12 pairings": ("Prague", 15, "(g1 + g2) * 30_000"),
    "bls12 sums in g1": ("Prague", 12, "(g1 + bytes([255]) * 32) * 120_000"),
    "bls12 sums in g2": ("Prague", 14, "(g2 + bytes([255]) * 32) * 60_000"),
}


LONG_PRECOMPILE = textwrap.dedent("""
    from evmcore import *
    def at(number):
        return number.to_bytes(20, "big")
    def lengths(*sizes):
        return b"".join(size.to_bytes(32, "big") for size in sizes)
    prague = Header(fork="Prague")
    g1 = call(State(), prague, to=at(16), data=bytes(63) + bytes([1])).output
    g2 = call(State(), prague, to=at(17), data=bytes(127) + bytes([1])).output
    pair_of_bn254 = bytes.fromhex("{pair}")
    given = {given}
    state = State()
    before = state.root()
    print("ready", flush=True)
    try:
        call(state, Header(fork="{fork}"), to=at({number}), data=given, gas=2**62)
    except KeyboardInterrupt:
        print("interrupted", state.root() == before, flush=True)
        assert run(assemble("PUSH 1")).is_success
    else:
        print("went on", flush=True)
""")
# The generators of its groups.
PAIR_OF_BN254 = (
    "0000000000000000000000000000000000000000000000000000000000000001"
    "0000000000000000000000000000000000000000000000000000000000000002"
    "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
    "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
    "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
    "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
)


# A shell's background job ignores the signal, and so does all that it starts.
HEARS_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"


def interrupt(script: str) -> float:
    """Run a script in a process of its own, press Ctrl-C a moment after it says that it began, and check that it
    stopped and says so; the seconds that took."""
    with subprocess.Popen([sys.executable, "-c", HEARS_CTRL_C + script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        try:
            output, _ = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert (output, process.returncode) == ("interrupted True\n", 0)
    return time.monotonic() - sent


@pytest.mark.parametrize(
    ("action", "program"), [*((action, "spin") for action in ACTIONS), ("block", "calls"), ("two workers", "calls")]
)
def test_ctrl_c_ends_an_endless_run_at_once_and_the_state_is_as_before(action, program):
    """The bound is for busy machines."""
    interrupt(ENDLESS.format(action=ACTIONS[action], program=program))


@pytest.mark.parametrize("name", PRECOMPILES)
def test_ctrl_c_ends_a_long_precompile(name):
    """The bound is for busy machines, and for the process to end: the call itself ends within a tenth of a second."""
    fork, number, given = PRECOMPILES[name]
    assert interrupt(LONG_PRECOMPILE.format(fork=fork, number=number, given=given, pair=PAIR_OF_BN254)) < 5


# ---------------------------------------------------------------- threads


def test_blocks_run_from_several_threads_on_their_own_states():
    cases = [make_case(seed, "Cancun") for seed in range(300, 308)]
    from differential import subject

    alone = [subject.run(case) for case in cases]
    together: list = [None] * len(cases)

    def work(place: int) -> None:
        for _ in range(5):
            together[place] = subject.run(cases[place], workers=1 + place % 2)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(cases))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_calls_from_threads_see_the_state_before_or_after_a_write_and_nothing_between():
    """One thread writes the same number to a hundred slots at a time; each call adds up two of them."""
    program = assemble("PUSH1 99 SLOAD PUSH1 0 SLOAD SUB PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN")
    state = State({CONTRACT: {"code": program, "storage": dict.fromkeys(range(100), 1)}})
    stop = threading.Event()
    failures: list = []

    def reader() -> None:
        try:
            while not stop.is_set():
                result = call(state, header(), to=CONTRACT, gas=100_000)
                assert result.is_success
                assert result.word in (0, 1), "slot 0 is written first, by one more each time"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=reader) for _ in range(3)]
    for thread in threads:
        thread.start()
    for value in range(2, 60):
        for slot in range(100):
            state.set_storage(CONTRACT, slot, value)
        state.set_balance(bytes([value]) * 20, value)
        state.root()
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert call(state, header(), to=CONTRACT, gas=100_000).word == 0


def test_a_state_at_work_is_refused_to_others():
    """execute_block owns its state until it ends; every other call on it is refused, and the block comes out right."""
    spin = assemble("PUSH3 400000 again: PUSH 1 SWAP1 SUB DUP1 PUSH @again JUMPI")
    state = State({ALICE: {"balance": ETHER}, CONTRACT: {"code": spin}})
    block = Block(
        header(fork="Cancun"),
        [Transaction(to=CONTRACT, nonce=n, gas_limit=14_000_000, sender=ALICE) for n in range(2)],
        (),
        (),
    )
    told, results = [], []
    thread = threading.Thread(target=lambda: results.append(execute_block(block, state, workers=1)))
    thread.start()
    while thread.is_alive():
        try:
            state.get_balance(ALICE)
        except EvmError as error:
            told.append(str(error))
    thread.join()
    assert results
    assert results[0].gas_used > 20_000_000
    assert all("in use" in text for text in told)
    assert state.get_nonce(ALICE) == 2
