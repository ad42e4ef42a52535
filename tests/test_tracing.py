"""Tracing: EIP-3155 lines, tracers in Python, and what happens when one fails."""

from __future__ import annotations

import io
import json

import pytest

from evmcore import Account, EvmError, Header, State, Transaction, assemble, run, transact
from evmcore.__main__ import main
from evmcore.tracing import CallEnd, CallStart, Eip3155, Recorder, Step, Tracer

ADDS = assemble("PUSH1 1 PUSH1 2 ADD STOP")
CALLS_IDENTITY = assemble("PUSH1 4 PUSH0 PUSH0 PUSH1 32 PUSH0 PUSH0 PUSH1 4 GAS CALL PUSH1 7 STOP")


def lines(code: bytes, **options) -> list[dict]:
    stream = io.StringIO()
    given = {name: options.pop(name) for name in ("gas", "fork") if name in options}
    run(code, tracer=Eip3155(stream, **options), **given)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def steps(code: bytes, **options) -> list[Step]:
    recorder = Recorder()
    run(code, tracer=recorder, **options)
    return recorder.steps


def test_a_line_has_the_fields_of_eip_3155():
    *body, end = lines(ADDS, gas=100)
    assert body[2] == {
        "pc": 4,
        "op": 1,
        "gas": "0x5e",
        "gasCost": "0x3",
        "memSize": 0,
        "stack": ["0x1", "0x2"],
        "depth": 1,
        "returnData": "0x",
        "refund": 0,
        "opName": "ADD",
    }
    assert [line["opName"] for line in body] == ["PUSH1", "PUSH1", "ADD", "STOP"]
    assert end == {"output": "", "gasUsed": "0x9"}


def test_memory_is_shown_on_request_and_the_rest_can_be_left_out():
    code = assemble("PUSH1 0xab PUSH0 MSTORE8 STOP")
    shown = lines(code, memory=True)
    assert shown[3]["memory"] == "0xab" + "00" * 31
    assert shown[2]["memory"] == "0x"
    assert not {"memory", "stack", "returnData"} & set(lines(code, stack=False, return_data=False)[0])


def test_words_are_written_without_leading_zeros():
    assert lines(assemble(f"PUSH32 {2**255 + 1} PUSH1 0 STOP"))[2]["stack"] == [hex(2**255 + 1), "0x0"]


def test_a_jump_shows_its_destination():
    assert [step.pc for step in steps(assemble("PUSH1 4 JUMP INVALID JUMPDEST STOP"))] == [0, 2, 4, 5]


