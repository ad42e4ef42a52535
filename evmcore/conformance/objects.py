"""A state test's parts as the values that `transact` and `execute_block` take: header, transaction, state."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .._core import (
    FORKS,
    PARAMETERS,
    TRANSACTION_FIELDS,
    TRANSACTION_TYPES,
    State,
    Transaction,
    choose_fields,
    fork_rules,
    keccak256,
)
from ..errors import UnusableInput
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
        slot_number=quantity(env.get("slotNumber", "0x00"), "slotNumber", 64) if rules["has_slot_number"] else None,
        fork=FORKS[fork].mainnet_name,
        chain_id=chain_id,
        block_hashes=block_hashes(quantity(env["currentNumber"], "currentNumber", 64)),
        blob_schedule=blob_schedule,
    )


@lru_cache
def block_hashes(number: int) -> dict[int, bytes]:
    """What a block of that number sees: an earlier one's hash is that of its number in decimal."""
    return {earlier: keccak256(b"%d" % earlier) for earlier in range(max(0, number - _WINDOW), number)}


def _access_list(entries: list[dict[str, Any]]) -> list[Any]:
    return [(entry["address"], [quantity(key, "storageKeys") for key in entry["storageKeys"]]) for entry in entries]


def _authorization_list(entries: list[dict[str, Any]]) -> list[Any]:
    return [
        (
            quantity(item["chainId"], "chainId"),
            item["address"],
            quantity(item["nonce"], "nonce", 64),
            quantity(item["yParity"] if "yParity" in item else item["v"], "yParity", 8),
            quantity(item["r"], "r"),
            quantity(item["s"], "s"),
        )
        for item in entries
    ]


_FIELDS = {field.name: field for field in TRANSACTION_FIELDS}
_FIELDS_OF_TYPE = {row.type: row.fields for row in TRANSACTION_TYPES}
# Fields whose JSON is neither a number nor what Transaction takes.
_READERS = {"access_list": _access_list, "authorization_list": _authorization_list}


def transaction_of(fields: dict[str, Any], case: dict[str, Any], **changes: Any) -> Transaction:
    """The transaction of one case: its `txbytes`, or where there are none, or `changes`, its fields with their sender.

    raise  DecodeError, UnusableInput, ValueError for one that can't be
    """
    if "txbytes" in case and not changes:
        return Transaction.decode(data(case["txbytes"], "txbytes"))
    chosen = case["indexes"]
    kind, given = choose_fields(fields, chosen["data"], chosen["gas"], chosen["value"])
    values: dict[str, Any] = {"type": kind, "sender": fields.get("sender") or sender_of(fields["secretKey"])}
    for name in _FIELDS_OF_TYPE[kind]:
        field = _FIELDS[name]
        if name in given:
            read = _READERS.get(name)
            value = given[name]
            values[name] = (
                quantity(value, field.json_name) if not field.may_be_empty else read(value) if read else value
            )
        elif field.json_name and not field.may_be_empty:
            raise UnusableInput(f"transaction.{field.json_name}: missing")
    values.update(changes)
    return Transaction(**values)


def state_of(pre: dict[str, Any]) -> State:
    """The pre-state."""
    return State.from_alloc(pre)


def sender_of(secret_key: str) -> str:
    """The address of a private key, for tests that leave the sender out."""
    return "0x" + Transaction(to=bytes(20), chain_id=1).sign(data(secret_key, "secretKey", 32)).sender.hex()
