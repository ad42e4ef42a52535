"""The commands, as a shell sees them: what they print where, and their exit status."""

import copy
import gzip
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from evmcore import Block, execute_block
from evmcore.__main__ import main
from evmcore.example.generate import EXAMPLE_FILE, block_json, make_block
from evmcore.verification import CHECKS

MAINNET = Path(__file__).resolve().parents[2] / "shared" / "mainnet-blocks"
REPORT_KEYS = [
    "number",
    "fork",
    "transactions",
    "gas_used",
    "workers",
    "strategy",
    "ok",
    "checks",
    "seconds",
    "executions",
    "aborted",
    "error",
]


@pytest.fixture(scope="module")
def example():
    """The example block file's JSON; tests change copies of it."""
    return block_json(make_block())


@pytest.fixture
def evmcore(capsys):
    """Run a command here; (exit status, standard output, standard error)."""

    def command(*words):
        try:
            status = main([str(word) for word in words])
        except SystemExit as exit_:  # argparse leaves this way
            status = exit_.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return command


def write(path, value):
    path.write_bytes(gzip.compress(orjson.dumps(value)))
    return path


def changed(example, **members):
    value = copy.deepcopy(example)
    value.update(members)
    return value


# ------------------------------------------------------------------------------------------------- replay


def test_replay_verifies_the_example(evmcore):
    status, out, err = evmcore("replay", EXAMPLE_FILE, "--workers", 1)
    assert (status, err) == (0, "")
    heads, row, _, total = out.splitlines()
    assert heads.split() == ["block", "fork", "txs", "Mgas", "ms", "Mgas/s", "executions", "aborted", "ok"]
    assert row.split()[:4] == ["1000000", "Osaka", "99", "3.090"]
    assert row.split()[-3:] == ["99", "0", "✓"]
    assert total.split()[:4] == ["total", "1", "of", "1"]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_replay_prints_json_and_nothing_else(evmcore, workers):
    status, out, err = evmcore("replay", EXAMPLE_FILE, "--json", "--workers", workers, "--repeat", 3)
    assert (status, err) == (0, "")
    report = json.loads(out)
    assert list(report) == REPORT_KEYS
    assert report["checks"] == dict.fromkeys(CHECKS, True)
    assert list(report["seconds"]) == ["load", "recover", "execute", "roots"]
    assert report["ok"] is True
    assert report["error"] is None
    assert report["workers"] == workers
    assert report["executions"] == report["transactions"] + report["aborted"]


def test_a_partial_state_leaves_its_root_open(evmcore, example, tmp_path):
    path = write(tmp_path / "block.json.gz", changed(example, preStateComplete=False))
    status, out, _ = evmcore("replay", path, "--json")
    assert status == 0
    assert json.loads(out)["checks"]["state_root"] is None


def test_plain_json_is_read_too(evmcore, example, tmp_path):
    path = tmp_path / "block.json"
    path.write_bytes(orjson.dumps(example))
    assert evmcore("replay", path)[0] == 0


def mismatch_of_gas(value):
    value["header"]["gasUsed"] = value["expected"]["gasUsed"] = "0x1"


def mismatch_of_bloom(value):
    value["expected"]["logsBloom"] = "0x" + "00" * 256


def mismatch_of_receipts(value):
    value["header"]["receiptsRoot"] = "0x" + "11" * 32


def mismatch_of_state(value):
    value["expected"]["stateRoot"] = "0x" + "11" * 32


def mismatch_of_sender(value):
    value["transactions"][4]["from"] = "0x" + "11" * 20


def mismatch_of_transactions(value):
    value["header"]["transactionsRoot"] = "0x" + "11" * 32


@pytest.mark.parametrize(
    ("spoil", "check"),
    [
        (mismatch_of_gas, "gas_used"),
        (mismatch_of_bloom, "logs_bloom"),
        (mismatch_of_receipts, "receipts_root"),
        (mismatch_of_state, "state_root"),
        (mismatch_of_sender, "senders"),
        (mismatch_of_transactions, "transactions_root"),
    ],
)
def test_each_mismatch_is_found_and_named(evmcore, example, tmp_path, spoil, check):
    value = copy.deepcopy(example)
    spoil(value)
    status, out, err = evmcore("replay", write(tmp_path / "block.json.gz", value), "--json")
    report = json.loads(out)
    assert (status, report["ok"]) == (1, False)
    assert [name for name, is_right in report["checks"].items() if not is_right] == [check]
    assert report["error"] in err
    assert "block 1000000" in err
    assert "instead of" in report["error"]


