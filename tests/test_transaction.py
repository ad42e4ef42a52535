"""One transaction: its forms, its sender, why it may be refused, what it costs whom, and EIP-7702."""

from __future__ import annotations

import pytest
from differential.scenarios import address_of, sign_authorization
from helpers import ALICE, BOB, COINBASE, CONTRACT, ETHER, FORK_NAMES, NEWEST, OTHER, header

from evmcore import DecodeError, InvalidTransaction, Receipt, State, Transaction, assemble, fork_includes, rlp, transact
from evmcore._core import fork_rules

KEY = bytes(31) + b"\x07"
SIGNER = address_of(KEY)
BLOB = b"\x01" + bytes(31)
# One of each type, as fields.
TYPES = {
    "legacy": {"gas_price": 9},
    "legacy with EIP-155": {"gas_price": 9, "chain_id": 1},
    "access list": {"type": 1, "gas_price": 9, "access_list": [(BOB, [1, 2**256 - 1]), (ALICE, [])]},
    "dynamic fee": {"type": 2, "max_fee_per_gas": 9, "max_priority_fee_per_gas": 1},
    "blob": {"type": 3, "max_fee_per_gas": 9, "max_fee_per_blob_gas": 5, "blob_versioned_hashes": [BLOB]},
    "set code": {"type": 4, "max_fee_per_gas": 9, "authorization_list": [sign_authorization(KEY, 1, BOB, 0)]},
}


def make(**fields) -> Transaction:
    return Transaction(**{"to": BOB, "gas_limit": 100_000, "sender": ALICE, **fields})


def refused(tx: Transaction, state: State, **changes) -> InvalidTransaction:
    """The exception; the state is as it was."""
    before = state.root()
    with pytest.raises(InvalidTransaction) as caught:
        transact(tx, state, header(**changes))
    assert state.root() == before
    return caught.value


# ---------------------------------------------------------------- forms


@pytest.mark.parametrize("fields", TYPES.values(), ids=TYPES)
@pytest.mark.parametrize("to", [BOB, None], ids=["call", "creation"])
def test_encode_and_decode_are_inverse(fields, to):
    tx = make(**fields, nonce=3, to=to, value=2**200, data=b"data").sign(KEY)
    if to is None and tx.type > 2:  # not even its form says that one creates anything (EIP-4844, EIP-7702)
        with pytest.raises(DecodeError) as refused:
            Transaction.decode(tx.encode())
        assert (refused.value.status, refused.value.field) == (f"{'BLOB' if tx.type == 3 else 'SET_CODE'}_CREATES_CONTRACT", "to")  # fmt: skip
        return
    again = Transaction.decode(tx.encode())
    assert (again == tx, again.encode(), again.sender, again.hash) == (True, tx.encode(), SIGNER, tx.hash)
    for name in ("type", "nonce", "gas_limit", "to", "value", "data", "chain_id", "access_list", "blob_versioned_hashes",
                 "authorization_list", "max_fee_per_gas", "max_priority_fee_per_gas", "max_fee_per_blob_gas", "gas_price", "v", "r", "s"):  # fmt: skip
        assert getattr(again, name) == getattr(tx, name), name


