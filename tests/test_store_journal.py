"""What commits write to a store's journal and what they write to its tables: one state, whatever is where, also of public block tests;
and files that stay as large as what is in them.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import zlib
from pathlib import Path

import pytest
from store_helpers import grown
from test_conformance import corpus

from evmcore import Block, Header, State, execute_block
from evmcore.__main__ import main
from evmcore.chain import Genesis, network_schedule
from evmcore.conformance.block_tests import run_block_test
from evmcore.conformance.discovery import load_tests
from evmcore.store import Store, StoredChain, StoreError, _mdbx
from evmcore.store.rows import account_of
from evmcore.store.upkeep import check, compact
from evmcore.store.upkeep import sizes as stored_sizes

BLOCKS = int(os.environ.get("EVMCORE_STORE_BLOCKS", "400"))  # of the chain that grows: 10,000 take a few minutes


@pytest.mark.parametrize("journal_bytes", [0, 1, 20_000, 60_000, 1 << 30])
def test_what_is_in_the_journal_and_what_is_in_tables_is_one_state(tmp_path, genesis, blocks, journal_bytes):
    roots = [genesis.header.state_root, *(Block.decode(encoded).header.state_root for encoded in blocks)]
    with grown(tmp_path / "db", genesis, blocks[:20], journal_bytes=journal_bytes) as store:
        held = store.state(15)
        kept = store.state()
    with Store(tmp_path / "db", journal_bytes=journal_bytes) as store:  # the states hold the database
        chain = StoredChain(store, genesis)
        for encoded in blocks[20:]:
            chain.add(encoded)
        assert check(store) == 0
        accounts = dict(store._snapshot().rows("accounts"))
        slots = dict(store._snapshot().rows("slots"))
        for height in (54, 53, 40, 20, 7):
            state = store.state(height)
            for address in filter(state.exists, accounts):
                state.set_balance(address, state.get_balance(address))
            for address, slot in ((key[:20], int.from_bytes(key[20:], "big")) for key in slots):
                if state.exists(address):
                    state.set_storage(address, slot, state.get_storage(address, slot))
            assert state.root() == roots[height]
        assert (held.root(), kept.root()) == (roots[15], roots[20])
        state = store.state()
        for address, row in accounts.items():
            assert state.get_balance(address) == account_of(row)[0]
        for key, value in slots.items():
            assert state.get_storage(key[:20], int.from_bytes(key[20:], "big")) == int.from_bytes(value, "big")
    del held, kept, state
    with Store(tmp_path / "db", journal_bytes=journal_bytes) as store:
        assert check(store) == 0
        store.rewind(30)
        assert store.state().root() == roots[30]
        assert check(store) == 0
        store.rewind(0)
        assert store.state().root() == roots[0]
        assert check(store) == 0
        chain = StoredChain(store, genesis)
        for encoded in blocks[:10]:
            chain.add(encoded)
    del chain  # and its state
    compact(tmp_path / "db")
    with grown(tmp_path / "db", genesis, blocks[:20], journal_bytes=journal_bytes) as store:
        assert check(store) == 0
        assert store.state().root() == roots[20]


def test_a_damaged_journal_is_an_error(tmp_path, genesis, blocks):
    grown(tmp_path / "db", genesis, blocks[:5]).close()
    for damage in (lambda rows: rows[:-1], lambda rows: b"\5" + rows[1:], lambda rows: rows + b"\0"):
        shutil.copytree(tmp_path / "db", tmp_path / "damaged")
        with Store(tmp_path / "damaged") as store, store._writing() as writer:
            [(key, rows)] = store._snapshot().rows("journal", most=1)
            writer.put("journal", key, damage(rows))
        del writer  # which holds the database
        with pytest.raises(StoreError, match="damaged"):
            Store(tmp_path / "damaged")
        shutil.rmtree(tmp_path / "damaged")


def test_damaged_rows_of_blocks_are_told_with_the_other_faults(tmp_path, genesis, blocks):
    with grown(tmp_path / "db", genesis, blocks[:6]) as store:
        with store._writing() as writer:
            for height, table in enumerate(("headers", "bodies", "receipts"), 2):
                key = height.to_bytes(8, "big")
                row = store._snapshot().get(table, key)
                assert row is not None
                writer.put(table, key, row[:-1])
        faults: list[str] = []
        assert check(store, faults.append) == len(faults)
    for height in (2, 3, 4):
        assert any(fault.startswith(f"block {height}: a row is damaged: ") for fault in faults)


def test_public_block_tests_go_through_a_store():
    chance = random.Random(3)
    seen = 0
    folders = (
        "eest-fixtures/v5.4.0/blockchain_tests",
        "BlockchainTests/ValidBlocks",
        "BlockchainTests/TransitionTests",
    )
    for path in sorted(path for folder in folders for path in (corpus() / folder).rglob("*.json")):
        if zlib.crc32(path.name.encode()) % 9 or path.stat().st_size > 1 << 19:
            continue
        tests = load_tests(str(path), "blockchain")
        for name in chance.sample(sorted(tests), min(2, len(tests))):
            if tests[name].get("sealEngine", "NoProof") != "NoProof":
                continue  # a cache for proofs of work takes a second
            result = run_block_test(name, tests[name], str(path), way="stored")
            assert result.is_passed, result
            seen += 1
    assert seen > 25


def test_a_store_that_differs_fails_the_block_test(monkeypatch):
    path = corpus() / "BlockchainTests/ValidBlocks/bcStateTests/suicideStorageCheck.json"
    name, test = next(
        (name, test) for name, test in load_tests(str(path), "blockchain").items() if test["network"] == "Cancun"
    )
    assert run_block_test(name, test, way="stored").is_passed
    put = _mdbx.Writer.put_accounts

    class Lossy(_mdbx.Writer):
        def put_accounts(self, accounts, account_count, slots, slot_count):
            put(self, accounts, account_count - 1, slots[:0], 0)

    with monkeypatch.context() as patched:
        patched.setattr(StoredChain, "_write", lambda self, head: None)
        assert "the store's head is 0x" in run_block_test(name, test, way="stored").error
    with monkeypatch.context() as patched:
        patched.setattr(_mdbx, "Writer", Lossy)
        assert not run_block_test(name, test, way="stored").is_passed


def test_conformance_runs_over_stores(tmp_path, monkeypatch, capsys):
    file = corpus() / "BlockchainTests/ValidBlocks/bcStateTests/suicideStorageCheck.json"
    folder = tmp_path / "BlockchainTests" / "ValidBlocks" / "bcStateTests"
    folder.mkdir(parents=True)
    shutil.copy(file, folder)
    monkeypatch.setenv("EVMCORE_TESTS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main(["conformance", "--store", "--workers", "1"]) == 0
    assert " 0 failed" in capsys.readouterr().out
    assert not (tmp_path / "conformance.md").exists()
    assert main(["conformance", "--store", "--stateless"]) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_chain_that_grows_needs_no_more_room_than_its_rows(tmp_path):
    chance = random.Random(5)
    addresses = [chance.randbytes(20) for _ in range(2000)]
    state = State({address: {"balance": 1 + n} for n, address in enumerate(addresses)})
    genesis = Genesis(Header(state_root=state.root(), difficulty=1, fork="Berlin"), state, network_schedule("Berlin"))
    empty = execute_block(Block(header=Header(number=1, fork="Berlin"), transactions=()), State(), changes=True)
    sizes = {}
    with Store(tmp_path / "db", genesis=genesis, depth=16, journal_bytes=1 << 17) as store:
        for number in range(1, BLOCKS + 1):
            after = store.state()
            mark = after.snapshot()
            for address in chance.sample(addresses, 20):
                after.set_balance(address, chance.randrange(10**18))
            changes = after.changes_since(mark)
            after.release(mark)
            header = Header(
                parent_hash=store.hash_of(), number=number, state_root=after.root(), difficulty=1, fork="Berlin"
            )
            store.commit(Block(header=header, transactions=()), empty, state=after, changes=changes)
            del after
            if number in (BLOCKS // 4, BLOCKS):
                sizes[number] = (store.file_bytes, resident_bytes())
        rows = {size.name: size.size_bytes for size in stored_sizes(store)}
        assert rows["journal"] < 1 << 18
        assert rows["undo"] < 16 * 50_000
        assert check(store) == 0
        assert store.state(store.height - 16).root() == store.header(store.height - 16).state_root
    (early, early_memory), (late, late_memory) = sizes[BLOCKS // 4], sizes[BLOCKS]
    print(
        f"{BLOCKS} blocks: file {early >> 20}, {late >> 20} MiB; memory {early_memory >> 20}, {late_memory >> 20} MiB"
    )
    assert late - early <= (16 << 20) + 2 * BLOCKS * 1500  # a step of the file, and headers and bodies
    assert late_memory - early_memory < 32 << 20


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