def test_the_first_transaction_that_differs_is_found(evmcore, example, tmp_path):
    block = make_block()
    receipts = execute_block(block, block.pre_state.copy()).receipts
    records = [
        {"gasUsed": one.gas_used, "status": one.status, "receipt": "0x" + one.encode().hex()} for one in receipts
    ]
    value = copy.deepcopy(example)
    mismatch_of_receipts(value)
    path = write(tmp_path / "1000000.json.gz", value)
    (tmp_path / "per-tx").mkdir()
    name = f"transaction 50 (0x{block.transactions[50].hash.hex()})"

    def error_with(index, **facts):
        known = copy.deepcopy(records)
        known[index].update(facts)
        write(tmp_path / "per-tx" / "1000000.json.gz", {"perTx": known})
        return json.loads(evmcore("replay", path, "--json")[1])["error"]

    assert "first difference" not in error_with(0)
    gas_used = receipts[50].gas_used
    assert error_with(50, gasUsed=5).endswith(
        f"first difference in {name}: gas used is {gas_used} instead of 5 (success)"
    )
    assert error_with(50, status=0).endswith(f"{name}: status is 1 instead of 0 (success)")
    other = receipts[51].encode()
    assert f"{name}: cumulative gas used is" in error_with(50, receipt="0x" + other.hex())
    [log] = receipts[50].logs
    spoiled = receipts[50].encode().replace(log.data, b"\7" * len(log.data))
    assert f"{name}: data of log 0 is 0x{log.data.hex()} instead of 0x0707" in error_with(
        50, receipt="0x" + spoiled.hex()
    )


def test_a_transaction_that_may_not_be_included_is_a_mismatch(evmcore, example, tmp_path):
    value = copy.deepcopy(example)
    sender = value["transactions"][2]["from"]
    value["preState"][sender]["nonce"] = 9
    status, out, err = evmcore("replay", write(tmp_path / "block.json.gz", value), "--json")
    report = json.loads(out)
    assert (status, report["ok"]) == (1, False)
    assert "transaction 2: nonce too low: transaction has 0, account has 9" in report["error"]
    assert report["error"] in err


def test_a_signature_of_nobody_is_a_mismatch(evmcore, example, tmp_path):
    value = copy.deepcopy(example)
    raw = bytearray.fromhex(value["transactions"][1]["raw"][2:])
    raw[-32:] = b"\xff" * 32  # s, far above the order of the curve
    value["transactions"][1]["raw"] = "0x" + raw.hex()
    status, out, _ = evmcore("replay", write(tmp_path / "block.json.gz", value), "--json")
    report = json.loads(out)
    assert status == 1
    assert report["checks"]["senders"] is False
    assert report["checks"]["transactions_root"] is False
    assert "transaction 1" in report["error"]


def test_a_directory_counts_its_block_files_and_is_not_walked_into(evmcore, example, tmp_path):
    write(tmp_path / "7.json.gz", example)
    write(tmp_path / "index.json", {"format": "something else"})
    write(tmp_path / "list.json.gz", [1, 2])
    (tmp_path / "README.md").write_text("not looked at")
    (tmp_path / "deeper").mkdir()
    write(tmp_path / "deeper" / "8.json.gz", example)
    status, out, err = evmcore("replay", tmp_path, "--json")
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 1


def test_a_directory_without_block_files_is_unusable(evmcore, tmp_path):
    status, out, err = evmcore("replay", tmp_path)
    assert (status, out) == (2, "")
    assert err == f"evmcore: {tmp_path}: no block files in it\n"


