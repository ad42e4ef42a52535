"""Blocks as JSON-RPC has them: which one is meant, and headers, transactions and withdrawals out of a node's answers.

Each is held against its hash: what a node leaves out or gets wrong shows there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core import FORKS, NEWEST_FORK, TRANSACTION_TYPES, Transaction, ordered_trie_root, withdrawals_root
from ..block import Block
from ..chain.networks import NETWORKS
from ..chain.schedule import rules_of
from ..errors import EvmError, UnusableInput
from ..header import LATER_FIELDS, Header, Withdrawal
from ..hexadecimal import checked_quantity, data, quantity, shown, to_address, to_hex

__all__ = [
    "TAGS",
    "block_of_json",
    "chain_id_of",
    "check_named",
    "fork_of_header",
    "header_of_json",
    "named_block",
    "transaction_of_json",
]

# "pending" isn't one: its state changes while it is read.
TAGS = ("latest", "safe", "finalized", "earliest")
_KNOWN_TYPES = frozenset(row.type for row in TRANSACTION_TYPES)


def named_block(block: int | str | bytes) -> tuple[str, str]:
    """(method, parameter) that a node is asked with for a block: a number, a hash (32 bytes) or a tag of TAGS."""
    if isinstance(block, (bytes, bytearray, memoryview)):
        return "eth_getBlockByHash", to_hex(data(block, "block", 32))
    if isinstance(block, str):
        if block in TAGS:
            return "eth_getBlockByNumber", block
        if block.startswith(("0x", "0X")) and len(block) == 66:
            return "eth_getBlockByHash", to_hex(data(block, "block", 32))
        if not block[:1].isdigit():
            raise UnusableInput(f"block: {shown(block)} is no number, no hash and none of {', '.join(TAGS)}")
        return "eth_getBlockByNumber", hex(quantity(block, "block", 64))
    return "eth_getBlockByNumber", hex(checked_quantity(block, "block", 64))


def chain_id_of(value: Any) -> int:
    """The chain's number of eth_chainId's answer. Raises UnusableInput."""
    return quantity(value, "chain id", 64)


def check_named(which: str, number: int, block_hash: bytes) -> None:
    """Whether a block is the one that was asked for by `named_block`'s parameter. Raises UnusableInput."""
    if which not in TAGS and which not in (hex(number), to_hex(block_hash)):
        raise UnusableInput(f"block {number} 0x{block_hash.hex()}, asked for {which}")


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UnusableInput(f"{name}: {shown(value)} is not an object")
    return value


def fork_of_header(header: Header, chain_id: int) -> str:
    """Whose rules hold: on a public chain those of number and time, else the newest fork whose headers have these fields."""
    for network in NETWORKS:
        if network.schedule.chain_id == chain_id:
            return network.fork_at(header.number, header.timestamp)
    for name in (NEWEST_FORK, *(fork.mainnet_name for fork in reversed(FORKS))):
        rules = rules_of(name)
        has_fields = all(
            getattr(rules, rule) == (getattr(header, field) is not None) for field, rule in LATER_FIELDS.items()
        )
        # A genesis of proof of stake may have a difficulty.
        if has_fields and (rules.is_proof_of_stake == (header.difficulty == 0) or header.number == 0):
            return name
    raise UnusableInput("header: has fields of no fork that evmcore knows; `fork` may name one")


def header_of_json(value: Any, chain_id: int, fork: str | None, *, wants_hash: bool = True) -> tuple[Header, bytes]:
    """(header, hash) of a block's object; `fork` None: as `fork_of_header` says. Raises UnusableInput.

    wants_hash  whether the header's own hash has to be the object's, which that of a chain with other fields isn't
    """
    given = _object(value, "block")
    named = data(given.get("hash"), "block.hash", 32)
    header = Header.from_json(given, chain_id=chain_id)
    own = header.hash
    if own != named and wants_hash:
        raise UnusableInput(
            f"block {header.number}: its fields have the hash 0x{own.hex()}, and it is named 0x{named.hex()}"
        )
    return Header.from_json(given, chain_id=chain_id, fork=fork or fork_of_header(header, chain_id)), named


