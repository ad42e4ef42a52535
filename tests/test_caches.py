"""What the process keeps between calls: visible, bounded, and gone when it is told to go."""

from __future__ import annotations

import threading

from evmcore import Block, CacheFigures, State, caches, empty_caches, execute_block, recover_senders, run
from evmcore._core import ethash
from evmcore.example import EXAMPLE_FILE


def test_each_has_figures_within_its_bounds():
    run("00")
    block = Block.load(EXAMPLE_FILE)
    execute_block(block, block.pre_state.copy(), workers=2, strategy="optimistic")
    found = caches()
    assert set(found) >= {"codes", "machines", "workers", "nodes", "ethash"}  # and what was imported beside
    assert all(isinstance(each, CacheFigures) for each in found.values())
    assert found["machines"].entries >= 1
    assert found["workers"].entries >= 2
    assert found["codes"].bytes > 0
    for each in found.values():
        assert each.limit is None or each.entries <= each.limit
        assert each.limit_bytes is None or each.bytes <= each.limit_bytes


def test_emptied_nothing_is_kept_but_what_states_hold():
    block = Block.load(EXAMPLE_FILE)
    state = block.pre_state.copy()
    expected = execute_block(block, state, workers=2, strategy="optimistic").state_root
    held = State({b"\x01" * 20: {"code": b"\x5b" * 77}})
    State({b"\x01" * 20: {"code": b"\x5b" * 78}})
    del state
    block.pre_state.root()
    empty_caches()
    found = caches()
    assert (found["machines"].entries, found["workers"].entries, found["ethash"]) == (0, 0, CacheFigures(0, 2, 0, None))
    codes = found["codes"].entries
    assert codes >= 1
    State({b"\x02" * 20: {"code": b"\x5b" * 77}})
    assert caches()["codes"].entries == codes  # it was still there
    assert held.get_code(b"\x01" * 20) == b"\x5b" * 77
    assert execute_block(block, block.pre_state.copy(), workers=2, strategy="optimistic").state_root == expected
    assert caches()["workers"].entries == 2


def test_caches_of_proofs_of_work_count():
    empty_caches()
    ethash(1, bytes(32), bytes(8))
    kept = caches()["ethash"]
    assert (kept.entries, kept.limit) == (1, 2)
    assert kept.bytes > 16_000_000
    empty_caches()
    assert caches()["ethash"].bytes == 0


def test_they_are_emptied_beside_work():
    block = Block.load(EXAMPLE_FILE)
    recover_senders(block.transactions, fork=block.header.fork)
    expected = execute_block(block, block.pre_state.copy()).receipts
    is_done = threading.Event()

    def work(found: list) -> None:
        while not is_done.is_set():
            result = execute_block(block, block.pre_state.copy(), workers=2, strategy="optimistic")
            found.append(result.receipts == expected)

    results: list[list[bool]] = [[], []]
    threads = [threading.Thread(target=work, args=(found,)) for found in results]
    for thread in threads:
        thread.start()
    while min(map(len, results)) < 5:
        empty_caches()
        caches()
    is_done.set()
    for thread in threads:
        thread.join()
    assert all(map(all, results))
