"""Amsterdam's prices, one transaction each: what it pays, and what the block counts of it. The figures are go-ethereum's, confirmed by revm."""

from __future__ import annotations

import io
import json
from contextlib import suppress

import pytest
from differential.scenarios import BEACON_ROOTS_CODE, HISTORY_CODE, address_of, sign_authorization
from helpers import ALICE, BOB, COINBASE, CONTRACT, ETHER, OTHER, assert_parallel_is_sequential, header
from test_access_lists import GOLDEN as LIST
from test_access_lists import GOLDEN_HASH as LIST_HASH

from evmcore import (
    Block,
    ExecutionFailed,
    InvalidTransaction,
    Log,
    State,
    Transaction,
    Withdrawal,
    assemble,
    build_block,
    call,
    estimate_gas,
    execute_block,
    join_pieces,
    keccak256,
    rlp,
    transact,
)
from evmcore._core import SYSTEM_ADDRESSES, fork_rules
from evmcore.estimation import with_gas
from evmcore.pieces import Piece
from evmcore.traces import Trace
from evmcore.tracing import Eip3155, Recorder

ABSENT = bytes([0xAB]) * 20
KEY = (7).to_bytes(32, "big")
AUTHORITY = address_of(KEY)
TRANSFER = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
SYSTEM = bytes.fromhex("ff" * 19 + "fe")
NEW_ACCOUNT, NEW_SLOT, DELEGATION = 183_600, 97_920, 35_190
CREATED = keccak256(rlp.encode([ALICE, b""]))[12:]


def amsterdam(**changes):
    return header(**{"fork": "Amsterdam", "base_fee_per_gas": 7, "gas_limit": 200_000_000, "slot_number": 9, **changes})


def make(**changes) -> Transaction:
    price = {"max_fee_per_gas" if changes.get("type", 0) > 1 else "gas_price": 7}
    return Transaction(**{"to": BOB, "gas_limit": 1_000_000, "sender": ALICE, **price, **changes})


def world(code: str = "", storage: dict | None = None, balance: int = 0, **more) -> State:
    """ALICE is rich, BOB poor, CONTRACT has the code."""
    accounts = {ALICE: {"balance": ETHER}, BOB: {"balance": 1}}
    accounts[CONTRACT] = {"code": bytes.fromhex(code), "nonce": 1, "balance": balance, "storage": storage or {}}
    return State(accounts | more.get("at", {}))


def gases(tx: Transaction, state: State) -> tuple[int, int, int]:
    """(what it pays, execution gas, state gas)."""
    receipt = transact(tx, state, amsterdam())
    assert receipt.cumulative_gas_used == receipt.gas_used
    return receipt.gas_used, receipt.execution_gas_used, receipt.state_gas_used


def topic(address: bytes) -> bytes:
    return bytes(12) + address


def transfer_log(sender: bytes, to: bytes, value: int) -> Log:
    return Log(SYSTEM, (TRANSFER, topic(sender), topic(to)), value.to_bytes(32, "big"))


# ---------------------------------------------------------------- what a transaction costs

