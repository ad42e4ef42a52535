"""RpcSource: the state after a block of a node's chain, as a lazy state fetches it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .._core import PARAMETERS, check_trie_proof, keccak256
from ..assembler import assemble
from ..chain.schedule import rules_of
from ..errors import UnusableInput
from ..header import Header
from ..hexadecimal import checked_quantity, data, quantity, to_address, to_hex
from ..locks import lock_of_process
from ..proofs import EMPTY_CODE_HASH, EMPTY_TRIE_ROOT
from ..receipt import Account
from .blocks import check_named, header_of_json, named_block
from .cache import RpcCache, default_path
from .client import Call, RpcClient
from .errors import BadAnswer, BlockReorganised, NodeRefused, RemoteBlockNotFound
from .state_reader import RemoteAccount, StateReader

__all__ = ["RpcSource"]

_ACCOUNT, _SLOT, _PROVEN = 0, 1, 2  # first byte of a cache's keys: kind, plus _PROVEN where a proof said it
# Whether an account has storage, in a cache's rows, and what says that it exists, added to it.
_STORAGE = {None: 2, False: 0, True: 1}
_STORAGE_SAID = {number: said for said, number in _STORAGE.items()}
_EXISTS = 4
_REMEMBERED = 200_000  # answers, 50 MB and their codes
# Run by eth_call as the code of a creation, which any node does: the hashes of the 256 blocks before, the nearest first. One zero byte
# is in front of them, since no code begins with 0xef (EIP-3541).
_HASHES_PROGRAM = (
    "PUSH2 256 next: DUP1 NUMBER SUB BLOCKHASH DUP2 PUSH1 32 MUL MSTORE "
    "PUSH1 1 SWAP1 SUB DUP1 PUSH @next JUMPI PUSH2 8193 PUSH1 31 RETURN"
)


class RpcSource:
    """The state after a block of a node, for `State(source=…)`.

    node     a URL (http or https), or an RpcClient
    block    a number, a hash, or "latest", "safe", "finalized", "earliest": which block that is, is settled here
    verify   whether everything comes as a proof (eth_getProof) that is held against the block's state root, so that only its hash is
             taken on trust; many nodes have proofs of recent blocks alone
    cache    where answers are kept: True: in the user's cache directory, but nothing of a node on this machine; a path or an RpcCache;
             False: nowhere
    fork     whose rules hold, where the chain isn't a public one; None: the newest fork whose headers have the block's fields
    options  those of an RpcClient: timeout, retries, rate, batch, headers
    raise    RemoteError, CacheUnusable, UnusableInput

    Calls of it come from the thread that executes. One source may serve many states.
    """

    def __init__(
        self,
        node: str | RpcClient,
        block: int | str | bytes = "latest",
        *,
        verify: bool = False,
        cache: bool | str | os.PathLike[str] | RpcCache = True,
        fork: str | None = None,
        **options: Any,
    ) -> None:
        if fork is not None:
            Header(fork=fork)  # for its refusal of forks that there aren't
        if isinstance(node, RpcClient):
            if options:
                raise TypeError(f"{', '.join(options)}: the RpcClient has its own")
            self.client = node
        else:
            self.client = RpcClient(node, **options)
        method, which = named_block(block)
        self.chain_id, found = self.client.ask_all(
            [
                Call("eth_chainId", (), lambda value: quantity(value, "chain id", 64)),
                Call(method, (which, False), lambda value: value if value is None else dict(_object(value))),
            ]
        )
        if found is None:
            raise RemoteBlockNotFound(str(self.client.endpoint), which)
        try:
            self._header, self.hash = header_of_json(found, self.chain_id, fork, wants_hash=verify)
            check_named(which, self.number, self.hash)
        except UnusableInput as error:
            raise BadAnswer(str(self.client.endpoint), str(error)) from None
        self.is_verifying = verify
        self.cache = self._opened(cache)
        self._reader = StateReader(
            self.client, self._header.number, self.hash, self._header.state_root if verify else None
        )
        self._place: bytes = self.chain_id.to_bytes(8, "big") + self.hash
        self._storage_untold: set[bytes] = set()  # accounts of which no answer has said whether they have storage
        # Of this source's answers: each copy of a state asks for itself.
        self._remembered: tuple[dict[bytes, RemoteAccount], dict[tuple[bytes, int], int]] = ({}, {})
        self._has_hashes = False
        self._lock = lock_of_process()
        if self.cache is None:
            self._reader.probe()

    def __repr__(self) -> str:
        return f"<RpcSource {self.client.endpoint} chain {self.chain_id} block {self.number} 0x{self.hash.hex()}>"

    def __reduce__(self) -> Any:
        raise TypeError(
            "an RpcSource can't be pickled: its URL may hold a key. Make one in each process; they share a cache"
        )

    @property
    def number(self) -> int:
        """The block's number."""
        return self._header.number

    @property
    def header(self) -> Header:
        """The block's header, with the hashes that BLOCKHASH may ask for in it: for calls in its surroundings."""
        if not self._has_hashes:
            hashes = self._fetch_hashes()
            with self._lock:
                self._header = replace(self._header, block_hashes=hashes)
                self._has_hashes = True
        return self._header

    # -------------------------------------------------------------- what a State asks

    def get_account(self, address: bytes | str) -> Account | None:
        """An account as the block has it, without its storage, whatever was written to states; None where there is none."""
        wanted = to_address(address)
        told = self([(wanted, None)])[wanted, None]
        return None if told is None else Account(told["balance"], told["nonce"], told["code"])

    def get_storage(self, address: bytes | str, slot: int) -> int:
        """What a slot holds as the block has it."""
        key = to_address(address), checked_quantity(slot, "slot")
        return int(self([key])[key])

    def __call__(self, keys: list[tuple[bytes, int | None]]) -> dict[tuple[bytes, int | None], Any]:
        """An account's mapping or None for each (address, None), a number for each (address, slot)."""
        addresses = [address for address, slot in keys if slot is None]
        slots = [(address, slot) for address, slot in keys if slot is not None]
        again = {address for address in addresses if address in self._storage_untold}
        accounts, values = self._kept(addresses, slots)
        accounts = {
            address: one for address, one in accounts.items() if address not in again or one.has_storage is not None
        }
        asked_accounts = [address for address in addresses if address not in accounts]
        asked_slots = [key for key in slots if key not in values]
        if asked_accounts or asked_slots:
            new_accounts, new_values = self._ask(asked_accounts, asked_slots, again)
            self._keep(new_accounts, new_values)
            accounts |= new_accounts
            values |= new_values
        answers: dict[tuple[bytes, int | None], Any] = {}
        for address in addresses:
            answers[address, None] = self._told(address, accounts[address])
        for key, value in values.items():
            answers[key] = value
        return answers

    def _ask(
        self, addresses: list[bytes], slots: list[tuple[bytes, int]], again: set[bytes]
    ) -> tuple[dict[bytes, RemoteAccount], dict[tuple[bytes, int], int]]:
        if self.is_verifying:
            return self._ask_for_proofs(addresses, slots)
        # Before empty accounts were deleted, single values don't tell them from those that don't exist.
        shows_existence = rules_of(self._header.fork).deletes_empty_accounts
        proven = [address for address in addresses if address in again or not shows_existence]
        accounts: dict[bytes, RemoteAccount] = {}
        if proven:
            try:
                accounts = self._ask_for_proofs(proven, [])[0]
            except NodeRefused:
                # Without proofs, no storage: of mainnet's accounts 28 have some and neither nonce nor code, and none of them can be
                # created onto (EIP-7610).
                if not shows_existence:
                    raise
                told = self._reader.accounts(proven)
                accounts = {address: replace(one, has_storage=False) for address, one in told.items()}
        accounts |= self._reader.accounts(address for address in addresses if address not in accounts)
        return accounts, self._reader.slots(slots)

    def _ask_for_proofs(
        self, addresses: list[bytes], slots: list[tuple[bytes, int]]
    ) -> tuple[dict[bytes, RemoteAccount], dict[tuple[bytes, int], int]]:
        wanted: dict[bytes, list[int]] = {address: [] for address in addresses}
        for address, slot in slots:
            wanted.setdefault(address, []).append(slot)
        proofs = self._reader.proofs(wanted)
        codes: dict[bytes, bytes] = {EMPTY_CODE_HASH: b""}
        missing = {}
        for address in addresses:
            code_hash = proofs[address].code_hash
            kept = None if self.cache is None or code_hash in codes else self.cache.get_code(code_hash)
            if kept is not None:
                codes[code_hash] = kept
            elif code_hash not in codes:
                missing[address] = code_hash
        codes |= self._reader.codes(missing)
        accounts = {}
        for address in addresses:
            proof = proofs[address]
            # The root is the first node's hash where nothing is verified.
            root = self._header.state_root if self.is_verifying or not proof.nodes else keccak256(proof.nodes[0])
            accounts[address] = RemoteAccount(
                check_trie_proof(root, address, proof.nodes) is not None,
                proof.balance,
                proof.nonce,
                proof.code_hash,
                codes[proof.code_hash],
                proof.storage_root != EMPTY_TRIE_ROOT,
            )
        values = {(address, one.slot): one.value for address, proof in proofs.items() for one in proof.storage}
        return accounts, {key: values[key] for key in slots}

    def _told(self, address: bytes, account: RemoteAccount) -> dict[str, Any] | None:
        """An account as a State takes it. A second question for it is one for its storage."""
        if not account.exists:
            return None
        told: dict[str, Any] = {"balance": account.balance, "nonce": account.nonce, "code": account.code}
        if account.has_storage is not None:
            told["has_storage"] = account.has_storage
        elif not account.nonce and not account.code:  # others can't be created onto, with or without storage
            self._storage_untold.add(address)
        return told

    # -------------------------------------------------------------- what is kept

    def _opened(self, cache: bool | str | os.PathLike[str] | RpcCache) -> RpcCache | None:
        if cache is False or isinstance(cache, RpcCache):
            return cache or None
        is_loopback = self.client.endpoint.is_loopback
        if cache is True:
            return None if is_loopback else RpcCache(default_path())
        return RpcCache(cache, is_loopback=is_loopback)

    def _key(self, address: bytes, slot: int | None = None) -> bytes:
        kind = (_ACCOUNT if slot is None else _SLOT) + (_PROVEN if self.is_verifying else 0)
        return bytes((kind,)) + self._place + address + (b"" if slot is None else slot.to_bytes(32, "big"))

    def _kept(
        self, addresses: list[bytes], slots: list[tuple[bytes, int]]
    ) -> tuple[dict[bytes, RemoteAccount], dict[tuple[bytes, int], int]]:
        known_accounts, known_slots = self._remembered
        accounts = {address: known_accounts[address] for address in addresses if address in known_accounts}
        values = {key: known_slots[key] for key in slots if key in known_slots}
        if self.cache is None:
            return accounts, values
        names: dict[bytes, Any] = {self._key(address): address for address in addresses if address not in accounts}
        names |= {self._key(*key): key for key in slots if key not in values}
        for key, row in self.cache.get(names).items():
            name = names[key]
            if isinstance(name, tuple):
                values[name] = int.from_bytes(row, "big")
                continue
            balance, nonce, storage, code_hash = row[:32], row[32:40], row[40], row[41:73]
            code = b"" if code_hash == EMPTY_CODE_HASH else self.cache.get_code(code_hash)
            if code is not None:
                accounts[name] = RemoteAccount(
                    storage >= _EXISTS,
                    int.from_bytes(balance, "big"),
                    int.from_bytes(nonce, "big"),
                    code_hash,
                    code,
                    _STORAGE_SAID[storage % _EXISTS],
                )
        return accounts, values

    def _keep(self, accounts: Mapping[bytes, RemoteAccount], values: Mapping[tuple[bytes, int], int]) -> None:
        known_accounts, known_slots = self._remembered
        if len(known_accounts) + len(known_slots) > _REMEMBERED:
            known_accounts, known_slots = self._remembered = ({}, {})
        known_accounts.update(accounts)
        known_slots.update(values)
        if self.cache is None:
            return
        self.cache.put_codes({one.code_hash: one.code for one in accounts.values() if one.code})
        rows = {self._key(*key): value.to_bytes(32, "big") for key, value in values.items()}
        for address, one in accounts.items():
            said = bytes((_STORAGE[one.has_storage] + _EXISTS * one.exists,))
            row = one.balance.to_bytes(32, "big") + one.nonce.to_bytes(8, "big") + said + one.code_hash
            rows[self._key(address)] = row
        self.cache.put(rows)

    # -------------------------------------------------------------- hashes of earlier blocks

    def _fetch_hashes(self) -> dict[int, bytes]:
        """Number -> hash of the blocks that BLOCKHASH can ask for: of a call that asks for all, else of their headers."""
        count = min(PARAMETERS["block_hash_window"], self.number)
        if count == 0:
            return {}
        known = {self.number - 1: self._header.parent_hash}
        if not self.is_verifying:
            try:
                found = self.client.ask(
                    "eth_call", {"data": to_hex(assemble(_HASHES_PROGRAM))}, hex(self.number), read=_hashes
                )
            except (NodeRefused, BadAnswer):
                found = []
            if len(found) > 0 and found[0] == self._header.parent_hash and all(any(one) for one in found[:count]):
                return known | {self.number - 1 - place: one for place, one in enumerate(found[:count])}
        return self._hashes_of_headers(count)

    def _hashes_of_headers(self, count: int) -> dict[int, bytes]:
        numbers = range(self.number - 1, self.number - 1 - count, -1)
        calls = [Call("eth_getBlockByNumber", (hex(number), False), _parent) for number in numbers]
        wanted = self._header.parent_hash
        found = {}
        for number, (own, parent) in zip(numbers, self.client.ask_all(calls)):
            if own != wanted:
                raise BlockReorganised(str(self.client.endpoint), number, own, wanted)
            found[number] = own
            wanted = parent
        return found


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UnusableInput("block: not an object")
    return value


def _hashes(value: Any) -> list[bytes]:
    content = data(value, "answer")
    if len(content) != 1 + 32 * 256:
        raise UnusableInput(f"{len(content)} bytes in the place of 256 hashes")
    return [content[place : place + 32] for place in range(1, len(content), 32)]


def _parent(value: Any) -> tuple[bytes, bytes]:
    """(hash, parent's hash) of a block's object, of which the hash is what its fields give."""
    header, own = header_of_json(_object(value), 1, "Frontier")
    return own, header.parent_hash
