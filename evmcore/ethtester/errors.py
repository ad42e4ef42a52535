"""What eth-tester's users see of failures: py-evm's words, and classes that are its own, too, where its packages are there."""

from __future__ import annotations

from typing import NoReturn

from eth_tester.exceptions import BlockNotFound
from eth_utils import ValidationError as PyEvmValidationError

from .._core import Transaction
from ..errors import DecodeError, InvalidTransaction
from ..receipt import Receipt

__all__ = ["InvalidTransactionError", "Reverted", "UnknownBlock", "message_of", "raise_undecodable", "refused"]

try:
    from eth.exceptions import HeaderNotFound
except ImportError:
    HeaderNotFound = LookupError


class UnknownBlock(BlockNotFound, HeaderNotFound):  # type: ignore[misc]
    """No block has this number, hash or name."""


class InvalidTransactionError(PyEvmValidationError):  # type: ignore[misc]
    """A transaction that may not be included. `.error` is evmcore's own, with the row of the status and both numbers."""

    def __init__(self, message: str, error: InvalidTransaction) -> None:
        super().__init__(message)
        self.error = error


class Reverted(Exception):
    """What an estimate reverted with, as py-evm has it in a TransactionFailed."""


def message_of(receipt: Receipt) -> str:
    """What a failed call says: the text that it reverted with, else the bytes as Python shows them, else why it failed."""
    if receipt.outcome != "REVERT":
        return receipt.error or receipt.outcome
    error = receipt.error or ""
    return error.removeprefix("revert: ") if error.startswith("revert: ") else str(receipt.output)


def refused(error: InvalidTransaction, transaction: Transaction | None = None) -> InvalidTransactionError:
    """In the words of py-evm, which its users look for."""
    message = str(error)
    if error.status == "INSUFFICIENT_FUNDS" and transaction is not None:
        gas_cost = transaction.max_fee_per_gas * transaction.gas_limit
        message = (
            f"Sender {transaction.sender!r} cannot afford txn gas {gas_cost} with account balance {error.have!r}"
            if isinstance(error.have, int) and error.have < gas_cost
            else "Sender does not have enough balance to cover transaction value and gas "
            f" (has {error.have!r}, needs {error.want!r})"
        )
    elif error.status in ("NONCE_TOO_LOW", "NONCE_TOO_HIGH"):
        message = f"Invalid transaction nonce: Expected {error.want!r}, but got {error.have!r}"
    elif error.status == "MAX_FEE_BELOW_BASE_FEE":
        message = f"Sender's max fee per gas ({error.have!r}) is lower than block's base fee per gas ({error.want!r})"
    elif error.status == "GAS_ALLOWANCE_EXCEEDED":
        message = f"Transaction exceeds gas limit: using {error.have!r}, but {error.want!r} is left"
    return InvalidTransactionError(message, error)


def raise_undecodable(raw: bytes, error: InvalidTransaction) -> NoReturn:
    """As py-evm does, where its packages are there."""
    try:
        if raw[:1] <= b"\x7f" and error.status == "TYPE_NOT_SUPPORTED":
            from eth.exceptions import UnrecognizedTransactionType

            raise UnrecognizedTransactionType(raw[0], str(error)) from error
        from rlp.exceptions import DecodingError
    except ImportError:
        raise error from None
    if isinstance(error, DecodeError):
        raise DecodingError(str(error), raw) from error
    raise error
