"""State tests: one transaction on a pre-state, and what has to come of it; several forks and choices of data a test.

Reads the classic layout (several forks and indexes a test) and the newer one (one case a key). The work is done by
`StateTest` in the compiled half, straight from the JSON's text.
"""

from __future__ import annotations

from typing import Any

from .._core import STATUSES, StateTest, fork_index
from ..errors import EvmError, UnusableInput
from .discovery import EVERYTHING, Selection, load_tests
from .exceptions import is_expected
from .objects import sender_of
from .results import CaseResult

__all__ = ["config_of", "run_file"]

_NAMES = tuple(row.name for row in STATUSES)
_KINDS = tuple(row.kind for row in STATUSES)
_TEXTS = tuple(row.text for row in STATUSES)


def run_file(path: str, selection: Selection = EVERYTHING) -> list[CaseResult]:
    """All cases of a file that are wanted; a file without state tests gives none. Raises UnusableInput."""
    results: list[CaseResult] = []
    for name, test in load_tests(path, "state").items():
        if selection.wants(name):
            try:
                _run_test(path, name, test, selection, results)
            except UnusableInput as error:
                raise UnusableInput(f"{path}: {name}: {error}") from None
            except (ArithmeticError, KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
                raise UnusableInput(f"{path}: {name}: {type(error).__name__}: {error}") from None
    return results


def _run_test(path: str, name: str, test: dict[str, Any], selection: Selection, results: list[CaseResult]) -> None:
    native: StateTest | None = None
    transaction = test["transaction"]
    if "sender" not in transaction:
        transaction["sender"] = sender_of(transaction["secretKey"])
    for fork, cases in test["post"].items():
        if not selection.wants_in(name, fork):
            continue
        reason = selection.reason_to_skip(path, fork)
        try:
            fork_number = fork_index(fork)
        except ValueError:
            fork_number = -1
        if fork_number < 0 or reason is not None:
            error = f"unknown fork {fork}"
            results += [CaseResult(name, fork, i, False, None, error, path, reason) for i in range(len(cases))]
            continue
        if native is None:
            native = StateTest(test["pre"], test["env"], pays_always="config" not in test)
        chain_id, schedule = config_of(test, fork)
        native.use_fork(fork_number, chain_id, schedule and schedule[1:])
        for index, case in enumerate(cases):
            if selection.index is None or selection.index == index:
                results.append(_run_case(native, path, name, fork, index, transaction, case))


def _run_case(
    native: StateTest, path: str, name: str, fork: str, index: int, transaction: dict[str, Any], case: dict[str, Any]
) -> CaseResult:
    chosen = case["indexes"]
    try:
        status, root, logs, detail, note = native.run(
            transaction, chosen["data"], chosen["gas"], chosen["value"], case.get("txbytes")
        )
    except UnusableInput:
        raise
    except EvmError as problem:
        return CaseResult(name, fork, index, False, None, str(problem), path)
    expected = case.get("expectException")
    state_root = "0x" + root.hex()
    error: str | None
    if _KINDS[status] == "BROKEN":
        return CaseResult(name, fork, index, False, None, f"evmcore failed: {_TEXTS[status]}", path)
    if _KINDS[status] == "INVALID":
        if expected is None:
            error = f"rejected: {_TEXTS[status]}"
        else:
            is_right = is_expected(expected, _NAMES[status], detail)
            error = None if is_right else f"rejected: {_TEXTS[status]}, wants {expected}"
    else:
        error = None if expected is None else f"accepted, wants {expected}"
    if error is None:
        if state_root != case["hash"]:
            error = f"state root {state_root}, wants {case['hash']}"
        elif logs.hex() != case["logs"][2:]:
            error = f"logs hash 0x{logs.hex()}, wants {case['logs']}"
        else:
            error = note
    return CaseResult(name, fork, index, error is None, state_root, error, path)


def config_of(test: dict[str, Any], fork: str) -> tuple[int, tuple[int, int, int] | None]:
    """A test's chain id, and its blob schedule for a fork: (target, max, update fraction), or None for the fork's own."""
    config = test.get("config")
    if config is None:
        return 1, None
    schedule = config.get("blobSchedule", {}).get(fork)
    return int(config.get("chainid", "0x1"), 16), schedule and (
        int(schedule["target"], 16),
        int(schedule["max"], 16),
        int(schedule["baseFeeUpdateFraction"], 16),
    )
