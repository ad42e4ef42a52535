"""Around the execution: reading a block file, recovering its senders, the roots of receipts and state."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from evmcore import Block, State, execute_block, keccak256, ordered_trie_root, recover_senders
from evmcore.example.generate import EXAMPLE_FILE

from .conftest import SHARED

MAINNET = SHARED / "mainnet-blocks" / "17666333.json.gz"
PATH = MAINNET if MAINNET.exists() else EXAMPLE_FILE
ACCOUNTS = 20_000
pytestmark = pytest.mark.benchmark(timer=time.thread_time, group="around the execution")


@pytest.fixture(scope="module")
def block() -> Block:
    loaded = Block.load(PATH)
    recover_senders(loaded.transactions, fork=loaded.header.fork)
    return loaded


def test_load(measure, block):
    measure(
        lambda: Block.load(PATH),
        kind="around",
        what="read a block file",
        count=len(block.transactions),
        unit="transaction",
    )


def test_recover(measure, block):
    def run() -> None:
        recover_senders([tx.forget_sender() for tx in block.transactions], fork=block.header.fork, workers=1)

    measure(
        run,
        kind="around",
        what="decode and recover senders, one thread",
        count=len(block.transactions),
        unit="transaction",
    )


def test_transactions_root(measure, block):
    raws = [tx.raw for tx in block.transactions]
    measure(
        lambda: ordered_trie_root(raws), kind="around", what="transactions root", count=len(raws), unit="transaction"
    )


def test_execute_and_receipts_root(measure, block):
    def run() -> None:
        _ = execute_block(block, block.pre_state.copy(), workers=1, strategy="sequential").receipts_root

    measure(run, kind="around", what="execute, with receipts root", count=len(block.transactions), unit="transaction")


def big_state() -> State:
    return State({keccak256(number.to_bytes(4, "big"))[12:]: {"balance": number + 1} for number in range(ACCOUNTS)})


def test_state_root_from_nothing(measure):
    state = big_state()

    def run() -> None:
        other = state.copy()
        other.set_balance(bytes(20), 1)
        other.root()

    measure(run, kind="around", what="state copied, one account changed, root", count=ACCOUNTS, unit="account")


def test_state_root_again(measure):
    state, balances = big_state(), iter(range(1, 1 << 62))
    state.root()

    def run() -> None:
        state.set_balance(bytes(20), next(balances))
        state.root()

    measure(run, kind="around", what="root after one account changed", count=1, unit="account")


def test_block_file_whole(measure, block):
    """What `replay` does of one block, but for the reading."""

    def run() -> None:
        fresh = replace(block, transactions=tuple(tx.forget_sender() for tx in block.transactions))
        _ = execute_block(fresh, block.pre_state.copy(), workers=1, strategy="sequential").receipts_root

    measure(
        run, kind="around", what="recover, execute, receipts root", count=len(block.transactions), unit="transaction"
    )