GOLDEN = {
    "nothing to an absent account": (make(to=ABSENT), {}, (15_000, 15_000, 0)),
    "nothing to an EOA": (make(), {}, (15_000, 15_000, 0)),
    "1 wei to an EOA": (make(value=1), {}, (21_000, 21_000, 0)),
    "1 wei to oneself": (make(to=ALICE, value=1), {}, (12_000, 12_000, 0)),
    "1 wei to an absent account": (make(to=ABSENT, value=1), {}, (204_600, 21_000, 183_600)),
    "the same with data and an access list": (
        make(type=1, to=ABSENT, value=1, data=b"\1" * 40, access_list=[(ABSENT, ())]), {}, (209_420, 25_820, 183_600)),
    "3,000 bytes to an EOA": (make(data=b"\1" * 3000), {}, (207_000, 207_000, 0)),
    "3,000 bytes to code": (make(to=CONTRACT, data=b"\1" * 3000), {"code": "6001600155"}, (207_000, 207_000, 97_920)),
    "a delegated account": (
        make(to=OTHER), {"code": "60075f55", "at": {OTHER: {"code": b"\xef\1\0" + CONTRACT}}}, (128_025, 30_105, 97_920)),
    "1 wei to one delegated to the sender": (
        make(to=OTHER, value=1), {"at": {OTHER: {"code": b"\xef\1\0" + ALICE}}}, (21_100, 21_100, 0)),
    "a creation": (make(to=None, data="0x60015ff3"), {}, (209_210, 24_256, 185_130)),
    "a creation where there is money": (
        make(to=None, data="0x60015ff3", value=3), {"at": {CREATED: {"balance": 9}}}, (25_610, 24_256, 1_530)),
    "a creation that reverts": (make(to=None, data="0x5f5ffd"), {}, (24_192, 24_192, 0)),
    "a creation that destroys itself": (make(to=None, data="0x30ff", value=3), {}, (212_636, 29_036, 183_600)),
    "SSTORE 0 1": (make(to=CONTRACT), {"code": "6001600355"}, (125_026, 27_106, 97_920)),
    "SSTORE 0 1 0": (make(to=CONTRACT), {"code": "60016003555f600355"}, (21_769, 27_211, 0)),
    "SSTORE 0 1 0 1": (make(to=CONTRACT), {"code": "60016003555f6003556001600355"}, (125_237, 37_317, 97_920)),
    "SSTORE 1 0": (make(to=CONTRACT), {"code": "5f600355", "storage": {3: 1}}, (21_684, 27_105, 0)),
    "SSTORE 1 0 1": (make(to=CONTRACT), {"code": "5f6003556001600355", "storage": {3: 1}}, (21_769, 27_211, 0)),
    "SELFDESTRUCT to an absent account": (
        make(to=CONTRACT), {"code": "73" + ABSENT.hex() + "ff", "balance": 5}, (215_603, 32_003, 183_600)),
    "SELFDESTRUCT to an EOA": (make(to=CONTRACT), {"code": "73" + BOB.hex() + "ff", "balance": 5}, (23_003, 23_003, 0)),
    "SELFDESTRUCT to itself": (make(to=CONTRACT), {"code": "30ff", "balance": 5}, (20_002, 20_002, 0)),
    "an absent authority": (
        make(type=4, authorization_list=[sign_authorization(KEY, 1, CONTRACT, 0)]), {}, (250_606, 31_816, 218_790)),
    "an authority with money": (
        make(type=4, authorization_list=[sign_authorization(KEY, 1, CONTRACT, 0)]), {"at": {AUTHORITY: {"balance": 1}}},
        (67_006, 31_816, 35_190)),
    "an authorization that clears nothing": (
        make(type=4, authorization_list=[sign_authorization(KEY, 1, bytes(20), 0)]), {"at": {AUTHORITY: {"balance": 1}}},
        (31_816, 31_816, 0)),
    "the same authority twice": (
        make(type=4, authorization_list=[sign_authorization(KEY, 1, CONTRACT, 0), sign_authorization(KEY, 1, OTHER, 1)]), {},
        (258_422, 39_632, 218_790)),
    "INVALID": (make(to=CONTRACT, gas_limit=600_000), {"code": "fe"}, (600_000, 600_000, 0)),
}  # fmt: skip


@pytest.mark.parametrize("name", GOLDEN)
def test_what_go_ethereum_and_revm_agree_on(name):
    tx, before, want = GOLDEN[name]
    assert gases(tx, world(**before)) == want


