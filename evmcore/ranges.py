"""Many blocks: different blocks on different cores, over any executor of `concurrent.futures`.

A block that comes with the state it starts from needs nothing of the others, so a range of them is whole work for each core,
thread, process or machine. What comes back is a summary of each that travels well; receipts stay where they were made.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Union

from .block import Block, Expected
from .errors import EvmError, UnusableInput
from .files import parse_json
from .fixtures import block_of
from .header import Header, Withdrawal
from .statistics import Strategy
from .verification import CHECKS, Verification

if TYPE_CHECKING:
    from ._core import BlockAccessList, BlockResult, Transaction

__all__ = ["BlockSummary", "replay_block", "replay_range"]

# A block as it may be given: a Block, the path of a block file, the content of one (gzipped or not), or its JSON.
BlockSource = Union[Block, str, "os.PathLike[str]", bytes, Mapping[str, Any]]
# Blocks under way for each worker: enough that one slow block at the head of the line leaves nobody idle.
IN_FLIGHT_PER_WORKER = 4


@dataclass(frozen=True, slots=True)
class BlockSummary:
    """How one block went, in words that pickle and weigh little.

    source         the file's path, or None where the block was not given as one
    number         None if the block could not be read; `error` says why
    is_ok          executed, and right as far as the data can tell
    checks         name -> true, false, or None where the data can't tell (evmcore.verification.CHECKS)
    receipts_root  None before Byzantium on a partial state, and where the block was refused
    state_root     None where the state is partial
    seconds        load, recover, execute, roots: wall time where it ran
    error          what is wrong, in a sentence; None if nothing is
    """

    source: str | None = None
    number: int | None = None
    fork: str = ""
    transactions: int = 0
    is_ok: bool = False
    checks: Mapping[str, bool | None] = field(default_factory=lambda: dict.fromkeys(CHECKS))
    gas_used: int = 0
    receipts_root: bytes | None = None
    state_root: bytes | None = None
    seconds: Mapping[str, float] = field(
        default_factory=lambda: dict.fromkeys(("load", "recover", "execute", "roots"), 0.0)
    )
    executions: int = 0
    aborted: int = 0
    error: str | None = None


def replay_range(
    blocks: Iterable[BlockSource],
    workers: int | None = None,
    executor: Executor | Callable[[int], Executor] | Any = None,
    *,
    block_workers: int = 1,
    strategy: Strategy = "auto",
    in_flight: int | None = None,
    retries: int = 2,
) -> Iterator[BlockSummary]:
    """The summaries of the blocks, in order, as they come; each block is reported once.

    blocks         `Block`s with their pre-states, paths of block files, their contents (bytes) or JSON; may be a generator,
                   which is read only as far ahead as `in_flight` allows
    workers        blocks at a time; None: as the executor has them, else one a processor
    executor       None: threads; an Executor, which stays yours; a `distributed.Client` (pip install evmcore[cluster]);
                   or what makes an Executor of so many workers, such as ProcessPoolExecutor: then it is replaced when a
                   worker takes it down, and closed at the end
    block_workers  threads within a block, for `strategy`
    in_flight      blocks that are under way or wait to be reported; None: four a worker
    retries        how often a block is tried alone after its worker was lost; then its summary says so
    raise          BrokenExecutor when an Executor of yours breaks; whatever the executor raises

    A block that is wrong, refused or unreadable is a summary with `is_ok` false, and the others go on. Ctrl-C, or leaving
    the loop, cancels what has not begun; where `executor` is None, a process that ends then doesn't wait for what has. Blocks travel to other processes by pickle; one with a strict state can't.
    """
    for name, value in (("workers", workers), ("in_flight", in_flight), ("block_workers", block_workers)):
        if value is not None and value < 1:
            raise ValueError(f"{name}: {value} is less than 1")
    pool = _Pool(executor, workers)
    tasks = (_Task(index, block, block_workers, strategy) for index, block in enumerate(blocks))
    return _summaries(tasks, pool, in_flight or IN_FLIGHT_PER_WORKER * pool.workers, retries)


def replay_block(block: BlockSource | _Carried, *, workers: int = 1, strategy: Strategy = "auto") -> BlockSummary:
    """Execute one block on a copy of its pre-state and verify it. What is wrong is in the summary."""
    source = os.fspath(block) if isinstance(block, (str, os.PathLike)) else None
    started = time.perf_counter()
    try:
        loaded = _load(block)
    except EvmError as error:
        return BlockSummary(source, error=str(error))
    seconds = {"load": time.perf_counter() - started, "recover": 0.0, "execute": 0.0, "roots": 0.0}
    verification = Verification(loaded)
    result: BlockResult | None = None
    try:
        result = _execute(loaded, verification, seconds, workers, strategy)
    except (EvmError, MemoryError) as error:
        verification.faults.append(str(error))
    has_state_root = result is not None and loaded.is_pre_state_complete
    statistics = result.statistics if result is not None else None
    return BlockSummary(
        source,
        loaded.number,
        loaded.header.fork,
        len(loaded.transactions),
        verification.is_ok,
        verification.checks,
        gas_used=result.gas_used if result is not None else 0,
        receipts_root=result.receipts_root if result is not None else None,
        state_root=result.state_root if result is not None and has_state_root else None,
        seconds=seconds,
        executions=statistics.executions if statistics is not None else 0,
        aborted=statistics.aborted if statistics is not None else 0,
        error="; ".join(verification.faults) or None,
    )


def _execute(
    block: Block, verification: Verification, seconds: dict[str, float], workers: int, strategy: Strategy
) -> BlockResult:
    """Run the block and hold all that it gives against its header; `seconds` says where the time went."""
    from ._core import execute_block, ordered_trie_root, recover_senders

    if block.pre_state is None:
        raise UnusableInput(f"block {block.number}: no pre-state")
    started = time.perf_counter()
    verification.transactions_root(ordered_trie_root([tx.raw for tx in block.transactions]))
    rooted = time.perf_counter()
    try:
        recover_senders(block.transactions, fork=block.header.fork, workers=workers)
    except EvmError:
        verification.no_senders()
        raise
    seconds["recover"] = time.perf_counter() - rooted
    verification.senders([tx.sender for tx in block.transactions])
    result = execute_block(block, block.pre_state.copy(), workers=workers, strategy=strategy)
    seconds["execute"] = result.statistics.execute_seconds
    executed = time.perf_counter()
    verification.result(result)
    seconds["roots"] = rooted - started + time.perf_counter() - executed
    return result


def _load(block: BlockSource | _Carried) -> Block:
    if isinstance(block, Block):
        return block
    if isinstance(block, _Carried):
        return block.unpack()
    if isinstance(block, (str, os.PathLike)):
        return Block.load(block)
    if isinstance(block, Mapping):
        return block_of("block", block)
    if isinstance(block, (bytes, bytearray, memoryview)):
        return block_of("block", parse_json(bytes(block), "block"))
    raise UnusableInput(f"{type(block).__name__} is not a block, a path, or the content of a block file")


@dataclass(frozen=True, slots=True)
class _Carried:
    """A block as it travels to another process: its parts that pickle, and its state as an alloc."""

    header: Header
    transactions: tuple[Transaction, ...]
    ommers: tuple[Header, ...]
    withdrawals: tuple[Withdrawal, ...] | None
    alloc: dict[str, dict[str, Any]]
    expected: Expected | None
    is_pre_state_complete: bool
    access_list: BlockAccessList | None

    @classmethod
    def pack(cls, block: Block) -> _Carried:
        if block.pre_state is None:
            raise UnusableInput(f"block {block.number}: no pre-state")
        if block.pre_state.is_strict:
            # Its knowledge of what is absent would be lost on the way.
            raise UnusableInput(f"block {block.number}: a strict state doesn't travel to another process")
        return cls(
            block.header,
            block.transactions,
            block.ommers,
            block.withdrawals,
            block.pre_state.to_alloc(),
            block.expected,
            block.is_pre_state_complete,
            block.access_list,
        )

    def unpack(self) -> Block:
        from ._core import State

        return Block(
            self.header,
            self.transactions,
            self.ommers,
            self.withdrawals,
            State.from_alloc(self.alloc),
            self.expected,
            self.is_pre_state_complete,
            self.access_list,
        )


@dataclass(slots=True)
class _Task:
    """One block on its way: given to the executor, perhaps more than once, and reported once."""

    index: int
    block: BlockSource | _Carried
    block_workers: int
    strategy: Strategy
    future: Future[BlockSummary] | None = None


def _replay_task(index: int, block: BlockSource | _Carried, workers: int, strategy: Strategy) -> BlockSummary:
    """What runs where the executor says. The index keeps two askings for the same file apart where results are cached."""
    return replay_block(block, workers=workers, strategy=strategy)


class _DaemonThreads(Executor):
    """Threads that start as they are needed, and that a process which ends doesn't wait for, as it does for ThreadPoolExecutor's."""

    def __init__(self, workers: int) -> None:
        self._max_workers = workers
        self._tasks: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        if len(self._threads) < self._max_workers:
            thread = threading.Thread(target=self._work, args=(self._tasks,), daemon=True)
            try:
                thread.start()
                self._threads.append(thread)
            except RuntimeError:  # there is none to be had: those that are there do the work
                if not self._threads:
                    raise
        future: Future[Any] = Future()
        self._tasks.put((future, partial(function, *args, **options)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """What is waiting is done first, unless its caller has cancelled it."""
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    @staticmethod
    def _work(tasks: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]) -> None:
        while (task := tasks.get()) is not None:
            future, act = task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = act()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)


class _Pool:
    """The executor, whatever was given as one: it takes tasks, and may be replaced if it was ours to make."""

    def __init__(self, given: Any, workers: int | None) -> None:
        self._make: Callable[[int], Executor] | None = None
        if given is None:
            self._make = _DaemonThreads
        elif isinstance(given, type) or not hasattr(given, "submit"):
            self._make = given
        elif hasattr(given, "get_executor"):  # a distributed.Client
            given = given.get_executor(pure=False)
        self.workers = workers or _workers_of(given if self._make is None else None)
        self._executor = given if self._make is None else self._make(self.workers)
        self._is_in_process = type(self._executor) in (ThreadPoolExecutor, _DaemonThreads)

    def submit(self, task: _Task) -> None:
        """Give the task to the executor. What goes wrong shows when the task's turn to be reported comes."""
        try:
            if not self._is_in_process and isinstance(task.block, Block):
                task.block = _Carried.pack(task.block)
            task.future = self._executor.submit(_replay_task, task.index, task.block, task.block_workers, task.strategy)
        except UnusableInput as error:
            task.future = Future()
            task.future.set_result(BlockSummary(number=_number_of(task.block), error=str(error)))
        except BrokenExecutor as error:  # since the last result: nobody else has noticed yet
            task.future = Future()
            task.future.set_exception(error)

    @property
    def is_replaceable(self) -> bool:
        return self._make is not None

    def replace_if_broken(self, loss: Exception) -> None:
        """A fresh executor in the place of one that a lost worker took down."""
        if isinstance(loss, BrokenExecutor):
            assert self._make is not None
            self.close(wait=False)
            self._executor = self._make(self.workers)

    def close(self, wait: bool) -> None:
        """End what was ours to begin."""
        if self._make is not None:
            self._executor.shutdown(wait=wait, cancel_futures=True)


