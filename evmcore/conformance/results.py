"""What a runner says of one case, the same for state, blockchain and transaction tests."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["CaseResult"]


class CaseResult(NamedTuple):
    """One case of a test file. Goes through pickle cheaply: runs with many workers make hundreds of thousands.

    index       the case's place among those of its fork in its test; 0 where there is one a test
    state_root  "0x…" of what came out; None where there is none
    error       why it failed; for a case that passed, None
    skipped     the reason in the list of skips; the case was then not run
    """

    name: str
    fork: str
    index: int  # type: ignore[assignment]  # hides tuple's method, which nobody calls on a result
    is_passed: bool
    state_root: str | None
    error: str | None
    file: str
    skipped: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The members go-ethereum's `evm statetest` prints, plus file and index."""
        members: dict[str, Any] = {
            "name": self.name,
            "fork": self.fork,
            "index": self.index,
            "pass": self.is_passed,
            "stateRoot": self.state_root,
            "error": self.error,
            "file": self.file,
        }
        if self.skipped is not None:
            members["skipped"] = self.skipped
        return members