def test_the_list_of_a_block_is_that_of_go_ethereum():
    """1 wei to an absent account: also a system slot that is written with what it holds, which is a read."""
    code = {"beacon_roots": BEACON_ROOTS_CODE, "history": HISTORY_CODE}
    # What the contracts of requests read when nobody has asked for anything.
    reads = assemble("PUSH0 SLOAD PUSH1 1 SLOAD PUSH1 2 SLOAD PUSH1 3 SLOAD STOP")
    sender = bytes.fromhex("71562b71999873db5b286df957af199ec94617f7")
    accounts = {sender: {"balance": 100 * ETHER}}
    for name in ("beacon_roots", "history", "withdrawal", "consolidation", "builder_deposit", "builder_exit"):
        accounts[SYSTEM_ADDRESSES[f"{name}_contract"]] = {"nonce": 1, "code": code.get(name, reads)}
    tx = Transaction(
        to=bytes.fromhex("dead00000000000000000000000000000000beef"),
        value=1,
        gas_limit=1_000_000,
        gas_price=8,
        sender=sender,
    )
    block_header = amsterdam(
        number=1, timestamp=12, coinbase=bytes.fromhex("2adc25665018aa1fe0e6bc666dac8fc2697ff9ba"),
        parent_hash=b"\x11" * 32, parent_beacon_block_root=bytes(32),
    )  # fmt: skip
    for options in (
        {"strategy": "sequential"},
        {"strategy": "optimistic", "workers": 2},
        {"strategy": "groups", "workers": 2},
    ):
        result = execute_block(Block(block_header, (tx,)), State(accounts), **options)
        assert (result.gas_used, result.receipts[0].gas_used) == (0x2CD30, 0x31F38)
        assert result.access_list.encode() == LIST
        assert result.access_list.hash == LIST_HASH
        listed = Block(block_header, (tx,), access_list=result.access_list)
        assert execute_block(listed, State(accounts), strategy="listed", workers=2) == result


def test_the_limit_has_to_cover_what_it_costs_in_any_case():
    for tx, status in (
        (make(gas_limit=14_999), "INTRINSIC_GAS_TOO_LOW"),
        (make(to=ALICE, value=1, gas_limit=11_999), "INTRINSIC_GAS_TOO_LOW"),
        (make(data=bytes(1), gas_limit=15_063), "FLOOR_GAS_TOO_LOW"),
        (make(gas_limit=2**32), "GAS_LIMIT_EXCEEDS_MAXIMUM"),
        (make(data=bytes(2**18), gas_limit=2**25), "FLOOR_GAS_TOO_LOW"),  # it is above 2^24
        (make(to=None, data=bytes(131_073), gas_limit=2**24), "INITCODE_TOO_LARGE"),
    ):
        state = world()
        root = state.root()
        with pytest.raises(InvalidTransaction) as refused:
            transact(tx, state, amsterdam(gas_limit=2**62))
        assert (refused.value.status, state.root()) == (status, root)
    assert transact(make(gas_limit=2**32 - 1), world(), amsterdam(gas_limit=2**40)).gas_used == 15_000


# ---------------------------------------------------------------- two gases


def deploying(size: int) -> str:
    """Init code that leaves so many zero bytes."""
    return f"62{size:06x}5ff3"


def test_beyond_the_cap_there_is_a_reservoir_that_state_gas_comes_out_of_first():
    """GAS doesn't show it, and a call gets all of it."""
    inner = "5a5f5260205ff3"  # GAS to the output
    outer = "60205f5f5f5f73" + OTHER.hex() + "5af1505f515f55"  # CALL, and what it says to slot 0
    at = {OTHER: {"code": bytes.fromhex(inner)}}
    small, large = world(outer, at=at), world(outer, at=at)
    transact(make(to=CONTRACT, gas_limit=2**24), small, amsterdam())
    transact(make(to=CONTRACT, gas_limit=2**24 + 10**6), large, amsterdam())
    assert small.get_storage(CONTRACT, 0) == large.get_storage(CONTRACT, 0) > 16_000_000


