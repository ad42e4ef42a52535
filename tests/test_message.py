"""Messages that stay, and checks of a transaction that are left out."""

from __future__ import annotations

import pytest
from helpers import ALICE, BOB, CONTRACT, ETHER, OTHER, dump, header

from evmcore import CHECKS, Account, InvalidTransaction, State, Transaction, assemble, message, transact

STORE = assemble("PUSH 7 PUSH 1 SSTORE")


def word(text: str) -> bytes:
    return assemble(text + " PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")


def new_state(other: bytes = b"") -> State:
    return State(
        {
            ALICE: Account(balance=10 * ETHER, nonce=3),
            CONTRACT: Account(nonce=1, code=STORE),
            OTHER: Account(nonce=1, code=other),
        }
    )


def test_a_message_stays_and_costs_its_sender_only_its_value():
    state = new_state()
    result = message(state, header(), sender=ALICE, to=CONTRACT, value=5, gas=100_000)
    assert result.is_success
    assert result.gas_used == 22_106  # a cold slot that is set, and two pushes
    assert state.get_storage(CONTRACT, 1) == 7
    assert (state.get_balance(ALICE), state.get_balance(CONTRACT), state.get_nonce(ALICE)) == (10 * ETHER - 5, 5, 3)


@pytest.mark.parametrize("options", [{"keep": False}, {"static": True}, {"gas": 100}])
def test_a_message_that_is_not_kept_or_fails_leaves_the_state(options):
    state = new_state()
    before = dump(state)
    assert message(state, header(), sender=ALICE, to=CONTRACT, **options).is_success is ("keep" in options)
    assert dump(state) == before


def test_a_contract_may_send_a_message():
    state = new_state(other=word("ORIGIN CALLER EQ"))
    assert message(state, header(), sender=CONTRACT, to=OTHER).word == 1
    assert message(state, header(), sender=CONTRACT, to=OTHER, origin=ALICE).word == 0


def test_code_of_ones_own_or_of_another_account_runs_on_the_targets_storage():
    state = new_state()
    state.set_balance(BOB, 1)  # an empty account that is touched goes, and its storage with it (EIP-161)
    message(state, header(), to=BOB, code_address=CONTRACT)
    assert state.storage(BOB) == {1: 7}
    message(state, header(), to=BOB, code=assemble("PUSH 9 PUSH 2 SSTORE"))
    assert state.storage(BOB) == {1: 7, 2: 9}
    assert state.get_code(BOB) == b""
    assert message(state, header(), to=CONTRACT, code=b"").output == b""
    # The identity precompile, with other code.
    assert message(state, header(), to=bytes(19) + b"\x04", code=word("PUSH 42"), data=b"x").word == 42


def test_a_message_may_begin_within_the_code():
    state = new_state(other=assemble("PUSH 1 PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN") + word("PUSH 42"))
    assert message(state, header(), to=OTHER).word == 1
    assert message(state, header(), to=OTHER, start_pc=10).word == 42
    assert message(state, header(), to=OTHER, code=b"\xfe" + word("PUSH 7"), start_pc=1).word == 7
    for at_the_end in (len(state.get_code(OTHER)), 2**32, 2**64 - 1):
        stopped = message(state, header(), to=OTHER, start_pc=at_the_end)
        assert (stopped.is_success, stopped.output, stopped.gas_used) == (True, b"", 0)
    # The next one begins at the beginning, and so does what a message calls.
    assert message(state, header(), to=OTHER).word == 1
    assert message(state, header(), to=BOB, start_pc=10).is_success
    for start, text in ((-1, "start_pc"), (2**64, "start_pc"), ("1", "start_pc"), (1.0, "start_pc")):
        with pytest.raises((TypeError, ValueError), match=text):
            message(state, header(), to=OTHER, start_pc=start)
    with pytest.raises(ValueError, match="start_pc"):
        message(state, header(), data=b"\x00", start_pc=1)


def test_new_codes_may_be_longer_than_the_fork_allows_if_that_isnt_checked():
    state, large = new_state(), assemble("PUSH 30000 PUSH 0 RETURN")
    refused = message(state, header(), sender=ALICE, data=large, gas=10_000_000)
    assert refused.outcome == "CODE_SIZE_EXCEEDED"
    made = message(state, header(), sender=ALICE, data=large, gas=10_000_000, checks={"code_size": False})
    assert len(state.get_code(made.contract_address)) == 30_000
    assert message(state, header(), sender=ALICE, data=large, gas=10_000_000).outcome == "CODE_SIZE_EXCEEDED"
    with pytest.raises(ValueError, match="balance and code_size"):
        message(state, header(), to=OTHER, checks={"nonce": False})


def test_a_creation_counts_its_senders_nonce_and_may_be_put_at_an_address():
    state = new_state()
    made = message(state, header(), sender=ALICE, data=assemble("PUSH 1 PUSH 0 RETURN"))
    assert made.is_success
    assert state.get_code(made.contract_address) == b"\0"
    assert state.get_nonce(ALICE) == 4
    placed = message(state, header(), sender=ALICE, to=BOB, data=assemble("PUSH 1 PUSH 0 RETURN"), is_create=True)
    assert placed.contract_address == BOB
    assert state.get_code(BOB) == b"\0"
    assert message(state, header(), sender=ALICE, to=BOB, is_create=True).outcome == "ADDRESS_COLLISION"


