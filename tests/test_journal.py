"""What is taken back when a frame fails, and what is not: every kind of change, through transactions and calls."""

from __future__ import annotations

from random import Random

import pytest
from helpers import ALICE, BOB, CONTRACT, ETHER, OTHER, header

from evmcore import Receipt, State, Transaction, assemble, call, transact

KINDS_OF_FAILURE = {
    "revert": "PUSH1 0 PUSH1 0 REVERT",
    "halt": "INVALID",
    "out of gas": "PUSH4 0xffffffff MLOAD",
    "underflow": "POP POP POP",
}
CHANGES = {
    "storage": "PUSH1 9 PUSH1 1 SSTORE",
    "storage cleared": "PUSH1 0 PUSH1 2 SSTORE",
    "transient storage": "PUSH1 9 PUSH1 1 TSTORE",
    "a log": "PUSH1 1 PUSH1 32 PUSH1 0 LOG1",
    "value": f"PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 5 PUSH20 0x{BOB.hex()} GAS CALL POP",
    "a creation": "PUSH1 0 PUSH1 0 PUSH1 3 CREATE POP",
    "a deeper call": f"PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 1 PUSH20 0x{BOB.hex()} PUSH2 50000 CALL POP",
}
# Calls OTHER with all but 100,000 gas and answers 1 or 0, and then what transient slot 1 of it would be seen as.
OUTER = f"PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH20 0x{OTHER.hex()} PUSH3 200000 CALL PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN"


def world(inner: str) -> State:
    return State(
        {
            ALICE: {"balance": ETHER},
            CONTRACT: {"code": assemble(OUTER), "balance": 10, "nonce": 1},
            OTHER: {"code": assemble(inner), "balance": 10, "nonce": 1, "storage": {2: 2}},
            BOB: {"code": assemble("PUSH1 4 PUSH1 4 SSTORE"), "nonce": 1},
        }
    )


def transacted(state: State, to: bytes = CONTRACT) -> Receipt:
    return transact(Transaction(to=to, gas_limit=1_000_000, sender=ALICE), state, header())


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_kept_when_the_frame_succeeds(change):
    state = world(change + " STOP")
    before = world(change + " STOP")
    receipt = transacted(state)
    assert int.from_bytes(receipt.output, "big") == 1
    left = {address: account for address, account in state.items() if address != ALICE}
    was = {address: account for address, account in before.items() if address != ALICE}
    assert left != was or receipt.logs or "TSTORE" in change


@pytest.mark.parametrize("failure", KINDS_OF_FAILURE.values(), ids=KINDS_OF_FAILURE)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_is_taken_back_when_the_frame_fails(change, failure):
    state = world(f"{change} {failure}")
    before = world(f"{change} {failure}")
    receipt = transacted(state)
    assert int.from_bytes(receipt.output, "big") == 0
    assert receipt.logs == ()
    assert receipt.gas_refund == 0
    for address in (CONTRACT, OTHER, BOB):
        assert state.get_account(address) == before.get_account(address)
    assert len(state) == len(before)


def test_an_inner_failure_leaves_what_the_outer_frame_did():
    inner = f"PUSH1 7 PUSH1 1 SSTORE {OUTER.split('PUSH1 0 MSTORE')[0].replace(OTHER.hex(), BOB.hex())} POP PUSH1 8 PUSH1 3 SSTORE"
    state = world(inner)
    state.set_code(BOB, assemble("PUSH1 9 PUSH1 9 SSTORE INVALID"))
    transacted(state, OTHER)
    assert state.storage(OTHER) == {1: 7, 2: 2, 3: 8}
    assert state.storage(BOB) == {}


def test_refunds_are_taken_back_with_the_frame():
    clears = "PUSH1 0 PUSH1 2 SSTORE"
    assert transacted(world(clears)).gas_refund == 4800
    assert transacted(world(clears + " INVALID")).gas_refund == 0


def test_a_call_keeps_nothing_whatever_it_does():
    for change in CHANGES.values():
        state = world(change)
        before = state.root()
        assert call(state, header(), sender=ALICE, to=OTHER, gas=1_000_000).is_success
        assert state.root() == before


def test_a_slot_of_a_contract_made_anew_starts_at_zero():
    """Destroyed in one transaction, created again in the next: its storage is gone (before Cancun)."""
    writes = assemble("PUSH1 5 PUSH1 5 SSTORE PUSH1 0 PUSH1 0 RETURN")
    put = f"PUSH32 0x{writes.ljust(32, bytes(1)).hex()} PUSH1 0 MSTORE"
    state = State(
        {
            ALICE: {"balance": ETHER},
            CONTRACT: {
                "code": assemble(f"{put} PUSH1 1 PUSH1 {len(writes)} PUSH1 0 PUSH1 0 CREATE2 PUSH1 0 SSTORE"),
                "nonce": 1,
            },
        }
    )
    transacted(state)
    made = state.get_storage(CONTRACT, 0).to_bytes(20, "big")
    assert state.storage(made) == {5: 5}
    state.set_code(made, assemble("PUSH1 0 SELFDESTRUCT"))
    transact(Transaction(to=made, gas_limit=100_000, sender=ALICE, nonce=1), state, header(fork="Shanghai"))
    assert not state.exists(made)
    state.set_code(CONTRACT, assemble(f"{put} PUSH1 1 PUSH1 {len(writes)} PUSH1 0 PUSH1 0 CREATE2 PUSH1 0 SSTORE"))
    transact(Transaction(to=CONTRACT, gas_limit=1_000_000, sender=ALICE, nonce=2), state, header(fork="Shanghai"))
    assert state.storage(made) == {5: 5}


@pytest.mark.parametrize("seed", range(20))
def test_nested_frames_against_a_model(seed):
    """A tree of calls in which each frame writes slots and succeeds or fails; the model copies a dict at each call."""
    random = Random(seed)
    storage: dict[int, int] = {}
    programs: dict[bytes, bytes] = {}
    makes_refund = False

    def frame(depth: int, slots: dict[int, int]) -> tuple[bytes, dict[int, int], bool]:
        """Code address, storage afterwards, whether it succeeds. All frames share CONTRACT's storage (DELEGATECALL)."""
        nonlocal makes_refund
        slots = dict(slots)
        text = []
        for _ in range(random.randrange(1, 5)):
            if depth < 5 and random.random() < 0.5:
                address, after, succeeds = frame(depth + 1, slots)
                text.append(f"PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH20 0x{address.hex()} GAS DELEGATECALL POP")
                slots = after if succeeds else slots
            else:
                slot, value = random.randrange(6), random.randrange(4)
                text.append(f"PUSH1 {value} PUSH1 {slot} SSTORE")
                slots[slot] = value
                makes_refund = makes_refund or value == 0
        succeeds = depth == 0 or random.random() < 0.6
        text.append("STOP" if succeeds else "PUSH1 0 PUSH1 0 REVERT")
        address = CONTRACT if depth == 0 else (len(programs) + 1000).to_bytes(20, "big")
        programs[address] = assemble("\n".join(text))
        return address, slots, succeeds

    _, storage, _ = frame(0, storage)
    state = State({address: {"code": code} for address, code in programs.items()})
    state.set_balance(ALICE, ETHER)
    assert transact(Transaction(to=CONTRACT, gas_limit=16_000_000, sender=ALICE), state, header()).is_success
    assert state.storage(CONTRACT) == {slot: value for slot, value in storage.items() if value}