def test_the_cost_of_a_call_includes_the_gas_handed_on():
    call = next(step for step in steps(CALLS_IDENTITY, gas=100_000) if step.name == "CALL")
    after = call.gas - call.gas_cost
    available = call.gas - 100
    assert after == available - (available - available // 64)


def test_a_call_that_is_refused_costs_what_it_would_have_handed_on():
    code = assemble("PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 1 PUSH1 0x99 PUSH2 5000 CALL STOP")
    call = next(step for step in steps(code, gas=100_000) if step.name == "CALL")
    assert call.gas_cost == 2_600 + 9_000 + 25_000 + 5_000


def test_the_cost_of_a_creation_is_without_the_gas_handed_on():
    creation = next(step for step in steps(assemble("PUSH0 PUSH0 PUSH0 CREATE STOP")) if step.name == "CREATE")
    assert creation.gas_cost == 32_000


def test_what_follows_a_call_sees_its_return_data():
    recorded = steps(CALLS_IDENTITY)
    assert recorded[-1].return_data == bytes(32)
    assert recorded[0].return_data == b""


@pytest.mark.parametrize(
    ("source", "gas", "error"),
    [
        ("PUSH1 1 PUSH1 2 ADD", 7, "out of gas"),
        ("ADD", 100, "stack underflow"),
        ("PUSH1 9 JUMP", 100, "bad jump destination"),
        ("INVALID", 100, "invalid instruction"),
        ("PUSH0 PUSH0 REVERT", 100, "revert"),
    ],
)
def test_the_instruction_that_ends_a_frame_without_success_says_so(source, gas, error):
    recorded = steps(assemble(source), gas=gas)
    assert recorded[-1].error == error
    assert all(step.error is None for step in recorded[:-1])
    *body, end = lines(assemble(source), gas=gas)
    assert body[-1]["error"] == end["error"] == error


def test_an_undefined_instruction_is_shown_by_its_number():
    [line, end] = lines(b"\x0c")
    assert (line["op"], line["opName"], end["error"]) == (12, "opcode 0x0c not defined", "undefined instruction")


def test_code_that_is_not_there_shows_no_steps():
    assert lines(b"") == [{"output": "", "gasUsed": "0x0"}]
    creates_nothing = assemble("PUSH0 PUSH0 PUSH0 CREATE STOP")
    assert {step.depth for step in steps(creates_nothing)} == {1}


def test_inner_frames_have_lines_of_their_own_when_asked():
    ends = [line["gasUsed"] for line in lines(CALLS_IDENTITY, inner_exits=True) if "pc" not in line]
    assert len(ends) == 2
    assert ends[0] == "0x12"
    assert sum("pc" not in line for line in lines(CALLS_IDENTITY)) == 1


def test_a_tracer_sees_calls_begin_and_end():
    class Calls(Tracer):
        def __init__(self):
            self.seen = []

        def on_enter(self, start: CallStart) -> None:
            self.seen.append((start.kind, start.depth, start.code_address[-1], start.input))

        def on_exit(self, end: CallEnd) -> None:
            self.seen.append((end.depth, end.output, end.error))

    tracer = Calls()
    run(CALLS_IDENTITY, b"\x01", tracer=tracer)
    assert tracer.seen == [
        ("CALL", 1, 0xDE, b"\x01"),
        ("CALL", 2, 4, bytes(32)),
        (2, bytes(32), None),
        (1, b"", None),
    ]


def test_a_creation_shows_the_code_it_made():
    class Ends(Tracer):
        def __init__(self):
            self.outputs = []

        def on_exit(self, end: CallEnd) -> None:
            self.outputs.append(end.output)

    init = assemble("PUSH1 2 PUSH0 RETURN")
    creation = f"PUSH{len(init)} 0x{init.hex()} PUSH0 MSTORE PUSH1 {len(init)} PUSH1 {32 - len(init)} PUSH0 CREATE"
    tracer = Ends()
    run(assemble(creation), tracer=tracer)
    assert tracer.outputs == [b"\0\0", b""]


@pytest.mark.parametrize("method", ["on_enter", "on_step", "on_exit"])
def test_an_exception_in_a_tracer_stops_the_run_and_comes_out(method):
    calls = []

    def fail(self, told):
        calls.append(told)
        raise LookupError(method)

    broken = type("Broken", (Tracer,), {method: fail})()
    with pytest.raises(LookupError, match=method):
        run(CALLS_IDENTITY, tracer=broken)
    assert len(calls) == 1
    assert run(CALLS_IDENTITY).is_success


class FullDisk:
    def write(self, text):
        raise OSError("no space")


def test_a_stream_that_fails_stops_the_run():
    endless = assemble("JUMPDEST PUSH0 JUMP")
    with pytest.raises(OSError, match="no space"):
        run(endless, gas=2**62, tracer=Eip3155(FullDisk()))


def transfer_to_code() -> tuple[State, Transaction, Header]:
    state = State({b"\x01" * 20: Account(balance=10**18), b"\x02" * 20: Account(code=assemble("PUSH1 1 PUSH0 SSTORE"))})
    tx = Transaction(type=0, nonce=0, gas_price=10, gas_limit=100_000, to=b"\x02" * 20, value=5, sender=b"\x01" * 20)
    return state, tx, Header(base_fee_per_gas=7, gas_limit=1_000_000)


def test_a_transaction_whose_tracer_fails_leaves_the_state_alone():
    class Broken(Tracer):
        def on_exit(self, end: CallEnd) -> None:
            raise ZeroDivisionError

    state, tx, header = transfer_to_code()
    before = state.root()
    with pytest.raises(ZeroDivisionError):
        transact(tx, state, header, tracer=Broken())
    assert state.root() == before
    assert state.get_balance(b"\x02" * 20) == 0


def test_a_stream_that_fails_at_the_end_leaves_the_state_alone():
    state, tx, header = transfer_to_code()
    with pytest.raises(OSError, match="no space"):
        transact(tx, state, header, tracer=Eip3155(FullDisk()))
    assert state.get_nonce(b"\x01" * 20) == 0


def test_a_traced_transaction_comes_out_as_an_untraced_one():
    state, tx, header = transfer_to_code()
    other = state.copy()
    stream = io.BytesIO()
    tracer = Eip3155(stream)
    assert transact(tx, state, header, tracer=tracer) == transact(tx, other, header)
    assert state.root() == other.root()
    tracer.finish(state_root=state.root(), passed=True, gas_used=21_000, fork="Osaka", time_ns=5)
    *_, last = stream.getvalue().splitlines()
    assert json.loads(last) == {
        "stateRoot": "0x" + state.root().hex(),
        "output": "",
        "gasUsed": "0x5208",
        "pass": True,
        "time": 5,
        "fork": "Osaka",
    }


def test_the_command_writes_a_trace_to_standard_error(capsys):
    assert main(["run", "--code", ADDS.hex(), "--trace", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["gas_used"] == 9
    assert [json.loads(line).get("opName") for line in printed.err.splitlines()] == [
        "PUSH1",
        "PUSH1",
        "ADD",
        "STOP",
        None,
    ]


def test_a_tracer_serves_one_run_at_a_time():
    class Nested:
        def write(self, text):
            run(ADDS, tracer=tracer)

    tracer = Eip3155(Nested())
    with pytest.raises(EvmError, match="another run"):
        run(ADDS, tracer=tracer)


def test_what_is_no_tracer_is_refused():
    with pytest.raises(TypeError, match="on_step"):
        run(ADDS, tracer=3)


def test_a_tracer_in_python_is_told_of_the_opcodes_and_accounts_that_it_wants():
    inner, other = bytes([0x22] * 20), bytes([0x33] * 20)
    state = State({inner: Account(nonce=1, code=assemble("PUSH 9 PUSH 1 SSTORE PUSH 1 SLOAD"))})
    code = assemble("PUSH 7 PUSH 0 SSTORE PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH20 0x" + inner.hex() + " GAS CALL")

    class Chosen(Tracer):
        def __init__(self, opcodes=None, addresses=None):
            self.wants_opcodes, self.wants_addresses, self.told = opcodes, addresses, []

        def on_step(self, step):
            self.told.append((step.name, step.depth))

    def told(**choice):
        tracer = Chosen(**choice)
        run(code, tracer=tracer, state=state.copy())
        return tracer.told

    assert told(opcodes=("SSTORE", 0x54)) == [("SSTORE", 1), ("SSTORE", 2), ("SLOAD", 2)]
    assert told(opcodes=["sload"], addresses=[inner]) == [("SLOAD", 2)]
    assert told(opcodes=["SLOAD"], addresses=[other]) == told(opcodes=[]) == told(addresses=[]) == []
    assert len(told()) == len(told(addresses=[])) + len(told(opcodes=range(256)))
    for choice, text in (
        ({"opcodes": [256]}, "256"),
        ({"opcodes": ["NOPE"]}, "NOPE"),
        ({"addresses": [b"x"]}, "addresses"),
    ):
        with pytest.raises((TypeError, ValueError), match=text):
            told(**choice)
