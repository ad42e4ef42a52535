"""Layers that hold the state: a block with its list is executed in pieces, and comes out as whole; whatever is wrong with the list is found."""

from __future__ import annotations

import os
import pickle
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from helpers import raised_before_instruction

from evmcore import (
    Block,
    BlockAccessList,
    Header,
    InvalidAccessList,
    State,
    Transaction,
    UnusableInput,
    Withdrawal,
    assemble,
    execute_block,
    keccak256,
    packing,
)
from evmcore._core import SYSTEM_ADDRESSES, probe_checkpoints
from evmcore.errors import EvmError
from evmcore.example import EXAMPLE_FILE
from evmcore.layers import Replicas, cut, execute_piece, merge_pieces
from evmcore.layers.replicas import PieceDiffers, share_of, state_before

COUNTER = bytes([0x70]) * 20
BEACON_ROOTS = bytes.fromhex("000F3df6D732807Ef1319fB7B8bB8522d0Beac02")
PEOPLE = [keccak256(bytes([number]))[12:] for number in range(12)]
COUNT = assemble("PUSH 0 SLOAD PUSH 1 ADD PUSH 0 SSTORE PUSH 9 SLOAD POP PUSH 5 PUSH 6 SSTORE STOP")


def with_list(block):
    """The block, with its list and a header that has what it comes to."""
    result = execute_block(block, block.pre_state.copy(), workers=1, access_list=True)
    block = block.with_header(
        gas_used=result.gas_used,
        receipts_root=result.receipts_root,
        logs_bloom=result.logs_bloom,
        transactions_root=result.transactions_root,
        state_root=result.state_root,
    )
    block.access_list = result.access_list
    return block


def made(number=1, fork="Cancun", gas_limit=10**7):
    """Payments and calls of a counter, which each depend on the one before, with what the block does outside of them."""
    accounts = {one: {"balance": 10**18} for one in PEOPLE}
    accounts[COUNTER] = {"code": COUNT, "nonce": 1, "storage": {0: 1, 6: 5}}
    accounts[BEACON_ROOTS] = {"code": assemble("PUSH 0 CALLDATALOAD TIMESTAMP SSTORE"), "nonce": 1}
    transactions = tuple(
        Transaction(
            sender=one, nonce=turn, to=COUNTER if turn else PEOPLE[0], value=1 - turn, gas_limit=70_000, gas_price=9
        )
        for turn in range(2)
        for one in PEOPLE
    )
    header = Header(
        number=number, fork=fork, timestamp=number, base_fee_per_gas=7, gas_limit=gas_limit,
        coinbase=bytes([0xC0]) * 20, parent_beacon_block_root=bytes([7]) * 32,
        withdrawals_root=bytes(32), blob_gas_used=0, excess_blob_gas=0,
    )  # fmt: skip
    return Block(header, transactions, withdrawals=(Withdrawal(0, 0, PEOPLE[3], 7),), pre_state=State(accounts))


@pytest.fixture(scope="module")
def block():
    return with_list(made())


def in_pieces(block, count, state=None):
    pieces = cut(block, count)
    outcomes = [execute_piece(block, block.pre_state, *piece) for piece in pieces]
    state = block.pre_state.copy() if state is None else state
    return merge_pieces(block, state, pickle.loads(pickle.dumps(outcomes))), state


@pytest.mark.parametrize("count", [1, 2, 3, 7, 24, 99])
@pytest.mark.parametrize("which", ["made", "example"])
def test_a_block_in_pieces_comes_out_as_whole(block, which, count):
    if which == "example":
        block = with_list(Block.load(EXAMPLE_FILE))
    before = block.pre_state.to_bytes()
    state = block.pre_state.copy()
    whole = execute_block(block, state, workers=1, strategy="sequential")
    joined, after = in_pieces(block, count)
    assert joined == whole
    assert joined.state_root == whole.state_root == after.root()
    assert joined.access_list == block.access_list
    assert after == state
    assert block.pre_state.to_bytes() == before


