"""State transitions as test tools ask for them, and the commands in go-ethereum's spelling: t8n, t9n, b11r, run, statetest, blocktest."""

import io
import json
import subprocess
import sys

import pytest
from helpers import T8N_FRIEND as FRIEND
from helpers import T8N_KEY as KEY
from helpers import t8n_payment as payment

from evmcore import Block, Header, Transaction, assemble, keccak256, rlp
from evmcore.__main__ import main
from evmcore._core import SYSTEM_ADDRESSES
from evmcore.errors import EvmError
from evmcore.transition import Environment, TransitionFault, transition

COINBASE = "0x" + "cc" * 20
SENDER = "0x" + Transaction(to=FRIEND, chain_id=1).sign(KEY).sender.hex()
CODE = "0x" + "11" * 20
ENV = {
    "currentCoinbase": COINBASE,
    "currentGasLimit": "0x1c9c380",
    "currentNumber": "5",
    "currentTimestamp": "1000",
}
LATER = {
    "currentRandom": "0x7",
    "currentBaseFee": "0x7",
    "withdrawals": [],
    "parentBeaconBlockRoot": "0x" + "00" * 32,
    "currentExcessBlobGas": "0x0",
}
RICH = {SENDER: {"balance": "0xde0b6b3a7640000"}}


def made(env=(), txs=(), alloc=(), fork="Cancun", **options):
    return transition({**RICH, **dict(alloc)}, {**ENV, **LATER, **dict(env)}, list(txs), fork=fork, **options)


# ------------------------------------------------------------------------------------------------ the procedure


def test_a_payment_is_made_and_a_second_one_is_rejected():
    done = made(txs=[payment(), payment()])
    assert done.alloc[FRIEND] == {"balance": "0x5"}
    [receipt] = done.result["receipts"]
    assert (receipt["gasUsed"], receipt["status"], receipt["root"], receipt["logs"]) == ("0x5208", "0x1", "0x", [])
    [rejected] = done.result["rejected"]
    assert rejected["index"] == 1
    assert rejected["error"].lower() == f"nonce too low: address {SENDER}, tx: 0 state: 1"
    assert done.body[0] >= 0xC0
    assert "requests" in done.result


def test_the_receipts_root_is_that_of_the_receipts():
    done = made(txs=[payment(), payment(nonce="0x1")])
    header = Header(fork="Cancun", number=5, gas_limit=0x1C9C380, timestamp=1000, base_fee_per_gas=7, excess_blob_gas=0)
    assert done.result["txRoot"] != done.result["receiptsRoot"]
    assert [receipt["cumulativeGasUsed"] for receipt in done.result["receipts"]] == ["0x5208", "0xa410"]
    assert Block(header, done.included).transactions == done.included


@pytest.mark.parametrize(
    ("fork", "env", "code"),
    [
        ("Frontier+1346", {}, 3),
        ("Atlantis", {}, 3),
        ("Paris", {"currentRandom": None}, 3),
        ("Paris", {"currentDifficulty": "0x1"}, 3),
        ("Shanghai", {"withdrawals": None}, 3),
        ("Cancun", {"parentBeaconBlockRoot": None}, 3),
        ("London", {"currentBaseFee": None, "currentDifficulty": "0x1"}, 3),
        ("Berlin", {}, 3),  # no difficulty, and no parent's
        ("Berlin", {"parentDifficulty": "0x20000", "parentTimestamp": "1000"}, 3),
        ("Cancun", {"currentNumber": None}, 10),
        ("Cancun", {"currentNumber": "0x" + "ff" * 9}, 10),
        ("Cancun", {"currentCoinbase": "0x12"}, 10),
        ("Cancun", {"blockHashes": {"x": "0x00"}}, 10),
        ("Cancun", {"ommers": [{}]}, 10),
        ("Cancun", {"withdrawals": [5]}, 10),
    ],
)
def test_an_environment_without_what_its_fork_needs_says_so(fork, env, code):
    with pytest.raises(TransitionFault) as fault:
        made(env, fork=fork)
    assert fault.value.code == code


