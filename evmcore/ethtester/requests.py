"""Transactions out of eth-tester's fields, with what they leave out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._core import Transaction

__all__ = ["DEFAULT_FEE_WEI", "DYNAMIC_FEES", "make_transaction"]

DEFAULT_FEE_WEI = 10**9
DYNAMIC_FEES = ("max_fee_per_gas", "max_priority_fee_per_gas")
_AUTHORIZATION_FIELDS = ("chain_id", "address", "nonce", "y_parity", "r", "s")


def make_transaction(
    given: Mapping[str, Any],
    *,
    chain_id: int,
    nonce_of: Callable[[bytes], int],
    base_fee: Callable[[], int],
    is_simulated: bool = False,
) -> Transaction:
    """A transaction out of eth-tester's fields, with what they leave out. Its type is the first that has them all.

    chain_id, nonce_of, base_fee  what is taken where they say nothing; the fee in wei
    is_simulated                  of a call or an estimate: unsigned, and who only asks pays nothing
    """
    fields: dict[str, Any] = {
        "nonce": given["nonce"] if "nonce" in given else nonce_of(given["from"]),
        "gas_limit": given["gas"],
        "to": given.get("to") or None,
        "value": given.get("value", 0),
        "data": given.get("data", b""),
    }
    if any(name in given for name in DYNAMIC_FEES) or "gas_price" not in given:
        fields["type"] = 4 if "authorization_list" in given else 2
        fields.update(_fees(given, base_fee, is_simulated))
    else:
        fields["type"] = 1 if "access_list" in given else 0
        fields["gas_price"] = given["gas_price"]
    if fields["type"] != 0:
        fields["access_list"] = [_access(entry) for entry in given.get("access_list", ())]
        fields["chain_id"] = given.get("chain_id", chain_id)
    if fields["type"] == 4:
        fields["authorization_list"] = [
            tuple(entry[name] for name in _AUTHORIZATION_FIELDS) for entry in given["authorization_list"]
        ]
    if "r" in given and not is_simulated:
        fields["r"], fields["s"] = given["r"], given["s"]
        fields["v"] = given["y_parity"] if "y_parity" in given else given["v"]
    elif "from" in given:
        fields["sender"] = given["from"]
    return Transaction(**fields)


def _fees(given: Mapping[str, Any], base_fee: Callable[[], int], is_simulated: bool) -> dict[str, int]:
    most, tip = (given.get(name) for name in DYNAMIC_FEES)
    if most is None and tip is None:
        fee = 0 if is_simulated else DEFAULT_FEE_WEI
        return {"max_fee_per_gas": fee, "max_priority_fee_per_gas": fee}
    if most is None:
        assert tip is not None
        most = tip + 2 * base_fee()
    return {"max_fee_per_gas": most, "max_priority_fee_per_gas": min(DEFAULT_FEE_WEI, most) if tip is None else tip}


def _access(entry: Any) -> Any:
    return (entry["address"], entry["storage_keys"]) if isinstance(entry, Mapping) else entry
