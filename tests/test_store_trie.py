"""The trie beside a store: kept from block to block within its memory, made of flat rows where it is not on disk; changes are held
against it, and witnesses are made of it.
"""

from __future__ import annotations

import random
import threading
import time

import pytest
from chain_builder import new_block, new_genesis, transfer
from helpers import ALICE, BOB
from store_helpers import grown

from evmcore import Block, Header, State, StateTrie, assemble, execute_block, keccak256
from evmcore.chain import Chain, Genesis, network_schedule
from evmcore.errors import MissingNode
from evmcore.store import Store, StoredChain, StoreError
from evmcore.store.rows import account_rows
from evmcore.store.upkeep import check

# Writes word 0 of its data to slot 1, clears slot 2, and reads slot 3.
WRITER = assemble("PUSH1 0 CALLDATALOAD PUSH1 1 SSTORE PUSH1 0 PUSH1 2 SSTORE PUSH1 3 SLOAD STOP")
ADDRESSES = [keccak256(bytes([n]))[12:] for n in range(200)]


def genesis_of(alloc):
    state = State(alloc)
    return Genesis(Header(state_root=state.root(), difficulty=1, fork="Berlin"), state, network_schedule("Berlin"))


def next_block(store, state):
    """An empty block after which the state would be this one."""
    return Block(
        Header(
            parent_hash=store.hash_of(), number=store.height + 1, state_root=state.root(), difficulty=1, fork="Berlin"
        ),
        (),
    )


def no_result():
    return execute_block(Block(Header(number=1, fork="Berlin"), ()), State(), changes=True)


def changed(store, change):
    """A state of the store after `change`, and the changes."""
    state = store.state()
    mark = state.snapshot()
    change(state)
    changes = state.changes_since(mark)
    state.release(mark)
    return state, changes


@pytest.mark.parametrize("journal_bytes", [0, 1 << 20])
@pytest.mark.parametrize("trie_bytes", [0, 3000, 1 << 20])
def test_the_trie_is_kept_within_its_memory(tmp_path, genesis, blocks, journal_bytes, trie_bytes):
    store = grown(tmp_path / "db", genesis, blocks, journal_bytes=journal_bytes, trie_bytes=trie_bytes)
    with store:
        assert store.state().source_trie.size_bytes <= max(trie_bytes, 100)
        for height in (54, 30, 1):
            assert store.state(height).root() == store.header(height).state_root
        assert check(store) == 0
        store.rewind(40)
        assert check(store) == 0
        assert store.state().root() == store.header().state_root


def test_the_root_of_the_next_block_needs_no_nodes_that_were_read(tmp_path):
    genesis = genesis_of({address: {"balance": 1} for address in ADDRESSES})
    with Store(tmp_path / "db", genesis=genesis) as store:
        state, changes = changed(store, lambda state: state.set_balance(ADDRESSES[3], 7))
        store.commit(next_block(store, state), no_result(), state=state, changes=changes)
        with store._writing() as writer:
            for key, _ in store._snapshot().rows("nodes"):
                writer.put("nodes", key, b"\3")
        again, changes = changed(store, lambda state: state.set_balance(ADDRESSES[3], 8))
        store.commit(next_block(store, again), no_result(), state=again, changes=changes)
        other = store.state()
        other.set_balance(ADDRESSES[4], 8)
        with pytest.raises(MissingNode):
            other.root()


def test_changes_that_the_state_does_not_have_are_not_committed(tmp_path):
    genesis = genesis_of({address: {"balance": 1, "storage": {1: 1}} for address in ADDRESSES})
    with Store(tmp_path / "db", genesis=genesis) as store:

        def change(state):
            state.set_balance(ADDRESSES[3], 7)
            state.set_storage(ADDRESSES[4], 1, 5)

        state, changes = changed(store, change)
        _, other = changed(store, lambda state: state.set_balance(ADDRESSES[5], 7))
        _, less = changed(store, lambda state: state.set_balance(ADDRESSES[3], 7))
        block = next_block(store, state)
        for wrong in (other, less, no_result().changes):
            with pytest.raises(StoreError, match="the changes of block 1 are not what its state differs by"):
                store.commit(block, no_result(), state=state, changes=wrong)
            with pytest.raises(StoreError, match="block 1 has state root 0x.*, its state 0x"):
                store.commit(block, no_result(), changes=wrong)
        with pytest.raises(StoreError, match="block 1 has state root 0x.*, its state 0x"):
            store.commit(block, no_result(), state=store.state(), changes=changes)
        assert (store.height, check(store)) == (0, 0)
        store.commit(block, no_result(), state=state, changes=changes)
        assert (store.height, check(store)) == (1, 0)


def test_a_journal_that_leads_to_another_root_is_an_error(tmp_path):
    genesis = genesis_of({address: {"balance": 1} for address in ADDRESSES})
    with Store(tmp_path / "db", genesis=genesis) as store:
        state, changes = changed(store, lambda state: state.set_balance(ADDRESSES[3], 7))
        store.commit(next_block(store, state), no_result(), state=state, changes=changes)
        [(key, rows)] = store._snapshot().rows("journal")
    del state
    with Store(tmp_path / "db") as store, store._writing() as writer:
        writer.put("journal", key, rows[:-1] + b"\x09")
    del writer
    with pytest.raises(StoreError, match="its journal is damaged: it leads to state root 0x"):
        Store(tmp_path / "db")


