"""The lines that pyrevm prints while it traces, on `sys.stdout`: one a step, and one that closes the message."""

from __future__ import annotations

import json
import sys

from ..tracing import Step, Tracer

__all__ = ["Printer", "closing_line"]


def _line(members: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(members, separators=(",", ":")) + "\n")


class Printer(Tracer):
    """Prints a line a step, in pyrevm's form of EIP-3155."""

    def on_step(self, step: Step) -> None:
        members: dict[str, object] = {
            "pc": step.pc,
            "op": step.op,
            "gas": hex(step.gas),
            "gasCost": hex(step.gas_cost),
            "stack": [hex(word) for word in step.stack or ()],
            "depth": step.depth,
            "returnData": "0x" + (step.return_data or b"").hex(),
            "refund": hex(step.refund),
            "memSize": str(step.memory_size),
            "opName": step.name,
        }
        if step.error is not None:
            members["error"] = "Revert" if step.error == "revert" else step.error
        _line(members)


def closing_line(output: bytes, gas_used: int, passed: bool, fork: str) -> None:
    """Print how the message ended. The state root is zero, as pyrevm's is: no message has one."""
    _line(
        {
            "stateRoot": "0x" + "00" * 32,
            "output": "0x" + output.hex(),
            "gasUsed": hex(gas_used),
            "pass": passed,
            "fork": fork,
        }
    )