@pytest.mark.parametrize("txs", [5, {"a": 1}, [5], [{"type": "0x9"}], [payment(to="0x12")], [payment(gas="x")], "0xzz"])
def test_transactions_of_another_shape_are_no_json_of_them(txs):
    with pytest.raises(TransitionFault) as fault:
        transition(RICH, {**ENV, **LATER}, txs, fork="Cancun")
    assert fault.value.code == 10


def test_an_alloc_of_another_shape_is_no_json_of_one():
    for alloc in (5, {"0x12": {}}, {SENDER: 5}, {SENDER: {"balance": "x"}}):
        with pytest.raises(TransitionFault) as fault:
            transition(alloc, {**ENV, **LATER}, [], fork="Cancun")
        assert fault.value.code == 10


def test_difficulty_base_fee_and_excess_blob_gas_follow_from_the_parent():
    parent = {"parentDifficulty": "0x20000", "parentTimestamp": "990", "currentRandom": None}
    assert made(parent, fork="Berlin").result["currentDifficulty"] == "0x20000"
    parent = {"currentBaseFee": None, "parentBaseFee": "0x500", "parentGasUsed": "0x0", "parentGasLimit": "0x1000"}
    assert made(parent).result["currentBaseFee"] == "0x460"
    parent = {"currentExcessBlobGas": None, "parentExcessBlobGas": "0xc0000", "parentBlobGasUsed": "0x20000"}
    assert made(parent).result["currentExcessBlobGas"] == hex(0xC0000 + 0x20000 - 3 * 0x20000)
    assert "currentExcessBlobGas" not in made({"currentExcessBlobGas": None}).result


def test_rewards_are_paid_and_touch():
    env = {**ENV, "currentDifficulty": "0x20000", "ommers": [{"delta": 1, "address": FRIEND}]}
    alloc = transition({}, env, [], fork="Byzantium", reward=0x80).alloc
    assert alloc == {FRIEND: {"balance": "0x70"}, COINBASE: {"balance": "0x84"}}
    assert transition({}, env, [], fork="Homestead", reward=0).alloc == {
        COINBASE: {"balance": "0x0"},
        FRIEND: {"balance": "0x0"},
    }
    assert transition({COINBASE: {"balance": "0x0"}}, env, [], fork="Byzantium", reward=0).alloc == {}
    assert transition({}, env, [], fork="Byzantium", reward=-1).alloc == {}


def test_a_block_hash_that_is_not_given_ends_it():
    alloc = {CODE: {"code": "0x" + assemble("PUSH1 3 BLOCKHASH").hex()}}
    with pytest.raises(TransitionFault, match="blockhash for that block not provided") as fault:
        made(txs=[payment(to=CODE, gas="0x186a0")], alloc=alloc)
    assert fault.value.code == 4
    made({"blockHashes": {"3": "0x" + "33" * 32}}, [payment(to=CODE, gas="0x186a0")], alloc)


def test_a_receipt_before_byzantium_has_its_root():
    env = {**ENV, "currentDifficulty": "0x20000"}
    [first, second] = transition(RICH, env, [payment(), payment(nonce="0x1")], fork="Homestead").result["receipts"]
    assert len(first["root"]) == len(second["root"]) == 66
    assert first["root"] != second["root"]


def test_a_block_has_its_access_list_from_amsterdam_on():
    contracts = {
        "0x" + address.hex(): {"code": "0x00", "nonce": "0x1"}
        for name, address in SYSTEM_ADDRESSES.items()
        if name.endswith("contract")
    }
    done = made({"slotNumber": "0x5"}, [payment(gas="0xf4240")], contracts, fork="Amsterdam")
    encoded = bytes.fromhex(done.result["blockAccessList"][2:])
    assert done.result["blockAccessListHash"] == "0x" + keccak256(encoded).hex()
    assert bytes.fromhex(FRIEND[2:]) in encoded
    assert "blockAccessList" not in made().result


