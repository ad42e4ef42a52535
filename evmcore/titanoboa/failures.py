"""py-evm's exceptions for how an execution ended, which boa's users catch."""

from __future__ import annotations

from typing import Any

from eth import exceptions as py_evm

__all__ = ["failure_of"]

# Rows of status.def; others are a VMError.
_KINDS = {
    "OUT_OF_GAS": py_evm.OutOfGas,
    "STACK_UNDERFLOW": py_evm.InsufficientStack,
    "STACK_OVERFLOW": py_evm.FullStack,
    "UNDEFINED_INSTRUCTION": py_evm.InvalidInstruction,
    "INVALID_INSTRUCTION": py_evm.InvalidInstruction,
    "BAD_JUMP_DESTINATION": py_evm.InvalidJumpDestination,
    "STATIC_MODE_VIOLATION": py_evm.WriteProtection,
    "RETURN_DATA_OUT_OF_BOUNDS": py_evm.OutOfBoundsRead,
    "CALL_DEPTH_EXCEEDED": py_evm.StackDepthLimit,
    "INSUFFICIENT_BALANCE": py_evm.InsufficientFunds,
    "ADDRESS_COLLISION": py_evm.ContractCreationCollision,
    "INVALID_CODE_PREFIX": py_evm.ReservedBytesInCode,
    "CODE_SIZE_EXCEEDED": py_evm.OutOfGas,
    "INITCODE_SIZE_EXCEEDED": py_evm.OutOfGas,
}


def failure_of(outcome: str, output: bytes) -> Any:
    """The exception of an outcome; None for a success. That of a revert has the output."""
    if outcome == "SUCCESS":
        return None
    if outcome == "REVERT":
        return py_evm.Revert(output)
    return _KINDS.get(outcome, py_evm.VMError)(outcome.replace("_", " ").lower())
