"""`evmcore witness`: the file that it makes is the block's witness, and what is wrong with one is said in a line."""

from __future__ import annotations

import json

import pytest
from test_witness_of_blocks import CONTRACT, call, chain_of

from evmcore import ExecutionWitness, State, execute_block
from evmcore.__main__ import main
from evmcore.example import EXAMPLE_FILE
from evmcore.files import write_file
from evmcore.fixtures import load_block

SLOT = 7


@pytest.fixture
def made(tmp_path):
    path = tmp_path / "witness.json"
    assert main(["witness", "make", str(EXAMPLE_FILE), "--output", str(path), "--workers", "2"]) == 0
    return path


def test_what_is_made_is_the_witness_and_verifies(made, capsys):
    block = load_block(EXAMPLE_FILE)
    state = State(dict(block.pre_state.items()))
    root = state.root()
    witness = execute_block(block, state, workers=1, witness=True).witness
    written = json.loads(made.read_text())
    assert ExecutionWitness.from_json(written) == witness
    assert written["preStateRoot"] == "0x" + root.hex()
    assert main(["witness", "make", str(EXAMPLE_FILE)]) == 0
    assert json.loads(capsys.readouterr().out) == written
    for more in ([], ["--workers", "1", "--strategy", "sequential"], ["--state-root", root.hex()]):
        assert main(["witness", "verify", str(EXAMPLE_FILE), str(made), *more]) == 0
        assert f"block {block.number}: verified" in capsys.readouterr().out
    assert main(["witness", "verify", str(EXAMPLE_FILE), str(made), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["is_state_root_checked"], told["nodes"]) == (True, False, len(witness.state))


def test_what_is_wrong_with_a_witness_is_said(made, tmp_path, capsys):
    written = json.loads(made.read_text())
    bad = tmp_path / "bad.json"

    def verify(changes: dict, *more: str) -> tuple[int, str]:
        bad.write_text(json.dumps({**written, **changes}))
        capsys.readouterr()
        status = main(["witness", "verify", str(EXAMPLE_FILE), str(bad), *more])
        told = capsys.readouterr()
        assert told.err.count("\n") == 1
        return status, told.err

    assert verify({"codes": []})[0] == 1
    assert "missing state: code 0x" in verify({"codes": []})[1]
    assert "missing state: node 0x" in verify({"state": []})[1]
    assert "leads to it" in verify({"state": [*written["state"], "0xc20102"]})[1]
    assert "witness, header 0x" in verify({"headers": ["0xc0"]})[1]
    assert verify({"state": 1})[0] == 2
    assert verify({"preStateRoot": "0x00"})[0] == 2
    assert verify({}, "--state-root", "0x00")[0] == 2
    assert verify({}, "--state-root", "ab" * 32)[0] == 1
    del written["preStateRoot"]
    assert verify({}) == (2, f"evmcore: {bad}: has no header of the parent; --state-root says what it is of\n")
    assert main(["witness", "verify", str(EXAMPLE_FILE), str(tmp_path / "none")]) == 2
    assert main(["witness", "make", str(EXAMPLE_FILE), "--ancestors", str(bad)]) == 2


def block_file(path, block, state: State) -> None:
    """A block file with a whole state, of which the header says what comes of it."""
    value = {
        "format": "mainnet-block/1",
        "chainId": 1,
        "fork": block.header.fork,
        "header": block.header.to_json(),
        "blockHashes": {},
        "transactions": [],
        "preState": {
            address: {**entry, "nonce": int(entry.get("nonce", "0x0"), 16)}
            for address, entry in state.to_alloc().items()
        },
        "expected": {},
    }
    write_file(path, json.dumps(value).encode())


def test_with_the_parents_header_the_state_root_is_held_against_the_blocks(tmp_path, capsys):
    state = State({bytes([1]) * 20: {"code": CONTRACT, "balance": 5}})
    headers = chain_of(state.root(), 4)
    empty = call(bytes(20), parent_hash=headers[-1].hash)
    for after in (state.root(), bytes(32)):
        block = empty.with_header(number=4, state_root=after)
        block_file(tmp_path / "block.json", block, state)
        (tmp_path / "headers.json").write_text(json.dumps([headers[-2].to_json(), "0x" + headers[-1].encode().hex()]))
        names = [str(tmp_path / name) for name in ("block.json", "witness.json", "headers.json")]
        assert main(["witness", "make", names[0], "--output", names[1], "--ancestors", names[2]]) == 0
        capsys.readouterr()
        status = main(["witness", "verify", names[0], names[1], "--json"])
        told = json.loads(capsys.readouterr().out)
        assert told["is_state_root_checked"]
        assert told["headers"] == 1
        assert (status, told["ok"]) == ((0, True) if after == state.root() else (1, False))
        if not told["ok"]:
            assert "state root is 0x" in told["faults"][-1]
