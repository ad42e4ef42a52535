"""Ethereum's public fixtures, a fixed part of each suite (all with EVMCORE_SAMPLE=1), and the runners' own manners.

The whole is `make conformance`. Where no fixtures are found, what needs them is skipped.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import textwrap
import time
import zlib
from functools import cache
from pathlib import Path

import pytest
from helpers import SHARED

from evmcore import Header, State, Transaction, keccak256, transact
from evmcore import rlp as rlp_module
from evmcore.__main__ import main
from evmcore._core import STATUSES
from evmcore.conformance import state_blocks, state_tests, transaction_tests
from evmcore.conformance.discovery import (
    Selection,
    Skip,
    cache_folder,
    find_corpus,
    fixture_files,
    kind_of,
    load_skips,
    suites_of,
)
from evmcore.conformance.exceptions import comes_before, is_expected, labels_of, statuses_of
from evmcore.conformance.report import (
    BEGIN,
    END,
    Speed,
    Tally,
    conformance_page,
    fork_order,
    short_table,
    write_between,
)
from evmcore.conformance.results import CaseResult
from evmcore.conformance.runner import run_files
from evmcore.errors import EvmError, UnusableInput

PROJECT = Path(__file__).resolve().parents[1]
# One file in that many: all of this takes some ten seconds.
SAMPLE = int(os.environ.get("EVMCORE_SAMPLE") or 20)
# What one case of takes seconds, and says nothing that its neighbours don't.
SLOW = re.compile("stTimeConsuming|stQuadraticComplexity|stStaticCall|stAttackTest|MaxRounds|vmPerformance")


@cache
def corpus() -> Path:
    """Where the fixtures are; the test is skipped without them."""
    found = find_corpus(PROJECT, [SHARED / "ethereum-tests", SHARED / "amsterdam-tests"], cache_folder())
    if found is None:
        pytest.skip("no fixtures: see ethereum-tests/README.md")
    return found


def failures(kind: str, run_file, every: int = SAMPLE) -> list[str]:
    """What fails of one file in so many, chosen by a checksum of its name, of all suites of one kind."""
    selection = Selection(skips=load_skips(PROJECT / "ethereum-tests" / "skips.txt"))
    count = 0
    wrong = []
    for suite in suites_of(corpus()):
        if suite.kind != kind:
            continue
        for path, _ in fixture_files([str(suite.folder)]):
            name = os.path.relpath(path, corpus())
            if zlib.crc32(name.encode()) % every or (every > 1 and SLOW.search(name)):
                continue
            for result in run_file(path, selection):
                count += 1
                if not result.is_passed and result.skipped is None:
                    wrong.append(f"{result.file}: {result.name} {result.fork} {result.index}: {result.error}")
    assert count
    return wrong


def test_state_tests():
    assert failures("state", state_tests.run_file) == []


def test_transaction_tests():
    assert failures("transaction", transaction_tests.run_file, every=1) == []


def test_state_tests_as_blocks_with_several_workers():
    assert failures("state", state_blocks.run_file, every=SAMPLE * 4) == []


# ---------------------------------------------------------------- fixtures of our own, in both layouts

KEY = "0x45a915e4d060149eb4365960e6a7a45f334393093061116b197e3240065ff2d8"
SENDER = "0xa94f5374fce5edbc8e2a8697c15331677e6ebf0b"
# Logs its call data's first word and stores it at slot 0.
CODE = "0x60003580600055600052602060006000a100"
CONTRACT = "0x095e7baea6a6c7c4c2dfeb977efac326af552d87"
COINBASE = "0x2adc25665018aa1fe0e6bc666dac8fc2697ff9ba"
ENV = {
    "currentCoinbase": COINBASE,
    "currentDifficulty": "0x020000",
    "currentGasLimit": "0xff112233445566",
    "currentNumber": "0x01",
    "currentTimestamp": "0x03e8",
}
PRE = {
    SENDER: {"balance": "0x0de0b6b3a7640000", "code": "0x", "nonce": "0x00", "storage": {}},
    CONTRACT: {"balance": "0x00", "code": CODE, "nonce": "0x01", "storage": {"0x01": "0x02"}},
}
WORDS = ("0x" + "00" * 31 + "07", "0x" + "ff" * 32)


def outcome(fork: str, word: str, gas: int) -> tuple[str, str, str]:
    """State root, logs hash and txbytes of our own test's transaction, by the public functions."""
    state = State(PRE)
    transaction = Transaction(
        nonce=0, gas_price=10, gas_limit=gas, to=CONTRACT, data=word, chain_id=1 if fork == "Berlin" else None
    ).sign(KEY)
    header = Header(number=1, gas_limit=2**55, timestamp=1000, coinbase=COINBASE, difficulty=0x20000, fork=fork)
    receipt = transact(transaction, state, header)
    logs = [[log.address, list(log.topics), log.data] for log in receipt.logs]
    hash_ = keccak256(rlp_module.encode(logs))
    return "0x" + state.root().hex(), "0x" + hash_.hex(), "0x" + transaction.raw.hex()


