"""What has to hold of a call: nothing changed if it failed, nothing kept, the same in every way that it can be made.

Each function raises AssertionError where a promise is broken. Self-contained: what a failing program uses of this file is
printed with it.
"""

from __future__ import annotations

import copy
import operator
import pickle
import random
import time
from dataclasses import replace

from evmcore import (
    BlockResult,
    Changes,
    EvmError,
    Header,
    InvalidBlock,
    InvalidTransaction,
    MissingState,
    State,
    Transaction,
    assemble,
    call,
    execute_block,
    execute_stateless,
    transact,
)

from .harness import IS_SANITIZED, attempt, interrupted, raised_at, resident, threads_now
from .hostile import PlainBytes, source_of
from .world import A, D, accounts, header


def stormed(rounds, longest, change, state, seed=1):
    """Call it on copies of a state again and again, each time interrupted at another moment; no thread stays behind.

    longest  seconds
    """
    chance = random.Random(seed)
    attempt(lambda: change(state.copy()))
    before = threads_now()
    for _ in range(rounds):
        attempt(lambda: interrupted(chance.random() * longest + 1e-5, lambda: change(state.copy())))
    assert threads_now() <= before + 12, f"{threads_now() - before} more threads after {rounds} signals"


def everywhere(change, state, first):
    """Raise at each of some calls within; after that no snapshot is open, and copies share the state's memory."""
    for n in range(first, first + 25):
        attempt(lambda n=n: raised_at(n, lambda: change(state)))
    cheap_copies(state)


def unchanged(state, thunk):
    """A call that fails leaves the state as it was."""
    root, dump = state.root(), state.to_alloc()
    try:
        return thunk()
    except BaseException:
        assert state.root() == root, "a failed call changed the state's root"
        assert state.to_alloc() == dump, "a failed call changed the state"
        raise


def whole(state, change, how):
    """`change(state)`, called by `how`, is made as a whole or not at all. How may interrupt it."""
    other = state.copy()
    before = state.root()
    attempt(lambda: change(other))
    after = other.root()
    try:
        how(lambda: change(state))
    finally:
        assert state.root() in (before, after), "a call was made in part"


def light(thunk, most=60):
    """A call keeps no more than so many MiB. Sanitizers keep what is freed."""
    before = resident()
    kept = thunk()
    assert IS_SANITIZED or resident() - before < most, f"keeps {resident() - before:.0f} MiB"
    return kept


