"""System calls to contracts that no real chain has there: delegations and warmth, against the executable specification.

EIP-2935, EIP-4788, EIP-7002, EIP-7251 name the addresses; a genesis may put any code there. What the two sides of each case
come to is compared whole: requests, state, root.
"""

from __future__ import annotations

import pytest
from helpers import header

from evmcore import Block, State, Transaction, assemble, execute_block, transact
from evmcore._core import SYSTEM_ADDRESSES, fork_rules

pytest.importorskip("ethereum.forks.osaka", reason="the executable specification needs Python 3.11 or 3.12")

from differential.case import Case
from differential.compare import faults

NAMES = ("beacon_roots_contract", "history_contract", "withdrawal_contract", "consolidation_contract")
DELEGATE, COINBASE = b"\xde" * 20, b"\xc0" * 20
STOP = b"\0"
TOUCHED = ("4", "4", "0x100", "0x11", f"0x{DELEGATE.hex()}")


def measure(touch: str, slot: int) -> str:
    """Keep what an instruction takes: the gas before it, less the gas after it."""
    return f"GAS {touch} POP GAS SWAP1 SUB PUSH {slot} SSTORE\n"


MEASURING = assemble(
    "".join(measure(f"PUSH {place} BALANCE", slot) for slot, place in enumerate(TOUCHED, 1))
    + measure("PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 5 PUSH 1000 STATICCALL", 10)
    + measure("PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 6 PUSH 1000 CALL", 11)
    + measure("PUSH 7 EXTCODESIZE", 12)
    + measure("PUSH 8 EXTCODEHASH", 13)
    + measure("PUSH 0 PUSH 0 PUSH 0 PUSH 9 EXTCODECOPY PUSH 0", 14)
    + measure("ADDRESS BALANCE", 20)
    + measure("CALLER BALANCE", 21)
    + measure("COINBASE BALANCE", 22)
    + measure("PUSH 20 SLOAD", 23)
    + "ADDRESS PUSH 30 SSTORE CALLER PUSH 31 SSTORE ORIGIN PUSH 32 SSTORE CODESIZE PUSH 33 SSTORE PUSH 0 CALLDATALOAD PUSH 34 SSTORE "
    "GASPRICE PUSH 35 SSTORE CALLVALUE PUSH 36 SSTORE PUSH 40 PUSH 0 RETURN"
)


def designator(address: bytes) -> bytes:
    return b"\xef\x01\0" + address


def case_of(fork: str, name: str, code: bytes, others: dict[bytes, bytes]) -> Case:
    accounts = {SYSTEM_ADDRESSES[other]: (0, 1, STOP, {}) for other in NAMES}
    accounts |= {address: (1, 1, given, {}) for address, given in others.items()}
    accounts[SYSTEM_ADDRESSES[name]] = (0, 1, code, {})
    return Case(fork=fork, coinbase=COINBASE, accounts=accounts, beacon_root=b"\xb0" * 32)


CODES = {
    "measuring": (MEASURING, {}),
    "delegated": (designator(DELEGATE), {DELEGATE: MEASURING}),
    "delegated to an account without code": (designator(DELEGATE), {DELEGATE: b""}),
    "delegated to nobody": (designator(DELEGATE), {}),
    "delegated to a precompile": (designator(bytes(19) + b"\4"), {}),
    "delegated twice": (designator(DELEGATE), {DELEGATE: designator(COINBASE), COINBASE: MEASURING}),
    "delegated to a failure": (designator(DELEGATE), {DELEGATE: b"\xfe"}),
    "no designator by a byte": (designator(DELEGATE) + b"\0", {DELEGATE: MEASURING}),
    "calls one that is delegated": (
        assemble(f"PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0x{COINBASE.hex()} PUSH 5000000 CALL PUSH 1 SSTORE"),
        {COINBASE: designator(DELEGATE), DELEGATE: MEASURING},
    ),
}


@pytest.mark.parametrize("fork", ["Cancun", "Prague", "Osaka"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", CODES)
def test_a_system_call_is_the_specification_s(fork, name, kind):
    code, others = CODES[kind]
    assert faults(case_of(fork, name, code, others)) == []


def slots_after(code: bytes, others: dict[bytes, bytes], state: State | None = None, **options) -> dict[int, int]:
    case = case_of("Osaka", "history_contract", code, others)
    if state is None:
        state = State({address: {"nonce": 1, "code": given} for address, (_, _, given, _) in case.accounts.items()})
    block = Block(case.header(fork_rules("Osaka")), withdrawals=())
    execute_block(block, state, **options)
    return state.storage(SYSTEM_ADDRESSES["history_contract"])


def test_precompiles_are_cold_in_a_system_call_and_warm_in_the_next_transaction():
    slots = slots_after(MEASURING, {})
    assert [slots[slot] for slot in (1, 2, 3)] == [2607, 107, 2607], "BALANCE and what measures it"
    code = assemble(measure("PUSH 4 BALANCE", 1))
    state = State({DELEGATE: {"code": code}, COINBASE: {"balance": 1}})
    slots_after(MEASURING, {})  # on the worker that the transaction borrows then
    transact(
        Transaction(to=DELEGATE, sender=COINBASE, gas_limit=100_000), state, header(fork="Osaka", base_fee_per_gas=0)
    )
    assert state.get_storage(DELEGATE, 1) == 107


@pytest.mark.parametrize("workers", [1, 2])
def test_a_delegate_of_a_system_contract_is_fetched(workers):
    asked = []
    case = case_of("Osaka", "history_contract", designator(DELEGATE), {DELEGATE: MEASURING})

    def source(keys):
        asked.extend(keys)
        return {
            (address, slot): 0
            if slot is not None
            else {"nonce": 1, "code": case.accounts[address][2]}
            if address in case.accounts
            else None
            for address, slot in keys
        }

    slots = slots_after(designator(DELEGATE), {}, State(source=source), workers=workers)
    assert slots == slots_after(designator(DELEGATE), {DELEGATE: MEASURING})
    assert (DELEGATE, None) in asked
    assert slots[30] == int.from_bytes(SYSTEM_ADDRESSES["history_contract"], "big")
    assert slots[5] == 107, "the delegate is warm"
