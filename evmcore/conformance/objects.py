"""A state test's parts as the values that `transact` and `execute_block` take: header, transaction, state."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .._core import FORKS, PARAMETERS, State, Transaction, fork_rules, keccak256
from ..header import Header
from ..hexadecimal import data, quantity

__all__ = ["block_hashes", "header_of", "sender_of", "state_of", "transaction_of"]

_WINDOW = PARAMETERS["block_hash_window"]


def header_of(env: dict[str, Any], fork: int, chain_id: int, blob_schedule: tuple[int, int, int] | None) -> Header:
    """The block that the test's environment describes. Earlier blocks' hashes are those of their numbers in decimal."""
    rules = fork_rules(fork)
    random = env.get("currentRandom", env.get("currentDifficulty", "0x0"))
    return Header(
        coinbase=data(env["currentCoinbase"], "currentCoinbase", 20),
        difficulty=0 if rules["is_proof_of_stake"] else quantity(env["currentDifficulty"], "currentDifficulty"),
        number=quantity(env["currentNumber"], "currentNumber", 64),
        gas_limit=quantity(env["currentGasLimit"], "currentGasLimit", 64),
        timestamp=quantity(env["currentTimestamp"], "currentTimestamp", 64),
        mix_hash=quantity(random, "currentRandom").to_bytes(32, "big") if rules["is_proof_of_stake"] else bytes(32),
        base_fee_per_gas=quantity(env.get("currentBaseFee", "0x0a"), "currentBaseFee")
        if rules["has_base_fee"]
        else None,
        excess_blob_gas=quantity(env.get("currentExcessBlobGas", "0x00"), "currentExcessBlobGas", 64)
        if rules["has_blobs"]
        else None,
        fork=FORKS[fork].mainnet_name,
        chain_id=chain_id,
        block_hashes=block_hashes(quantity(env["currentNumber"], "currentNumber", 64)),
        blob_schedule=blob_schedule,
    )


@lru_cache
def block_hashes(number: int) -> dict[int, bytes]:
    """What a block of that number sees: an earlier one's hash is that of its number in decimal."""
    return {earlier: keccak256(b"%d" % earlier) for earlier in range(max(0, number - _WINDOW), number)}


def transaction_of(fields: dict[str, Any], case: dict[str, Any], **changes: Any) -> Transaction:
    """The transaction of one case: its `txbytes`, or where there are none, or `changes`, its fields with their sender.

    raise  DecodeError, UnusableInput, ValueError for one that can't be
    """
    if "txbytes" in case and not changes:
        return Transaction.decode(data(case["txbytes"], "txbytes"))
    chosen = case["indexes"]
    access_lists = fields.get("accessLists")
    access_list = access_lists[chosen["data"]] if access_lists is not None else None
    authorizations = fields.get("authorizationList")
    hashes = fields.get("blobVersionedHashes")
    values: dict[str, Any] = {
        "nonce": quantity(fields["nonce"], "nonce", 64),
        "gas_limit": quantity(fields["gasLimit"][chosen["gas"]], "gasLimit", 64),
        "to": fields.get("to") or None,
        "value": quantity(fields["value"][chosen["value"]], "value"),
        "data": data(fields["data"][chosen["data"]], "data"),
        "sender": fields.get("sender") or sender_of(fields["secretKey"]),
    }
    if "maxFeePerGas" in fields:
        values["type"] = 2
        values["max_fee_per_gas"] = quantity(fields["maxFeePerGas"], "maxFeePerGas")
        values["max_priority_fee_per_gas"] = quantity(fields["maxPriorityFeePerGas"], "maxPriorityFeePerGas")
    else:
        values["type"] = 0 if access_list is None else 1
        values["gas_price"] = quantity(fields["gasPrice"], "gasPrice")
    if access_list is not None:
        values["access_list"] = [
            (entry["address"], [quantity(key, "storageKeys") for key in entry["storageKeys"]]) for entry in access_list
        ]
    if hashes is not None:
        values["type"] = 3
        values["blob_versioned_hashes"] = hashes
        values["max_fee_per_blob_gas"] = quantity(fields["maxFeePerBlobGas"], "maxFeePerBlobGas")
    if authorizations is not None:
        values["type"] = 4
        values["authorization_list"] = [
            (
                quantity(item["chainId"], "chainId"),
                item["address"],
                quantity(item["nonce"], "nonce", 64),
                quantity(item["yParity"] if "yParity" in item else item["v"], "yParity", 8),
                quantity(item["r"], "r"),
                quantity(item["s"], "s"),
            )
            for item in authorizations
        ]
    values.update(changes)
    return Transaction(**values)


def state_of(pre: dict[str, Any]) -> State:
    """The pre-state."""
    return State.from_alloc(pre)


def sender_of(secret_key: str) -> str:
    """The address of a private key, for tests that leave the sender out."""
    return "0x" + Transaction(to=bytes(20), chain_id=1).sign(data(secret_key, "secretKey", 32)).sender.hex()
