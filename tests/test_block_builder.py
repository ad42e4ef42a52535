"""A block that is made transaction by transaction is the block that is built at once."""

from __future__ import annotations

import pytest
from chain_builder import KEY, SENDER, new_block, new_chain
from helpers import ALICE, BOB, CONTRACT, ETHER, dump

from evmcore import (
    CHECKS,
    Account,
    BlockBuilder,
    EvmError,
    InvalidBlock,
    InvalidTransaction,
    State,
    Transaction,
    Withdrawal,
    assemble,
    build_block,
    execute_block,
)
from evmcore._core import SYSTEM_ADDRESSES
from evmcore.tracing import Tracer

FORKS = [
    "Frontier",
    "Homestead",
    "Byzantium",
    "Berlin",
    "London",
    "Paris",
    "Shanghai",
    "Cancun",
    "Prague",
    "Osaka",
    "Amsterdam",
]
LOGS = assemble("PUSH 5 PUSH 0 PUSH 32 LOG1 CALLDATASIZE PUSH 1 SSTORE")


def at(network: str):
    """A header of this fork, the state before it, and signed transactions."""
    chain = new_chain(network, {CONTRACT: Account(nonce=1, code=LOGS)})
    fork = chain.schedule.fork_at(1, 13, chain.head.total_difficulty)
    header = new_block(chain, fork=fork).header
    transactions = [
        Transaction(nonce=n, to=(BOB, CONTRACT)[n % 2], value=n, gas_price=10**10, gas_limit=90_000).sign(KEY)
        for n in range(5)
    ]
    return header, chain.state_of(chain.head), transactions


@pytest.mark.parametrize("fork", FORKS)
def test_one_by_one_is_the_same_block_as_at_once(fork):
    header, before, transactions = at(fork)
    withdrawals = [Withdrawal(0, 0, BOB, 5)] if header.withdrawals_root is not None else None
    state = before.copy()
    want = build_block(header, transactions, state, withdrawals=withdrawals)
    builder = BlockBuilder(header, before)
    receipts = [builder.add(transaction) for transaction in transactions]
    assert (builder.gas_used, builder.gas_left) == (want[1].gas_used, header.gas_limit - want[1].gas_used)
    block, result = builder.close(withdrawals=withdrawals)
    assert block == want[0]
    assert result == want[1]
    assert tuple(receipts) == result.receipts
    assert builder.state == state
    assert execute_block(block, before.copy()) == result


def test_a_transaction_that_may_not_be_in_it_changes_nothing():
    header, before, transactions = at("Osaka")
    builder = BlockBuilder(header, before)
    builder.add(transactions[0])
    state, gas = dump(builder.state), builder.gas_used
    with pytest.raises(InvalidTransaction) as caught:
        builder.add(transactions[2])
    assert caught.value.status == "NONCE_TOO_HIGH"
    with pytest.raises(InvalidTransaction) as caught:
        builder.add(Transaction(nonce=1, gas_limit=header.gas_limit, gas_price=10**10, sender=SENDER))
    assert (caught.value.status, caught.value.have, caught.value.want) == (
        "GAS_ALLOWANCE_EXCEEDED",
        header.gas_limit,
        builder.gas_left,
    )
    with pytest.raises(TypeError):
        builder.add(None)
    with pytest.raises(ValueError, match="checks"):
        builder.add(transactions[1], checks={"x": False})
    assert (dump(builder.state), builder.gas_used, len(builder.receipts)) == (state, gas, 1)
    builder.add(transactions[1])


def test_blob_gas_is_counted_over_the_block():
    header, before, _ = at("Cancun")
    builder = BlockBuilder(header, before)
    fields = {"to": BOB, "gas_limit": 21_000, "max_fee_per_gas": 10**10, "max_fee_per_blob_gas": 10}
    hashes = [b"\x01" + bytes(31)]
    builder.add(Transaction(nonce=0, blob_versioned_hashes=hashes * 4, **fields).sign(KEY))
    with pytest.raises(InvalidTransaction) as caught:
        builder.add(Transaction(nonce=1, blob_versioned_hashes=hashes * 3, **fields).sign(KEY))
    assert (caught.value.status, caught.value.want) == ("BLOB_GAS_ALLOWANCE_EXCEEDED", 2 * 131_072)
    builder.add(Transaction(nonce=1, blob_versioned_hashes=hashes * 2, **fields).sign(KEY))
    block, _ = builder.close()
    assert block.header.blob_gas_used == builder.blob_gas_used == 6 * 131_072


def test_a_copy_goes_its_own_way_and_the_state_before_stays():
    header, before, transactions = at("Osaka")
    untouched = dump(before)
    builder = BlockBuilder(header, before)
    builder.add(transactions[0])
    other = builder.copy()
    other.add(transactions[1])
    assert (len(builder.transactions), len(other.transactions)) == (1, 2)
    assert builder.state.get_nonce(SENDER) == 1
    other.close()
    builder.close()
    assert dump(before) == untouched


