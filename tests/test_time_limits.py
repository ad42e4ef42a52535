"""evmcore.time_limit: what takes too long ends, on any thread, and leaves nothing."""

from __future__ import annotations

import asyncio
import signal
import threading
import time

import pytest

from evmcore import (
    Block,
    EvmError,
    ExecutionAborted,
    Header,
    State,
    TimeLimitExceeded,
    Transaction,
    assemble,
    call,
    execute_block,
    message,
    run,
    simulate_many,
    time_limit,
    transact,
)

LOOP = assemble("again: PUSH @again JUMP")
GAS = 10**15
SENDER, LOOPER = b"\x11" * 20, b"\x22" * 20
HEADER = Header(number=1, fork="Osaka", base_fee_per_gas=0, gas_limit=GAS)
CHECKS = {"gas_cap": False}


def state():
    return State({SENDER: {"balance": 10**18}, LOOPER: {"code": LOOP}})


def transaction():
    return Transaction(to=LOOPER, gas_limit=GAS, gas_price=0, sender=SENDER, v=27)


EXECUTIONS = {
    "run": lambda at: run(LOOP, gas=GAS),
    "call": lambda at: call(at, HEADER, to=LOOPER, gas=GAS),
    "message": lambda at: message(at, HEADER, to=LOOPER, gas=GAS),
    "transact": lambda at: transact(transaction(), at, HEADER, checks=CHECKS),
}


def ended(execution, at, seconds=0.05):
    """What it raised, and how long it took."""
    began = time.perf_counter()
    with pytest.raises(TimeLimitExceeded) as caught, time_limit(seconds):
        execution(at)
    assert isinstance(caught.value, (ExecutionAborted, TimeoutError))
    return time.perf_counter() - began


@pytest.mark.parametrize("name", EXECUTIONS)
@pytest.mark.parametrize("is_main", [True, False])
def test_an_execution_ends_with_its_time_and_leaves_nothing(name, is_main):
    at = state()
    before = at.to_bytes()
    took = []
    if is_main:
        took.append(ended(EXECUTIONS[name], at))
    else:
        thread = threading.Thread(target=lambda: took.append(ended(EXECUTIONS[name], at)))
        thread.start()
        thread.join()
    assert 0.05 <= took[0] < 2
    assert at.to_bytes() == before
    at.set_balance(SENDER, 5)  # nobody is at work on it
    assert run("0x60015f5260205ff3", gas=1000).word == 1  # and the machine is as it was


@pytest.mark.parametrize("workers", [1, 2])
def test_a_block_ends_with_its_time(workers):
    header = Header(number=1, fork="London", base_fee_per_gas=0, gas_limit=GAS)
    transactions = [
        Transaction(to=LOOPER, gas_limit=GAS // 4, nonce=nonce, gas_price=0, sender=SENDER, v=27) for nonce in range(3)
    ]
    block, at = Block(header, tuple(transactions)), state()
    before = at.to_bytes()
    ended(lambda at: execute_block(block, at, workers=workers), at)
    assert at.to_bytes() == before


def test_many_calls_end_with_their_time():
    from evmcore.whatif import Call

    del Call
    at = state()
    ended(lambda at: simulate_many(at, HEADER, [{"to": LOOPER, "gas": GAS}] * 4, workers=2), at)


def test_the_shortest_of_nested_limits_holds():
    with time_limit(30):
        assert ended(EXECUTIONS["run"], None) < 5
        began = time.perf_counter()
        with pytest.raises(TimeLimitExceeded), time_limit(0.05), time_limit(60):
            run(LOOP, gas=GAS)
        assert time.perf_counter() - began < 5
        run("0x00", gas=100)
    run("0x00", gas=100)


def test_a_limit_is_of_its_thread_and_ends_with_it():
    with time_limit(0.001):
        time.sleep(0.01)
        found = []
        thread = threading.Thread(target=lambda: found.append(run(LOOP, gas=30_000_000).outcome))
        thread.start()
        thread.join()
        assert found == ["OUT_OF_GAS"]
    assert run(LOOP, gas=30_000_000).outcome == "OUT_OF_GAS"


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "1", None, True])
def test_what_is_no_time_is_refused(seconds):
    with pytest.raises(EvmError), time_limit(seconds):
        pass


def waits(seconds):
    with time_limit(seconds):
        yield


def is_late():
    """Whether this thread's work ends."""
    try:
        run(LOOP, gas=3_000_000)
    except TimeLimitExceeded:
        return True
    return False


def test_limits_that_end_in_another_order_than_they_began_leave_nothing():
    """What each gave back was what it had found: the thread kept the limit of one that was over."""
    short, long = waits(0.001), waits(60)
    next(short)
    next(long)
    time.sleep(0.01)
    assert is_late()
    short.close()
    assert not is_late()
    long.close()
    assert not is_late()


def test_coroutines_that_wait_within_limits_leave_none():
    async def one(seconds, sleep):
        with time_limit(seconds):
            await asyncio.sleep(sleep)

    async def all_of_them():
        await asyncio.gather(one(0.001, 0.02), one(60, 0.04))

    asyncio.run(all_of_them())
    assert not is_late()


def test_a_limit_that_another_thread_ends_is_that_of_the_thread_that_began_it():
    begun, ended_there, found = threading.Event(), threading.Event(), []
    limit = waits(0.001)

    def begins():
        next(limit)
        time.sleep(0.01)
        found.append(is_late())
        begun.set()
        ended_there.wait(20)
        found.append(is_late())

    thread = threading.Thread(target=begins)
    thread.start()
    begun.wait(20)
    assert not is_late()
    limit.close()
    ended_there.set()
    thread.join()
    assert found == [True, False]
    assert not is_late()


def test_a_limit_that_nobody_ends_goes_with_its_object():
    limit = time_limit(0.001)
    limit.__enter__()
    time.sleep(0.01)
    assert is_late()
    with pytest.raises(EvmError, match="open already"):
        limit.__enter__()
    del limit
    assert not is_late()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers")
def test_ctrl_c_at_any_moment_leaves_no_limit():
    """One between the limit and the block of its `with` left it on the thread for good."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    interrupted = 0
    try:
        for turn in range(300):
            try:
                try:
                    signal.setitimer(signal.ITIMER_REAL, 1e-6 + turn % 60 * 1e-6)
                    for _ in range(2000):
                        with time_limit(0.001):
                            pass
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupted += 1
            if turn % 10 == 9:
                time.sleep(0.002)
                assert not is_late()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert interrupted > 100


def test_a_function_may_have_a_limit_and_call_itself():
    @time_limit(60)
    def counts(depth):
        return 0 if depth == 0 else 1 + counts(depth - 1)

    assert counts(5) == 5
    assert not is_late()


def test_a_number_of_seconds_may_be_huge():
    with time_limit(10**400):
        assert not is_late()
