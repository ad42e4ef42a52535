"""Many threads on one object: what comes out is right, or an error that says what the object is at work on."""

import copy
import io
import pickle
import random
import sys
import threading

import pytest
from test_signals import SIGNED

from evmcore import (
    Block,
    EvmError,
    Header,
    State,
    Transaction,
    assemble,
    call,
    execute_block,
    recover_senders,
    run,
    transact,
)
from evmcore.tracing import Eip3155, Recorder

ALICE = b"\x11" * 20
CONTRACT = b"\x22" * 20
HEADER = Header(number=1, base_fee_per_gas=7, fork="Cancun", gas_limit=2**40)
# Adds 1 to slot 0, and returns it; takes some microseconds.
COUNTS = assemble("PUSH 0 SLOAD PUSH 1 ADD DUP1 PUSH 0 SSTORE PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")
THREADS = 6


def hammer(*works, rounds=150):
    """Run each work in threads of its own, all at once, with turns as short as Python has them."""
    errors = []
    start = threading.Barrier(len(works))

    def loop(work):
        start.wait()
        for turn in range(rounds):
            try:
                work(turn)
            except EvmError as error:
                if "in use by" not in str(error) and "at work" not in str(error):
                    errors.append(error)
            except BaseException as error:
                errors.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=loop, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not errors, errors[:3]


def counter():
    return State({ALICE: {"balance": 10**30}, CONTRACT: {"code": COUNTS}})


def counting(nonce, value=0):
    return Transaction(to=CONTRACT, sender=ALICE, nonce=nonce, gas_limit=100_000, gas_price=10, value=value)


def test_one_state_that_all_read_and_write():
    state = counter()
    written = {}

    def write(place):
        def work(turn):
            state.set_storage(CONTRACT, 1000 * place + turn, turn + 1)
            written[1000 * place + turn] = turn + 1
            if turn % 8 == 0:
                state.set_balance(bytes([place]) * 20, turn)

        return work

    def read(turn):
        assert state.get_account(CONTRACT).code == COUNTS
        dict(state.items())
        state.copy().root()
        state.root(workers=1 + turn % 2)
        assert call(state, HEADER, to=CONTRACT).is_success
        assert run(COUNTS, state=state).is_success
        repr(state), len(state), state.to_alloc(), state == state.copy()

    hammer(*(write(place) for place in range(3, 6)), read, read, read)
    assert written
    assert all(state.get_storage(CONTRACT, slot) == value for slot, value in written.items())


def test_one_state_that_all_execute_on():
    """Each transaction that went through counts once; none is half there."""
    state = counter()
    done = []

    def execute(turn):
        receipt = transact(counting(state.get_nonce(ALICE)), state, HEADER)
        done.append(int.from_bytes(receipt.output, "big"))

    def block(turn):
        result = execute_block(
            Block(HEADER, [counting(state.get_nonce(ALICE))], (), ()), state, workers=2, strategy="optimistic"
        )
        done.append(int.from_bytes(result.receipts[0].output, "big"))

    def refused(act):
        def work(turn):
            try:
                act(turn)
            except EvmError as error:
                # Another thread's transaction came between the question for the nonce and this one.
                if "NONCE" not in getattr(error, "status", ""):
                    raise

        return work

    hammer(
        refused(execute), refused(execute), refused(block), refused(block), lambda turn: state.get_storage(CONTRACT, 0)
    )
    assert sorted(done) == list(range(1, len(done) + 1))
    assert state.get_storage(CONTRACT, 0) == state.get_nonce(ALICE) == len(done)


def test_calls_see_a_state_as_it_was_at_one_moment():
    """Two slots that are always written together, in one transaction, are never seen apart."""
    code = assemble(
        "CALLDATASIZE PUSH @write JUMPI "
        "PUSH 0 SLOAD PUSH 0 MSTORE PUSH 1 SLOAD PUSH 32 MSTORE PUSH 64 PUSH 0 RETURN "
        "write: PUSH 0 CALLDATALOAD DUP1 PUSH 0 SSTORE PUSH 1 SSTORE"
    )
    state = State({ALICE: {"balance": 10**30}, CONTRACT: {"code": code}})
    seen = set()

    def write(turn):
        data = (turn + 1).to_bytes(32, "big")
        transact(
            Transaction(to=CONTRACT, sender=ALICE, nonce=turn, gas_limit=100_000, gas_price=10, data=data),
            state,
            HEADER,
        )

    def read(turn):
        output = call(state, HEADER, to=CONTRACT).output
        assert output[:32] == output[32:]
        seen.add(output)
        assert state.get_storage(CONTRACT, 0) >= int.from_bytes(output[:32], "big")

    hammer(write, read, read, read)
    assert seen
    assert state.get_storage(CONTRACT, 0) == 150


