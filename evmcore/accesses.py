"""What the transactions of a block read and wrote: as NumPy arrays, as JSON in the shape of EIP-7928, and as input.

A recorded run (`execute_block(..., record=True)`) gives one; `execute_block(..., accesses=…)` takes one and needs no
speculation then, since every transaction sees at once what those before it will have written.
"""

from __future__ import annotations

import gzip
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from .errors import UnusableInput
from .files import read_json, write_file
from .hexadecimal import shown

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


@dataclass(slots=True)
class Accesses:
    """The accesses of one block, in the order of its transactions, numbered from 0.

    transactions  TRANSACTION_DTYPE: how each one went; empty when read from JSON
    accounts      ACCOUNT_DTYPE: each account that a transaction read or wrote
    slots         SLOT_DTYPE: each slot that a transaction read or wrote; `value` is the one afterwards
    codes         the codes that were written; `code` of an account row is a place in it, -1 for none
    """

    transactions: np.ndarray = field(default_factory=lambda: np.empty(0, TRANSACTION_DTYPE))
    accounts: np.ndarray = field(default_factory=lambda: np.empty(0, ACCOUNT_DTYPE))
    slots: np.ndarray = field(default_factory=lambda: np.empty(0, SLOT_DTYPE))
    codes: tuple[bytes, ...] = ()
    _indexed: Any = field(default=None, init=False, repr=False)  # what a run made of it, for the next run; the core's

    def __post_init__(self) -> None:
        for name, kind in (("transactions", TRANSACTION_DTYPE), ("accounts", ACCOUNT_DTYPE), ("slots", SLOT_DTYPE)):
            rows = getattr(self, name)
            if not isinstance(rows, np.ndarray) or rows.dtype != kind or rows.ndim != 1:
                raise UnusableInput(f"accesses.{name}: {shown(rows)} is no array of {name.upper()[:-1]}_DTYPE")
        if not isinstance(self.codes, (list, tuple)) or not all(type(code) is bytes for code in self.codes):
            raise UnusableInput(f"accesses.codes: {shown(self.codes)} is no sequence of bytes")
        self.codes = tuple(self.codes)

    def __reduce__(self) -> tuple[Any, ...]:
        return Accesses, (self.transactions, self.accounts, self.slots, self.codes)

    @classmethod
    def from_rows(cls, transactions: bytes, accounts: bytes, slots: bytes, codes: Iterable[bytes]) -> Accesses:
        """From packed rows, as the core writes them."""
        return cls(
            np.frombuffer(transactions, TRANSACTION_DTYPE),
            np.frombuffer(accounts, ACCOUNT_DTYPE),
            np.frombuffer(slots, SLOT_DTYPE),
            tuple(codes),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Accesses):
            return NotImplemented
        return self.to_json() == other.to_json()

    def to_json(self) -> list[dict[str, Any]]:
        """The block access list in the shape of EIP-7928: accounts by address; index 1 is the first transaction.

        Where an account was destroyed, or only touched, it has `lifetimeChanges` too: before Cancun and Spurious Dragon
        the values alone don't tell.
        """
        accounts: dict[bytes, dict[str, Any]] = {}

        def entry(address: bytes) -> dict[str, Any]:
            if address not in accounts:
                accounts[address] = {
                    "address": "0x" + address.hex(),
                    "storageChanges": defaultdict(list),
                    "storageReads": set(),
                    "balanceChanges": [],
                    "nonceChanges": [],
                    "codeChanges": [],
                }
            return accounts[address]

        for row in self.accounts:
            account = entry(row["address"].tobytes())
            index = hex(int(row["transaction"]) + 1)
            if row["writes"] & WROTE_BALANCE:
                balance = int.from_bytes(row["balance"].tobytes(), "big")
                account["balanceChanges"].append({"blockAccessIndex": index, "postBalance": hex(balance)})
            if row["writes"] & WROTE_NONCE:
                account["nonceChanges"].append({"blockAccessIndex": index, "postNonce": hex(int(row["nonce"]))})
            if row["writes"] & WROTE_CODE:
                if row["code"] >= len(self.codes):
                    raise UnusableInput(f"accesses.accounts: a row has code {row['code']}, there are {len(self.codes)}")
                code = self.codes[row["code"]] if row["code"] >= 0 else b""
                account["codeChanges"].append({"blockAccessIndex": index, "newCode": "0x" + code.hex()})
            if row["writes"] & DESTROYED or (row["writes"] & (TOUCHED | VALUES) == TOUCHED):
                change = {"blockAccessIndex": index, "is": "destroyed" if row["writes"] & DESTROYED else "touched"}
                account.setdefault("lifetimeChanges", []).append(change)
        for row in self.slots:
            account = entry(row["address"].tobytes())
            slot = int.from_bytes(row["slot"].tobytes(), "big")
            if row["is_write"]:
                value = int.from_bytes(row["value"].tobytes(), "big")
                account["storageChanges"][slot].append(
                    {"blockAccessIndex": hex(int(row["transaction"]) + 1), "postValue": hex(value)}
                )
            else:
                account["storageReads"].add(slot)
        result = []
        for _, account in sorted(accounts.items()):
            changes = account["storageChanges"]
            account["storageReads"] = [hex(slot) for slot in sorted(account["storageReads"] - set(changes))]
            account["storageChanges"] = [{"slot": hex(slot), "slotChanges": changes[slot]} for slot in sorted(changes)]
            result.append(account)
        return result

    @classmethod
    def from_json(cls, value: Iterable[Mapping[str, Any]]) -> Accesses:
        """From a block access list in the shape of EIP-7928. Changes of system calls (index 0, n + 1) are left out by
        `execute_block`, which makes them itself. Raises UnusableInput, which names the account."""
        accounts: list[tuple[Any, ...]] = []
        slots: list[tuple[Any, ...]] = []
        codes: list[bytes] = []
        if not isinstance(value, (list, tuple)):
            raise UnusableInput(f"accesses: {shown(value)} is not a list of accounts")
        for item in value:
            try:
                address = np.frombuffer(bytes.fromhex(item["address"][2:]), "u1")
                if len(address) != 20:
                    raise ValueError(f"{len(address)} bytes instead of 20")
                changes: dict[int, dict[str, Any]] = defaultdict(dict)
                for change in _list(item, "balanceChanges"):
                    changes[_index(change)]["balance"] = _number(change["postBalance"])
                for change in _list(item, "nonceChanges"):
                    changes[_index(change)]["nonce"] = _number(change["postNonce"], 64)
                for change in _list(item, "codeChanges"):
                    changes[_index(change)]["code"] = bytes.fromhex(change["newCode"][2:])
                for change in _list(item, "lifetimeChanges"):
                    changes[_index(change)]["writes"] = LIFETIMES[change["is"]]
                for index, change in changes.items():
                    writes = change.get("writes", 0)
                    code = -1
                    if "balance" in change:
                        writes |= WROTE_BALANCE
                    if "nonce" in change:
                        writes |= WROTE_NONCE
                    if "code" in change:
                        writes |= WROTE_CODE
                        code = len(codes)
                        codes.append(change["code"])
                    if index > 0:
                        balance = np.frombuffer(change.get("balance", 0).to_bytes(32, "big"), "u1")
                        accounts.append((index - 1, address, 0, writes, code, change.get("nonce", 0), balance))
                if not changes:
                    accounts.append(
                        (0, address, 0, 0, -1, 0, np.zeros(32, "u1"))
                    )  # which transaction read it isn't said
                for slot in _list(item, "storageReads"):
                    key = np.frombuffer(_number(slot).to_bytes(32, "big"), "u1")
                    slots.append((0, address, key, np.zeros(32, "u1"), 0))
                for slot in _list(item, "storageChanges"):
                    key = np.frombuffer(_number(slot["slot"]).to_bytes(32, "big"), "u1")
                    for change in _list(slot, "slotChanges"):
                        index = _index(change)
                        word = np.frombuffer(_number(change["postValue"]).to_bytes(32, "big"), "u1")
                        if index > 0:
                            slots.append((index - 1, address, key, word, 1))
            except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
                raise UnusableInput(f"accesses of {shown(item)}: {type(error).__name__}: {error}") from None
        accounts.sort(key=lambda row: row[0])
        slots.sort(key=lambda row: row[0])
        return cls(accounts=np.array(accounts, ACCOUNT_DTYPE), slots=np.array(slots, SLOT_DTYPE), codes=tuple(codes))

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


def _index(change: Mapping[str, Any]) -> int:
    return _number(change["blockAccessIndex"], 32)
