"""Proofs of accounts and slots, in the shape of eth_getProof (EIP-1186): what State.prove gives, and whether one holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import rlp
from ._core import account_leaf, check_trie_proof, is_plain_proof
from .errors import InvalidProof, UnusableInput
from .hexadecimal import checked_bytes, checked_quantity, data, field, quantity, to_address

__all__ = ["AccountProof", "StorageProof", "verify_proof"]

EMPTY_TRIE_ROOT = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")
# What is shown of an account that doesn't exist: balance, nonce, code hash, storage root.
EMPTY_CODE_HASH = bytes.fromhex("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")
_ABSENT = (0, 0, EMPTY_CODE_HASH, EMPTY_TRIE_ROOT)


@dataclass(frozen=True, slots=True)
class StorageProof:
    """What a slot holds, an int, and the nodes that prove it, from the storage root down. 0: there is no such slot."""

    slot: int
    value: int
    nodes: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"<StorageProof: slot {self.slot:#x} = {self.value:#x}, {len(self.nodes)} nodes>"


@dataclass(frozen=True, slots=True)
class AccountProof:
    """What an account is, and the nodes that prove it, from the state root down; all empty for one that doesn't exist."""

    address: bytes
    balance: int
    nonce: int
    code_hash: bytes
    storage_root: bytes
    nodes: tuple[bytes, ...]
    storage: tuple[StorageProof, ...] = ()

    def __repr__(self) -> str:
        return f"<AccountProof: 0x{self.address.hex()}, {len(self.nodes)} nodes, {len(self.storage)} slots>"

    def to_json(self) -> dict[str, Any]:
        """The object that eth_getProof gives."""
        return {
            "address": "0x" + self.address.hex(),
            "accountProof": ["0x" + node.hex() for node in self.nodes],
            "balance": hex(self.balance),
            "codeHash": "0x" + self.code_hash.hex(),
            "nonce": hex(self.nonce),
            "storageHash": "0x" + self.storage_root.hex(),
            "storageProof": [
                {"key": hex(one.slot), "value": hex(one.value), "proof": ["0x" + node.hex() for node in one.nodes]}
                for one in self.storage
            ],
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> AccountProof:
        """Of the object that eth_getProof gives. UnusableInput where it has another shape."""
        return cls(
            data(field(given, "address", "proof"), "proof.address", 20),
            quantity(field(given, "balance", "proof"), "proof.balance"),
            quantity(field(given, "nonce", "proof"), "proof.nonce", 64),
            data(field(given, "codeHash", "proof"), "proof.codeHash", 32),
            data(field(given, "storageHash", "proof"), "proof.storageHash", 32),
            _nodes(field(given, "accountProof", "proof"), "proof.accountProof"),
            tuple(
                StorageProof(
                    quantity(field(one, "key", "proof.storageProof"), "proof.storageProof.key"),
                    quantity(field(one, "value", "proof.storageProof"), "proof.storageProof.value"),
                    _nodes(field(one, "proof", "proof.storageProof"), "proof.storageProof.proof"),
                )
                for one in _sequence(field(given, "storageProof", "proof"), "proof.storageProof")
            ),
        )


def _sequence(value: object, name: str) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):
        raise UnusableInput(f"{name}: expected a list, got {type(value).__name__}")
    return value


def _nodes(value: object, name: str) -> tuple[bytes, ...]:
    return tuple(data(node, name) for node in _sequence(value, name))


def _checked(proof: AccountProof) -> AccountProof:
    """The same, of the types that it should have."""
    if is_plain_proof(proof):
        return proof
    return AccountProof(
        checked_bytes(proof.address, "proof.address", 20),
        checked_quantity(proof.balance, "proof.balance"),
        checked_quantity(proof.nonce, "proof.nonce", 64),
        checked_bytes(proof.code_hash, "proof.code_hash", 32),
        checked_bytes(proof.storage_root, "proof.storage_root", 32),
        _nodes(proof.nodes, "proof.nodes"),
        tuple(
            StorageProof(
                checked_quantity(one.slot, "proof.storage.slot"),
                checked_quantity(one.value, "proof.storage.value"),
                _nodes(one.nodes, "proof.storage.nodes"),
            )
            for one in _sequence(proof.storage, "proof.storage")
        ),
    )


def _absent_if_said(proof: AccountProof) -> AccountProof:
    """Clients show the hashes of an account that doesn't exist as those of nothing, or as zeros."""
    zeros = bytes(32)
    return replace(
        proof,
        code_hash=EMPTY_CODE_HASH if proof.code_hash == zeros else proof.code_hash,
        storage_root=EMPTY_TRIE_ROOT if proof.storage_root == zeros else proof.storage_root,
    )


def verify_proof(
    state_root: bytes,
    address: bytes | str,
    proof: AccountProof | Mapping[str, Any],
    slots: Iterable[int] | None = None,
) -> AccountProof:
    """What a proof shows of an account and of slots, if it holds.

    state_root  32 bytes, of the block that is trusted
    address     20 bytes or "0x…"
    proof       an AccountProof, or the object that eth_getProof gives
    slots       the slots that have to be proven, ints; None: those that the proof has
    return      an AccountProof whose every value is proven, also that an account or a slot is absent
    raise       InvalidProof, with the node at fault; UnusableInput where it is no proof at all
    """
    shown = _checked(proof) if isinstance(proof, AccountProof) else AccountProof.from_json(proof)
    wanted = to_address(address)
    if shown.address != wanted:
        raise InvalidProof(f"it is of account 0x{shown.address.hex()}, not 0x{wanted.hex()}", 0)
    missing = {checked_quantity(slot, "slots") for slot in slots or ()} - {one.slot for one in shown.storage}
    if missing:
        raise InvalidProof("there is none", 0, None, min(missing))
    value = check_trie_proof(state_root, shown.address, shown.nodes)
    expected = account_leaf(shown.nonce, shown.balance, shown.storage_root, shown.code_hash)
    if value is None:
        shown = _absent_if_said(shown)
    if value is None and (shown.balance, shown.nonce, shown.code_hash, shown.storage_root) != _ABSENT:
        raise InvalidProof("it proves that there is no such account", max(len(shown.nodes) - 1, 0))
    if value is not None and value != expected:
        raise InvalidProof(
            "its leaf is not that of this balance, nonce, code hash and storage root", len(shown.nodes) - 1
        )
    for one in shown.storage:
        found = check_trie_proof(shown.storage_root, one.slot.to_bytes(32, "big"), one.nodes, slot=one.slot)
        if (found or b"\x80") != rlp.encode(rlp.number(one.value)):
            raise InvalidProof(
                f"it proves another value than {one.value:#x}", max(len(one.nodes) - 1, 0), None, one.slot
            )
    return shown
