"""Call trees: callTracer and flatCallTracer, as go-ethereum answers them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import OPCODES, STATUSES
from ..errors import UnusableInput
from ..executed import Execution
from ..hexadecimal import to_hex
from .answers import Answer
from .log import NO_ROW, OPCODE_NAMES
from .reverts import decode_revert

__all__ = ["CallTracer", "FlatCallTracer", "error_text"]

STATUS_NAMES = tuple(row.name for row in STATUSES)
SUCCESS, REVERT = STATUS_NAMES.index("SUCCESS"), STATUS_NAMES.index("REVERT")
_OUT_OF_GAS = STATUS_NAMES.index("OUT_OF_GAS")
_CREATIONS = ("CREATE", "CREATE2")
_BLAKE2F, _BLAKE2F_BYTES = (9).to_bytes(20, "big"), 213  # EIP-152
_DEPTHS = {opcode.number: opcode.depth for opcode in OPCODES}
# What a static call may not do, and finds out when it runs; the others when they are priced.
_LATE = ("LOG0", "LOG1", "LOG2", "LOG3", "LOG4", "TSTORE")
# Row of status.def -> go-ethereum's words; others are ours.
_WORDS = {
    "REVERT": "execution reverted",
    "STACK_OVERFLOW": "stack limit reached 1024 (1023)",
    "BAD_JUMP_DESTINATION": "invalid jump destination",
    "STATIC_MODE_VIOLATION": "write protection",
    "CALL_DEPTH_EXCEEDED": "max call depth exceeded",
    "INSUFFICIENT_BALANCE": "insufficient balance for transfer",
    "NONCE_OVERFLOW": "nonce uint64 overflow",
    "ADDRESS_COLLISION": "contract address collision",
    "INVALID_CODE_PREFIX": "invalid code: must not begin with 0xef",
    "CODE_SIZE_EXCEEDED": "max code size exceeded",
    "INITCODE_SIZE_EXCEEDED": "max initcode size exceeded",
}


def error_text(status: int, op: int, stack_size: int) -> str | None:
    """What an instruction ended its frame with, in go-ethereum's words; None for success."""
    if status == SUCCESS:
        return None
    name = STATUS_NAMES[status]
    if name in ("UNDEFINED_INSTRUCTION", "INVALID_INSTRUCTION"):
        return f"invalid opcode: {OPCODE_NAMES.get(op, f'opcode {op:#x} not defined')}"
    if name == "STACK_UNDERFLOW":
        return f"stack underflow ({stack_size} <=> {_DEPTHS[op]})"
    if name == "STATIC_MODE_VIOLATION" and OPCODE_NAMES[op] not in _LATE:
        return "out of gas: write protection"
    return _WORDS.get(name, name.replace("_", " ").lower())


def error_of(call: np.void) -> str | None:
    """What ended a call, in go-ethereum's words; None for success."""
    status, op = int(call["status"]), int(call["last_op"])
    if status == _OUT_OF_GAS and OPCODE_NAMES[int(call["op"])] in _CREATIONS and int(call["last_status"]) == SUCCESS:
        return "contract creation code storage out of gas"
    if status == _OUT_OF_GAS and OPCODE_NAMES.get(op) == "SSTORE" and call["had_gas"]:
        return "out of gas: not enough gas for reentrancy sentry"  # EIP-2200
    if STATUS_NAMES[status] == "PRECOMPILE_FAILURE" and call["code_address"].tobytes() == _BLAKE2F:
        return "invalid input length" if int(call["input_size"]) != _BLAKE2F_BYTES else "invalid final flag"
    return error_text(status, op, int(call["last_stack"]))


def sender_of(call: np.void) -> bytes:
    """Who made the call: of a DELEGATECALL the account that made it, not the one that its code takes for the caller."""
    is_delegated = OPCODE_NAMES[int(call["op"])] == "DELEGATECALL"
    return bytes(call["address" if is_delegated else "caller"].tobytes())


