"""trace_call, trace_replayTransaction and their like, in Parity's shapes."""

from __future__ import annotations

import json

import pytest
from test_server import ACCOUNTS, HER, ME, Client

from evmcore import Transaction, assemble

COUNTER, CALLER, MAKER, REVERTER, ENDER = ("0x" + f"{byte:02x}" * 20 for byte in (0x77, 0x78, 0x79, 0x7A, 0x7B))
ALL = ["trace", "stateDiff", "vmTrace"]
PROGRAMS = {
    COUNTER: "PUSH 0 SLOAD PUSH 1 ADD DUP1 PUSH 0 SSTORE PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN",
    CALLER: f"PUSH 32 PUSH 64 PUSH 0 PUSH 0 PUSH 0 PUSH {COUNTER} PUSH 60000 CALL STOP",
    # Makes a contract of two bytes whose init code is 13 bytes long, and leaves a word in its slot 3.
    MAKER: "PUSH 7 PUSH 3 SSTORE PUSH13 0x6160016000526002601ef3 PUSH 0 MSTORE PUSH 13 PUSH 19 PUSH 0 CREATE PUSH 0 MSTORE STOP",
    REVERTER: "PUSH 5 PUSH 1 SSTORE PUSH 4 PUSH 28 REVERT",
    ENDER: f"PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH {REVERTER} GAS CALL POP PUSH 1 JUMP",
}


@pytest.fixture
def client():
    made = Client()
    for address, program in PROGRAMS.items():
        made("anvil_setCode", address, "0x" + assemble(program).hex())
    return made


def send(client, to, **fields):
    return client("eth_sendTransaction", {"from": ME, "to": to, "gas": "0x493e0", **fields})


def frames(trace):
    """All frames of a vmTrace, each after the one that it is in."""
    found = [trace]
    for frame in found:
        found += [op["sub"] for op in frame["ops"] if op["sub"] is not None]
    return found


def test_a_replay_says_calls_differences_and_instructions(client):
    sent = send(client, CALLER)
    answer = client("trace_replayTransaction", sent, ALL)
    outer, inner = answer["trace"]
    assert (outer["action"]["to"], outer["subtraces"], outer["traceAddress"]) == (CALLER, 1, [])
    assert (inner["action"]["to"], inner["subtraces"], inner["traceAddress"]) == (COUNTER, 0, [0])
    assert int(outer["action"]["gas"], 16) == 300_000 - 21_000
    assert inner["result"] == {"gasUsed": inner["result"]["gasUsed"], "output": "0x" + f"{1:064x}"}
    assert not {"blockHash", "transactionHash"} & outer.keys()

    difference = answer["stateDiff"]
    slot = {"*": {"from": "0x" + "0" * 64, "to": f"0x{1:064x}"}}
    assert difference[COUNTER] == {"balance": "=", "code": "=", "nonce": "=", "storage": {"0x" + "0" * 64: slot}}
    assert difference[ME]["nonce"] == {"*": {"from": "0x0", "to": "0x1"}}
    assert int(difference[ME]["balance"]["*"]["to"], 16) == int(client("eth_getBalance", ME), 16)
    assert CALLER not in difference

    outer, inner = frames(answer["vmTrace"])
    assert (outer["code"], inner["code"]) == (client("eth_getCode", CALLER), client("eth_getCode", COUNTER))
    called = outer["ops"][7]
    assert called["sub"] is inner
    assert called["ex"]["mem"] == {"off": 64, "data": f"0x{1:064x}"}
    assert called["ex"]["push"] == ["0x1"]
    assert called["cost"] == 60_000 + 2600 + 9  # an account that is cold, memory of three words
    added, copied, stored, kept = inner["ops"][3], inner["ops"][4], inner["ops"][6], inner["ops"][8]
    assert added == {
        "cost": 3,
        "ex": {"mem": None, "push": ["0x1"], "store": None, "used": 57891},
        "pc": 5,
        "sub": None,
    }
    assert copied["ex"]["push"] == ["0x1", "0x1"]
    assert stored["ex"]["store"] == {"key": "0x0", "val": "0x1"}
    assert kept["ex"]["mem"] == {"off": 0, "data": f"0x{1:064x}"}


