"""`evmcore call`: a call on a fork of a node, from the command line."""

import json

import pytest

pytest.importorskip("urllib3", reason="evmcore.remote wants urllib3 (pip install evmcore[remote])")

from nodes import Node
from test_remote import COUNTER, ME, SECRET, chain_of

from evmcore import assemble
from evmcore.__main__ import main

TO = "0x" + COUNTER.hex()


@pytest.fixture(scope="module")
def node():
    with Node(chain_of(), path=f"/{SECRET}") as opened:
        yield opened


def said(capsys, words):
    assert main(words) == 0
    return json.loads(capsys.readouterr().out)


def test_a_call_on_a_block_that_is_named_behind_the_url(node, capsys):
    made = said(capsys, ["call", TO, "--fork", f"{node.url}@2", "--json"])
    assert (made["block"], int(made["output"], 16), made["chain_id"]) == (2, 10, 1337)
    made = said(capsys, ["call", TO, "0x01", "--fork", node.url, "--json", "--rules", "Osaka", "--verify"])
    assert (made["block"], int(made["output"], 16), made["fork"]) == (5, 13, "Osaka")


def test_the_node_may_be_named_by_the_environment(node, capsys, monkeypatch):
    monkeypatch.setenv("EVMCORE_RPC_URL", node.url)
    assert main(["call", "--create", "0x60016000526020600060ff"]) in (0, 1)
    assert main(["call", TO, "--from", "0x" + ME.hex(), "--value", "1"]) == 0
    assert "outcome   success" in capsys.readouterr().out
    assert main(["call", TO, "--value", "5", "--from", "0x" + "99" * 20]) == 1
    assert "insufficient funds" in capsys.readouterr().err
    assert main(["call", TO, "--value", "5", "--from", "0x" + "99" * 20, "--balance", "0x5"]) == 0
    assert main(["call", TO, "--trace", "--gas", "100000"]) == 0
    captured = capsys.readouterr()
    assert '"opName":"SLOAD"' in captured.err


def test_what_is_wrong_is_said_without_the_url_s_secrets(node, capsys):
    for words, status in (
        (["call", "--fork", node.url], 2),
        (["call", TO, "--create", "0x00", "--fork", node.url], 2),
        (["call", "0x12", "--fork", node.url], 2),
        (["call", TO, "0x1", "--fork", node.url], 2),
        (["call", TO, "--fork", node.url, "--value", "-1"], 2),
        (["call", TO, "--fork", f"{node.url}@77"], 1),
        (["call", TO, "--fork", f"{node.url}@pending"], 2),
        (["call", TO, "--fork", f"nothing/{SECRET}"], 2),
        (["call", TO, "--fork", f"ftp://node.example/{SECRET}"], 2),
        (["call", TO, "--fork", node.url, "--rules", "Nowhere"], 2),
        (["call", TO, "--fork", node.url, "--timeout", "0"], 2),
    ):
        assert main(words) == status, words
        captured = capsys.readouterr()
        assert captured.err
        assert SECRET not in captured.err + captured.out


def test_a_program_runs_after_a_nodes_block_and_in_its_surroundings(node, capsys):
    code = assemble(
        f"NUMBER PUSH 0 MSTORE PUSH 32 PUSH 32 PUSH 0 PUSH 0 PUSH 0 PUSH20 0x{COUNTER.hex()} GAS CALL POP PUSH 64 PUSH 0 RETURN"
    ).hex()
    for block, number, count in (("@2", 2, 10), ("@0", 0, 8), ("", 5, 13)):
        made = said(capsys, ["run", "--code", code, "--fork", f"{node.url}{block}", "--rules", "Osaka", "--json"])
        output = bytes.fromhex(made["output"][2:])
        assert (made["outcome"], made["block"], made["fork"]) == ("SUCCESS", number, "Osaka")
        assert (int.from_bytes(output[:32], "big"), int.from_bytes(output[32:], "big")) == (number, count)
    assert main(["run", "--code", code, "--fork", f"{node.url}@3", "--rules", "Osaka"]) == 0
    assert "block     3 (Osaka)" in capsys.readouterr().out
    assert "block" not in said(capsys, ["run", "--code", "00", "--fork", "London", "--json"])


def test_blocks_of_a_node_are_replayed(node, capsys):
    assert main(["replay", "--fork", node.url, "1-3", "latest", "--rules", "Osaka", "--json", "--workers", "1"]) == 0
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["number"], one["ok"], one["transactions"]) for one in reports] == [
        (number, True, 1) for number in (1, 2, 3, 5)
    ]
    assert main(["replay", "--fork", node.url, "2", "77", "--rules", "Osaka"]) == 1
    captured = capsys.readouterr()
    assert "block 77" in captured.err
    assert "1 of 1" in captured.out


def test_what_is_wrong_with_a_node_is_said_by_every_command_alike(node, capsys, tmp_path):
    for words, status in (
        (["run", "--code", "00", "--fork", f"{node.url}@77"], 1),
        (["run", "--code", "00", "--fork", f"{node.url}@pending"], 2),
        (["run", "--code", "00", "--fork", f"ftp://node.example/{SECRET}"], 2),
        (["run", "--code", "00", "--fork", "Nowhere"], 2),
        (["run", "--code", "00", "--fork", "-"], 2),
        (["run", "--code", "00", "--verify"], 2),
        (["run", "--code", "00", "--fork", node.url, "--rules", "Nowhere"], 2),
        (["replay", "--fork", f"ftp://node.example/{SECRET}", "1"], 2),
        (["replay", "--fork", "-", "1"], 2),
        (["replay", "--fork", node.url, "3-1"], 2),
        (["replay", "--fork", node.url, "1", "--executor", "threads"], 2),
        (["replay", "--rules", "Osaka", str(tmp_path)], 2),
    ):
        assert main(words) == status, words
        captured = capsys.readouterr()
        assert captured.err, words
        assert SECRET not in captured.err + captured.out
