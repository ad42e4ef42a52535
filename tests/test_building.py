"""Pieces of a block and blocks that are built: what comes out is what the whole block gives."""

from __future__ import annotations

import itertools
import pickle
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from chain_builder import KEY, SENDER, SYSTEM_CONTRACTS, new_block, new_chain
from hard_blocks import hard_block
from helpers import ALICE, BOB, CONTRACT, ETHER, SHARED, raised_before_instruction

from evmcore import (
    Block,
    BlockResult,
    InvalidBlock,
    InvalidTransaction,
    Piece,
    State,
    Transaction,
    Withdrawal,
    assemble,
    build_block,
    execute_block,
    join_pieces,
)
from evmcore._core import probe_checkpoints
from evmcore.errors import UnusableInput

MAINNET = sorted((SHARED / "mainnet-blocks").glob("*.json.gz"))


def in_pieces(block, state, cuts, accesses=None, **options):
    """The results of a block's pieces, cut before these transactions, one after the other on one state."""
    ends = [*cuts, len(block.transactions)]
    piece = Piece(0, ends[0], begins=True, ends=len(ends) == 1)
    results = []
    for number, end in enumerate(ends):
        if number:
            piece = Piece.after(results[-1], end, ends=number == len(ends) - 1)
        known = {}
        if accesses is not None:
            known = {"accesses": accesses.piece(piece.first, piece.last), "strategy": "recorded"}
        results.append(execute_block(block, state, piece=piece, **options, **known))
    return results


def valid_blocks(count):
    """Hard blocks that may be in a chain, with what the sequential execution gives and the state after it."""
    found = 0
    for seed in itertools.count():
        block = hard_block(seed, size=14, flaw=None)
        state = block.pre_state.copy()
        try:
            result = execute_block(block, state, workers=1, strategy="sequential")
        except InvalidTransaction:
            continue
        yield seed, block, result, state
        found += 1
        if found == count:
            return


@pytest.mark.parametrize("strategy", ["sequential", "optimistic", "groups", "auto"])
def test_pieces_join_to_the_whole_block(strategy):
    for seed, block, expected, whole in valid_blocks(40):
        chance = random.Random(seed)
        cuts = sorted(chance.choices(range(len(block.transactions) + 1), k=chance.randrange(4)))
        state = block.pre_state.copy()
        results = in_pieces(block, state, cuts, workers=2, strategy=strategy, changes=True)
        joined = join_pieces(block, results)
        assert joined.differences(expected) == [], seed
        assert joined.receipts == expected.receipts
        assert joined.deposits == expected.deposits
        assert state == whole
        other = block.pre_state.copy()
        other.apply(joined.changes)
        assert other == whole
        assert joined.statistics.transactions == len(block.transactions)
        assert joined.statistics.gas_used == expected.gas_used
        assert sum(result.statistics.gas_used for result in results) == expected.gas_used


def test_pieces_of_an_access_list_go_with_pieces_of_the_block():
    for _, block, _, _ in valid_blocks(25):
        expected = execute_block(block, block.pre_state.copy(), workers=2, record=True, state_roots=False)
        results = in_pieces(block, block.pre_state.copy(), (5, 5, 9), expected.accesses, workers=2, state_roots=False)
        assert [result.statistics.mismatch for result in results] == [None] * 4
        assert join_pieces(block, results).differences(expected) == []


