"""The objects that parameters may be: calls, overrides, filters, traces' configurations."""

from __future__ import annotations

from typing import Any

from ..header import Withdrawal
from ..whatif import AccountOverride, BlockOverride, Call, SimulatedBlock
from . import decode
from .decode import Unfit, list_of, map_of, object_of
from .fields import RPC_NAMES

__all__ = ["account_overrides", "block_override", "call", "filter_", "simulation", "trace_config"]

_access_entry = object_of(
    {"address": ("address", decode.address), "storageKeys": ("slots", list_of(decode.storage_key))}, ("address",)
)
_authorization = object_of(
    {
        "chainId": ("chain_id", decode.word),
        "address": ("address", decode.address),
        "nonce": ("nonce", decode.quantity),
        "yParity": ("y_parity", decode.quantity),
        "r": ("r", decode.word),
        "s": ("s", decode.word),
    },
    ("chainId", "address", "nonce", "yParity", "r", "s"),
)


def _access_list(value: Any) -> tuple[tuple[bytes, tuple[int, ...]], ...]:
    return tuple((one["address"], tuple(one.get("slots", ()))) for one in list_of(_access_entry)(value))


def _authorizations(value: Any) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(one.values()) for one in list_of(_authorization)(value))


# Of each of a transaction's fields.
_DECODERS: dict[str, decode.Decoder] = {
    "chain_id": decode.word,
    "nonce": decode.quantity,
    "gas_price": decode.word,
    "max_priority_fee_per_gas": decode.word,
    "max_fee_per_gas": decode.word,
    "gas_limit": decode.quantity,
    "to": decode.address,
    "value": decode.word,
    "data": decode.data,
    "access_list": _access_list,
    "max_fee_per_blob_gas": decode.word,
    "blob_versioned_hashes": list_of(decode.hash32),
    "authorization_list": _authorizations,
}
# What a Call names otherwise.
_OF_CALL = {"gas_limit": "gas"}
_call = object_of(
    {
        "from": ("sender", decode.address),
        "input": ("input", decode.data),
        "type": ("type", decode.quantity),
        **{theirs: (_OF_CALL.get(name, name), _DECODERS[name]) for name, theirs in RPC_NAMES.items()},
    }
)


def call(value: Any) -> Call:
    """A call or a transaction that nobody has signed."""
    found = _call(value)
    given = found.pop("input", None)
    if given is not None:
        if found.get("data", given) != given:
            raise Unfit(
                'both "data" and "input" are set and not equal. Please use "input" to pass transaction call data'
            )
        found["data"] = given
    found.pop("type", None)  # what the other members say
    if "gas_price" in found and ("max_fee_per_gas" in found or "max_priority_fee_per_gas" in found):
        raise Unfit("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified")
    most, tip = found.get("max_fee_per_gas"), found.get("max_priority_fee_per_gas")
    if most is not None and tip is not None and most and most < tip:
        raise Unfit(f"maxFeePerGas ({most}) < maxPriorityFeePerGas ({tip})")
    return Call(**found)


_account = object_of(
    {
        "balance": ("balance", decode.word),
        "nonce": ("nonce", decode.quantity),
        "code": ("code", decode.data),
        "state": ("storage", map_of(decode.storage_key, decode.storage_key)),
        "stateDiff": ("storage_changes", map_of(decode.storage_key, decode.storage_key)),
        "movePrecompileToAddress": ("move_precompile_to", decode.address),
    }
)


def account_overrides(value: Any) -> dict[bytes, AccountOverride]:
    """State overrides: address -> what its account has otherwise."""
    return {address: AccountOverride(**fields) for address, fields in map_of(decode.address, _account)(value).items()}


_withdrawal = object_of(
    {
        "index": ("index", decode.quantity),
        "validatorIndex": ("validator_index", decode.quantity),
        "address": ("address", decode.address),
        "amount": ("amount_gwei", decode.quantity),
    },
    ("index", "validatorIndex", "address", "amount"),
)


def withdrawals(value: Any) -> tuple[Withdrawal, ...]:
    """Withdrawals."""
    return tuple(Withdrawal(**fields) for fields in list_of(_withdrawal)(value))


_block = object_of(
    {
        "number": ("number", decode.quantity),
        "difficulty": ("difficulty", decode.word),
        "time": ("timestamp", decode.quantity),
        "gasLimit": ("gas_limit", decode.quantity),
        "feeRecipient": ("coinbase", decode.address),
        "coinbase": ("coinbase", decode.address),
        "prevRandao": ("mix_hash", decode.hash32),
        "random": ("mix_hash", decode.hash32),
        "baseFeePerGas": ("base_fee_per_gas", decode.word),
        "baseFee": ("base_fee_per_gas", decode.word),
        "blobBaseFee": ("blob_base_fee", decode.word),
        "beaconRoot": ("parent_beacon_block_root", decode.hash32),
        "withdrawals": ("withdrawals", withdrawals),
    }
)


def block_override(value: Any) -> BlockOverride:
    """Block overrides."""
    return BlockOverride(**_block(value))


_simulated = object_of(
    {
        "blockOverrides": ("block", block_override),
        "stateOverrides": ("accounts", account_overrides),
        "calls": ("calls", list_of(call)),
    }
)
_simulation = object_of(
    {
        "blockStateCalls": ("blocks", list_of(_simulated)),
        "traceTransfers": ("trace_transfers", decode.boolean),
        "validation": ("validation", decode.boolean),
        "returnFullTransactions": ("is_full", decode.boolean),
    }
)


def simulation(value: Any) -> dict[str, Any]:
    """What eth_simulateV1 is to do."""
    found = _simulation(value)
    found["blocks"] = [SimulatedBlock(**fields) for fields in found.get("blocks", ())]
    return dict(found)


def _topic(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, list):
        return None if not value or None in value else tuple(list_of(decode.hash32)(value))
    return (decode.hash32(value),)


_filter = object_of(
    {
        "fromBlock": ("first", decode.block_number),
        "toBlock": ("last", decode.block_number),
        "blockHash": ("hash", decode.hash32),
        "address": ("addresses", decode.either(list_of(decode.address), lambda value: [decode.address(value)])),
        "topics": ("topics", list_of(_topic)),
    }
)


def filter_(value: Any) -> dict[str, Any]:
    """Which logs are wanted."""
    found: dict[str, Any] = _filter(value)
    if "hash" in found and ("first" in found or "last" in found):
        raise Unfit("cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other")
    if len(found.get("topics", ())) > 4:
        raise Unfit("exceed max topics")
    return found


def _config(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unfit("expected an object")
    return value


_own = object_of(
    {
        "tracer": ("tracer", decode.text),
        "tracerConfig": ("config", _config),
        "stateOverrides": ("accounts", account_overrides),
        "blockOverrides": ("block", block_override),
    }
)


def trace_config(value: Any) -> dict[str, Any]:
    """{tracer, config, accounts, block}: of the struct logger the switches are the object's own members."""
    found: dict[str, Any] = _own(value)
    if not found.get("tracer"):
        found["config"] = {name: given for name, given in value.items() if name not in ("tracer", "tracerConfig")}
        limit = found["config"].get("limit")
        if limit is not None and (type(limit) is not int or limit < 0):
            raise Unfit("limit: expected a number")
    return found
