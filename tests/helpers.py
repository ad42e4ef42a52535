"""What many tests share: where the data is, a program that returns a word, a little world, and the law of the parallel floor."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from evmcore import (
    FORKS,
    NEWEST_FORK,
    Block,
    BlockResult,
    CallResult,
    Header,
    InvalidBlock,
    InvalidTransaction,
    State,
    assemble,
    execute_block,
    run,
)


class Stop(Exception):
    """What the signal handlers of tests raise."""


SHARED = Path(os.environ.get("EVMCORE_SHARED") or Path(__file__).resolve().parents[2] / "shared")
FORK_NAMES = [fork.mainnet_name for fork in FORKS]
NEWEST = NEWEST_FORK

ALICE = bytes([0xA1]) * 20
BOB = bytes([0xB0]) * 20
CONTRACT = bytes([0xCC]) * 20
OTHER = bytes([0xDD]) * 20
COINBASE = bytes([0xCB]) * 20
ETHER = 10**18


def shared(*parts: str) -> Path:
    """A file or folder of the data beside the project (or in $EVMCORE_SHARED); the test is skipped without it."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no {path}: set EVMCORE_SHARED to the folder that has {'/'.join(parts)}")
    return path


def result_of(text: str, **options) -> CallResult:
    """Run a program that leaves one item on the stack; `.word` of the result is that item."""
    options.setdefault("fork", NEWEST)
    return run(assemble(text + "\nPUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN"), **options)


def word_of(text: str, **options) -> int:
    """What the program leaves on the stack."""
    result = result_of(text, **options)
    assert result.is_success, result.error
    return result.word


def header(**changes) -> Header:
    """A header of block 1,000 with everything that the newest fork wants."""
    fields = {
        "number": 1000,
        "timestamp": 1_700_000_000,
        "coinbase": COINBASE,
        "gas_limit": 30_000_000,
        "fork": NEWEST,
        "base_fee_per_gas": 0,
        "excess_blob_gas": 0,
    }
    return Header(**{**fields, **changes})


def dump(state: State) -> dict:
    """The whole state as plain values, to compare."""
    return dict(state.items())


def outcome_of(block: Block, state: State, **options) -> BlockResult | tuple:
    """The result of a block, or what it was refused with."""
    try:
        return execute_block(block, state, **options)
    except (InvalidTransaction, InvalidBlock) as error:
        return type(error), error.status, error.index, str(error)


def assert_parallel_is_sequential(
    block: Block, state: State | None = None, workers=(1, 2, 8), strategies=None
) -> BlockResult | tuple:
    """The law: whatever the strategy and the number of workers, a block comes out the same, or is refused the same.

    Returns the sequential outcome. `state` stays as it is.
    """
    from evmcore import _core

    before = state if state is not None else block.pre_state
    assert before is not None
    root_before = before.root()
    sequential_state = before.copy()
    want = outcome_of(block, sequential_state, workers=1, strategy="sequential")
    if isinstance(want, tuple):
        assert sequential_state.root() == root_before, "a refused block changed the state"
    for strategy in strategies or [name for name in _core.STRATEGIES if name in ("auto", "groups", "optimistic")]:
        for count in workers:
            parallel_state = before.copy()
            have = outcome_of(block, parallel_state, workers=count, strategy=strategy)
            where = f"strategy {strategy}, {count} workers"
            if isinstance(want, BlockResult) and isinstance(have, BlockResult):
                assert not want.differences(have), f"{where}: {want.differences(have)}"
            else:
                assert have == want, where
            assert parallel_state.root() == sequential_state.root(), where
    assert before.root() == root_before
    return want


# The account that transactions for t8n are signed for, and whom it pays.
T8N_KEY = "0x" + "45" * 32
T8N_FRIEND = "0x" + "22" * 20


def t8n_payment(**members):
    """A transaction as t8n takes it, without a signature."""
    return {
        "to": T8N_FRIEND,
        "value": "0x5",
        "gas": "0x5208",
        "gasPrice": "0x9",
        "nonce": "0x0",
        "secretKey": T8N_KEY,
        **members,
    }


def raised_before_instruction(n, file, call):
    """Call it and raise before the n-th instruction of Python code of such a file; whether it had as many."""
    seen = 0

    def trace(frame, event, argument):
        nonlocal seen
        if not frame.f_code.co_filename.endswith(file):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            seen += 1
            if seen == n:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False