def classic() -> dict:
    """A test in the classic layout: two forks, two words, two gas limits; one case of each fork is refused."""
    post: dict[str, list] = {}
    for fork in ("Homestead", "Berlin"):
        for data, word in enumerate(WORDS):
            root, logs, raw = outcome(fork, word, 100_000)
            indexes = {"data": data, "gas": 0, "value": 0}
            case = {"hash": root, "logs": logs, "indexes": indexes}
            if fork == "Berlin":
                case["txbytes"] = raw
            post.setdefault(fork, []).append(case)
        state = State(PRE)
        if fork == "Homestead":
            state.set_balance(COINBASE, 0)  # exists: a refused transaction's block still pays nothing to it
        post[fork].append(
            {
                "hash": "0x" + state.root().hex(),
                "logs": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
                "indexes": {"data": 0, "gas": 1, "value": 0},
                "expectException": "TR_IntrinsicGas"
                if fork == "Homestead"
                else "TransactionException.INTRINSIC_GAS_TOO_LOW",
            }
        )
    transaction = {
        "data": list(WORDS),
        "gasLimit": ["0x0186a0", "0x64"],
        "value": ["0x00"],
        "gasPrice": "0x0a",
        "nonce": "0x00",
        "to": CONTRACT,
        "secretKey": KEY,
        "sender": SENDER,
    }
    return {"own": {"env": ENV, "pre": PRE, "transaction": transaction, "post": post, "_info": {}}}


@pytest.fixture
def own_file(tmp_path):
    """A file with our own test."""
    path = tmp_path / "own.json"
    path.write_text(json.dumps(classic()))
    return path


def changed(path: Path, change) -> Path:
    """The file, with its one test changed."""
    content = json.loads(path.read_text())
    change(content["own"])
    path.write_text(json.dumps(content))
    return path


def test_a_classic_file_passes_case_by_case(own_file, capsys):
    assert main(["statetest", str(own_file), "--json"]) == 0
    printed = capsys.readouterr()
    results = json.loads(printed.out)
    assert [(r["fork"], r["index"], r["pass"]) for r in results] == [
        (fork, index, True) for fork in ("Homestead", "Berlin") for index in range(3)
    ]
    assert set(results[0]) == {"name", "fork", "index", "pass", "stateRoot", "error", "file"}
    assert results[0]["name"] == "own"
    assert results[0]["file"] == str(own_file)
    assert results[0]["stateRoot"] == classic()["own"]["post"]["Homestead"][0]["hash"]
    assert "6 passed, 0 failed" in printed.err
    assert "Homestead" in printed.err


