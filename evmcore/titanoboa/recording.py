"""One message as it was run, and what can be found out of it later: it is run again, on the state as it was, with more recorded.

So a call that nobody asks about costs little more than its execution.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from .._core import STATUSES, State, message
from ..errors import MissingState
from ..header import Header
from ..receipt import CallResult
from ..traces import Trace
from .hooks import Answers

__all__ = ["Details", "Run"]

STATUS_NAMES = tuple(row.name for row in STATUSES)
_SSTORE, _SELFDESTRUCT, _CREATIONS = 0x55, 0xFF, (0xF0, 0xF5)
NO_ROW = 2**32 - 1
# Calls that had no frame: py-evm knows nothing of them either.
_REFUSALS = frozenset(
    STATUS_NAMES.index(name)
    for name in ("CALL_DEPTH_EXCEEDED", "INSUFFICIENT_BALANCE", "NONCE_OVERFLOW", "ADDRESS_COLLISION")
)
# Steps that a detailed trace keeps, 200 MB of them: of longer executions the last ones.
STEPS_MOST = 1 << 22


@dataclass(eq=False)
class Run:
    """A message that has been run.

    before     the state before it: a fork, which is not to be changed
    arguments  what `message` was given beside state and header
    answers    what precompiles in Python have answered, in order
    """

    before: State
    header: Header
    arguments: Mapping[str, Any]
    answers: Answers
    trace: Trace = field(default_factory=lambda: Trace(steps=True, opcodes=(_SSTORE,), stack=2, hashes=64))
    result: CallResult = field(init=False)

    def execute(self, state: State) -> CallResult:
        """Run it on the state itself."""
        self.result = message(
            state, self.header, tracer=self.trace, precompiles=self.answers.precompiles, **self.arguments
        )
        return self.result

    def again(self, tracer: Any) -> None:
        """Run it once more on the state as it was, where nothing is kept; precompiles answer as they did."""
        arguments = {**self.arguments, "keep": False}
        message(self.before, self.header, tracer=tracer, precompiles=self.answers.replayed(), **arguments)

    @cached_property
    def calls(self) -> np.ndarray:
        """The rows of the calls; none where a contract's address was taken."""
        return self.trace.calls

    @cached_property
    def children(self) -> dict[int, list[int]]:
        """Rows of the calls that a row's frame has made, but for those that were refused."""
        found: dict[int, list[int]] = {}
        for row, (parent, op, status) in enumerate(
            zip(self.calls["parent"].tolist(), self.calls["op"].tolist(), self.calls["status"].tolist())
        ):
            if parent != NO_ROW and op != _SELFDESTRUCT and status not in _REFUSALS:
                found.setdefault(parent, []).append(row)
        return found

    @cached_property
    def beneficiaries(self) -> dict[int, list[bytes]]:
        """Who got what a row's frame had, by SELFDESTRUCT."""
        found: dict[int, list[bytes]] = {}
        for row in np.flatnonzero(self.calls["op"] == _SELFDESTRUCT).tolist():
            found.setdefault(int(self.calls[row]["parent"]), []).append(self.calls[row]["address"].tobytes())
        return found

    @cached_property
    def logs(self) -> dict[int, list[tuple[int, bytes, tuple[int, ...], bytes]]]:
        """(number, address, topics, data) of the logs of a row's frame that were kept."""
        found: dict[int, list[tuple[int, bytes, tuple[int, ...], bytes]]] = {}
        for number, (place, log) in enumerate(zip(self.trace.logs, self.result.logs)):
            topics = tuple(int.from_bytes(topic, "big") for topic in log.topics)
            found.setdefault(int(place["call"]), []).append((number, log.address, topics, log.data))
        return found

    def creations(self) -> Iterator[int]:
        """Rows of the contracts that were to be made, in the order in which they were done."""
        rows = [row for row, op in enumerate(self.calls["op"].tolist()) if op in _CREATIONS]
        done = {row: self._last_row_of(row) for row in rows if int(self.calls[row]["status"]) not in _REFUSALS}
        yield from sorted(done, key=lambda row: (done[row], -row))

    def _last_row_of(self, row: int) -> int:
        depths = self.calls["depth"]
        later = np.flatnonzero(depths[row + 1 :] <= depths[row])
        return int(later[0]) + row if len(later) else len(depths) - 1

    def stores(self) -> Iterator[tuple[int, bytes, int, int]]:
        """(row, account, slot, value) of each SSTORE that ran."""
        steps = self.trace.steps
        if len(steps) == 0:
            return
        stacks, accounts = self.trace.stacks(), self.calls["address"]
        for at, row in enumerate(steps["call"].tolist()):
            items = stacks[at]
            if len(items) == 2:
                yield row, accounts[row].tobytes(), items[1], items[0]

    def code_of(self, address: bytes) -> bytes:
        """An account's code before the message."""
        try:
            return self.before.get_code(address)
        except MissingState:  # an account that the message did not need
            return b""

    @cached_property
    def details(self) -> Details:
        """Its instructions and memories."""
        trace = Trace(steps=True, stack=0, limit=STEPS_MOST, last_memory=True, data=False)
        self.again(trace)
        if trace.steps_left_out:
            trace = Trace(
                steps=True, stack=0, skip=trace.steps_left_out, limit=STEPS_MOST, last_memory=True, data=False
            )
            self.again(trace)
        return Details(trace)


class Details:
    """What the frames of a run did, by the row of the call."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.calls, self.steps = trace.calls, trace.steps
        # Rows of steps, those of one frame after another.
        self._order = np.argsort(self.steps["call"], kind="stable")
        self._begins = np.searchsorted(self.steps["call"][self._order], np.arange(len(self.calls) + 1))

    def steps_of(self, row: int) -> np.ndarray:
        """The steps of a frame."""
        return self.steps[self._order[self._begins[row] : self._begins[row + 1]]]

    def memory_of(self, row: int) -> bytes:
        """The memory of a frame as it ended."""
        return self.trace.last_memory(self.calls[row])

    def gas_of(self, row: int) -> list[tuple[int, int, int]]:
        """(pc, op, gas) of a frame's steps: what each used, a call with what the callee used, the last one with the deposit of code."""
        steps = self.steps_of(row)
        if len(steps) == 0:
            return []
        left = steps["gas"]
        used = np.empty(len(left), np.int64)
        used[:-1] = left[:-1] - left[1:]
        used[-1] = left[-1] - (self.calls[row]["gas"] - self.calls[row]["gas_used"])
        return list(zip(steps["pc"].tolist(), steps["op"].tolist(), used.tolist()))

    @cached_property
    def refunds(self) -> dict[int, list[tuple[int, int]]]:
        """(pc, refund) of the instructions of a row's frame that gave gas back, or took such gas back."""
        found: dict[int, list[tuple[int, int]]] = {}
        counter = 0
        before: dict[int, int] = {}
        open_rows: list[int] = []
        success = STATUS_NAMES.index("SUCCESS")
        parents, statuses = self.calls["parent"].tolist(), self.calls["status"].tolist()
        for row, pc, refund in zip(
            self.steps["call"].tolist(), self.steps["pc"].tolist(), self.steps["refund"].tolist()
        ):
            while open_rows and open_rows[-1] != row and parents[row] != open_rows[-1]:
                ended = open_rows.pop()
                if statuses[ended] != success:
                    counter = before[ended]
            if not open_rows or open_rows[-1] != row:
                open_rows.append(row)
                before[row] = counter
            if refund != counter:
                found.setdefault(row, []).append((pc, refund - counter))
                counter = refund
        return found
