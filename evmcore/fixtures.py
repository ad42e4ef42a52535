"""Block files: finding them, reading them, and turning their JSON into a `Block`.

A block file is gzipped JSON (or plain), format "mainnet-block/1": header, signed transactions, the part of the state that
the block touches, and what it has to give. Everything that can be wrong with one raises UnusableInput with path and reason.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ._core import BlockHashes
from .block import Block, Expected
from .errors import DecodeError, EvmError, UnusableInput
from .files import read_json
from .header import Header, Withdrawal
from .hexadecimal import data, field, quantity, shown, to_address

__all__ = ["BLOCK_FORMAT", "block_from_json", "block_paths", "load_block", "read_json"]

BLOCK_FORMAT = "mainnet-block/1"
# What the core raises for values that no account can have.
_BAD_VALUES = (TypeError, ValueError, OverflowError, AttributeError)


def is_block_json(value: object) -> bool:
    """Whether the JSON says that it is a block file."""
    return isinstance(value, Mapping) and value.get("format") == BLOCK_FORMAT


def block_paths(inputs: Sequence[str | os.PathLike[str]]) -> list[tuple[Path, bool]]:
    """The files to look at: (path, whether it was named itself). Directories are listed, not walked into.

    In a directory every .json and .json.gz is looked at, in the order of the numbers that they are named by; only those
    of the right format count, which shows when they are read.
    """
    found = []
    for name in inputs:
        path = Path(name)
        if not path.is_dir():
            found.append((path, True))
            continue
        try:
            inside = [file for file in path.iterdir() if file.name.endswith((".json", ".json.gz")) and file.is_file()]
        except OSError as error:
            raise UnusableInput(f"{path}: {error.strerror or error}") from None
        found += [(file, False) for file in sorted(inside, key=_by_number)]
    return found


def _by_number(path: Path) -> tuple[int, str]:
    stem = path.name.split(".", 1)[0]
    return (int(stem) if stem.isdecimal() else -1, path.name)


def load_block(path: str | os.PathLike[str]) -> Block:
    """The block of a file, with its pre-state. Raises UnusableInput."""
    return block_of(path, read_json(path))


def block_of(path: str | os.PathLike[str], value: object) -> Block:
    """The block of a file's JSON; refusals start with the path."""
    if not is_block_json(value):
        given = value.get("format") if isinstance(value, Mapping) else None
        raise UnusableInput(f"{path}: format is {shown(given)}, wants {BLOCK_FORMAT!r}")
    assert isinstance(value, Mapping)
    try:
        return block_from_json(value)
    except EvmError as error:
        raise UnusableInput(f"{path}: {error}") from None


def block_from_json(value: Mapping[str, Any]) -> Block:
    """The block of a block file's JSON, with its pre-state. Raises UnusableInput."""
    header_json = _mapping(field(value, "header", "block"), "header")
    header = Header.from_json(
        header_json,
        fork=_fork(value, header_json),
        chain_id=quantity(value.get("chainId", 1), "chainId", 64),
        block_hashes=_block_hashes(value.get("blockHashes") or {}),
    )
    if "number" in value and quantity(value["number"], "number", 64) != header.number:
        raise UnusableInput(f"number: {value['number']}, but the header's is {header.number}")
    withdrawals = value.get("withdrawals")
    transactions = _list(field(value, "transactions", "block"), "transactions")
    return Block(
        header,
        tuple(_transaction(item, f"transactions[{index}]") for index, item in enumerate(transactions)),
        tuple(_ommer(item, header) for item in _list(value.get("ommers") or [], "ommers")),
        None
        if withdrawals is None
        else tuple(
            Withdrawal.from_json(_mapping(item, f"withdrawals[{index}]"), f"withdrawals[{index}]")
            for index, item in enumerate(_list(withdrawals, "withdrawals"))
        ),
        pre_state=_state(field(value, "preState", "block")),
        expected=_expected(_mapping(value.get("expected") or {}, "expected"), transactions),
        is_pre_state_complete=value.get("preStateComplete") is True,
    )


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UnusableInput(f"{name}: {shown(value)} is not an object")
    return value


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise UnusableInput(f"{name}: {shown(value)} is not a list")
    return value


def _fork(value: Mapping[str, Any], header: Mapping[str, Any]) -> str:
    """The file's own name for the fork; the name of its rules if the fork is one that only they know.

    Where it names neither, that of a public chain at the block's number and timestamp.
    """
    from ._core import fork_index

    names = [name for name in (value.get("fork"), value.get("rules")) if isinstance(name, str)]
    if value.get("fork") is None and value.get("rules") is None:
        from .chain.networks import fork_of_block

        number, timestamp = (quantity(field(header, name, "header"), name, 64) for name in ("number", "timestamp"))
        return fork_of_block(quantity(value.get("chainId", 1), "chainId", 64), number, timestamp)
    for name in names:
        try:
            fork_index(name)
        except ValueError:
            continue
        return name
    raise UnusableInput(f"fork: {shown(value.get('fork'))} is not a fork that evmcore knows")


def _block_hashes(value: object) -> BlockHashes:
    listed = _mapping(value, "blockHashes").items()
    return BlockHashes(
        {quantity(number, "blockHashes", 64): data(hash_, f"blockHashes.{number}", 32) for number, hash_ in listed},
        synthetic=True,
    )


def _transaction(value: object, name: str) -> Any:
    from ._core import Transaction

    raw = data(field(_mapping(value, name), "raw", name), f"{name}.raw")
    try:
        return Transaction.decode(raw)
    except DecodeError as error:
        raise UnusableInput(f"{name}.raw: {error}") from None


def _ommer(value: object, header: Header) -> Header:
    return Header.from_json(_mapping(value, "ommers"), fork=header.fork, chain_id=header.chain_id)


def _state(value: object) -> Any:
    from ._core import State

    accounts = _mapping(value, "preState")
    for address, account in accounts.items():
        _mapping(account, f"preState.{address}")
    try:
        return State.from_alloc(accounts)
    except _BAD_VALUES:
        for address, account in accounts.items():  # which one it was is asked only now
            try:
                State.from_alloc({address: account})
            except _BAD_VALUES as error:
                raise UnusableInput(f"preState.{address}: {error}") from None
        raise


def _expected(value: Mapping[str, Any], transactions: list[Any]) -> Expected:
    def hash_of(key: str, size: int = 32) -> bytes | None:
        given = value.get(key)
        return None if given is None else data(given, f"expected.{key}", size)

    gas_used = value.get("gasUsed")
    senders = tuple(
        None if item.get("from") is None else to_address(item["from"], f"transactions[{index}].from")
        for index, item in enumerate(transactions)
    )
    return Expected(
        gas_used=None if gas_used is None else quantity(gas_used, "expected.gasUsed", 64),
        logs_bloom=hash_of("logsBloom", 256),
        receipts_root=hash_of("receiptsRoot"),
        state_root=hash_of("stateRoot"),
        senders=senders,
    )
