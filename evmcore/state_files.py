"""Files of states: evmcore's own bytes, geth's alloc, and what anvil dumps. What goes wrong raises UnusableInput with the path."""

from __future__ import annotations

import gzip
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import orjson

from .errors import UnusableInput
from .files import GZIP_MAGIC, max_json_bytes, parse_json, read_file, unpack, write_file
from .hexadecimal import shown

if TYPE_CHECKING:
    from ._core import State

__all__ = ["StateForm", "load_state", "save_state", "state_of", "to_anvil"]

StateForm = Literal["evmcore", "alloc", "anvil"]

_State = TypeVar("_State", bound="State")


def save_state(state: State, path: str | os.PathLike[str], form: StateForm = "evmcore") -> None:
    """What `State.save` does."""
    if form == "evmcore":
        content = state.to_bytes()
    elif form == "alloc":
        content = orjson.dumps(state.to_alloc())
    elif form == "anvil":
        content = orjson.dumps(to_anvil(state))
    else:
        raise ValueError(f"form: {shown(form)} is not one of evmcore, alloc, anvil")
    write_file(path, gzip.compress(content, mtime=0) if os.fspath(path).endswith(".gz") else content)


def load_state(kind: type[_State], path: str | os.PathLike[str]) -> _State:
    """What `State.load` does."""
    return state_of(kind, read_file(path), os.fsdecode(path))


def state_of(kind: type[_State], content: bytes, name: str) -> _State:
    """The state of a file's content. Raises UnusableInput that begins with the name."""
    if content[:2] == GZIP_MAGIC:
        content = unpack(content, name, max_json_bytes())
    try:
        if content.lstrip()[:1] == b"{":
            return kind.from_alloc(_accounts(parse_json(content, name)))
        return kind.from_bytes(content)
    except UnusableInput as error:
        text = str(error)
        raise UnusableInput(text if text.startswith(name) else f"{name}: {text}") from None
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        raise UnusableInput(f"{name}: {error}") from None


def _accounts(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The accounts of geth's genesis (`alloc`), of anvil's dump (`accounts`), or the alloc itself."""
    for member in ("alloc", "accounts"):
        if member in value:
            value = value[member]
            break
    if not isinstance(value, Mapping):
        raise UnusableInput(f"accounts: {shown(value)} is not an object")
    for address, account in value.items():
        if not isinstance(account, Mapping):
            raise UnusableInput(f"accounts.{address}: {shown(account)} is not an object")
    return value


def to_anvil(state: State) -> dict[str, Any]:
    accounts = {}
    for address, account in state.items():
        accounts["0x" + address.hex()] = {
            "nonce": account.nonce,
            "balance": hex(account.balance),
            "code": "0x" + account.code.hex(),
            "storage": {f"0x{key:064x}": f"0x{value:064x}" for key, value in account.storage.items()},
        }
    return {"block": None, "accounts": accounts, "best_block_number": None, "blocks": [], "transactions": []}