def test_the_hash_of_logs_has_those_of_system_calls_and_the_bloom_does_not():
    """statedb.Logs() in go-ethereum's t8n: of all that ran, in order."""
    names = {name: "0x" + address.hex() for name, address in SYSTEM_ADDRESSES.items() if name.endswith("contract")}
    logs = assemble("PUSH1 0x01 PUSH1 0x01 PUSH1 0x00 LOG1 STOP")
    contracts = {
        address: {
            "code": "0x" + (logs if name in {"beacon_roots_contract", "withdrawal_contract"} else b"\0").hex(),
            "nonce": "0x1",
        }
        for name, address in names.items()
    }
    contracts[CODE] = {"code": "0x" + logs.hex()}
    done = made({"slotNumber": "0x5"}, [payment(to=CODE, gas="0x186a0", value="0x0")], contracts, fork="Prague")
    want = [
        [bytes.fromhex(address[2:]), [(1).to_bytes(32, "big")], b"\0"]
        for address in (names["beacon_roots_contract"], CODE, names["withdrawal_contract"])
    ]
    assert done.result["logsHash"] == "0x" + keccak256(rlp.encode(want)).hex()
    [receipt] = done.result["receipts"]
    assert [log["address"] for log in receipt["logs"]] == [CODE]
    assert done.result["logsBloom"] == receipt["logsBloom"]
    alone = made({}, [payment(to=CODE, gas="0x186a0", value="0x0")], {CODE: {"code": "0x" + logs.hex()}})
    assert alone.result["logsHash"] == "0x" + keccak256(rlp.encode(want[1:2])).hex()


@pytest.mark.parametrize(
    ("encoded", "error"),
    [
        (
            b"\x03" + rlp.encode([b"\x01", b"", b"", b"", b"", b"", b"", b"", [], b"", [], b"", b"", b""]),
            "types.BlobTx).To",
        ),
        (
            b"\x02" + rlp.encode([b"\x01", b"", b"", b"", b"", b"\1\2", b"", b"", [], b"", b"", b""]),
            "types.DynamicFeeTx).To",
        ),
        (b"\x02" + rlp.encode([b"\x01"]), "rlp: too few elements for types.DynamicFeeTx"),
        (b"\x02\x80", "rlp: expected input list for types.DynamicFeeTx"),
        (b"\x09\xc0", "transaction type not supported"),
        (b"", "typed transaction too short"),
    ],
)
def test_one_that_can_not_be_decoded_is_rejected_and_the_others_are_not(encoded, error):
    good = Transaction(to=FRIEND, gas_limit=21_000, max_fee_per_gas=9, chain_id=1).sign(KEY)
    text = "0x" + rlp.encode([encoded, good.raw]).hex()
    result = transition(RICH, {**ENV, **LATER}, text, fork="Cancun").result
    assert len(result["receipts"]) == 1
    [rejected] = result["rejected"]
    assert rejected["index"] == 0
    assert rejected["error"].endswith(error)


def test_an_unsigned_transaction_without_a_key_is_rejected():
    unsigned = payment()
    del unsigned["secretKey"]
    assert made(txs=[unsigned]).result["rejected"][0]["error"] == "invalid transaction v, r, s values"


def test_a_legacy_signature_names_the_chain_unless_it_is_told_not_to():
    [signed] = made(txs=[payment()], chain_id=7).included
    assert (signed.chain_id, signed.v) in ((7, 49), (7, 50))
    [signed] = made(txs=[payment(protected=False)], chain_id=7).included
    assert signed.chain_id is None


def test_the_environment_can_be_read_once():
    env = Environment.from_json({**ENV, **LATER})
    first = transition(RICH, env, [payment()], fork="Cancun")
    assert first.result == transition(first.state.copy(), env, [], fork="Cancun").result | {
        name: first.result[name] for name in ("stateRoot", "txRoot", "receiptsRoot", "receipts", "gasUsed")
    }
    assert isinstance(TransitionFault(3, "x"), EvmError)