@pytest.mark.parametrize("reservoir", [0, 1, NEW_SLOT - 1, NEW_SLOT, 10**6])
@pytest.mark.parametrize("end", ["00", "5f5ffd", "fe"], ids=["stop", "revert", "invalid"])
def test_a_callee_that_fails_gives_back_the_state_gas_that_it_paid(reservoir, end):
    """It sets a slot; only where it succeeds that is paid for. INVALID takes what came out of its own gas, not the reservoir."""
    callee = world("6001600355" + end)
    tx = make(to=CONTRACT, gas_limit=2**24 + reservoir)
    paid, execution, state = gases(tx, callee)
    if end == "00":
        assert (paid, execution, state) == (27_106 + NEW_SLOT, 27_106, NEW_SLOT)
    elif end == "5f5ffd":
        assert (paid, state) == (27_110, 0)
    else:
        assert (paid, execution, state) == (2**24, 2**24, 0)


@pytest.mark.parametrize("reservoir", [0, 10**6])
def test_what_a_caller_paid_comes_back_to_its_own_gas_when_the_callee_clears_it(reservoir):
    """Slot 3 is set by the caller and cleared by a DELEGATECALL to OTHER: nothing is left to pay for."""
    outer = "6001600355" + "5f5f5f5f73" + OTHER.hex() + "5af4" + "5a600455"  # and what is left to slot 4
    state = world(outer, at={OTHER: {"code": bytes.fromhex("5f600355")}}, storage={4: 1})
    receipt = transact(make(to=CONTRACT, gas_limit=2**24 + reservoir), state, amsterdam())
    assert (receipt.outcome, receipt.state_gas_used) == ("SUCCESS", 0)
    left = state.get_storage(CONTRACT, 4)
    assert 2**24 - left < 15_000 + 60_000, "the 97,920 are in its gas again"


@pytest.mark.parametrize("reservoir", [0, 10**6])
@pytest.mark.parametrize("code", ["", "5f5ffd", "fe"], ids=["succeeds", "reverts", "halts"])
def test_an_account_that_a_failing_creation_would_have_made_isn_t_paid_for(reservoir, code):
    init = bytes.fromhex(code)
    outer = "7f" + init.ljust(32, b"\0").hex() + "5f52" + f"60{len(init):02x}5f5ff0" + "5f55"
    state = world(outer)
    receipt = transact(make(to=CONTRACT, gas_limit=2**24 + reservoir), state, amsterdam())
    made = state.get_storage(CONTRACT, 0) != 0
    assert receipt.is_success
    assert made == (code == "")
    assert receipt.state_gas_used == (NEW_ACCOUNT + NEW_SLOT if made else 0)


def test_value_to_a_dead_account_is_paid_for_and_comes_back_where_the_call_fails():
    precompile = (6).to_bytes(20, "big")  # BN254_ADD, which fails for 1 gas and has no money
    for to, gas, want in ((ABSENT, "5a", NEW_ACCOUNT), (precompile, "5f", 0)):
        data = "5f5f5f5f600173" + to.hex() + gas + "f100"
        receipt = transact(make(to=CONTRACT), world(data, balance=5), amsterdam())
        want_log = (transfer_log(CONTRACT, to, 1),) if want else ()
        if to == precompile:  # the stipend pays for it
            want, want_log = NEW_ACCOUNT, (transfer_log(CONTRACT, to, 1),)
        assert (receipt.state_gas_used, receipt.logs) == (want, want_log)
    empty = transact(make(to=CONTRACT), world("5f5f5f5f600173" + ABSENT.hex() + "5af100"), amsterdam())
    assert (empty.state_gas_used, empty.logs) == (0, ()), "it has no balance to send"