def test_what_is_closed_takes_nothing_more():
    header, before, transactions = at("Osaka")
    builder = BlockBuilder(header, before)
    builder.close()
    for late in (lambda: builder.add(transactions[0]), builder.close):
        with pytest.raises(EvmError, match="is closed"):
            late()


def test_a_block_that_cannot_end_is_as_before():
    header, before, transactions = at("Prague")
    before = before.copy()
    before.delete_account(SYSTEM_ADDRESSES["withdrawal_contract"])
    builder = BlockBuilder(header, before)
    builder.add(transactions[0])
    state = dump(builder.state)
    with pytest.raises(InvalidBlock):
        builder.close()
    assert dump(builder.state) == state
    builder.add(transactions[1])


def test_checks_that_are_left_out_reach_the_transaction():
    header, before, _ = at("Osaka")
    builder = BlockBuilder(header, before)
    stranger = Transaction(nonce=77, to=BOB, value=ETHER, gas_limit=header.gas_limit * 2, sender=ALICE, chain_id=9)
    builder.add(stranger, checks=dict.fromkeys(CHECKS, False))
    assert builder.state.get_balance(BOB) == ETHER


DEPOSIT_TOPIC = 0x649BBC62D0E31342AFEA4E5CD82D4049E7E1EE912FC0889AA790803BE39038C5


def deposit_contract(data: bytes) -> Account:
    """Logs what is after its code, as a deposit."""
    program = assemble(
        f"PUSH2 {len(data)} PUSH2 60 PUSH 0 CODECOPY PUSH32 {DEPOSIT_TOPIC} PUSH2 {len(data)} PUSH 0 LOG1 STOP"
    )
    return Account(nonce=1, code=program.ljust(60, b"\0") + data)


def deposit_event() -> bytes:
    sizes = {160: 48, 256: 32, 320: 8, 384: 96, 512: 8}
    event = bytearray(576)
    for place, (offset, size) in enumerate(sizes.items()):
        event[32 * place : 32 * place + 32] = offset.to_bytes(32, "big")
        event[offset : offset + 32] = size.to_bytes(32, "big")
        event[offset + 32 : offset + 32 + size] = bytes([place + 1]) * size
    return bytes(event)


@pytest.mark.parametrize("spoilt", [None, 0, 31, 191, 575])
def test_deposits_are_requests_and_spoilt_ones_are_refused(spoilt):
    event = bytearray(deposit_event())
    if spoilt is not None:
        event[spoilt] ^= 1
    header, before, _ = at("Prague")
    state: State = before.copy()
    state.set_account(SYSTEM_ADDRESSES["deposit_contract"], deposit_contract(bytes(event)))
    deposit = Transaction(to=SYSTEM_ADDRESSES["deposit_contract"], gas_price=10**10, gas_limit=90_000).sign(KEY)
    builder = BlockBuilder(header, state)
    block, result, skipped = build_block(header, [deposit], state.copy())
    if skipped:
        assert spoilt in (0, 31, 191)
        with pytest.raises(InvalidBlock) as caught:
            builder.add(deposit)
        assert caught.value.status == skipped[0].error.status
        assert builder.receipts == ()
    else:
        assert spoilt in (None, 575)
        builder.add(deposit)
    assert builder.close() == (block, result)


@pytest.mark.parametrize("fork", ["London", "Prague", "Amsterdam"])
def test_an_interrupt_after_the_execution_changes_nothing(fork, monkeypatch):
    header, before, transactions = at(fork)
    builder = BlockBuilder(header, before)
    builder.add(transactions[0])

    def seen():
        return builder.state.root(), builder.gas_used, builder.blob_gas_used, builder.transactions, builder.receipts

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    want = seen()
    for name, step in (("replace", lambda: builder.add(transactions[1])), ("filled_header", builder.close)):
        with monkeypatch.context() as patch:
            patch.setattr(f"evmcore.block_builder.{name}", interrupt)
            with pytest.raises(KeyboardInterrupt):
                step()
        assert seen() == want
    builder.add(transactions[1])
    block, result = builder.close()
    assert execute_block(block, before.copy()).state_root == result.state_root == block.header.state_root


@pytest.mark.parametrize("fork", ["London", "Amsterdam"])
def test_a_block_is_not_closed_while_a_transaction_is_added(fork):
    header, before, transactions = at(fork)
    builder = BlockBuilder(header, before)
    refused = []

    class Closes(Tracer):
        def on_enter(self, *_):
            try:
                builder.close()
            except EvmError as error:
                refused.append(str(error))

    builder.add(transactions[0], tracer=Closes())
    assert refused == ["the state is in use by transact, which has called this"]
    block, result = builder.close()
    assert block.transactions == tuple(transactions[:1])
    assert execute_block(block, before.copy()).state_root == result.state_root