# ------------------------------------------------------------------------------------------------ the commands


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run a command in a folder of its own; (exit status, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        status = main([str(word) for word in words])
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


@pytest.fixture
def inputs(tmp_path):
    for name, value in (("alloc", RICH), ("env", {**ENV, **LATER}), ("txs", [payment(), payment()])):
        (tmp_path / f"{name}.json").write_text(json.dumps(value))


def test_t8n_writes_files_and_streams(command, inputs, tmp_path):
    status, out, err = command(
        "t8n", "--state.fork=Cancun", "--output.basedir", "out", "-output.body=txs.rlp", "--trace"
    )
    assert (status, out, err) == (0, "", "")
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    [trace] = (tmp_path / "out").glob("trace-0-*.jsonl")
    assert trace.name == f"trace-0-{result['receipts'][0]['transactionHash']}.jsonl"
    assert json.loads((tmp_path / "out" / "alloc.json").read_text())[FRIEND] == {"balance": "0x5"}
    status, out, _ = command(
        *("t8n", "--state.fork", "Cancun", "--input.txs", "out/txs.rlp"),
        *("--output.result", "stdout", "--output.alloc", "stdout"),
    )
    told = json.loads(out)
    assert status == 0
    assert told["result"]["stateRoot"] == result["stateRoot"]
    assert set(told) == {"alloc", "result"}


def test_t8n_reads_standard_input(command, monkeypatch):
    given = {"alloc": RICH, "env": {**ENV, **LATER}, "txs": [payment()]}
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(given)))
    flags = [word for name in ("alloc", "env", "txs") for word in (f"--input.{name}", "stdin")]
    status, out, _ = command("transition", *flags, "--state.fork=Cancun", "--output.result=stdout", "--output.alloc=")
    assert (status, set(json.loads(out))) == (0, {"result"})
    for text, code in (("{", 10), ("[]", 10)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        assert command("t8n", *flags)[0] == code


def test_t8n_counts_instructions(command, inputs, tmp_path):
    (tmp_path / "alloc.json").write_text(json.dumps({**RICH, CODE: {"code": "0x6001600101"}}))
    (tmp_path / "txs.json").write_text(json.dumps([payment(to=CODE, gas="0x186a0")] * 2))
    assert command("t8n", "--state.fork=Cancun", "--opcode.count=counts.json")[0] == 0
    assert json.loads((tmp_path / "counts.json").read_text()) == {"ADD": 1, "PUSH1": 2, "STOP": 1}


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("--state.fork=Nowhere",), 3, "unsupported fork"),
        (("--nonsense",), 1, "flag provided but not defined: -nonsense"),
        (("--state.chainid",), 1, "needs an argument"),
        (("--state.chainid=x",), 1, "not a number"),
        (("--trace=perhaps",), 1, "invalid boolean value"),
        (("left over",), 1, "unexpected argument"),
        (("--input.alloc=none.json",), 11, "failed reading alloc file"),
        (("--input.alloc=bad.json",), 10, "failed unmarshaling alloc file"),
        (("--state.fork=Cancun", "--output.basedir=alloc.json"), 11, "failed creating output basedir"),
        (("--trace.tracer={result: function(){}}",), 3, "JavaScript tracers are not supported"),
        (("--state.fork=Cancun", "--input.txs=bad.rlp"), 11, "rlp: "),
    ],
)
def test_t8n_ends_with_go_ethereums_status(command, inputs, tmp_path, words, status, says):
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "bad.rlp").write_text('"0xf852"')
    have, out, err = command("t8n", *words)
    assert (have, out) == (status, "")
    assert err.startswith(f"ERROR({status}): ")
    assert says in err


def test_t9n_tells_hash_sender_and_gas(command, tmp_path):
    good = Transaction(nonce=0, gas_price=1, gas_limit=21_000, to=FRIEND, chain_id=1).sign(KEY)
    cheap = Transaction(nonce=0, gas_price=1, gas_limit=82, to=FRIEND, chain_id=1).sign(KEY)
    body = b"".join(tx.raw for tx in (good, cheap)) + b"\x82\x05\xc0" + b"\x01"
    (tmp_path / "txs.rlp").write_text(json.dumps("0xf8" + bytes([len(body)]).hex() + body.hex()))
    status, out, _ = command("t9n", "--input.txs", "txs.rlp", "--state.fork", "London")
    assert status == 0
    first, second, third, fourth = json.loads(out)
    assert first == {"address": SENDER, "hash": "0x" + good.hash.hex(), "intrinsicGas": "0x5208"}
    assert second["error"] == "intrinsic gas too low: have 82, want 21000"
    assert (third, fourth) == (
        {"error": "transaction type not supported"},
        {"error": "typed transaction too short"},
    )


