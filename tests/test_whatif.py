"""What would be: overrides, access lists, estimates, blocks that nobody mines."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers import ALICE, BOB, CONTRACT, ETHER, OTHER

from evmcore import Account, Header, Overrides, State, Transaction, assemble, call, transact
from evmcore.errors import InvalidTransaction, UnusableInput
from evmcore.whatif import (
    AccountOverride,
    BlockOverride,
    Call,
    ExecutionFailed,
    SimulatedBlock,
    SimulationRefused,
    apply_overrides,
    create_access_list,
    estimate_gas,
    execute_call,
    simulate_blocks,
)

IDENTITY, SHA256 = bytes(19) + b"\x04", bytes(19) + b"\x02"
HEADER = Header(
    fork="Osaka", number=7, timestamp=1000, base_fee_per_gas=9, excess_blob_gas=0, blob_gas_used=0,
    withdrawals_root=bytes(32), parent_beacon_block_root=bytes(32), requests_hash=bytes(32),
)  # fmt: skip
GAS = 1_000_000
FIRST_STORAGE = assemble("PUSH 0 SLOAD PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")


def state_of(code: bytes = b"", **accounts) -> State:
    return State({ALICE: Account(balance=ETHER), CONTRACT: Account(nonce=1, code=code, storage={0: 5})})


def asked(state, header=HEADER, **fields):
    return execute_call(Call(**{"sender": ALICE, "to": CONTRACT, **fields}), state.copy(), header, gas=GAS)


# ---------------------------------------------------------------- surroundings


def test_a_precompile_that_was_moved_runs_where_it_is_and_not_where_it_was():
    overrides = Overrides(precompiles={OTHER: IDENTITY, IDENTITY: None})
    header = Header(fork="Osaka", overrides=overrides)
    state = State()
    assert call(state, header, to=OTHER, data=b"abc").output == b"abc"
    assert call(state, header, to=OTHER, data=b"abc").gas_used == 18
    there = call(state, header, to=IDENTITY, data=b"abc")
    assert (there.output, there.gas_used) == (b"", 0)
    assert call(state, Header(fork="Osaka"), to=IDENTITY, data=b"abc").output == b"abc"


def test_a_moved_precompile_is_called_by_contracts_too():
    code = assemble(f"PUSH 9 PUSH 0 MSTORE PUSH 32 PUSH 0 PUSH 32 PUSH 0 PUSH20 {int.from_bytes(OTHER, 'big')} GAS STATICCALL "
                    "PUSH 32 PUSH 0 RETURN")  # fmt: skip
    header = Header(fork="Osaka", overrides=Overrides(precompiles={OTHER: SHA256}))
    import hashlib

    output = call(state_of(code), header, to=CONTRACT).output
    assert output == hashlib.sha256((9).to_bytes(32, "big")).digest()


@pytest.mark.parametrize(
    "given", [{b"\x01": None}, {OTHER: CONTRACT}, [(OTHER, None), (OTHER, None)], 5, {OTHER: b""}], ids=repr
)
def test_precompiles_that_can_not_be_are_refused(given):
    with pytest.raises(UnusableInput, match=r"overrides.precompiles"):
        call(State(), Header(fork="Osaka", overrides=Overrides(precompiles=given)), to=OTHER)


def test_overrides_of_a_header_are_overrides():
    with pytest.raises(UnusableInput, match="overrides"):
        Header(overrides={"blob_base_fee": 1})


@pytest.mark.parametrize("fee", [0, 1, 10**30, 2**256 - 1])
def test_the_blob_base_fee_is_what_a_simulation_says(fee):
    code = assemble("BLOBBASEFEE PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")
    header = BlockOverride(blob_base_fee=fee).apply(HEADER)
    assert call(state_of(code), header, to=CONTRACT).word == fee
    assert header.hash == HEADER.hash


def test_the_highest_nonce_is_followed_by_zero_where_nonces_are_not_checked():
    most = 2**64 - 1
    state = State({ALICE: Account(balance=ETHER, nonce=most)})
    transaction = Transaction(to=BOB, gas_price=0, nonce=most, sender=ALICE)
    with pytest.raises(InvalidTransaction):
        transact(transaction, state, Header(fork="Osaka"))
    assert transact(transaction, state, Header(fork="Osaka"), checks={"nonce": False}).is_success
    assert state.get_nonce(ALICE) == 0


# ---------------------------------------------------------------- calls with another state


def test_an_account_has_what_its_override_says():
    state = state_of(FIRST_STORAGE)
    assert asked(state).output == (5).to_bytes(32, "big")
    header = apply_overrides(state, HEADER, {CONTRACT: AccountOverride(storage={0: 8})})
    assert (header, asked(state).output) == (HEADER, (8).to_bytes(32, "big"))
    apply_overrides(state, HEADER, {CONTRACT: AccountOverride(storage={1: 8})})
    assert asked(state).output == bytes(32)
    apply_overrides(state, HEADER, {CONTRACT: AccountOverride(storage_changes={0: 3})})
    assert state.storage(CONTRACT) == {0: 3, 1: 8}
    apply_overrides(state, HEADER, {CONTRACT: AccountOverride(code=b"", nonce=4, balance=6)})
    assert state.get_account(CONTRACT) == Account(balance=6, nonce=4, storage={0: 3, 1: 8})


@pytest.mark.parametrize(
    ("accounts", "message"),
    [
        ({OTHER: AccountOverride(storage={}, storage_changes={})}, "both 'state' and 'stateDiff'"),
        ({OTHER: AccountOverride(move_precompile_to=BOB)}, "is not a precompile"),
        (
            {IDENTITY: AccountOverride(move_precompile_to=SHA256), SHA256: AccountOverride(nonce=1)},
            "already overridden",
        ),
    ],
)
def test_overrides_that_can_not_be_are_refused(accounts, message):
    with pytest.raises(UnusableInput, match=message):
        apply_overrides(State(), HEADER, accounts)


def test_a_precompile_with_an_override_is_none_any_more():
    state = State()
    header = apply_overrides(state, HEADER, {IDENTITY: AccountOverride(balance=1)})
    assert call(state, header, to=IDENTITY, data=b"x").output == b""


def test_a_call_without_fees_sees_no_base_fee_and_one_with_fees_pays():
    state = state_of(assemble("BASEFEE PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN"))
    assert asked(state).output == bytes(32)
    assert asked(state, max_fee_per_gas=10).output == (9).to_bytes(32, "big")
    with pytest.raises(InvalidTransaction) as error:
        asked(state, max_fee_per_gas=8)
    assert error.value.status == "MAX_FEE_BELOW_BASE_FEE"
    with pytest.raises(InvalidTransaction) as error:
        asked(state, max_fee_per_gas=ETHER)
    assert error.value.status == "INSUFFICIENT_FUNDS"
    with pytest.raises(InvalidTransaction):
        asked(state, value=2 * ETHER)


# ---------------------------------------------------------------- access lists


def test_an_access_list_has_what_the_call_reaches_and_not_what_is_warm_anyway():
    code = assemble(
        f"PUSH 7 SLOAD PUSH20 {int.from_bytes(OTHER, 'big')} BALANCE ADDRESS BALANCE CALLER BALANCE PUSH 4 EXTCODESIZE"
    )
    found, receipt = create_access_list(Call(sender=ALICE, to=CONTRACT), state_of(code), HEADER, gas=GAS)
    assert found == ((CONTRACT, (7,)), (OTHER, ()))
    assert receipt.is_success


def test_an_access_list_is_made_again_until_it_is_the_one_that_the_call_has():
    # With much gas left (its list has made the first read warm) it reads a second slot, and then a third.
    code = assemble(
        "GAS PUSH 0 SLOAD POP GAS SWAP1 SUB PUSH 1000 SWAP1 LT PUSH 17 JUMPI STOP JUMPDEST PUSH 1 SLOAD"
    )  # fmt: skip
    where = code.index(b"\x5b")
    code = code.replace(bytes([0x60, 17, 0x57]), bytes([0x60, where, 0x57]))
    found, receipt = create_access_list(Call(sender=ALICE, to=CONTRACT), state_of(code), HEADER, gas=GAS)
    assert found == ((CONTRACT, (0, 1)),)
    again, same = create_access_list(
        Call(sender=ALICE, to=CONTRACT, access_list=found), state_of(code), HEADER, gas=GAS
    )
    assert (again, same.gas_used) == (found, receipt.gas_used)


def test_a_call_that_reverts_has_an_access_list():
    code = assemble("PUSH 9 SLOAD PUSH 0 PUSH 0 REVERT")
    found, receipt = create_access_list(Call(sender=ALICE, to=CONTRACT), state_of(code), HEADER, gas=GAS)
    assert (found, receipt.outcome) == (((CONTRACT, (9,)),), "REVERT")


# ---------------------------------------------------------------- estimates


def test_an_estimate_leaves_the_state_and_names_what_it_was_given():
    state = state_of(assemble("PUSH 1 PUSH 0 SSTORE"))
    before = state.root()
    transaction = Transaction(to=CONTRACT, gas_price=0, gas_limit=GAS, sender=ALICE)
    least = estimate_gas(transaction, state, HEADER)
    assert state.root() == before
    assert asked(state, gas=least).is_success
    assert not asked(state, gas=least - 1).is_success
    for wrong in (None, b"", {}):
        with pytest.raises(TypeError, match="transaction: expected Transaction"):
            estimate_gas(wrong, state, HEADER)
    with pytest.raises(TypeError, match="tolerance"):
        estimate_gas(transaction, state, HEADER, tolerance=None)
    with pytest.raises(ValueError, match="tolerance"):
        estimate_gas(transaction, state, HEADER, tolerance=-1)
    with pytest.raises(ExecutionFailed) as error:
        estimate_gas(transaction, state_of(assemble("PUSH 0 PUSH 0 REVERT")), HEADER)
    assert error.value.receipt.outcome == "REVERT"


# ---------------------------------------------------------------- blocks


# Its blocks call no contract that has to be there.
PARENT = replace(HEADER, fork="Cancun", requests_hash=None)


def pay(value=1, **fields):
    return Call(**{"sender": ALICE, "to": BOB, "value": value, **fields})


def test_blocks_are_made_one_on_the_other_and_nothing_stays():
    state = state_of()
    before = state.root()
    made = simulate_blocks(PARENT, state, [SimulatedBlock(calls=[pay()]), SimulatedBlock(calls=[pay(), pay(2)])])
    (first, one), (second, two) = made
    assert (first.number, second.number) == (8, 9)
    assert second.header.parent_hash == first.hash
    assert [call.transaction.nonce for call in one + two] == [0, 1, 2]
    assert second.header.gas_used == 42_000
    assert first.header.base_fee_per_gas == 0
    assert state.root() == before


def test_blocks_between_are_filled_and_order_is_kept():
    made = simulate_blocks(PARENT, State(), [SimulatedBlock(block=BlockOverride(number=11))])
    assert [(block.number, block.header.timestamp) for block, _ in made] == [
        (8, 1012),
        (9, 1024),
        (10, 1036),
        (11, 1048),
    ]
    for override, reason in (
        (BlockOverride(number=7), "block_number"),
        (BlockOverride(number=8 + 256), "too_many"),
        (BlockOverride(timestamp=1000), "timestamp"),
    ):
        with pytest.raises(SimulationRefused) as error:
            simulate_blocks(PARENT, State(), [SimulatedBlock(block=override)])
        assert error.value.reason == reason


def test_a_call_with_more_gas_than_the_block_has_is_refused():
    block = SimulatedBlock(block=BlockOverride(gas_limit=50_000), calls=[pay(gas=30_000), pay(gas=30_000)])
    with pytest.raises(SimulationRefused) as error:
        simulate_blocks(PARENT, state_of(), [block])
    assert error.value.reason == "block_gas"


def test_with_validation_nonces_and_fees_count():
    for fields, status in (({"nonce": 3}, "NONCE_TOO_HIGH"), ({"max_fee_per_gas": 0}, "MAX_FEE_BELOW_BASE_FEE")):
        call = pay(**{"max_fee_per_gas": 100, **fields})
        with pytest.raises(InvalidTransaction) as error:
            simulate_blocks(PARENT, state_of(), [SimulatedBlock(calls=[call])], validation=True)
        assert error.value.status == status
    [(block, _)] = simulate_blocks(
        PARENT, state_of(), [SimulatedBlock(calls=[pay(max_fee_per_gas=100)])], validation=True
    )
    assert block.header.base_fee_per_gas == 8


def test_transfers_are_logs_in_their_order_and_those_taken_back_are_not():
    # Logs, pays BOB, logs; a call to OTHER, which pays and reverts, comes last.
    send = "PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH {} PUSH20 {} GAS CALL POP "
    code = assemble(
        "PUSH 1 PUSH 0 PUSH 0 LOG1 " + send.format(3, int.from_bytes(BOB, "big")) + "PUSH 2 PUSH 0 PUSH 0 LOG1 "
        + send.format(4, int.from_bytes(OTHER, "big")) + "PUSH 3 PUSH 0 PUSH 0 LOG1"
    )  # fmt: skip
    state = state_of(code)
    state.set_code(
        OTHER, assemble("PUSH 0 PUSH 0 LOG0 " + send.format(1, int.from_bytes(BOB, "big")) + "PUSH 0 PUSH 0 REVERT")
    )
    block = SimulatedBlock(calls=[pay(10, to=CONTRACT)])
    [(_, [made])] = simulate_blocks(PARENT, state, [block], trace_transfers=True)
    shown = [
        (log.address[:1].hex(), int.from_bytes(log.data or log.topics[0], "big"), index) for log, index in made.logs
    ]
    # The three that were taken back (of 4, its LOG0, of 1) have taken their places.
    assert shown == [("ee", 10, 0), ("cc", 1, 1), ("ee", 3, 2), ("cc", 2, 3), ("cc", 3, 7)]
    [(_, [plain])] = simulate_blocks(PARENT, state, [block])
    assert [index for _, index in plain.logs] == [0, 1, 3]


def test_calls_that_fail_checks_are_simulated_in_amsterdam_too():
    from evmcore.dev import DevChain

    chain = DevChain({ALICE: Account(balance=ETHER, code=b"\0")}, forks="Amsterdam")
    head = chain.head
    [(block, [made])] = simulate_blocks(head.header, head.state, [SimulatedBlock(calls=[pay()])])
    assert made.receipt.is_success
    assert block.header.gas_used == made.receipt.state_gas_used
    assert [log for log, _ in made.logs] == list(made.receipt.logs) != []


@pytest.mark.parametrize(
    ("accounts", "text"),
    [
        (None, "accounts: expected a mapping of addresses to AccountOverride, got NoneType"),
        ({5: AccountOverride()}, "accounts: 5 is not bytes"),
        ({CONTRACT: AccountOverride(balance=9), b"x": AccountOverride()}, "accounts: has 1 bytes"),
        ({CONTRACT: AccountOverride(balance=9), bytes(20): None}, "expected AccountOverride, got NoneType"),
        ({CONTRACT: AccountOverride(balance=9), bytes(20): AccountOverride(storage=5)}, "storage: expected a mapping, got int"),
        ({CONTRACT: AccountOverride(balance=9), bytes(20): AccountOverride(nonce=-1)}, "-1"),
        ({CONTRACT: AccountOverride(balance=9, storage={0: 1, 1: -1})}, "-1"),
        ({CONTRACT: AccountOverride(nonce=9, storage_changes={0: 1, 2**256: 1})}, "257 bits"),
    ],
)  # fmt: skip
def test_overrides_that_cannot_be_are_named_and_change_nothing(accounts, text):
    """Those before the one that can't be were made."""
    state = State({CONTRACT: {"balance": 5, "storage": {0: 7}}})
    before = state.to_bytes()
    with pytest.raises((TypeError, ValueError), match=text):
        apply_overrides(state, HEADER, accounts)
    assert state.to_bytes() == before
