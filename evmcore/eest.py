"""evmcore for the execution-spec tests: a transition tool in process, an exception mapper and a fixture consumer.

`evaluate`, `EXCEPTIONS`, `exceptions_of` and `consume` need no package but evmcore. `transition_tool_class()` makes the class that the
framework (the execution-specs repository's `execution_testing`, before that `ethereum_clis`) registers by itself once it exists; the
framework is on no package index, so that the class is made of what it exports, when it is installed.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import __version__
from .conformance import block_tests, state_tests
from .conformance.discovery import Selection
from .conformance.results import CaseResult
from .errors import EvmError
from .transition import Transition, transition

__all__ = ["EXCEPTIONS", "NAME", "consume", "evaluate", "exceptions_of", "transition_tool_class"]

NAME = "evmcore"
# The framework's packages, the newest first.
_PACKAGES = ("execution_testing.client_clis", "ethereum_clis")

# The framework's name of a reason -> what the message of a rejected transaction has in it, as a regular expression.
EXCEPTIONS: Mapping[str, str] = {
    "TransactionException.NONCE_MISMATCH_TOO_LOW": r"nonce too low",
    "TransactionException.NONCE_MISMATCH_TOO_HIGH": r"nonce too high",
    "TransactionException.NONCE_IS_MAX": r"nonce has max value",
    "TransactionException.SENDER_NOT_EOA": r"sender not an eoa",
    "TransactionException.INSUFFICIENT_ACCOUNT_FUNDS": r"insufficient funds for gas \* price \+ value: address \S+ have",
    "TransactionException.GASLIMIT_PRICE_PRODUCT_OVERFLOW": r"required balance exceeds 256 bits",
    "TransactionException.INTRINSIC_GAS_TOO_LOW": r"intrinsic gas too low",
    "TransactionException.INTRINSIC_GAS_BELOW_FLOOR_GAS_COST": r"insufficient gas for floor data gas cost",
    "TransactionException.GAS_ALLOWANCE_EXCEEDED": r"gas limit reached",
    "TransactionException.GAS_LIMIT_EXCEEDS_MAXIMUM": r"transaction gas limit too high",
    "TransactionException.INITCODE_SIZE_EXCEEDED": r"max initcode size exceeded",
    "TransactionException.INSUFFICIENT_MAX_FEE_PER_GAS": r"max fee per gas less than block base fee",
    "TransactionException.PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS": r"max priority fee per gas higher than max fee per gas",
    "TransactionException.INSUFFICIENT_MAX_FEE_PER_BLOB_GAS": r"max fee per blob gas less than block blob gas fee",
    "TransactionException.TYPE_3_TX_MAX_BLOB_GAS_ALLOWANCE_EXCEEDED": r"blob gas \(\d+\) would exceed maximum allowance",
    "TransactionException.TYPE_3_TX_BLOB_COUNT_EXCEEDED": r"blob transaction has too many blobs",
    "TransactionException.TYPE_3_TX_ZERO_BLOBS": r"blob transaction missing blob hashes",
    "TransactionException.TYPE_3_TX_INVALID_BLOB_VERSIONED_HASH": r"blob has invalid hash version",
    "TransactionException.TYPE_3_TX_CONTRACT_CREATION": r"decoding into \(types\.Transaction\)\(types\.BlobTx\)\.To|blob transaction of type create",
    "TransactionException.TYPE_4_TX_CONTRACT_CREATION": r"decoding into \(types\.Transaction\)\(types\.SetCodeTx\)\.To"
    r"|EIP-7702 transaction cannot be used to create contract",
    "TransactionException.TYPE_4_EMPTY_AUTHORIZATION_LIST": r"EIP-7702 transaction with empty auth list",
    "TransactionException.TYPE_NOT_SUPPORTED": r"transaction type not supported",
    "TransactionException.INVALID_CHAINID": r"invalid chain id for signer",
    "TransactionException.INVALID_SIGNATURE_VRS": r"invalid transaction v, r, s values",
    "BlockException.SYSTEM_CONTRACT_EMPTY": r"system contract empty",
    "BlockException.SYSTEM_CONTRACT_CALL_FAILED": r"system call failed",
    "BlockException.INVALID_DEPOSIT_EVENT_LAYOUT": r"deposit layout",
}


def exceptions_of(message: str) -> list[str]:
    """The framework's names of the reasons that a message tells."""
    return [name for name, pattern in EXCEPTIONS.items() if re.search(pattern, message)]


