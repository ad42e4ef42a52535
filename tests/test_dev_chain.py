"""DevChain: blocks that are made at once, what is asked of them, and how they are taken back."""

from __future__ import annotations

import pytest
from chain_builder import KEY, SENDER
from helpers import ALICE, BOB, CONTRACT, ETHER

from evmcore import (
    Account,
    InvalidBlock,
    InvalidTransaction,
    Transaction,
    Withdrawal,
    assemble,
    execute_block,
    verify_proof,
)
from evmcore.dev import BlockNotFound, DevChain, ExecutionFailed, StateNotKept, TransactionNotFound
from evmcore.errors import UnusableInput

# Stores its input's length and logs it under two topics; fails without input.
PROGRAM = assemble("CALLDATASIZE PUSH 1 SSTORE PUSH 7 PUSH 5 PUSH 0 PUSH 32 LOG2")
FORKS = ["Frontier", "Byzantium", "London", "Paris", "Shanghai", "Cancun", "Prague", "Osaka", "Amsterdam"]


def new_chain(**options) -> DevChain:
    accounts = {
        SENDER: Account(balance=100 * ETHER),
        CONTRACT: Account(nonce=1, code=PROGRAM, storage={0: 9}),
        ALICE: Account(nonce=1, code=assemble("PUSH 0 PUSH 0 REVERT")),
    }
    return DevChain(accounts, **options)


def pay(chain: DevChain, to: bytes = BOB, **changes) -> Transaction:
    fields = {
        "nonce": chain.pending.state.get_nonce(SENDER),
        "to": to,
        "value": 1,
        "gas_price": 10**10,
        "gas_limit": 400_000,
    }
    return Transaction(**{**fields, **changes}).sign(KEY)


def asked(**changes) -> Transaction:
    return Transaction(**{"to": CONTRACT, "gas_limit": 1_000_000, "gas_price": 0, "sender": SENDER, **changes})


@pytest.mark.parametrize("fork", FORKS)
def test_its_blocks_execute_to_what_they_say(fork):
    chain = new_chain(forks=fork)
    for _ in range(3):
        chain.send(pay(chain, CONTRACT))
    for number in range(1, 4):
        block, before = chain.block(number), chain.state_at(number - 1)
        result = execute_block(block.block, before)
        assert result.state_root == block.header.state_root
        assert result.receipts_root == block.header.receipts_root
        assert block.header.parent_hash == chain.block(number - 1).hash
    assert chain.state_at("latest").get_balance(BOB) == 0
    assert chain.state_at("latest").get_balance(CONTRACT) == 3


def test_forks_come_at_their_blocks():
    chain = new_chain(forks=[(0, "Berlin"), (2, "London"), (3, "Shanghai")])
    chain.mine(4)
    assert [chain.block(number).header.fork for number in range(5)] == ["Berlin"] * 2 + ["London"] + ["Shanghai"] * 2
    assert [chain.block(number).header.base_fee_per_gas for number in (1, 2)] == [None, 10**9]
    assert chain.block(3).block.withdrawals == ()
    with pytest.raises(UnusableInput):
        new_chain(forks=[(1, "London")])


def test_what_is_sent_is_pending_until_it_is_mined():
    chain = new_chain(automine=False)
    first = pay(chain)
    chain.send(first)
    second = pay(chain)
    chain.send(second)
    assert chain.transaction(first.hash)[0] is None
    assert chain.state_at("pending").get_balance(BOB) == 2
    assert chain.state_at().get_balance(BOB) == 0
    assert chain.block("pending").number == 1
    [block] = chain.mine(coinbase=ALICE)
    assert block.header.coinbase == ALICE
    assert chain.transaction(second.hash)[:2] == (block, 1)
    assert block.receipts[1].cumulative_gas_used == 42_000
    assert chain.block(block.hash) is chain.head is block


def test_a_refused_transaction_changes_nothing():
    chain = new_chain()
    with pytest.raises(InvalidTransaction):
        chain.send(pay(chain, nonce=5))
    assert chain.head.number == 0
    assert chain.pending.transactions == ()


