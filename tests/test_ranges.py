"""Many blocks at once: each is done and reported once, in order, on every executor, also where workers are lost."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from evmcore import Block, Header, State, Transaction, assemble, execute_block, keccak256
from evmcore.block import Expected
from evmcore.errors import UnusableInput
from evmcore.example.generate import EXAMPLE_FILE, block_json, make_block
from evmcore.layers.executors import is_lost_worker
from evmcore.ranges import BlockSummary, replay_block, replay_range

KEY = keccak256(b"evmcore test of ranges")
LOOP = bytes([0xCC]) * 20
Processes = partial(ProcessPoolExecutor, mp_context=get_context("spawn"))


def block_number(number: int, gas: int = 200_000) -> Block:
    """A block whose one transaction loops until its gas is gone (about 1 ms for 3 million)."""
    sender = Transaction().sign(KEY).sender
    state = State({sender: {"balance": 10**18}, LOOP: {"code": assemble("again: PUSH 0 POP PUSH @again JUMP")}})
    state.set_storage(LOOP, number, 1)
    transaction = Transaction(to=LOOP, gas_limit=gas, gas_price=10, chain_id=1).sign(KEY)
    block = Block(
        Header(number=number, fork="London", base_fee_per_gas=7, gas_limit=gas), (transaction,), pre_state=state
    )
    result = execute_block(block, state.copy(), workers=1)
    block.expected = Expected(state_root=result.state_root, senders=(sender,))
    return block.with_header(
        gas_used=result.gas_used,
        logs_bloom=result.logs_bloom,
        receipts_root=result.receipts_root,
        transactions_root=result.transactions_root,
        state_root=result.state_root,
    )


@pytest.fixture(scope="module")
def blocks():
    return [block_number(number) for number in range(1, 13)]


def numbers(summaries):
    return [summary.number for summary in summaries]


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor, Processes], ids=["default", "threads", "processes"])
def test_blocks_come_back_in_order_and_right(blocks, executor):
    summaries = list(replay_range(blocks, 2, executor))
    assert numbers(summaries) == numbers(blocks)
    for block, summary in zip(blocks, summaries):
        assert summary.is_ok, summary.error
        assert set(summary.checks.values()) == {True}
        assert (summary.gas_used, summary.state_root) == (block.header.gas_used, block.header.state_root)
        assert (summary.receipts_root, summary.transactions) == (block.header.receipts_root, 1)
        assert summary.fork == "London"


def test_an_executor_of_yours_stays_yours(blocks):
    with ThreadPoolExecutor(2) as executor:
        assert len(list(replay_range(blocks, executor=executor))) == len(blocks)
        assert executor.submit(int, "7").result() == 7


@pytest.mark.parametrize("executor", [None, Processes], ids=["threads", "processes"])
def test_a_block_may_be_given_in_any_form(executor):
    example = make_block()
    forms = [EXAMPLE_FILE, str(EXAMPLE_FILE), EXAMPLE_FILE.read_bytes(), block_json(example), example]
    summaries = list(replay_range(forms, 2, executor, block_workers=2))
    assert [summary.error for summary in summaries] == [None] * 5
    assert len({summary.state_root for summary in summaries}) == 1
    assert [summary.source for summary in summaries] == [str(EXAMPLE_FILE), str(EXAMPLE_FILE), None, None, None]


def test_summaries_weigh_little():
    assert len(pickle.dumps(replay_block(EXAMPLE_FILE))) < 2000


def test_what_is_wrong_is_said_and_the_others_go_on(blocks, tmp_path):
    wrong = blocks[1].with_header(gas_used=1)
    unpayable = Block(blocks[2].header, blocks[2].transactions, pre_state=State())
    stateless = Block(blocks[3].header, blocks[3].transactions)
    summaries = list(replay_range([blocks[0], wrong, unpayable, stateless, tmp_path / "none", b"{}", 7, blocks[4]], 2))
    assert [summary.is_ok for summary in summaries] == [True, *[False] * 6, True]
    errors = [summary.error or "" for summary in summaries]
    for error, words in zip(errors[1:7], ["gas used", "funds", "no pre-state", "none", "format", "int is not a block"]):
        assert words in error


def test_a_strict_state_is_not_sent_away(blocks):
    strict = Block(blocks[0].header, blocks[0].transactions, pre_state=State(strict=True))
    [refused, fine] = replay_range([strict, blocks[1]], 2, Processes)
    assert refused.error == "block 1: a strict state doesn't travel to another process"
    assert fine.is_ok


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"in_flight": 0}, {"block_workers": -1}])
def test_options_that_make_no_sense_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replay_range([], **wrong)


def test_a_generator_is_read_only_as_far_as_needed(blocks):
    read = []
    source = (read.append(block.number) or block for block in blocks)
    for reported, _ in enumerate(replay_range(source, 2, in_flight=3)):
        assert len(read) <= reported + 3
    assert read == numbers(blocks)


class Slow(Executor):
    """Runs nothing until it is told to."""

    def __init__(self):
        self.futures: list[Future] = []

    def submit(self, function, /, *args, **named):
        self.futures.append(Future())
        return self.futures[-1]


def test_leaving_the_loop_cancels_the_rest(blocks):
    executor = Slow()
    summaries = replay_range(blocks, executor=executor, in_flight=5)
    executor.submit(None)  # a place for the first answer, which has to be there before it is waited for
    answers = iter([BlockSummary(number=1)])
    submit = executor.submit

    def answer_the_first(function, /, *args, **named):
        future = submit(function)
        if (answer := next(answers, None)) is not None:
            future.set_result(answer)
        return future

    executor.submit = answer_the_first
    assert next(summaries).number == 1
    summaries.close()
    assert [future.cancelled() for future in executor.futures[2:]] == [True] * 4


CTRL_C = """
import os, signal, sys, threading, time
sys.path.insert(0, {tests!r})
from test_ranges import block_number
from evmcore import replay_range
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
blocks = [block_number(1, 30_000_000)] * 400
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
started, done = time.monotonic(), 0
try:
    for _ in replay_range(blocks, 2):
        done += 1