def test_receipts_of_pieces_travel_as_bytes_and_are_made_when_asked(block, monkeypatch):
    whole = execute_block(block, block.pre_state.copy(), workers=1)
    with monkeypatch.context() as patch:
        for name in ("encode_receipts", "pack_receipts", "unpack_receipts"):
            patch.setattr(packing, name, None)
        joined, state = in_pieces(block, 3)
        assert joined.receipts_root == whole.receipts_root
        assert joined.transaction_gas == whole.transaction_gas
        assert repr(joined) == repr(whole)
    assert pickle.loads(pickle.dumps(joined)) == joined == whole
    assert joined.encoded_receipts == whole.encoded_receipts
    state.set_balance(PEOPLE[0], 1)  # the root is that after the block, whatever comes then
    again, state = in_pieces(block, 3)
    state.set_balance(PEOPLE[0], 1)
    assert again.state_root == whole.state_root != state.root()
    a, b = (execute_piece(block, block.pre_state, *piece) for piece in cut(block, 2))
    assert type(a.receipts) is bytes
    few = b"\xc0"
    with pytest.raises(PieceDiffers, match="piece: 0 receipts, of transactions"):
        merge_pieces(block, block.pre_state.copy(), [a, replace(b, receipts=few)])
    with pytest.raises(PieceDiffers, match=r"receipts\[0\]"):
        merge_pieces(block, block.pre_state.copy(), [replace(a, receipts=a.receipts[:-400]), b])


def test_a_layer_is_sent_the_transactions_of_its_piece_alone(block):
    whole = len(pickle.dumps(block.transactions))
    for first, last in cut(block, 4):
        share = share_of(block, first, last)
        assert len(pickle.dumps(share.transactions)) < whole / 2
        share = replace(pickle.loads(pickle.dumps(share)), access_list=block.access_list)
        assert share.transactions[first:last] == block.transactions[first:last]
        assert execute_piece(share, block.pre_state, first, last).receipts == (
            execute_piece(block, block.pre_state, first, last).receipts
        )
    assert share_of(replace(block, transactions=()), 0, 0).transactions == ()


def test_pieces_are_consecutive_and_about_equal(block):
    for count in range(1, 30):
        pieces = cut(block, count)
        assert [first for first, _ in pieces] == [0, *[last for _, last in pieces[:-1]]]
        assert pieces[-1][1] == len(block.transactions)
        assert len(pieces) == min(count, 24)
        assert all(first < last for first, last in pieces)
    light, heavy = cut(block, 2)
    assert light[1] - light[0] > heavy[1] - heavy[0]  # the second half has the counting
    empty = replace(block, transactions=())
    assert cut(empty, 3) == [(0, 0)]
    with pytest.raises(UnusableInput, match="pieces: 0"):
        cut(block, 0)
    with pytest.raises(UnusableInput, match="no access list"):
        cut(replace(block, access_list=None), 2)


def test_the_state_before_a_transaction_is_told_by_the_list(block):
    for first in (0, 1, 13, 20, 24):
        state = state_before(block.pre_state, block.access_list, first)
        counted = max(0, first - 12)
        assert state.get_storage(COUNTER, 0) == 1 + counted
        assert state.get_nonce(PEOPLE[0]) == (first > 0) + (first > 12)
    assert state_before(block.pre_state, block.access_list, 5).get_storage(BEACON_ROOTS, 1) == 7 * int("01" * 32, 16)
    assert block.pre_state.get_storage(COUNTER, 0) == 1


def changed(block, change):
    """The block with its list changed as JSON."""
    entries = block.access_list.to_json()
    change({entry["address"]: entry for entry in entries}, entries)
    return replace(block, access_list=BlockAccessList.from_json(entries))


def slot_changes(entry, slot):
    [found] = [one for one in entry["storageChanges"] if one["slot"] == slot]
    return found["slotChanges"]


COUNTING = "0x" + COUNTER.hex()


def no_op_entry(by, _):
    by[COUNTING]["storageReads"].remove("0x6")
    by[COUNTING]["storageChanges"].append(
        {"slot": "0x6", "slotChanges": [{"blockAccessIndex": "0xd", "postValue": "0x5"}]}
    )


def missing_write(by, _):
    slot_changes(by[COUNTING], "0x0").pop(5)


def last_write_missing(by, _):
    slot_changes(by[COUNTING], "0x0").pop()