def spoil_member(*path, value):
    def change(example):
        spoiled = copy.deepcopy(example)
        inner = spoiled
        for key in path[:-1]:
            inner = inner[key]
        if value is None:
            del inner[path[-1]]
        else:
            inner[path[-1]] = value
        return gzip.compress(orjson.dumps(spoiled))

    return change


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda example: b"no gzip at all", "not gzip, though its name ends in .gz"),
        (lambda example: gzip.compress(orjson.dumps(example))[:1000], "damaged gzip"),
        (lambda example: gzip.compress(b"{'no': json}"), "not JSON"),
        (lambda example: gzip.compress(b"[]"), "format is None"),
        (spoil_member("format", value="mainnet-block/2"), "format is 'mainnet-block/2', wants 'mainnet-block/1'"),
        (spoil_member("fork", value="Atlantis"), None),
        (spoil_member("header", value=None), "block: has no 'header'"),
        (spoil_member("header", value=[1]), "header: [1] is not an object"),
        (spoil_member("header", "miner", value=None), "header: has no 'miner'"),
        (
            spoil_member("header", "gasLimit", value="0x" + "f" * 17),
            "header.gasLimit: a number of 68 bits, may have 64",
        ),
        (spoil_member("header", "gasLimit", value="-0x1"), "header.gasLimit: '-0x1' is not a number"),
        (spoil_member("header", "number", value="0x7"), "number: 1000000, but the header's is 7"),
        (spoil_member("transactions", value={}), "transactions: {} is not a list"),
        (spoil_member("transactions", 3, "raw", value=None), "transactions[3]: has no 'raw'"),
        (spoil_member("transactions", 3, "raw", value="0xzz"), "transactions[3].raw: 'zz' is not hexadecimal"),
        (spoil_member("transactions", 3, "raw", value="0x02c0"), "transactions[3].raw: "),
        (spoil_member("transactions", 3, "raw", value="0x"), "transactions[3].raw: "),
        (spoil_member("transactions", 3, "from", value="0x12"), "transactions[3].from: has 1 bytes, wants 20"),
        (spoil_member("preState", value=None), "block: has no 'preState'"),
        (spoil_member("preState", "0x12", value={}), "preState.0x12: "),
        (spoil_member("preState", "0x" + "11" * 20, value={"balance": "-0x1"}), "preState.0x1111"),
        (spoil_member("preState", "0x" + "11" * 20, value={"balance": "0x1" + "0" * 64}), "preState.0x1111"),
        (spoil_member("preState", "0x" + "11" * 20, value={"code": "0x0"}), "preState.0x1111"),
        (spoil_member("preState", "0x" + "11" * 20, value={"storage": {"0x0": "x"}}), "preState.0x1111"),
        (spoil_member("preState", "0x" + "11" * 20, value=7), "preState.0x"),
        (spoil_member("withdrawals", 0, "amount", value="much"), "withdrawals[0].amount: 'much' is not a number"),
        (spoil_member("blockHashes", value={"5": "0x12"}), "blockHashes.5: has 1 bytes, wants 32"),
        (spoil_member("expected", "gasUsed", value=-1), "expected.gasUsed: -1 is negative"),
    ],
)
def test_unusable_files_are_named_with_the_reason(evmcore, example, tmp_path, content, reason):
    path = tmp_path / "block.json.gz"
    path.write_bytes(content(example))
    if reason is None:  # the fork's name alone is unknown: the name of its rules stands in
        assert evmcore("replay", path)[0] == 0
        return
    status, out, err = evmcore("replay", path, "--json")
    assert (status, out) == (2, "")
    assert err.startswith(f"evmcore: {path}: ")
    assert reason in err


def test_a_file_that_is_not_there_is_unusable(evmcore, tmp_path):
    status, _, err = evmcore("replay", tmp_path / "none.json.gz")
    assert status == 2
    assert "No such file" in err


def test_the_rest_goes_on_unless_it_should_fail_fast(evmcore, example, tmp_path):
    value = copy.deepcopy(example)
    mismatch_of_gas(value)
    bad = write(tmp_path / "bad.json.gz", value)
    status, out, _ = evmcore("replay", bad, EXAMPLE_FILE, "--json")
    assert status == 1
    assert [json.loads(line)["ok"] for line in out.splitlines()] == [False, True]
    status, out, _ = evmcore("replay", bad, EXAMPLE_FILE, "--json", "--fail-fast")
    assert status == 1
    assert len(out.splitlines()) == 1


def test_a_terminal_sees_a_progress_bar(example, tmp_path):
    for number in (1, 2, 3):
        write(tmp_path / f"{number}.json.gz", example)
    reader, terminal = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "evmcore", "replay", tmp_path], stdout=subprocess.PIPE, stderr=terminal, check=True
    )
    os.close(terminal)
    with io.FileIO(reader) as screen:
        assert b"0/3" in screen.read(1000)


@pytest.mark.skipif(not MAINNET.is_dir(), reason="the mainnet blocks are not beside this checkout")
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_mainnet_blocks_verify(evmcore, workers):
    status, out, err = evmcore("replay", MAINNET, "--json", "--workers", workers, "--repeat", 2)
    assert (status, err) == (0, "")
    reports = [json.loads(line) for line in out.splitlines()]
    assert len(reports) == 51
    assert all(report["ok"] for report in reports)
    assert [report["number"] for report in reports if report["checks"]["receipts_root"] is None] == [
        report["number"] for report in reports if report["number"] < 4_370_000
    ]


# ------------------------------------------------------------------------------------------------- run and disasm

RETURN_42 = "602a60005260206000f3"


def test_run_prints_one_json_object(evmcore):
    status, out, err = evmcore("run", "--code", RETURN_42, "--json", "--bench", 3)
    assert (status, err) == (0, "")
    result = json.loads(out)
    assert list(result) == ["outcome", "gas_used", "state_gas_used", "gas_refund", "output", "logs", "error", "seconds"]
    assert result.pop("seconds") > 0
    assert result == {
        "outcome": "SUCCESS",
        "gas_used": 18,
        "state_gas_used": 0,
        "gas_refund": 0,
        "output": "0x" + "00" * 31 + "2a",
        "logs": [],
        "error": None,
    }


