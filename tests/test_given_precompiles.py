"""Precompiles in Python that a message is given: what they are asked, what they may answer, and calls that they make themselves."""

from __future__ import annotations

import io
import threading

import pytest
from helpers import ALICE, CONTRACT, ETHER, OTHER, dump, header

from evmcore import (
    Account,
    EvmError,
    ExecutionAborted,
    Header,
    MissingState,
    PrecompileCall,
    Revert,
    State,
    assemble,
    message,
)
from evmcore.traces import Trace
from evmcore.tracing import Eip3155

PLACE = bytes(19) + b"\xaa"
ANSWER = " PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN"
# Hands its 32 bytes of input on to PLACE, and returns what came, or whether it worked if nothing did.
ASK = assemble(
    "PUSH 32 PUSH 0 PUSH 0 CALLDATACOPY  PUSH 32 PUSH 0 PUSH 32 PUSH 0 CALLVALUE PUSH 0xaa GAS CALL PUSH 32 MSTORE PUSH 64 PUSH 0 RETURN"
)
COUNT = assemble("PUSH 1 SLOAD PUSH 1 ADD DUP1 PUSH 1 SSTORE" + ANSWER)


def new_state():
    return State(
        {
            ALICE: Account(balance=ETHER),
            CONTRACT: Account(nonce=1, code=ASK),
            OTHER: Account(nonce=1, code=COUNT),
        }
    )


def ask(state, function, data=b"", **options):
    """(what the precompile answered, whether it worked) as the contract that called it saw it, and the result."""
    result = message(
        state, header(), sender=ALICE, to=CONTRACT, data=data, gas=500_000, precompiles={PLACE: function}, **options
    )
    return result.output[:32], int.from_bytes(result.output[32:], "big"), result


def test_it_is_asked_with_the_call_and_answers():
    asked = []

    def twice(call):
        asked.append((call.input, call.caller, call.address, call.code_address, call.value, call.is_static, call.depth))
        return (2 * int.from_bytes(call.input, "big")).to_bytes(32, "big")

    output, worked, _ = ask(new_state(), twice, (21).to_bytes(32, "big"), value=3)
    assert (int.from_bytes(output, "big"), worked) == (42, 1)
    assert asked == [((21).to_bytes(32, "big"), CONTRACT, PLACE, PLACE, 3, False, 2)]


def test_it_takes_the_place_of_one_of_ethereums_and_is_called_by_a_message_itself():
    identity = bytes(19) + b"\x04"
    result = message(State(), header(), to=identity, data=b"abc", precompiles={identity: lambda call: call.input[::-1]})
    assert result.output == b"cba"
    assert message(State(), header(), to=identity, data=b"abc").output == b"abc"
    assert message(State(), header(), to=identity, precompiles={identity: lambda call: None}).output == b""


def test_it_charges_gas_and_fails_for_want_of_it():
    def charge(call, gas):
        before = call.gas
        call.charge(gas)
        assert call.gas == before - gas

    _, worked, cheap = ask(new_state(), lambda call: charge(call, 100))
    _, again, dear = ask(new_state(), lambda call: charge(call, 1_100))
    assert (worked, again, dear.gas_used - cheap.gas_used) == (1, 1, 1_000)
    _, worked, spent = ask(new_state(), lambda call: call.charge(10**9))
    assert (worked, spent.is_success) == (0, True)
    assert spent.gas_used > 450_000  # all but a 64th, and what there was left is enough to go on

    def swallow(call):
        try:
            call.charge(2**63)
        except Exception:
            return b"never"

    assert ask(new_state(), swallow)[1] == 0


def test_it_reverts_with_its_output():
    def revert(call):
        raise Revert(b"\x07".rjust(32, b"\0"))

    state = new_state()
    output, worked, _ = ask(state, revert, value=5)
    assert (int.from_bytes(output, "big"), worked) == (7, 0)
    assert (state.get_balance(PLACE), state.get_balance(CONTRACT)) == (0, 5)
    with pytest.raises(TypeError):
        Revert(5)


