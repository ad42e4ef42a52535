"""Traces for people, as go-ethereum's `evm` writes them: --trace.format=struct and md."""

from __future__ import annotations

from typing import TextIO

from .._core import STATUSES
from ..tracing import CallEnd, CallStart, Step, Tracer
from ..transition.words import checksum_address

__all__ = ["MarkdownTrace", "StructTrace", "geth_error"]

# Text of a status, as tracers in Python are told it -> go-ethereum's.
_WORDS = {
    "revert": "execution reverted",
    "bad jump destination": "invalid jump destination",
    "static mode violation": "write protection",
    "stack overflow": "stack limit reached 1024 (1023)",
    "call depth exceeded": "max call depth exceeded",
    "insufficient balance": "insufficient balance for transfer",
    "nonce overflow": "nonce uint64 overflow",
    "address collision": "contract address collision",
    "invalid code prefix": "invalid code: must not begin with 0xef",
    "code size exceeded": "max code size exceeded",
    "initcode size exceeded": "max initcode size exceeded",
}
_LATE = ("revert", "undefined instruction", "invalid instruction", "bad jump destination", "static mode violation",
         "return data out of bounds")  # fmt: skip
assert set(_WORDS) <= {row.text for row in STATUSES}


def geth_error(error: str | None, step: Step | None = None) -> str | None:
    """What ended a frame, in go-ethereum's words; `step`: its last instruction."""
    if error in ("undefined instruction", "invalid instruction"):
        return f"invalid opcode: {_name(step)}" if step is not None else "invalid opcode"
    return error if error is None else _WORDS.get(error, error)


def as_geth_prices(step: Step) -> Step:
    """It gives up on a call whose account it can't pay to look at before it has counted that in (EIP-2929: 100, and 2,500 more)."""
    if (
        step.error == "out of gas"
        and step.gas_cost == 2600
        and step.name in ("CALL", "CALLCODE", "DELEGATECALL", "STATICCALL")
    ):
        return step._replace(gas_cost=100, error="out of gas: out of gas")
    return step


def _name(step: Step) -> str:
    if step.name.startswith("0x"):
        return f"opcode {hex(step.op)} not defined"
    return "DIFFICULTY" if step.name == "PREVRANDAO" else step.name


def is_late(step: Step) -> bool:
    """Whether go-ethereum finds the fault only when the instruction runs."""
    if step.error == "static mode violation":
        return step.name.startswith("LOG") or step.name == "TSTORE"
    return step.error in _LATE


class StructTrace(Tracer):
    """A paragraph an instruction: its price, the stack from its top, memory and the storage seen so far."""

    def __init__(self, stream: TextIO, *, stack: bool, memory: bool, return_data: bool, storage: bool) -> None:
        self.stream, self.storage = stream, storage
        self.wants_memory, self.wants_return_data = memory, return_data
        self.shows_stack = stack
        self.seen: dict[bytes, dict[int, int]] = {}
        self.loading: tuple[Step, int] | None = None

    def on_step(self, step: Step) -> None:
        step = as_geth_prices(step)
        assert step.stack is not None
        lines = [f"{_name(step):<16}pc={step.pc:08d} gas={step.gas} cost={step.gas_cost}"]
        if step.error is not None and not is_late(step):
            lines[0] += f" ERROR: {geth_error(step.error, step)}"
        if step.stack and self.shows_stack:
            lines += ["Stack:", *(f"{i:08d}  {hex(word)}" for i, word in enumerate(reversed(step.stack)))]
        if step.memory:
            lines += ["Memory:", *_hex_dump(step.memory)]
        if self.storage and step.name == "SSTORE" and len(step.stack) > 1:
            slots = self.seen.setdefault(step.address, {})
            slots[step.stack[-1]] = step.stack[-2]
            lines += ["Storage:", *(f"{slot:064x}: {value:064x}" for slot, value in sorted(slots.items()))]
        if step.return_data:
            lines += ["ReturnData:", *_hex_dump(step.return_data)]
        self.stream.write("\n".join(lines) + "\n\n")


class MarkdownTrace(Tracer):
    """A table, with what was called before it and what came of it behind."""

    wants_return_data = False

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.last: Step | None = None

    def on_enter(self, start: CallStart) -> None:
        if start.depth != 1:
            return
        to = "create" if start.kind.startswith("CREATE") else "to"
        data = "0x" + start.input.hex() if start.input else ""
        self.stream.write(
            "Pre-execution info:\n"
            f"  - from: `{checksum_address(start.caller)}`\n"
            f"  - {to}: `{checksum_address(start.address)}`\n"
            f"  - data: `{data}`\n  - gas: `{start.gas}`\n  - value: `{start.value}` wei\n\n"
            "|  Pc   |      Op     | Cost |   Refund  |   Stack   |\n"
            "|-------|-------------|------|-----------|-----------|\n"
        )

    def on_step(self, step: Step) -> None:
        step = as_geth_prices(step)
        self.last = step
        stack = "[" + ",".join(map(hex, step.stack or ())) + "]"
        self.stream.write(
            f"| {step.pc:4d}  | {_name(step):>10}  |  {step.gas_cost:3d} |{step.refund:10d} |{stack:>10} |\n"
        )
        if step.error is not None:
            text = geth_error(step.error, step)
            self.stream.write(
                f"\nError: at pc={step.pc}, op={step.op}: {text}\n" if is_late(step) else f"Error: {text}\n"
            )

    def on_exit(self, end: CallEnd) -> None:
        if end.depth != 1:
            return
        output = "0x" + end.output.hex() if end.output else ""
        error = geth_error(end.error, self.last) or "<nil>"
        self.stream.write(
            f"\nPost-execution info:\n  - output: `{output}`\n  - consumed gas: `{end.gas_used}`\n  - error: `{error}`\n"
        )


def _hex_dump(content: bytes) -> list[str]:
    """Sixteen bytes a line, in hexadecimal and as characters."""
    lines = []
    for at in range(0, len(content), 16):
        part = content[at : at + 16]
        digits = f"{part[:8].hex(' '):<23}  {part[8:].hex(' '):<23}"
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{at:08x}  {digits}  |{text}|")
    return lines