def test_one_block_in_many_threads():
    before = counter()
    block = Block(HEADER, [counting(nonce) for nonce in range(12)], (), ())
    expected = execute_block(block, before.copy(), workers=1)

    def execute(strategy, workers):
        def work(turn):
            result = execute_block(block, before.copy(), workers=workers, strategy=strategy)
            assert result == expected

        return work

    hammer(
        *(execute(strategy, workers) for strategy in ("sequential", "optimistic", "groups") for workers in (2, 3)),
        rounds=12,
    )
    together = execute_block(block, before.copy(), workers=2)
    hammer(*[lambda turn: (together.receipts, together.receipts_root, together.state_root, repr(together))] * THREADS)
    assert together == expected


def test_one_transaction_in_many_threads():
    def recover(tx):
        def work(turn):
            recover_senders((tx,) * 16, workers=1 + turn % 3)
            assert tx.sender == SIGNED.sender
            assert tx.encode() == SIGNED.encode()
            assert tx.hash == SIGNED.hash

        return work

    for _ in range(10):
        hammer(*[recover(SIGNED.forget_sender())] * THREADS, rounds=3)


def test_one_tracer_in_many_threads():
    stream = io.StringIO()
    tracer = Eip3155(stream)
    done = []

    def trace(turn):
        if run(COUNTS, tracer=tracer).is_success:
            done.append(1)

    hammer(*[trace] * THREADS)
    assert done
    lines = stream.getvalue().splitlines()
    assert len(lines) % len(done) == 0
    assert all(line.startswith("{") and line.endswith("}") for line in lines)


def test_one_recorder_in_many_threads():
    """Each run that went through has its steps next to each other; one at the same time, or within it, is refused."""
    recorder = Recorder()
    done = []

    def trace(turn):
        before = len(done)
        if run(COUNTS, tracer=recorder).is_success:
            done.append(before)

    hammer(*[trace] * THREADS, rounds=60)
    assert done
    one = Recorder()
    run(COUNTS, tracer=one)
    assert recorder.steps == one.steps * len(done)

    class Nested(Recorder):
        def on_step(self, step):
            super().on_step(step)
            run(COUNTS, tracer=self)

    nested = Nested()
    with pytest.raises(EvmError, match="at work on another run"):
        run(COUNTS, tracer=nested)
    assert len(nested.steps) == 1
    assert pickle.loads(pickle.dumps(one)).steps == copy.copy(one).steps == one.steps
    assert run(COUNTS, tracer=copy.copy(one)).is_success


def test_one_python_tracer_serves_several_runs_interleaved():
    class Counter:
        def __init__(self):
            self.seen = {}

        def on_step(self, step):
            self.seen.setdefault((threading.get_ident(), step.address), []).append(step.pc)

    tracer, alone = Counter(), Counter()
    run(COUNTS, tracer=alone)
    [pcs] = alone.seen.values()
    hammer(*[lambda turn: run(COUNTS, tracer=tracer)] * THREADS, rounds=20)
    assert len(tracer.seen) == THREADS
    assert all(seen == pcs * 20 for seen in tracer.seen.values())


def test_one_lazy_state_in_many_threads():
    whole = counter()
    chance = random.Random(1)
    lazies = [
        State(source=lambda keys: {k: whole.get_account(k[0]) if k[1] is None else whole.get_storage(*k) for k in keys})
        for _ in range(8)
    ]

    def use(turn):
        lazy = lazies[turn % 8]
        kind = chance.randrange(4)
        if kind == 0:
            assert call(lazy, HEADER, to=CONTRACT).is_success
        elif kind == 1:
            lazy.set_balance(bytes([turn + 100]) * 20, turn)  # nobody that a block knows
        else:
            on = lazy.copy() if kind == 2 else lazy
            block = Block(HEADER, [counting(0)], (), ())
            try:
                assert execute_block(block, on, workers=2).receipts[0].status == 1
            except EvmError as error:
                if "NONCE" not in getattr(error, "status", ""):
                    raise

    hammer(*[use] * THREADS)


@pytest.mark.parametrize("workers", [2, 3])
def test_engines_are_shared_by_threads_and_never_at_once(workers):
    before = counter()
    block = Block(HEADER, [counting(nonce) for nonce in range(12)], (), ())
    expected = execute_block(block, before.copy(), workers=1).receipts_root

    def work(turn):
        result = execute_block(block, before.copy(), workers=workers, strategy="optimistic")
        assert result.receipts_root == expected
        recover_senders([SIGNED.forget_sender() for _ in range(16)], workers=workers)

    hammer(*[work] * THREADS, rounds=8)


@pytest.mark.parametrize("is_changed", [False, True])
def test_one_state_root_that_all_ask_for(is_changed):
    """The state changes after the block, so that its root is made of before-images, which one thread uses up."""
    before = counter()
    for place in range(3000):
        before.set_balance(place.to_bytes(20, "big"), place)
    block = Block(HEADER, [counting(0)], (), ())
    expected = execute_block(block, before.copy(), workers=1).state_root
    for _ in range(5):
        after = before.copy()
        result = execute_block(block, after, workers=1)
        if is_changed:
            after.set_balance(ALICE, 1)
        roots = roots_of(result)
        assert roots == [expected] * len(roots)


def roots_of(result):
    roots = []
    hammer(*[lambda turn: roots.append(result.state_root)] * THREADS, rounds=2)
    assert len(roots) == 2 * THREADS
    return roots
