"""A block access list applied to a state: the state before each of its indices, and whatever a list says, a state that can be."""

from __future__ import annotations

import pytest
from hard_blocks import hard_block

from evmcore import Accesses, BlockAccessList, Changes, EvmError, MissingState, Piece, State, execute_block, rlp

A, B = b"\xaa" * 20, b"\xbb" * 20
# Before accounts that stay empty were deleted, which a list doesn't tell of.
OLD = ("Frontier", "Homestead", "Tangerine Whistle")


def listed(address=A, slots=(), reads=(), balances=(), nonces=(), codes=()):
    """The list of one account: changes are (index, value)."""

    def changes(pairs):
        return [[rlp.number(index), value if isinstance(value, bytes) else rlp.number(value)] for index, value in pairs]

    storage = [[rlp.number(slot), changes(pairs)] for slot, pairs in slots]
    reads = [rlp.number(slot) for slot in reads]
    return BlockAccessList.decode(
        rlp.encode([[address, storage, reads, changes(balances), changes(nonces), changes(codes)]])
    )


def test_a_list_leads_to_the_state_before_each_transaction():
    """Of hard blocks, those that delete accounts among them."""
    compared = 0
    for seed in range(60):
        block = hard_block(seed, size=12, flaw=None)
        try:
            whole = execute_block(block, block.pre_state.copy(), workers=1, access_list=True, state_roots=False)
        except EvmError:
            continue
        fork = block.header.fork
        state, count = block.pre_state.copy(), len(block.transactions)
        last = execute_block(block, state, workers=1, state_roots=False, piece=Piece(0, 0, begins=True))
        for index in range(count + 1):
            found = block.pre_state.copy()
            found.apply(whole.access_list, below=index + 1, fork=fork)
            if fork not in OLD:
                assert found.to_alloc() == state.to_alloc(), (seed, index, fork)
                compared += 1
            if index < count:
                last = execute_block(block, state, workers=1, state_roots=False, piece=Piece.after(last, index + 1))
        found = block.pre_state.copy()
        found.apply(whole.access_list, fork=fork)
        after = block.pre_state.copy()
        execute_block(block, after, workers=1, state_roots=False)
        if fork not in OLD:
            assert found.root() == after.root(), seed
    assert compared > 200


def test_an_index_ends_what_is_applied():
    given = listed(
        slots=[(1, [(1, 5), (3, 0), (4, 9)]), (7, [(4, 1)])],
        balances=[(2, 10), (4, 0)], nonces=[(1, 1), (5, 2)], codes=[(3, b"\x60")],
    )  # fmt: skip
    state = State({A: {"balance": 3, "storage": {1: 4, 2: 8}}})
    seen = []
    for below in range(7):
        own = state.copy()
        own.apply(given, below=below)
        seen.append(
            (own.get_balance(A), own.get_nonce(A), own.get_code(A), own.get_storage(A, 1), own.get_storage(A, 7))
        )
        assert own.get_storage(A, 2) == 8
    assert seen == [
        (3, 0, b"", 4, 0), (3, 0, b"", 4, 0), (3, 1, b"", 5, 0), (10, 1, b"", 5, 0), (10, 1, b"\x60", 0, 0),
        (0, 1, b"\x60", 9, 1), (0, 2, b"\x60", 9, 1),
    ]  # fmt: skip
    whole = state.copy()
    whole.apply(given)
    assert whole == own
    assert state.to_alloc() == State({A: {"balance": 3, "storage": {1: 4, 2: 8}}}).to_alloc()


def test_an_account_that_loses_its_code_loses_its_storage_before_cancun():
    state = State({A: {"balance": 3, "nonce": 1, "code": b"\x60", "storage": {1: 4, 2: 8}}})
    gone = listed(slots=[(1, [(1, 6)])], balances=[(2, 0)], nonces=[(2, 0)], codes=[(2, b"")])
    again = listed(slots=[(1, [(1, 6), (3, 7)])], nonces=[(2, 0), (3, 1)], codes=[(2, b""), (3, b"\x61")])
    for given, fork, left in (
        (gone, "Shanghai", {}),
        (again, "Shanghai", {1: 7}),
        (again, "Cancun", {1: 7, 2: 8}),
        (again, None, {1: 7, 2: 8}),
    ):
        own = state.copy()
        own.apply(given, fork=fork)
        assert {slot: own.get_storage(A, slot) for slot in (1, 2) if own.get_storage(A, slot)} == left
        assert own.exists(A) == bool(left)
        assert State.from_bytes(own.to_bytes()).root() == own.root()


