"""Many blocks: different blocks on different cores, over any executor of `concurrent.futures`.

A block that comes with the state it starts from needs nothing of the others, so a range of them is whole work for each core,
thread, process or machine. What comes back is a summary of each that travels well; receipts stay where they were made.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ..block import Block
from ..errors import UnusableInput
from ..hexadecimal import checked_quantity
from ..statistics import Strategy
from .carried import Carried, kept_codes
from .executors import Pool, is_lost_worker
from .journal import Journal, identity_of
from .summary import BlockSource, BlockSummary, replay_block

__all__ = ["replay_range"]

# Tasks under way for each worker: enough that one slow block at the head of the line leaves nobody idle.
IN_FLIGHT_PER_WORKER = 4


def replay_range(
    blocks: Iterable[BlockSource],
    workers: int | None = None,
    executor: Executor | Callable[[int], Executor] | Any = None,
    *,
    block_workers: int = 1,
    strategy: Strategy = "auto",
    in_flight: int | None = None,
    retries: int = 2,
    chunk: int = 1,
    journal: str | os.PathLike[str] | None = None,
    digest: bool = False,
) -> Iterator[BlockSummary]:
    """The summaries of the blocks, in order, as they come; each block is reported once.

    blocks         `Block`s with their pre-states, paths of block files, their contents (bytes) or JSON; may be a generator,
                   which is read only as far ahead as `in_flight` allows
    workers        blocks at a time; None: as the executor has them, else one a processor
    executor       None: threads; an Executor, which stays yours; a `distributed.Client` (pip install evmcore[cluster]); what
                   mpi4py.futures.MPICommExecutor gives (pip install evmcore[mpi]);
                   or what makes an Executor of so many workers, such as ProcessPoolExecutor: then it is replaced when a
                   worker takes it down, and closed at the end
    block_workers  threads within a block, for `strategy`
    in_flight      blocks that are under way or wait to be reported; None: four tasks a worker
    retries        how often a block is tried alone after its worker was lost; then its summary says so
    chunk          blocks a task: more of them make messages fewer, and a lost worker's loss larger
    journal        a file that finished blocks are appended to, with their digests, before they are reported. When it is there already,
                   the blocks in it are reported as it has them, and executed no more
    digest         whether summaries have a digest; with a journal they do
    raise          BrokenExecutor when an Executor of yours breaks; whatever the executor raises; UnusableInput for a journal that is
                   another range's, damaged, of a newer form, or in use

    A block that is wrong, refused or unreadable is a summary with `is_ok` false, and the others go on. Ctrl-C, or leaving
    the loop, cancels what has not begun; where `executor` is None, a process that ends then doesn't wait for what has. Blocks travel to
    other processes with their states as bytes; each worker keeps the codes that it was sent. A strict, lazy or local state can't travel.
    """
    given = {"workers": workers, "in_flight": in_flight, "block_workers": block_workers, "chunk": chunk}
    for name, value in given.items():
        if (value is not None or name in ("block_workers", "chunk")) and checked_quantity(value, name, 31) < 1:
            raise ValueError(f"{name}: {value} is less than 1")
    checked_quantity(retries, "retries", 31)
    pool = Pool(executor, workers)
    options = {"workers": block_workers, "strategy": strategy, "digest": digest or journal is not None}
    in_flight = in_flight or IN_FLIGHT_PER_WORKER * pool.workers * chunk
    return _Range(blocks, pool, min(chunk, in_flight), options, retries).summaries(in_flight, journal)


@dataclass(slots=True)
class _Item:
    """One block of the range: what it was given as, and as it travels; `summary` once it is known."""

    index: int
    given: str  # its identity in the journal
    block: BlockSource | Carried
    codes: Mapping[bytes, bytes] = field(default_factory=dict)
    summary: BlockSummary | None = None
    is_new: bool = True  # not of the journal


@dataclass(slots=True)
class _Task:
    """Some blocks on their way: given to the executor, perhaps more than once, and reported once."""

    items: list[_Item]
    future: Future[Any] | None = None


@dataclass(frozen=True, slots=True)
class _CodesWanted:
    """A worker's answer where it lacks codes: nothing was executed."""

    hashes: tuple[bytes, ...]


def _replay_task(
    index: int, blocks: Sequence[BlockSource | Carried], codes: Mapping[bytes, bytes], options: Mapping[str, Any]
) -> BlockSummary | list[BlockSummary] | _CodesWanted:
    """What runs where the executor says. The index keeps two askings for the same file apart where results are cached."""
    kept_codes.add(codes)
    wanted = {hash_ for block in blocks if isinstance(block, Carried) for hash_ in block.code_hashes}
    found, missing = kept_codes.take(wanted - codes.keys())
    if missing:
        return _CodesWanted(tuple(missing))
    found.update(codes)
    done = [replay_block(block, codes=found, **options) for block in blocks]
    return done[0] if len(done) == 1 else done


