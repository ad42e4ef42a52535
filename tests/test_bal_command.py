"""`evmcore bal`: lists of blocks made, held against a block, compared and shown."""

from __future__ import annotations

import json

import pytest

from evmcore import Block, BlockAccessList, execute_block
from evmcore.__main__ import main
from evmcore.example import EXAMPLE_FILE

BLOCK = str(EXAMPLE_FILE)


@pytest.fixture
def files(tmp_path, capsys):
    """The list of the example block as RLP, as its digits and as JSON, and another one."""
    paths = {name: tmp_path / name for name in ("a.rlp", "a.json", "a.hex", "b.json")}
    for name in ("a.rlp", "a.json"):
        assert main(["bal", "make", BLOCK, "--output", str(paths[name])]) == 0
    paths["a.hex"].write_text("0x" + paths["a.rlp"].read_bytes().hex() + "\n")
    other = json.loads(paths["a.json"].read_bytes())
    entry = next(entry for entry in other if entry["balanceChanges"])
    entry["balanceChanges"][0]["postBalance"] = "0x9"
    entry["storageReads"] = ["0x77"]
    paths["b.json"].write_text(json.dumps({"blockAccessList": other}))
    capsys.readouterr()
    return {name: str(path) for name, path in paths.items()} | {"address": entry["address"]}


def test_a_list_is_made_and_is_the_blocks(files, capsys):
    block = Block.load(BLOCK)
    want = execute_block(block, block.pre_state, access_list=True).access_list
    with open(files["a.rlp"], "rb") as file:
        assert BlockAccessList.decode(file.read()) == want
    assert main(["bal", "make", BLOCK]) == 0
    assert BlockAccessList.from_json(json.loads(capsys.readouterr().out)) == want
    for name in ("a.rlp", "a.json", "a.hex"):
        assert main(["bal", "verify", BLOCK, files[name], "--workers", "2"]) == 0
        assert want.hash.hex() in capsys.readouterr().out
        assert main(["bal", "diff", files["a.rlp"], files[name]]) == 0
    assert main(["bal", "show", files["a.rlp"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["accounts"] == want.to_json()


def test_another_list_is_named(files, capsys):
    verify = ["bal", "verify", BLOCK, files["b.json"], "--json"]
    for strategy, field, index in (("sequential", "reads", None), ("listed", "balance", "0x5")):
        assert main([*verify, "--strategy", strategy, "--workers", "2"]) == 1
        told = json.loads(capsys.readouterr().out)
        assert (told["isOk"], told["address"], told["field"]) == (False, files["address"], field)
        assert told["blockAccessIndex"] == index
    assert main(["bal", "diff", files["a.rlp"], files["b.json"], "--json"]) == 1
    fields = [each["field"] for each in json.loads(capsys.readouterr().out)["differences"]]
    assert fields == ["balance", "reads"]
    assert main(["bal", "diff", files["a.rlp"], files["b.json"]]) == 1
    assert "0x9" in capsys.readouterr().out


def test_what_is_no_list_or_not_there_is_refused(files, tmp_path, capsys):
    bad = tmp_path / "bad"
    bad.write_bytes(b"\xc2\x01")
    assert main(["bal", "verify", BLOCK, str(bad)]) == 1
    assert "RLP: truncated" in capsys.readouterr().err
    bad.write_text("[5]")
    assert main(["bal", "show", str(bad)]) == 2
    assert main(["bal", "show", str(tmp_path / "none")]) == 2
    assert main(["bal", "verify", str(bad), files["a.rlp"]]) == 2


def test_json_without_a_list_is_no_empty_list(tmp_path, capsys):
    for content in ('{"accounts": null}', "{}"):
        path = tmp_path / "none.json"
        path.write_text(content)
        assert main(["bal", "show", str(path)]) == 2
        assert "has neither blockAccessList nor accounts" in capsys.readouterr().err