def _workers_of(executor: Any) -> int:
    """How many tasks the executor runs at once, as far as it says; else as many as there are processors here."""
    client = getattr(executor, "_client", None)
    if client is not None and hasattr(client, "nthreads"):
        return sum(client.nthreads().values()) or 1
    count = getattr(executor, "_max_workers", None)
    if isinstance(count, int) and count > 0:
        return count
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _summaries(tasks: Iterator[_Task], pool: _Pool, in_flight: int, retries: int) -> Iterator[BlockSummary]:
    waiting: deque[_Task] = deque()
    is_done = False
    try:
        while True:
            while len(waiting) < in_flight and (task := next(tasks, None)) is not None:
                waiting.append(task)
                pool.submit(task)
            if not waiting:
                break
            summary = _outcome(waiting, pool, retries)
            waiting.popleft()
            yield summary
        is_done = True
    finally:
        for task in waiting:
            if task.future is not None:
                task.future.cancel()
        pool.close(wait=is_done)


def _outcome(waiting: deque[_Task], pool: _Pool, retries: int) -> BlockSummary:
    """The summary of the first task. When its worker was lost it runs again, alone, so that no other block can be the cause;
    those that went down with it are given out anew behind it."""
    head, *others = waiting
    summary, loss = _try(head, pool)
    if loss is None:
        assert summary is not None
        return summary
    for _ in range(retries):
        pool.replace_if_broken(loss)
        pool.submit(head)
        summary, another_loss = _try(head, pool)
        loss = another_loss or loss
        if summary is not None:
            break
    else:
        pool.replace_if_broken(loss)
        summary = BlockSummary(
            _name_of(head.block), _number_of(head.block), error=f"its worker was lost {retries + 1} times: {loss}"
        )
    if isinstance(loss, BrokenExecutor):
        for task in others:
            if not _has_summary(task):
                pool.submit(task)
    return summary


def _try(task: _Task, pool: _Pool) -> tuple[BlockSummary | None, Exception | None]:
    """The task's summary, or how its worker was lost. Other failures are raised, and so is what can't be mended."""
    assert task.future is not None
    try:
        return task.future.result(), None
    except Exception as error:
        if not _is_lost_worker(error) or (isinstance(error, BrokenExecutor) and not pool.is_replaceable):
            raise
        return None, error


def _has_summary(task: _Task) -> bool:
    future = task.future
    return future is not None and future.done() and not future.cancelled() and future.exception() is None


def _is_lost_worker(error: Exception) -> bool:
    """Whether the task did not fail but the worker that ran it did."""
    distributed = sys.modules.get("distributed")
    return isinstance(error, BrokenExecutor) or (
        distributed is not None and isinstance(error, distributed.KilledWorker)
    )


def _name_of(block: BlockSource | _Carried) -> str | None:
    return os.fspath(block) if isinstance(block, (str, os.PathLike)) else None


def _number_of(block: BlockSource | _Carried) -> int | None:
    return block.header.number if isinstance(block, (Block, _Carried)) else None
