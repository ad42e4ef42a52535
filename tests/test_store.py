"""Chains on disk: what is committed is there again, old states are readable, and blocks can be taken back."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from chain_builder import SENDER, new_block, new_genesis, transfer
from helpers import ALICE, BOB, CONTRACT, ETHER, shared
from store_helpers import grown

import evmcore
from evmcore import Account, Block, State, assemble, call, execute_block, verify_proof
from evmcore.__main__ import main
from evmcore.chain import Chain
from evmcore.errors import EvmError, MissingNode
from evmcore.store import Store, StoredChain, StoreError

COUNTER = assemble("PUSH1 0 SLOAD PUSH1 1 ADD PUSH1 0 SSTORE STOP")
# Slots 1 to 3 are made by a call with data, and the account goes by one without.
FRAGILE = assemble(
    "CALLDATASIZE PUSH @fill JUMPI CALLER SELFDESTRUCT\n"
    "fill: JUMPDEST PUSH1 7 PUSH1 1 SSTORE PUSH1 8 PUSH1 2 SSTORE PUSH1 9 PUSH1 3 SSTORE STOP"
)


def small_genesis(**alloc):
    return new_genesis("Osaka", {CONTRACT: {"code": COUNTER, "storage": {9: 9}}, **alloc})


# ---------------------------------------------------------------- a chain


@pytest.mark.parametrize(("workers", "strategy"), [(1, "auto"), (2, "optimistic"), (2, "groups")])
def test_a_chain_is_there_again(tmp_path, genesis, blocks, workers, strategy):
    with Store(tmp_path / "db", genesis=genesis) as store:
        chain = StoredChain(store, genesis, workers=workers, strategy=strategy)
        for encoded in blocks[:30]:
            chain.add(encoded)
    with Store(tmp_path / "db") as store:
        assert store.height == 30
        chain = StoredChain(store, genesis, workers=workers, strategy=strategy)
        for encoded in blocks:  # those that are there are just found
            chain.add(encoded)
        plain = Chain(genesis)
        for encoded in blocks:
            plain.add(encoded)
        assert store.head_hash == plain.head.hash == chain.head.hash
        assert store.total_difficulty() == plain.head.total_difficulty
        state = store.state()
        expected = plain.state_of(plain.head)
        assert state.root() == expected.root() == store.header().state_root
        for address, account in expected.items():
            found = state.get_account(address)
            assert (found.balance, found.nonce, found.code) == (account.balance, account.nonce, account.code)
            for slot, value in account.storage.items():
                assert state.get_storage(address, slot) == value


def test_states_of_all_heights_and_back(tmp_path, genesis, blocks):
    with grown(tmp_path / "db", genesis, blocks) as store:
        for height in range(store.height, -1, -1):
            assert store.state(height).root() == store.header(height).state_root
        kept = store.state(20)
        for height in (53, 40, 3, 0):
            store.rewind(height)
            assert store.height == height
            assert store.state().root() == store.header().state_root
        assert kept.root() == Block.decode(blocks[19]).header.state_root
        assert store.hash_of() == genesis.header.hash
        chain = StoredChain(store, genesis)
        for encoded in blocks:
            chain.add(encoded)
        assert store.height == len(blocks)


def test_blocks_receipts_and_transactions_are_found(tmp_path, genesis, blocks):
    with grown(tmp_path / "db", genesis, blocks) as store:
        for height, encoded in enumerate(blocks, 1):
            block = Block.decode(encoded)
            assert store.block(height) == encoded
            assert store.height_of(block.hash) == height
            assert evmcore.ordered_trie_root(store.receipts(height)) == block.header.receipts_root
            for index, tx in enumerate(block.transactions):
                assert store.transaction(tx.hash) == (height, index)
        assert store.prune(40) == 39
        assert store.transaction(Block.decode(blocks[30]).transactions[0].hash) is None
        with pytest.raises(StoreError, match="block 31 has no body any more"):
            store.block(31)
        assert store.block(40) == blocks[39]
        assert store.header(31).hash == Block.decode(blocks[30]).hash


def test_states_and_undo_rows_end_at_the_depth(tmp_path, genesis, blocks):
    with grown(tmp_path / "db", genesis, blocks, depth=5) as store:
        assert store.oldest_height == len(blocks) - 5
        assert store.state(store.oldest_height).root() == store.header(store.oldest_height).state_root
        with pytest.raises(StoreError, match="go back to height 49, not to 48"):
            store.state(48)
        with pytest.raises(StoreError, match="go back to height 49, not to 48"):
            store.rewind(48)
        assert {int.from_bytes(key[:8], "big") for key, _ in store._snapshot().rows("undo")} == {50, 51, 52, 53, 54}


def test_a_heavier_branch_takes_over(tmp_path):
    genesis = new_genesis("Berlin")
    plain = Chain(genesis)
    first = plain.add(new_block(plain, transactions=(transfer(plain, plain.head),)).encode())
    main = plain.add(new_block(plain, first, (transfer(plain, first, 5),)).encode())
    side = new_block(plain, first, (transfer(plain, first, 7),), timestamp=first.header.timestamp + 99)
    side_entry = plain.add(side.encode())
    top = plain.add(new_block(plain, side_entry, (transfer(plain, side_entry, 9),)).encode())
    assert plain.head is top
    with Store(tmp_path / "db", genesis=genesis) as store:
        chain = StoredChain(store, genesis)
        for entry in (first, main, side_entry):
            chain.add(entry.encoded)
        assert store.head_hash == main.hash
        chain.add(top.encoded)
        assert store.head_hash == top.hash
        assert store.hash_of(2) == side_entry.hash
        assert store.height_of(main.hash) is None
        assert store.state().root() == top.header.state_root
        assert store.state().get_balance(BOB) == 1 + 7 + 9


# ---------------------------------------------------------------- states


def test_a_state_stays_what_it_was_when_blocks_are_committed(tmp_path):
    genesis = small_genesis()
    with Store(tmp_path / "db", genesis=genesis) as store:
        chain = StoredChain(store, genesis)
        old = store.state()
        for _ in range(3):
            head = chain.head
            chain.add(new_block(chain, head, (transfer(chain, head, to=CONTRACT, gas_limit=100_000),)).encode())
        assert old.get_storage(CONTRACT, 0) == 0
        assert old.root() == genesis.header.state_root
        assert store.state().get_storage(CONTRACT, 0) == 3
        assert store.state(1).get_storage(CONTRACT, 0) == 1
        copy = old.copy()
        copy.set_balance(ALICE, 7)
        assert (old.get_balance(ALICE), copy.get_balance(ALICE)) == (ETHER, 7)
        assert copy.get_storage(CONTRACT, 9) == 9


def test_writes_to_a_state_over_a_store_are_those_of_a_plain_one(tmp_path):
    alloc = {bytes([n]) * 20: Account(n, n % 3, b"\x00" * (n % 2), {k: k + n for k in range(n)}) for n in range(1, 60)}
    genesis = new_genesis("Osaka", alloc)
    with Store(tmp_path / "db", genesis=genesis) as store:
        local, plain = store.state(), genesis.state.copy()
        for n in range(1, 60):
            address = bytes([n]) * 20
            for state in (local, plain):
                mark = state.snapshot()
                if n % 5 == 0:
                    state.delete_account(address)
                elif n % 5 == 1:
                    state.set_storage(address, n - 1, 0)
                    state.set_storage(address, 1000, n)
                elif n % 5 == 2:
                    state.set_account(address, Account(1, 2, b"\x01", {3: 4}))
                elif n % 5 == 3:
                    state.set_balance(bytes([n + 100]) * 20, n)
                if n % 7 == 0:
                    state.revert(mark)
                else:
                    state.release(mark)
            if n % 4 == 0:
                assert local.root() == plain.root(), n
        assert local.root() == plain.root()
        for address, account in plain.items():
            found = local.get_account(address)
            assert (found.balance, found.nonce, found.code) == (account.balance, account.nonce, account.code)
            assert all(local.get_storage(address, k) == account.storage.get(k, 0) for k in (*range(60), 1000))


def test_proofs_are_made_of_nodes_on_disk(tmp_path):
    alloc = {bytes([n]) * 20: Account(n, 1, b"", {k: k + n for k in range(1, n)}) for n in range(1, 60)}
    genesis = new_genesis("Osaka", alloc)
    with Store(tmp_path / "db", genesis=genesis) as store:
        local, plain = store.state(), genesis.state.copy()
        for n in (1, 2, 7, 40, 59, 99):
            address = bytes([n]) * 20
            proof = local.prove(address, [5, 1, 1000])
            assert proof == plain.prove(address, [5, 1, 1000])
            assert verify_proof(store.header().state_root, address, proof) == proof
        for state in (local, plain):
            state.set_storage(bytes([40]) * 20, 5, 1)
        assert local.prove(bytes([40]) * 20, [5, 6]) == plain.prove(bytes([40]) * 20, [5, 6])
        assert local.root() == plain.root()


def test_a_destroyed_account_takes_its_unread_slots_along(tmp_path):
    genesis = new_genesis("Berlin", {CONTRACT: {"code": FRAGILE, "balance": 5, "storage": {50: 1, 51: 2}}})
    with Store(tmp_path / "db", genesis=genesis) as store:
        chain = StoredChain(store, genesis)
        for data in (b"\1", b"", b""):
            head = chain.head
            tx = transfer(chain, head, 0, CONTRACT, data=data, gas_limit=200_000)
            chain.add(new_block(chain, head, (tx,)).encode())
        for height, slots in ((0, (1, 0)), (1, (1, 7)), (2, (0, 0)), (3, (0, 0))):
            state = store.state(height)
            assert (state.get_storage(CONTRACT, 50), state.get_storage(CONTRACT, 1)) == slots
            assert (CONTRACT in state) == (height < 2)
        assert store._snapshot().entries("slots") == 0
        store.rewind(0)
        assert store.state().get_storage(CONTRACT, 51) == 2
        assert store.state().root() == genesis.header.state_root


def test_a_result_that_was_made_elsewhere_is_committed(tmp_path):
    genesis = small_genesis()
    plain = Chain(genesis)
    block = new_block(plain, transactions=(transfer(plain, plain.head, to=CONTRACT, gas_limit=100_000),))
    state = genesis.state.copy()
    result = execute_block(block, state, changes=True)
    with Store(tmp_path / "db", genesis=genesis) as store:
        store.commit(block, result)
        assert store.state().root() == block.header.state_root
        with pytest.raises(StoreError, match="block 1 on .* is no child of block 1"):
            store.commit(block, result)


def test_what_may_not_be_committed_changes_nothing(tmp_path):
    genesis = small_genesis()
    plain = Chain(genesis)
    block = new_block(plain, transactions=(transfer(plain, plain.head),))
    with Store(tmp_path / "db", genesis=genesis) as store:
        with pytest.raises(StoreError, match="no changes"):
            store.commit(block, execute_block(block, store.state()))
        result = execute_block(block, store.state(), changes=True)
        wrong = replace(block, header=replace(block.header, state_root=b"\1" * 32))
        with pytest.raises(StoreError, match="block 1 has state root 0x0101.*, its state 0x"):
            store.commit(wrong, result)
        assert (store.height, store.head_hash) == (0, genesis.header.hash)
        store.commit(block, result)
        assert store.height == 1


def test_threads_read_states_while_blocks_are_committed(tmp_path):
    genesis = small_genesis()
    with Store(tmp_path / "db", genesis=genesis) as store:
        chain = StoredChain(store, genesis)
        faults = []
        is_done = threading.Event()

        def read():
            while not is_done.is_set():
                height = store.height
                state = store.state(height)
                result = call(state, genesis.header, to=CONTRACT, gas=100_000)
                if (
                    not result.is_success
                    or state.get_storage(CONTRACT, 0) != height
                    or state.get_storage(CONTRACT, 9) != 9
                ):
                    faults.append((height, state.get_storage(CONTRACT, 0)))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            head = chain.head
            chain.add(new_block(chain, head, (transfer(chain, head, to=CONTRACT, gas_limit=100_000),)).encode())
        is_done.set()
        for thread in threads:
            thread.join()
        assert not faults
        assert store.state().get_nonce(SENDER) == 20


def test_rows_that_are_kept_in_memory_follow_commits_and_stay_within_their_room(tmp_path):
    """States of several heights, over caches that hold everything, nearly nothing, and nothing."""
    genesis = small_genesis()
    for number, cache_bytes in enumerate((64 << 20, 1000, 0)):
        with Store(tmp_path / str(number), genesis=genesis, cache_bytes=cache_bytes) as store:
            chain = StoredChain(store, genesis)
            states = [store.state()]
            for _ in range(5):
                assert all(state.get_storage(CONTRACT, 0) == n for n, state in enumerate(states))
                assert all(state.get_nonce(SENDER) == n for n, state in enumerate(states))
                head = chain.head
                chain.add(new_block(chain, head, (transfer(chain, head, to=CONTRACT, gas_limit=100_000),)).encode())
                states.append(store.state())
            store.rewind(2)
            assert (store.state().get_storage(CONTRACT, 0), store.state().get_nonce(SENDER)) == (2, 2)
            assert all(state.get_storage(CONTRACT, 0) == n for n, state in enumerate(states))


def test_a_state_outlives_its_store(tmp_path):
    genesis = small_genesis()
    store = Store(tmp_path / "db", genesis=genesis)
    state = store.state()
    store.close()
    assert state.get_storage(CONTRACT, 9) == 9
    with pytest.raises(StoreError, match="closed"):
        store.state()
    with Store(tmp_path / "db") as again:
        assert again.state().root() == state.root()
    with pytest.raises(TypeError):
        pickle.dumps(state)


# ---------------------------------------------------------------- what is no store


def test_what_is_no_store_is_refused(tmp_path):
    genesis = small_genesis()
    with pytest.raises(StoreError, match="there is none; a new one needs a genesis"):
        Store(tmp_path / "none")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="the folder has other files"):
        Store(tmp_path / "other", genesis=genesis)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="not a folder"):
        Store(tmp_path / "file", genesis=genesis)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "mdbx.dat").write_bytes(b"not a database" * 10_000)
    with pytest.raises(StoreError, match="no database of libmdbx"):
        Store(tmp_path / "foreign", genesis=genesis)


def test_states_of_two_heights_differ(tmp_path, genesis, blocks):
    with Store(tmp_path / "chain", genesis=genesis) as store:
        chain = StoredChain(store, genesis)
        for block in blocks[:3]:
            chain.add(block)
        assert store.state(1) != store.state(3)
        assert store.state(3) == store.state()


def test_what_is_of_another_type_is_named(tmp_path):
    genesis = small_genesis()
    for given in (5, "x", (genesis.header, genesis.state)):
        with pytest.raises(TypeError, match="genesis: expected Genesis, got"):
            Store(tmp_path / "chain", genesis=given)
    with Store(tmp_path / "chain", genesis=genesis) as store:
        block = Block(genesis.header, ())
        for given, words in (
            ((None, None), "block: expected Block, got NoneType"),
            ((block, 5), "result: expected BlockResult, got int"),
        ):
            with pytest.raises(TypeError, match=words):
                store.commit(*given)


def test_another_genesis_and_a_newer_form_are_refused(tmp_path):
    genesis = small_genesis()
    Store(tmp_path / "db", genesis=genesis).close()
    with pytest.raises(StoreError, match=f"its genesis is 0x{genesis.header.hash.hex()}, not 0x"):
        Store(tmp_path / "db", genesis=new_genesis("Osaka"))
    with Store(tmp_path / "db") as store, store._writing() as writer:
        writer.put("meta", b"form", (4).to_bytes(8, "big"))
    with pytest.raises(StoreError, match="it has form 4, this evmcore reads form 3"):
        Store(tmp_path / "db")


def test_a_store_is_opened_once(tmp_path):
    genesis = small_genesis()
    with Store(tmp_path / "db", genesis=genesis):
        with pytest.raises(StoreError, match="this process has it open already"):
            Store(tmp_path / "db")
        program = f"import evmcore.store\nevmcore.store.Store({str(tmp_path / 'db')!r})"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert "StoreError" in done.stderr
        assert "another process has it open" in done.stderr
    Store(tmp_path / "db").close()


def test_a_store_has_no_copies(tmp_path):
    with Store(tmp_path / "db", genesis=small_genesis()) as store:
        for use in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="one database's"):
                use(store)
        assert store.height == 0


def test_damage_is_an_error(tmp_path):
    genesis = small_genesis()
    Store(tmp_path / "db", genesis=genesis).close()
    file = tmp_path / "db" / "mdbx.dat"
    content = file.read_bytes()
    shutil.copy(file, tmp_path / "whole")
    for size in (0, 1, 4096, len(content) // 2):
        file.write_bytes(content[:size])
        try:
            with Store(tmp_path / "db") as store:
                store.state().root()
        except StoreError:
            pass
    shutil.copy(tmp_path / "whole", file)
    with Store(tmp_path / "db") as store:
        assert store.state().root() == genesis.header.state_root


@pytest.mark.parametrize("source", [None, 7, b"", object()])
def test_a_source_is_a_capsule_of_its_kind(source):
    with pytest.raises(TypeError, match=r"expected a capsule evmcore\.LocalSource"):
        State.from_local(source, bytes(32))


# ---------------------------------------------------------------- commands


def test_an_import_goes_on_where_it_stopped(tmp_path, capsys, blocks):
    part = tmp_path / "part.rlp"
    part.write_bytes(b"".join(blocks[:20]))
    common = ["import", "--genesis", str(shared("chain", "genesis.json")), "--store", str(tmp_path / "db"), "--json"]
    assert main([*common, str(part)]) == 0
    capsys.readouterr()
    assert main([*common, str(shared("chain", "chain.rlp"))]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 55
    assert all(row["ok"] for row in rows[:-1])
    assert main(["db", "stat", str(tmp_path / "db"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["height"], told["tables"]["headers"][0], told["tables"]["transactions"][0]) == (54, 55, 249)
    assert main(["db", "compact", str(tmp_path / "db")]) == 0
    assert main(["db", "check", str(tmp_path / "db")]) == 0
    assert "block 54: no faults" in capsys.readouterr().out


def test_a_check_finds_what_is_wrong(tmp_path, capsys, genesis, blocks):
    grown(tmp_path / "db", genesis, blocks[:5]).close()
    path = str(tmp_path / "db")
    with Store(path) as store:
        snapshot = store._snapshot()
        [(account, row)] = snapshot.rows("accounts", most=1)
        [(node, _)] = snapshot.rows("nodes", most=1)
        [(code, _)] = snapshot.rows("codes", most=1)
        with store._writing() as writer:
            writer.put("codes", code, b"\1\2")
            writer.put("nodes", node, b"\3")
            writer.put("nodes", b"\0\7\1\2\3\4", b"\3")
            writer.remove("receipts", (3).to_bytes(8, "big"))
    assert main(["db", "check", path]) == 1
    out = capsys.readouterr().out
    assert f"code 0x{code.hex()}: it has another hash" in out
    assert "block 3: it has only one of body and receipts" in out
    with Store(path) as store:
        state = store.state()
        state.set_balance(account, 5)
        with pytest.raises(MissingNode):
            state.root()
        with store._writing() as writer:
            writer.put("accounts", account, row[:1] + b"\x09" + row[2:])
        with pytest.raises(EvmError, match=r"store: an account can't be read"):
            store.state().get_balance(account)
        with pytest.raises(EvmError, match=r"store: an account can't be read"):
            store.state().set_balance(account, 7)
