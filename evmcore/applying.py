"""What `State.apply` and `State.changes_since` do, kept from importing NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._core import BlockAccessList, Changes, _apply_changes, _apply_list, _state_changes

if TYPE_CHECKING:
    from ._core import State
    from .accesses import Accesses

__all__ = ["apply_to", "changes_since"]


def apply_to(
    state: State, changes: Changes | BlockAccessList | Accesses, check: bool, below: int | None, fork: str | None
) -> None:
    """See `State.apply`."""
    if isinstance(changes, BlockAccessList):
        _apply_list(state, changes, below, fork)
        return
    for name, value in (("below", below), ("fork", fork)):
        if value is not None:
            raise TypeError(f"{name}: for a BlockAccessList, and changes is {type(changes).__name__}")
    if isinstance(changes, Changes):
        _apply_changes(state, changes, check)
        return
    from .access_list import apply_accesses
    from .accesses import Accesses

    if not isinstance(changes, Accesses):
        raise TypeError(f"changes: expected Changes, BlockAccessList or Accesses, got {type(changes).__name__}")
    apply_accesses(state, changes)


def changes_since(state: State, snapshot: int) -> Changes:
    """See `State.changes_since`."""
    return _state_changes(state, snapshot)
