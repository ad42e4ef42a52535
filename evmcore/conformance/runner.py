"""Running many test files on all cores: one process a core, a file at a time, the results as they come."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

from ..errors import EvmError, UnusableInput
from .results import CaseResult

__all__ = ["FileOutcome", "is_slow", "run_files"]

RunFile = Callable[[str], list[CaseResult]]


class FileOutcome(NamedTuple):
    """What a file came to: its results, or what is wrong with it; and how long it took, in seconds of one processor."""

    path: str
    results: list[CaseResult] | UnusableInput
    cpu_seconds: float


# A process takes a third of a second to start: below this many bytes of tests, one does it all sooner.
_BYTES_WORTH_A_PROCESS = 2_000_000
# Files that wait at each process: enough that none idles, few enough that an interrupt or a death loses little.
_FILES_AHEAD = 4
# Folders that take long go first, so that the last process to finish is not the one that got them last.
_SLOW_FOLDERS = ("stTimeConsuming", "stQuadraticComplexityTest", "stStaticCall", "stAttackTest", "vmPerformance")


def is_slow(path: str) -> bool:
    """Whether a file lies in one of the folders whose cases are there to take long."""
    return any(name in path for name in _SLOW_FOLDERS)


def run_files(run_file: RunFile, paths: Sequence[str], workers: int) -> Iterator[FileOutcome]:
    """What each file came to, in the order in which they are done.

    run_file  goes through pickle: a module's function, or a `functools.partial` of one
    """
    sizes = {path: _size_of(path) for path in paths}
    workers = min(workers, len(paths), 1 + sum(sizes.values()) // _BYTES_WORTH_A_PROCESS)
    if workers <= 1:
        for path in paths:
            yield _outcome(run_file, path)
        return
    ordered = sorted(paths, key=lambda path: (not is_slow(path), -sizes[path]))
    yield from _run_in_processes(run_file, ordered, workers)


def _size_of(path: str) -> int:
    """Bytes of a file; none of one that has gone since it was found, which shows when it is read."""
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


# What JSON of any shape makes a runner of tests raise.
_BAD_SHAPES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def _outcome(run_file: RunFile, path: str) -> FileOutcome:
    started = time.process_time()
    results: list[CaseResult] | UnusableInput
    try:
        results = run_file(path)
    except UnusableInput as error:
        results = error
    except _BAD_SHAPES as error:
        results = UnusableInput(f"{path}: {type(error).__name__}: {error}")
    except MemoryError:
        results = UnusableInput(f"{path}: not enough memory to run it")
    return FileOutcome(path, results, time.process_time() - started)


def _run_in_processes(run_file: RunFile, paths: list[str], workers: int) -> Iterator[FileOutcome]:
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start)
    waiting = iter(paths)
    running: dict[Future[FileOutcome], str] = {}
    try:
        while True:
            while len(running) < workers * _FILES_AHEAD and (path := next(waiting, None)) is not None:
                running[pool.submit(_outcome, run_file, path)] = path
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                # Still among those that run while its result is taken: a worker that died is told by its files.
                outcome = future.result()
                del running[future]
                yield outcome
    except BrokenProcessPool:
        raise EvmError("a worker process died at one of: " + ", ".join(sorted(running.values()))) from None
    finally:
        # After an interrupt nobody waits for what still runs.
        pool.shutdown(wait=not running, cancel_futures=True)
        if running:
            for process in multiprocessing.active_children():
                process.terminate()


def _start() -> None:
    """In a worker: Ctrl-C ends it at once; the parent says so once, for all. And nobody works for a parent that died."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
