"""Traces as arrays, call trees, state diffs, struct logs and what reverts say."""

import json
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from evmcore import (
    Account,
    Block,
    BlockAccessList,
    Header,
    ResourceLimit,
    State,
    Transaction,
    UnusableInput,
    assemble,
    call,
    execute_block,
    run,
)
from evmcore.chain.genesis import Genesis
from evmcore.chain.importer import Chain
from evmcore.example import EXAMPLE_FILE
from evmcore.traces import Answer, Panic, Trace, decode_revert, trace_transaction
from evmcore.traces.log import NO_ROW, OPCODE_NAMES, OPCODE_NUMBERS
from evmcore.tracing import CallEnd, CallStart, Recorder, Tracer

KEY = b"\x45" * 32
SENDER = Transaction(to=bytes(20), chain_id=1).sign(KEY).sender
ONE, TWO, FRIEND = (bytes([number]) * 20 for number in (0x11, 0x22, 0x33))
COINBASE = b"\xcc" * 20
HEADER = Header(number=1, base_fee_per_gas=7, excess_blob_gas=0, coinbase=COINBASE, fork="Cancun")


def call_code(address: bytes, *, value: int = 0, op: str = "CALL") -> str:
    amount = f"PUSH1 {value}" if op in ("CALL", "CALLCODE") else ""
    return f"PUSH0 PUSH0 PUSH0 PUSH0 {amount} PUSH20 0x{address.hex()} PUSH3 100000 {op} POP "


def transact_on(codes: dict, *, tracer=None, config=None, to=ONE, data=b"", value=0, **accounts):
    state = State({SENDER: {"balance": 10**18}})
    for address, code in codes.items():
        state.set_account(address, Account(balance=1000, nonce=1, code=assemble(code)))
    for address, account in accounts.pop("accounts", {}).items():
        state.set_account(address, account)
    tx = Transaction(to=to, data=data, value=value, gas_limit=1_000_000, max_fee_per_gas=9, chain_id=1).sign(KEY)
    answer, receipt = trace_transaction(tx, state, HEADER, tracer=tracer, config=config)
    return answer, receipt, state


# ------------------------------------------------------------------------------------------------ arrays


def test_steps_are_those_of_a_tracer_in_python():
    code = assemble("PUSH1 3 JUMPDEST PUSH1 1 SWAP1 SUB DUP1 PUSH1 2 JUMPI PUSH0 PUSH0 SSTORE STOP")
    recorder, trace = Recorder(memory=True), Trace(steps=True, memory=True)
    for tracer in (recorder, trace):
        run(code, tracer=tracer)
    rows, stacks, memories = trace.steps, trace.stacks(), trace.memory_of_steps()
    assert len(rows) == len(recorder.steps) == len(stacks) == len(memories)
    for row, stack, memory, step in zip(rows, stacks, memories, recorder.steps):
        assert (row["pc"], row["op"], row["depth"], row["gas"], row["gas_cost"], row["refund"]) == (
            step.pc, step.op, step.depth, step.gas, step.gas_cost, step.refund,
        )  # fmt: skip
        assert (tuple(stack), memory) == (step.stack, step.memory)
    assert trace.steps_left_out == 0


def test_a_range_of_depths_of_another_length_is_named():
    for depth in ((1,), (1, 2, 3)):
        with pytest.raises(ValueError, match=rf"depth: {len(depth)} values, wants \(first, last\)"):
            Trace(depth=depth)