def test_the_newer_layout_is_one_case_a_key(tmp_path, capsys):
    test = classic()["own"]
    test["config"] = {"chainid": "0x01"}
    test["post"] = {"Berlin": [test["post"]["Berlin"][1]]}
    path = tmp_path / "state_tests" / "new.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"tests/own.py::own[fork_Berlin]": test}))
    assert main(["statetest", str(tmp_path), "--json"]) == 0
    assert [r["name"] for r in json.loads(capsys.readouterr().out)] == ["tests/own.py::own[fork_Berlin]"]


def test_a_sender_is_found_by_its_key(own_file):
    changed(own_file, lambda test: test["transaction"].pop("sender"))
    assert all(result.is_passed for result in state_tests.run_file(str(own_file)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda case: case.update(hash="0x" + "11" * 32), "state root"),
        (lambda case: case.update(logs="0x" + "11" * 32), "logs hash"),
        (lambda case: case.update(expectException="TR_NoFunds"), "accepted, wants TR_NoFunds"),
    ],
)
def test_what_differs_is_told_and_fails(own_file, capsys, change, says):
    changed(own_file, lambda test: change(test["post"]["Berlin"][1]))
    assert main(["statetest", str(own_file), "--summary"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"own Berlin 1: {says}" in printed.err
    assert "5 passed, 1 failed" in printed.err


def test_a_rejection_of_another_kind_fails(own_file, capsys):
    changed(own_file, lambda test: test["post"]["Berlin"][2].update(expectException="TR_NoFunds|TR_NonceTooLow"))
    assert main(["statetest", str(own_file), "--summary"]) == 1
    assert (
        "rejected: TransactionException.INTRINSIC_GAS_TOO_LOW, wants TR_NoFunds|TR_NonceTooLow"
        in capsys.readouterr().err
    )


def test_a_rejection_that_nothing_wants_fails(own_file, capsys):
    changed(own_file, lambda test: test["post"]["Berlin"][2].pop("expectException"))
    assert main(["statetest", str(own_file), "--summary"]) == 1
    assert "own Berlin 2: rejected: TransactionException.INTRINSIC_GAS_TOO_LOW" in capsys.readouterr().err


def test_fields_and_signed_bytes_have_to_agree(own_file, capsys):
    changed(own_file, lambda test: test["transaction"].update(nonce="0x01"))
    assert main(["statetest", str(own_file), "--fork", "berlin", "--index", "0"]) == 1
    assert "txbytes: signs something else" in capsys.readouterr().err


def test_options_choose_forks_indexes_and_names(own_file, capsys):
    assert main(["statetest", str(own_file), "--json", "--fork", "BERLIN", "--index", "1"]) == 0
    assert [(r["fork"], r["index"]) for r in json.loads(capsys.readouterr().out)] == [("Berlin", 1)]
    assert main(["statetest", str(own_file), "--json", "--run", "^ow"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 6
    assert main(["statetest", str(own_file), "--json", "--run", "other"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_file_names_come_from_standard_input(own_file, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{own_file}\n"))
    assert main(["statetest", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 6


def test_traces_go_to_standard_error_and_end_with_the_root(own_file, capsys):
    assert main(["statetest", "--statetest.fork", "Berlin", "--trace", str(own_file)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    post = classic()["own"]["post"]["Berlin"]
    assert [line["stateRoot"] for line in lines if "stateRoot" in line] == [case["hash"] for case in post]
    assert lines[0]["opName"] == "PUSH1"


def test_blocks_of_state_tests_are_the_same_with_several_workers(own_file, capsys):
    assert main(["statetest", str(own_file), "--strategy", "optimistic"]) == 0
    assert "6 passed, 0 failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "not JSON"),
        ("[]", "not an object of tests"),
        ("{}", "no test of this kind"),
        ('{"a": {"blocks": [], "genesisBlockHeader": {}}}', "no test of this kind"),
        ('{"a": {"pre": {}, "env": {}, "transaction": {"sender": ""}, "post": {"Berlin": [{}]}}}', "KeyError"),
    ],
)
def test_unusable_files_are_named(tmp_path, capsys, content, says):
    path = tmp_path / "bad.json"
    path.write_text(content)
    assert main(["statetest", str(path)]) == 2
    error = capsys.readouterr().err
    assert str(path) in error
    assert says in error


def test_a_missing_path_is_named(capsys):
    assert main(["statetest", "/no/such/file.json"]) == 2
    assert "/no/such/file.json: no such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0xzz", "0x" + "11" * 33, "", "0x-1"])
def test_damaged_numbers_in_a_pre_state_are_told(own_file, text):
    changed(own_file, lambda test: test["pre"][SENDER].update(balance=text))
    with pytest.raises((UnusableInput, EvmError), match="balance"):
        state_tests.run_file(str(own_file))


# ---------------------------------------------------------------- transaction tests of our own


def transaction_test(**result) -> dict:
    signed = Transaction(nonce=0, gas_price=1, gas_limit=21_000, to=CONTRACT, chain_id=1).sign(KEY)
    expected = {"hash": "0x" + signed.hash.hex(), "sender": SENDER, "intrinsicGas": "0x5208"}
    return {"own": {"txbytes": "0x" + signed.raw.hex(), "result": {"London": {**expected, **result}}}}


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ({}, None),
        ({"sender": CONTRACT}, "sender"),
        ({"hash": "0x" + "00" * 32}, "hash"),
        ({"intrinsicGas": "0x5209"}, "intrinsic gas 21000, wants 21001"),
        ({"exception": "TransactionException.NONCE_TOO_BIG"}, "accepted"),
    ],
)
def test_transaction_results_are_compared(tmp_path, capsys, result, says):
    path = tmp_path / "tx.json"
    path.write_text(json.dumps(transaction_test(**result)))
    assert main(["txtest", str(path), "--json"]) == (0 if says is None else 1)
    [found] = json.loads(capsys.readouterr().out)
    assert found["pass"] == (says is None)
    assert says is None or says in found["error"]


# ---------------------------------------------------------------- the table of exceptions


def test_a_label_stands_for_its_kinds_and_no_other():
    assert is_expected("TR_NoFunds", "INSUFFICIENT_FUNDS")
    assert is_expected("TransactionException.INSUFFICIENT_ACCOUNT_FUNDS", "INSUFFICIENT_FUNDS")
    assert not is_expected("TR_NoFunds", "INTRINSIC_GAS_TOO_LOW")
    assert is_expected("TR_NoFundsOrGas", "INTRINSIC_GAS_TOO_LOW")
    assert is_expected("TR_NoFunds|TR_IntrinsicGas", "INTRINSIC_GAS_TOO_LOW")
    assert not is_expected("NO_SUCH_LABEL", "INTRINSIC_GAS_TOO_LOW")


def test_the_field_counts_where_a_label_names_it():
    assert is_expected("TransactionException.RLP_LEADING_ZEROS_NONCE", "RLP_LEADING_ZEROS", "nonce")
    assert not is_expected("TransactionException.RLP_LEADING_ZEROS_NONCE", "RLP_LEADING_ZEROS", "gas_limit")
    assert is_expected("TransactionException.TYPE_3_TX_PRE_FORK", "TYPE_NOT_SUPPORTED", "3")
    assert not is_expected("TransactionException.TYPE_3_TX_PRE_FORK", "TYPE_NOT_SUPPORTED", "2")
    assert is_expected(
        "TransactionException.TYPE_4_INVALID_AUTHORIZATION_FORMAT", "RLP_WRONG_LENGTH", "authorization_list.address"
    )


@pytest.mark.parametrize(
    ("label", "status", "field"),
    [
        ("BlockException.INVALID_GAS_USED_ABOVE_LIMIT", "BLOCK_GAS_USED_ABOVE_LIMIT", None),
        ("BlockException.GAS_USED_OVERFLOW", "GAS_ALLOWANCE_EXCEEDED", None),
        ("BlockException.IMPORT_IMPOSSIBLE_LONDON_OVER_PARIS", "BLOCK_DIFFICULTY_NOT_ZERO", None),
        ("TransactionException.TYPE_3_TX_ZERO_BLOBS_PRE_FORK", "TYPE_NOT_SUPPORTED", "3"),
    ],
)
def test_labels_that_only_other_releases_have(label, status, field):
    assert is_expected(label, status, field)


def test_a_block_that_was_one_to_refuse_before_it_was_spoilt_is_refused_for_what_is_looked_at_first():
    assert comes_before("BLOCK_GAS_LIMIT", "BlockException.INVALID_STATE_ROOT")
    assert comes_before("RLP_EXPECTED_STRING", "BlockException.INVALID_GAS_USED|BlockException.INVALID_REQUESTS")
    assert comes_before("INVALID_CHAIN_ID", "BlockException.INVALID_RECEIPTS_ROOT")
    assert comes_before("BLOCK_ACCESS_LIST_SIZE", "BlockException.INVALID_STATE_ROOT")
    for status, label in (
        ("BLOCK_STATE_ROOT", "BlockException.INVALID_GAS_USED"),
        ("BLOCK_GAS_USED", "BlockException.INVALID_STATE_ROOT"),
        ("BLOCK_GAS_LIMIT", "BlockException.RLP_STRUCTURES_ENCODING"),
        ("INVALID_CHAIN_ID", "BlockException.INVALID_BASEFEE_PER_GAS"),
        ("BLOCK_GAS_LIMIT", "BlockException.NEVER_HEARD_OF"),
    ):
        assert not comes_before(status, label), (status, label)


def test_every_rejection_goes_by_the_name_in_its_row():
    for row in STATUSES:
        if row.kind == "INVALID":
            assert is_expected(row.text, row.name)
            assert labels_of(row.name)


@pytest.mark.parametrize("kind", ["state", "blockchain", "transaction"])
def test_every_label_of_the_fixtures_is_in_the_table(kind):
    labels = set()
    for suite in suites_of(corpus()):
        if suite.kind == kind and "bal-" not in suite.name:
            for path, _ in fixture_files([str(suite.folder)]):
                text = Path(path).read_text("utf-8")
                if "for_amsterdam" not in path:
                    labels.update(re.findall(r'"(?:expectException\w*|exception)"\s*:\s*"([^"]+)"', text))
    unknown = {part for label in labels for part in label.split("|") if not statuses_of(part)}
    assert unknown == set()


# ---------------------------------------------------------------- finding, choosing, counting


def test_kinds_of_tests_are_told_apart():
    assert kind_of(classic()["own"]) == "state"
    assert kind_of(transaction_test()["own"]) == "transaction"
    assert kind_of({"blocks": [], "genesisBlockHeader": {}}) == "blockchain"
    assert kind_of({"in": "", "out": ""}) is None
    assert kind_of([]) is None


def test_a_sample_is_fixed_and_takes_the_newest_forks_whole():
    tenth = Selection(sample=10)
    names = [f"test {i}" for i in range(1000)]
    chosen = [name for name in names if tenth.wants_in(name, "Berlin")]
    assert 50 < len(chosen) < 150
    assert chosen == [name for name in names if Selection(sample=10).wants_in(name, "Frontier")]
    assert all(tenth.wants_in(name, "Osaka") and tenth.wants_in(name, "BPO1ToBPO2AtTime15k") for name in names)


def test_skips_have_a_reason(tmp_path):
    path = tmp_path / "skips.txt"
    path.write_text("# comment\n\n*Amsterdam*  *  a draft\nBerlin */slow.json no client passes it\n")
    assert load_skips(path) == (
        Skip("*Amsterdam*", "*", "a draft"),
        Skip("Berlin", "*/slow.json", "no client passes it"),
    )
    selection = Selection(skips=load_skips(path))
    assert selection.reason_to_skip("a/b.json", "BPO2ToAmsterdamAtTime15k") == "a draft"
    assert selection.reason_to_skip("a/slow.json", "Berlin") == "no client passes it"
    assert selection.reason_to_skip("a/slow.json", "London") is None
    path.write_text("Berlin *\n")
    with pytest.raises(UnusableInput, match="no reason"):
        load_skips(path)


def test_skipped_cases_are_counted_and_not_run(own_file):
    selection = Selection(skips=(Skip("Berlin", "*", "because"),))
    results = state_tests.run_file(str(own_file), selection)
    tally = Tally()
    tally.add("own", results)
    assert [(fork, count.passed, count.failed, count.skipped) for _, fork, count in tally.rows()] == [
        ("Homestead", 3, 0, 0),
        ("Berlin", 0, 0, 3),
    ]
    assert tally.reasons == {"because": 3}
    assert "- 3 cases: because" in conformance_page(tally, "make conformance")


def test_forks_come_in_the_order_of_the_chain():
    names = [
        "Prague",
        "BPO2ToAmsterdamAtTime15k",
        "Homestead",
        "HomesteadToDaoAt5",
        "Amsterdam",
        "Frontier",
        "PragueToOsakaAtTime15k",
    ]
    assert sorted(names, key=fork_order) == [
        "Frontier", "Homestead", "HomesteadToDaoAt5", "Prague", "PragueToOsakaAtTime15k", "BPO2ToAmsterdamAtTime15k", "Amsterdam",
    ]  # fmt: skip


def test_the_table_is_put_between_the_markers(tmp_path):
    tally = Tally()
    tally.add(
        "suite",
        [CaseResult("a", "Berlin", 0, True, None, None, "f"), CaseResult("b", "London", 0, False, None, "x", "f")],
    )
    page = tmp_path / "README.md"
    assert not write_between(page, "text")
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert write_between(page, short_table(tally))
    content = page.read_text()
    assert "| suite | Berlin – London | 1 | 1 | 0 |" in content
    assert content.startswith("before\n")
    assert content.endswith("after\n")
    assert "old" not in content


def test_the_corpus_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("EVMCORE_TESTS", str(tmp_path))
    with pytest.raises(UnusableInput, match="EVMCORE_TESTS"):
        find_corpus(PROJECT, [tmp_path], tmp_path)
    (tmp_path / "GeneralStateTests").mkdir()
    assert find_corpus(PROJECT, [tmp_path], tmp_path) == tmp_path
    monkeypatch.setenv("EVMCORE_CACHE", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache" / "ethereum-tests"


def test_files_run_in_several_processes(tmp_path):
    # Enough bytes that processes are worth starting.
    content = classic()
    content["own"]["_info"] = {"comment": " " * 1_500_000}
    paths = [str(tmp_path / f"{i}.json") for i in range(3)]
    for path in paths:
        Path(path).write_text(json.dumps(content))
    Path(paths[1]).write_text("{" + " " * 1_500_000)
    found = {path: results for path, results, _ in run_files(state_tests.run_file, paths, 2)}
    assert isinstance(found[paths[1]], UnusableInput)
    assert [result.is_passed for result in found[paths[0]]] == [True] * 6
    assert found[paths[0]][0].file == paths[0]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_workers_end_with_a_run_that_is_killed(tmp_path):
    script = textwrap.dedent("""
        import os, sys, time
        from evmcore.conformance.runner import run_files
        def work(path):
            with open(path, "w") as file:
                file.write(str(os.getpid()))
            time.sleep(60)
        if __name__ == "__main__":
            list(run_files(work, sys.argv[1:], 2))
    """)
    program = tmp_path / "program.py"
    program.write_text(script)
    paths = [tmp_path / name for name in "ab"]
    for path in paths:
        path.write_text(" " * 1_500_000)
    with subprocess.Popen([sys.executable, program, *paths]) as process:
        wait_until(lambda: all(0 < path.stat().st_size < 20 for path in paths))
        process.kill()
    pids = [int(path.read_text()) for path in paths]
    wait_until(lambda: not any(is_running(pid) for pid in pids))


def is_running(pid: int) -> bool:
    """Whether there is such a process, and it is more than an entry that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(is_so) -> None:
    """The bound is for busy machines."""
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_slow_folders_do_not_count_for_the_rate():
    speed = Speed()
    speed.add("a/stTimeConsuming/slow.json", "state", 1, 90.0)
    speed.add("a/stExample/quick.json", "state", 1000, 0.5)
    assert speed.rate() == ""
    speed.add("a/stRandom/quick.json", "state", 2000, 1.0)
    speed.add("b/chain.json", "blockchain", 5, 3.0)
    assert "2,000 cases a second" in speed.rate()
    assert speed.slowest() == "Slowest files: slow.json 90 s, chain.json 3 s, quick.json 1 s"


@pytest.fixture
def small_corpus(tmp_path, monkeypatch):
    """A project with two suites of one file each, one of them with a skipped case; the current folder."""
    for suite, content in {
        "GeneralStateTests": classic(),
        "TransactionTests": transaction_test(),
    }.items():
        folder = tmp_path / "fixtures" / suite / "own"
        folder.mkdir(parents=True)
        (folder / "own.json").write_text(json.dumps(content))
    (tmp_path / "ethereum-tests").mkdir()
    (tmp_path / "ethereum-tests" / "skips.txt").write_text("Homestead  *  because\n")
    (tmp_path / "README.md").write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    monkeypatch.setenv("EVMCORE_TESTS", str(tmp_path / "fixtures"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_whole_corpus_is_run_and_the_pages_are_written(small_corpus, capsys):
    assert main(["conformance"]) == 0
    printed = capsys.readouterr().out
    assert "4 passed, 0 failed, 3 skipped" in printed
    page = (small_corpus / "conformance.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert "| GeneralStateTests | Homestead – Berlin | 3 | 0 | 3 |" in rows
    assert "| GeneralStateTests | Homestead | 0 | 0 | 3 |" in rows
    assert "| TransactionTests | London | 1 | 0 | 0 |" in rows
    assert "- 3 cases: because" in page
    readme = (small_corpus / "README.md").read_text()
    assert "| **everything** | | **4** | **0** | **3** |" in readme
    assert readme.startswith("before\n")
    assert readme.endswith("after\n")


def test_a_failure_in_the_corpus_is_named_and_fails_the_run(small_corpus, capsys):
    changed(
        small_corpus / "fixtures/GeneralStateTests/own/own.json",
        lambda test: test["post"]["Berlin"][0].update(hash="0x"),
    )
    assert main(["conformance", "--no-write"]) == 1
    printed = capsys.readouterr()
    assert "3 passed, 1 failed, 3 skipped" in printed.out
    assert "own.json: own Berlin 0: state root" in printed.err
    assert not (small_corpus / "conformance.md").exists()
    (small_corpus / "fixtures/TransactionTests/own/own.json").write_text("{")
    assert main(["conformance", "--no-write"]) == 2
    assert "own.json: not JSON" in capsys.readouterr().err


def test_a_part_of_the_corpus_is_never_taken_for_the_whole(small_corpus):
    for words in (["--suite", "Transaction"], ["--sample", "10"], ["--strategy", "optimistic"]):
        assert main(["conformance", *words]) == 0
    assert not (small_corpus / "conformance.md").exists()


def test_without_fixtures_it_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("EVMCORE_TESTS", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["conformance"]) == 2
    assert "no fixtures" in capsys.readouterr().err
    assert main(["conformance", "--optional"]) == 0
    assert "no fixtures: neither $EVMCORE_TESTS" in capsys.readouterr().out
