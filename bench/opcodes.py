"""Instructions by family: a loop over ten of a kind, less the empty loop. Needs no data from elsewhere."""

from __future__ import annotations

import time

import pytest

from evmcore import assemble, run

LOOPS = 2000
EACH = 10
# What is done once in a loop, leaving the stack as it was; under it lies the loop's counter.
FAMILIES = {
    "nothing": "",
    "PUSH1 POP": "PUSH1 7 POP",
    "DUP1 POP": "DUP1 POP",
    "SWAP1": "PUSH1 7 SWAP1 SWAP1 POP",
    "ADD": "PUSH1 7 DUP2 ADD POP",
    "MUL": "PUSH32 {big} DUP1 MUL POP",
    "DIV": "PUSH16 {half} PUSH32 {big} DIV POP",
    "SDIV": "PUSH16 {half} PUSH32 {big} SDIV POP",
    "MOD": "PUSH16 {half} PUSH32 {big} MOD POP",
    "ADDMOD": "PUSH32 {odd} PUSH32 {big} PUSH32 {big} ADDMOD POP",
    "MULMOD": "PUSH32 {odd} PUSH32 {big} PUSH32 {big} MULMOD POP",
    "EXP": "PUSH32 {big} PUSH1 3 EXP POP",
    "LT": "PUSH1 7 DUP2 LT POP",
    "SHL": "PUSH32 {big} PUSH1 9 SHL POP",
    "BYTE": "PUSH32 {big} PUSH1 9 BYTE POP",
    "CLZ": "PUSH32 {half} CLZ POP",
    "KECCAK256 32": "PUSH1 32 PUSH1 0 KECCAK256 POP",
    "KECCAK256 1024": "PUSH2 1024 PUSH1 0 KECCAK256 POP",
    "CALLDATALOAD": "PUSH1 4 CALLDATALOAD POP",
    "MLOAD": "PUSH1 64 MLOAD POP",
    "MSTORE": "PUSH1 7 PUSH1 64 MSTORE",
    "MCOPY 256": "PUSH2 256 PUSH1 0 PUSH2 512 MCOPY",
    "SLOAD, warm": "PUSH1 1 SLOAD POP",
    "SSTORE, warm": "PUSH1 9 PUSH1 1 SSTORE",
    "TLOAD": "PUSH1 1 TLOAD POP",
    "TSTORE": "PUSH1 9 PUSH1 1 TSTORE",
    "BALANCE, warm": "ADDRESS BALANCE POP",
    "JUMP": "PUSH @{label} JUMP {label}:",
    "LOG0 32": "PUSH1 32 PUSH1 0 LOG0",
    "CALL, nothing there": "PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH2 0x9999 GAS CALL POP",
    "STATICCALL identity": "PUSH1 32 PUSH1 0 PUSH1 32 PUSH1 0 PUSH1 4 GAS STATICCALL POP",
}
BIG = (1 << 256) - 12345678901234567890
HALF = (1 << 127) + 987654321


def program(body: str) -> bytes:
    """A loop of LOOPS turns over EACH times the body."""
    turns = "\n".join(
        body.format(big=hex(BIG), half=hex(HALF), odd=hex(BIG - 12), label=f"here{turn}") for turn in range(EACH)
    )
    return assemble(f"PUSH2 {LOOPS} again: {turns} PUSH1 1 SWAP1 SUB DUP1 PUSH @again JUMPI STOP")


@pytest.mark.benchmark(timer=time.thread_time, group="instructions")
@pytest.mark.parametrize("family", FAMILIES)
def test_instruction(measure, family):
    code = program(FAMILIES[family])

    def once() -> None:
        result = run(code, bytes(64), gas=2_000_000_000, fork="Osaka")
        assert result.is_success, result.error

    measure(once, kind="instruction", family=family, count=LOOPS * EACH)
