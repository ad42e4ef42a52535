"""The example block: the same each time, verified whole, and right by the executable specification too."""

import gzip

import orjson
import pytest

from evmcore import Block, execute_block
from evmcore.example.generate import EXAMPLE_FILE, block_json, make_block


@pytest.fixture(scope="module")
def block():
    return Block.load(EXAMPLE_FILE)


def test_the_committed_file_is_what_the_script_makes():
    assert orjson.loads(gzip.decompress(EXAMPLE_FILE.read_bytes())) == orjson.loads(
        orjson.dumps(block_json(make_block()))
    )


def test_all_transaction_types_and_outcomes_are_there(block):
    receipts = execute_block(block, block.pre_state.copy(), workers=1).receipts
    assert {tx.type for tx in block.transactions} == {0, 1, 2, 3, 4}
    assert {receipt.outcome for receipt in receipts} == {"SUCCESS", "REVERT", "OUT_OF_GAS"}
    assert any(receipt.contract_address for receipt in receipts)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_it_gives_what_its_header_says(block, workers):
    result = execute_block(block, block.pre_state.copy(), workers=workers)
    header = block.header
    assert result.gas_used == header.gas_used
    assert result.blob_gas_used == header.blob_gas_used
    assert result.logs_bloom == header.logs_bloom
    assert result.transactions_root == header.transactions_root
    assert result.receipts_root == header.receipts_root
    assert result.withdrawals_root == header.withdrawals_root
    assert result.requests_hash == header.requests_hash
    assert result.state_root == header.state_root == block.expected.state_root


def test_the_specification_agrees(block):
    """ethereum-execution runs the same transactions on the same state to the same roots."""
    fork = pytest.importorskip("ethereum.forks.osaka.fork", reason="ethereum-execution needs Python 3.11")
    from ethereum.crypto.hash import Hash32
    from ethereum.forks.osaka import blocks, fork_types, state, transactions, trie, vm
    from ethereum_rlp import rlp
    from ethereum_types.bytes import Bytes, Bytes32
    from ethereum_types.numeric import U64, U256, Uint

    world = state.State()
    for address, account in block.pre_state.items():
        key = fork_types.Address(address)
        state.set_account(
            world, key, fork_types.Account(Uint(account.nonce), U256(account.balance), Bytes(account.code))
        )
        for slot, value in account.storage.items():
            state.set_storage(world, key, Bytes32(slot.to_bytes(32, "big")), U256(value))
    header = block.header
    environment = vm.BlockEnvironment(
        chain_id=U64(header.chain_id),
        state=world,
        block_gas_limit=Uint(header.gas_limit),
        block_hashes=[Hash32(header.parent_hash)],
        coinbase=fork_types.Address(header.coinbase),
        number=Uint(header.number),
        base_fee_per_gas=Uint(header.base_fee_per_gas),
        time=U256(header.timestamp),
        prev_randao=Bytes32(header.prev_randao),
        excess_blob_gas=U64(header.excess_blob_gas),
        parent_beacon_block_root=Hash32(header.parent_beacon_block_root),
    )
    output = fork.apply_body(
        environment,
        tuple(
            rlp.decode_to(transactions.LegacyTransaction, tx.raw) if tx.type == 0 else Bytes(tx.raw)
            for tx in block.transactions
        ),
        tuple(
            blocks.Withdrawal(
                U64(item.index), U64(item.validator_index), fork_types.Address(item.address), U256(item.amount_gwei)
            )
            for item in block.withdrawals
        ),
    )
    assert output.block_gas_used == header.gas_used
    assert trie.root(output.receipts_trie) == header.receipts_root
    assert state.state_root(world) == header.state_root
