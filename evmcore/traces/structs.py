"""The struct logger: step by step, as `debug_traceTransaction` answers where no tracer is named."""

from __future__ import annotations

from typing import Any

from .._core import STATUSES
from ..executed import Execution
from ..hexadecimal import to_hex
from .answers import Answer
from .calls import error_text
from .log import OPCODE_NAMES, Trace

__all__ = ["StructLogger"]

_NUMBERS = {row.name: row.number for row in STATUSES}
_RUNNING, _SUCCESS = _NUMBERS["RUNNING"], _NUMBERS["SUCCESS"]
_CALLS = ("CALL", "CALLCODE", "DELEGATECALL", "STATICCALL", "CREATE", "CREATE2")


class StructLogger(Answer):
    """Configuration: enableMemory, disableStack, disableStorage, enableReturnData, limit."""

    def make_trace(self) -> Trace:
        limit = self.config.get("limit") or None
        return Trace(steps=True, memory=self.is_on("enableMemory"), limit=limit)

    def result(self, execution: Execution) -> dict[str, Any]:
        receipt = execution.receipt
        return {
            "gas": receipt.gas_used,
            "failed": not receipt.is_success,
            "returnValue": to_hex(self._returned()),
            "structLogs": self._steps(),
        }

    def _returned(self) -> bytes:
        calls = self.trace.calls
        if not len(calls):
            return b""
        status = int(calls[0]["status"])
        return self.trace.output(calls[0]) if status in (_SUCCESS, _NUMBERS["REVERT"]) else b""

    def _steps(self) -> list[dict[str, Any]]:
        trace = self.trace
        steps, stacks, memories, calls = trace.steps, trace.stacks(), trace.memory_of_steps(), trace.calls
        storage: dict[bytes, dict[int, int]] = {}
        returned = _ReturnData(trace)
        shown = []
        for place, step in enumerate(steps):
            op, call = int(step["op"]), int(step["call"])
            name = OPCODE_NAMES.get(op, f"opcode {op:#x} not defined")
            stack = stacks[place]
            line: dict[str, Any] = {
                "pc": int(step["pc"]),
                "op": name,
                "gas": int(step["gas"]),
                "gasCost": int(step["gas_cost"]),
                "depth": int(step["depth"]),
            }
            status = int(step["status"])
            if status not in (_RUNNING, _SUCCESS):
                line["error"] = error_text(status, op, int(step["stack_size"]))
            if not self.is_on("disableStack"):
                line["stack"] = [hex(word) for word in stack]
            data = returned.before(call)
            if self.is_on("enableReturnData") and data:
                line["returnData"] = to_hex(data)
            if self.is_on("enableMemory") and step["memory_size"]:
                memory = memories[place]
                line["memory"] = [to_hex(memory[at : at + 32]) for at in range(0, len(memory), 32)]
            if not self.is_on("disableStorage") and name in ("SLOAD", "SSTORE") and status == _RUNNING and stack:
                slots = storage.setdefault(calls[call]["address"].tobytes(), {})
                if name == "SSTORE":
                    slots[stack[-1]] = stack[-2]
                else:
                    after = stacks[place + 1] if place + 1 < len(steps) else []
                    slots[stack[-1]] = after[-1] if after else 0
                line["storage"] = {f"0x{slot:064x}": f"0x{value:064x}" for slot, value in sorted(slots.items())}
            if step["refund"]:
                line["refund"] = int(step["refund"])
            if name in _CALLS and status == _RUNNING:
                returned.called(call)
            shown.append(line)
        return shown


class _ReturnData:
    """What RETURNDATASIZE would see in each frame: the output of the last call that it made."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.children: dict[int, list[int]] = {}
        for row, call in enumerate(trace.calls):
            if OPCODE_NAMES[int(call["op"])] != "SELFDESTRUCT":
                self.children.setdefault(int(call["parent"]), []).append(row)
        self.made: dict[int, int] = {}

    def called(self, call: int) -> None:
        """The frame of that call has made one more."""
        self.made[call] = self.made.get(call, 0) + 1

    def before(self, call: int) -> bytes:
        """What the frame's next instruction finds."""
        made = self.made.get(call, 0)
        children = self.children.get(call, [])
        if not 0 < made <= len(children):
            return b""
        last = self.trace.calls[children[made - 1]]
        is_creation = OPCODE_NAMES[int(last["op"])] in ("CREATE", "CREATE2")
        status = int(last["status"])
        if status == _NUMBERS["REVERT"] or (status == _SUCCESS and not is_creation):
            return self.trace.output(last)
        return b""