def test_run_counts_execution_alone_and_leaves_the_refund_open(evmcore):
    clear_a_slot = "6001600055" + "6000600055"
    result = json.loads(evmcore("run", "--code", clear_a_slot, "--json")[1])
    assert (result["gas_used"], result["gas_refund"]) == (4 * 3 + 22100 + 100, 19900)


@pytest.mark.parametrize(
    ("code", "outcome", "error"),
    [
        ("60006000fd", "REVERT", "revert"),
        ("fe", "INVALID_INSTRUCTION", "invalid instruction"),
        ("5b600056", "OUT_OF_GAS", "out of gas"),
        ("01", "STACK_UNDERFLOW", "stack underflow"),
    ],
)
def test_run_tells_how_it_ended(evmcore, code, outcome, error):
    exit_status, out, _ = evmcore("run", "--code", "0x" + code, "--json", "--gas", 100000)
    result = json.loads(out)
    assert exit_status == 0
    assert (result["outcome"], result["error"]) == (outcome, error)


@pytest.mark.parametrize("fork", ["London", "LONDON", "berlin", "EIP158", "constantinoplefix", "Petersburg", "merge"])
def test_forks_go_by_either_name_in_any_case(evmcore, fork):
    assert evmcore("run", "--code", RETURN_42, "--fork", fork)[0] == 0


def test_rules_are_those_of_the_fork(evmcore):
    push0 = "5f"
    assert json.loads(evmcore("run", "--code", push0, "--fork", "Shanghai", "--json")[1])["outcome"] == "SUCCESS"
    assert (
        json.loads(evmcore("run", "--code", push0, "--fork", "Merge", "--json")[1])["outcome"]
        == "UNDEFINED_INSTRUCTION"
    )


def test_run_has_a_face_for_people(evmcore):
    log_a_word = "60ff6000526001602060 00a1".replace(" ", "")
    status, out, _ = evmcore("run", "--code", log_a_word)
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == ["outcome", "gas", "output", "log", "time"]


def test_code_comes_from_a_file_too(evmcore, tmp_path):
    path = tmp_path / "code.hex"
    path.write_text("0x602a6000\n5260206000f3\n")
    assert json.loads(evmcore("run", "--code", f"@{path}", "--json")[1])["output"].endswith("2a")
    assert "PUSH1 0x2a" in evmcore("disasm", f"@{path}")[1]


def test_ten_megabytes_of_code_are_no_problem(evmcore, tmp_path):
    path = tmp_path / "code.hex"
    path.write_text("5b" * 10_000_000)
    assert json.loads(evmcore("run", "--code", f"@{path}", "--json")[1])["gas_used"] == 10_000_000


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--code", "xyz"),
        ("run", "--code", "0x123"),
        ("run", "--code", "@/nowhere/at/all"),
        ("run", "--code", "00", "--input", "0xg0"),
        ("run", "--code", "00", "--gas", "-5"),
        ("run", "--code", "00", "--gas", str(1 << 63)),
        ("run", "--code", "00", "--fork", "Atlantis"),
        ("run", "--code", "00", "--bench", "0"),
        ("run",),
        ("disasm", "6"),
        ("replay",),
        ("replay", "x", "--workers", "0"),
        ("replay", "x", "--strategy", "hope"),
        ("dance",),
        (),
    ],
)
def test_unusable_arguments_exit_with_2_and_a_reason(evmcore, words):
    status, out, err = evmcore(*words)
    assert (status, out) == (2, "")
    assert err


def test_disasm_prints_a_line_an_instruction(evmcore):
    status, out, _ = evmcore("disasm", "0x6001600101")
    assert status == 0
    assert [line.split()[1] for line in out.splitlines()] == ["PUSH1", "PUSH1", "ADD"]


@pytest.mark.parametrize("command", [(), ("replay",), ("run",), ("disasm",)])
def test_help_teaches_by_examples(evmcore, command):
    status, out, _ = evmcore(*command, "--help")
    assert status == 0
    assert "examples:\n  evmcore " in out


def test_the_package_is_a_command(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "evmcore", "run", "--code", RETURN_42, "--json"],
        capture_output=True,
        check=True,
        cwd=tmp_path,
    )
    assert json.loads(done.stdout)["outcome"] == "SUCCESS"


def test_a_reader_that_goes_away_is_no_accident(tmp_path):
    path = tmp_path / "code.hex"
    path.write_text("5b" * 200_000)
    command = f"{sys.executable} -m evmcore disasm @{path} | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("0000")
    assert done.stderr == ""


def test_blocks_load_from_the_file_and_from_its_json(example):
    assert Block.load(EXAMPLE_FILE).hash == Block.from_json(example).hash