def test_calls_are_those_of_a_tracer_in_python():
    class Calls(Tracer):
        def __init__(self):
            self.rows = []
            self.open = []

        def on_enter(self, start: CallStart):
            self.open.append(len(self.rows))
            self.rows.append([start, None])

        def on_exit(self, end: CallEnd):
            self.rows[self.open.pop()][1] = end

    codes = {
        ONE: call_code(TWO, value=3)
        + call_code(TWO, op="DELEGATECALL")
        + call_code(bytes(19) + b"\x04", op="STATICCALL"),
        TWO: "PUSH1 7 PUSH0 MSTORE PUSH1 32 PUSH0 REVERT",
    }
    state = State({address: Account(balance=1000, code=assemble(code)) for address, code in codes.items()})
    calls, trace = Calls(), Trace()
    for tracer in (calls, trace):
        call(state, HEADER, sender=SENDER, to=ONE, data=b"\1\2\3\4", gas=500_000, tracer=tracer)
    assert len(trace.calls) == len(calls.rows) == 4
    for row, (start, end) in zip(trace.calls, calls.rows):
        assert OPCODE_NAMES[row["op"]] == start.kind
        assert (row["depth"], row["gas"], row["gas_used"]) == (start.depth, start.gas, end.gas_used)
        assert (row["caller"].tobytes(), row["address"].tobytes()) == (start.caller, start.address)
        assert (row["code_address"].tobytes(), bool(row["is_static"])) == (start.code_address, start.is_static)
        assert int.from_bytes(row["value"].tobytes(), "big") == start.value
        assert (trace.input(row), trace.output(row)) == (start.input, end.output)
    assert trace.calls["parent"].tolist() == [NO_ROW, 0, 0, 0]
    assert trace.calls["is_precompile"].tolist() == [False, False, False, True]


def test_filters_choose_steps_by_opcode_address_depth_and_number():
    codes = {ONE: "PUSH1 1 POP " + call_code(TWO) + "PUSH1 2 POP", TWO: "PUSH1 3 POP PUSH1 4 PUSH1 5 ADD POP"}
    state = State({address: Account(code=assemble(code)) for address, code in codes.items()})

    def steps(**options):
        trace = Trace(steps=True, **options)
        call(state, HEADER, to=ONE, gas=500_000, tracer=trace)
        return trace

    everything = steps().steps
    assert len(steps(opcodes=["POP"]).steps) == np.sum(everything["op"] == OPCODE_NUMBERS["POP"]) == 5
    assert steps(depth=1).steps["depth"].tolist() == [1] * np.sum(everything["depth"] == 1)
    assert len(steps(depth=(2, 2)).steps) == len(steps(addresses=[TWO]).steps) == np.sum(everything["depth"] == 2)
    assert len(steps(addresses=[]).steps) == 0
    limited = steps(limit=4)
    assert (len(limited.steps), limited.steps_left_out) == (4, len(everything) - 4)
    [add] = steps(opcodes=["ADD"], stack=1).steps
    assert (add["stack_size"], add["stack_kept"]) == (2, 1)
    assert steps(opcodes=["ADD"], stack=1).stacks()[0] == [5]


def test_counts_are_of_all_that_was_executed():
    trace = Trace(counts=True)
    run(assemble("PUSH1 1 PUSH1 2 ADD POP INVALID"), tracer=trace)
    assert trace.counts == {"PUSH1": 2, "ADD": 1, "POP": 1, "INVALID": 1}
    assert len(trace.steps) == 0
    run(b"\x0c", tracer=trace)
    assert trace.counts == {"0x0c": 1}


def test_calls_that_are_refused_and_selfdestructs_have_rows():
    trace = Trace()
    code = assemble(call_code(TWO, value=5) + "PUSH20 0x" + FRIEND.hex() + " SELFDESTRUCT")
    run(code, tracer=trace)
    whole, refused, destroyed = trace.calls
    assert (OPCODE_NAMES[refused["op"]], refused["gas_used"], refused["code_address"].tobytes()) == ("CALL", 0, TWO)
    assert (OPCODE_NAMES[destroyed["op"]], destroyed["address"].tobytes()) == ("SELFDESTRUCT", FRIEND)
    assert whole["status"] != refused["status"]


def test_a_block_is_recorded_whole():
    block, trace = Block.load(EXAMPLE_FILE), Trace()
    result = execute_block(block, block.pre_state.copy(), tracer=trace)
    calls = trace.calls
    assert np.sum(calls["parent"] == NO_ROW) == len(block.transactions) == calls["transaction"].max() + 1
    assert len(trace.logs) == sum(len(receipt.logs) for receipt in result.receipts)
    run(b"", tracer=trace)
    assert len(trace.calls) == 1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"stack": -1}, ValueError),
        ({"stack": 1025}, ValueError),
        ({"opcodes": ["NOTHING"]}, ValueError),
        ({"opcodes": [256]}, ValueError),
        ({"addresses": ["0x12"]}, ValueError),
        ({"depth": 0}, ValueError),
        ({"limit": -1}, (ValueError, OverflowError)),
    ],
)
def test_what_a_trace_is_asked_for_has_to_make_sense(options, error):
    with pytest.raises(error):
        Trace(steps=True, **options)