def evaluate(request: Mapping[str, Any]) -> dict[str, Any]:
    """A transition, asked for as the framework asks a server: {"state": {fork, chainid, reward}, "input": {alloc, env, txs, blobParams}}.

    return  {"alloc", "result", "body"} as JSON's values
    raise   TransitionFault with go-ethereum's exit status
    """
    state, given = request["state"], request["input"]
    limits = given.get("blobParams")
    made = transition(
        given["alloc"],
        given["env"],
        given.get("txs") or [],
        fork=state["fork"],
        chain_id=int(state.get("chainid", 1)),
        reward=int(state.get("reward", -1)),
        blob_limits=None if limits is None else _limits(limits),
    )
    return _answer(made)


def _answer(made: Transition) -> dict[str, Any]:
    return {"alloc": made.alloc, "result": made.result, "body": "0x" + made.body.hex()}


def _limits(value: Mapping[str, Any]) -> tuple[int, int, int]:
    from .hexadecimal import field, quantity

    target, most, fraction = (
        quantity(field(value, name, "blobParams"), f"blobParams.{name}", 63)
        for name in ("target", "max", "baseFeeUpdateFraction")
    )
    return target, most, fraction


_CONSUMERS: Mapping[str, Callable[..., list[CaseResult]]] = {
    "state_test": state_tests.run_file,
    "blockchain_test": block_tests.run_file,
}


def consume(fixture_format: str, path: str, name: str | None = None) -> None:
    """Run a fixture file's tests, or the one with that name.

    fixture_format  "state_test" or "blockchain_test"
    raise           AssertionError where one fails or isn't there; UnusableInput for what is no such file
    """
    try:
        run_file = _CONSUMERS[fixture_format]
    except KeyError:
        raise ValueError(f"fixture_format: {fixture_format!r} is not one of {', '.join(_CONSUMERS)}") from None
    selection = Selection(names=None if name is None else re.compile(f"^{re.escape(name)}$"))
    results = run_file(path, selection)
    failures = [
        f"{result.name} {result.fork}: {result.error or result.skipped}" for result in results if not result.is_passed
    ]
    if failures or not results:
        raise AssertionError("; ".join(failures) or f"{path}: no test {name or 'of this kind'}")


def transition_tool_class(packages: Sequence[str] = _PACKAGES) -> type:
    """EvmcoreTransitionTool, a TransitionTool of the framework that is installed. Raises EvmError where none is.

    The framework's version of the protocol decides what it is asked; `_evaluate` takes the data of one block and answers with its output.
    """
    for package in packages:
        try:
            framework = importlib.import_module(package)
            break
        except ImportError:
            continue
    else:
        raise EvmError(
            f"the execution-spec tests' framework is not installed: none of {', '.join(packages)} can be imported"
        )
    base: Any = framework.TransitionTool
    output_class: Any = framework.TransitionToolOutput

    class EvmcoreTransitionTool(base):  # type: ignore[misc]
        """evmcore's transition tool, in the process of the framework."""

        default_binary = NAME
        detect_binary_pattern = re.compile(r"^evmcore \d")
        supports_opcode_count = False

        def __init__(self, **options: Any) -> None:
            options.setdefault("exception_mapper", None)
            super().__init__(**options)

        def version(self) -> str:
            return f"{NAME} {__version__}"

        def is_fork_supported(self, fork: Any) -> bool:
            from .chain.schedule import network_schedule
            from .errors import UnusableInput

            try:
                network_schedule(fork.transition_tool_name())
            except UnusableInput:
                return False
            return True

        def _evaluate(self, *, transition_tool_data: Any, **_: Any) -> Any:
            request = transition_tool_data.get_request_data().model_dump(mode="json", by_alias=True, exclude_none=True)
            answer = evaluate(request)
            return output_class.model_validate(answer, context={"exception_mapper": self.exception_mapper})

    return EvmcoreTransitionTool