def test_the_example_of_eip_155():
    raw = bytes.fromhex(
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d"
        "3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    )
    tx = Transaction.decode(raw)
    assert tx.signing_hash.hex() == "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"
    assert (tx.chain_id, tx.nonce, tx.gas_price, tx.gas_limit, tx.value) == (1, 9, 20 * 10**9, 21000, ETHER)
    assert tx.sender.hex() == "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"


def test_a_sender_that_is_given_is_taken():
    assert make().sender == ALICE
    assert make().sign(KEY).with_sender(BOB).sender == BOB
    assert make().sign(KEY).with_sender(BOB).forget_sender().sender == SIGNER


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("status", "fields", "changes", "numbers"),
    [
        ("NONCE_TOO_LOW", {"nonce": 4}, {}, (4, 7)),
        ("NONCE_TOO_HIGH", {"nonce": 8}, {}, (8, 7)),
        ("INTRINSIC_GAS_TOO_LOW", {"gas_limit": 20_999}, {}, (20_999, 21_000)),
        ("INTRINSIC_GAS_TOO_LOW", {"gas_limit": 53_000, "to": None, "data": b"\0"}, {}, (53_000, 53_006)),
        ("FLOOR_GAS_TOO_LOW", {"gas_limit": 21_000 + 39 * 1000, "data": b"\1" * 1000}, {}, (60_000, 61_000)),
        ("GAS_ALLOWANCE_EXCEEDED", {"gas_limit": 100_001}, {"gas_limit": 100_000}, (100_001, 100_000)),
        ("GAS_LIMIT_EXCEEDS_MAXIMUM", {"gas_limit": 16_777_217}, {}, (16_777_217, 16_777_216)),
        ("INITCODE_TOO_LARGE", {"to": None, "data": bytes(49_153), "gas_limit": 5_000_000}, {}, (49_153, 49_152)),
        ("MAX_FEE_BELOW_BASE_FEE", {"gas_price": 6}, {"base_fee_per_gas": 7}, (6, 7)),
        ("MAX_FEE_BELOW_BASE_FEE", {"type": 2, "max_fee_per_gas": 6}, {"base_fee_per_gas": 7}, (6, 7)),
        ("PRIORITY_ABOVE_MAX_FEE", {"type": 2, "max_fee_per_gas": 6, "max_priority_fee_per_gas": 7}, {}, (7, 6)),
        ("INVALID_CHAIN_ID", {"chain_id": 2}, {}, (2, 1)),
        ("INVALID_CHAIN_ID", {"type": 2, "max_fee_per_gas": 0, "chain_id": 2}, {}, (2, 1)),
        ("NO_BLOBS", {"type": 3, "max_fee_per_gas": 0, "max_fee_per_blob_gas": 1}, {}, None),
        ("TOO_MANY_BLOBS", {"type": 3, "max_fee_per_blob_gas": 1, "blob_versioned_hashes": [BLOB] * 7}, {}, (7, 6)),
        ("BLOB_GAS_ALLOWANCE_EXCEEDED", {"type": 3, "max_fee_per_blob_gas": 1, "blob_versioned_hashes": [BLOB] * 7}, {"fork": "Cancun"}, (7 * 131_072, 6 * 131_072)),
        ("BLOB_HASH_VERSION", {"type": 3, "max_fee_per_blob_gas": 1, "blob_versioned_hashes": [BLOB, bytes(32)]}, {}, (0, 1)),
        ("MAX_BLOB_FEE_TOO_LOW", {"type": 3, "max_fee_per_blob_gas": 0, "blob_versioned_hashes": [BLOB]}, {}, (0, 1)),
        ("BLOB_CREATES_CONTRACT", {"type": 3, "to": None, "max_fee_per_blob_gas": 1, "blob_versioned_hashes": [BLOB]}, {}, None),
        ("SET_CODE_CREATES_CONTRACT", {"type": 4, "to": None, "authorization_list": [(0, BOB, 0, 0, 1, 1)]}, {}, None),
        ("NO_AUTHORIZATIONS", {"type": 4}, {}, None),
    ],
)  # fmt: skip
def test_refused_with_its_reason_and_both_numbers(status, fields, changes, numbers):
    state = State({ALICE: {"balance": ETHER, "nonce": 7}})
    error = refused(make(**{"nonce": 7, **fields}), state, **changes)
    assert error.status == status
    assert error.exception.startswith("TransactionException.")
    if numbers:
        assert (error.have, error.want) == numbers
        assert all(str(number) in str(error) for number in numbers)


