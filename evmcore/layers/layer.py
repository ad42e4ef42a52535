"""A layer: somebody with a key who executes blocks and signs what came out.

Layers of this machine are threads or processes; those of others are workers of a Dask cluster, or `evmcore.layers.stateless`.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from ..errors import TimeLimitExceeded, UnusableInput
from ..hexadecimal import to_address
from ..statistics import Strategy
from ..time_limits import time_limit
from .certificate import Certificate, address_of, refusal_digest
from .executors import DaemonThreads, processes
from .stateless_block import Witnessed, replay_witnessed
from .summary import BlockSource, BlockSummary, OutOfCpuTime, replay_block

__all__ = ["Answer", "DaskLayer", "Layer", "LocalLayer", "answer_block", "cpu_limit", "local_layers"]

# Where a layer that isn't given its key finds it: 32 bytes in hexadecimal.
KEY_VARIABLE = "EVMCORE_LAYER_KEY"
_LONGEST_SECONDS = 1e8  # of a timer
# Of its time that a thread which had a processor to itself has used when it is stopped; and how much more it gets if it hadn't.
_NEARLY, _LONGER = 0.8, 4


@dataclass(frozen=True, slots=True)
class Answer:
    """What a layer says of a block.

    summary      how it went; where it isn't conclusive the layer abstains
    certificate  its signed word; None where it abstains
    """

    summary: BlockSummary
    certificate: Certificate | None = None


class Layer(Protocol):
    """Executes blocks, and signs what they come to. `submit` returns at once; its future gives an Answer, or raises where the layer was lost."""

    @property
    def name(self) -> str:
        """What it is called in reports."""

    @property
    def address(self) -> bytes:
        """Of its key, 20 bytes."""

    def submit(self, block: BlockSource | Witnessed, cpu_limit_s: float | None) -> Future[Answer]:
        """Have it execute a block."""

    def restart(self) -> bool:
        """Begin again after a loss; false where that isn't ours to do."""

    def close(self) -> None:
        """End what was ours to begin."""


def answer_block(
    block: BlockSource | Witnessed,
    key: bytes | None = None,
    cpu_limit_s: float | None = None,
    *,
    workers: int = 1,
    strategy: Strategy = "auto",
    codes: Mapping[bytes, bytes] | None = None,
) -> Answer:
    """Execute a block and sign the digest: what a layer does.

    key          32 bytes; None: that of the environment, EVMCORE_LAYER_KEY
    cpu_limit_s  of the processor's time, in seconds; beyond it the layer abstains. Wall time isn't looked at: a machine with much
                 to do is no reason to give another answer. With several workers, and in the main thread of a process, it is the process's
    """

    def execute() -> BlockSummary:
        if isinstance(block, Witnessed):
            return replay_witnessed(block, codes or {}, workers=workers, strategy=strategy)
        return replay_block(block, workers=workers, strategy=strategy, digest=True)

    summary = _limited(execute, cpu_limit_s, workers)
    if summary.block_hash is None or not summary.is_conclusive:
        return Answer(summary)
    digest = summary.digest if summary.digest is not None else refusal_digest(summary.block_hash)
    certificate = Certificate.sign(
        _key() if key is None else key,
        chain_id=summary.chain_id,
        number=summary.number or 0,
        block_hash=summary.block_hash,
        digest=digest,
    )
    return Answer(replace(summary, digest=digest), certificate)


def _key() -> bytes:
    given = os.environ.get(KEY_VARIABLE, "").removeprefix("0x")
    try:
        key = bytes.fromhex(given)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise UnusableInput(f"{KEY_VARIABLE}: not a key of 32 bytes in hexadecimal")
    return key


def _limited(execute: Callable[[], BlockSummary], seconds: float | None, workers: int) -> BlockSummary:
    """What it gives; where it took more of the processor's time, that it did."""
    if seconds is None:
        return execute()
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
        try:
            with cpu_limit(seconds):
                return execute()
        except OutOfCpuTime as error:
            return BlockSummary(error=str(error), is_conclusive=False)
    # A thread has a clock of its own and no signals: it is stopped by the clock on the wall, before which it can't have used more.
    # Where it has used less, since others had the processor, it begins again with more time.
    clock = time.thread_time if workers == 1 else time.process_time
    wall = seconds
    while True:
        began, used_before = time.monotonic(), clock()
        try:
            with time_limit(wall):
                summary = execute()
        except TimeLimitExceeded as error:
            summary = BlockSummary(error=str(error), is_conclusive=False)
        used = clock() - used_before
        if summary.is_conclusive or time.monotonic() - began < wall:
            return summary
        if used >= _NEARLY * seconds:
            said = f"more than {seconds:g} seconds of the processor's time"
            return replace(summary, error=said, cpu_seconds=max(used, seconds))
        wall = min(wall * _LONGER, _LONGEST_SECONDS)


