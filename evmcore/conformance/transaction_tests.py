"""Transaction tests: the bytes of a transaction, and for each fork its hash, sender and intrinsic gas, or why it is refused."""

from __future__ import annotations

from typing import Any

from .._core import check_transaction, fork_index
from ..errors import UnusableInput
from .discovery import EVERYTHING, Selection, load_tests
from .exceptions import is_expected
from .results import CaseResult

__all__ = ["run_file"]


def run_file(path: str, selection: Selection = EVERYTHING) -> list[CaseResult]:
    """All results of a file that are wanted; a file without transaction tests gives none. Raises UnusableInput."""
    results = []
    for name, test in load_tests(path, "transaction").items():
        if not selection.wants(name):
            continue
        for fork, expected in test["result"].items():
            if not selection.wants_in(name, fork):
                continue
            reason = selection.reason_to_skip(path, fork)
            try:
                number = fork_index(fork)
            except ValueError:
                number = -1
            if number < 0 or reason is not None:
                results.append(CaseResult(name, fork, 0, False, None, f"unknown fork {fork}", path, reason))
                continue
            try:
                error = _difference(test["txbytes"], number, expected)
            except (KeyError, TypeError, ValueError) as problem:
                raise UnusableInput(f"{path}: {name}: {type(problem).__name__}: {problem}") from None
            results.append(CaseResult(name, fork, 0, error is None, None, error, path))
    return results


def _difference(raw: str, fork: int, expected: dict[str, Any]) -> str | None:
    """What came out otherwise than expected; None if nothing did."""
    faults, hash_, sender, gas = check_transaction(raw, fork)
    wanted = expected.get("exception")
    said = " and ".join(status if detail is None else f"{status} ({detail})" for status, detail in faults)
    if wanted is not None:
        if not faults:
            return f"accepted, wants {wanted}"
        # Bytes may be wrong in two ways: a type that the fork doesn't have, and damaged; either name is right.
        if any(is_expected(wanted, status, detail) for status, detail in faults):
            return None
        return f"rejected: {said}, wants {wanted}"
    if faults:
        return f"rejected: {said}"
    for what, have in (("hash", hash_), ("sender", sender)):
        if have is None or have != bytes.fromhex(expected[what][2:]):
            return f"{what} {'unknown' if have is None else '0x' + have.hex()}, wants {expected[what]}"
    if gas != int(expected["intrinsicGas"], 16):
        return f"intrinsic gas {gas}, wants {int(expected['intrinsicGas'], 16)}"
    return None