def test_old_states_are_kept_and_are_forks():
    chain = new_chain()
    for _ in range(5):
        chain.send(pay(chain))
    assert [chain.state_at(number).get_balance(BOB) for number in range(6)] == list(range(6))
    chain.state_at(2).set_balance(BOB, 77)
    assert chain.state_at(2).get_balance(BOB) == 2


def test_snapshots_bring_back_blocks_and_what_was_pending():
    chain = new_chain(automine=False)
    chain.send(pay(chain))
    chain.mine()
    chain.send(pay(chain))
    mark, head = chain.snapshot(), chain.head
    lost = pay(chain)
    chain.send(lost)
    chain.mine(3)
    later = chain.snapshot()
    chain.revert(mark)
    assert chain.head is head
    assert (len(chain.pending.transactions), chain.state_at("pending").get_balance(BOB)) == (1, 2)
    with pytest.raises(TransactionNotFound):
        chain.transaction(lost.hash)
    for gone in (mark, later):
        with pytest.raises(ValueError, match="snapshot"):
            chain.revert(gone)


@pytest.mark.parametrize("which", [7, -1, b"\1" * 32, "newest", None, 1.0, True])
def test_a_block_that_is_not_there_is_named(which):
    with pytest.raises(BlockNotFound) as caught:
        new_chain().block(which)
    assert caught.value.block is which


def test_calls_and_estimates_keep_nothing_and_estimates_are_exact():
    chain = new_chain()
    estimate = chain.estimate_gas(asked(data=b"abc"))
    assert chain.call(asked(data=b"abc", gas_limit=estimate)).is_success
    assert not chain.call(asked(data=b"abc", gas_limit=estimate - 1)).is_success
    assert chain.estimate_gas(asked(to=BOB)) == 21_000
    assert chain.state_at().get_storage(CONTRACT, 1) == 0
    with pytest.raises(ExecutionFailed) as caught:
        chain.estimate_gas(asked(to=ALICE))
    assert caught.value.receipt.outcome == "REVERT"
    # No more than the sender can pay for.
    poor = DevChain({SENDER: Account(balance=23_000 * 10**9), CONTRACT: Account(code=PROGRAM, nonce=1)})
    with pytest.raises(ExecutionFailed):
        poor.estimate_gas(asked(gas_price=10**9))


def test_logs_are_found_by_address_and_topics():
    chain = new_chain()
    for to in (CONTRACT, BOB, CONTRACT):
        chain.send(pay(chain, to))
    five, seven = (number.to_bytes(32, "big") for number in (5, 7))
    assert [block.number for block, *_ in chain.logs(0, 9)] == [1, 3]
    for topics, count in [
        ((), 2),
        ((five,), 2),
        ((None, seven), 2),
        (([seven, five],), 2),
        ((seven,), 0),
        ((five, seven, five), 0),
    ]:
        assert len(chain.logs(0, 3, [CONTRACT], topics)) == count
    assert chain.logs(0, 3, [BOB]) == []
    assert [block.number for block, *_ in chain.logs(2, 3)] == [3]
    assert chain.logs(0, -2) == chain.logs(-5, -1) == []  # numbers, not places from the end


def test_proofs_hold_against_the_header_of_their_block():
    chain = new_chain()
    chain.send(pay(chain, CONTRACT, data=b"xy"))
    for which, value in ((0, 0), (1, 2)):
        proof = chain.prove(CONTRACT, [1], which)
        found = verify_proof(chain.block(which).header.state_root, CONTRACT, proof)
        assert [slot.value for slot in found.storage] == [value]


def test_withdrawals_and_other_fields_are_the_miners():
    chain = new_chain()
    [block] = chain.mine(withdrawals=[Withdrawal(0, 0, BOB, 5)], mix_hash=b"\x05" * 32)
    assert chain.state_at().get_balance(BOB) == 5 * 10**9
    assert block.header.mix_hash == b"\x05" * 32
    chain.set_pending(timestamp=block.header.timestamp + 1000)
    assert chain.mine()[0].header.timestamp == block.header.timestamp + 1000