def test_out_of_gas_before_the_first_frame_takes_delegations_back_and_leaves_the_reservoir():
    authorizations = [sign_authorization(KEY, 1, CONTRACT, 0)]
    state = world()
    receipt = transact(make(type=4, gas_limit=100_000, authorization_list=authorizations), state, amsterdam())
    assert (receipt.outcome, receipt.gas_used, receipt.state_gas_used) == ("OUT_OF_GAS", 100_000, 0)
    assert (state.get_code(AUTHORITY), state.get_nonce(AUTHORITY), state.get_nonce(ALICE)) == (b"", 0, 1)
    # An account that the call would have to bring to life: the same.
    receipt = transact(make(to=ABSENT, value=1, nonce=1, gas_limit=100_000), state, amsterdam())
    assert (receipt.outcome, receipt.gas_used, state.get_balance(ABSENT)) == ("OUT_OF_GAS", 100_000, 0)


def test_deployed_code_costs_words_and_state():
    state = world()
    receipt = transact(make(to=None, data="0x" + deploying(65_536), gas_limit=2**27), state, amsterdam())
    assert receipt.is_success
    assert len(state.get_code(receipt.contract_address)) == 65_536
    assert receipt.state_gas_used == NEW_ACCOUNT + 1_530 * 65_536
    receipt = transact(make(to=None, nonce=1, data="0x" + deploying(65_537), gas_limit=2**27), state, amsterdam())
    assert (receipt.outcome, receipt.state_gas_used) == ("CODE_SIZE_EXCEEDED", 0)
    assert receipt.gas_used == 2**24, "a halt takes the execution gas, and not the reservoir"


# ---------------------------------------------------------------- logs and self-destruct


def test_value_that_moves_is_logged():
    receipt = transact(make(value=5), world(), amsterdam())
    assert receipt.logs == (transfer_log(ALICE, BOB, 5),)
    for quiet in (make(), make(to=ALICE, value=5)):
        assert transact(quiet, world(), amsterdam()).logs == ()
    assert transact(make(value=5), world(), header(fork="BPO2", base_fee_per_gas=7)).logs == ()
    reverts = transact(make(to=CONTRACT, value=5), world("5f5ffd"), amsterdam())
    assert reverts.logs == ()
    # Before what the callee logs; a creation's, too.
    init = transact(make(to=None, data="0x5f5fa000", value=5), world(), amsterdam())
    assert init.logs == (transfer_log(ALICE, CREATED, 5), Log(CREATED, (), b""))


def test_a_contract_that_destroys_itself_keeps_what_it_is_sent_and_burns_nothing():
    """It is created with 3 wei, destroys itself in favour of itself, and is sent 2 more: all that is left is a balance."""
    init = "30ff"
    factory = f"61{init}5f52" + "6002601e6003f0" + "5f5f5f5f600285" + "5af15000"  # CREATE value 3, CALL value 2 to it
    state = world(factory, balance=5)
    receipt = transact(make(to=CONTRACT), state, amsterdam())
    child = keccak256(rlp.encode([CONTRACT, b"\1"]))[12:]
    assert receipt.is_success
    assert receipt.logs == (transfer_log(CONTRACT, child, 3), transfer_log(CONTRACT, child, 2))
    account = state.get_account(child)
    assert (account.balance, account.nonce, account.code, dict(account.storage)) == (5, 0, b"", {})


def test_a_destroyed_contract_leaves_neither_storage_nor_nonce_and_is_gone_without_balance():
    init = "6001600155" + "73" + BOB.hex() + "ff"
    state = world()
    receipt = transact(make(to=None, data="0x" + init, value=3), state, amsterdam())
    assert receipt.is_success
    assert CREATED not in dict(state.items())
    assert state.get_balance(BOB) == 4
    assert receipt.logs == (transfer_log(ALICE, CREATED, 3), transfer_log(CREATED, BOB, 3))


# ---------------------------------------------------------------- instructions


