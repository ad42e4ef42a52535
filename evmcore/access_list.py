"""Block access lists as EIP-7928 writes them: RLP from the rows of `Accesses`, and back from bytes that nobody vouches for; and the state
that a block's last writes lead to.

    list     = [account …]                                               ascending by address, each once
    account  = [address, storage changes, storage reads, balances, nonces, codes]
    storage changes = [[slot, [[index, value] …]] …]   ascending; of each slot one value at least
    storage reads   = [slot …]                         ascending, none that changes
    balances, nonces, codes = [[index, value after] …]   ascending by index

*Index*: 0 is before the first transaction, 1 … n are the transactions, n + 1 is after the last one. Numbers have no leading zeros.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from . import rlp
from .errors import UnusableInput
from .hexadecimal import checked_bytes

if TYPE_CHECKING:
    from ._core import State
    from .accesses import Accesses

__all__ = ["AccountEntry", "apply_accesses", "decode_accesses", "encode_accesses", "entries_of"]

_BALANCE, _NONCE, _CODE, _TOUCHED, _CREATED, _DESTROYED = 1, 2, 4, 8, 16, 32


@dataclass(slots=True)
class AccountEntry:
    """What a block did to one account, by block access index, ascending."""

    address: bytes
    slots: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    reads: set[int] = field(default_factory=set)
    balances: list[tuple[int, int]] = field(default_factory=list)
    nonces: list[tuple[int, int]] = field(default_factory=list)
    codes: list[tuple[int, bytes]] = field(default_factory=list)
    lives: list[tuple[int, int]] = field(default_factory=list)  # the row's `writes`, where there are any


def _indexed(rows: np.ndarray, system_rows: np.ndarray) -> Iterator[tuple[int, Any]]:
    """(block access index, row), ascending."""
    first = system_rows["transaction"] == 0
    order = np.argsort(rows["transaction"], kind="stable")
    yield from ((0, row) for row in system_rows[first])
    yield from ((int(row["transaction"]) + 1, row) for row in rows[order])
    yield from ((int(row["transaction"]), row) for row in system_rows[~first])


def entries_of(accesses: Accesses) -> list[AccountEntry]:
    """The rows by account, ascending by address. Raises UnusableInput for a row with a code that isn't there."""
    accounts: dict[bytes, AccountEntry] = {}

    def entry(row: Any) -> AccountEntry:
        address = row["address"].tobytes()
        if address not in accounts:
            accounts[address] = AccountEntry(address)
        return accounts[address]

    for index, row in _indexed(accesses.accounts, accesses.system_accounts):
        account = entry(row)
        writes = int(row["writes"])
        if writes:
            account.lives.append((index, writes))
        if writes & _BALANCE:
            account.balances.append((index, int.from_bytes(row["balance"].tobytes(), "big")))
        if writes & _NONCE:
            account.nonces.append((index, int(row["nonce"])))
        if writes & _CODE:
            place = int(row["code"])
            if place >= len(accesses.codes):
                raise UnusableInput(f"accesses.accounts: a row has code {place}, there are {len(accesses.codes)}")
            account.codes.append((index, accesses.codes[place] if place >= 0 else b""))
    for index, row in _indexed(accesses.slots, accesses.system_slots):
        account = entry(row)
        slot = int.from_bytes(row["slot"].tobytes(), "big")
        if row["is_write"]:
            account.slots.setdefault(slot, []).append((index, int.from_bytes(row["value"].tobytes(), "big")))
        else:
            account.reads.add(slot)
    return [entry for _, entry in sorted(accounts.items())]


def _changes(account: AccountEntry, name: str, changes: list[tuple[int, Any]]) -> bytes:
    """A list of [index, value]."""
    parts = []
    last = -1
    for index, value in changes:
        if index <= last:
            raise UnusableInput(f"accesses of 0x{account.address.hex()}: two rows of index {index} change {name}")
        last = index
        data = value if isinstance(value, bytes) else rlp.number(value)
        parts.append(rlp.encode_list((rlp.encode(rlp.number(index)), rlp.encode(data))))
    return rlp.encode_list(parts)