def test_a_list_that_lies_leaves_a_state_that_can_be():
    """Slots of an account that isn't there, of one that ends, of one that was never known."""
    for state, given in (
        (State(), listed(slots=[(1, [(1, 5)])])),
        (State({A: {"balance": 1}}), listed(slots=[(1, [(1, 5)])], balances=[(1, 0)])),
        (State({A: {"balance": 1, "storage": {3: 3}}}), listed(slots=[(1, [(1, 5)])], balances=[(1, 0)])),
        (State(), listed(balances=[(1, 0)], nonces=[(2, 0)], codes=[(3, b"")])),
        (State({A: {"balance": 2**256 - 1}}), listed(reads=[1], nonces=[(2**32 - 1, 2**64 - 1)])),
    ):
        own = state.copy()
        own.apply(given)
        assert State.from_bytes(own.to_bytes()).root() == own.root() == State(own.to_alloc()).root()
        back = own.copy()
        start = back.snapshot()
        back.apply(given)
        back.revert(start)
        assert back == own


def test_all_or_nothing_of_a_state_that_lacks_something():
    state = State({A: {"balance": 1, "storage": {1: 1}}}, strict=True)
    before = state.get_balance(A)
    entry = [A, [], [], [[b"\1", b"\5"]], [], []]
    other = [B, [], [], [[b"\1", b"\5"]], [], []]
    with pytest.raises(MissingState) as error:
        state.apply(BlockAccessList.decode(rlp.encode([entry, other])))
    assert error.value.address == B
    assert state.get_balance(A) == before
    state.apply(BlockAccessList.decode(rlp.encode([entry])))
    assert state.get_balance(A) == 5


def test_a_lazy_state_fetches_what_the_list_names():
    asked = []

    def source(keys):
        asked.append(keys)
        return {key: {"balance": 1, "nonce": 1} if key[1] is None else 0 for key in keys}

    state = State(source=source)
    state.apply(listed(slots=[(1, [(1, 5)])], balances=[(2, 7)]))
    assert (state.get_balance(A), state.get_nonce(A), state.get_storage(A, 1)) == (7, 1, 5)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"below": -1}, (ValueError, OverflowError), "below"),
        ({"below": 2**32}, (ValueError, OverflowError), "below"),
        ({"below": "1"}, TypeError, "below"),
        ({"fork": "Nowhere"}, ValueError, "Nowhere"),
        ({"fork": b"Cancun"}, (TypeError, ValueError), "Cancun"),
    ],
)
def test_what_is_no_index_or_fork_is_refused(options, error, said):
    state = State({A: {"balance": 3}})
    with pytest.raises(error, match=said):
        state.apply(listed(balances=[(1, 9)]), **options)
    assert state.get_balance(A) == 3


def test_an_index_is_of_a_list_alone():
    state = State({A: {"balance": 3}})
    for changes in (Accesses(), Changes.decode(Changes.joined([]).encode())):
        for option in ({"below": 1}, {"fork": "Cancun"}):
            with pytest.raises(TypeError, match=next(iter(option))):
                state.apply(changes, **option)
    with pytest.raises(TypeError, match="expected Changes, BlockAccessList or Accesses, got dict"):
        state.apply({})


def test_counts_of_changes():
    given = listed(
        slots=[(1, [(1, 5), (3, 0)]), (2, [(3, 1)])],
        reads=[9],
        balances=[(0, 1), (3, 2)],
        nonces=[(3, 1)],
        codes=[(9, b"\1")],
    )
    assert given.change_counts(2) == [(1, 0), (0, 1), (0, 0), (2, 2)]
    assert given.change_counts(0) == [(1, 0), (0, 1)]
    with pytest.raises((ValueError, OverflowError)):
        given.change_counts(-1)
