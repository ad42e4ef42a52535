"""What a state keeps: what is live, what can be undone, and of kept results the cells that changed since."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from evmcore import (
    Account,
    Block,
    EvmError,
    Header,
    InvalidTransaction,
    State,
    Transaction,
    assemble,
    execute_block,
    transact,
)
from evmcore.tracing import Tracer

A = bytes([0x11]) * 20
B = bytes([0x22]) * 20
CONTRACT = bytes([0x33]) * 20
HEADER = Header(number=1, fork="Cancun", gas_limit=10**9, base_fee_per_gas=0)


def address(number: int) -> bytes:
    return number.to_bytes(20, "big")


def deployment(number: int, nonce: int = 0, gas: int = 8_000_000) -> Transaction:
    data = assemble(f"PUSH32 0x{number:064x} PUSH 1 MSTORE PUSH2 24576 PUSH 0 RETURN")
    return Transaction(sender=A, nonce=nonce, gas_limit=gas, data=data)


def flat(state: State, step, rounds: int = 600) -> None:
    """Asserts that what the state takes doesn't grow with how often a step is taken."""
    sizes = []
    for n in range(rounds):
        step(n)
        if n % (rounds // 6) == rounds // 6 - 1:
            sizes.append(state.size_bytes)
    assert max(sizes[3:]) <= max(sizes[:3]) + 50_000, sizes


def test_reverted_deployments_leave_no_code_and_no_account():
    state = State({A: {"balance": 10**30}})

    def step(n):
        snapshot = state.snapshot()
        assert transact(deployment(n), state, HEADER).is_success
        state.revert(snapshot)

    step(0)
    before = state.size_bytes
    flat(state, step, 300)
    assert (state.size_bytes, len(state)) == (before, 1)
    outer = state.snapshot()
    flat(state, step, 300)
    state.revert(outer)
    assert list(state) == [A]


def test_failed_transactions_leave_nothing():
    state = State({A: {"balance": 10**30}})

    def step(n):
        with pytest.raises(InvalidTransaction, match="nonce"):
            transact(deployment(n, nonce=7), state, HEADER)
        snapshot = state.snapshot()
        transact(deployment(n, gas=100_000), state, HEADER)
        state.revert(snapshot)

    flat(state, step)


def test_replaced_codes_go():
    state = State({A: {"balance": 1}})
    flat(state, lambda n: state.set_code(A, n.to_bytes(2000, "big")))
    assert state.size_bytes < 20_000
    snapshot = state.snapshot()
    state.set_code(A, b"\1" * 2000)
    state.revert(snapshot)
    assert state.get_code(A) == (599).to_bytes(2000, "big")


def test_destroyed_accounts_and_their_slots_go():
    state = State({A: {"balance": 1}})

    def step(n):
        state.set_account(address(n + 1), {"code": b"\1" * 500, "storage": {k: k + 1 for k in range(20)}})
        state.delete_account(address(n + 1))

    flat(state, step)
    assert list(state) == [A]


def test_slots_that_come_and_go_leave_nothing():
    state = State({A: {"balance": 1, "storage": {1: 1}}})

    def step(n):
        for k in range(20):
            state.set_storage(A, n * 20 + k + 2, 1)
            state.set_storage(A, n * 20 + k + 2, 0)

    flat(state, step)
    assert state.storage(A) == {1: 1}


def test_contracts_that_destroy_themselves_in_blocks_leave_nothing():
    """Created, filled and destroyed in one transaction, as gas tokens did; before London and after."""
    init = assemble("PUSH 1 PUSH 1 SSTORE PUSH 0 SELFDESTRUCT")
    for fork in ("Berlin", "Cancun"):
        header = Header(number=1, fork=fork, gas_limit=10**9, base_fee_per_gas=None if fork == "Berlin" else 0)
        state = State({A: {"balance": 10**30}})

        def step(n, state=state, header=header):
            txs = [
                Transaction(sender=A, nonce=20 * n + k, gas_limit=100_000, gas_price=1, data=init) for k in range(20)
            ]
            execute_block(Block(header, txs), state, workers=1 + n % 2)

        flat(state, step, 120)
        assert set(state) <= {A, bytes(20)}


def test_what_was_large_before_a_revert_gives_its_memory_back():
    state = State({A: {"balance": 1}})
    before = state.size_bytes
    snapshot = state.snapshot()
    for n in range(40_000):
        state.set_storage(A, n, 1)
    assert state.size_bytes > before + 4_000_000
    state.revert(snapshot)
    assert state.size_bytes < before + 2_000_000


def test_a_strict_state_keeps_what_it_knows_to_be_absent():
    state = State({A: {"balance": 1}}, strict=True)
    for n in range(2000):
        state.set_storage(A, n, 0)
        state.delete_account(address(n + 1))
    assert [state.get_storage(A, n) for n in range(2000)] == [0] * 2000
    assert not any(state.exists(address(n + 1)) for n in range(2000))


# ---------------------------------------------------------------- snapshots


def test_snapshot_numbers_are_never_given_twice():
    state, other = State({A: {"balance": 1}}), State({A: {"balance": 5}})
    stale = state.snapshot()
    state.revert(stale)
    mine = state.snapshot()
    theirs = other.snapshot()
    copy = state.copy()
    copied = copy.snapshot()
    assert len({stale, mine, theirs, copied}) == 4
    state.set_balance(A, 2)
    for wrong in (stale, theirs, copied, 0, 2**64 - 1):
        for take in (state.revert, state.release):
            with pytest.raises(ValueError, match=f"no such snapshot: {wrong}"):
                take(wrong)
    assert (state.get_balance(A), other.get_balance(A), copy.get_balance(A)) == (2, 5, 1)
    state.revert(mine)
    assert state.get_balance(A) == 1


def test_snapshots_survive_a_write_while_others_hold_the_state():
    """A list of a state's accounts shares its data, so that the next write goes to a copy, which can be undone as before."""
    state = State({A: {"balance": 1, "storage": {1: 1}}})
    snapshot = state.snapshot()
    state.set_storage(A, 1, 2)
    items = state.items()
    state.set_storage(A, 2, 2)
    state.set_code(B, b"\1")
    state.revert(snapshot)
    assert dict(state.items()) == {A: Account(1, storage={1: 1})}
    assert dict(items) == {A: Account(1, storage={1: 2})}


# ---------------------------------------------------------------- kept results


def block_of(nonce: int, to: bytes | None = B, data: bytes = b"") -> Block:
    tx = Transaction(sender=A, to=to, nonce=nonce, gas_limit=500_000, gas_price=1, data=data)
    return Block(Header(number=1, fork="Berlin", gas_limit=10**9), (tx,))


COUNTER = assemble("CALLDATASIZE PUSH 0 SLOAD PUSH 1 ADD DUP1 PUSH 0 SSTORE SSTORE")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_kept_result_s_state_root_is_that_after_its_block_whenever_it_is_asked(workers):
    def changes(state: State, n: int) -> None:
        """All that may happen to a state after a block."""
        state.set_storage(CONTRACT, 7, n)
        state.set_storage(CONTRACT, 8 + n, 1)
        if n % 3 == 0:
            state.delete_account(CONTRACT)
            state.set_account(CONTRACT, {"code": COUNTER, "nonce": n, "storage": {0: n, 3: 3}})
        if n % 4 == 1:
            state.set_account(address(n), {"balance": n, "storage": {1: 1}})
        if n % 4 == 3:
            state.delete_account(address(n - 2))
        snapshot = state.snapshot()
        state.set_code(B, bytes([n, n]))
        state.set_account(address(100 + n), {"storage": {n: n}})
        state.set_storage(CONTRACT, 0, 0)
        state.revert(snapshot)

    state = State({A: {"balance": 10**20}, CONTRACT: {"code": COUNTER, "storage": dict.fromkeys(range(5), 1)}})
    outer = state.snapshot()
    results, roots = [], []
    for n in range(24):
        state.set_balance(bytes([0x77]) * 20, n)
        result = execute_block(block_of(n, CONTRACT, bytes(n)), state, workers=workers, strategy="optimistic")
        roots.append(state.copy().root())
        changes(state, n)
        # Some are kept, some dropped, some asked at once or later, so that chains of them end anywhere.
        results.append(result if n % 5 != 2 else None)
        if n % 7 == 3 and results[n // 2] is not None:
            assert results[n // 2].state_root == roots[n // 2]
            results[n // 2] = None
    state.revert(outer)
    for n, result in enumerate(results):
        if result is not None:
            assert result.state_root == roots[n]
    assert state == State({A: {"balance": 10**20}, CONTRACT: {"code": COUNTER, "storage": dict.fromkeys(range(5), 1)}})


def test_a_result_outlives_its_state_and_the_state_may_be_shared():
    state = State({A: {"balance": 10**20}})
    result = execute_block(block_of(0), state)
    root = state.root()
    copy = state.copy()
    execute_block(block_of(1), copy)
    state.set_balance(A, 3)
    del state, copy
    assert result.state_root == root


SPINNER = assemble("PUSH3 1500000 again: PUSH 1 SWAP1 SUB DUP1 PUSH @again JUMPI")


def test_a_result_s_root_waits_for_the_block_that_is_at_work_and_its_callbacks_are_told_so():
    header = Header(number=1, fork="Berlin", gas_limit=10**9)
    state = State({A: {"balance": 10**20}, CONTRACT: {"code": SPINNER}})
    first = execute_block(block_of(0), state, workers=1)
    root = state.root()
    long = Block(header, [Transaction(sender=A, to=CONTRACT, nonce=1, gas_limit=10**8, gas_price=1)])
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(execute_block, long, state, workers=1)
        assert first.state_root == root
        assert second.result().state_root == state.root() != root

    class Asks(Tracer):
        def on_enter(self, start):
            second.result().state_root  # known
            third.state_root

    third = execute_block(block_of(2), state, workers=1)
    root = state.root()
    with pytest.raises(EvmError, match="in use by the execution that has called this"):
        transact(block_of(3).transactions[0], state, header, tracer=Asks())
    assert third.state_root == root == state.root()


def test_a_signal_handler_that_asks_for_the_root_that_is_being_made_is_told_so():
    """It waited for the thread that it had interrupted."""
    state = State({address(n + 1): {"balance": 1} for n in range(400_000)} | {A: {"balance": 10**20}})
    result = execute_block(block_of(0), state, workers=1)
    told = []

    def handler(*_):
        try:
            told.append(result.state_root)
        except EvmError as error:
            told.append(str(error))

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    try:
        root = result.state_root
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert root == state.root()
    assert set(told) - {root} == {"the state root is being made, which has called this"}


def test_a_kept_result_does_not_make_the_next_block_copy_the_state():
    state = State({address(n + 1): {"balance": 1} for n in range(50_000)})
    state.set_balance(A, 10**20)
    before = state.size_bytes
    kept = [execute_block(block_of(n), state, workers=1) for n in range(50)]
    assert state.size_bytes < before + 200_000  # images of a few cells each
    roots = {result.state_root for result in kept[-2:]}
    assert len(roots) == 2


def test_one_kept_result_holds_one_image_a_cell_over_many_blocks():
    state = State({A: {"balance": 10**20}, CONTRACT: {"code": COUNTER}})
    kept = execute_block(block_of(0, CONTRACT), state, workers=1)
    root = state.root()

    def step(n):
        snapshot = state.snapshot()
        execute_block(block_of(n + 1, CONTRACT), state, workers=1)
        transact(deployment(n, nonce=n + 2), state, HEADER)
        state.revert(snapshot)
        execute_block(block_of(n + 1, CONTRACT), state, workers=1)

    flat(state, step, 300)
    assert kept.state_root == root


def test_listing_a_state_takes_one_pass_over_its_slots():
    """It took one an account: 3,000 accounts of 30 slots were seconds."""
    import time

    state = State({address(n + 1): {"storage": dict.fromkeys(range(30), 1)} for n in range(3000)})
    other = State(state.to_alloc())
    began = time.thread_time()
    assert len(state.to_alloc()) == 3000
    assert state == other
    assert sum(len(state.storage(each)) for each in state) == 90_000
    assert time.thread_time() - began < 4


def test_a_receipt_before_byzantium_has_no_status():
    state = State({A: {"balance": 10**20}})
    block = Block(Header(number=1, fork="Homestead", gas_limit=10**7), block_of(0).transactions)
    for options in ({}, {"state_roots": False}):
        [receipt] = execute_block(block, state.copy(), workers=1, **options).receipts
        assert receipt.status is None
        assert receipt.is_success
        assert (receipt.state_root is None) == (not options.get("state_roots", True))