def test_it_calls_contracts_within_the_execution():
    def count_twice(call):
        first = call.call(OTHER)
        second = call.call(OTHER, gas=50_000)
        assert (first.word, second.word, second.logs) == (1, 2, ())
        assert second.gas_used + second.gas_left == 50_000
        return second.output

    state = new_state()
    output, worked, result = ask(state, count_twice)
    assert (int.from_bytes(output, "big"), worked, state.get_storage(OTHER, 1)) == (2, 1, 2)
    assert result.gas_used > 22_000
    # What it did is undone with the call.
    state, before = new_state(), dump(new_state())
    ask(state, lambda call: call.call(OTHER).output, static=True)
    ask(state, lambda call: [call.call(OTHER), call.charge(10**9)])
    assert state.storage(OTHER) == {}
    assert dump(state) == before


def test_what_it_calls_with_a_large_input_leaves_its_callers_memory():
    echo = assemble("CALLDATASIZE PUSH 0 PUSH 0 CALLDATACOPY CALLDATASIZE PUSH 0 RETURN")
    state = new_state()
    state.set_code(OTHER, echo)
    for size in (0, 1, 31, 33, 70_000):
        data = bytes(index % 251 for index in range(size))

        def check(call, data=data):
            assert call.call(OTHER, data).output == data
            assert call.call(OTHER, data[::-1]).output == data[::-1]
            return call.input

        output, worked, _ = ask(state, check, b"\x11" * 32, keep=False)
        assert (output, worked) == (b"\x11" * 32, 1)


def test_a_nested_call_can_fail_and_says_why():
    def poor(call):
        assert call.call(OTHER, value=10**30).outcome == "INSUFFICIENT_BALANCE"
        assert call.call(OTHER, gas=5).outcome == "OUT_OF_GAS"
        assert call.call(OTHER, static=True).outcome == "STATIC_MODE_VIOLATION"
        with pytest.raises(ValueError, match="static"):
            call.call(OTHER, value=1, static=True)
        with pytest.raises(ValueError, match="to"):
            call.call(b"short")
        with pytest.raises(TypeError, match="static"):
            call.call(OTHER, static=1)

    assert ask(new_state(), poor)[1] == 1


def test_precompiles_may_meet_each_other_down_to_the_limit():
    def deeper(call):
        level = int.from_bytes(call.input, "big")
        return (
            (call.call(PLACE, (level + 1).to_bytes(32, "big")).word + 1).to_bytes(32, "big")
            if level < 18
            else bytes(32)
        )

    output, worked, _ = ask(new_state(), deeper)
    assert (int.from_bytes(output, "big"), worked) == (18, 1)
    with pytest.raises(RecursionError):
        ask(new_state(), lambda call: call.call(PLACE).output)


def test_what_it_raises_ends_the_message_and_the_state_is_as_before():
    class Own(Exception):
        pass

    def fail(call):
        call.call(OTHER)
        raise Own("text")

    state = new_state()
    before = dump(state)
    with pytest.raises(Own, match="text"):
        ask(state, fail)
    with pytest.raises(TypeError, match="output"):
        ask(state, lambda call: 5)
    assert dump(state) == before
    assert message(state, header(), sender=ALICE, to=OTHER).word == 1


def test_a_call_that_is_kept_is_good_for_nothing():
    kept = []
    ask(new_state(), lambda call: kept.append(call))
    for use in (lambda call: call.gas, lambda call: call.charge(1), lambda call: call.call(OTHER)):
        with pytest.raises(Exception, match="has ended"):
            use(kept[0])
    assert kept[0].caller == CONTRACT
    with pytest.raises(TypeError, match="made by an execution"):
        PrecompileCall()


@pytest.mark.parametrize(
    ("given", "text"),
    [({b"short": print}, "precompiles"), ({PLACE: 5}, "5"), (5, "int"), ({"0x12": print}, "precompiles")],
)
def test_what_is_no_precompile_is_named(given, text):
    with pytest.raises((TypeError, ValueError), match=text):
        message(State(), header(), to=OTHER, precompiles=given)


def test_a_nested_call_is_seen_by_a_tracer():
    trace = Trace()
    ask(new_state(), lambda call: call.call(OTHER).output, tracer=trace)
    assert [row["code_address"].tobytes() for row in trace.calls] == [CONTRACT, PLACE, OTHER]
    assert trace.calls["is_precompile"].tolist() == [False, True, False]
    assert trace.calls["depth"].tolist() == [1, 2, 2]  # a precompile has no frame of its own