@pytest.mark.parametrize(
    ("code", "want"),
    [
        ("4b5f5260205ff3", 9),  # SLOTNUM
        ("6007" + "6001" * 16 + "e680" + "5f5260205ff3", 7),  # DUPN 17
        ("6007" + "6001" * 17 + "e780" + "5f5260205ff3", 7),  # SWAPN 17
        ("6007600860 09".replace(" ", "") + "e88e" + "505f5260205ff3", 7),  # EXCHANGE 1, 2
    ],
)
def test_new_instructions(code, want):
    assert call(world(code), amsterdam(), to=CONTRACT).word == want
    old = call(world(code), header(fork="BPO2"), to=CONTRACT)
    assert old.outcome == "UNDEFINED_INSTRUCTION"


@pytest.mark.parametrize("op", ["e6", "e7", "e8"])
def test_immediates_that_were_instructions_are_none(op):
    """And code in which a JUMPDEST stands behind one of the three can still jump there."""
    deep = "5f" * 240
    for immediate in range(256):
        outcome = call(world(deep + op + f"{immediate:02x}" + "00"), amsterdam(), to=CONTRACT).outcome
        first = 82 if op == "e8" else 91
        assert (outcome == "UNDEFINED_INSTRUCTION") == (first <= immediate <= 127), immediate
    assert call(world("600456" + op + "5b00"), amsterdam(), to=CONTRACT).is_success


def test_execution_and_state_gas_of_a_call():
    result = call(world("6001600355"), amsterdam(), to=CONTRACT, gas=200_000)
    assert (result.gas_used, result.state_gas_used, result.gas_left) == (12_106 + NEW_SLOT, NEW_SLOT, 200_000 - 12_106 - NEW_SLOT)  # fmt: skip
    assert call(world("6001600355"), amsterdam(), to=CONTRACT, gas=100_000).outcome == "OUT_OF_GAS"
    assert call(world("6001600355"), header(fork="BPO2"), to=CONTRACT).state_gas_used == 0


def test_traces_tell_calls_that_are_refused():
    """As go-ethereum tells them: a CALL and a CREATE that can't be paid for, and a SELFDESTRUCT."""
    lines = io.StringIO()
    code = "5f5f5f5f600173" + BOB.hex() + "5af1" + "5f5f6001f0" + "73" + BOB.hex() + "ff"
    tracer = Eip3155(lines, geth=True, inner_exits=True)
    assert transact(make(to=CONTRACT), world(code), amsterdam(), tracer=tracer).is_success
    ends = [line for line in map(json.loads, lines.getvalue().splitlines()) if "output" in line]
    refused = "insufficient balance for transfer"
    assert [line.get("error") for line in ends] == [refused, refused, None, None]


def test_traces_tell_both_gases():
    tracer = Recorder()
    transact(make(to=CONTRACT, gas_limit=2**24 + 10**6), world("600160035500"), amsterdam(), tracer=tracer)
    assert [(step.name, step.reservoir, step.state_gas) for step in tracer.steps][2:] == [
        ("SSTORE", 10**6, 0), ("STOP", 10**6 - NEW_SLOT, NEW_SLOT),
    ]  # fmt: skip
    rows = Trace(steps=True)
    transact(make(to=CONTRACT, gas_limit=2**24 + 10**6), world("600160035500"), amsterdam(), tracer=rows)
    assert rows.steps["reservoir"].tolist() == [step.reservoir for step in tracer.steps]
    assert rows.steps["state_gas"].tolist() == [step.state_gas for step in tracer.steps]
    transact(make(to=CONTRACT), world("600160035500"), header(fork="BPO2", base_fee_per_gas=7), tracer=rows)
    assert not rows.steps["reservoir"].any()
    assert not rows.steps["state_gas"].any()
    lines = io.StringIO()
    transact(make(to=CONTRACT, gas_limit=2**24 + 10**6), world("600160035500"), amsterdam(), tracer=Eip3155(lines))
    last = json.loads(lines.getvalue().splitlines()[3])
    assert (last["reservoir"], last["stateGas"]) == (hex(10**6 - NEW_SLOT), hex(NEW_SLOT))
    lines = io.StringIO()
    transact(make(to=CONTRACT), world("00"), header(fork="BPO2", base_fee_per_gas=7), tracer=Eip3155(lines))
    assert "reservoir" not in lines.getvalue()


