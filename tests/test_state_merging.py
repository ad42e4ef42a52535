"""Layers of copies that are merged or copied while other threads of Python go on."""

from __future__ import annotations

import threading
import time

import pytest

from evmcore import Block, EvmError, State, execute_block
from evmcore.example import EXAMPLE_FILE

MANY = 200_000


def address(number: int) -> bytes:
    return number.to_bytes(20, "big")


def filled(state: State, first: int, last: int) -> State:
    for number in range(first, last):
        state.set_balance(address(number), number + 1)
    return state


def due() -> tuple[State, State]:
    """A state and a copy of it that has more of its own: who writes a copy of that one merges them first."""
    base = filled(State(), 0, MANY - 1000)
    return base, filled(base.copy(), MANY - 1000, 2 * MANY)


def under_snapshot() -> tuple[State, State]:
    """A state with a snapshot open, and as much written since."""
    base = filled(State(), 0, 100)
    base.snapshot()
    return base, filled(base, 100, MANY)


def ticks_while(work) -> tuple[int, float]:
    """How often another thread ran while `work` did, and the seconds that it took."""
    ticks = 0
    is_done = False

    def tick() -> None:
        nonlocal ticks
        while not is_done:
            ticks += 1
            time.sleep(0.0005)

    thread = threading.Thread(target=tick)
    thread.start()
    while ticks == 0:
        time.sleep(0.001)
    before, began = ticks, time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    found = ticks - before
    is_done = True
    thread.join()
    return found, seconds


@pytest.mark.parametrize("make", [due, under_snapshot])
def test_other_threads_go_on_while_layers_are_merged(make):
    kept, state = make()
    other = state.copy() if make is due else None

    def work() -> None:
        made = other or state.copy()
        made.set_balance(address(5), 1)

    ticks, seconds = ticks_while(work)
    assert seconds > 0.004, "too little to tell"
    assert ticks >= 2, f"{ticks} in {seconds} s"
    del kept


def test_writes_of_threads_that_meet_a_merge_are_all_there():
    base, state = due()
    for turn in range(3):
        held = state.copy()
        barrier = threading.Barrier(4)

        def write(number: int, value: int = turn + 7, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            state.set_balance(address(number), value)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [state.get_balance(address(number)) for number in range(4)] == [turn + 7] * 4
        assert held.get_balance(address(0)) != turn + 7
        assert held.get_balance(address(2 * MANY - 1)) == state.get_balance(address(2 * MANY - 1)) == 2 * MANY
        filled(state, 2 * MANY, 3 * MANY)
    assert base.get_balance(address(0)) == 1


def test_snapshots_that_meet_a_merge_go_back_to_where_they_were_made():
    _base, state = due()
    held = state.copy()
    numbers = []
    barrier = threading.Barrier(3)

    def snapshot() -> None:
        barrier.wait()
        numbers.append(state.snapshot())

    threads = [threading.Thread(target=snapshot) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state.set_balance(address(0), 99)
    assert len(set(numbers)) == 3
    state.revert(min(numbers))
    assert state == held


def test_a_layer_that_outlived_its_base_is_merged_for_a_block():
    block = Block.load(EXAMPLE_FILE)
    expected = execute_block(block, block.pre_state.copy()).state_root
    base = block.pre_state.copy()
    state = filled(base.copy(), 10**9, 10**9 + 40_000)
    del base
    refused = []

    def read() -> None:
        for _ in range(1000):
            try:
                state.get_balance(address(10**9))
            except EvmError as error:
                refused.append(str(error))

    thread = threading.Thread(target=read)
    thread.start()
    result = execute_block(block, state)
    thread.join()
    assert all("in use by execute_block" in text for text in refused)
    for number in range(10**9, 10**9 + 40_000):
        state.delete_account(address(number))
    assert state.root() == expected != result.state_root
