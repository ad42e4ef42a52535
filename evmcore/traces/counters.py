"""The small tracers: 4byteTracer, opcodeCounter, keccak256PreimageTracer, muxTracer, noopTracer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from .._core import STATUSES, keccak256
from ..executed import Execution
from ..hexadecimal import to_hex
from .answers import Answer, answer_of
from .log import OPCODE_NAMES, OPCODE_NUMBERS, Trace

__all__ = ["FourByteTracer", "KeccakTracer", "MuxTracer", "NoopTracer", "OpcodeCounter"]

_CALLS = ("CALL", "CALLCODE", "DELEGATECALL", "STATICCALL")
_KECCAK256 = OPCODE_NUMBERS["KECCAK256"]
_RUNNING = next(row.number for row in STATUSES if row.name == "RUNNING")


class FourByteTracer(Answer):
    """4byteTracer: how often each selector was called with each size of arguments, "0x27dc297e-128" -> times."""

    def result(self, execution: Execution) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for call in self.trace.calls:
            if OPCODE_NAMES[int(call["op"])] in _CALLS and call["input_size"] >= 4 and not call["is_precompile"]:
                given = self.trace.input(call)
                counts[f"{to_hex(given[:4])}-{len(given) - 4}"] += 1
        return dict(counts)


class OpcodeCounter(Answer):
    """opcodeCounter: how often each instruction was executed, by name."""

    def make_trace(self) -> Trace:
        return Trace(counts=True, data=False)

    def result(self, execution: Execution) -> dict[str, int]:
        return self.trace.counts


class KeccakTracer(Answer):
    """keccak256PreimageTracer: what was hashed, by its hash."""

    def make_trace(self) -> Trace:
        return Trace(steps=True, opcodes=["KECCAK256"], stack=2, memory=True, data=False)

    def result(self, execution: Execution) -> dict[str, str]:
        found = {}
        stacks, memories = self.trace.stacks(), self.trace.memory_of_steps()
        for place, step in enumerate(self.trace.steps):
            if step["op"] != _KECCAK256 or step["status"] != _RUNNING or step["stack_kept"] < 2:
                continue
            size, offset = stacks[place][-2:]
            content = memories[place][offset : offset + size].ljust(size, b"\0") if size else b""
            found[to_hex(keccak256(content))] = to_hex(content)
        return found


class NoopTracer(Answer):
    """noopTracer: nothing."""

    def make_trace(self) -> Trace:
        return Trace(data=False)

    def result(self, execution: Execution) -> dict[str, Any]:
        return {}


class MuxTracer(Answer):
    """muxTracer: several tracers at once. Configuration: tracer -> its configuration."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.parts = {name: answer_of(name, options) for name, options in config.items()}
        super().__init__(config)

    def make_trace(self) -> Trace:
        """One that records what any of them needs: all steps, if some need some."""
        kinds = [type(part) for part in self.parts.values()]
        wants_steps = any(part.trace.wants_steps for part in self.parts.values())
        memory = any(part.trace.wants_memory for part in self.parts.values())
        trace = Trace(steps=wants_steps, memory=memory, counts=OpcodeCounter in kinds)
        for part in self.parts.values():
            part.trace = trace
        return trace

    def result(self, execution: Execution) -> dict[str, Any]:
        return {name: part.result(execution) for name, part in self.parts.items()}
