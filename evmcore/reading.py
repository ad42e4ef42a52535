"""Reads of a state outside of executions: a lazy one fetches what it doesn't know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ._core import _fetch_unknown
from .hexadecimal import checked_quantity, shown, to_address

if TYPE_CHECKING:
    from ._core import State

__all__ = ["fetch_keys"]


def fetch_keys(state: State, keys: Iterable[tuple[bytes | str, int | None]]) -> int:
    """See `State.fetch_keys`."""
    if not isinstance(keys, Iterable) or isinstance(keys, (str, bytes, Mapping)):
        raise TypeError(f"keys: expected an iterable of (address, slot or None), got {type(keys).__name__}")
    wanted = []
    for key in keys:
        if not isinstance(key, (tuple, list)) or len(key) != 2:
            raise TypeError(f"keys: expected (address, slot or None), got {shown(key)}")
        address, slot = key
        wanted.append((to_address(address), None if slot is None else checked_quantity(slot, "slot", 256)))
    return _fetch_unknown(state, wanted)