# ------------------------------------------------------------------------------------------------ go-ethereum's answers


def test_a_call_tree_has_calls_errors_and_logs():
    codes = {ONE: "PUSH0 PUSH0 LOG0 " + call_code(TWO) + "PUSH0 PUSH0 LOG0 STOP", TWO: "PUSH0 PUSH0 LOG0 INVALID"}
    tree, receipt, _ = transact_on(codes, tracer="callTracer", config={"withLog": True}, value=1, data=b"\1\2\3\4")
    assert tree["type"] == "CALL"
    assert (tree["from"], tree["to"], tree["value"]) == ("0x" + SENDER.hex(), "0x" + ONE.hex(), "0x1")
    assert (tree["gas"], tree["gasUsed"], tree["input"]) == (hex(1_000_000), hex(receipt.gas_used), "0x01020304")
    [inner] = tree["calls"]
    assert inner["error"] == "invalid opcode: INVALID"
    assert "logs" not in inner
    assert [(log["position"], log["index"]) for log in tree["logs"]] == [("0x0", "0x0"), ("0x1", "0x1")]
    top, _, _ = transact_on(codes, tracer="callTracer", config={"onlyTopCall": True})
    assert "calls" not in top


def test_a_revert_shows_its_reason():
    text = "08c379a0" + "20".rjust(64, "0") + "05".rjust(64, "0") + b"a bit".hex().ljust(64, "0")
    code = f"PUSH32 0x{text[:64]} PUSH0 MSTORE PUSH32 0x{text[64:128]} PUSH1 32 MSTORE PUSH32 0x{text[128:192]} PUSH1 64 MSTORE"
    code += f" PUSH32 0x{text[192:].ljust(64, '0')} PUSH1 96 MSTORE PUSH1 100 PUSH0 REVERT"
    tree, _, _ = transact_on({ONE: code}, tracer="callTracer")
    assert (tree["error"], tree["revertReason"]) == ("execution reverted", "a bit")


def test_a_flat_trace_has_addresses_in_the_tree():
    codes = {ONE: call_code(TWO) + call_code(TWO, op="DELEGATECALL"), TWO: call_code(FRIEND)}
    items, _, _ = transact_on(codes, tracer="flatCallTracer")
    assert [item["traceAddress"] for item in items] == [[], [0], [0, 0], [1], [1, 0]]
    assert [item["subtraces"] for item in items] == [2, 1, 0, 1, 0]
    assert items[3]["action"]["callType"] == "delegatecall"
    assert items[3]["action"]["from"] == "0x" + ONE.hex()


def test_a_diff_tells_what_changed_and_what_it_was():
    codes = {ONE: "PUSH1 9 PUSH1 1 SSTORE PUSH0 PUSH1 2 SSTORE " + call_code(TWO), TWO: "STOP"}
    accounts = {ONE: Account(balance=1000, nonce=1, code=assemble(codes[ONE]), storage={2: 5})}
    diff, _, state = transact_on(codes, tracer="prestateTracer", config={"diffMode": True}, accounts=accounts, value=4)
    one = "0x" + ONE.hex()
    assert diff["pre"][one]["storage"] == {f"0x{2:064x}": f"0x{5:064x}"}
    assert diff["post"][one] == {"balance": hex(1004), "storage": {f"0x{1:064x}": f"0x{9:064x}"}}
    assert diff["post"]["0x" + SENDER.hex()]["nonce"] == 1
    assert "0x" + TWO.hex() not in diff["pre"]
    before, _, _ = transact_on(codes, tracer="prestateTracer", accounts=accounts)
    assert set(before) == {one, "0x" + TWO.hex(), "0x" + SENDER.hex()}
    assert before[one]["storage"] == {f"0x{1:064x}": f"0x{0:064x}", f"0x{2:064x}": f"0x{5:064x}"}
    assert state.get_storage(ONE, 1) == 9


