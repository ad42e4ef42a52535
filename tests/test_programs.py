"""The programs that EVM engines are compared on: each takes the gas that seven engines agree on."""

from __future__ import annotations

import json

import pytest
from helpers import SHARED

from evmcore import Header, State, Transaction, transact

PROGRAMS = json.loads(path.read_text()) if (path := SHARED / "evm-benchmarks" / "programs.json").exists() else []


@pytest.mark.skipif(not PROGRAMS, reason=f"no {SHARED / 'evm-benchmarks'}: set EVMCORE_SHARED")
@pytest.mark.parametrize("program", PROGRAMS, ids=[program["name"] for program in PROGRAMS])
def test_gas_used(program):
    state = State({"0x" + address: {"code": code} for address, code in program["accounts"].items()})
    state.set_account(program["to"], {"code": program["code"], "storage": as_words(program["storage"])})
    state.set_balance(program["sender"], 10**30)
    tx = Transaction(to=program["to"], data=program["data"], gas_limit=program["gas_limit"], sender=program["sender"])
    header = Header(fork=program["fork"], number=1, gas_limit=max(10**9, program["gas_limit"]), base_fee_per_gas=0)
    receipt = transact(tx, state, header)
    assert receipt.gas_used == program["gas_used"]


def as_words(storage):
    return {int(slot, 16): int(value, 16) for slot, value in storage.items()}
