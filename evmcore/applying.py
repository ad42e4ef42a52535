"""What `State.apply` and `State.changes_since` do, kept from importing NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._core import _apply_changes, _state_changes

if TYPE_CHECKING:
    from ._core import Changes, State

__all__ = ["apply_to", "changes_since"]


def apply_to(state: State, changes: Changes, check: bool) -> None:
    """See `State.apply`."""
    _apply_changes(state, changes, check)


def changes_since(state: State, snapshot: int) -> Changes:
    """See `State.changes_since`."""
    return _state_changes(state, snapshot)
