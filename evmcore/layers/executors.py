"""What runs tasks: threads, processes, Dask's distributed and MPI behind one face, and who is replaced when a worker is lost."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from typing import Any

from ..errors import UnusableInput
from ..hexadecimal import shown

# For a cluster's workers to come.
_WAIT_SECONDS = 60

__all__ = ["DaemonThreads", "Pool", "is_lost_worker", "open_executor", "processes"]


def processes(workers: int) -> ProcessPoolExecutor:
    """Processes of their own, begun afresh: one that was forked would lack the threads that the engine has begun.

    They end with the process that began them, however it ends.
    """
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    """What waits for tasks would wait for ever after a parent that was killed: the workers themselves keep their queue open."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_and_exit, args=(parent.sentinel,), daemon=True).start()


def _wait_and_exit(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


class DaemonThreads(Executor):
    """Threads that start as they are needed, and that a process which ends doesn't wait for, as it does for ThreadPoolExecutor's."""

    def __init__(self, workers: int) -> None:
        self._max_workers = workers
        self._tasks: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._is_closed = False
        self._lock = threading.Lock()

    def submit(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        with self._lock:
            if self._is_closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
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
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
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


class Pool:
    """The executor, whatever was given as one: it takes tasks, and may be replaced if it was ours to make."""

    def __init__(self, given: Any, workers: int | None) -> None:
        self._make: Callable[[int], Executor] | None = None
        if given is None:
            self._make = DaemonThreads
        elif isinstance(given, type) or not hasattr(given, "submit"):
            if not callable(given):
                raise TypeError(f"executor: {shown(given)} is no Executor, and makes none")
            self._make = given
        elif hasattr(given, "get_executor"):  # a distributed.Client
            given = given.get_executor(pure=False)
        self.workers = workers or _workers_of(given if self._make is None else None)
        self._executor = given if self._make is None else self._make(self.workers)
        self.is_in_process = type(self._executor) in (ThreadPoolExecutor, DaemonThreads)

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """A future of what the function gives. What goes wrong shows when it is asked for its result."""
        try:
            return self._executor.submit(function, *args)
        except BrokenExecutor as error:  # since the last result: nobody else has noticed yet
            future: Future[Any] = Future()
            future.set_exception(error)
            return future

    @property
    def is_replaceable(self) -> bool:
        """Whether a broken executor was ours to make, and can be made again."""
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
    for name in ("_max_workers", "num_workers"):  # the second is mpi4py's
        count = getattr(executor, name, None)
        if isinstance(count, int) and count > 0:
            return count
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_lost_worker(error: Exception) -> bool:
    """Whether the task did not fail but the worker that ran it did."""
    distributed = sys.modules.get("distributed")
    return isinstance(error, BrokenExecutor) or (
        distributed is not None and (isinstance(error, distributed.KilledWorker) or _lost_while_handed_over(error))
    )


def _lost_while_handed_over(error: Exception) -> bool:
    """Whether distributed's executor failed itself: it had a result, and its worker was lost before the result's status was asked for.

    It takes the result for an exception's parts then (distributed.cfexecutor).
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return isinstance(error, TypeError) and trace is not None and trace.tb_frame.f_code.co_name == "_cascade_future"


@contextmanager
def open_executor(name: str, workers: int | None = None) -> Iterator[Any]:
    """What `replay_range(executor=…)` takes, from its name; closed at the end.

    name     "threads", "processes", "dask:ADDRESS" (that of a scheduler, such as dask:tcp://10.0.0.1:8786), or "mpi", in a program
             that was begun with mpirun
    workers  of Dask: waits until there are so many
    return   None on an MPI rank that works for another one, which then has nothing more to do
    raise    UnusableInput for another name, and where the package or the scheduler isn't there
    """
    if not isinstance(name, str):
        raise UnusableInput(f"executor: {shown(name)} is not threads, processes, mpi or dask:ADDRESS")
    kind, _, address = name.partition(":")
    if name == "threads":
        yield DaemonThreads
    elif name == "processes":
        yield processes
    elif name == "mpi":
        mpi, futures = _import("mpi4py.MPI", "mpi"), _import("mpi4py.futures", "mpi")
        with futures.MPICommExecutor(mpi.COMM_WORLD, root=0) as executor:
            yield executor
    elif kind == "dask" and address:
        distributed = _import("distributed", "cluster")
        try:
            client = distributed.Client(address, timeout=10)
        except (OSError, ValueError) as error:
            raise UnusableInput(f"executor {name}: {error or type(error).__name__}") from None
        with client:
            if workers is not None:
                try:
                    client.wait_for_workers(workers, timeout=_WAIT_SECONDS)
                except TimeoutError:
                    raise UnusableInput(f"executor {name}: it has no {workers} workers") from None
            yield client
    else:
        raise UnusableInput(f"executor: {name!r} is not threads, processes, mpi or dask:ADDRESS")


def _import(module: str, extra: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UnusableInput(f"executor: {error}; pip install evmcore[{extra}]") from None