def transaction_of_json(value: Any, name: str = "transaction") -> Transaction:
    """The transaction of a node's object, of the hash that it is named by. Raises UnusableInput."""
    given = _object(value, name)
    kind = quantity(given.get("type") or 0, f"{name}.type", 8)
    if kind not in _KNOWN_TYPES:
        raise UnusableInput(f"{name}: type {kind:#x} is none that evmcore knows")

    def number(member: str) -> int:
        return quantity(given.get(member), f"{name}.{member}")

    to = given.get("to")
    fields: dict[str, Any] = {
        "type": kind,
        "nonce": number("nonce"),
        "gas_limit": number("gas"),
        "to": None if to is None else to_address(to, f"{name}.to"),
        "value": number("value"),
        "data": data(given.get("input", given.get("data")), f"{name}.input"),
        "r": number("r"),
        "s": number("s"),
    }
    if kind == 0:
        fields |= {"gas_price": number("gasPrice"), "v": number("v")}
    else:
        parity = "yParity" if given.get("yParity") is not None else "v"
        fields |= {"chain_id": number("chainId"), "y_parity": number(parity)}
        fields["access_list"] = [
            (to_address(entry["address"], name), [quantity(key, name) for key in entry["storageKeys"]])
            for entry in given.get("accessList") or ()
        ]
    if kind == 1:
        fields["gas_price"] = number("gasPrice")
    elif kind > 1:
        fields |= {
            "max_fee_per_gas": number("maxFeePerGas"),
            "max_priority_fee_per_gas": number("maxPriorityFeePerGas"),
        }
    if kind == 3:
        fields["max_fee_per_blob_gas"] = number("maxFeePerBlobGas")
        fields["blob_versioned_hashes"] = [data(one, name, 32) for one in given.get("blobVersionedHashes") or ()]
    if kind == 4:
        fields["authorization_list"] = [
            (
                quantity(one["chainId"], name),
                to_address(one["address"], name),
                quantity(one["nonce"], name, 64),
                quantity(one["yParity"] if one.get("yParity") is not None else one["v"], name, 8),
                quantity(one["r"], name),
                quantity(one["s"], name),
            )
            for one in given.get("authorizationList") or ()
        ]
    try:
        made = Transaction(**fields)
    except (EvmError, TypeError, ValueError, OverflowError) as error:
        raise UnusableInput(f"{name}: {error}") from None
    if made.hash != data(given.get("hash"), f"{name}.hash", 32):
        raise UnusableInput(
            f"{name}: its fields have the hash 0x{made.hash.hex()}, and it is named {shown(given.get('hash'))}"
        )
    return made


def block_of_json(value: Any, chain_id: int, fork: str | None) -> Block:
    """The block of an object with whole transactions, without its ommers, held against its header's roots. Raises UnusableInput."""
    given = _object(value, "block")
    header, _ = header_of_json(given, chain_id, fork)
    listed = given.get("transactions")
    if not isinstance(listed, list):
        raise UnusableInput("block.transactions: not a list")
    try:
        transactions = tuple(transaction_of_json(one, f"transactions[{place}]") for place, one in enumerate(listed))
    except (KeyError, TypeError, AttributeError) as error:
        raise UnusableInput(f"block.transactions: {type(error).__name__}: {error}") from None
    if ordered_trie_root([one.raw for one in transactions]) != header.transactions_root:
        raise UnusableInput(f"block {header.number}: its transactions aren't those of its transactions root")
    withdrawals = None
    if header.withdrawals_root is not None:
        listed = given.get("withdrawals")
        if not isinstance(listed, list):
            raise UnusableInput("block.withdrawals: not a list")
        withdrawals = tuple(
            Withdrawal.from_json(_object(one, "withdrawal"), f"withdrawals[{place}]")
            for place, one in enumerate(listed)
        )
        if withdrawals_root(withdrawals) != header.withdrawals_root:
            raise UnusableInput(f"block {header.number}: its withdrawals aren't those of its withdrawals root")
    return Block(header, transactions, (), withdrawals)