def test_exactly_enough_is_enough_and_one_wei_less_is_not():
    tx = make(type=2, value=5, gas_limit=21_000, max_fee_per_gas=9, max_priority_fee_per_gas=0)
    cost = 21_000 * 9 + 5
    error = refused(tx, State({ALICE: {"balance": cost - 1}}), base_fee_per_gas=7)
    assert (error.status, error.have, error.want) == ("INSUFFICIENT_FUNDS", cost - 1, cost)
    assert transact(tx, State({ALICE: {"balance": cost}}), header(base_fee_per_gas=7)).is_success


def test_blobs_have_to_be_paid_at_their_highest_price():
    tx = make(type=3, gas_limit=21_000, max_fee_per_gas=0, max_fee_per_blob_gas=10, blob_versioned_hashes=[BLOB])
    assert refused(tx, State({ALICE: {"balance": 1_310_719}})).status == "INSUFFICIENT_FUNDS"
    state = State({ALICE: {"balance": 1_310_720}})
    transact(tx, state, header())
    assert state.get_balance(ALICE) == 1_310_720 - 131_072, "paid at the block's price, 1"


@pytest.mark.parametrize(
    "fields", [{"gas_price": 2**256 - 1}, {"value": 2**256 - 1, "gas_price": 1}, {"gas_price": 2**240}]
)
def test_costs_beyond_256_bits_are_refused(fields):
    error = refused(make(**fields), State({ALICE: {"balance": 2**256 - 1}}))
    assert error.status in ("GASLIMIT_PRICE_OVERFLOW", "INSUFFICIENT_FUNDS")


def test_the_highest_nonce_is_refused():
    """EIP-2681."""
    assert (
        refused(make(nonce=2**64 - 1), State({ALICE: {"balance": ETHER, "nonce": 2**64 - 1}})).status == "NONCE_IS_MAX"
    )


def test_contracts_do_not_send_but_delegated_accounts_do():
    """EIP-3607, EIP-7702."""
    assert refused(make(), State({ALICE: {"balance": ETHER, "code": b"\0"}})).status == "SENDER_NOT_EOA"
    delegated = State({ALICE: {"balance": ETHER, "code": b"\xef\x01\0" + BOB}})
    assert refused(make(), delegated.copy(), fork="Cancun").status == "SENDER_NOT_EOA"
    assert transact(make(), delegated, header(fork="Prague")).is_success


def test_replay_protection_is_unknown_before_eip_155():
    tx = make(chain_id=1).sign(KEY)
    state = State({SIGNER: {"balance": ETHER}})
    assert refused(tx, state, fork="Homestead").status == "INVALID_SIGNATURE"
    assert transact(Transaction.decode(tx.encode()), state, header(fork="SpuriousDragon")).is_success


ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.mark.parametrize("fork", FORK_NAMES)
def test_a_high_s_is_refused_since_eip_2(fork):
    tx = make(gas_limit=21_000).sign(KEY)
    twin = make(gas_limit=21_000, v=55 - tx.v, r=tx.r, s=ORDER - tx.s, sender=None)
    state = State({SIGNER: {"balance": ETHER}})
    if not fork_includes(fork, "Homestead"):
        assert transact(twin, state, header(fork=fork)).is_success
    else:
        assert refused(twin, state, fork=fork).status == "INVALID_SIGNATURE"


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (ORDER, 1), (1, ORDER), (2**256 - 1, 1), (5, 1)])
def test_numbers_that_are_no_signature(r, s):
    tx = make(v=27, r=r, s=s, sender=None)
    error = refused(tx, State({ALICE: {"balance": ETHER}}), fork="Frontier")
    assert error.status == "INVALID_SIGNATURE"
    with pytest.raises(InvalidTransaction):
        _ = tx.sender


def test_legacy_v_outside_its_values_is_refused():
    for v in (0, 1, 26, 29, 34):
        items = [b"", b"\1", b"\x52\x08", BOB, b"", b"", rlp.number(v), b"\1", b"\1"]
        with pytest.raises(InvalidTransaction):
            _ = Transaction.decode(rlp.encode(items)).sender