class CallTracer(Answer):
    """callTracer: a tree. Configuration: onlyTopCall, withLog."""

    def result(self, execution: Execution) -> dict[str, Any]:
        calls = self.trace.calls
        logs = self._logs(execution) if self.is_on("withLog") else {}
        frames: list[dict[str, Any]] = []
        for row, call in enumerate(calls):
            frame = self._frame(call)
            if row in logs:
                frame["logs"] = logs[row]
            frames.append(frame)
            parent = int(call["parent"])
            if parent != NO_ROW and not self.is_on("onlyTopCall"):
                frames[parent].setdefault("calls", []).append(frame)
        if not frames:
            return {}
        top = frames[0]
        top["gas"] = hex(execution.transaction.gas_limit)
        top["gasUsed"] = hex(execution.receipt.gas_used)
        return top

    def _frame(self, call: np.void) -> dict[str, Any]:
        name = OPCODE_NAMES[int(call["op"])]
        frame: dict[str, Any] = {
            "from": to_hex(sender_of(call)),
            "gas": hex(int(call["gas"])),
            "gasUsed": hex(int(call["gas_used"])),
            "to": to_hex(call["code_address"].tobytes()),
            "input": to_hex(self.trace.input(call)),
            "type": name,
        }
        if name != "STATICCALL":
            frame["value"] = hex(int.from_bytes(call["value"].tobytes(), "big"))
        status = int(call["status"])
        output = self.trace.output(call)
        if status in (SUCCESS, REVERT) and output:
            frame["output"] = to_hex(output)
        if status != SUCCESS:
            frame["error"] = error_of(call)
            if name in ("CREATE", "CREATE2"):
                del frame["to"]
            reason = decode_revert(output) if status == REVERT else None
            if reason is not None and not isinstance(reason, bytes):
                frame["revertReason"] = str(reason)
        return frame

    def _logs(self, execution: Execution) -> dict[int, list[dict[str, Any]]]:
        """The logs that were kept, by the row of their call."""
        found: dict[int, list[dict[str, Any]]] = {}
        for index, (place, log) in enumerate(zip(self.trace.logs, execution.receipt.logs)):
            found.setdefault(int(place["call"]), []).append(
                {
                    "address": to_hex(log.address),
                    "topics": [to_hex(topic) for topic in log.topics],
                    "data": to_hex(log.data),
                    "position": hex(int(place["position"])),
                    "index": hex(index),
                }
            )
        return found


class FlatCallTracer(Answer):
    """flatCallTracer: Parity's list of calls. Configuration: convertParityErrors, includePrecompiles."""

    def result(self, execution: Execution) -> list[dict[str, Any]]:
        calls = self.trace.calls
        addresses: list[list[int]] = []
        children = [0] * len(calls)
        kept: list[tuple[int, dict[str, Any]]] = []
        for row, call in enumerate(calls):
            parent = int(call["parent"])
            is_left_out = (
                bool(call["is_precompile"])
                and parent != NO_ROW
                and OPCODE_NAMES[int(call["op"])] in ("CALL", "STATICCALL")
                and not self.is_on("includePrecompiles")
            )
            if parent == NO_ROW:
                addresses.append([])
            else:
                addresses.append([*addresses[parent], children[parent]])
                if not is_left_out:
                    children[parent] += 1
            if not is_left_out:
                kept.append((row, self._item(call, execution, row == 0)))
        try:
            block_hash = to_hex(execution.header.hash)
        except UnusableInput:  # a block in the making
            block_hash = None
        for row, item in kept:
            item["subtraces"] = children[row]
            item["traceAddress"] = addresses[row]
            item["transactionHash"] = to_hex(execution.transaction.hash)
            item["transactionPosition"] = execution.index
            item["blockNumber"] = execution.header.number
            item["blockHash"] = block_hash
        return [item for _, item in kept]

    def _item(self, call: np.void, execution: Execution, is_top: bool) -> dict[str, Any]:
        name = OPCODE_NAMES[int(call["op"])]
        gas = execution.transaction.gas_limit if is_top else int(call["gas"])
        used = execution.receipt.gas_used if is_top else int(call["gas_used"])
        value = hex(int.from_bytes(call["value"].tobytes(), "big"))
        caller, address = to_hex(sender_of(call)), to_hex(call["code_address"].tobytes())
        if name == "SELFDESTRUCT":
            action = {"address": caller, "refundAddress": address, "balance": value}
            return {"action": action, "type": "suicide"}
        given, output = to_hex(self.trace.input(call)), to_hex(self.trace.output(call))
        item: dict[str, Any]
        if name in ("CREATE", "CREATE2"):
            item = {
                "action": {
                    "creationMethod": name.lower(),
                    "from": caller,
                    "gas": hex(gas),
                    "init": given,
                    "value": value,
                },
                "result": {"address": address, "code": output, "gasUsed": hex(used)},
                "type": "create",
            }
        else:
            item = {
                "action": {
                    "callType": name.lower(), "from": caller, "to": address, "gas": hex(gas), "input": given, "value": value,
                },
                "result": {"gasUsed": hex(used), "output": output},
                "type": "call",
            }  # fmt: skip
        status = int(call["status"])
        if status != SUCCESS:
            item["error"] = self._error(call)
            if status == REVERT and name not in ("CREATE", "CREATE2"):
                item["result"] = {"gasUsed": hex(used), "output": output}
            else:
                del item["result"]
        return item

    def _error(self, call: np.void) -> str | None:
        text = error_of(call)
        if not self.is_on("convertParityErrors"):
            return text
        return _PARITY.get(STATUS_NAMES[int(call["status"])], text)


_PARITY = {
    "REVERT": "Reverted",
    "OUT_OF_GAS": "Out of gas",
    "BAD_JUMP_DESTINATION": "Bad jump destination",
    "STACK_UNDERFLOW": "Stack underflow",
    "STACK_OVERFLOW": "Out of stack",
    "UNDEFINED_INSTRUCTION": "Bad instruction",
    "INVALID_INSTRUCTION": "Bad instruction",
    "STATIC_MODE_VIOLATION": "Mutable Call In Static Context",
    "PRECOMPILE_FAILURE": "Built-in failed",
}
