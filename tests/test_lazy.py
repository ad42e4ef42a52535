"""States that are fetched as they are needed: the source is asked in batches, and the result is that of a whole state."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hard_blocks import hard_block
from helpers import shared

from evmcore import (
    Block,
    EvmError,
    ExecutionWitness,
    Header,
    MissingNode,
    MissingState,
    State,
    Transaction,
    assemble,
    call,
    execute_block,
    message,
    run,
    simulate_many,
    transact,
)
from evmcore._core import prefetch

SENDER = bytes([0x11]) * 20
CONTRACT = bytes([0x22]) * 20
HEADER = Header(number=1, fork="London", base_fee_per_gas=0)


class Source:
    """Answers out of a whole state, and counts."""

    def __init__(self, state: State, latency_seconds: float = 0):
        self.state = state
        self.latency_seconds = latency_seconds
        self.calls: list[list] = []

    def __call__(self, keys):
        self.calls.append(keys)
        time.sleep(self.latency_seconds)
        return {key: self.state.get_account(key[0]) if key[1] is None else self.state.get_storage(*key) for key in keys}


def test_a_block_on_a_lazy_state_gives_what_it_gives_on_a_whole_one():
    for seed in range(40):
        block = hard_block(seed, size=16, flaw=None)
        source = Source(block.pre_state)
        try:
            whole = execute_block(block, block.pre_state.copy(), workers=1)
        except EvmError as error:
            with pytest.raises(type(error)):
                execute_block(block, State(source=source), workers=2)
            continue
        lazy = execute_block(block, State(source=source), workers=2)
        assert [receipt.encode() for receipt in lazy.receipts] == [receipt.encode() for receipt in whole.receipts]
        assert lazy.statistics.fetched_keys == sum(len(keys) for keys in source.calls)


def test_misses_are_asked_for_in_batches():
    block = Block.load(shared("mainnet-blocks", "13217637.json.gz"))
    source = Source(block.pre_state, latency_seconds=0.001)
    result = execute_block(block, State(source=source), workers=2, state_roots=False)
    assert result.receipts_root == block.header.receipts_root
    assert result.statistics.fetched_keys > 1500
    assert len(source.calls) == result.statistics.fetched_batches < 100


def test_recorded_accesses_need_one_batch():
    block = Block.load(shared("mainnet-blocks", "13217637.json.gz"))
    accesses = execute_block(block, block.pre_state.copy(), workers=1, record=True).accesses
    source = Source(block.pre_state)
    batches, keys = prefetch(block, State(source=source), accesses=accesses)
    assert (batches, keys) == (1, len(source.calls[0]))


def test_no_key_is_asked_for_twice():
    block = hard_block(1, size=16, flaw=None)
    source = Source(block.pre_state)
    execute_block(block, State(source=source), workers=1)
    asked = [key for keys in source.calls for key in keys]
    assert len(asked) == len(set(asked))


def test_calls_and_transactions_fetch_too():
    whole = State(
        {
            SENDER: {"balance": 10**18},
            CONTRACT: {"code": assemble("PUSH 7 SLOAD PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN"), "storage": {7: 42}},
        }
    )
    assert call(State(source=Source(whole)), HEADER, sender=SENDER, to=CONTRACT, gas=100_000).word == 42
    tx = Transaction(to=CONTRACT, gas_limit=100_000, gas_price=1, sender=SENDER)
    state = State(source=Source(whole))
    assert transact(tx, state, HEADER).is_success
    assert state.get_nonce(SENDER) == 1


SCAN = "PUSH 0 again: PUSH 1 ADD DUP1 {} POP DUP1 PUSH2 3000 GT PUSH @again JUMPI PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN"
READS = assemble(SCAN.format("SLOAD"))  # 3,000 slots
ASKS = assemble(SCAN.format("BALANCE"))  # 3,000 accounts
LAZY_CALLS = {
    "call": lambda state: call(state, HEADER, to=CONTRACT, gas=10_000_000).gas_used,
    "message": lambda state: message(state, HEADER, to=CONTRACT, gas=10_000_000).gas_used,
    "transact": lambda state: (
        transact(Transaction(to=CONTRACT, gas_limit=10_000_000, gas_price=0, sender=SENDER), state, HEADER).gas_used
    ),
    "run": lambda state: run(ASKS, gas=10_000_000, state=state, fork="London").gas_used,
}


@pytest.mark.parametrize("how", LAZY_CALLS)
def test_what_a_call_seems_to_miss_is_asked_for_in_few_batches(how):
    """One key at a time, each with a run from the beginning, would take as long as the square of their number."""
    source = Source(
        State({SENDER: {"balance": 1}, CONTRACT: {"code": READS, "storage": dict.fromkeys(range(3000), 1)}})
    )
    assert LAZY_CALLS[how](State(source=source)) == LAZY_CALLS[how](source.state)
    asked = [key for keys in source.calls for key in keys]
    assert len(source.calls) < 20
    assert len(asked) == len(set(asked)) < 3010


def test_keys_that_follow_from_fetched_values_bring_few_others():
    code = assemble("PUSH 5 again: SLOAD DUP1 PUSH @again JUMPI STOP")
    source = Source(State({CONTRACT: {"code": code, "storage": {n: n + 1 for n in range(5, 30)}}}))
    call(State(source=source), HEADER, to=CONTRACT)
    assert sum(map(len, source.calls)) <= 8 * len(source.calls)


def test_a_guess_that_would_go_on_for_ever_ends():
    code = assemble("PUSH 7 SLOAD again: DUP1 ISZERO PUSH @again JUMPI PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")
    source = Source(State({CONTRACT: {"code": code, "storage": {7: 42}}}))
    assert call(State(source=source), HEADER, to=CONTRACT, gas=2**62).word == 42


@pytest.mark.parametrize("refuses", [True, False])
def test_a_source_need_not_have_what_was_guessed(refuses):
    code = assemble("PUSH 1 SLOAD PUSH @end JUMPI PUSH 2 SLOAD POP PUSH 3 SLOAD POP end: PUSH 4 SLOAD POP")
    whole = State({CONTRACT: {"code": code, "storage": {1: 1, 4: 4}}})
    needed = Source(whole)
    others = {(CONTRACT, 2), (CONTRACT, 3)}

    def source(keys):
        if refuses and others & set(keys):
            raise KeyError("not recorded")
        return needed([key for key in keys if key not in others])

    assert call(State(source=source), HEADER, to=CONTRACT) == call(whole, HEADER, to=CONTRACT)


def test_other_errors_of_a_source_that_is_asked_for_a_guess_are_raised():
    def source(keys):
        if len(keys) > 1:
            raise ConnectionError("no node")
        return answers(keys)

    answers = Source(State({CONTRACT: {"code": READS}}))
    with pytest.raises(ConnectionError):
        call(State(source=source), HEADER, to=CONTRACT)


def test_a_source_that_does_not_answer_is_an_error_with_the_key():
    tx = Transaction(to=CONTRACT, gas_limit=100_000, gas_price=1, sender=SENDER)
    with pytest.raises(MissingState) as error:
        transact(tx, State(source=lambda keys: {}), HEADER)
    assert error.value.address == SENDER
    assert error.value.slot is None


def test_an_error_in_the_source_is_the_callers():
    def broken(keys):
        raise ConnectionError("no node")

    block = hard_block(1, size=4, flaw=None)
    with pytest.raises(ConnectionError):
        execute_block(block, State(source=broken))


# ---------------------------------------------------------------- getters

WHOLE = {
    SENDER: {"balance": 10**18, "nonce": 7},
    CONTRACT: {"nonce": 1, "code": b"\x5f", "storage": {7: 42, 8: 43}},
}


def test_getters_fetch_what_the_state_does_not_know():
    source = Source(State(WHOLE))
    state = State(source=source)
    assert (state.get_balance(SENDER), state.get_nonce(SENDER), state.exists(SENDER)) == (10**18, 7, True)
    assert len(source.calls) == 1
    assert (state.get_code(CONTRACT), state.get_storage(CONTRACT, 7)) == (b"\x5f", 42)
    assert state.get_code_hash(CONTRACT) == State(WHOLE).get_code_hash(CONTRACT)
    other = bytes([0x33]) * 20
    assert (other in state, state.get_account(other), state.get_balance(other), state.get_code(other)) == (
        False, None, 0, b"",
    )  # fmt: skip
    account = State(source=source).get_account(CONTRACT)
    assert (account.nonce, account.code, account.is_storage_complete) == (1, b"\x5f", False)
    assert CONTRACT in State(source=source)
    assert State(source=source).get_storage(SENDER, 1) == 0
    assert all(len(keys) == 1 for keys in source.calls)


def test_what_was_written_stays_and_the_rest_is_fetched():
    state = State(source=Source(State(WHOLE)))
    state.set_balance(SENDER, 5)
    state.set_storage(CONTRACT, 7, 1)
    assert (state.get_balance(SENDER), state.get_nonce(SENDER)) == (5, 7)
    assert (state.get_storage(CONTRACT, 7), state.get_storage(CONTRACT, 8)) == (1, 43)
    state.delete_account(CONTRACT)
    assert (state.get_storage(CONTRACT, 8), state.get_code(CONTRACT), CONTRACT in state) == (0, b"", False)


def test_many_keys_are_fetched_in_one_batch():
    source = Source(State(WHOLE))
    state = State(source=source)
    keys = [(SENDER, None), ("0x" + CONTRACT.hex(), None), *((CONTRACT, slot) for slot in range(50))]
    assert state.fetch_keys(keys) == 52
    assert state.fetch_keys(keys) == 0
    assert [state.get_storage(CONTRACT, slot) for slot in (7, 8, 9)] == [42, 43, 0]
    assert [len(keys) for keys in source.calls] == [52]
    assert State().fetch_keys(keys) == 0
    with pytest.raises(MissingState):
        State(strict=True).fetch_keys(keys)
    for wrong in ([(SENDER, -1)], [(SENDER, 2**256)], [(b"\x01", None)], [(SENDER, "x")]):
        with pytest.raises(EvmError):
            state.fetch_keys(wrong)


GETTERS = {
    "get_balance": lambda state: state.get_balance(SENDER),
    "get_nonce": lambda state: state.get_nonce(SENDER),
    "get_code": lambda state: state.get_code(CONTRACT),
    "get_code_hash": lambda state: state.get_code_hash(CONTRACT),
    "get_storage": lambda state: state.get_storage(CONTRACT, 7),
    "get_account": lambda state: state.get_account(CONTRACT),
    "exists": lambda state: state.exists(CONTRACT),
    "in": lambda state: CONTRACT in state,
    "fetch_keys": lambda state: state.fetch_keys([(CONTRACT, 7)]),
}


@pytest.mark.parametrize("getter", GETTERS)
@pytest.mark.parametrize(
    "answer", [ConnectionError("no node"), {}, {(CONTRACT, 7): "x", (CONTRACT, None): 5, (SENDER, None): 5}]
)
def test_what_goes_wrong_in_the_source_of_a_getter_is_raised_and_changes_nothing(getter, answer):
    def source(keys):
        if isinstance(answer, Exception):
            raise answer
        return answer

    state = State(source=source)
    before = state.to_alloc(), len(state)
    wanted = type(answer) if isinstance(answer, Exception) else (MissingState, TypeError, ValueError, EvmError)
    with pytest.raises(wanted):
        GETTERS[getter](state)
    assert (state.to_alloc(), len(state)) == before
    state.set_balance(SENDER, 1)  # and it may be written


def test_a_copy_knows_what_was_fetched_and_keeps_what_it_fetches_to_itself():
    source = Source(State(WHOLE))
    state = State(source=source)
    state.get_balance(SENDER)
    copy = state.copy()
    assert copy.get_nonce(SENDER) == 7
    assert len(source.calls) == 1
    copy.set_balance(SENDER, 1)
    assert copy.get_storage(CONTRACT, 7) == 42
    assert state.get_balance(SENDER) == 10**18
    assert state.storage(SENDER) == {}
    assert len(state) == 1
    assert len(source.calls) == 2


def test_a_snapshot_takes_back_what_a_getter_fetched():
    source = Source(State(WHOLE))
    state = State(source=source)
    snapshot = state.snapshot()
    assert state.get_nonce(SENDER) == 7
    state.revert(snapshot)
    assert len(state) == 0
    assert state.get_nonce(SENDER) == 7
    assert len(source.calls) == 2


def test_a_source_that_reads_its_state_is_not_asked_again_for_it():
    def source(keys):
        with pytest.raises(MissingState):
            state.get_balance(SENDER)
        assert state.get_balance(CONTRACT) == 3
        return dict.fromkeys(keys)

    state = State(source=source)
    state.set_balance(CONTRACT, 3)
    assert state.get_balance(SENDER) == 0


def test_threads_that_read_a_lazy_state_get_its_values():
    whole = State({bytes([0x40, *number.to_bytes(19, "big")]): {"balance": number + 1} for number in range(100)})
    state = State(source=Source(whole, latency_seconds=0.0005))
    addresses = list(whole)

    def read(start):
        return [state.get_balance(address) for address in addresses[start:] + addresses[:start]]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read, (0, 25, 50, 75)))
    for start, values in zip((0, 25, 50, 75), found):
        assert values == [whole.get_balance(address) for address in addresses[start:] + addresses[:start]]


def test_getters_read_a_witness():
    whole = State(WHOLE)
    proofs = [whole.prove(SENDER), whole.prove(CONTRACT, [7])]
    state = State.from_witness(ExecutionWitness.of_proofs(proofs, [b"\x5f"]), whole.root())
    assert (state.get_balance(SENDER), state.get_code(CONTRACT), state.get_storage(CONTRACT, 7)) == (
        10**18,
        b"\x5f",
        42,
    )
    assert state.root() == whole.root()
    with pytest.raises(MissingNode):
        state.get_storage(CONTRACT, 8)


@pytest.mark.parametrize("answer", [None, [1], 5, "x"])
def test_a_source_that_answers_with_no_mapping_is_told_so(answer):
    state = State(source=lambda keys: answer)
    for use in (lambda: state.get_balance(b"\1" * 20), lambda: state.fetch_keys([(b"\1" * 20, 1)])):
        with pytest.raises(TypeError, match=f"source: expected a mapping .*, got {type(answer).__name__}"):
            use()


@pytest.mark.parametrize("answered", [0, 1])
def test_a_source_may_take_keys_out_of_its_list(answered):
    """What it took out was taken for answered, and asked for again, without end."""
    whole = State({SENDER: {"balance": 10**18}, CONTRACT: {"code": assemble("PUSH0 SLOAD"), "storage": {0: 5}}})
    asked = []

    def takes(keys):
        asked.append(len(keys))
        assert len(asked) < 100, "asked without end"
        answers = {}
        while keys:
            address, slot = keys.pop()
            if answered:
                answers[address, slot] = (
                    whole.get_account(address) if slot is None else whole.get_storage(address, slot)
                )
        return answers

    header = Header(number=1, fork="Shanghai", base_fee_per_gas=0)
    block = Block(header, (Transaction(to=CONTRACT, sender=SENDER, gas_limit=50_000, gas_price=0),), withdrawals=())
    uses = (
        lambda state: prefetch(block, state, workers=1),
        lambda state: execute_block(block, state, workers=1),
        lambda state: simulate_many(state, header, [{"to": CONTRACT}]),
        lambda state: state.fetch_keys([(CONTRACT, None), (CONTRACT, 0)]),
        lambda state: state.get_storage(CONTRACT, 0),
    )
    for use in uses:
        asked.clear()
        state = State(source=takes)
        if answered:
            use(state)
            assert state.get_storage(CONTRACT, 0) == 5
        else:
            with pytest.raises(MissingState):
                use(state)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (5, "keys: expected an iterable of .*, got int"),
        (b"ab", "keys: expected an iterable of .*, got bytes"),
        ({CONTRACT: None}, "keys: expected an iterable of .*, got dict"),
        ([CONTRACT], r"keys: expected \(address, slot or None\), got b"),
        ([(CONTRACT,)], r"keys: expected \(address, slot or None\), got \("),
        ([(CONTRACT, 0, 1)], r"keys: expected \(address, slot or None\), got \("),
    ],
)
def test_what_is_no_key_is_named(keys, text):
    with pytest.raises(TypeError, match=text):
        State(source=Source(State())).fetch_keys(keys)