# ---------------------------------------------------------------- estimates


@pytest.mark.parametrize("name", [name for name in GOLDEN if name not in ("INVALID", "a creation that reverts")])
def test_an_estimate_covers_both_gases(name):
    """It is the least limit with which the transaction does what it does."""
    tx, before, (_, _, state_gas) = GOLDEN[name]
    state = world(**before)
    before_root = state.root()
    least = estimate_gas(tx, state, amsterdam())
    assert state.root() == before_root
    assert least >= 12_000 + state_gas

    def succeeds(limit):
        with suppress(InvalidTransaction):
            return transact(with_gas(tx, limit), state.copy(), amsterdam()).is_success

    assert succeeds(least)
    assert not succeeds(least - 1)
    assert least <= estimate_gas(tx, state, amsterdam(), tolerance=500) <= least + 500


def test_an_estimate_goes_beyond_the_cap_on_execution_gas():
    """A contract of 60,000 bytes takes 91.8 million state gas."""
    tx = make(to=None, data="0x" + deploying(60_000), gas_limit=200_000_000)
    least = estimate_gas(tx, world(), amsterdam())
    assert least > 60_000 * 1_530 > 2**24
    assert transact(with_gas(tx, least), world(), amsterdam()).is_success
    assert not transact(with_gas(tx, least - 1), world(), amsterdam()).is_success


def test_an_estimate_of_what_fails_says_how():
    with pytest.raises(ExecutionFailed) as caught:
        estimate_gas(make(to=CONTRACT), world("5f5ffd"), amsterdam())
    assert caught.value.receipt.outcome == "REVERT"
    with pytest.raises(ExecutionFailed):  # the block's limit is the most
        estimate_gas(make(to=CONTRACT), world("6001600355"), amsterdam(gas_limit=120_000))
    with pytest.raises(InvalidTransaction):
        estimate_gas(make(to=CONTRACT, nonce=7), world(), amsterdam(), checks={})


# ---------------------------------------------------------------- blocks

SYSTEM_CONTRACTS = [SYSTEM_ADDRESSES[f"{name}_contract"] for name in ("withdrawal", "consolidation", "builder_deposit", "builder_exit")]  # fmt: skip


def whole_world(**before) -> State:
    state = world(**before)
    for address in SYSTEM_CONTRACTS:
        state.set_code(address, b"\0")
    return state


def test_a_block_counts_the_larger_of_the_two_gases():
    """As in the executable's block of one transfer to an absent account: its state gas wins; its receipt has both."""
    result = execute_block(Block(amsterdam(), [make(to=ABSENT, value=1)]), whole_world())
    assert (result.gas_used, result.execution_gas_used, result.state_gas_used) == (0x2CD30, 21_000, 183_600)
    assert result.receipts[0].gas_used == result.cumulative_gas_used == 0x31F38


def test_refunds_come_off_receipts_and_not_off_the_block():
    result = execute_block(Block(amsterdam(), [make(to=CONTRACT)]), whole_world(code="5f600355", storage={3: 1}))
    assert (result.gas_used, result.receipts[0].gas_used) == (27_105, 21_684)