# ---------------------------------------------------------------- costs


@pytest.mark.parametrize("fork", FORK_NAMES)
def test_intrinsic_gas(fork):
    """21,000; 4 a zero byte; 68 another until EIP-2028, then 16; 32,000 a creation since EIP-2; 2 a word since EIP-3860.

    Amsterdam has prices of its own: test_amsterdam.py.
    """
    if fork_rules(fork)["has_state_gas"]:
        return
    data = bytes(5) + b"\1" * 3
    byte = 68 if not fork_includes(fork, "Istanbul") else 16
    state = State({ALICE: {"balance": ETHER}})
    call_gas = 21_000 + 5 * 4 + 3 * byte
    if fork_includes(fork, "Prague"):
        call_gas = 21_000 + 10 * (5 + 4 * 3)  # EIP-7623: the floor is higher
    assert transact(make(data=data), state, header(fork=fork)).gas_used == call_gas
    create_gas = 21_000 + 5 * 4 + 3 * byte
    create_gas += 32_000 if fork_includes(fork, "Homestead") else 0
    create_gas += 2 if fork_includes(fork, "Shanghai") else 0
    assert (
        transact(make(nonce=1, data=data, to=None), state, header(fork=fork)).gas_used == create_gas
    )  # it stops at once


def test_fees_go_to_the_beneficiary_and_the_base_fee_to_nobody():
    state = State({ALICE: {"balance": ETHER}})
    tx = make(type=2, value=1000, gas_limit=50_000, max_fee_per_gas=10, max_priority_fee_per_gas=2)
    receipt = transact(tx, state, header(base_fee_per_gas=7))
    assert (receipt.gas_used, receipt.effective_gas_price) == (21_000, 9)
    assert state.get_balance(ALICE) == ETHER - 1000 - 21_000 * 9
    assert (state.get_balance(BOB), state.get_balance(COINBASE)) == (1000, 21_000 * 2)
    assert state.get_nonce(ALICE) == 1


def test_before_london_the_beneficiary_gets_it_all():
    state = State({ALICE: {"balance": ETHER}})
    transact(make(gas_price=10), state, header(fork="Berlin"))
    assert state.get_balance(COINBASE) == 210_000


@pytest.mark.parametrize("to", [ALICE, COINBASE, BOB])
@pytest.mark.parametrize("coinbase", [ALICE, BOB, COINBASE])
def test_one_account_in_several_roles(to, coinbase):
    """Sender, receiver and beneficiary in all combinations: no wei appears or goes, but for the base fee."""
    state = State({ALICE: {"balance": ETHER}})
    transact(make(to=to, value=1000, gas_price=5), state, header(coinbase=coinbase, base_fee_per_gas=3))
    assert sum(account.balance for _, account in state.items()) == ETHER - 21_000 * 3