def test_small_tracers_and_several_at_once():
    codes = {ONE: call_code(TWO) + "PUSH1 32 PUSH0 KECCAK256", TWO: "STOP"}
    answer, _, _ = transact_on(
        codes,
        tracer="muxTracer",
        data=b"\1\2\3\4\5",
        config={
            "4byteTracer": None,
            "noopTracer": None,
            "callTracer": {"onlyTopCall": True},
            "keccak256PreimageTracer": {},
        },
    )
    assert answer["4byteTracer"] == {"0x01020304-1": 1}
    assert answer["noopTracer"] == {}
    assert answer["callTracer"]["type"] == "CALL"
    assert list(answer["keccak256PreimageTracer"].values()) == ["0x" + "00" * 32]
    counts, _, _ = transact_on(codes, tracer="opcodeCounter")
    assert counts["KECCAK256"] == counts["CALL"] == 1
    with pytest.raises(UnusableInput, match="JavaScript"):
        transact_on(codes, tracer="{result: function() {}}")


def test_struct_logs_have_storage_memory_and_return_data():
    codes = {
        ONE: "PUSH1 7 PUSH1 1 SSTORE PUSH1 1 SLOAD POP " + call_code(TWO) + "RETURNDATASIZE POP",
        TWO: "PUSH1 5 PUSH0 MSTORE PUSH1 32 PUSH0 RETURN",
    }
    answer, receipt, _ = transact_on(codes, config={"enableMemory": True, "enableReturnData": True})
    assert (answer["gas"], answer["failed"], answer["returnValue"]) == (receipt.gas_used, False, "0x")
    by_op = {line["op"]: line for line in answer["structLogs"]}
    slot = {f"0x{1:064x}": f"0x{7:064x}"}
    assert by_op["SSTORE"]["storage"] == by_op["SLOAD"]["storage"] == slot
    assert by_op["RETURN"]["memory"] == [f"0x{5:064x}"]
    assert by_op["RETURNDATASIZE"]["returnData"] == f"0x{5:064x}"
    short, _, _ = transact_on(codes, config={"disableStack": True, "disableStorage": True, "limit": 3})
    assert len(short["structLogs"]) == 3
    assert not any({"stack", "storage"} & set(line) for line in short["structLogs"])


RPC_TESTS = Path(__file__).resolve().parents[2] / "shared" / "rpc-tests"


@pytest.mark.skipif(not RPC_TESTS.is_dir(), reason="the answers of a node are not at hand")
def test_struct_logs_are_a_nodes():
    """Each traced block and transaction of go-ethereum's own answers."""
    chain = Chain(Genesis.load(RPC_TESTS / "genesis.json"))
    blocks = []
    for encoded in islice(_blocks_of(RPC_TESTS / "chain.rlp"), 4):
        before = chain.state_of(chain.head).copy()
        header = chain.add(encoded).header
        blocks.append((Block.decode(encoded, fork=header.fork, chain_id=header.chain_id), before))
    compared = 0
    for path in sorted(RPC_TESTS.glob("debug_traceBlockByNumber/*.io")):
        lines = path.read_text().splitlines()
        for asked, told in pairwise(lines):
            if not asked.startswith(">> ") or '"result":[{' not in told:
                continue
            number, *config = json.loads(asked[3:])["params"]
            block, before = blocks[int(number, 16) - 1]
            state = before.copy()
            for transaction, want in zip(block.transactions, json.loads(told[3:])["result"]):
                have, _ = trace_transaction(transaction, state, block.header, config=config[0] if config else None)
                assert have == want["result"]
                compared += 1
    assert compared >= 4


def _blocks_of(path: Path):
    from evmcore import rlp

    content = path.read_bytes()
    at = 0
    while at < len(content):
        _, _, end = rlp.read_item(content, at, len(content), "chain")
        yield content[at:end]
        at = end