def test_a_transaction_needs_room_for_both_gases():
    """Its limit against what is left of state gas, and as much of it as may be execution gas against that."""
    big = make(to=CONTRACT, gas_limit=2**24 + 300_000)
    state = whole_world(code="6001600355")
    for limit, fits in ((2**24 + 300_000, True), (2**24 + 299_999, False)):
        block = Block(amsterdam(gas_limit=limit), [big])
        if fits:
            assert execute_block(block, state.copy()).state_gas_used == NEW_SLOT
        else:
            with pytest.raises(InvalidTransaction) as refused:
                execute_block(block, state.copy())
            assert refused.value.status == "GAS_ALLOWANCE_EXCEEDED"
    # Behind another, which has used the one or the other.
    for before, used in ((state, NEW_SLOT), (whole_world(code="5f600355", storage={3: 1}), 27_105)):
        for limit, fits in ((used + 2**24, True), (used + 2**24 - 1, False)):
            block = Block(amsterdam(gas_limit=limit), [make(to=CONTRACT), make(nonce=1, gas_limit=2**24)])
            outcome = assert_parallel_is_sequential(block, before, workers=(2,))
            assert isinstance(outcome, tuple) != fits


@pytest.mark.parametrize("address", SYSTEM_CONTRACTS, ids=["7002", "7251", "8282 deposit", "8282 exit"])
def test_a_block_needs_all_four_contracts_that_it_asks_for_requests(address):
    from evmcore import InvalidBlock

    state = whole_world()
    state.set_code(address, b"")
    with pytest.raises(InvalidBlock) as refused:
        execute_block(Block(amsterdam(), []), state)
    assert refused.value.status == "BLOCK_SYSTEM_CONTRACT_EMPTY"


def test_builders_requests_have_types_3_and_4():
    state = whole_world()
    for number, address in enumerate(SYSTEM_CONTRACTS, 1):
        state.set_code(address, bytes.fromhex(f"60{0x10 + number:02x}5f5360015ff3"))
    result = execute_block(Block(amsterdam(), [], withdrawals=(Withdrawal(0, 0, BOB, 1),)), state)
    assert result.requests == (b"\1\x11", b"\2\x12", b"\3\x13", b"\4\x14")


def test_a_system_call_may_make_sixteen_slots_out_of_its_reservoir_alone():
    many = "".join(f"600160{i:02x}55" for i in range(1, 17))
    state = whole_world()
    state.set_code(SYSTEM_CONTRACTS[0], bytes.fromhex(many + "5a5f5260205ff3"))
    result = execute_block(Block(amsterdam(), []), state)
    left = int.from_bytes(result.requests[0][1:], "big")
    assert left == 30_000_000 - 16 * 12_106 - 2
    assert result.gas_used == 0


def test_blocks_of_two_gases_are_the_same_in_parallel_in_pieces_and_as_they_are_built():
    codes = {"code": "5f545f5260015f5160010155" + "60015f54600101555f54600101" + "5f55", "storage": {3: 1}}
    transactions = [make(nonce=i, to=(CONTRACT, ABSENT, None, BOB)[i % 4], value=i % 3, data="0x60015ff3" if i % 4 == 2 else b"") for i in range(24)]  # fmt: skip
    state = whole_world(**codes)
    block = Block(amsterdam(), transactions)
    want = assert_parallel_is_sequential(block, state)
    assert want.state_gas_used > 0
    assert want.cumulative_gas_used == want.receipts[-1].cumulative_gas_used != want.gas_used
    after = state.copy()
    results = [execute_block(block, after, piece=Piece(0, 10, begins=True))]
    results.append(execute_block(block, after, piece=Piece.after(results[0], 24, ends=True)))
    assert join_pieces(block, results) == want
    built, result, skipped = build_block(amsterdam(), transactions, state.copy())
    assert (result, skipped) == (want, ())
    assert built.header.gas_used == max(want.execution_gas_used, want.state_gas_used)


def test_a_reader_of_forks_finds_the_numbers():
    rules, before = fork_rules("Amsterdam"), fork_rules("BPO2")
    assert (rules["transaction_gas"], before["transaction_gas"]) == (12_000, 21_000)
    assert (rules["has_state_gas"], before["has_state_gas"]) == (True, False)
    assert (rules["blob_target"], rules["blob_max"]) == (before["blob_target"], before["blob_max"])
    assert COINBASE  # of `amsterdam`: paid the tip alone