def test_a_value_of_more_than_256_bits_is_told_with_its_sender(command, tmp_path):
    from evmcore._core import sign_hash

    fields = [b"", b"\x01", (21_000).to_bytes(2, "big"), bytes.fromhex(FRIEND[2:]), b"\x01" + bytes(32), b""]
    r, s, parity = sign_hash(keccak256(rlp.encode(fields)), bytes.fromhex(KEY[2:]))
    encoded = rlp.encode([*fields, bytes([27 + parity]), rlp.number(r), rlp.number(s)])
    (tmp_path / "txs.rlp").write_text(json.dumps(rlp.encode_list([encoded]).hex()))
    [answer] = json.loads(command("t9n", "--input.txs=txs.rlp", "--state.fork=Berlin")[1])
    assert answer == {
        "error": "value exceeds 256 bits",
        "address": SENDER,
        "hash": "0x" + keccak256(encoded).hex(),
        "intrinsicGas": "0x5208",
    }


HEADER = {"stateRoot": "0x" + "12" * 32, "number": "0x5", "gasLimit": "0x1000", "timestamp": "0x64"}


def test_b11r_puts_a_block_together(command, tmp_path):
    (tmp_path / "header.json").write_text(json.dumps(HEADER))
    (tmp_path / "txs.rlp").write_text('"0xc0"')
    status, out, _ = command("b11r", "--output.block=stdout")
    made_block = json.loads(out)
    block = Block.decode(made_block["rlp"], fork="Berlin")
    assert (status, block.hash.hex(), block.header.number) == (0, made_block["hash"][2:], 5)
    (tmp_path / "ommers.json").write_text(json.dumps([made_block["rlp"]]))
    _, out, _ = command("b11r", "--input.ommers=ommers.json", "--output.block=stdout")
    assert Block.decode(json.loads(out)["rlp"], fork="Berlin").ommers == (block.header,)
    (tmp_path / "clique.json").write_text(json.dumps({"secretKey": KEY, "voted": FRIEND, "authorize": True}))
    _, out, _ = command("b11r", "--seal.clique=clique.json", "--output.block=stdout")
    signed = Block.decode(json.loads(out)["rlp"], fork="Berlin").header
    assert (len(signed.extra_data), signed.coinbase.hex(), signed.nonce) == (97, FRIEND[2:], bytes(8))


@pytest.mark.parametrize(
    ("header", "txs", "status"),
    [
        ({}, "0xc0", 10),
        ({**HEADER, "number": "x"}, "0xc0", 10),
        ([], "0xc0", 10),
        (HEADER, "0xf8", 11),
        (HEADER, "0xzz", 10),
    ],
)
def test_b11r_refuses_what_makes_no_block(command, tmp_path, header, txs, status):
    (tmp_path / "header.json").write_text(json.dumps(header))
    (tmp_path / "txs.rlp").write_text(json.dumps(txs))
    have, out, err = command("b11r")
    assert (have, out) == (status, "")
    assert err.startswith(f"ERROR({status}): ")


def test_run_takes_a_program_as_its_argument(command, tmp_path):
    assert command("run", "0x602a60005260206000f3") == (0, "0x" + "00" * 31 + "2a\n", "")
    assert command("run", "01")[1] == "\n error: stack underflow\n"
    status, out, err = command("run", "--trace", "--trace.nostack", "6040")
    assert (status, out) == (0, "")
    assert err.splitlines() == [
        '{"pc":0,"op":96,"gas":"0x2540be400","gasCost":"0x3","memSize":0,"stack":null,"depth":1,"refund":0,"opName":"PUSH1"}',
        '{"pc":2,"op":0,"gas":"0x2540be3fd","gasCost":"0x0","memSize":0,"stack":null,"depth":1,"refund":0,"opName":"STOP"}',
        '{"output":"","gasUsed":"0x3"}',
    ]
    assert command("run", "--json", "6040")[2].count("\n") == 3
    (tmp_path / "code.hex").write_text("6040\n")
    assert "STOP " in command("run", "--codefile", "code.hex", "--trace", "--trace.format=struct")[2]
    assert "|    2  |       STOP  |    0 |" in command("run", "--trace", "--trace.format=md", "6040")[2]
    dumped = json.loads(command("run", "--dump", "--trace", "6040")[1])
    assert dumped["accounts"]["0x0000000000000000000000007265636569766572"]["code"] == "0x6040"
    written = json.loads(command("run", "--dump", "--trace", "6001600055")[1])["accounts"]
    assert list(written["0x0000000000000000000000007265636569766572"]["storage"].values()) == ["01"]
    made = json.loads(command("run", "--dump", "--trace", "--create", "600160005360016000f3")[1])["accounts"]
    assert sorted((account["nonce"], account.get("code", "")) for account in made.values()) == [(1, ""), (1, "0x01")]
    assert command("run", "--trace", "--trace.format=xml", "00")[0] == 2