def test_missing_state_of_a_nested_call_is_fetched_and_the_message_begins_anew():
    accounts = new_state()
    asked = []

    def source(keys):
        return {
            (where, slot): accounts.get_account(where) if slot is None else accounts.get_storage(where, slot)
            for where, slot in keys
        }

    def count(call):
        asked.append(call.input)
        return call.call(OTHER).output

    state = State(source=source)
    assert ask(state, count, tracer=Trace())[1] == 1
    assert len(asked) > 1
    strict = State({CONTRACT: Account(nonce=1, code=ASK), ALICE: Account(), PLACE: Account()}, strict=True)
    with pytest.raises(MissingState):
        ask(strict, count)


def test_a_precompile_that_swallows_a_stop_doesnt_go_on():
    class Stop(Exception):
        pass

    class Stopper:
        def on_step(self, step):
            if step.depth > 1:
                raise Stop

    def swallow(call):
        try:
            call.call(OTHER)
        except Exception:
            return b"\x01" * 32

    with pytest.raises((Stop, ExecutionAborted)):
        ask(new_state(), swallow, tracer=Stopper())


@pytest.mark.parametrize("tracer", [Trace, lambda: Eip3155(io.StringIO(), inner_exits=True), lambda: Trace(steps=True)])
def test_a_message_to_a_precompile_itself_may_call_and_is_traced(tracer):
    def twice(call):
        assert call.depth == 1
        return call.call(OTHER).output + call.call(PLACE, b"again").output if not call.input else b"end"

    traced = tracer()
    result = message(
        new_state(), header(), sender=ALICE, to=PLACE, precompiles={PLACE: twice}, tracer=traced, start_pc=1
    )
    assert result.output == (1).to_bytes(32, "big") + b"end"
    if isinstance(traced, Trace):
        assert traced.calls["parent"].tolist() == [2**32 - 1, 0, 0]
        assert traced.calls["transaction"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("tracer", [Trace, lambda: Trace(steps=True), lambda: Eip3155(io.StringIO(), inner_exits=True)])
def test_a_tracer_that_is_asked_for_while_it_is_at_work_keeps_what_it_has(tracer):
    """What it had was cleared before it was refused, under the run that wrote to it."""
    refused = []

    def asks(call):
        with pytest.raises(EvmError, match="at work on another run"):
            message(new_state(), header(), sender=ALICE, to=OTHER, tracer=traced)
        refused.append(call.depth)
        return b"end"

    def told():
        return (
            traced.stream.getvalue() if isinstance(traced, Eip3155) else (traced.calls.tolist(), traced.steps.tolist())
        )

    traced = tracer()
    ask(new_state(), asks, tracer=traced)
    among = told()
    traced = tracer()
    ask(new_state(), lambda call: b"end", tracer=traced)
    assert (refused, among) == ([2], told())


def test_a_call_belongs_to_the_thread_that_was_asked():
    said = []

    def elsewhere(call):
        def use():
            for action in (lambda: call.gas, lambda: call.charge(1), lambda: call.call(OTHER)):
                try:
                    action()
                except EvmError as error:
                    said.append(str(error))

        thread = threading.Thread(target=use)
        thread.start()
        thread.join()

    assert ask(new_state(), elsewhere)[1] == 1
    assert said == ["the call of the precompile belongs to another thread"] * 3


LATER = {
    "Frontier": {},
    "Byzantium": {},
    "London": {"base_fee_per_gas": 0},
    "Osaka": {"base_fee_per_gas": 0, "excess_blob_gas": 0},
    "Amsterdam": {"base_fee_per_gas": 0, "excess_blob_gas": 0, "slot_number": 1},
}


@pytest.mark.parametrize("fork", LATER)
def test_gas_of_a_nested_call_is_that_of_the_call_itself(fork):
    around = Header(number=1, gas_limit=30_000_000, fork=fork, **LATER[fork])
    state, place = new_state(), {PLACE: lambda call: call.call(OTHER).output}
    direct = message(state.copy(), around, sender=ALICE, to=OTHER, gas=900_000)
    within = message(state.copy(), around, sender=ALICE, to=PLACE, gas=900_000, precompiles=place)
    assert (within.word, within.gas_used, within.state_gas_used) == (1, direct.gas_used, direct.state_gas_used)