@pytest.mark.parametrize(
    ("fork", "share", "each"),
    [("Petersburg", 2, 15_000), ("Berlin", 2, 15_000), ("London", 5, 4800), ("BPO2", 5, 4800)],
)
def test_refunds_are_capped(fork, share, each):
    """At half of what was used, since EIP-3529 at a fifth."""
    clears = assemble(" ".join(f"PUSH1 0 PUSH1 {slot} SSTORE" for slot in range(10)))
    state = State({ALICE: {"balance": ETHER}, CONTRACT: {"code": clears, "storage": dict.fromkeys(range(10), 1)}})
    receipt = transact(make(to=CONTRACT, gas_price=1, gas_limit=200_000), state, header(fork=fork))
    before = receipt.gas_used + receipt.gas_refund
    assert receipt.gas_refund == min(before // share, 10 * each)
    assert state.get_balance(ALICE) == ETHER - receipt.gas_used


def test_the_floor_holds_after_the_refund():
    """EIP-7623: calldata costs at least 40 a byte, refunds or not."""
    state = State(
        {ALICE: {"balance": ETHER}, CONTRACT: {"code": assemble("PUSH1 0 PUSH1 0 SSTORE"), "storage": {0: 1}}}
    )
    receipt = transact(make(to=CONTRACT, data=b"\1" * 1000, gas_limit=100_000), state, header())
    assert (receipt.gas_used, receipt.gas_refund) == (21_000 + 40 * 1000, 4800)


def test_a_failure_costs_what_it_used_and_keeps_the_nonce():
    state = State({ALICE: {"balance": ETHER}, CONTRACT: {"code": assemble("PUSH1 1 PUSH1 1 SSTORE INVALID")}})
    receipt = transact(make(to=CONTRACT, value=5, gas_price=1), state, header())
    assert (receipt.status, receipt.outcome, receipt.gas_used, receipt.is_success) == (
        0,
        "INVALID_INSTRUCTION",
        100_000,
        False,
    )
    assert (state.get_nonce(ALICE), state.get_balance(ALICE), state.get_balance(CONTRACT)) == (1, ETHER - 100_000, 0)
    assert state.storage(CONTRACT) == {}


def test_a_receipt_before_byzantium_has_the_state_root():
    state = State({ALICE: {"balance": ETHER}})
    receipt = transact(make(), state, header(fork="SpuriousDragon"))
    assert (receipt.status, receipt.state_root) == (None, state.root())
    assert transact(make(nonce=1), state, header(fork="Byzantium")).status == 1


def test_an_empty_account_that_is_touched_goes_since_eip_161():
    for fork, stays in (("TangerineWhistle", True), ("SpuriousDragon", False)):
        state = State({ALICE: {"balance": ETHER}, BOB: {}})
        transact(make(), state, header(fork=fork))
        assert state.exists(BOB) == stays
        assert state.exists(COINBASE) == stays, "a fee of nothing touches the beneficiary"


def test_a_creation_collides_with_what_is_there():
    from evmcore import keccak256

    address = keccak256(rlp.encode([ALICE, b""]))[12:]
    state = State({ALICE: {"balance": ETHER}, address: {"nonce": 1}})
    receipt = transact(make(to=None, value=3), state, header())
    assert (receipt.outcome, receipt.gas_used, receipt.contract_address) == ("ADDRESS_COLLISION", 100_000, None)
    assert state.get_balance(address) == 0


# ---------------------------------------------------------------- EIP-7702


def authorize(state: State, *authorizations, to: bytes = BOB, fork: str = NEWEST, **fields) -> Receipt:
    tx = make(
        type=4,
        to=to,
        gas_limit=500_000,
        max_fee_per_gas=0,
        authorization_list=authorizations,
        nonce=state.get_nonce(ALICE),
        **fields,
    )
    return transact(tx, state, header(fork=fork))


def world(**accounts) -> State:
    state = State({ALICE: {"balance": ETHER}})
    for address, account in accounts.pop("at", {}).items():
        state.set_account(address, account)
    return state


def test_an_authorization_delegates_and_counts_as_a_nonce():
    state = world()
    receipt = authorize(state, sign_authorization(KEY, 1, CONTRACT, 0))
    assert (state.get_code(SIGNER), state.get_nonce(SIGNER)) == (b"\xef\x01\0" + CONTRACT, 1)
    assert receipt.gas_used == 21_000 + 25_000
    authorize(state, sign_authorization(KEY, 0, OTHER, 1))
    assert state.get_code(SIGNER) == b"\xef\x01\0" + OTHER
    authorize(state, sign_authorization(KEY, 0, bytes(20), 2))
    assert (state.get_code(SIGNER), state.get_nonce(SIGNER)) == (b"", 3)


@pytest.mark.parametrize("account", [{"balance": 1}, {"balance": 0, "nonce": 0}], ids=["with balance", "empty"])
def test_authorization_of_an_existing_account_is_refunded_even_if_it_is_empty(account):
    """The specification asks whether it exists, not whether EIP-161 calls it empty."""
    receipt = authorize(world(at={SIGNER: account}), sign_authorization(KEY, 1, CONTRACT, 0))
    assert (receipt.gas_refund, receipt.gas_used) == ((46_000 // 5), 46_000 - 46_000 // 5)


@pytest.mark.parametrize(
    "authorization",
    [
        sign_authorization(KEY, 2, CONTRACT, 0),  # another chain
        sign_authorization(KEY, 1, CONTRACT, 1),  # another nonce
        sign_authorization(KEY, 1, CONTRACT, 2**64 - 1),
        (1, CONTRACT, 0, 2, 1, 1),
        (1, CONTRACT, 0, 0, 0, 1),
        (1, CONTRACT, 0, 0, 1, 0),
        (1, CONTRACT, 0, 0, 1, ORDER - 1),
    ],
)
def test_an_authorization_that_does_not_fit_is_passed_over(authorization):
    state = world()
    receipt = authorize(state, authorization, sign_authorization(KEY, 1, OTHER, 0))
    assert state.get_code(SIGNER) == b"\xef\x01\0" + OTHER
    assert receipt.gas_used == 21_000 + 2 * 25_000


def test_a_contract_is_not_delegated():
    state = world(at={SIGNER: {"code": b"\0"}})
    authorize(state, sign_authorization(KEY, 1, OTHER, 0))
    assert state.get_code(SIGNER) == b"\0"


def test_delegations_stay_when_the_transaction_fails():
    state = world(at={BOB: {"code": assemble("INVALID")}})
    assert not authorize(state, sign_authorization(KEY, 1, OTHER, 0)).is_success
    assert state.get_code(SIGNER) == b"\xef\x01\0" + OTHER


def test_delegated_code_runs_in_the_authority_s_place():
    state = world(
        at={CONTRACT: {"code": assemble("PUSH1 7 PUSH1 1 SSTORE ADDRESS PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN")}}
    )
    receipt = authorize(state, sign_authorization(KEY, 1, CONTRACT, 0), to=SIGNER)
    assert (receipt.output[12:], state.get_storage(SIGNER, 1), state.get_storage(CONTRACT, 1)) == (SIGNER, 7, 0)


def test_a_delegation_is_followed_once():
    state = world(at={BOB: {"code": b"\xef\x01\0" + OTHER}, OTHER: {"code": b"\xef\x01\0" + CONTRACT}})
    assert transact(make(), state, header()).outcome == "UNDEFINED_INSTRUCTION", "0xef is what it runs"


def test_a_delegation_to_a_precompile_runs_nothing():
    state = world(at={BOB: {"code": b"\xef\x01\0" + bytes(19) + b"\x04"}})
    receipt = transact(make(data=b"abc"), state, header())
    assert (receipt.outcome, receipt.output) == ("SUCCESS", b"")


def test_code_instructions_see_the_designator():
    state = world(
        at={
            BOB: {"code": b"\xef\x01\0" + OTHER},
            CONTRACT: {"code": assemble(f"PUSH20 0x{BOB.hex()} EXTCODESIZE PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN")},
        }
    )
    assert int.from_bytes(transact(make(to=CONTRACT), state, header()).output, "big") == 23


def test_the_sender_s_own_authorization_has_the_nonce_after():
    state = State({SIGNER: {"balance": ETHER}})
    tx = Transaction(
        type=4, to=BOB, gas_limit=100_000, authorization_list=[sign_authorization(KEY, 1, OTHER, 1)], sender=SIGNER
    )
    transact(tx, state, header())
    assert (state.get_code(SIGNER), state.get_nonce(SIGNER)) == (b"\xef\x01\0" + OTHER, 2)
