"""What `State.apply` and `State.changes_since` do, kept from importing NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._core import Changes, _apply_changes, _state_changes

if TYPE_CHECKING:
    from ._core import State
    from .accesses import Accesses

__all__ = ["apply_to", "changes_since"]


def apply_to(state: State, changes: Changes | Accesses, check: bool) -> None:
    """See `State.apply`."""
    if isinstance(changes, Changes):
        _apply_changes(state, changes, check)
        return
    from .access_list import apply_accesses
    from .accesses import Accesses

    if not isinstance(changes, Accesses):
        raise TypeError(f"changes: expected Changes or Accesses, got {type(changes).__name__}")
    apply_accesses(state, changes)


def changes_since(state: State, snapshot: int) -> Changes:
    """See `State.changes_since`."""
    return _state_changes(state, snapshot)
