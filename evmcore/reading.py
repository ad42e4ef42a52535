"""Reads of a state outside of executions: a lazy one fetches what it doesn't know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ._core import _fetch_unknown
from .errors import MissingState

__all__ = ["read"]

_Value = TypeVar("_Value")


def read(getter: Callable[..., _Value], address: bytes, *key: Any) -> _Value:
    """What one of a State's getters says of an account, such as `read(state.get_storage, address, 1)`.

    raise  MissingState of a strict state; what the source raises
    """
    try:
        return getter(address, *key)
    except MissingState as error:
        state = getter.__self__  # type: ignore[attr-defined]
        if state.source is None:
            raise
        _fetch_unknown(state, [(address, error.slot)])
        return getter(address, *key)
