"""Large states that are freed, compacted or taken back while other threads of Python go on."""

from __future__ import annotations

import sys
import threading
from functools import partial

import pytest
from test_state_merging import address, filled, ticks_while

from evmcore import Block, Changes, State, execute_block
from evmcore.example import EXAMPLE_FILE

FEW = 40_000
MANY = 150_000


@pytest.fixture
def unasked():
    """No thread has the GIL taken from it: another one runs only when it is let go."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(100)
    yield
    sys.setswitchinterval(before)


def of_slots() -> State:
    state = State()
    for slot in range(MANY):
        state.set_storage(address(1), slot, slot + 1)
    return state


def with_trie(state: State) -> State:
    state.root()
    return state


def others_go_on(make, work) -> bool:
    """Whether another thread ran meanwhile, of some times once: it has to be awake by then."""
    return any(ticks_while(partial(work, make()))[0] for _ in range(20))


@pytest.mark.parametrize(
    "make",
    [
        lambda: filled(State(), 0, 3 * MANY),
        lambda: with_trie(filled(State(), 0, MANY)),
        lambda: with_trie(of_slots()),
        lambda: with_trie(filled(State(), 0, MANY)).trie(),
        lambda: with_trie(filled(State(), 0, MANY).copy()),
        lambda: with_trie(filled(State(), 0, MANY)).items(),
    ],
    ids=["accounts", "trie", "slots", "StateTrie", "copy", "items"],
)
def test_other_threads_go_on_while_a_state_is_freed(unasked, make):
    assert others_go_on(lambda: [make()], list.clear)


def test_other_threads_go_on_while_a_result_frees_its_state(unasked):
    def make():
        block = Block.load(EXAMPLE_FILE)
        return [execute_block(block, with_trie(filled(block.pre_state, 10**9, 10**9 + MANY)))]

    assert others_go_on(make, list.clear)


def deleted(state: State) -> None:
    state.delete_account(address(1))


def reverted(state: State) -> None:
    state.revert(state.number)


def released(state: State) -> None:
    state.release(state.number)


class Marked(State):
    """A state with a snapshot."""

    number: int


def marked(write) -> Marked:
    state = Marked({address(0): {"balance": 1}})
    state.number = state.snapshot()
    write(state)
    return state


def of_slots_that_go(state: State) -> None:
    for slot in range(MANY):
        state.set_storage(address(1), slot, slot + 1)
    state.delete_account(address(1))


@pytest.mark.parametrize(
    ("make", "end"),
    [
        (of_slots, deleted),
        (lambda: marked(lambda state: filled(state, 1, MANY)), reverted),
        (lambda: marked(of_slots_that_go), released),
    ],
    ids=["delete", "revert", "release"],
)
def test_other_threads_go_on_while_a_state_is_compacted(unasked, make, end):
    def end_it(state: State) -> None:
        before = state.size_bytes
        end(state)
        assert state.size_bytes < before / 100
        assert len(state) <= 1

    assert others_go_on(make, end_it)


def test_other_threads_go_on_while_changes_are_listed_turned_compared_and_freed(unasked):
    def changed(salt: int) -> Marked:
        return marked(lambda state: [state.set_storage(address(1), slot, slot + salt) for slot in range(MANY)])

    def changes(salt: int) -> Changes:
        state = changed(salt)
        return state.changes_since(state.number)

    def listed(made: Changes) -> None:
        assert len(made.slots) == MANY

    listed(changes(1))  # what it imports lets the GIL go
    assert others_go_on(lambda: changes(1), listed)
    assert others_go_on(lambda: changes(1), Changes.inverse)
    same = changes(1)
    assert others_go_on(lambda: changes(1), same.__eq__)
    # A thread has a millisecond to wake while one is freed, so it is given ten in a row.
    state = changed(1)
    assert others_go_on(lambda: [state.changes_since(state.number) for _ in range(10)], list.clear)
    made = changes(1)
    assert made == same
    assert made != changes(2)
    assert made.inverse().inverse() == made
    assert len(made.accounts) == 1
    assert {row.tobytes() for row in made.slots["after"]} == {(slot + 1).to_bytes(32, "big") for slot in range(MANY)}


def test_what_threads_do_to_a_state_that_is_taken_back_and_compacted_is_right():
    for turn in range(6):
        state = filled(State(), 0, 40_000)
        want = state.copy()
        number = state.snapshot()
        filled(state, 40_000, 80_000)
        for slot in range(20_000):
            state.set_storage(address(7), slot, 1)
        seen: list[object] = []
        is_over = threading.Event()

        def watch(state: State = state, seen: list[object] = seen, is_over: threading.Event = is_over) -> None:
            while not is_over.is_set():
                seen.append((state.get_balance(address(50_000)), len(state), state.get_balance(address(0))))
                seen.append(state.copy().get_balance(address(39_999)))

        def write(state: State = state) -> None:
            for value in range(200):
                state.set_balance(address(0), value)

        threads = [threading.Thread(target=watch), *([threading.Thread(target=write)] if turn % 2 else [])]
        for thread in threads:
            thread.start()
        state.revert(number)
        for thread in threads[1:]:
            thread.join()
        is_over.set()
        threads[0].join()
        if turn % 2:
            assert state.get_balance(address(0)) in {1, 199}
            state.set_balance(address(0), 1)
        assert state == want
        assert state.root() == want.root()
        assert {row for row in seen if isinstance(row, int)} <= {40_000}
        assert {row[:2] for row in seen if isinstance(row, tuple)} <= {(50_001, 80_000), (0, 40_000)}
        with pytest.raises(ValueError, match="no such snapshot"):
            state.revert(number)


def test_other_threads_go_on_while_a_trie_is_freed_that_is_not_worth_following(unasked):
    def make() -> State:
        return filled(with_trie(filled(State(), 0, FEW)), 0, FEW)

    def write(state: State) -> None:
        for slot in range(300):  # zero: more cells have changed than there are
            state.set_storage(address(1), slot, 0)

    assert others_go_on(make, write)
    state = make()
    write(state)
    assert state.root() == filled(State(), 0, FEW).root()
