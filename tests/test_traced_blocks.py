"""Blocks that are traced: what the tracer is told, and that nothing else changes."""

from __future__ import annotations

import io
import json

import pytest
from helpers import ALICE, BOB, CONTRACT, ETHER, OTHER, Stop, header

from evmcore import (
    Account,
    Block,
    EvmError,
    InvalidTransaction,
    MissingState,
    State,
    Tracer,
    Transaction,
    Withdrawal,
    assemble,
    execute_block,
    transact,
)
from evmcore._core import SYSTEM_ADDRESSES
from evmcore.example.generate import make_block
from evmcore.tracing import Eip3155, Recorder

HEADER = header(fork="Cancun")
COUNTS = assemble("PUSH 0 SLOAD PUSH 1 ADD PUSH 0 SSTORE")


def block_of(count: int = 3) -> Block:
    return Block(
        HEADER,
        [Transaction(nonce=n, to=CONTRACT, gas_limit=100_000, gas_price=10**10, sender=ALICE) for n in range(count)],
        withdrawals=[Withdrawal(0, 0, BOB, 5)],
    )


def state() -> State:
    return State({ALICE: {"balance": ETHER}, CONTRACT: {"code": COUNTS, "balance": 1}})


class Tells(Tracer):
    def __init__(self):
        self.told = []

    def on_transaction_start(self, index, transaction):
        self.told.append(("start", index, transaction))

    def on_enter(self, start):
        self.told.append(("enter", start.depth))

    def on_exit(self, end):
        self.told.append(("exit", end.depth))

    def on_transaction_end(self, index, receipt):
        self.told.append(("end", index, receipt))


def test_each_transaction_is_told_before_and_after():
    block, on = block_of(), state()
    tracer = Tells()
    result = execute_block(block, on, tracer=tracer)
    assert result == execute_block(block, state(), workers=1)
    told = []
    for index, (tx, receipt) in enumerate(zip(block.transactions, result.receipts)):
        told += [("start", index, tx), ("enter", 1), ("exit", 1), ("end", index, receipt)]
    assert tracer.told == told
    assert (result.statistics.strategy, result.statistics.workers) == ("sequential", 1)


def test_a_tracer_of_transactions_alone_is_enough_for_a_block_and_none_for_a_transaction():
    class Ends:
        ends = 0

        def on_transaction_end(self, index, receipt):
            assert receipt.is_success
            self.ends += 1

    tracer = Ends()
    execute_block(block_of(5), state(), tracer=tracer)
    assert tracer.ends == 5
    with pytest.raises(TypeError, match="Ends has none of on_enter, on_step, on_exit"):
        transact(block_of().transactions[0], state(), HEADER, tracer=tracer)
    for nothing in (5, object(), Tracer()):
        with pytest.raises(
            TypeError, match="has none of on_enter, on_step, on_exit, on_transaction_start, on_transaction_end"
        ):
            execute_block(block_of(), state(), tracer=nothing)


def test_steps_of_a_block_are_those_of_its_transactions():
    block = make_block()
    whole, each = Recorder(memory=True), Recorder(memory=True)
    result = execute_block(block, block.pre_state.copy(), tracer=whole)
    assert result.receipts_root == block.header.receipts_root
    assert result.state_root == block.header.state_root
    contract = SYSTEM_ADDRESSES["history_contract"]
    assert len(whole.steps) > 1000
    assert contract not in {step.address for step in whole.steps}, "system calls are not told"
    text, binary = io.StringIO(), io.BytesIO()
    for stream in (text, binary):
        execute_block(block, block.pre_state.copy(), workers=1, strategy="sequential", tracer=Eip3155(stream))
    lines = [json.loads(line) for line in text.getvalue().splitlines()]
    assert text.getvalue().encode() == binary.getvalue()
    assert [line["pc"] for line in lines if "pc" in line] == [step.pc for step in whole.steps]
    few = block_of()
    execute_block(few, state(), tracer=(told := Recorder()))
    on = state()
    for tx in few.transactions:
        transact(tx, on, HEADER, tracer=each)
    assert [step._replace(gas=0) for step in told.steps] == [step._replace(gas=0, memory=None) for step in each.steps]


def test_an_eip3155_tracer_of_a_subclass_is_told_of_transactions_too():
    class Numbered(Eip3155):
        def on_transaction_start(self, index, transaction):
            self.write_line(json.dumps({"transaction": index}))

    stream = io.StringIO()
    execute_block(block_of(), state(), tracer=Numbered(stream))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert sorted(line["transaction"] for line in lines if "transaction" in line) == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"workers": 2}, "executed by one worker, not by 2"),
        ({"strategy": "optimistic"}, "executed sequentially, not by strategy 'optimistic'"),
        ({"strategy": "groups", "workers": 1}, "'groups'"), ({"strategy": "recorded", "accesses": 5}, "'recorded'"),
        ({"record": True}, "is not recorded"), ({"accesses": 5}, "takes no accesses"),
    ],
)  # fmt: skip
def test_what_a_traced_block_can_not_have_is_refused(options, says):
    on = state()
    root = on.root()
    with pytest.raises(ValueError, match="^tracer: .*" + says):
        execute_block(block_of(), on, tracer=Tells(), **options)
    assert on.root() == root