class _Range:
    """The blocks of one range on their way through a pool."""

    journal: Journal | None = None

    def __init__(
        self, blocks: Iterable[BlockSource], pool: Pool, chunk: int, options: Mapping[str, Any], retries: int
    ) -> None:
        self._blocks = enumerate(blocks)
        self._pool = pool
        self._chunk = chunk
        self._options = options
        self._retries = retries
        self._waiting: deque[_Task] = deque()
        self._sent: Counter[bytes] = Counter()  # how many tasks each code went with

    def summaries(self, in_flight: int, journal: str | os.PathLike[str] | None) -> Iterator[BlockSummary]:
        """All of them, in order."""
        is_done = False
        try:
            self.journal = None if journal is None else Journal(journal)
            while True:
                self._fill(in_flight)
                if not self._waiting:
                    break
                task = self._finish_first()
                if self.journal is not None:
                    self.journal.add(
                        (item.index, item.given, item.summary)
                        for item in task.items
                        if item.is_new and item.summary is not None and item.summary.is_conclusive
                    )
                for item in task.items:
                    assert item.summary is not None
                    yield item.summary
            is_done = True
        finally:
            for task in self._waiting:
                if task.future is not None:
                    task.future.cancel()
            self._pool.close(wait=is_done)
            if self.journal is not None:
                self.journal.close()

    def _fill(self, in_flight: int) -> None:
        """Give out tasks while there is room, reading no further ahead than that."""
        under_way = sum(len(task.items) for task in self._waiting)
        while under_way < in_flight:
            room = min(self._chunk, in_flight - under_way)
            if room < self._chunk and self._waiting:
                return  # whole tasks only
            task = _Task([self._item(index, block) for index, block in islice(self._blocks, room)])
            if not task.items:
                return
            under_way += len(task.items)
            self._waiting.append(task)
            self._submit(task)

    def _item(self, index: int, block: BlockSource) -> _Item:
        if self.journal is None:
            return _Item(index, "", block)
        summary = self.journal.find(index, block)
        return _Item(index, identity_of(block), block, summary=summary, is_new=summary is None)

    def _submit(self, task: _Task, with_all_codes: bool = False) -> None:
        """Give what isn't known yet to the executor. What goes wrong shows when the task's turn to be reported comes."""
        for item in task.items:
            block = item.block
            if item.summary is None and isinstance(block, Block) and not self._pool.is_in_process:
                try:
                    item.block, item.codes = Carried.pack(block)
                except UnusableInput as error:
                    item.summary = BlockSummary(number=block.number, block_hash=block.hash, error=str(error))
        open_items = [item for item in task.items if item.summary is None]
        if not open_items:
            task.future = None
            return
        codes = {hash_: code for item in open_items for hash_, code in item.codes.items()}
        if not with_all_codes:  # each worker has had a code that went out as often as there are workers, most likely
            codes = {hash_: code for hash_, code in codes.items() if self._sent[hash_] < self._pool.workers}
        self._sent.update(codes.keys())
        task.future = self._pool.submit(
            _replay_task, task.items[0].index, [item.block for item in open_items], codes, self._options
        )

    def _finish_first(self) -> _Task:
        """The first task, with all its summaries. When its worker was lost its blocks run again, each alone, so that no other
        block can be the cause; tasks that went down with it are given out anew behind it."""
        head = self._waiting[0]
        loss = self._try(head)
        if loss is None:
            self._waiting.popleft()
            return head
        is_broken = isinstance(loss, BrokenExecutor)
        for item in head.items:
            if item.summary is None:
                loss = self._alone(item, loss)
                is_broken = is_broken or isinstance(loss, BrokenExecutor)
        self._waiting.popleft()
        if is_broken:
            for task in self._waiting:
                if not _has_result(task):
                    self._submit(task)
        return head

    def _alone(self, item: _Item, loss: Exception) -> Exception:
        """Set the item's summary; the last loss there was."""
        for _ in range(self._retries):
            self._replace_if_broken(loss)
            task = _Task([item])
            self._submit(task)
            another_loss = self._try(task)
            if another_loss is None:
                return loss
            loss = another_loss
        self._replace_if_broken(loss)
        item.summary = BlockSummary(
            _name_of(item.block),
            _number_of(item.block),
            error=f"its worker was lost {self._retries + 1} times: {loss}",
            is_conclusive=False,
        )
        return loss

    def _replace_if_broken(self, loss: Exception) -> None:
        self._pool.replace_if_broken(loss)
        self._sent.clear()  # processes that start now have been sent nothing

    def _try(self, task: _Task) -> Exception | None:
        """Set the task's summaries, or say how its worker was lost. Other failures are raised, and so is what can't be mended."""
        try:
            answer = None if task.future is None else task.future.result()
            if isinstance(answer, _CodesWanted):
                self._submit(task, with_all_codes=True)
                assert task.future is not None
                answer = task.future.result()
        except Exception as error:
            if not is_lost_worker(error) or (isinstance(error, BrokenExecutor) and not self._pool.is_replaceable):
                raise
            return error
        summaries = [] if answer is None else answer if isinstance(answer, list) else [answer]
        for item, summary in zip([item for item in task.items if item.summary is None], summaries):
            item.summary = summary
            item.block, item.codes = b"", {}  # no more needed; a state weighs
        return None


def _has_result(task: _Task) -> bool:
    future = task.future
    return future is None or (future.done() and not future.cancelled() and future.exception() is None)


def _name_of(block: BlockSource | Carried) -> str | None:
    return os.fspath(block) if isinstance(block, (str, os.PathLike)) else None


def _number_of(block: BlockSource | Carried) -> int | None:
    return block.header.number if isinstance(block, (Block, Carried)) else None
