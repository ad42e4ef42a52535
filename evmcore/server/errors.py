"""Errors as JSON-RPC and go-ethereum have them: a code, a message, and maybe data."""

from __future__ import annotations

from typing import Any

from ..dev import BlockNotFound, ExecutionFailed, TransactionNotFound
from ..errors import DecodeError, EvmError, InvalidTransaction
from ..hexadecimal import to_hex
from ..receipt import Receipt
from ..traces import decode_revert
from ..traces.calls import _WORDS
from ..whatif import SimulationRefused

__all__ = ["RpcError", "execution_error", "invalid_params", "of_exception", "revert_message"]

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32700, -32600, -32601, -32602, -32603
SERVER_ERROR = -32000
TIMED_OUT, RESPONSE_TOO_LARGE, LIMIT_EXCEEDED = -32002, -32003, -32005
REVERTED, VM_ERROR = 3, -32015

# Of a simulated call: row of status.def -> code (go-ethereum's, internal/ethapi/errors.go).
_SIMULATION_CODES = {
    "NONCE_TOO_LOW": -38010,
    "NONCE_TOO_HIGH": -38011,
    "MAX_FEE_BELOW_BASE_FEE": -38012,
    "INTRINSIC_GAS_TOO_LOW": -38013,
    "FLOOR_GAS_TOO_LOW": -38013,
    "INSUFFICIENT_FUNDS": -38014,
    "SENDER_NOT_EOA": -38024,
    "INITCODE_TOO_LARGE": -38025,
}
_REFUSAL_CODES = {"block_gas": -38015, "block_number": -38020, "timestamp": -38021, "too_many": -38026}


class RpcError(Exception):
    """An answer that is an error. `data` is left out where it is None."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def to_json(self) -> dict[str, Any]:
        """The member `error`."""
        shown: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            shown["data"] = self.data
        return shown


def invalid_params(message: str) -> RpcError:
    """Parameters that can't be what they should be."""
    return RpcError(INVALID_PARAMS, message)


def revert_message(output: bytes) -> str:
    """go-ethereum's words for a revert."""
    reason = decode_revert(output)
    return "execution reverted" if reason is None or isinstance(reason, bytes) else f"execution reverted: {reason}"


def halt_message(receipt: Receipt) -> str:
    """go-ethereum's words for what isn't a revert."""
    return _WORDS.get(receipt.outcome, receipt.outcome.replace("_", " ").lower())


def execution_error(receipt: Receipt) -> RpcError | None:
    """What eth_call answers for an execution that failed; None: it didn't."""
    if receipt.is_success:
        return None
    if receipt.outcome == "REVERT":
        return RpcError(REVERTED, revert_message(receipt.output), to_hex(receipt.output))
    return RpcError(SERVER_ERROR, halt_message(receipt))


def of_exception(error: BaseException, *, is_simulation: bool = False) -> RpcError:
    """The answer for what a handler raised. What nobody has thought of is an internal error by its name alone."""
    if isinstance(error, RpcError):
        return error
    if isinstance(error, ExecutionFailed):
        return execution_error(error.receipt) or RpcError(SERVER_ERROR, str(error))
    if isinstance(error, BlockNotFound):
        return RpcError(SERVER_ERROR, "header not found")
    if isinstance(error, TransactionNotFound):
        return RpcError(SERVER_ERROR, "transaction not found")
    if isinstance(error, SimulationRefused):
        return RpcError(_REFUSAL_CODES[error.reason], str(error))
    if isinstance(error, InvalidTransaction) and not isinstance(error, DecodeError):
        code = _SIMULATION_CODES.get(error.status, INTERNAL_ERROR) if is_simulation else SERVER_ERROR
        return RpcError(code, f"err: {error}" if is_simulation else str(error))
    if isinstance(error, EvmError):
        return RpcError(SERVER_ERROR, str(error))
    if isinstance(error, MemoryError):
        return RpcError(INTERNAL_ERROR, "not enough memory")
    return RpcError(INTERNAL_ERROR, f"internal error: {type(error).__name__}")