def encode_accesses(accesses: Accesses) -> bytes:
    """See `Accesses.encode`."""
    accounts = []
    for account in entries_of(accesses):
        ends = {index for index, writes in account.lives if writes & _DESTROYED}
        slots = {
            slot: [change for change in changes if change[0] not in ends] for slot, changes in account.slots.items()
        }
        changed = {slot for slot, changes in slots.items() if changes}
        reads = (account.reads | set(slots)) - changed
        accounts.append(
            rlp.encode_list(
                (
                    rlp.encode(account.address),
                    rlp.encode_list(
                        rlp.encode_list(
                            (rlp.encode(rlp.number(slot)), _changes(account, f"slot {slot:#x}", slots[slot]))
                        )
                        for slot in sorted(changed)
                    ),
                    rlp.encode_list(rlp.encode(rlp.number(slot)) for slot in sorted(reads)),
                    _changes(account, "the balance", account.balances),
                    _changes(account, "the nonce", [each for each in account.nonces if each[0] not in ends]),
                    _changes(account, "the code", [each for each in account.codes if each[0] not in ends]),
                )
            )
        )
    return rlp.encode_list(accounts)


# ---------------------------------------------------------------- reading


def _number(item: rlp.Item, name: str, bits: int) -> int:
    return rlp.to_number(item, name, bits)


def _read_changes(item: rlp.Item, name: str, bits: int, fewest: int = 0) -> list[tuple[int, Any]]:
    """[[index, value] …], ascending; `bits` 0: the values are bytes."""
    found: list[tuple[int, Any]] = []
    for number, change in enumerate(rlp.to_list(item, name, fewest)):
        place = f"{name}[{number}]"
        pair = rlp.to_list(change, place, 2, 2)
        index = _number(pair[0], f"{place}.index", 32)
        if found and index <= found[-1][0]:
            raise UnusableInput(f"{place}: index {index} after {found[-1][0]}")
        value = _number(pair[1], f"{place}.value", bits) if bits else rlp.to_bytes(pair[1], f"{place}.value")
        found.append((index, value))
    return found


def _read_slots(item: rlp.Item, name: str) -> Iterator[tuple[int, rlp.Item, str]]:
    """(slot, the item, its place) of a list of slots, or of lists that begin with one, ascending."""
    last = -1
    for number, each in enumerate(rlp.to_list(item, name)):
        place = f"{name}[{number}]"
        slot = _number(each if isinstance(each, bytes) else rlp.to_list(each, place, 2, 2)[0], place, 256)
        if slot <= last:
            raise UnusableInput(f"{place}: slot {slot:#x} after {last:#x}")
        last = slot
        yield slot, each, place


def decode_accesses(encoded: bytes) -> list[AccountEntry]:
    """The accounts of such bytes. Raises DecodeError for what is no RLP, UnusableInput for what is no access list, with the place."""
    found: list[AccountEntry] = []
    items = rlp.to_list(rlp.decode(checked_bytes(encoded, "accesses"), "accesses"), "accesses")
    for number, item in enumerate(items):
        place = f"accesses[{number}]"
        parts = rlp.to_list(item, place, 6, 6)
        account = AccountEntry(rlp.to_bytes(parts[0], f"{place}.address", 20))
        if found and account.address <= found[-1].address:
            raise UnusableInput(f"{place}: 0x{account.address.hex()} after 0x{found[-1].address.hex()}")
        for slot, each, name in _read_slots(parts[1], f"{place}.storage_changes"):
            account.slots[slot] = _read_changes(rlp.to_list(each, name, 2, 2)[1], f"{name}.changes", 256, 1)
        for slot, each, name in _read_slots(parts[2], f"{place}.storage_reads"):
            rlp.to_bytes(each, name)
            if slot in account.slots:
                raise UnusableInput(f"{name}: slot {slot:#x} changes, too")
            account.reads.add(slot)
        account.balances = _read_changes(parts[3], f"{place}.balances", 256)
        account.nonces = _read_changes(parts[4], f"{place}.nonces", 64)
        account.codes = _read_changes(parts[5], f"{place}.codes", 0)
        found.append(account)
    return found


