"""Cold and warm accounts and slots (EIP-2929), who is warm from the start (EIP-2930, EIP-3651), and what a revert cools."""

from __future__ import annotations

import pytest
from helpers import ALICE, BOB, COINBASE, CONTRACT, ETHER, NEWEST, OTHER, header

from evmcore import State, Transaction, assemble, call, transact

COLD, WARM = 2600, 100


def price_of(instruction: str, address: bytes, *, fork: str = NEWEST, to: bytes = CONTRACT) -> int:
    """Gas of one look at an account, as the first thing in a call to `to`."""
    program = assemble(f"PUSH20 0x{address.hex()} {instruction} STOP")
    state = State({to: {"code": program}, ALICE: {"balance": 1}})
    return call(state, header(fork=fork), sender=ALICE, to=to, gas=100_000).gas_used - 3


@pytest.mark.parametrize("instruction", ["BALANCE", "EXTCODESIZE", "EXTCODEHASH"])
def test_the_first_look_is_dear(instruction):
    assert price_of(instruction, BOB) == COLD
    twice = assemble(f"PUSH20 0x{BOB.hex()} {instruction} PUSH20 0x{BOB.hex()} {instruction}")
    state = State({CONTRACT: {"code": twice}})
    assert call(state, header(), to=CONTRACT, gas=100_000).gas_used == 6 + COLD + WARM


def test_sender_receiver_and_precompiles_are_warm_from_the_start():
    for address in (ALICE, CONTRACT, bytes(19) + b"\x01", bytes(19) + b"\x11", bytes(18) + b"\x01\x00"):
        assert price_of("BALANCE", address) == WARM
    assert price_of("BALANCE", bytes(19) + b"\x11", fork="Cancun") == COLD, "no precompile yet"
    assert price_of("BALANCE", bytes(18) + b"\x01\x00", fork="Prague") == COLD


def test_the_beneficiary_is_warm_since_shanghai():
    assert price_of("BALANCE", COINBASE, fork="Paris") == COLD
    assert price_of("BALANCE", COINBASE, fork="Shanghai") == WARM


def test_an_access_list_warms_accounts_and_slots():
    program = assemble(f"PUSH1 1 SLOAD PUSH1 2 SLOAD PUSH20 0x{BOB.hex()} BALANCE PUSH20 0x{OTHER.hex()} BALANCE STOP")
    state = State({ALICE: {"balance": ETHER}, CONTRACT: {"code": program}})
    tx = Transaction(type=1, to=CONTRACT, gas_limit=100_000, access_list=[(CONTRACT, [1]), (BOB, [])], sender=ALICE)
    assert transact(tx, state, header()).gas_used == 21_000 + 2 * 2400 + 1900 + 4 * 3 + WARM + 2100 + WARM + COLD


def test_slots_of_another_account_stay_cold():
    program = assemble("PUSH1 1 SLOAD STOP")
    state = State({ALICE: {"balance": ETHER}, CONTRACT: {"code": program}})
    tx = Transaction(type=1, to=CONTRACT, gas_limit=100_000, access_list=[(BOB, [1])], sender=ALICE)
    assert transact(tx, state, header()).gas_used == 21_000 + 2400 + 1900 + 3 + 2100


def test_revert_restores_warm_slots_and_accounts():
    """What a failed call looked at is cold again; what its caller looked at before stays warm."""
    looks = f"PUSH20 0x{OTHER.hex()} BALANCE POP PUSH1 1 SLOAD POP PUSH1 0 PUSH1 0 REVERT"
    calls = f"PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH20 0x{BOB.hex()} PUSH2 30000 DELEGATECALL POP"
    after = f"PUSH20 0x{OTHER.hex()} BALANCE POP PUSH1 1 SLOAD POP"
    state = State({CONTRACT: {"code": assemble(f"{calls} {after} STOP")}, BOB: {"code": assemble(looks)}})
    inside = 3 + COLD + 2 + 3 + 2100 + 2 + 6
    outside = 6 * 3 + COLD + 2 + 3 + COLD + 2 + 3 + 2100 + 2
    assert call(state, header(), to=CONTRACT, gas=100_000).gas_used == inside + outside
    before = f"PUSH20 0x{OTHER.hex()} BALANCE POP PUSH1 1 SLOAD POP"
    state.set_code(CONTRACT, assemble(f"{before} {calls} {after} STOP"))
    inside = 3 + WARM + 2 + 3 + 100 + 2 + 6
    outside = 3 + COLD + 2 + 3 + 2100 + 2 + 6 * 3 + COLD + 2 + 3 + WARM + 2 + 3 + 100 + 2
    outside -= 3  # DELEGATECALL has four zeros, the address and the gas
    assert call(state, header(), to=CONTRACT, gas=100_000).gas_used == inside + outside + 3


def test_a_failed_creation_leaves_its_address_warm():
    program = "PUSH1 0 PUSH1 0 MSTORE PUSH1 0xfe PUSH1 0 MSTORE8 PUSH1 1 PUSH1 0 PUSH1 0 CREATE POP"
    from evmcore import keccak256, rlp

    address = keccak256(rlp.encode([CONTRACT, rlp.number(0)]))[12:]
    state = State(
        {
            CONTRACT: {
                "code": assemble(
                    f"{program} GAS PUSH20 0x{address.hex()} BALANCE POP GAS SWAP1 SUB PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN"
                )
            }
        }
    )
    assert call(state, header(), to=CONTRACT, gas=1_000_000).word == WARM + 3 + 2 + 2


def test_transient_storage_is_reverted_with_the_frame_and_gone_after_the_transaction():
    """EIP-1153."""
    sets = "PUSH1 9 PUSH1 1 TSTORE PUSH1 0 PUSH1 0 REVERT"
    calls = f"PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH20 0x{BOB.hex()} GAS DELEGATECALL POP"
    keeps = f"PUSH1 5 PUSH1 1 TSTORE {calls} PUSH1 1 TLOAD PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN"
    state = State({ALICE: {"balance": ETHER}, CONTRACT: {"code": assemble(keeps)}, BOB: {"code": assemble(sets)}})
    assert (
        int.from_bytes(
            transact(Transaction(to=CONTRACT, gas_limit=200_000, sender=ALICE), state, header()).output, "big"
        )
        == 5
    )
    state.set_code(CONTRACT, assemble("PUSH1 1 TLOAD PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN"))
    assert (
        int.from_bytes(
            transact(Transaction(to=CONTRACT, nonce=1, gas_limit=200_000, sender=ALICE), state, header()).output, "big"
        )
        == 0
    )