# ------------------------------------------------------------------------------------------------ reverts


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (b"", None),
        (bytes.fromhex("08c379a0") + word(32) + word(3) + b"abc".ljust(32, b"\0"), "abc"),
        (bytes.fromhex("08c379a0") + word(32) + word(3) + b"ab", None),
        (bytes.fromhex("08c379a0") + word(2**255) + word(3), None),
        (bytes.fromhex("08c379a0") + word(32) + word(1) + b"\xff".ljust(32, b"\0"), None),
        (bytes.fromhex("4e487b71") + word(0x11), Panic(0x11)),
        (bytes.fromhex("4e487b71") + word(0x11) + b"\0", None),
        (b"\1\2\3\4" + word(5), None),
        (b"\1", None),
    ],
)
def test_reverts_are_decoded(output, says):
    assert decode_revert(output) == (output if says is None and output else says)


def test_a_panic_says_what_it_is():
    assert str(Panic(0x12)) == "division or modulo by zero"
    assert str(Panic(0x99)) == "unknown panic code: 0x99"


def test_inputs_of_hashes_are_kept_up_to_a_size():
    code = assemble(
        "PUSH 7 PUSH 0 MSTORE  PUSH 64 PUSH 0 KECCAK256  PUSH 65 PUSH 0 KECCAK256  PUSH 0 PUSH 0 KECCAK256"
        "  PUSH 4 PUSH 1000 KECCAK256  PUSH 2 PUSH 31 KECCAK256"
    )
    trace = Trace(hashes=64)
    run(code, tracer=trace)
    seven = (7).to_bytes(32, "big")
    assert trace.preimages() == [seven + bytes(32), b"", bytes(4), b"\x07\x00"]
    assert len(trace.steps) == 0
    run(assemble("KECCAK256"), tracer=trace)  # which has nothing to hash
    run(assemble("PUSH 5 NOT PUSH 0 KECCAK256"), tracer=trace)
    assert trace.preimages() == []
    assert Trace().preimages() == []


def test_the_memory_of_each_frame_is_kept_as_it_ended():
    inner = bytes([0x22] * 20)
    state = State({inner: Account(nonce=1, code=assemble("PUSH 9 PUSH 0 MSTORE PUSH 1 PUSH 0 REVERT"))})
    trace = Trace(last_memory=True)
    run(
        assemble("PUSH 1 PUSH 0 MSTORE PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH20 0x" + inner.hex() + " GAS CALL"),
        tracer=trace,
        state=state,
    )
    assert [int.from_bytes(trace.last_memory(row), "big") for row in trace.calls] == [1, 9]
    run(b"\x00", tracer=trace)
    assert trace.last_memory(trace.calls[0]) == b""


def test_the_first_steps_may_be_left_out():
    code = assemble("PUSH 1 PUSH 2 PUSH 3 PUSH 4 PUSH 5")
    trace = Trace(steps=True, skip=2, limit=2)
    run(code, tracer=trace)
    assert trace.steps["pc"].tolist() == [4, 6]
    assert trace.steps_left_out == 2  # and two before
    assert trace.stacks()[0] == [1, 2]
    run(code, tracer=trace)
    assert trace.steps["pc"].tolist() == [4, 6]
    for options, text in (({"skip": -1}, "skip"), ({"hashes": -1}, "hashes"), ({"hashes": 2**32}, "hashes")):
        with pytest.raises(ValueError, match=text):
            Trace(**options)


def test_what_is_no_transaction_state_or_header_is_named():
    transaction = Transaction(to=ONE, gas_price=10, sender=FRIEND)
    for given, text in (
        ((None, State(), HEADER), "tx"),
        ((transaction, None, HEADER), "state: expected a State, got NoneType"),
        ((transaction, State(), None), "header: expected a Header, got NoneType"),
    ):
        with pytest.raises(TypeError, match=text):
            trace_transaction(*given)
    for function in (lambda: call(State(), None), lambda: BlockAccessList.from_json([]).check(None, 1)):
        with pytest.raises(TypeError, match="header: expected a Header, got NoneType"):
            function()


def test_an_answer_without_a_result_is_none():
    with pytest.raises(TypeError, match="abstract"):
        Answer({})


