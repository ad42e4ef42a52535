"""Blocks made for tests: a genesis on any schedule, and valid blocks on any block of a chain, to be imported or spoilt."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers import ALICE, BOB, COINBASE, ETHER

from evmcore import Block, Header, InvalidBlock, InvalidTransaction, State, Transaction, keccak256, ordered_trie_root
from evmcore._core import withdrawals_root
from evmcore.chain import Chain, ChainBlock, Genesis, Schedule, network_schedule
from evmcore.chain.header_rules import base_fee, difficulty_after, excess_blob_gas
from evmcore.chain.schedule import blob_limits, rules_of
from evmcore.header import EMPTY_BLOCK_ACCESS_LIST_HASH, EMPTY_OMMERS_HASH, EMPTY_TRIE_ROOT
from evmcore.rlp import encode_list

# Never funded anywhere: the private key is the number one.
KEY = (1).to_bytes(32, "big")
SENDER = bytes.fromhex("7e5f4552091a69125d5dfcb7b8c2659029395bdf")
GAS_LIMIT = 30_000_000
# What the protocol calls in Prague and Amsterdam has to be there: code that returns nothing is enough.
SYSTEM_CONTRACTS = (
    "00000961ef480eb55e80d19ad83579a64c007002",
    "0000bbddc7ce488642fb579f8b00f3a590007251",
    "0000bff46984e3725691fa540a8c7589300d8282",
    "000064d678505ad48f8ccb093bc65613800e8282",
)


def new_genesis(schedule: Schedule | str, alloc: dict | None = None, **changes) -> Genesis:
    """A genesis with a rich sender. `schedule` may be a network as tests name it; `changes` are the header's."""
    if isinstance(schedule, str):
        schedule = network_schedule(schedule)
    accounts = {SENDER: {"balance": 1000 * ETHER}, ALICE: {"balance": ETHER}}
    accounts |= {bytes.fromhex(address): {"code": b"\x00", "nonce": 1} for address in SYSTEM_CONTRACTS}
    state = State({**accounts, **(alloc or {})})
    fork = schedule.genesis_fork(0, 0)
    rules = rules_of(fork)
    fields = {
        "state_root": state.root(),
        "difficulty": 0 if rules.is_proof_of_stake else 0x20000,
        "gas_limit": GAS_LIMIT,
        "base_fee_per_gas": 10 if rules.has_base_fee else None,
        "withdrawals_root": EMPTY_TRIE_ROOT if rules.has_withdrawals else None,
        "blob_gas_used": 0 if rules.has_blobs else None,
        "excess_blob_gas": 0 if rules.has_blobs else None,
        "parent_beacon_block_root": bytes(32) if rules.has_beacon_root else None,
        "requests_hash": bytes(32) if rules.has_requests else None,
        "block_access_list_hash": EMPTY_BLOCK_ACCESS_LIST_HASH if rules.has_block_access_list else None,
        "slot_number": 0 if rules.has_slot_number else None,
        "fork": fork,
    }
    return Genesis(Header(**{**fields, **changes}), state, schedule)


def new_chain(schedule: Schedule | str, alloc: dict | None = None, **options) -> Chain:
    """A chain with nothing but such a genesis."""
    return Chain(new_genesis(schedule, alloc), **options)


def transfer(chain: Chain, parent: ChainBlock, value: int = 1, to: bytes = BOB, **changes) -> Transaction:
    """A signed transfer that can go into a block on `parent`."""
    nonce = chain.state_of(parent).get_nonce(SENDER)
    return Transaction(**{"nonce": nonce, "to": to, "value": value, "gas_price": 10**10, **changes}).sign(KEY)


def new_block(
    chain: Chain,
    parent: ChainBlock | None = None,
    transactions: tuple[Transaction, ...] = (),
    ommers: tuple[Header, ...] = (),
    withdrawals: tuple = (),
    **changes,
) -> Block:
    """A valid block on `parent` (else on the head), with every root right; `changes` are made to the header before it runs."""
    parent = chain.head if parent is None else parent
    before = parent.header
    number, timestamp = before.number + 1, changes.get("timestamp", before.timestamp + 13)
    fork = chain.schedule.fork_at(number, timestamp, parent.total_difficulty)
    rules = rules_of(fork)
    limits = chain.schedule.blob_limits_of(fork) or blob_limits(rules)
    first_with_base_fee = rules.has_base_fee and before.base_fee_per_gas is None
    has_ommers = before.ommers_hash != EMPTY_OMMERS_HASH
    stake = rules.is_proof_of_stake
    fields = {
        "parent_hash": parent.hash,
        "ommers_hash": keccak256(encode_list(ommer.encode() for ommer in ommers)),
        "coinbase": COINBASE,
        "difficulty": 0
        if stake
        else difficulty_after(fork, number, timestamp, before.timestamp, before.difficulty, has_ommers),
        "number": number,
        "gas_limit": before.gas_limit * (2 if first_with_base_fee else 1),
        "timestamp": timestamp,
        "base_fee_per_gas": base_fee(before) if rules.has_base_fee else None,
        "withdrawals_root": withdrawals_root(withdrawals) if rules.has_withdrawals else None,
        "blob_gas_used": 0 if rules.has_blobs else None,
        "excess_blob_gas": excess_blob_gas(before, fork, limits) if rules.has_blobs else None,
        "parent_beacon_block_root": bytes(32) if rules.has_beacon_root else None,
        "block_access_list_hash": EMPTY_BLOCK_ACCESS_LIST_HASH if rules.has_block_access_list else None,
        "slot_number": number if rules.has_slot_number else None,
        "transactions_root": ordered_trie_root([tx.raw for tx in transactions]),
    }
    header = Header(**{**fields, **changes})
    block = Block(header, transactions, ommers, withdrawals if rules.has_withdrawals else None)
    result = chain.execute(block, parent)[0]
    results = {
        "gas_used": result.gas_used,
        "blob_gas_used": result.blob_gas_used if rules.has_blobs else None,
        "logs_bloom": result.logs_bloom,
        "receipts_root": result.receipts_root,
        "state_root": result.state_root,
        "requests_hash": result.requests_hash,
        "block_access_list_hash": result.access_list_hash if rules.has_block_access_list else None,
    }
    return replace(
        block, header=replace(header, **{name: value for name, value in results.items() if name not in changes})
    )


def grow(chain: Chain, count: int, parent: ChainBlock | None = None, **changes) -> list[ChainBlock]:
    """Import so many blocks, each with a transfer, one on the other."""
    made = []
    for _ in range(count):
        at = chain.head if parent is None else parent
        block = new_block(chain, at, (transfer(chain, at),), **changes)
        parent = chain.add(block.encode())
        made.append(parent)
    return made


def refused(chain: Chain, block) -> str:
    """The row of status.def that a block is refused for; the chain stays as it is."""
    head, known, root = chain.head, set(chain.blocks), chain.state_of(chain.head).root()
    with pytest.raises((InvalidBlock, InvalidTransaction)) as caught:
        chain.add(block.encode())
    assert (chain.head, set(chain.blocks)) == (head, known)
    assert chain.state_of(chain.head).root() == root
    return caught.value.status