def wrong_write(by, _):
    slot_changes(by[COUNTING], "0x0")[7]["postValue"] = "0x1000"


def write_declared_as_read(by, _):
    by[COUNTING]["storageChanges"] = []
    by[COUNTING]["storageReads"] = sorted([*by[COUNTING]["storageReads"], "0x0"])


def read_left_out(by, _):
    by[COUNTING]["storageReads"].remove("0x9")


def read_too_many(by, _):
    by[COUNTING]["storageReads"].append("0xaa")


def system_call_left_out(by, entries):
    entries.remove(by["0x" + BEACON_ROOTS.hex()])


def account_too_many(by, entries):
    entries.append({**by["0x" + BEACON_ROOTS.hex()], "address": "0x" + "ff" * 20, "storageChanges": []})


def wrong_balance(by, _):
    by["0x" + PEOPLE[5].hex()]["balanceChanges"][0]["postBalance"] = "0x1"


def wrong_nonce(by, _):
    by["0x" + PEOPLE[5].hex()]["nonceChanges"][0]["postNonce"] = "0x7"


def a_code_that_nobody_made(by, _):
    by[COUNTING]["codeChanges"].append({"blockAccessIndex": "0x2", "newCode": "0x00"})


def withdrawal_left_out(by, _):
    by["0x" + PEOPLE[3].hex()]["balanceChanges"].pop()


HOLES = [
    no_op_entry, missing_write, last_write_missing, wrong_write, write_declared_as_read, read_left_out, read_too_many,
    system_call_left_out, account_too_many, wrong_balance, wrong_nonce, a_code_that_nobody_made, withdrawal_left_out,
]  # fmt: skip


@pytest.mark.parametrize("hole", HOLES, ids=lambda hole: hole.__name__)
def test_what_is_wrong_with_a_list_is_found(block, hole):
    wrong = changed(block, hole)
    assert wrong.access_list != block.access_list
    for count in (1, 2, 5):
        state = block.pre_state.copy()
        with pytest.raises(EvmError):
            in_pieces(wrong, count, state)
        assert state == block.pre_state


def test_a_list_that_is_not_the_headers_or_beyond_the_gas_is_refused():
    block = made(fork="Amsterdam")
    for address in SYSTEM_ADDRESSES.values():
        block.pre_state.set_account(address, {"code": b"\x00", "nonce": 1})
    block = block.with_header(block_access_list_hash=bytes(32))
    result = execute_block(block, block.pre_state.copy(), workers=1)
    listed = replace(block, access_list=result.access_list)
    with pytest.raises(InvalidAccessList, match="hash"):
        merge_pieces(listed, block.pre_state.copy(), [])
    good = listed.with_header(block_access_list_hash=result.access_list.hash)
    joined, _ = in_pieces(good, 3)
    assert joined == execute_block(good, good.pre_state.copy(), workers=1)
    many = result.access_list.to_json()
    many[0]["storageReads"] = sorted(
        {*many[0]["storageReads"], *(hex(slot) for slot in range(100, 6000))}, key=lambda one: int(one, 16)
    )
    large = BlockAccessList.from_json(many)
    beyond = replace(good.with_header(block_access_list_hash=large.hash), access_list=large)
    with pytest.raises(InvalidAccessList):
        merge_pieces(beyond, block.pre_state.copy(), [])


def test_a_transaction_that_fits_its_piece_and_not_the_block_is_found(block):
    """Each piece has the whole block's gas to itself."""
    tight = block.with_header(gas_limit=block.header.gas_used)
    with pytest.raises(PieceDiffers, match=r"transaction \d+: its gas limit is 70000"):
        in_pieces(tight, 4)
    with pytest.raises(EvmError):
        execute_block(replace(tight, access_list=None), tight.pre_state.copy())


def test_pieces_that_do_not_make_the_block_are_refused(block):
    a, b, c = (execute_piece(block, block.pre_state, *piece) for piece in cut(block, 3))
    for outcomes in ([a, b], [b, c], [a, c], [a, b, b, c], [], [a, a, b, c]):
        with pytest.raises(EvmError):
            merge_pieces(block, block.pre_state.copy(), outcomes)
    with pytest.raises(EvmError):  # of a state that the list doesn't lead to
        merge_pieces(block, block.pre_state.copy(), [a, replace(b, changes=c.changes), c])
    with pytest.raises(EvmError):
        merge_pieces(block, block.pre_state.copy(), [a, replace(b, access_list=c.access_list), c])