@pytest.mark.skipif(not MAINNET, reason="the mainnet blocks are not there")
def test_real_blocks_are_executed_in_pieces():
    for path in MAINNET[::8]:
        block = Block.load(path)
        count = len(block.transactions)
        expected = execute_block(block, block.pre_state.copy(), workers=1, state_roots=False)
        results = in_pieces(block, block.pre_state.copy(), (count // 3, count // 2), workers=2, state_roots=False)
        assert join_pieces(block, results).differences(expected) == []


def small_block():
    return hard_block(3, size=6, fork="Prague", flaw=None)


def test_a_result_of_a_piece_says_so():
    block = small_block()
    results = in_pieces(block, block.pre_state.copy(), (2,), workers=1)
    first = results[0]
    assert first.piece == Piece(0, 2, begins=True)
    assert first.gas_used == first.receipts[-1].cumulative_gas_used == results[1].piece.gas_used
    assert results[1].receipts[0].cumulative_gas_used == first.gas_used + results[1].receipts[0].gas_used
    assert first.receipts_root is first.transactions_root is first.requests is first.withdrawals_root is None
    copied = pickle.loads(pickle.dumps(first))
    assert (copied.piece, copied.deposits, copied.gas_used) == (first.piece, first.deposits, first.gas_used)
    assert join_pieces(block, pickle.loads(pickle.dumps(results))).differences(join_pieces(block, results)) == []
    assert execute_block(block, block.pre_state.copy(), workers=1).piece is None


def test_a_rejected_transaction_of_a_piece_has_its_index_in_the_block():
    block = small_block()
    transactions = list(block.transactions)
    transactions[4] = Transaction(to=BOB, gas_limit=21000, gas_price=10**12, nonce=99, sender=transactions[4].sender)
    block = Block(block.header, transactions, block.ommers, block.withdrawals)
    state = small_block().pre_state
    first = execute_block(block, state, piece=Piece(0, 3, begins=True), workers=1)
    before = state.copy()
    with pytest.raises(InvalidTransaction) as caught:
        execute_block(block, state, piece=Piece.after(first, 6, ends=True), workers=2)
    assert caught.value.index == 4
    assert state == before


def test_pieces_that_are_none_are_refused():
    block = small_block()
    count = len(block.transactions)
    state = block.pre_state.copy()
    for piece, error, words in (
        ((0, 2), TypeError, "expected Piece, got tuple"),
        (Piece(0, count + 1), ValueError, f"transactions 0 to {count + 1} of a block of {count}"),
        (Piece(1, 2, gas_used=2**63), ValueError, "more than the block's gas limit"),
    ):
        with pytest.raises(error, match=words):
            execute_block(block, state, piece=piece)
    assert state == block.pre_state
    for values, words in (
        ((2, 1), "its first transaction, 2, comes after its end, 1"),
        ((-1, 1), "piece.first: -1 is negative"),
        (("0", 1), "piece.first: '0' is not a number"),
    ):
        with pytest.raises((ValueError, UnusableInput), match=words):
            Piece(*values)
    with pytest.raises(UnusableInput, match="piece.deposits"):
        Piece(0, 1, deposits="0x")
    with pytest.raises(ValueError, match="of a whole block"):
        Piece.after(execute_block(block, state, workers=1), 3)


def test_pieces_that_do_not_make_the_block_are_not_joined():
    block = small_block()
    results = in_pieces(block, block.pre_state.copy(), (2, 4), workers=1)
    whole = execute_block(block, block.pre_state.copy(), workers=1)
    for given, words in (
        ([], "there are none"),
        ([whole], "of a whole block"),
        (results[1:], r"results\[0\]: of Piece\(first=2"),
        (results[:2], r"results\[1\]: of Piece\(first=2.* expected Piece\(first=2"),
        ([results[0], results[2]], r"results\[1\]: of Piece\(first=4"),
        ([results[0], results[1], results[1]], r"results\[2\]"),
    ):
        with pytest.raises(ValueError, match=words):
            join_pieces(block, given)
    with pytest.raises(TypeError, match="expected BlockResult, got NoneType"):
        join_pieces(block, [None])
    assert isinstance(join_pieces(block, results), BlockResult)


# ---------------------------------------------------------------- building


def candidates(chain, count, **changes):
    nonce = chain.state_of(chain.head).get_nonce(SENDER)
    return [
        Transaction(
            **{"nonce": nonce + n, "to": BOB, "value": 1, "gas_limit": 50_000, "gas_price": 10**10, **changes}
        ).sign(KEY)
        for n in range(count)
    ]


def template_of(chain):
    """The header of an empty block on the chain's head."""
    header = new_block(chain).header
    return replace(header, fork=chain.schedule.fork_at(header.number, header.timestamp, chain.head.total_difficulty))


@pytest.mark.parametrize("fork", ["Frontier", "Byzantium", "London", "Shanghai", "Cancun", "Prague", "Osaka"])
def test_a_block_that_is_built_can_be_imported(fork):
    chain = new_chain(fork, {CONTRACT: {"code": assemble("PUSH 0 SLOAD PUSH 1 ADD PUSH 0 SSTORE PUSH 0 PUSH 0 LOG0")}})
    for count in (0, 5, 600):
        template = template_of(chain)
        offered = candidates(chain, count, to=CONTRACT)
        withdrawals = [Withdrawal(0, 0, ALICE, 7)] if template.withdrawals_root is not None else None
        state = chain.state_of(chain.head).copy()
        block, result, skipped = build_block(template, offered, state, withdrawals=withdrawals, workers=2)
        assert skipped == ()
        assert block.transactions == tuple(offered)
        head = chain.add(block.encode())
        assert chain.state_of(head) == state
        assert result.state_root == state.root() == block.header.state_root


def test_candidates_that_may_not_be_in_the_block_are_skipped_with_the_reason():
    chain = new_chain("Prague")
    good = candidates(chain, 300)
    offered = list(good)
    poor = (2).to_bytes(32, "big")
    bad = {
        0: Transaction(nonce=7, to=BOB, gas_limit=21000, gas_price=10**10).sign(KEY),
        3: Transaction(nonce=0, to=BOB, value=ETHER, gas_limit=21000, gas_price=10**10).sign(poor),
        150: Transaction(nonce=0, to=BOB, gas_limit=20000, gas_price=10**10).sign(poor),
        151: Transaction(nonce=0, to=BOB, gas_limit=21000, gas_price=1).sign(poor),
        304: Transaction(nonce=0, to=BOB, gas_limit=2**40, gas_price=10**10).sign(KEY),
    }
    for index, transaction in sorted(bad.items()):
        offered.insert(index, transaction)
    state = chain.state_of(chain.head).copy()
    block, _, skipped = build_block(template_of(chain), offered, state, workers=2)
    assert block.transactions == tuple(good)
    assert {one.index: one.transaction for one in skipped} == bad
    assert [one.error.status for one in skipped] == [
        "NONCE_TOO_HIGH", "INSUFFICIENT_FUNDS", "INTRINSIC_GAS_TOO_LOW", "MAX_FEE_BELOW_BASE_FEE", "GAS_ALLOWANCE_EXCEEDED",
    ]  # fmt: skip
    chain.add(block.encode())


def test_building_ends_where_the_gas_does_and_at_its_deadline():
    chain = new_chain("Prague")
    template = template_of(chain)
    nonce = itertools.count(chain.state_of(chain.head).get_nonce(SENDER))
    endless = (Transaction(nonce=n, to=BOB, gas_limit=21000, gas_price=10**10, sender=SENDER, value=1) for n in nonce)
    state = chain.state_of(chain.head).copy()
    block, result, _ = build_block(template, endless, state, workers=2)
    assert result.gas_used == template.gas_limit // 21000 * 21000
    assert len(block.transactions) == template.gas_limit // 21000
    block, result, skipped = build_block(template, endless, state.copy(), deadline=time.monotonic())
    assert (block.transactions, result.gas_used, skipped) == ((), 0, ())


def test_a_block_that_cannot_be_built_leaves_the_state():
    chain = new_chain("Prague")
    template = template_of(chain)
    state = chain.state_of(chain.head).copy()

    def breaks():
        yield from candidates(chain, 300)
        raise KeyError("no more")

    for given, words in (
        ((None, state), "header: expected Header, got NoneType"),
        ((template, None), "state: expected State"),
    ):
        with pytest.raises(TypeError, match=words):
            build_block(given[0], [], given[1])
    for offered, error in ((breaks(), KeyError), ([None], (TypeError, UnusableInput)), (5, TypeError)):
        with pytest.raises(error):
            build_block(template, offered, state)
        assert state == chain.state_of(chain.head)
    for address in SYSTEM_CONTRACTS:
        state.delete_account(bytes.fromhex(address))
    before = state.copy()
    with pytest.raises(InvalidBlock):
        build_block(template, candidates(chain, 3), state)
    assert state == before


def test_a_signal_at_any_instruction_leaves_no_snapshot_open():
    # In a thread of its own: CPython may keep for its thread what is handled where a trace function raises.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(raise_before_each_instruction).result()


def raise_before_each_instruction():
    chain = new_chain("Prague")
    template, offered = template_of(chain), candidates(chain, 3)
    offered.insert(1, offered[0])
    before = chain.state_of(chain.head)
    state = before.copy()
    for n in itertools.count(1):
        was_raised = raised_before_instruction(
            n, "building.py", lambda: build_block(template, offered, state, workers=1)
        )
        assert probe_checkpoints(state) == 0, n
        if not was_raised:
            break
        if state != before:  # it had been built when the signal came
            state = before.copy()
    assert n > 300


WITHOUT_MEMORY = """
import _testcapi, sys
from evmcore import Header, State, Transaction, build_block
A, B = bytes([1]) * 20, bytes([2]) * 20
state = State({A: {"balance": 10**20}})
root = state.root()
header = Header(number=1, fork="Shanghai", gas_limit=10**7, base_fee_per_gas=7)
offered = [Transaction(nonce=n, to=B, value=1, gas_limit=21000, gas_price=10, sender=A) for n in (0, 0, *range(1, 30))]
done = 0
for n in (*range(1, 300), *range(300, 100_000, 7)):
    other = state.copy()
    _testcapi.set_nomemory(n)
    try:
        build_block(header, offered, other, workers=1)
        done = n
    except MemoryError:
        pass
    finally:
        _testcapi.remove_mem_hooks()
    if done:
        break
    assert other.root() == root, n
assert done > 200
"""


def test_without_memory_for_python_s_objects_no_block_is_built_and_nothing_hangs():
    pytest.importorskip("_testcapi", reason="this Python lacks the module that lets its allocations fail")
    done = subprocess.run([sys.executable, "-c", WITHOUT_MEMORY], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


DEPOSIT_CONTRACT = bytes.fromhex("00000000219ab540356cbb839cbe05303d7705fa")
DEPOSIT_TOPIC = 0x649BBC62D0E31342AFEA4E5CD82D4049E7E1EE912FC0889AA790803BE39038C5


def test_a_log_that_is_no_deposit_keeps_its_transaction_out():
    # Logs as many bytes as the input says, under a deposit's topic.
    code = assemble(f"PUSH 0x{DEPOSIT_TOPIC:064x} PUSH 0 CALLDATALOAD PUSH 0 LOG1")
    chain = new_chain("Prague", {DEPOSIT_CONTRACT: {"code": code}})
    offered = candidates(chain, 9)
    offered[4] = Transaction(
        nonce=4, to=DEPOSIT_CONTRACT, data=(5).to_bytes(32, "big"), gas_limit=100_000, gas_price=10**10
    ).sign(KEY)
    offered[5] = Transaction(nonce=4, to=BOB, gas_limit=21000, gas_price=10**10).sign(KEY)
    later = [Transaction(nonce=n, to=BOB, gas_limit=21000, gas_price=10**10).sign(KEY) for n in (5, 6, 7)]
    offered[6:] = later
    block, result, skipped = build_block(template_of(chain), offered, chain.state_of(chain.head).copy())
    assert [one.index for one in skipped] == [4]
    assert isinstance(skipped[0].error, InvalidBlock)
    assert len(block.transactions) == 8
    assert result.requests == ()
    chain.add(block.encode())


def test_a_state_that_a_block_is_built_on_is_not_copied():
    state = State({SENDER: {"balance": ETHER}})
    snapshot = state.snapshot()
    chain = new_chain("London")
    block, _, _ = build_block(template_of(chain), candidates(chain, 2), state, workers=1)
    assert len(block.transactions) == 2
    state.revert(snapshot)  # an earlier snapshot is still there
    assert state == State({SENDER: {"balance": ETHER}})