@pytest.mark.parametrize("workers", [1, 2])
def test_witnesses_of_stored_states_are_those_in_memory(tmp_path, workers):
    """With reads, writes, deletions that leave a sibling alone, and accounts that are not there."""
    chance = random.Random(4)
    alloc = {
        ADDRESSES[n]: {"balance": n, "code": WRITER, "storage": dict.fromkeys(range(1, 2 + n % 5), 7)}
        for n in range(120)
    }
    genesis = new_genesis("Osaka", alloc)
    plain = Chain(genesis)
    with Store(tmp_path / "db", genesis=genesis) as store:
        chain = StoredChain(store, genesis)
        for _ in range(6):
            head = plain.head
            nonce = plain.state_of(head).get_nonce(transfer(plain, head).sender)
            transactions = tuple(
                transfer(
                    plain,
                    head,
                    0,
                    chance.choice(ADDRESSES),
                    nonce=nonce + k,
                    data=bytes(31) + bytes([k % 2]),
                    gas_limit=100_000,
                )
                for k in range(8)
            )
            block = new_block(plain, transactions=transactions)
            state = store.state()
            if chance.random() < 0.5:
                state.root()
            how = {"workers": workers, "strategy": "optimistic" if workers > 1 else "sequential", "witness": True}
            stored = execute_block(block, state, **how)
            result = execute_block(block, plain.state_of(head).copy(), **how)
            assert stored.witness == result.witness
            assert not result.differences(stored)
            entry = plain.add(block.encode())
            chain.add(entry.encoded)
            block = block.with_header(block_hashes={})
            again = State.from_witness(stored.witness, head.header.state_root)
            assert not result.differences(execute_block(block, again, workers=1))


def test_witnesses_of_older_and_of_written_states(tmp_path, genesis, blocks):
    with grown(tmp_path / "db", genesis, blocks) as store:
        plain = Chain(genesis)
        for height, encoded in enumerate(blocks[:30], 1):
            entry = plain.add(encoded)
            block = plain._placed(Block.decode(encoded), entry.parent)
            state, expected = store.state(height - 1), plain.state_of(entry.parent).copy()
            if height % 3 == 0:
                for each in (state, expected):
                    each.set_balance(ALICE, height)
                    each.set_balance(BOB, 0)
            first, second = (execute_block(block, each, witness=True, changes=True) for each in (state, expected))
            assert first.witness == second.witness
            assert not first.differences(second)


def test_another_thread_runs_while_a_block_is_committed(tmp_path):
    genesis = genesis_of({n.to_bytes(20, "big"): {"balance": 1} for n in range(1, 30_000)})
    with Store(tmp_path / "db", genesis=genesis, journal_bytes=0) as store:
        state, changes = changed(
            store, lambda state: [state.set_balance(n.to_bytes(20, "big"), 9) for n in range(1, 30_000)]
        )
        block, result = next_block(store, state), no_result()
        gaps = []
        is_done = threading.Event()

        def run():
            last = time.perf_counter()
            while not is_done.is_set():
                now = time.perf_counter()
                gaps.append(now - last)
                last = now
                time.sleep(0)

        thread = threading.Thread(target=run)
        thread.start()
        began = time.perf_counter()
        store.commit(block, result, state=state, changes=changes)
        seconds = time.perf_counter() - began
        is_done.set()
        thread.join()
        assert max(gaps) < seconds / 3, (max(gaps), seconds)


def test_rows_of_a_genesis_lead_to_its_trie():
    state = State(
        {
            address: {"balance": n, "nonce": n % 3, "code": b"\1" * (n % 2), "storage": {n: 1}}
            for n, address in enumerate(ADDRESSES)
        }
    )
    [(accounts, _, slots, _, _)] = account_rows(state)
    _, trie = State().trie().updated(accounts, slots, None)
    assert trie.root == state.root()
    assert StateTrie(trie.root).root == trie.root


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_nodes_of_a_large_change_are_read_by_all_workers(tmp_path, workers):
    addresses = [keccak256(n.to_bytes(4, "big"))[12:] for n in range(4000)]
    alloc = {address: {"balance": 1 + n, "storage": {n % 7: n + 1}} for n, address in enumerate(addresses)}

    def change(state):
        for address in addresses[::3]:
            state.set_balance(address, 5)
            state.set_storage(address, 3, 9)
        for address in addresses[1::50]:
            state.delete_account(address)
        state.set_balance(ALICE, 7)

    plain = State(alloc)
    change(plain)
    with Store(tmp_path / "db", genesis=genesis_of(alloc), trie_bytes=0) as store:
        state, changes = changed(store, change)
        assert state.source_trie.size_bytes < 1000
        assert state.root(workers=workers) == plain.root()
        assert state.source_trie.size_bytes > 100_000  # what was read is known to the next state's root
        assert StateTrie(store.header().state_root).root == state.source_trie.root
        store.commit(next_block(store, state), no_result(), state=state, changes=changes)
        assert check(store) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_node_that_one_of_several_workers_lacks_is_named(tmp_path, workers):
    addresses = [keccak256(n.to_bytes(4, "big"))[12:] for n in range(2000)]
    with Store(tmp_path / "db", genesis=genesis_of({address: {"balance": 1} for address in addresses})) as store:
        with store._writing() as writer:
            writer.settle()
            writer.remove("nodes", b"\0\5")  # below the root
        state = store.state()
        for address in addresses:
            state.set_balance(address, 2)
        with pytest.raises(MissingNode) as caught:
            state.root(workers=workers)
        assert (caught.value.path, caught.value.account) == ("5", None)