def test_gas_is_that_of_the_struct_log(client):
    for to in (CALLER, MAKER, ENDER):
        sent = send(client, to)
        logs = client("debug_traceTransaction", sent)["structLogs"]
        steps = [
            op
            for frame in frames(client("trace_replayTransaction", sent, ["vmTrace"])["vmTrace"])
            for op in frame["ops"]
        ]
        assert len(steps) == len(logs)
        for depth in {line["depth"] for line in logs}:
            own = [line for line in logs if line["depth"] == depth]
            frame = frames(client("trace_replayTransaction", sent, ["vmTrace"])["vmTrace"])[depth - 1]["ops"]
            assert [op["pc"] for op in frame] == [line["pc"] for line in own]
            left = [op["ex"]["used"] for op in frame if op["ex"] is not None]
            assert left[: len(own) - 1] == [line["gas"] for line in own[1:]]
            for op, line in zip(frame, own):
                assert op["cost"] == line["gasCost"] or (line["op"] == "CREATE" and op["cost"] > line["gasCost"])


def test_what_is_made_has_its_init_code_and_comes_into_being(client):
    answer = client("trace_replayTransaction", send(client, MAKER), ALL)
    made = answer["trace"][1]
    assert (made["type"], made["result"]["code"]) == ("create", client("eth_getCode", made["result"]["address"]))
    assert frames(answer["vmTrace"])[1]["code"] == made["action"]["init"]
    came = answer["stateDiff"][made["result"]["address"]]
    assert came == {
        "balance": {"+": "0x0"},
        "code": {"+": made["result"]["code"]},
        "nonce": {"+": "0x1"},
        "storage": {},
    }
    init = "0x" + assemble("PUSH 0 SELFDESTRUCT").hex()
    gone = client("trace_call", {"from": ME, "data": init}, ALL)
    assert [one["type"] for one in gone["trace"]] == ["create", "suicide"]
    assert list(gone["stateDiff"]) == [ME]
    assert gone["vmTrace"]["code"] == init


def test_an_account_that_ends_is_taken_away():
    client = Client(forks="Shanghai")
    client("anvil_setCode", COUNTER, "0x" + assemble("PUSH 0 SELFDESTRUCT").hex())
    client("anvil_setStorageAt", COUNTER, "0x5", "0x" + f"{7:064x}")
    difference = client("trace_call", {"from": ME, "to": COUNTER}, ["stateDiff"])["stateDiff"][COUNTER]
    assert difference == {
        "balance": {"-": "0x0"}, "code": {"-": client("eth_getCode", COUNTER)}, "nonce": {"-": "0x0"},
        "storage": {f"0x{5:064x}": {"-": f"0x{7:064x}"}},
    }  # fmt: skip


def test_what_fails_says_how_and_instructions_that_failed_have_done_nothing(client):
    answer = client("trace_call", {"from": ME, "to": ENDER, "gas": "0x186a0"}, ALL)
    outer, inner = answer["trace"]
    assert (outer["error"], inner["error"]) == ("Bad jump destination", "Reverted")
    assert "result" not in outer
    assert [op["ex"] is None for op in answer["vmTrace"]["ops"]] == [False] * (len(answer["vmTrace"]["ops"]) - 1) + [
        True
    ]
    reverted = frames(answer["vmTrace"])[1]["ops"]
    assert reverted[-1]["ex"] == {
        "mem": None,
        "push": [],
        "store": None,
        "used": reverted[-2]["ex"]["used"] - 3,
    }  # a word of memory
    assert list(answer["stateDiff"]) == [ME]
    assert client("trace_call", {"from": ME, "to": HER, "value": "0x1"}, ALL)["vmTrace"] == {"code": "0x", "ops": []}


def test_a_delegated_account_runs_its_targets_code(client):
    client("anvil_setCode", HER, "0xef0100" + COUNTER[2:])
    traced = client("trace_call", {"from": ME, "to": HER}, ["vmTrace"])
    assert traced["vmTrace"]["code"] == client("eth_getCode", COUNTER)
    assert traced["stateDiff"] is None
    assert traced["trace"] == []


def test_calls_of_many_see_those_before_and_nothing_stays(client):
    answers = client("trace_callMany", [[{"from": ME, "to": COUNTER}, kinds] for kinds in (["trace"], [], ALL)])
    assert [int(one["output"], 16) for one in answers] == [1, 2, 3]
    assert client("trace_call", {"from": ME, "to": COUNTER}, [])["output"] == f"0x{1:064x}"
    held = {COUNTER: {"stateDiff": {"0x0": "0x" + f"{8:064x}"}}}
    assert client("trace_call", {"from": ME, "to": COUNTER}, [], "latest", held)["output"] == f"0x{9:064x}"