def test_the_version_is_told_without_talk():
    done = subprocess.run([sys.executable, "-m", "evmcore", "-v"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("evmcore ")
    assert done.stderr == ""


def state_test(code: str, root: str = "0x" + "00" * 32) -> dict:
    post = [{"hash": root, "logs": "0x" + "00" * 32, "indexes": {"data": 0, "gas": 0, "value": 0}}]
    return {
        "own": {
            "env": {**ENV, "currentDifficulty": "0x20000", "currentRandom": "0x0", "currentBaseFee": "0x7"},
            "pre": {
                SENDER: {"balance": "0xde0b6b3a7640000", "nonce": "0x0", "code": "0x", "storage": {}},
                CODE: {"balance": "0x0", "nonce": "0x0", "code": "0x" + assemble(code).hex(), "storage": {}},
            },
            "transaction": {
                "sender": SENDER,
                "secretKey": KEY,
                "nonce": "0x0",
                "gasPrice": "0xa",
                "to": CODE,
                "data": ["0x"],
                "gasLimit": ["0x186a0"],
                "value": ["0x0"],
            },
            "post": {"London": post},
        }
    }


def test_a_single_state_test_is_answered_as_go_ethereum_does(command, tmp_path, monkeypatch):
    path = tmp_path / "test.json"
    path.write_text(json.dumps(state_test("PUSH1 1 PUSH1 0 SSTORE")))
    status, out, err = command("statetest", path)
    [result] = json.loads(out)
    root = result["stateRoot"]
    assert (status, result["pass"], result["fork"]) == (0, False, "London")
    assert result["error"] == f"post state root mismatch: got {root[2:]}, want {'00' * 32}"
    assert err == f'{{"stateRoot": "{root}"}}\n'
    path.write_text(json.dumps(state_test("PUSH1 1 PUSH1 0 SSTORE", root)))
    [result] = json.loads(command("statetest", path)[1])
    assert result["error"].startswith("post state logs hash mismatch: got 1dcc4de8")
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{path}\n{path}\n\nnot read\n"))
    status, out, err = command("statetest", "--trace", "--trace.nomemory=true", "--trace.noreturndata=true")
    assert (status, err.count('"stateRoot"'), err.count('"opName":"SSTORE"')) == (0, 2, 2)
    assert command("statetest", "--statetest.fork", "Berlin", path)[1] == "[]\n"
    assert "FAIL" in command("statetest", "--human", path)[1]
    [result] = json.loads(command("statetest", "--bench", "--dump", path)[1])
    assert result["benchStats"]["gasUsed"] > 21_000
    assert len(result["state"]["accounts"]) == 3


def test_a_refused_call_and_a_selfdestruct_end_frames_of_their_own(command, tmp_path):
    """go-ethereum tells a call that the caller can't pay for, and a SELFDESTRUCT, as frames."""
    path = tmp_path / "test.json"
    path.write_text(
        json.dumps(
            state_test(
                "PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 1 PUSH1 9 GAS CALL PUSH1 5 SELFDESTRUCT".replace("PUSH0", "PUSH1 0")
            )
        )
    )
    lines = [json.loads(line) for line in command("statetest", "--trace", path)[2].splitlines()]
    refused, destroyed, whole = (line for line in lines if "output" in line)
    assert (refused["gasUsed"], refused["error"]) == ("0x0", "insufficient balance for transfer")
    assert (destroyed["gasUsed"], "error" in destroyed) == ("0x0", False)
    assert "error" not in whole


def test_a_file_without_state_tests_is_unusable(command, tmp_path):
    (tmp_path / "none.json").write_text("{}")
    for name in ("statetest", "blocktest"):
        status, out, err = command(name, "none.json")
        assert (status, out) == (2, "")
        assert "no test of this kind" in err
        assert command(name, "nowhere.json")[0] == 2
        assert command(name, "--run", "(", "none.json")[0] == 2
        assert command(name, "none.json", "other.json")[0] == 2
