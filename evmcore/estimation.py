"""The least gas limit with which a transaction succeeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._core import PARAMETERS, TRANSACTION_FIELDS, State, Transaction, least_gas, transact
from .chain.schedule import rules_of
from .errors import ExecutionFailed, InvalidTransaction
from .header import Header
from .receipt import Receipt

__all__ = ["SIMULATED", "estimate_gas", "with_gas"]

# What a call or an estimate isn't held to: it is no transaction that somebody signed.
SIMULATED: Mapping[str, bool] = {"base_fee": False, "nonce": False, "sender_code": False, "gas_cap": False}


def estimate_gas(
    transaction: Transaction,
    state: State,
    header: Header,
    *,
    tolerance: int = 0,
    checks: Mapping[str, bool] | None = None,
) -> int:
    """The least gas limit with which a transaction succeeds on a state, which stays as it is. From Amsterdam on it covers both
    gases, and may be beyond the cap on execution gas (EIP-8037).

    transaction  with a sender; its gas limit is the most that is tried, and what its sender can pay for at its price
    header       of the block that it would be in: its gas limit is the most, too
    tolerance    how much more than the least the answer may be, which saves executions
    checks       as for `transact`; None: neither nonce nor fees nor the sender's code have to fit
    raise        ExecutionFailed where it fails with that; InvalidTransaction, MissingState, TypeError
    """
    for name, value, kind in (
        ("transaction", transaction, Transaction),
        ("state", state, State),
        ("header", header, Header),
    ):
        if not isinstance(value, kind):
            raise TypeError(f"{name}: expected {kind.__name__}, got {type(value).__name__}")
    if isinstance(tolerance, bool) or not isinstance(tolerance, int):
        raise TypeError(f"tolerance: expected an int, got {type(tolerance).__name__}")
    if tolerance < 0:
        raise ValueError(f"tolerance: {tolerance} is negative")
    state = state.copy()
    left_out = SIMULATED if checks is None else checks
    cap = rules_of(header.fork).transaction_gas_cap
    most = min(transaction.gas_limit, header.gas_limit, cap or header.gas_limit)
    if transaction.max_fee_per_gas:
        left = state.get_balance(transaction.sender) - transaction.value
        most = min(most, max(left, 0) // transaction.max_fee_per_gas)

    def attempt(gas_limit: int) -> Receipt:
        mark = state.snapshot()
        try:
            return transact(with_gas(transaction, gas_limit), state, header, checks=left_out)
        finally:
            state.revert(mark)

    def is_enough(gas_limit: int) -> bool:
        try:
            return attempt(gas_limit).is_success
        except InvalidTransaction as error:
            if error.status in ("INTRINSIC_GAS_TOO_LOW", "FLOOR_GAS_TOO_LOW"):
                return False
            raise

    receipt = attempt(most)
    if not receipt.is_success:
        raise ExecutionFailed(receipt)
    too_little, enough = receipt.gas_used - 1, most
    # What the refund hides is needed first, and a call keeps a 64th back (EIP-150).
    guess = (receipt.gas_used + receipt.gas_refund + PARAMETERS["call_stipend_gas"]) * 64 // 63
    if tolerance and receipt.gas_used == max(least_gas(transaction, header.fork)) and is_enough(receipt.gas_used):
        return receipt.gas_used  # nothing was executed
    while enough - too_little > 1 + tolerance:
        guess = guess if too_little < guess < enough else (too_little + enough) // 2
        if is_enough(guess):
            enough = guess
        else:
            too_little = guess
        guess = 0
    return enough


def with_gas(transaction: Transaction, gas_limit: int) -> Transaction:
    """The transaction, unsigned, with another gas limit."""
    names = [field.name for field in TRANSACTION_FIELDS if transaction.type in field.types]
    fields: dict[str, Any] = {name: getattr(transaction, name) for name in names}
    if transaction.chain_id is not None:
        fields["chain_id"] = transaction.chain_id
    fields.update(type=transaction.type, gas_limit=gas_limit, sender=transaction.sender)
    return Transaction(**fields)