def test_a_signal_at_any_instruction_leaves_the_state_before_or_after_the_block(block):
    # In a thread of its own: CPython may keep for its thread what is handled where a trace function raises.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(raise_before_each_instruction, block).result()


def raise_before_each_instruction(block):
    outcomes = [execute_piece(block, block.pre_state, *piece) for piece in cut(block, 2)]
    after = block.pre_state.copy()
    merge_pieces(block, after, outcomes)
    for n in range(1, 5_000):
        state = block.pre_state.copy()
        was_raised = raised_before_instruction(
            n, "replicas.py", lambda state=state: merge_pieces(block, state, outcomes)
        )
        assert probe_checkpoints(state) == 0, n
        assert state in (block.pre_state, after), n
        if not was_raised:
            break
    assert 50 < n < 4_999


def chain(length):
    """Blocks that follow each other, with their lists, and the results."""
    first = made()
    state = first.pre_state.copy()
    blocks, results = [], []
    for number in range(1, length + 1):
        fields = {"number": number, "timestamp": number}
        transactions = tuple(
            Transaction(
                sender=one.sender,
                nonce=one.nonce + 2 * (number - 1),
                to=one.to,
                value=one.value,
                gas_limit=70_000,
                gas_price=9,
            )
            for one in first.transactions
        )
        block = replace(first.with_header(**fields), transactions=transactions, pre_state=None)
        result = execute_block(block, state, workers=1, access_list=True)
        blocks.append(replace(block, access_list=result.access_list))
        results.append(result)
    return first.pre_state, blocks, results, state


@pytest.mark.parametrize("make", [ThreadPoolExecutor, None], ids=["threads", "processes"])
def test_layers_follow_the_chain_and_execute_it_in_pieces(make):
    from evmcore.layers import processes

    state, blocks, results, after = chain(4)
    # Layers in one process share what they hold: one is enough to try it in threads.
    with Replicas(state.copy(), 1 if make else 2, make or processes) as replicas:
        for block, result in zip(blocks, results):
            assert replicas.execute(block) == result
        assert replicas.state == after
        replicas.begin(state.copy())
        assert replicas.execute(blocks[0]) == results[0]
        assert replicas.whole_blocks == 0


def test_a_layer_that_is_lost_or_was_left_behind_costs_no_block():
    from evmcore.layers import processes

    state, blocks, results, after = chain(5)
    with Replicas(state.copy(), 2, processes) as replicas:
        assert replicas.execute(blocks[0]) == results[0]
        for pid in replicas._replicas[1].executor._processes:
            os.kill(pid, signal.SIGKILL)
        assert replicas.execute(blocks[1]) == results[1]
        replicas._replicas[0].executor.submit(pickle.loads, b"bad").exception()
        replicas._height += 1  # as if they had missed one
        assert replicas.execute(blocks[2]) == results[2]
        assert replicas.execute(blocks[3]) == results[3]
        assert replicas.execute(blocks[4]) == results[4]
        assert replicas.state == after
        assert replicas.whole_blocks == 0


def test_a_wrong_list_and_none_at_all_are_executed_whole():
    state, blocks, results, after = chain(3)
    wrong = changed(blocks[0], missing_write)
    with Replicas(state.copy(), 1, ThreadPoolExecutor) as replicas:
        before = replicas.state.to_bytes()
        with pytest.raises(InvalidAccessList):
            replicas.execute(wrong)
        assert replicas.state.to_bytes() == before
        unpayable = replace(
            blocks[0], transactions=(Transaction(sender=bytes([9]) * 20, to=COUNTER, gas_limit=70_000, gas_price=9),)
        )
        with pytest.raises(EvmError):
            replicas.execute(unpayable)
        assert replicas.state.to_bytes() == before
        for block, result in zip(blocks, results):
            assert replicas.execute(replace(block, access_list=None)) == result
        assert replicas.whole_blocks == 5
        assert replicas.state == after
