"""SLOAD, SSTORE, TLOAD, TSTORE and LOG: values, prices and refunds of every rule that the chain has had."""

from __future__ import annotations

import pytest
from helpers import ALICE, FORK_NAMES, word_of

from evmcore import Log, State, assemble, fork_includes, run
from evmcore._core import PROGRAM_ADDRESS

# (rows of EIP-1283 and EIP-2200, appendix): values written one after another, the value before, gas and refund of each.
EIP_2200 = [
    ("0 0", 0, 1612, 0), ("0 1", 0, 20812, 0), ("1 0", 0, 20812, 19200), ("1 2", 0, 20812, 0), ("1 1", 0, 20812, 0),
    ("0 0", 1, 5812, 15000), ("0 1", 1, 5812, 4200), ("0 2", 1, 5812, 0), ("2 0", 1, 5812, 15000), ("2 3", 1, 5812, 0),
    ("2 1", 1, 5812, 4200), ("2 2", 1, 5812, 0), ("1 0", 1, 5812, 15000), ("1 2", 1, 5812, 0), ("1 1", 1, 1612, 0),
    ("1 0 1", 0, 40818, 19200), ("0 1 0", 1, 10818, 19200),
]  # fmt: skip
EIP_1283 = [
    ("0 0", 0, 412, 0), ("0 1", 0, 20212, 0), ("1 0", 0, 20212, 19800), ("1 2", 0, 20212, 0), ("1 1", 0, 20212, 0),
    ("0 0", 1, 5212, 15000), ("0 1", 1, 5212, 4800), ("0 2", 1, 5212, 0), ("2 0", 1, 5212, 15000), ("2 3", 1, 5212, 0),
    ("2 1", 1, 5212, 4800), ("2 2", 1, 5212, 0), ("1 0", 1, 5212, 15000), ("1 2", 1, 5212, 0), ("1 1", 1, 412, 0),
    ("1 0 1", 0, 40218, 19800), ("0 1 0", 1, 10218, 19800),
]  # fmt: skip
# EIP-3529, table of its "with reduced refunds" column: cold access and warm rest.
EIP_3529 = [
    ("0 0", 0, 2312, 0), ("0 1", 0, 22212, 0), ("1 0", 0, 22212, 19900), ("1 2", 0, 22212, 0), ("1 1", 0, 22212, 0),
    ("0 0", 1, 5112, 4800), ("0 1", 1, 5112, 2800), ("0 2", 1, 5112, 0), ("2 0", 1, 5112, 4800), ("2 3", 1, 5112, 0),
    ("2 1", 1, 5112, 2800), ("2 2", 1, 5112, 0), ("1 0", 1, 5112, 4800), ("1 2", 1, 5112, 0), ("1 1", 1, 2312, 0),
    ("1 0 1", 0, 42218, 19900), ("0 1 0", 1, 8018, 7600),
]  # fmt: skip
NET_METERING = [
    *(("Constantinople", *row) for row in EIP_1283),
    *(("Istanbul", *row) for row in EIP_2200),
    *(("London", *row) for row in EIP_3529),
    *(("BPO2", *row) for row in EIP_3529),
]


def writes(values: str) -> bytes:
    return assemble(" ".join(f"PUSH1 {value} PUSH1 0 SSTORE" for value in values.split()))


def state_with(value: int) -> State:
    return State({PROGRAM_ADDRESS: {"storage": {0: value}}})


@pytest.mark.parametrize(("fork", "values", "before", "gas", "refund"), NET_METERING)
def test_net_metering(fork, values, before, gas, refund):
    result = run(writes(values), state=state_with(before), fork=fork)
    assert (result.gas_used, result.gas_refund) == (gas, refund)


@pytest.mark.parametrize(
    "fork", [fork for fork in FORK_NAMES if not fork_includes(fork, "Istanbul") and fork != "Constantinople"]
)
@pytest.mark.parametrize(
    ("values", "before", "gas", "refund"),
    [
        ("0", 0, 5000, 0),
        ("1", 0, 20000, 0),
        ("2", 1, 5000, 0),
        ("0", 1, 5000, 15000),
        ("0 1 0", 1, 30000, 30000),
        ("1 1", 1, 10000, 0),
    ],
)
def test_before_net_metering(fork, values, before, gas, refund):
    result = run(writes(values), state=state_with(before), fork=fork)
    assert (result.gas_used, result.gas_refund) == (gas + 6 * len(values.split()), refund)


@pytest.mark.parametrize("fork", FORK_NAMES)
def test_sstore_needs_more_than_the_stipend(fork):
    """EIP-2200: a call's 2,300 gas must not suffice, whatever the write costs."""
    has_sentry = fork_includes(fork, "Istanbul")
    is_cheap = has_sentry or fork == "Constantinople"
    at_stipend = run(writes("1"), state=state_with(1), gas=2306, fork=fork)
    assert at_stipend.outcome == ("OUT_OF_GAS" if has_sentry or not is_cheap else "SUCCESS")
    if has_sentry:
        assert run(writes("1"), state=state_with(1), gas=2307, fork=fork).outcome == "SUCCESS"


@pytest.mark.parametrize(
    ("fork", "first", "second"),
    [("Frontier", 50, 50), ("TangerineWhistle", 200, 200), ("Istanbul", 800, 800), ("Berlin", 2100, 100)],
)
def test_sload_costs(fork, first, second):
    assert run(assemble("PUSH1 0 SLOAD"), fork=fork).gas_used == 3 + first
    assert run(assemble("PUSH1 0 SLOAD PUSH1 0 SLOAD"), fork=fork).gas_used == 6 + first + second


def test_a_slot_holds_what_was_written():
    for slot in (0, 1, 2**64, 2**256 - 1):
        assert word_of(f"PUSH32 {2**256 - 2} PUSH32 {slot} SSTORE PUSH32 {slot} SLOAD") == 2**256 - 2


def test_transient_storage_is_apart_and_costs_100():
    assert word_of("PUSH 7 PUSH 1 TSTORE PUSH 1 TLOAD") == 7
    assert word_of("PUSH 7 PUSH 1 TSTORE PUSH 1 SLOAD") == 0
    assert run(assemble("PUSH 7 PUSH 1 TSTORE PUSH 1 TLOAD")).gas_used == 3 * 3 + 200


@pytest.mark.parametrize("topics", range(5))
def test_a_log_has_its_topics_in_order_and_its_data(topics):
    pushes = " ".join(f"PUSH {topic}" for topic in range(topics, 0, -1))
    result = run(assemble(f"PUSH 0x616263 PUSH 0 MSTORE {pushes} PUSH 3 PUSH 29 LOG{topics}"))
    assert result.logs == (
        Log(PROGRAM_ADDRESS, tuple(topic.to_bytes(32, "big") for topic in range(1, topics + 1)), b"abc"),
    )
    assert result.gas_used == 2 * 3 + 3 + 3 + 3 * topics + 6 + 375 * (topics + 1) + 8 * 3


def test_a_reverted_run_logs_nothing():
    assert run(assemble("PUSH 0 PUSH 0 LOG0 PUSH 0 PUSH 0 REVERT")).logs == ()
    assert run(assemble("PUSH 0 PUSH 0 LOG0 INVALID"), sender=ALICE).logs == ()
