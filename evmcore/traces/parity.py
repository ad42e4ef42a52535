"""Parity's answers to `trace_call` and `trace_replayTransaction`: flat calls, the difference of the states, instructions frame by frame."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from .._core import OPCODES, STATUSES, Changes, State, Transaction, all_or_nothing, transact
from ..errors import ResourceLimit, UnusableInput
from ..executed import Execution
from ..header import Header
from ..hexadecimal import to_hex
from ..receipt import Receipt
from .calls import FlatCallTracer
from .log import NO_ROW, OPCODE_NAMES, Trace
from .prestate import PrestateTracer, delegation_target

__all__ = ["ANSWERS", "ParityTracer", "replay", "state_difference", "vm_trace"]

ANSWERS = ("trace", "stateDiff", "vmTrace")
_PUSHES = {opcode.number: opcode.pushes for opcode in OPCODES}
# A frame goes on, or has ended with what it did: then Parity says what came of the instruction.
_DONE = frozenset(row.number for row in STATUSES if row.name in ("RUNNING", "SUCCESS", "REVERT"))
_CREATIONS = ("CREATE", "CREATE2")
_CALLS = ("CALL", "CALLCODE", "DELEGATECALL", "STATICCALL", *_CREATIONS)
# Instructions that write memory -> places from the top of the stack of (offset, size); a number that isn't there is MSTORE's and MLOAD's size.
_WRITES: dict[str, tuple[int, int | None]] = {
    "MSTORE": (1, None), "MLOAD": (1, None), "MSTORE8": (1, 0), "CALLDATACOPY": (1, 3), "CODECOPY": (1, 3), "RETURNDATACOPY": (1, 3),
    "MCOPY": (1, 3), "EXTCODECOPY": (2, 4), "CALL": (6, 7), "CALLCODE": (6, 7), "DELEGATECALL": (5, 6), "STATICCALL": (5, 6),
}  # fmt: skip


class ParityTracer(FlatCallTracer):
    """flatCallTracer as Parity has it: gas without what the transaction costs before it begins, errors in its words, no places."""

    def __init__(self, config: Mapping[str, Any], trace: Trace | None = None) -> None:
        super().__init__({**config, "convertParityErrors": True})
        if trace is not None:
            self.trace = trace

    def result(self, execution: Execution) -> list[dict[str, Any]]:
        left_out = ("transactionHash", "transactionPosition", "blockNumber", "blockHash")
        return [{name: one[name] for name in one if name not in left_out} for one in super().result(execution)]

    def _item(self, call: np.void, execution: Execution, is_top: bool) -> dict[str, Any]:
        return super()._item(call, execution, False)


def replay(
    transaction: Transaction,
    state: State,
    header: Header,
    wanted: Collection[str],
    *,
    checks: Mapping[str, bool] | None = None,
    limit_bytes: int | None = None,
    limit_steps: int | None = None,
) -> tuple[dict[str, Any], Receipt, int]:
    """Execute a transaction as `transact` does; (Parity's answer, the receipt, how many steps are in the answer).

    state        changed by the transaction
    wanted       of ANSWERS; the others are null, or [] for trace
    limit_bytes  that may be recorded;  limit_steps  that a vmTrace may have
    raise        ResourceLimit where it takes more; UnusableInput for what is none of ANSWERS; what `transact` raises
    """
    unknown = set(wanted) - set(ANSWERS)
    if unknown:
        raise UnusableInput(f"wanted: {sorted(unknown)[0]!r} is not one of {', '.join(ANSWERS)}")
    has_steps = "vmTrace" in wanted
    trace = Trace(steps=has_steps, memory=has_steps, last_memory=has_steps, limit=limit_steps if has_steps else None)
    trace.limit_bytes = limit_bytes
    if "stateDiff" in wanted and state.is_strict:
        _know(transaction, state, header, checks, limit_bytes)
    before = state.copy()

    def execute() -> tuple[Receipt, Changes | None]:
        snapshot = state.snapshot()
        receipt = transact(transaction, state, header, checks=checks, tracer=trace)
        changes = state.changes_since(snapshot) if "stateDiff" in wanted else None
        state.release(snapshot)
        return receipt, changes

    receipt, changes = all_or_nothing(state, execute)
    if has_steps and trace.steps_left_out:
        raise ResourceLimit(f"vmTrace: {len(trace.steps) + trace.steps_left_out} instructions, may be {limit_steps}")
    execution = Execution(transaction, header, before, state, receipt)
    answer = {
        "output": to_hex(receipt.output),
        "stateDiff": None if changes is None else state_difference(changes, before),
        "trace": ParityTracer({}, trace).result(execution) if "trace" in wanted else [],
        "vmTrace": vm_trace(trace, before, state) if has_steps else None,
    }
    return answer, receipt, len(trace.steps) if has_steps else 0


def _know(
    transaction: Transaction, state: State, header: Header, checks: Mapping[str, bool] | None, limit_bytes: int | None
) -> None:
    """Have a state of a part fetch what the transaction looks at: what it fetches once executing began has no value before it."""
    tracer = PrestateTracer({})
    tracer.trace.limit_bytes = limit_bytes
    after = state.copy()
    receipt = transact(transaction, after, header, checks=checks, tracer=tracer.trace)
    touched = tracer.touched(Execution(transaction, header, state.copy(), after, receipt))
    state.fetch_keys({(address, slot) for address, slots in touched.items() for slot in (None, *slots)})


# -------------------------------------------------------------------- stateDiff


def state_difference(changes: Changes, before: State) -> dict[str, Any]:
    """What differs, by account: "=", {"+": what came}, {"-": what went} or {"*": {"from": …, "to": …}}. before: where codes that went are."""
    slots: dict[int, dict[str, Any]] = {}
    for slot in changes.slots:
        old, new = slot["before"].tobytes(), slot["after"].tobytes()
        if old != new:
            slots.setdefault(int(slot["account"]), {})[to_hex(slot["key"].tobytes())] = (to_hex(old), to_hex(new))
    shown = {}
    for place, row in enumerate(changes.accounts):
        address = row["address"].tobytes()
        existed, exists = bool(row["existed"]), bool(row["exists"])

        def one(old: str, new: str, existed: bool = existed, exists: bool = exists) -> Any:
            if not existed or not exists:
                return {"+": new} if exists else {"-": old}
            return "=" if old == new else {"*": {"from": old, "to": new}}

        old_code, new_code = row["code_hash_before"].tobytes(), row["code_hash_after"].tobytes()
        code = before.get_code(address) if existed else b""
        later = code if old_code == new_code else changes.codes.get(new_code, b"")
        entry = {
            "balance": one(_quantity(row["balance_before"].tobytes()), _quantity(row["balance_after"].tobytes())),
            "code": one(to_hex(code), to_hex(later)),
            "nonce": one(hex(int(row["nonce_before"])), hex(int(row["nonce_after"]))),
            "storage": {key: one(*values) for key, values in sorted(slots.get(place, {}).items())},
        }
        if (existed or exists) and (
            entry["storage"] or any(entry[name] != "=" for name in ("balance", "code", "nonce"))
        ):
            shown[to_hex(address)] = entry
    return shown


def _quantity(number: bytes) -> str:
    return hex(int.from_bytes(number, "big"))


# -------------------------------------------------------------------- vmTrace


def vm_trace(trace: Trace, before: State, after: State) -> dict[str, Any]:
    """The instructions of the outermost frame, and below each call those of the frame that it made."""
    calls, steps, stacks, memories = trace.calls, trace.steps, trace.stacks(), trace.memory_of_steps()
    places: dict[int, list[int]] = {}
    for place, row in enumerate(steps["call"].tolist()):
        places.setdefault(row, []).append(place)
    children: dict[int, list[int]] = {}
    for row, call in enumerate(calls):
        if int(call["parent"]) != NO_ROW and OPCODE_NAMES[int(call["op"])] in _CALLS:
            children.setdefault(int(call["parent"]), []).append(row)
    codes, last_memories = _Codes(trace, before, after), trace.last_memories()
    frames: dict[int, dict[str, Any]] = {}

    def came(name: str, place: int, following: int | None) -> dict[str, Any]:
        """What came of an instruction: the gas that is left, what it pushed, and what it wrote. following: the frame's next."""
        step, stack = steps[place], stacks[place]
        if following is None:
            call = calls[int(step["call"])]
            begin, size = int(call["memory_begin"]), int(call["memory_size"])
            memory, left, pushed = last_memories[begin : begin + size], int(step["gas"]) - int(step["gas_cost"]), []
        else:
            memory, left = memories[following], int(steps[following]["gas"])
            pushes = _PUSHES.get(int(step["op"]), 0)
            pushed = stacks[following][-pushes:] if pushes else []
        return {
            "mem": _written(name, stack, memory),
            "push": [hex(word) for word in pushed],
            "store": {"key": hex(stack[-1]), "val": hex(stack[-2])} if name == "SSTORE" else None,
            "used": max(left, 0),
        }

    for row in sorted(places, reverse=True):  # a frame's calls have later rows
        made = iter(children.get(row, ()))
        own = places[row]
        ops = []
        for place, following in zip(own, [*own[1:], None]):
            step = steps[place]
            name = OPCODE_NAMES.get(int(step["op"]), "")
            is_done = int(step["status"]) in _DONE
            child = next(made, None) if name in _CALLS and is_done else None
            cost = int(step["gas_cost"])
            if child is not None and name in _CREATIONS:
                cost += max(int(calls[child]["gas"]), 0)
            ops.append(
                {
                    "cost": cost,
                    "ex": came(name, place, following) if is_done else None,
                    "pc": int(step["pc"]),
                    "sub": frames.get(child) if child is not None else None,
                }
            )
        frames[row] = {"code": to_hex(codes.of(row)), "ops": ops}
    return frames.get(0, {"code": "0x", "ops": []})


def _written(name: str, stack: list[int], memory: bytes) -> dict[str, Any] | None:
    if name not in _WRITES:
        return None
    offset_place, size_place = _WRITES[name]
    offset = stack[-offset_place]
    size = 32 if size_place is None else stack[-size_place] if size_place else 1
    return {"data": to_hex(memory[offset : offset + size]), "off": offset} if size else None


class _Codes:
    """Which code each frame ran."""

    def __init__(self, trace: Trace, before: State, after: State) -> None:
        self.trace, self.before, self.after = trace, before, after
        self.calls = trace.calls
        self.made = {
            call["address"].tobytes(): trace.output(call)
            for call in self.calls
            if OPCODE_NAMES[int(call["op"])] in _CREATIONS
        }

    def of(self, row: int) -> bytes:
        call = self.calls[row]
        if OPCODE_NAMES[int(call["op"])] in _CREATIONS:
            return self.trace.input(call)
        code = self._at(call["code_address"].tobytes())
        target = delegation_target(code)
        return code if target is None else self._at(target)

    def _at(self, address: bytes) -> bytes:
        """After the transaction, where delegations are; of what was made and is gone again what was made; of what it destroyed what was."""
        return self.after.get_code(address) or self.made.get(address) or self.before.get_code(address)
