"""Reads of a state outside of executions: a lazy one fetches what it doesn't know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ._core import _fetch_unknown
from .hexadecimal import checked_quantity, to_address

if TYPE_CHECKING:
    from ._core import State

__all__ = ["fetch_keys"]


def fetch_keys(state: State, keys: Iterable[tuple[bytes | str, int | None]]) -> int:
    """See `State.fetch_keys`."""
    wanted = [
        (to_address(address), None if slot is None else checked_quantity(slot, "slot", 256)) for address, slot in keys
    ]
    return _fetch_unknown(state, wanted)
