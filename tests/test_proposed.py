"""A block that was executed when it was proposed isn't executed again when it comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from chain_builder import new_block, new_chain, new_genesis, transfer

from evmcore import Block, EvmError, InvalidBlock, Transaction, UnusableInput, caches, empty_caches
from evmcore.chain import Chain, importer
from evmcore.store import Store, StoredChain
from evmcore.store import chain as stored

FORKS = ["Frontier", "Byzantium", "Shanghai", "Prague", "Osaka", "Amsterdam"]


def proposed(chain, count=3, **changes):
    """A block of payments, proposed on the head."""
    first = transfer(chain, chain.head)
    payments = [transfer(chain, chain.head, nonce=first.nonce + place, value=place) for place in range(count)]
    header = replace(new_block(chain).header, **changes)
    block, result, skipped = chain.propose(header, payments)
    assert len(result.receipts) == count
    assert not skipped
    return block


@pytest.fixture
def executed(monkeypatch):
    """The numbers of blocks that chains execute."""
    numbers = []
    for module in (importer, stored):
        real = module.execute_block
        monkeypatch.setattr(
            module,
            "execute_block",
            lambda block, *args, _real=real, **options: (numbers.append(block.number), _real(block, *args, **options))[
                1
            ],
        )
    return numbers


@pytest.mark.parametrize("fork", FORKS)
def test_a_proposed_block_is_added_without_a_second_execution(fork, executed):
    chain, other = new_chain(fork), new_chain(fork)
    for number in range(1, 4):
        block = proposed(chain)
        assert chain.head.number == number - 1
        executed.clear()
        entry = chain.add(block.encode())
        assert executed == []
        other.add(block.encode())  # who hasn't proposed it executes it
        assert executed == [number]
        assert chain.head is entry
        assert other.head.hash == entry.hash
        assert chain.state_of(entry).root() == other.state_of(other.head).root() == block.header.state_root
        assert chain.state_of(entry) == other.state_of(other.head)


@pytest.mark.parametrize("fork", ["Byzantium", "Osaka", "Amsterdam"])
def test_a_store_commits_a_proposed_block(fork, executed, tmp_path):
    genesis = new_genesis(fork)
    plain = Chain(genesis)
    with Store(tmp_path / "db", genesis=genesis) as store:
        chain = StoredChain(store, genesis)
        for _ in range(3):
            block = proposed(chain)
            executed.clear()
            chain.add(block.encode())
            assert executed == []
            plain.add(block.encode())
    with Store(tmp_path / "db") as store:
        assert store.height == 3
        assert store.head_hash == plain.head.hash
        assert store.state().root() == plain.head.header.state_root
        assert len(store.receipts()) == 3


def test_a_block_of_the_same_hash_and_another_body_is_refused(executed):
    chain = new_chain("Osaka")
    block = proposed(chain)
    executed.clear()
    for forged in (
        replace(block, transactions=block.transactions[:-1]),
        replace(block, transactions=block.transactions[::-1]),
        replace(block, withdrawals=None),
    ):
        assert forged.hash == block.hash
        with pytest.raises(EvmError):
            chain.add(forged.encode())
        assert chain.head.number == 0
    # What is asked of a body that nobody has held against its header isn't what was proposed.
    result, _ = chain.execute(replace(block, transactions=()), chain.head)
    assert len(result.receipts) == 0
    executed.clear()
    chain.add(block.encode())
    assert executed == []


def test_a_proposed_block_with_a_false_header_is_refused():
    chain = new_chain("Osaka")
    block = proposed(chain, timestamp=0)
    with pytest.raises(InvalidBlock):
        chain.add(block.encode())
    assert chain.head.number == 0


@pytest.mark.parametrize("signature", [{"r": 5, "s": 7}, {}])
def test_a_proposed_block_with_a_false_sender_is_refused(signature):
    """Its senders were those that the proposer had said, and nobody looked at its signatures again."""
    chain = new_chain("Prague")
    payment = transfer(chain, chain.head)
    taken = ("nonce", "to", "value", "gas_limit", "gas_price", "chain_id", "v", "r", "s")
    fields = {**{name: getattr(payment, name) for name in taken}, "value": 2, **signature}
    block, result, _ = chain.propose(new_block(chain).header, [Transaction(**fields, sender=payment.sender)])
    assert len(result.receipts) == 1
    with pytest.raises(EvmError):
        chain.add(block.encode())
    assert chain.head.number == 0


def test_another_branch_may_have_overtaken_it(executed):
    chain = new_chain("Osaka")
    late = proposed(chain)
    chain.add(new_block(chain, extra_data=b"another").encode())
    executed.clear()
    entry = chain.add(late.encode())
    assert executed == []
    assert chain.head.hash != entry.hash
    assert chain.state_of(entry).root() == late.header.state_root


def test_the_last_few_are_kept_and_seen(executed):
    empty_caches()
    chain = new_chain("Osaka")
    before = caches()["proposed_blocks"]
    blocks = [proposed(chain, extra_data=bytes([number])) for number in range(6)]
    executed.clear()
    found = caches()["proposed_blocks"]
    assert found.entries - before.entries == 4
    assert found.entries <= found.limit
    chain.add(blocks[0].encode())
    assert executed == [1]
    chain.add(blocks[5].encode())
    assert executed == [1]
    empty_caches()
    assert caches()["proposed_blocks"].entries == 0
    chain.add(blocks[4].encode())
    assert executed == [1, 1]


def test_a_block_is_proposed_on_the_head_alone():
    chain = new_chain("Osaka")
    header = new_block(chain).header
    with pytest.raises(UnusableInput, match="parent_hash"):
        chain.propose(replace(header, parent_hash=bytes(32)), [])
    block, _, _ = chain.propose(header, [])
    assert Block.decode(block.encode()).hash == block.hash


def test_what_is_no_header_is_named():
    with pytest.raises(TypeError, match="header: expected Header, got dict"):
        new_chain("Osaka").propose({}, [])