@contextmanager
def cpu_limit(seconds: float | None) -> Iterator[None]:
    """Raises OutOfCpuTime in what runs inside, once this process has used so much of the processors' time."""
    if seconds is None or threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def end(*_: object) -> None:
        raise OutOfCpuTime(f"more than {seconds:g} seconds of the processor's time")

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, min(seconds, _LONGEST_SECONDS))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


class LocalLayer:
    """A layer on this machine: a thread or a process of its own.

    name      for reports
    key       32 bytes; None: a fresh one
    executor  what makes an Executor of one worker: `processes`, or None, for a thread
    answer    what it does with a block; to be replaced by tests of layers that lie, sleep and die
    options   those of `answer_block`
    """

    def __init__(
        self,
        name: str,
        key: bytes | None = None,
        executor: Callable[[int], Executor] | None = None,
        *,
        answer: Callable[..., Answer] = answer_block,
        **options: Any,
    ) -> None:
        self._name = name
        self._key = os.urandom(32) if key is None else key
        self._address = address_of(self._key)
        self._make = executor or DaemonThreads
        self._answer = partial(answer, **options)
        self._executor = self._make(1)

    name = property(lambda self: self._name)
    address = property(lambda self: self._address)

    def submit(self, block: BlockSource | Witnessed, cpu_limit_s: float | None = None) -> Future[Answer]:
        """Have it execute a block."""
        try:
            return self._executor.submit(self._answer, block, self._key, cpu_limit_s)
        except BrokenExecutor as error:
            future: Future[Answer] = Future()
            future.set_exception(error)
            return future

    def restart(self) -> bool:
        """A fresh worker in the place of one that died or doesn't answer."""
        self.close()
        self._executor = self._make(1)
        return True

    def close(self) -> None:
        """End its worker, whatever it is at."""
        running = list((getattr(self._executor, "_processes", None) or {}).values())
        self._executor.shutdown(wait=False, cancel_futures=True)
        for process in running:
            process.kill()


def local_layers(count: int, **options: Any) -> list[LocalLayer]:
    """So many layers in processes of their own, each with a fresh key."""
    return [LocalLayer(f"layer {number}", executor=processes, **options) for number in range(1, count + 1)]


class DaskLayer:
    """A worker of a Dask cluster as a layer. Its key is in the worker's environment (EVMCORE_LAYER_KEY).

    client   a distributed.Client
    worker   its address in the cluster
    address  of its key; None: it is asked, which is for who trusts the cluster
    """

    def __init__(self, client: Any, worker: str, address: bytes | None = None, **options: Any) -> None:
        self._client, self._worker, self._options = client, worker, options
        if address is None:
            address = client.submit(_own_address, workers=[worker], pure=False).result(timeout=60)
        self._address = to_address(address, "address")

    name = property(lambda self: self._worker)
    address = property(lambda self: self._address)

    def submit(self, block: BlockSource | Witnessed, cpu_limit_s: float | None = None) -> Future[Answer]:
        """Have it execute a block."""
        task = partial(answer_block, cpu_limit_s=cpu_limit_s, **self._options)
        asked = self._client.submit(task, block, workers=[self._worker], allow_other_workers=False, pure=False)
        future: Future[Answer] = Future()

        def pass_on(done: Any) -> None:
            if future.cancelled():
                return
            error = done.exception() if done.status == "error" else None
            if done.status == "finished":
                future.set_result(done.result())
            else:
                future.set_exception(error or BrokenExecutor(f"{self._worker}: {done.status}"))

        asked.add_done_callback(pass_on)
        return future

    def restart(self) -> bool:
        """The cluster's nanny does that."""
        return False

    def close(self) -> None:
        """The cluster is yours."""


def _own_address() -> bytes:
    return address_of(_key())
