"""Real mainnet blocks, executed again: gas, logs and receipts are the header's, with any number of workers."""

from __future__ import annotations

import pytest
from helpers import SHARED, assert_parallel_is_sequential

from evmcore import Block, execute_block
from evmcore.verification import Verification

BLOCKS = sorted((SHARED / "mainnet-blocks").glob("*.json.gz"), key=lambda path: int(path.name.split(".")[0]))
pytestmark = pytest.mark.skipif(not BLOCKS, reason=f"no {SHARED / 'mainnet-blocks'}: set EVMCORE_SHARED")


@pytest.mark.parametrize("path", BLOCKS, ids=lambda path: path.name.split(".")[0])
def test_a_block_comes_out_as_the_chain_has_it(path):
    block = Block.load(path)
    assert block.pre_state is not None
    verification = Verification(block)
    result = execute_block(block, block.pre_state.copy(), workers=1)
    verification.transactions_root(result.transactions_root)
    verification.senders([tx.sender for tx in block.transactions])
    verification.result(result)
    assert verification.faults == []
    assert verification.checks["gas_used"] is True
    assert verification.checks["senders"] in ((True,) if block.transactions else (True, None))
    assert verification.checks["receipts_root"] is (True if block.number >= 4_370_000 else None)
    assert_parallel_is_sequential(block, workers=(2, 4), strategies=["auto"])


def test_blocks_of_the_ranges_that_the_data_promises_are_there():
    assert len(BLOCKS) >= 51