except KeyboardInterrupt:
    print(done, time.monotonic() - started)
"""


def test_ctrl_c_ends_it_at_once():
    script = CTRL_C.format(tests=str(Path(__file__).parent))
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    done, seconds = ran.stdout.split()
    assert int(done) < 400
    assert float(seconds) < 5


ENDLESS = """
import os, signal, sys, threading
from evmcore import Block, Header, State, Transaction, assemble, replay_range
signal.signal(signal.SIGINT, signal.default_int_handler)
A, LOOP = bytes([1]) * 20, bytes([2]) * 20
state = State({A: {"balance": 2**200}, LOOP: {"code": assemble("again: PUSH @again JUMP")}})
block = Block(Header(number=1, fork="London", base_fee_per_gas=7, gas_limit=2**62),
              (Transaction(to=LOOP, sender=A, gas_limit=2**60, gas_price=10),), pre_state=state)
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    list(replay_range([block] * 3, 2, strategy=sys.argv[1], block_workers=2))
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("strategy", ["auto", "optimistic", "groups"])
def test_a_process_that_was_interrupted_ends_while_blocks_are_under_way(strategy):
    ran = subprocess.run([sys.executable, "-c", ENDLESS, strategy], capture_output=True, text=True, timeout=30)
    assert (ran.returncode, ran.stdout) == (0, "interrupted\n"), ran.stderr


def test_a_worker_killed_in_the_middle_costs_no_block():
    """The pool breaks and is replaced; what it had finished is not done again."""
    pools = []

    def make(workers):
        pools.append(Processes(workers))
        return pools[-1]

    blocks = [block_number(number, 10_000_000) for number in range(20)]
    seen = []
    for summary in replay_range(blocks, 2, make):
        seen.append(summary)
        if len(seen) == 2:
            os.kill(next(iter(pools[0]._processes)), signal.SIGKILL)
    assert numbers(seen) == list(range(20))
    assert all(summary.is_ok for summary in seen)
    assert len(pools) == 2


class Deadly(dict):
    """A block that ends every process that executes it."""

    def get(self, *_):
        os._exit(1)


def test_a_block_that_kills_its_workers_is_reported_and_the_others_are_done(blocks):
    summaries = list(replay_range([blocks[0], Deadly(), *blocks[1:4]], 2, Processes, retries=1))
    assert [summary.is_ok for summary in summaries] == [True, False, True, True, True]
    assert "its worker was lost 2 times" in (summaries[1].error or "")


def test_a_pool_of_yours_that_breaks_is_yours_to_mend(blocks):
    with Processes(1) as executor, pytest.raises(Exception, match="terminated abruptly"):
        list(replay_range([Deadly(), *blocks], executor=executor))


def test_what_the_program_does_wrong_is_raised(blocks):
    with pytest.raises(ValueError, match="strategy"):
        list(replay_range(blocks, 2, strategy="fast"))


def test_an_unreadable_file_is_a_summary_and_raises_nothing(tmp_path):
    path = tmp_path / "1.json.gz"
    path.write_bytes(b"no gzip")
    with pytest.raises(UnusableInput) as error:
        Block.load(path)
    assert replay_block(path).error == str(error.value)


def test_a_worker_that_is_lost_while_its_result_is_handed_over_is_a_lost_worker():
    pytest.importorskip("distributed", reason="pip install evmcore[cluster]")
    from distributed.cfexecutor import _cascade_future

    class HandedOver:
        """A result was there, and by now its worker isn't."""

        status = "lost"

        async def _result(self, raiseit):
            return BlockSummary("block", 1)

    async def hand_over(future):
        await _cascade_future(HandedOver(), future)

    future = Future()
    asyncio.run(hand_over(future))
    assert isinstance(future.exception(), TypeError)
    assert is_lost_worker(future.exception())
    assert not is_lost_worker(TypeError("a task's own"))


@pytest.mark.filterwarnings("ignore")  # of the cluster's own making
def test_a_cluster_that_loses_a_worker_does_every_block_once(tmp_path):
    distributed = pytest.importorskip("distributed", reason="pip install evmcore[cluster]")
    blocks = [block_number(number, 10_000_000) for number in range(24)]
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=str(tmp_path)
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        before = client.run(os.getpid)
        assert len(before) == 2
        seen = []
        for summary in replay_range(blocks, executor=client, in_flight=12):
            seen.append(summary)
            if len(seen) == 3:
                os.kill(next(iter(before.values())), signal.SIGKILL)
        assert numbers(seen) == list(range(24))
        assert all(summary.is_ok for summary in seen)
        # The loss was real: a worker that came in the killed one's place, or none, has another process.
        deadline = time.monotonic() + 30
        while set(client.run(os.getpid, on_error="ignore").values()) == set(before.values()):
            assert time.monotonic() < deadline, "the killed worker lives"
            time.sleep(0.1)
        # Its executor is taken too.
        assert numbers(replay_range(blocks[:4], executor=client.get_executor())) == [0, 1, 2, 3]