def word(value: int) -> np.ndarray:
    """A number as 32 bytes, big-endian."""
    return np.frombuffer(value.to_bytes(32, "big"), "u1")


def rows_of(accounts: Sequence[AccountEntry]) -> tuple[list[Any], list[Any], list[Any], list[Any], list[bytes]]:
    """(account rows, slot rows, those of index 0 of both, codes), as `Accesses` has them."""
    account_rows: list[Any] = []
    slot_rows: list[Any] = []
    first_accounts: list[Any] = []
    first_slots: list[Any] = []
    codes: list[bytes] = []
    for account in accounts:
        address = np.frombuffer(account.address, "u1")
        balances, nonces, own_codes = dict(account.balances), dict(account.nonces), dict(account.codes)
        lives = dict(account.lives)
        indices = sorted(balances.keys() | nonces.keys() | own_codes.keys() | lives.keys())
        for index in indices:
            code = -1
            if index in own_codes:
                code = len(codes)
                codes.append(own_codes[index])
            writes = (
                lives.get(index, 0)
                | (_BALANCE if index in balances else 0)
                | (_NONCE if index in nonces else 0)
                | (_CODE if index in own_codes else 0)
            )
            values = (address, 0, writes, code, nonces.get(index, 0), word(balances.get(index, 0)))
            (account_rows if index else first_accounts).append((max(index - 1, 0), *values))
        if not indices:
            account_rows.append((0, address, 0, 0, -1, 0, word(0)))  # which transaction read it isn't said
        for slot in account.reads:
            slot_rows.append((0, address, word(slot), word(0), 0))
        for slot, changes in account.slots.items():
            for index, value in changes:
                row = (max(index - 1, 0), address, word(slot), word(value), 1)
                (slot_rows if index else first_slots).append(row)
    account_rows.sort(key=lambda row: row[0])
    slot_rows.sort(key=lambda row: row[0])
    return account_rows, slot_rows, first_accounts, first_slots, codes


# ---------------------------------------------------------------- applying


def apply_accesses(state: State, accesses: Accesses) -> None:
    """See `State.apply`: each field and slot gets the last value that the list has for it."""
    from ._core import _fetch_unknown

    accounts = [account for account in entries_of(accesses) if account.lives or any(account.slots.values())]
    keys: set[tuple[bytes, int | None]] = {(account.address, None) for account in accounts}
    keys.update((account.address, slot) for account in accounts for slot in account.slots)
    _fetch_unknown(state, keys)
    after = state.copy()
    start = after.snapshot()
    for account in accounts:
        _apply_entry(after, account)
    state.apply(after.changes_since(start))


def _apply_entry(state: State, account: AccountEntry) -> None:
    address = account.address
    began = max((index for index, writes in account.lives if writes & (_CREATED | _DESTROYED)), default=-1)
    ended = max((index for index, writes in account.lives if writes & _DESTROYED), default=-1)
    if ended >= 0:
        state.delete_account(address)
    elif began >= 0 and state.exists(address):
        balance, nonce, code = state.get_balance(address), state.get_nonce(address), state.get_code(address)
        state.set_account(address, {"balance": balance, "nonce": nonce, "code": code, "has_storage": False})

    def last(changes: list[tuple[int, Any]]) -> Any:
        """The last value of this life; None: there is none."""
        return changes[-1][1] if changes and changes[-1][0] > ended else None

    values = (
        (state.set_balance, last(account.balances)),
        (state.set_nonce, last(account.nonces)),
        (state.set_code, last(account.codes)),
    )
    for put, value in values:
        if value is not None:
            put(address, value)
    for slot, changes in account.slots.items():
        index, value = changes[-1]
        if index > ended and index >= began:
            state.set_storage(address, slot, value)
    if state.exists(address) and not (
        state.get_balance(address) or state.get_nonce(address) or state.get_code_hash(address) != _NO_CODE
    ):
        state.delete_account(address)  # EIP-161


_NO_CODE = bytes.fromhex("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")
