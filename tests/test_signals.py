"""Signals: the main thread's work stops for those whose handler raises, leaves nothing changed and nothing behind."""

import contextlib
import os
import random
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from helpers import Stop

from evmcore import (
    Block,
    Header,
    State,
    Transaction,
    assemble,
    call,
    execute_block,
    keccak256,
    ordered_trie_root,
    recover_senders,
    run,
    transact,
)
from evmcore._core import _AccessList, ethash
from evmcore.accesses import SLOT_DTYPE, Accesses
from evmcore.example import EXAMPLE_FILE

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timer here")

ALICE = b"\x11" * 20
SPINNER = b"\x22" * 20
HEADER = Header(number=1, base_fee_per_gas=7, fork="Cancun", gas_limit=2**62)
SPIN = assemble("again: PUSH @again JUMP")


def spinning():
    return State({ALICE: {"balance": 10**40}, SPINNER: {"code": SPIN}})


def spinning_block(count=2):
    transactions = [Transaction(to=SPINNER, sender=ALICE, nonce=n, gas_limit=2**58, gas_price=10) for n in range(count)]
    return Block(HEADER, transactions, (), ())


def lazily():
    whole = spinning()
    return State(
        source=lambda keys: {
            key: whole.get_account(key[0]) if key[1] is None else whole.get_storage(*key) for key in keys
        }
    )


SIGNED = Transaction.decode(
    "0xf86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567"
    "866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
)


def many_accounts():
    state = State()
    for i in range(400_000):
        state.set_balance(i.to_bytes(20, "big"), 1)
    return state


LONG = {
    "run": lambda: lambda: run(SPIN, gas=2**60),
    "call": lambda: lambda: call(spinning(), HEADER, to=SPINNER),
    "transaction": lambda: lambda: transact(spinning_block().transactions[0], spinning(), HEADER),
    "sequential": lambda: lambda: execute_block(spinning_block(), spinning(), workers=1),
    "optimistic": lambda: lambda: execute_block(spinning_block(), spinning(), workers=2, strategy="optimistic"),
    "groups": lambda: lambda: execute_block(spinning_block(), spinning(), workers=2, strategy="groups"),
    "probe of one": lambda: lambda: execute_block(spinning_block(1), lazily(), workers=2),
    "probe": lambda: lambda: execute_block(spinning_block(4), lazily(), workers=2),
    "senders": lambda: (lambda txs: lambda: recover_senders(txs))([SIGNED.forget_sender() for _ in range(40_000)]),
    "senders by two": lambda: (lambda txs: lambda: recover_senders(txs, workers=2))(
        [SIGNED.forget_sender() for _ in range(40_000)]
    ),
    "keccak": lambda: (lambda data: lambda: keccak256(data))(bytes(1 << 30)),
    "list root": lambda: (lambda items: lambda: ordered_trie_root(items))([b"item" * 20] * 2_000_000),
    "proof of work": lambda: lambda: [ethash(30_000 * (2000 + i), bytes(32), bytes(8)) for i in range(3)],
    "state": lambda: (lambda accounts: lambda: State(accounts))(
        {i.to_bytes(20, "big"): {"balance": 1} for i in range(500_000)}
    ),
}


@pytest.mark.parametrize("what", LONG)
def test_work_stops_for_a_signal(what, alarm):
    act = LONG[what]()
    alarm(0.3)
    began = time.monotonic()
    with pytest.raises(Stop):
        act()
    # Half a second for a machine that does other things, too; by itself it takes a twentieth.
    assert time.monotonic() - began < 0.3 + 0.5


