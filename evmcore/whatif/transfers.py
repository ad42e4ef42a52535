"""The logs of a simulated call, with transfers of value among them as logs of a token at 0xeeee… where they are wanted.

A log's index in the block counts those before it, taken-back ones included, as go-ethereum's simulation does.
"""

from __future__ import annotations

from .._core import STATUSES
from ..receipt import Log, Receipt
from ..traces import Trace
from ..traces.log import NO_ROW, OPCODE_NAMES, OPCODE_NUMBERS

__all__ = ["log_trace", "logs_with_transfers"]

ADDRESS = b"\xee" * 20  # ERC-7528
# keccak256("Transfer(address,address,uint256)")
TOPIC = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
_NUMBERS = {row.name: row.number for row in STATUSES}
_SUCCESS, _RUNNING = _NUMBERS["SUCCESS"], _NUMBERS["RUNNING"]
_LOGS = ("LOG0", "LOG1", "LOG2", "LOG3", "LOG4")
_CALLS = ("CALL", "CALLCODE", "DELEGATECALL", "STATICCALL", "CREATE", "CREATE2")
_LOG_NUMBERS = frozenset(OPCODE_NUMBERS[name] for name in _LOGS)


def log_trace() -> Trace:
    """What has to be recorded."""
    return Trace(steps=True, opcodes=(*_LOGS, *_CALLS), stack=0, data=False)


def logs_with_transfers(
    trace: Trace, receipt: Receipt, first: int, *, has_transfers: bool
) -> tuple[list[tuple[Log, int]], int]:
    """((log, index), … of those that stayed, in their order; the index after the last one, whether it stayed or not). first: of its first one."""
    calls = trace.calls
    parents = [int(row) for row in calls["parent"]]
    children: list[list[int]] = [[] for _ in parents]
    kept = [int(row["status"]) == _SUCCESS for row in calls]
    for row, parent in enumerate(parents):
        if parent != NO_ROW:
            children[parent].append(row)
            kept[row] = kept[row] and kept[parent]
    after = list(range(1, len(parents) + 1))  # the first row that isn't below this one
    for row in range(len(parents) - 1, -1, -1):
        if children[row]:
            after[row] = after[children[row][-1]]
    # (the row of the call that comes next, 0 for a log and 1 for that call's own transfer, the log; None: it was taken back)
    events: list[tuple[int, int, Log | None]] = []
    logs = iter(receipt.logs)
    made = [0] * len(parents)
    for step in trace.steps:
        if int(step["status"]) != _RUNNING:
            continue
        row = int(step["call"])
        if int(step["op"]) in _LOG_NUMBERS:
            following = children[row][made[row]] if made[row] < len(children[row]) else after[row]
            events.append((following, 0, next(logs, None) if kept[row] else None))
        else:
            made[row] += 1
    for row, call in enumerate(calls if has_transfers else ()):
        value = int.from_bytes(call["value"].tobytes(), "big")
        if value and OPCODE_NAMES[int(call["op"])] != "DELEGATECALL":
            ends = (call["caller"].tobytes(), call["code_address"].tobytes())
            topics = (TOPIC, *(end.rjust(32, b"\0") for end in ends))
            events.append((row, 1, Log(ADDRESS, topics, value.to_bytes(32, "big")) if kept[row] else None))
    events.sort(key=lambda event: event[:2])
    return [(log, first + at) for at, (_, _, log) in enumerate(events) if log is not None], first + len(events)