@pytest.mark.parametrize(
    "fields", [{"number": 9}, {"fork": "Paris"}, {"parent_hash": bytes(32)}, {"base_fee_per_gas": None}]
)
def test_fields_that_no_next_block_has_leave_the_pending_block_as_it_was(fields):
    chain = new_chain(automine=False)
    chain.send(pay(chain))
    header = chain.pending.header
    for change in (chain.set_pending, chain.mine):
        with pytest.raises(UnusableInput):
            change(**fields)
        assert (chain.head.number, chain.pending.header, len(chain.pending.transactions)) == (0, header, 1)
    with pytest.raises(UnusableInput, match="number: is the chain's own"):
        new_chain(genesis={"number": 5})
    assert [block.number for block in chain.mine(2)] == [1, 2]


def test_a_block_that_can_not_be_ended_leaves_the_pending_block_as_it_was():
    chain = new_chain(automine=False)
    header = chain.pending.header
    with pytest.raises(UnusableInput):
        chain.mine(withdrawals=[None], coinbase=ALICE)
    assert (chain.head.number, chain.pending.header) == (0, header)


def test_a_block_at_london_has_the_gas_that_its_target_wants():
    chain = DevChain(forks=[(0, "Berlin"), (1, "London")], genesis={"gas_limit": 10_000_000})
    chain.mine(2)
    assert [chain.block(number).header.gas_limit for number in range(3)] == [10_000_000, 20_000_000, 20_000_000]


def test_a_block_before_its_parent_is_refused_and_says_both_times():
    chain = new_chain()
    parent = chain.head.header.timestamp
    for timestamp in (parent, parent - 5):
        with pytest.raises(UnusableInput, match=rf"timestamp: {timestamp} is not after .* {parent}"):
            chain.mine(timestamp=timestamp)
    assert chain.head.number == 0
    assert chain.mine(timestamp=parent + 1)[0].header.timestamp == parent + 1


@pytest.mark.parametrize("wrong", [None, b"", {}, 5])
def test_what_is_no_transaction_is_named(wrong):
    chain = new_chain()
    for ask in (chain.call, chain.estimate_gas, chain.send):
        with pytest.raises(TypeError, match="transaction: expected Transaction"):
            ask(wrong)


def test_the_state_after_the_head_can_be_changed_and_a_snapshot_has_it_as_it_was():
    chain = new_chain()
    chain.send(pay(chain))
    mark = chain.snapshot()
    chain.change_state(lambda state: state.set_balance(BOB, 9))
    chain.mine()
    assert (chain.state_at(1).get_balance(BOB), chain.state_at(2).get_balance(BOB)) == (9, 9)
    chain.revert(mark)
    assert (chain.head.number, chain.state_at("latest").get_balance(BOB)) == (1, 1)
    with pytest.raises(ValueError, match="no"):
        chain.change_state(lambda state: (_ for _ in ()).throw(ValueError("no")))
    assert chain.state_at("latest").get_balance(BOB) == 1


def test_old_blocks_are_kept_without_the_hashes_before_them_and_given_with_them():
    chain = new_chain()
    program = assemble("PUSH 2 NUMBER SUB BLOCKHASH PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")
    chain.change_state(lambda state: state.set_code(BOB, program))
    chain.mine(300)
    assert not chain._blocks[20].header.block_hashes
    for number in (2, 20, 43, 44, 45, 300):
        block = chain.block(number)
        assert block.header.block_hashes[number - 1] == block.header.parent_hash
        assert chain.call(asked(to=BOB), number).output == chain.block(number - 2).hash
    chain.rewind(20)
    assert chain.head.header.block_hashes[19] == chain.block(19).hash
    chain.mine()
    assert execute_block(chain.head.block, chain.state_at(20)).state_root == chain.head.header.state_root


