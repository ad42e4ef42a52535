"""State tests one at a time, as go-ethereum's `evm statetest` runs them: a result each, and state roots on standard error."""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .._core import FieldOverflow, State, fork_index, fork_rules, transact
from ..errors import EvmError, InvalidTransaction, UnusableInput
from ..receipt import Account, Receipt
from .discovery import load_tests
from .exceptions import is_expected
from .objects import header_of, sender_of, state_of, transaction_of
from .state_tests import config_of

__all__ = ["run_file"]

_BAD_SHAPES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def run_file(
    path: str,
    names: re.Pattern[str],
    *,
    fork: str = "",
    index: int = -1,
    make_tracer: Callable[[Any], Any],
    is_timed: bool = False,
    dump: Callable[[State], dict[str, Any]] | None = None,
) -> Iterator[dict[str, Any]]:
    """The results of a file's cases, as they come.

    fork, index  only these cases; "" and -1: all
    make_tracer  of a stream: the tracer of a case, or None
    is_timed     whether each case is run once more for its time
    dump         what is shown of the state afterwards
    raise        UnusableInput for what is no state test
    """
    tests = load_tests(path, "state")
    if not tests:
        raise UnusableInput(f"{path}: no test of this kind in it")
    for name, test in tests.items():
        if names.search(name) is None:
            continue
        try:
            transaction = test["transaction"]
            if "sender" not in transaction:
                transaction["sender"] = sender_of(transaction["secretKey"])
            for of_fork, cases in test["post"].items():
                if fork and of_fork != fork:
                    continue
                for place, case in enumerate(cases):
                    if index in (-1, place):
                        yield _run_case(name, test, of_fork, case, make_tracer, is_timed, dump)
        except UnusableInput as error:
            raise UnusableInput(f"{path}: {name}: {error}") from None
        except EvmError:
            raise
        except _BAD_SHAPES as error:
            raise UnusableInput(f"{path}: {name}: {type(error).__name__}: {error}") from None


def _run_case(
    name: str,
    test: Mapping[str, Any],
    fork: str,
    case: Mapping[str, Any],
    make_tracer: Callable[[Any], Any],
    is_timed: bool,
    dump: Callable[[State], dict[str, Any]] | None,
) -> dict[str, Any]:
    result: dict[str, Any] = {"name": name, "pass": True, "fork": fork}
    try:
        number = fork_index(fork)
    except ValueError:
        return {"name": name, "pass": False, "fork": fork, "error": f'unsupported fork "{fork}"'}
    state = state_of(test["pre"])
    before = state.copy()
    error, receipt = _execute(test, fork, number, case, state, make_tracer(sys.stderr or io.StringIO()))
    _pay_nothing(state, test["env"]["currentCoinbase"], number)
    root = state.root()
    if sys.stderr is not None:
        print(f'{{"stateRoot": "0x{root.hex()}"}}', file=sys.stderr, flush=True)
    problem = _problem(case, error, root, receipt)
    result = {"name": name, "pass": problem is None, "stateRoot": "0x" + root.hex(), "fork": fork}
    if problem is not None:
        result["error"] = problem
    if dump is not None:
        result["state"] = dump(state)
    if is_timed:
        started = time.perf_counter_ns()
        _execute(test, fork, number, case, before, None)
        elapsed = time.perf_counter_ns() - started
        gas_used = receipt.gas_used if receipt is not None else 0
        result["benchStats"] = {"time": elapsed, "allocs": 0, "bytesAllocated": 0, "gasUsed": gas_used}
    return result


def _execute(
    test: Mapping[str, Any], fork: str, number: int, case: Mapping[str, Any], state: State, tracer: Any
) -> tuple[InvalidTransaction | FieldOverflow | None, Receipt | None]:
    """Why the transaction may not be included, or its receipt."""
    header = header_of(test["env"], number, *config_of(dict(test), fork))
    try:
        transaction = transaction_of(test["transaction"], dict(case))
        receipt = transact(transaction, state, header, tracer=tracer)
    except (InvalidTransaction, FieldOverflow) as error:
        return error, None
    return None, receipt


def _pay_nothing(state: State, coinbase: str, fork: int) -> None:
    """The block reward of zero, which touches the beneficiary: an empty one stays before EIP-161, and goes from then on."""
    account = state.get_account(coinbase)
    if fork_rules(fork)["deletes_empty_accounts"]:
        if account is not None and account.is_empty:
            state.delete_account(coinbase)
    elif account is None:
        state.set_account(coinbase, Account())


def _problem(
    case: Mapping[str, Any], error: InvalidTransaction | FieldOverflow | None, root: bytes, receipt: Receipt | None
) -> str | None:
    """What is wrong with the case, or None."""
    expected = case.get("expectException")
    if error is not None and expected is None:
        return f"unexpected error: {error}"
    if error is None and expected is not None:
        return f'expected error "{expected}", got no error'
    status = getattr(error, "status", None)
    if error is not None and expected is not None and status and not is_expected(expected, status, None):
        return f'error mismatch: expected "{expected}", got "{error}"'
    wanted = str(case["hash"]).removeprefix("0x")
    if root.hex() != wanted:
        return f"post state root mismatch: got {root.hex()}, want {wanted}"
    logs = _logs_hash(receipt).hex()
    wanted = str(case["logs"]).removeprefix("0x")
    return None if logs == wanted else f"post state logs hash mismatch: got {logs}, want {wanted}"


def _logs_hash(receipt: Receipt | None) -> bytes:
    from .. import rlp
    from ..receipt import keccak256

    logs = () if receipt is None else receipt.logs
    return keccak256(rlp.encode([[log.address, list(log.topics), log.data] for log in logs]))