@pytest.mark.parametrize("wrong", [5, None, "0x", [1]])
def test_what_is_no_output_of_a_revert_is_named(wrong):
    with pytest.raises(UnusableInput, match="output: .* is not bytes"):
        decode_revert(wrong)


@pytest.mark.parametrize("options", [{"steps": True}, {"steps": True, "memory": True}, {}], ids=str)
def test_a_trace_that_would_keep_more_than_it_may_ends_the_run(options):
    # Calls with 64 kB of input again and again.
    code = assemble("JUMPDEST PUSH 0 PUSH 0 PUSH 65536 PUSH 0 PUSH 0 PUSH 200 GAS CALL POP PUSH 0 JUMP")
    trace = Trace(**options)
    assert trace.limit_bytes is None
    trace.limit_bytes = 1_000_000
    with pytest.raises(ResourceLimit, match="1000000 bytes"):
        run(code, gas=10_000_000, tracer=trace)
    kept = len(trace.call_rows()) + len(trace.step_rows()) + len(trace.words()) + len(trace.memories())
    assert kept <= 1_000_000
    assert run(assemble("PUSH 1"), tracer=trace).is_success
    trace.limit_bytes = None
    with pytest.raises(ValueError, match="limit_bytes"):
        trace.limit_bytes = -1


def test_a_flat_trace_leaves_out_calls_of_precompiles_but_not_their_code_called_otherwise():
    """CALL and STATICCALL alone, as Parity and go-ethereum have it."""
    ops = {"CALL": "PUSH0 ", "CALLCODE": "PUSH0 ", "DELEGATECALL": "", "STATICCALL": ""}
    codes = {ONE: " ".join(f"PUSH0 PUSH0 PUSH0 PUSH0 {value}PUSH1 4 GAS {op} POP" for op, value in ops.items())}
    items, _, _ = transact_on(codes, tracer="flatCallTracer")
    assert [item["action"]["callType"] for item in items] == ["call", "callcode", "delegatecall"]
    assert [item["traceAddress"] for item in items] == [[], [0], [1]]
    items, _, _ = transact_on(codes, tracer="flatCallTracer", config={"includePrecompiles": True})
    assert len(items) == 5


def test_what_was_empty_is_not_in_what_was():
    """An account that is there without anything is new to the transaction, as one that isn't there."""
    codes = {ONE: f"PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 3 PUSH20 0x{TWO.hex()} GAS CALL"}
    accounts = {TWO: Account()}
    diff, _, _ = transact_on(codes, tracer="prestateTracer", config={"diffMode": True}, accounts=accounts, value=4)
    assert "0x" + TWO.hex() not in diff["pre"]
    assert diff["post"]["0x" + TWO.hex()]["balance"] == "0x3"
    before, _, _ = transact_on(codes, tracer="prestateTracer", accounts=accounts, value=4)
    assert "0x" + TWO.hex() not in before
    before, _, _ = transact_on(
        codes, tracer="prestateTracer", config={"includeEmpty": True}, accounts=accounts, value=4
    )
    assert before["0x" + TWO.hex()] == {"balance": "0x0"}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        # Init code that returns 6,000 bytes with gas for its memory, but not for keeping them.
        ("PUSH32 0x6117705ff3" + "00" * 27 + " PUSH0 MSTORE PUSH1 5 PUSH0 PUSH0 CREATE", "contract creation code storage out of gas"),
        (f"PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH20 0x{TWO.hex()} PUSH2 2000 CALL", "out of gas: not enough gas for reentrancy sentry"),
        ("PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 9 GAS CALL", "invalid input length"),
        ("PUSH1 7 PUSH1 212 MSTORE8 PUSH0 PUSH0 PUSH1 213 PUSH0 PUSH0 PUSH1 9 GAS CALL", "invalid final flag"),
    ],
)  # fmt: skip
def test_a_call_that_failed_says_so_in_a_nodes_words(code, error):
    tree, _, _ = transact_on({ONE: code, TWO: "PUSH1 1 PUSH1 1 SSTORE"}, tracer="callTracer")
    assert tree["calls"][0]["error"] == error