def test_a_raw_transaction_is_traced_and_not_sent(client):
    fields = {"gas_price": 10**10, "gas_limit": 100_000, "chain_id": 1337, "to": bytes.fromhex(COUNTER[2:])}
    raw = "0x" + Transaction(nonce=0, **fields).sign(ACCOUNTS[0].key).raw.hex()
    before = client("trace_rawTransaction", raw, ALL)
    assert client("eth_getTransactionCount", ME) == "0x0"
    sent = client("eth_sendRawTransaction", raw)
    after = client("trace_replayTransaction", sent, ALL)
    assert (before["trace"], before["vmTrace"]) == (after["trace"], after["vmTrace"])
    assert "nonce" in client.error("trace_rawTransaction", raw, ALL)[1]
    assert client.error("trace_rawTransaction", "0x01", ALL)[0] == -32000


def test_a_block_is_its_transactions_and_a_trace_is_found_by_its_address(client):
    client("evm_setAutomine", False)
    sent = [send(client, to) for to in (CALLER, MAKER, CALLER)]
    client("evm_mine")
    replayed = client("trace_replayBlockTransactions", "latest", ALL)
    assert [one.pop("transactionHash") for one in replayed] == sent
    assert replayed == [client("trace_replayTransaction", one, ALL) for one in sent]
    flat = client("trace_block", "latest")
    assert flat == [one for each in sent for one in client("trace_transaction", each)]
    places = {"blockHash", "blockNumber", "transactionHash", "transactionPosition"}
    bare = [{name: one[name] for name in one.keys() - places} for one in flat]
    assert bare == [one for each in replayed for one in each["trace"]]
    assert client("trace_get", sent[2], ["0x0"]) == client("trace_transaction", sent[2])[1]
    assert client("trace_get", sent[2], []) == client("trace_transaction", sent[2])[0]
    assert client("trace_get", sent[2], ["0x7"]) is None
    assert client("trace_replayBlockTransactions", "0x0", ALL) == []


def test_too_many_instructions_are_refused():
    client = Client(trace_steps=20)
    client("anvil_setCode", COUNTER, "0x" + assemble(PROGRAMS[COUNTER]).hex())
    call = {"from": ME, "to": COUNTER}
    assert len(client("trace_call", call, ["vmTrace"])["vmTrace"]["ops"]) == 12
    assert "12 instructions, may be 8" in client.error("trace_callMany", [[call, ["vmTrace"]]] * 2)[1]
    assert len(client("trace_callMany", [[call, ["trace"]]] * 2)) == 2
    client = Client(trace_bytes=1000)
    client("anvil_setCode", COUNTER, "0x" + assemble(PROGRAMS[COUNTER]).hex())
    assert client.error("trace_call", call, ["vmTrace"])[0] == -32000


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("trace_call", [{"to": HER}, ["everything"]]),
        ("trace_call", [{"to": HER}, "trace"]),
        ("trace_call", [{"to": HER}, [[["trace"]]]]),
        ("trace_call", [{"to": HER}, ["trace"] * 101]),
        ("trace_call", [{"to": HER}]),
        ("trace_call", [[], ["trace"]]),
        ("trace_call", [{"to": HER}, ["trace"], "0x99"]),
        ("trace_callMany", [[[{"to": HER}]]]),
        ("trace_callMany", [[{"to": HER}]]),
        ("trace_callMany", [[[{"to": HER}, ["trace"]]] * 1001]),
        ("trace_rawTransaction", ["0x", ["trace"]]),
        ("trace_rawTransaction", ["0x03c0", ["trace"]]),
        ("trace_replayTransaction", ["0x" + "11" * 32, ["trace"]]),
        ("trace_replayTransaction", ["0x11", ["trace"]]),
        ("trace_replayBlockTransactions", ["0x5", ["trace"]]),
        ("trace_replayBlockTransactions", [{}, ["trace"]]),
        ("trace_get", ["0x" + "11" * 32, ["0x0"]]),
        ("trace_get", ["0x" + "11" * 32, [[]]]),
        ("trace_get", ["0x" + "11" * 32, ["0x0"] * 1026]),
    ],
)
def test_what_cannot_be_is_an_error(client, method, params):
    code, message = client.error(method, *params)
    assert code in (-32000, -32602), message
    assert "internal" not in message


def test_frames_in_frames_without_end_are_answered(client):
    """A program that calls itself until its gas is gone: JSON has no place for it below some depth, and that is said."""
    client("anvil_setCode", COUNTER, "0x" + assemble("PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 ADDRESS GAS CALL").hex())
    for gas in (10**5, 10**7):
        body = {"id": 1, "method": "trace_call", "params": [{"from": ME, "to": COUNTER, "gas": hex(gas)}, ALL]}
        answer = json.loads(client.dispatcher.answer(json.dumps(body)))
        assert "result" in answer or answer["error"]["code"] == -32603