def cheap_copies(state):
    """No snapshot is open that nobody asked for: copies share the state's memory."""
    size = state.size_bytes
    light(lambda: [state.copy() for _ in range(max(4, 2**27 // size))])


def steady(state, change, rounds=60):
    """Changes that are undone each time leave the state no larger. `change(i)` makes another one each time."""

    def undone(i):
        snapshot = state.snapshot()
        try:
            attempt(lambda: change(i))
        finally:
            state.revert(snapshot)

    for i in range(8):
        undone(i)
    size = state.size_bytes
    for i in range(8, rounds):
        undone(i)
    assert state.size_bytes <= size * 1.2 + 8192, f"grew from {size} to {state.size_bytes} bytes by what was undone"


def reads_back(state, address, value):
    """A number that is written reads back as what it was worth as a plain int."""
    state.set_balance(address, value)
    worth = int.__add__(value, 0) if isinstance(value, int) else value
    worth = int(worth, 16 if worth[:2] == "0x" else 10) if isinstance(worth, str) else operator.index(worth)
    have = state.get_balance(address)
    assert have == worth, f"{have} reads back in place of {worth}"


def fetched(change, is_undone, address):
    """What programs see of an account is the same on a whole state and on fetched ones, after the same changes."""
    fresh = accounts()
    slot = assemble("PUSH 1 SLOAD PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")
    fresh[D] = {"balance": 3, "nonce": 7, "code": slot, "storage": {1: 9, 2: 8}}

    def seen(state):
        snapshot = state.snapshot()
        came = attempt(lambda: change(state))[0]
        if is_undone:
            state.revert(snapshot)
        look = assemble(
            f"PUSH20 0x{address.hex()} DUP1 BALANCE PUSH 0 MSTORE DUP1 EXTCODESIZE PUSH 32 MSTORE EXTCODEHASH PUSH 64 MSTORE"
            " PUSH 96 PUSH 0 RETURN"
        )
        return came, call(state, header(), data=look).output.hex(), call(state, header(), to=D).output.hex()

    want = seen(State(fresh))
    for state in (State(source=source_of(State(fresh))), State({A: fresh[A]}, strict=True)):
        try:
            have = seen(state)
        except MissingState:
            continue
        assert have[0] == "MissingState" or have == want, f"a fetched state shows {have} in place of {want}"


def proportional(make, use):
    """Four times as much takes about four times as long, not sixteen. CPU seconds of this thread."""
    seconds = []
    for n in (300, 1200):
        given = make(n)
        began = time.thread_time()
        use(given, n)
        seconds.append(time.thread_time() - began)
    assert seconds[1] < 0.3 or seconds[1] < 9 * seconds[0], (
        f"{seconds[0]:.2f} s, and {seconds[1]:.2f} s for four times as much"
    )


def shown(made):
    """A transaction's own parts make it again, and so do its bytes."""
    assert Transaction.decode(made.encode()).encode() == made.encode(), "encoding, decoding and encoding again differ"
    members = {
        name: getattr(made, name) for name in ("nonce", "to", "value", "data", "gas_limit", "access_list", "type")
    }
    again = Transaction.decode(made.encode())
    for name, value in members.items():
        assert getattr(again, name) == value, f"{name} is {value!r}, and {getattr(again, name)!r} after decoding"
    return made


def same_after_copies(made):
    """Copies and pickles are equal, or refused with a reason."""
    for way in (copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))):
        other = way(made)
        assert (type(other), other.hash) == (type(made), made.hash), "a copy differs"


def agree(use):
    """With an honest subclass of bytes the same comes out as with bytes."""
    want = use(bytes)
    try:
        have = use(PlainBytes)
    except Exception as error:
        raise AssertionError(f"a subclass of bytes is refused: {error}") from error
    assert have == want, f"{have} with a subclass of bytes, {want} with bytes"


def costs(tx, most, on):
    """A refusal for insufficient funds tells the whole cost."""
    try:
        transact(tx, State({A: {"balance": 1}}), on)
    except InvalidTransaction as error:
        said = error
    else:
        return
    if said.status == "INSUFFICIENT_FUNDS":
        assert said.want >= min(most, 2**256 - 1), f"may cost {most}, not {said.want}"


def refused(thunk):
    """It gives a result, or an EvmError and no other exception."""
    try:
        thunk()
    except EvmError:
        pass
    except Exception as error:
        raise AssertionError(f"{type(error).__name__} in place of an EvmError: {error}") from error


def outcome(block, state, **how):
    """What a block came to: its consensus values and the state's root, or why it is refused."""
    try:
        result = execute_block(block, state, **how)
    except (InvalidTransaction, InvalidBlock) as error:
        return type(error).__name__, error.status, error.index, state.root()
    return (
        [getattr(result, name) for name in BlockResult.CONSENSUS if name != "state_root"],
        result.state_root,
        state.root(),
    )


def agreeing(block, state, workers):
    """Each strategy gives what the sequential one does, and none changes the state that it works on a copy of."""
    before = state.root()
    want = outcome(block, state.copy(), workers=1, strategy="sequential")
    for strategy in ("auto", "optimistic", "groups"):
        have = outcome(block, state.copy(), workers=workers, strategy=strategy)
        assert have == want, f"{strategy} with {workers} workers: {have} in place of {want}"
    assert state.root() == before, "a copy's block changed the state"


def recorded(block, change):
    """By accesses, whatever they are, a block comes out as it does, or they are refused."""
    state = State(accounts())
    want = outcome(block, state.copy(), workers=1, state_roots=False)
    result = execute_block(block, state.copy(), workers=1, record=True, state_roots=False)
    for strategy in ("recorded", "recorded-hint"):
        on = state.copy()
        try:
            given = change(result.accesses)
            have = outcome(block, on, workers=2, strategy=strategy, accesses=given, state_roots=False)
        except BaseException:
            assert on.root() == state.root(), "refused accesses changed the state"
            if strategy == "recorded-hint":
                raise
            continue
        assert have == want, f"{strategy}: {have} in place of {want}"


def fetched_block(block, given):
    """A block comes out the same on a state that is fetched."""
    whole_state = State(given)
    want = outcome(block, whole_state.copy(), workers=1, state_roots=False)[0]
    for workers in (1, 2):
        have = outcome(block, State(source=source_of(whole_state)), workers=workers, state_roots=False)[0]
        assert have == want, f"fetched: {have} in place of {want}"


def junk():
    """Memory that was freed is given out again, and looked at: nobody else may have written to it."""
    kept = [bytes([0]) * 31 + bytes(1) for _ in range(20000)]
    time.sleep(0.01)
    assert all(one == bytes(32) for one in kept), "memory that is not its own was written to"


def few_threads(thunk, most=260):
    """Calls leave no more threads behind than the largest number of workers."""
    thunk()
    assert threads_now() < most, f"{threads_now()} threads stay"


def changes_of(block, state):
    return execute_block(block, state.copy(), changes=True).changes


def applied(block, state, workers=1):
    """A block's changes, applied to the state before it, give the state after it; undone, the one before."""
    after, other = state.copy(), state.copy()
    result = execute_block(block, after, workers=workers, changes=True)
    changes = Changes.decode(result.changes.encode())
    assert changes == result.changes, "changes don't come back from their bytes"
    root = other.root()
    other.apply(changes)
    assert other.root() == after.root(), "a block's changes give another state than the block"
    other.apply(changes.inverse())
    assert other.root() == root, "the inverse of a block's changes doesn't undo them"


def stateless(block, state, workers=1, how=None):
    """On its witness alone a block comes to the same. `how` may change the witness: the same then, or an error."""
    parent = Header(number=block.header.number - 1, state_root=state.root(), fork="Frontier")
    block = replace(block, header=replace(block.header, parent_hash=parent.hash, block_hashes={}))
    after = state.copy()
    result = execute_block(block, after, workers=workers, witness=True, ancestors=[parent])
    witness = result.witness if how is None else how(result.witness)
    other = execute_stateless(block, witness)
    assert other.state_root == after.root(), "on its witness a block gives another state"
    assert [one.encode() for one in other.receipts] == [one.encode() for one in result.receipts], "other receipts"