def test_what_is_around_a_message_is_what_was_given():
    hashes = [b"\x01" + bytes(31), b"\x01" * 32]
    state = new_state(other=word("GASPRICE PUSH 1 BLOBHASH ADD"))
    result = message(state, header(), to=OTHER, gas_price=3, blob_hashes=hashes)
    assert result.word == 3 + int.from_bytes(hashes[1], "big")
    cold = message(state, header(), to=CONTRACT).gas_used
    state = new_state()
    assert message(state, header(), to=CONTRACT, access_list=[(CONTRACT, [1])]).gas_used == 22_106 - 2_100
    assert cold == 22_106


def test_who_lacks_the_value_is_refused_or_given_it():
    state = new_state()
    before = dump(state)
    with pytest.raises(InvalidTransaction) as caught:
        message(state, header(), sender=BOB, to=ALICE, value=5)
    assert (caught.value.status, caught.value.have, caught.value.want) == ("INSUFFICIENT_FUNDS", 0, 5)
    assert dump(state) == before
    message(state, header(), sender=BOB, to=ALICE, value=5, checks={"balance": False})
    assert (state.get_balance(BOB), state.get_balance(ALICE)) == (0, 10 * ETHER + 5)


def test_a_source_is_asked_for_what_a_message_needs():
    asked = []

    def source(keys):
        asked.append(list(keys))
        return {key: 0 if key[1] is not None else Account(code=STORE, nonce=1) for key in keys}

    state = State(source=source)
    assert message(state, header(), to=CONTRACT).is_success
    assert state.get_storage(CONTRACT, 1) == 7
    assert asked


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"is_create": False}, ValueError),
        ({"to": BOB, "code": b"", "code_address": BOB}, ValueError),
        ({"code": b""}, ValueError),
        ({"static": True}, ValueError),
        ({"to": BOB, "static": True, "value": 1}, ValueError),
        ({"to": BOB, "static": 1}, TypeError),
        ({"to": BOB, "keep": None}, TypeError),
        ({"to": BOB, "is_create": 0}, TypeError),
        ({"to": BOB, "checks": {"nonce": False}}, ValueError),
        ({"to": BOB, "checks": {"blance": False}}, ValueError),
        ({"to": BOB, "checks": {"balance": 0}}, TypeError),
        ({"to": BOB, "origin": b"x"}, ValueError),
        ({"to": BOB, "blob_hashes": [b"x"]}, ValueError),
        ({"to": BOB, "access_list": 5}, TypeError),
        ({"to": b"x"}, ValueError),
    ],
)
def test_what_makes_no_sense_is_refused_and_named(options, error):
    state = new_state()
    with pytest.raises(error) as caught:
        message(state, header(), **options)
    assert next(iter(str(caught.value).split(":"))) in {*options, "to"}


def unsigned(**changes) -> Transaction:
    fields = {"nonce": 3, "to": BOB, "value": 1, "gas_limit": 30_000, "max_fee_per_gas": 100, "sender": ALICE}
    return Transaction(**{**fields, **changes})


@pytest.mark.parametrize(
    ("check", "changes", "status"),
    [
        ("nonce", {"nonce": 9}, "NONCE_TOO_HIGH"),
        ("base_fee", {"max_fee_per_gas": 6}, "MAX_FEE_BELOW_BASE_FEE"),
        ("balance", {"value": 11 * ETHER}, "INSUFFICIENT_FUNDS"),
        ("chain_id", {"chain_id": 5}, "INVALID_CHAIN_ID"),
        ("block_gas", {"gas_limit": 16_000_000}, "GAS_ALLOWANCE_EXCEEDED"),
        ("gas_cap", {"gas_limit": 17_000_000}, "GAS_LIMIT_EXCEEDS_MAXIMUM"),
        ("sender_code", {"sender": CONTRACT, "nonce": 1, "value": 0, "max_fee_per_gas": 7}, "SENDER_NOT_EOA"),
        (
            "blob_hash_version",
            {"blob_versioned_hashes": [b"\x02" + bytes(31)], "max_fee_per_blob_gas": 1},
            "BLOB_HASH_VERSION",
        ),
    ],
)
def test_each_check_is_left_out_by_its_name(check, changes, status):
    state = new_state()
    state.set_balance(CONTRACT, ETHER)
    limit = 15_000_000 if check == "block_gas" else 30_000_000
    around = header(base_fee_per_gas=7, gas_limit=limit)
    before = dump(state)
    with pytest.raises(InvalidTransaction) as caught:
        transact(unsigned(**changes), state, around, checks={name: False for name in CHECKS if name != check})
    assert caught.value.status == status
    assert dump(state) == before
    receipt = transact(unsigned(**changes), state, around, checks={check: False})
    assert receipt.is_success
    sender = changes.get("sender", ALICE)
    assert state.get_nonce(sender) == before[sender].nonce + 1


def test_a_price_below_the_base_fee_is_paid_as_it_is_and_tips_nobody():
    state = new_state()
    receipt = transact(unsigned(max_fee_per_gas=0), state, header(base_fee_per_gas=7), checks={"base_fee": False})
    assert receipt.effective_gas_price == 0
    assert state.get_balance(ALICE) == 10 * ETHER - 1
    assert state.get_balance(header().coinbase) == 0


def test_checks_that_were_left_out_are_made_again_for_the_next():
    state = new_state()
    transact(unsigned(nonce=9), state, header(), checks=dict.fromkeys(CHECKS, False))
    with pytest.raises(InvalidTransaction):
        transact(unsigned(nonce=9), state, header())