def make_roots(state, workers):
    for _ in range(20):
        state.root(workers=workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_state_root_stops_for_a_signal(workers, alarm):
    state = many_accounts()
    alarm(0.05)
    with pytest.raises(Stop):
        make_roots(state, workers)
    one_account = State({ALICE: {"storage": dict.fromkeys(range(100000), 1)}})
    alarm(0.02)
    with pytest.raises(Stop):
        make_roots(one_account, workers)
    assert one_account.root(workers=1) == one_account.root(workers=2)


def test_a_list_of_accesses_stops_for_a_signal(alarm):
    rows = np.zeros(1_500_000, SLOT_DTYPE)
    rows["slot"][:, :4] = np.arange(len(rows), dtype="<u4").view("u1").reshape(-1, 4)
    accesses = Accesses(slots=rows)
    alarm(0.1)
    with pytest.raises(Stop):
        _AccessList.of(accesses, 1)
    assert accesses._indexed is None


def test_a_signal_leaves_the_state_as_it_was(alarm):
    for strategy in ("sequential", "optimistic", "groups"):
        state = spinning()
        root = state.root()
        alarm(0.1)
        with pytest.raises(Stop):
            execute_block(spinning_block(), state, workers=2, strategy=strategy)
        assert state.root() == root
        assert state.get_nonce(ALICE) == 0


def test_other_threads_go_on(alarm):
    program = assemble("PUSH3 8000000 again: PUSH 1 SWAP1 SUB DUP1 PUSH @again JUMPI")
    results = []
    thread = threading.Thread(target=lambda: results.append(run(program, gas=10**9).outcome))
    thread.start()
    alarm(0.01)
    with pytest.raises(Stop):
        time.sleep(5)
    thread.join()
    assert results == ["SUCCESS"]


def test_a_handler_may_use_what_it_interrupts():
    """A handler that doesn't raise: the work goes on, and what the handler runs has machines of its own."""
    seen = []

    def handler(*_):
        seen.append(run(b"\x00").outcome)
        seen.append(len(ordered_trie_root([b"a"])))

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        program = assemble("PUSH3 9000000 again: PUSH 1 SWAP1 SUB DUP1 PUSH @again JUMPI")
        assert run(program, gas=10**9).is_success
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert "SUCCESS" in seen


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads in /proc")
def test_signals_at_any_moment_leave_nothing_behind(alarm):
    """A storm of signals whose handler raises: threads, address space and checkpoints stay as many as they were."""
    chance = random.Random(5)
    block = Block.load(EXAMPLE_FILE)
    small = State({ALICE: {"balance": 10**30}, SPINNER: {"code": assemble("PUSH 1 PUSH 0 SSTORE")}})
    lazy_of = block.pre_state

    def transfer():
        nonce = small.get_nonce(ALICE)
        transact(Transaction(to=SPINNER, sender=ALICE, nonce=nonce, gas_limit=60_000, gas_price=10), small, HEADER)

    acts = [
        transfer,
        lambda: call(small, HEADER, to=SPINNER),
        lambda: execute_block(block, lazy_of.copy(), workers=3, strategy="optimistic"),
        lambda: execute_block(block, lazy_of.copy(), workers=3, strategy="groups"),
        lambda: execute_block(block, lazy_of.copy(), workers=1).state_root,
        lambda: execute_block(block, lazy_of.copy(), workers=3, strategy="optimistic").receipts_root,
        lambda: recover_senders([tx.forget_sender() for tx in block.transactions], workers=3),
    ]
    for act in acts:
        act()

    def measure():
        return len(os.listdir("/proc/self/task")), int(Path("/proc/self/statm").read_text().split()[0]) >> 8

    threads, megabytes = measure()
    until = time.monotonic() + 4
    stopped = 0
    while time.monotonic() < until:
        try:
            alarm(chance.random() * 0.003 + 1e-5)
            acts[chance.randrange(len(acts))]()
            alarm(0)
        except Stop:
            stopped += 1
        finally:
            with contextlib.suppress(Stop):
                alarm(0)
    assert stopped > 50
    time.sleep(0.1)
    now_threads, now_megabytes = measure()
    assert now_threads <= threads + 1
    assert now_megabytes < megabytes + 500
    number = small.snapshot()
    small.release(number)
    transfer()
    assert small.get_storage(SPINNER, 0) == 1