@pytest.mark.parametrize("method", ["on_transaction_start", "on_enter", "on_step", "on_exit", "on_transaction_end"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_tracer_that_raises_ends_the_block_and_leaves_the_state(method, nth):
    class Stop(BaseException):
        pass

    class Raises(Tracer):
        count = 0

    def told(self, *_):
        self.count += 1
        if self.count == nth:
            raise Stop

    setattr(Raises, method, told)
    on, tracer = state(), Raises()
    root = on.root()
    with pytest.raises(Stop):
        execute_block(block_of(), on, tracer=tracer)
    assert on.root() == root
    assert tracer.count == nth
    tracer.count = 10
    assert execute_block(block_of(), on, tracer=tracer) == execute_block(block_of(), state(), workers=1)


def test_a_block_that_may_not_be_ends_with_its_own_error():
    block = block_of()
    block.transactions = [*block.transactions, Transaction(nonce=9, to=BOB, sender=ALICE, gas_price=10**10)]
    on, tracer = state(), Tells()
    root = on.root()
    with pytest.raises(InvalidTransaction) as caught:
        execute_block(block, on, tracer=tracer)
    assert (caught.value.index, on.root()) == (3, root)
    assert [what[:2] for what in tracer.told if what[0] in ("start", "end")][-2:] == [("end", 2), ("start", 3)]


def test_a_tracer_may_use_evmcore_but_not_the_state_that_is_at_work():
    on, outcomes = state(), []

    class Uses(Tells):
        def on_transaction_start(self, index, transaction):
            assert execute_block(block_of(), state(), workers=2).gas_used
            for use in (lambda: on.set_balance(OTHER, 1), lambda: on.root(), lambda: execute_block(block_of(), on)):
                with pytest.raises(EvmError, match="in use by execute_block, which has called this"):
                    use()
            with pytest.raises(EvmError, match="at work on another run"):
                execute_block(block_of(), state(), tracer=lines)
            outcomes.append(index)

    class Lines(Eip3155, Uses):
        def __init__(self):
            Eip3155.__init__(self, io.StringIO())
            self.told = []

    lines = Lines()
    assert execute_block(block_of(), on, tracer=lines) == execute_block(block_of(), state(), workers=1)
    assert outcomes == [0, 1, 2]


def test_tracers_of_blocks_within_tracers_of_blocks_end_in_a_recursion_error():
    depths = []

    class Deeper(Tracer):
        def on_transaction_start(self, index, transaction):
            depths.append(index)
            execute_block(block_of(1), state(), tracer=Deeper())

    with pytest.raises(RecursionError):
        execute_block(block_of(1), state(), tracer=Deeper())
    assert len(depths) < 70


def test_a_signal_ends_a_traced_block(alarm):
    on = state()
    on.set_code(CONTRACT, assemble("again: PUSH @again JUMP"))
    root = on.root()
    block = Block(header(gas_limit=2**60), [Transaction(to=CONTRACT, gas_limit=10**14, gas_price=0, sender=ALICE)])
    block = block.with_header(fork="Cancun", base_fee_per_gas=0)
    for tracer in (Tells(), Recorder(), Eip3155(io.StringIO(), stack=False)):
        alarm(0.05)
        with pytest.raises(Stop):
            execute_block(block, on, tracer=tracer)
        assert on.root() == root


def test_on_a_lazy_state_a_block_that_misses_something_is_told_again():
    whole = state()
    # The second transaction reads a slot that only the first one's write names.
    whole.set_code(CONTRACT, assemble("PUSH 0 SLOAD SLOAD POP PUSH 777 PUSH 0 SSTORE"))
    asked = []

    def answer(address, slot):
        if slot is not None:
            return whole.get_storage(address, slot)
        account = whole.get_account(address)
        return account and Account(account.balance, account.nonce, account.code)

    def source(keys):
        asked.extend(keys)
        return {key: answer(*key) for key in keys}

    lazy, tracer = State(source=source), Tells()
    result = execute_block(block_of(2), lazy, tracer=tracer)
    assert result.receipts == execute_block(block_of(2), whole.copy(), workers=1).receipts
    starts = [what[1] for what in tracer.told if what[0] == "start"]
    assert starts == [0, 1, 0, 1]
    assert asked[-1] == (CONTRACT, 777)


def test_what_a_tracer_raises_of_missing_state_is_not_fetched():
    class Misses(Tracer):
        def on_transaction_start(self, index, transaction):
            raise MissingState(OTHER, None)

    whole, calls = state(), []

    def source(keys):
        calls.append(keys)
        return {key: whole.get_account(key[0]) if key[1] is None else whole.get_storage(*key) for key in keys}

    lazy = State(source=source)
    with pytest.raises(MissingState):
        execute_block(block_of(), lazy, tracer=Misses())
    assert not [keys for keys in calls if (OTHER, None) in keys]
