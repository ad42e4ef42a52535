"""What the machine itself gives: a sequential run beside others, as many as there are cores, that share nothing with it.

Cores share caches, memory and often execution units, and a lone one may run at a higher clock: two independent runs at
once don't take the time of one. No parallel run of one block can be expected to do better.
"""

from __future__ import annotations

import time
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from types import TracebackType

from evmcore import Block, execute_block, recover_senders

POLL_SECONDS = 2e-4


def _run(path: Path, is_wanted: Event, runs: Synchronized) -> None:
    """Execute the block over and over while that is wanted. At rest it sleeps: even one that looks up now and then would slow
    down the core beside it."""
    block = Block.load(path)
    recover_senders(block.transactions, fork=block.header.fork)
    assert block.pre_state is not None
    while True:
        if not is_wanted.is_set():
            runs.value = 0
            is_wanted.wait()
        execute_block(block, block.pre_state.copy(), strategy="sequential", workers=1, state_roots=False)
        runs.value += 1


class Neighbours:
    """Processes that run a block sequentially, at rest until `at_work` is entered."""

    def __init__(self, path: Path, count: int):
        context = get_context("spawn")
        self.is_wanted = context.Event()
        self.runs = [context.Value("q", -1, lock=False) for _ in range(count)]
        self.processes = [
            context.Process(target=_run, args=(path, self.is_wanted, runs), daemon=True) for runs in self.runs
        ]

    def __enter__(self) -> Neighbours:
        for process in self.processes:
            process.start()
        self._wait(0, 0)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self.processes:
            process.kill()
            process.join()

    def start(self) -> None:
        """Set them to work; returns when each has run its block once."""
        self.is_wanted.set()
        self._wait(1, None)

    def stop(self) -> None:
        """Returns when all are at rest."""
        self.is_wanted.clear()
        self._wait(0, 0)

    def _wait(self, least: int, most: int | None) -> None:
        for process, runs in zip(self.processes, self.runs):
            while not (runs.value >= least and (most is None or runs.value <= most)):
                if not process.is_alive():
                    raise RuntimeError(f"a neighbour ended with exit code {process.exitcode}")
                time.sleep(POLL_SECONDS)
