"""Accounts and slots of one block's state, asked of a node in few requests: as single values, or as proofs that are verified."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._core import keccak256
from ..errors import InvalidProof, UnusableInput
from ..hexadecimal import data, quantity, to_hex
from ..proofs import EMPTY_CODE_HASH, EMPTY_TRIE_ROOT, AccountProof, verify_proof
from .answers import Meaning, meaning_of
from .client import Call, RpcClient
from .errors import BadAnswer, BlockReorganised, NodeRefused, RemoteBlockNotFound, RemoteError, StatePruned
from .pace import backoff_seconds

__all__ = ["RemoteAccount", "StateReader", "block_hash_of"]

# Slots in one eth_getProof: go-ethereum takes 1,024.
_SLOTS_AT_ONCE = 256
# How often a node that doesn't know the block yet is asked again, as behind a balancer some are behind the others.
_LAG_ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class RemoteAccount:
    """An account as a node has it. has_storage None: the answer doesn't say."""

    exists: bool
    balance: int
    nonce: int
    code_hash: bytes
    code: bytes
    has_storage: bool | None


def block_hash_of(value: Any) -> bytes | None:
    """The hash of a block's object; None: there is none. Raises UnusableInput."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise UnusableInput("block: not an object")
    return data(value.get("hash"), "block.hash", 32)


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str) or value[:2] != "0x":
        raise UnusableInput("the answer is not 0x and digits")
    return data(value, "answer")


def _word(value: Any) -> int:
    content = _bytes(value)
    if len(content) > 32:
        raise UnusableInput(f"a slot of {len(content)} bytes")
    return int.from_bytes(content, "big")


def _number(bits: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if not isinstance(value, str) or value[:2] != "0x":
            raise UnusableInput("the answer is not a number in hexadecimal")
        return quantity(value, "answer", bits)

    return read


_balance, _nonce = _number(256), _number(64)


class StateReader:
    """Reads the state after one block.

    state_root  what proofs are verified against; None: the node is believed
    """

    def __init__(self, client: RpcClient, number: int, block_hash: bytes, state_root: bytes | None) -> None:
        self._client = client
        self._number = number
        self._hash = block_hash
        self._state_root = state_root
        self._by_hash = True  # EIP-1898; some nodes take a number only

    @property
    def node(self) -> str:
        """What messages name the node by."""
        return str(self._client.endpoint)

    # -------------------------------------------------------------- what is read

    def probe(self) -> None:
        """Whether the node has this state. Raises StatePruned, BlockReorganised, NodeRefused."""
        self._ask([("eth_getBalance", (to_hex(bytes(20)),), _balance)])

    def accounts(self, addresses: Iterable[bytes]) -> dict[bytes, RemoteAccount]:
        """Accounts by single values: whether they have storage these don't say."""
        wanted = list(addresses)
        answers = self._ask(
            [
                call
                for address in wanted
                for call in (
                    ("eth_getBalance", (to_hex(address),), _balance),
                    ("eth_getTransactionCount", (to_hex(address),), _nonce),
                    ("eth_getCode", (to_hex(address),), _bytes),
                )
            ]
        )
        found = {}
        for place, address in enumerate(wanted):
            balance, nonce, code = answers[3 * place : 3 * place + 3]
            exists = bool(balance or nonce or code)
            found[address] = RemoteAccount(exists, balance, nonce, keccak256(code), code, None if exists else False)
        return found

    def slots(self, keys: Iterable[tuple[bytes, int]]) -> dict[tuple[bytes, int], int]:
        """Slots by single values."""
        wanted = list(keys)
        calls = [("eth_getStorageAt", (to_hex(address), f"0x{slot:064x}"), _word) for address, slot in wanted]
        return dict(zip(wanted, self._ask(calls)))

    def proofs(self, keys: Mapping[bytes, Iterable[int]]) -> dict[bytes, AccountProof]:
        """Proofs of accounts, and of slots of theirs. Verified, where there is a state root. Raises InvalidProof."""
        parts = []
        for address, slots in keys.items():
            listed = list(slots)
            for begin in range(0, max(len(listed), 1), _SLOTS_AT_ONCE):
                parts.append((address, listed[begin : begin + _SLOTS_AT_ONCE]))
        calls = [
            ("eth_getProof", (to_hex(address), [f"0x{slot:064x}" for slot in slots]), _proof)
            for address, slots in parts
        ]
        found: dict[bytes, AccountProof] = {}
        for (address, slots), proof in zip(parts, self._ask(calls)):
            if self._state_root is not None:
                proof = verify_proof(self._state_root, address, proof, slots)
            elif proof.address != address or set(slots) - {one.slot for one in proof.storage}:
                raise BadAnswer(self.node, f"eth_getProof: a proof of something else than {to_hex(address)}")
            before = found.get(address)
            if before is not None:
                proof = replace(before, storage=before.storage + proof.storage)
            found[address] = proof
        return found

    def codes(self, hashes: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """Codes, hash -> code, of accounts by their code hashes: address -> hash. Raises InvalidProof for others."""
        wanted = list(hashes)
        answers = self._ask([("eth_getCode", (to_hex(address),), _bytes) for address in wanted])
        found = {}
        for address, code in zip(wanted, answers):
            if keccak256(code) != hashes[address]:
                raise InvalidProof(f"the code of account {to_hex(address)} is not that of its code hash", 0)
            found[hashes[address]] = code
        return found

    # -------------------------------------------------------------- how it is asked

    def _ask(self, calls: Sequence[tuple[str, tuple[Any, ...], Callable[[Any], Any]]]) -> list[Any]:
        """The answers to calls whose last parameter is the block."""
        lagging = 0
        while True:
            block: Any = {"blockHash": to_hex(self._hash)} if self._by_hash else hex(self._number)
            answers = self._client.try_all([Call(method, (*some, block), read) for method, some, read in calls])
            refused = next((one for one in answers if isinstance(one, RemoteError)), None)
            if refused is None:
                if not self._by_hash and calls:
                    self._check_hash()
                return answers
            if isinstance(refused, StatePruned) or not isinstance(refused, NodeRefused):
                if not self._by_hash:
                    self._check_hash()
                raise refused
            meaning = meaning_of(refused.code, refused.fault)
            if meaning is Meaning.FORM and self._by_hash:
                self._by_hash = False
                continue
            if meaning is not Meaning.UNKNOWN_BLOCK:
                raise refused
            self._check_hash()
            lagging += 1
            if lagging > _LAG_ATTEMPTS:
                raise refused
            time.sleep(backoff_seconds(lagging))

    def _check_hash(self) -> None:
        """Whether the chain still has the block at its number."""
        now = self._client.ask("eth_getBlockByNumber", hex(self._number), False, read=block_hash_of)
        if now != self._hash:
            if now is None:
                raise RemoteBlockNotFound(self.node, self._number)
            raise BlockReorganised(self.node, self._number, now, self._hash)


def _proof(value: Any) -> AccountProof:
    if not isinstance(value, Mapping):
        raise UnusableInput("a proof that is not an object")
    given = AccountProof.from_json(value)
    # Clients show an account that doesn't exist with hashes of nothing, or with zeros.
    if given.code_hash == bytes(32) or given.storage_root == bytes(32):
        return replace(
            given,
            code_hash=EMPTY_CODE_HASH if given.code_hash == bytes(32) else given.code_hash,
            storage_root=EMPTY_TRIE_ROOT if given.storage_root == bytes(32) else given.storage_root,
        )
    return given
