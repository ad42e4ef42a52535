"""What the transactions of a block read and wrote: as NumPy arrays, as JSON in the shape of EIP-7928, and as input.

A recorded run (`execute_block(..., record=True)`) gives one; `execute_block(..., accesses=…)` takes one and needs no
speculation then, since every transaction sees at once what those before it will have written.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from .access_list import AccountEntry, decode_accesses, encode_accesses, entries_of, rows_of
from .errors import UnusableInput
from .files import read_json, write_file
from .hexadecimal import shown
from .packing import squeeze, unsqueeze
from .receipt import keccak256

__all__ = ["ACCOUNT_DTYPE", "SLOT_DTYPE", "TRANSACTION_DTYPE", "Accesses"]

# waited_for: the transaction whose write made this one run again, -1 if none did.
# finish_gas: when it could have finished with processors without number, in gas after the start of the block.
TRANSACTION_DTYPE = np.dtype(
    [("transaction", "<u4"), ("gas_used", "<u8"), ("executions", "<u4"), ("waited_for", "<i8"), ("finish_gas", "<u8")]
)
# reads: 1 balance, 2 a minimum of balance, 4 nonce, 8 code, 16 whether alive, 32 whether it exists, 64 whether nonce, code or storage
# forbid a creation.
# writes: 1 balance, 2 nonce, 4 code, 8 touched, 16 created, 32 destroyed. nonce, balance and code are as they are afterwards.
ACCOUNT_DTYPE = np.dtype(
    [
        ("transaction", "<u4"),
        ("address", "u1", 20),
        ("reads", "u1"),
        ("writes", "u1"),
        ("code", "<i4"),
        ("nonce", "<u8"),
        ("balance", "u1", 32),
    ]
)
SLOT_DTYPE = np.dtype(
    [("transaction", "<u4"), ("address", "u1", 20), ("slot", "u1", 32), ("value", "u1", 32), ("is_write", "u1")]
)

WROTE_BALANCE, WROTE_NONCE, WROTE_CODE, TOUCHED, CREATED, DESTROYED = 1, 2, 4, 8, 16, 32
VALUES = WROTE_BALANCE | WROTE_NONCE | WROTE_CODE
LIFETIMES = {"touched": TOUCHED, "destroyed": DESTROYED}
_ROWS = {
    "transactions": TRANSACTION_DTYPE,
    "accounts": ACCOUNT_DTYPE,
    "slots": SLOT_DTYPE,
    "system_accounts": ACCOUNT_DTYPE,
    "system_slots": SLOT_DTYPE,
}


@dataclass(slots=True)
class Accesses:
    """The accesses of one block, in the order of its transactions, numbered from 0.

    transactions  TRANSACTION_DTYPE: how each one went; empty when read from JSON
    accounts      ACCOUNT_DTYPE: each account that a transaction read or wrote
    slots         SLOT_DTYPE: each slot that a transaction read or wrote; `value` is the one afterwards
    codes         the codes that were written; `code` of an account row is a place in it, -1 for none
    system_accounts, system_slots
                  the same of what the block does outside its transactions: of the system calls before the first one, then of
                  rewards, withdrawals and system calls after the last one, each taken as one. `transaction` is the block access
                  index there: 0, or one more than there are transactions
    """

    transactions: np.ndarray = field(default_factory=lambda: np.empty(0, TRANSACTION_DTYPE))
    accounts: np.ndarray = field(default_factory=lambda: np.empty(0, ACCOUNT_DTYPE))
    slots: np.ndarray = field(default_factory=lambda: np.empty(0, SLOT_DTYPE))
    codes: tuple[bytes, ...] = ()
    system_accounts: np.ndarray = field(default_factory=lambda: np.empty(0, ACCOUNT_DTYPE))
    system_slots: np.ndarray = field(default_factory=lambda: np.empty(0, SLOT_DTYPE))
    _indexed: Any = field(default=None, init=False, repr=False)  # what a run made of it, for the next run; the core's

    def __post_init__(self) -> None:
        for name, kind in _ROWS.items():
            rows = getattr(self, name)
            if not isinstance(rows, np.ndarray) or rows.dtype != kind or rows.ndim != 1:
                wanted = name.removeprefix("system_").upper()[:-1]
                raise UnusableInput(f"accesses.{name}: {shown(rows)} is no array of {wanted}_DTYPE")
        if not isinstance(self.codes, (list, tuple)) or not all(type(code) is bytes for code in self.codes):
            raise UnusableInput(f"accesses.codes: {shown(self.codes)} is no sequence of bytes")
        self.codes = tuple(self.codes)

    def __reduce__(self) -> tuple[Any, ...]:
        rows = tuple(squeeze(getattr(self, name).tobytes()) for name in _ROWS)
        return _restore, (rows, self.codes)

    @classmethod
    def from_rows(
        cls,
        transactions: bytes,
        accounts: bytes,
        slots: bytes,
        codes: Iterable[bytes],
        system_accounts: bytes = b"",
        system_slots: bytes = b"",
    ) -> Accesses:
        """From packed rows, as the core writes them."""
        return cls(
            np.frombuffer(transactions, TRANSACTION_DTYPE),
            np.frombuffer(accounts, ACCOUNT_DTYPE),
            np.frombuffer(slots, SLOT_DTYPE),
            tuple(codes),
            np.frombuffer(system_accounts, ACCOUNT_DTYPE),
            np.frombuffer(system_slots, SLOT_DTYPE),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Accesses):
            return NotImplemented
        return self.to_json() == other.to_json()

    def to_json(self) -> list[dict[str, Any]]:
        """The block access list in the shape of EIP-7928: accounts by address; index 1 is the first transaction,
        0 what comes before it.

        Where an account was destroyed, or only touched, it has `lifetimeChanges` too: before Cancun and Spurious Dragon
        the values alone don't tell.
        """
        result = []
        for account in entries_of(self):
            entry: dict[str, Any] = {
                "address": "0x" + account.address.hex(),
                "storageChanges": [
                    {"slot": hex(slot), "slotChanges": _shown_changes(account.slots[slot], "postValue")}
                    for slot in sorted(account.slots)
                ],
                "storageReads": [hex(slot) for slot in sorted(account.reads - set(account.slots))],
                "balanceChanges": _shown_changes(account.balances, "postBalance"),
                "nonceChanges": _shown_changes(account.nonces, "postNonce"),
                "codeChanges": _shown_changes(account.codes, "newCode"),
            }
            lives = [
                {"blockAccessIndex": hex(index), "is": "destroyed" if writes & DESTROYED else "touched"}
                for index, writes in account.lives
                if writes & DESTROYED or writes & (TOUCHED | VALUES) == TOUCHED
            ]
            if lives:
                entry["lifetimeChanges"] = lives
            result.append(entry)
        return result

    def encode(self) -> bytes:
        """The block access list as RLP (EIP-7928): with what the block does outside its transactions, as far as the rows have it.

        raise   UnusableInput for rows that change one thing twice in one transaction

        How an account ended before Cancun has no form in it; `to_json` has.
        """
        return encode_accesses(self)

    @property
    def hash(self) -> bytes:
        """keccak-256 of `encode`, 32 bytes: `block_access_list_hash` of a header (EIP-7928)."""
        return keccak256(self.encode())

    @classmethod
    def decode(cls, encoded: bytes) -> Accesses:
        """From a block access list as RLP, of which nothing is taken for granted. Raises DecodeError or UnusableInput, with the place.

        Where a list from elsewhere has changes after the last transaction, they are rows like those of one transaction more.
        """
        return cls._of(decode_accesses(encoded))

    @classmethod
    def _of(cls, entries: list[AccountEntry]) -> Accesses:
        accounts, slots, first_accounts, first_slots, codes = rows_of(entries)
        return cls(
            accounts=np.array(accounts, ACCOUNT_DTYPE),
            slots=np.array(slots, SLOT_DTYPE),
            codes=tuple(codes),
            system_accounts=np.array(first_accounts, ACCOUNT_DTYPE),
            system_slots=np.array(first_slots, SLOT_DTYPE),
        )

    @classmethod
    def from_json(cls, value: Iterable[Mapping[str, Any]]) -> Accesses:
        """From a block access list in the shape of EIP-7928. Changes of system calls (index 0, n + 1) are left out by
        `execute_block`, which makes them itself. Raises UnusableInput, which names the account."""
        entries: list[AccountEntry] = []
        if not isinstance(value, (list, tuple)):
            raise UnusableInput(f"accesses: {shown(value)} is not a list of accounts")
        for item in value:
            try:
                account = AccountEntry(bytes.fromhex(item["address"][2:]))
                if len(account.address) != 20:
                    raise ValueError(f"{len(account.address)} bytes instead of 20")
                for change in _list(item, "balanceChanges"):
                    account.balances.append((_index(change), _number(change["postBalance"])))
                for change in _list(item, "nonceChanges"):
                    account.nonces.append((_index(change), _number(change["postNonce"], 64)))
                for change in _list(item, "codeChanges"):
                    account.codes.append((_index(change), bytes.fromhex(change["newCode"][2:])))
                for change in _list(item, "lifetimeChanges"):
                    account.lives.append((_index(change), LIFETIMES[change["is"]]))
                account.reads.update(_number(slot) for slot in _list(item, "storageReads"))
                for slot in _list(item, "storageChanges"):
                    changes = account.slots.setdefault(_number(slot["slot"]), [])
                    for change in _list(slot, "slotChanges"):
                        changes.append((_index(change), _number(change["postValue"])))
            except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
                raise UnusableInput(f"accesses of {shown(item)}: {type(error).__name__}: {error}") from None
            entries.append(account)
        return cls._of(entries)

    def piece(self, first: int, last: int) -> Accesses:
        """Those of the transactions from `first` to before `last`, numbered from 0: for `execute_block(..., piece=Piece(first, last, …))`.

        From a recorded run. A read in JSON doesn't say which transaction it is of: it is taken to be the first one's.
        """
        if not 0 <= first <= last:
            raise ValueError(f"accesses: no piece goes from transaction {first} to before {last}")

        def part(rows: np.ndarray) -> np.ndarray:
            numbers = rows["transaction"]
            kept: np.ndarray = rows[(numbers >= first) & (numbers < last)].copy()
            kept["transaction"] -= first
            return kept

        return Accesses(part(self.transactions), part(self.accounts), part(self.slots), self.codes)

    def in_order(self, name: str) -> np.ndarray:
        """`accounts` or `slots` by transaction. From now on they can't be changed: a run relies on what it has read."""
        self.__post_init__()  # they may have been changed since
        rows: np.ndarray = getattr(self, name)
        order = rows["transaction"]
        if not np.all(order[1:] >= order[:-1]):
            rows = rows[np.argsort(order, kind="stable")]
        rows.flags.writeable = False
        setattr(self, name, rows)
        return rows

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the JSON form, gzipped if the name ends in .gz. Raises UnusableInput; a file that was there is then as it was."""
        content = orjson.dumps({"format": "block-accesses/1", "accounts": self.to_json()})
        write_file(path, gzip.compress(content, mtime=0) if os.fspath(path).endswith(".gz") else content)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Accesses:
        """Read what `save` wrote. Raises UnusableInput with path and reason."""
        name = os.fspath(path)
        value = read_json(path)
        if not isinstance(value, dict) or value.get("format") != "block-accesses/1":
            raise UnusableInput(f"{name}: not a file of accesses (format block-accesses/1)")
        accounts: Any = value.get("accounts")
        try:
            return cls.from_json(accounts)
        except UnusableInput as error:
            raise UnusableInput(f"{name}: {error}") from None


def _restore(rows: tuple[bytes, ...], codes: tuple[bytes, ...]) -> Accesses:
    """What `Accesses.__reduce__` says."""
    if type(rows) is not tuple or len(rows) != len(_ROWS):
        raise TypeError("a pickled Accesses: not what one is made from")
    arrays = {
        name: np.frombuffer(unsqueeze(data, "a pickled Accesses"), kind).copy()
        for (name, kind), data in zip(_ROWS.items(), rows)
    }
    return Accesses(codes=codes, **arrays)


def _number(value: Any, bits: int = 256) -> int:
    """A number in hexadecimal or itself, not negative, of so many bits at most."""
    number = int(value, 16) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"{shown(value)} is not a number")
    if number < 0:
        raise ValueError(f"{shown(value)} is negative")
    if number.bit_length() > bits:
        raise ValueError(f"{shown(value)} is too big for {bits} bits")
    return number


def _list(item: Mapping[str, Any], key: str) -> list[Any]:
    """A member that is a list; where it is missing, an empty one."""
    value = item.get(key, ())
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{key}: {shown(value)} is not a list")
    return list(value)


def _shown_changes(changes: list[tuple[int, Any]], name: str) -> list[dict[str, str]]:
    """A list of changes in JSON, with the value under that name."""
    return [
        {"blockAccessIndex": hex(index), name: "0x" + value.hex() if isinstance(value, bytes) else hex(value)}
        for index, value in changes
    ]


def _index(change: Mapping[str, Any]) -> int:
    return _number(change["blockAccessIndex"], 32)