def test_a_chain_of_a_genesis_has_its_blocks_and_forks_by_time():
    from evmcore.chain import Genesis

    value = {
        "config": {
            "chainId": 7, "terminalTotalDifficulty": 0, "shanghaiTime": 0, "cancunTime": 50,
            **dict.fromkeys(
                ("homesteadBlock", "eip150Block", "eip155Block", "eip158Block", "byzantiumBlock", "constantinopleBlock",
                 "petersburgBlock", "istanbulBlock", "berlinBlock", "londonBlock"), 0),
        },
        "difficulty": "0x0", "gasLimit": "0x1c9c380", "alloc": {"0x" + SENDER.hex(): {"balance": hex(ETHER)}},
    }  # fmt: skip
    genesis = Genesis.from_json(value)
    made = DevChain.from_genesis(genesis)
    made.mine(timestamp=40)
    made.set_pending(timestamp=60)
    assert made.pending.header.fork == "Cancun"
    made.send(pay(made, chain_id=7))
    encoded = [made.block(number).block.encode() for number in (1, 2)]
    again = DevChain.from_genesis(genesis, encoded)
    assert [again.block(number).header.fork for number in (1, 2)] == ["Shanghai", "Cancun"]
    assert again.head.hash == made.head.hash
    assert again.head.receipts == made.head.receipts
    assert again.transaction(again.head.block.transactions[0].hash)[1] == 0
    with pytest.raises(InvalidBlock):
        DevChain.from_genesis(genesis, [encoded[1]])


def test_a_transaction_is_traced_as_it_was_executed_mined_or_pending():
    """On the state before it, with what the ones before it in its block had done."""
    chain = new_chain(automine=False)
    calls = [pay(chain, CONTRACT, nonce=nonce, value=0, data=bytes(nonce)) for nonce in range(3)]
    for one in calls:
        chain.send(one)
    pending = [chain.trace(one.hash, "prestateTracer", {"diffMode": True}) for one in calls]
    [block] = chain.mine()
    assert [chain.trace(one.hash, "prestateTracer", {"diffMode": True}) for one in calls] == pending
    for index, (one, receipt) in enumerate(zip(calls, block.receipts)):
        tree = chain.trace(one.hash, "callTracer")
        assert int(tree["gasUsed"], 16) == receipt.gas_used
        assert ("error" in tree) == (not receipt.is_success)
        [flat] = chain.trace(one.hash, "flatCallTracer")
        assert flat["transactionPosition"] == index
        assert chain.trace(one.hash)["structLogs"][0]["op"] == "CALLDATASIZE"
    root = chain.head.state.root()
    wanted = asked(data=b"12345")
    found = chain.trace_call(wanted, tracer="prestateTracer", config={"diffMode": True})
    assert found["post"]["0x" + CONTRACT.hex()]["storage"] == {f"0x{1:064x}": f"0x{5:064x}"}
    assert chain.trace_call(wanted, 0, tracer="callTracer")["input"] == "0x3132333435"
    assert chain.head.state.root() == root
    with pytest.raises(TransactionNotFound):
        chain.trace(bytes(32))
    with pytest.raises(UnusableInput, match="tracer"):
        chain.trace(calls[0].hash, "nonsense")
    with pytest.raises(BlockNotFound):
        chain.trace_call(wanted, 99)


def test_of_a_long_chain_the_last_states_are_kept():
    chain = DevChain(forks="Osaka")
    chain.mine(20)
    chain.states_kept = 4
    chain.mine(20)
    kept = [number for number in range(41) if chain.block(number).kept_state is not None]
    assert kept == [0, 37, 38, 39, 40]
    with pytest.raises(StateNotKept, match="the state after block 36 is not kept"):
        chain.state_at(36)
    with pytest.raises(StateNotKept):
        chain.rewind(36)
    assert chain.head.number == 40
    chain.rewind(37)
    chain.mine(2)
    chain.states_kept = None
    chain.mine(10)
    assert chain.state_at(39).root() == chain.block(39).header.state_root
    for wrong in (-1, "3", 2.5):
        with pytest.raises((TypeError, ValueError), match="states_kept"):
            chain.states_kept = wrong
    assert chain.states_kept is None
