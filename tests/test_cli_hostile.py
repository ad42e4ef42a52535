"""The commands on inputs that somebody made to break them: a line on standard error, exit status 0, 1 or 2, no traceback."""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from evmcore.__main__ import main
from evmcore.accesses import Accesses
from evmcore.errors import UnusableInput
from evmcore.example.generate import EXAMPLE_FILE
from evmcore.files import write_file

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this system")


@pytest.fixture
def evmcore(capsys):
    """Run a command here; (exit status, standard output, standard error). Nothing may be raised."""

    def command(*words):
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return status, captured.out, captured.err

    return command


DEEP = b"[" * 100_000
BOMB = gzip.compress(b"[" + b"0," * (3 << 20) + b"0]")
HOSTILE = {
    "empty": b"",
    "zeros": bytes(1000),
    "junk": bytes(range(256)) * 10,
    "deep": DEEP,
    "deep object": b'{"a":' * 100_000,
    "byte order mark": b"\xef\xbb\xbf{}",
    "utf-16": "{}".encode("utf-16"),
    "half a surrogate": b'{"\\ud800": {"txbytes": "\\ud800", "result": {}}}',
    "huge number": b'{"a": ' + b"9" * 100_000 + b"}",
    "null": b"null",
    "list": b"[1, 2]",
    "string": b'"text"',
    "numbers": b'{"a": 1}',
    "gzip that is cut": gzip.compress(b"{}" * 1000)[:-4],
    "gzip of junk": gzip.compress(b"junk"),
    "gzip with a tail": gzip.compress(b"{}") + b"tail",
    "gzip bomb": BOMB,
    "no gzip": b"\x1f\x8b" + bytes(100),
    "duplicates": b'{"a": {}, "a": {}}',
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_a_hostile_file_is_unusable_and_named_in_a_line(evmcore, tmp_path, monkeypatch, kind, suffix):
    monkeypatch.setenv("EVMCORE_MAX_JSON_MB", "1")
    path = tmp_path / f"hostile{suffix}"
    path.write_bytes(HOSTILE[kind])
    chain = tmp_path / "chain.rlp"
    chain.write_bytes(b"")
    for words in (
        ("replay", path),
        ("replay", EXAMPLE_FILE, "--recorded", path),
        ("statetest", path),
        ("statetest", path, "--trace"),
        ("blocktest", path),
        ("txtest", path),
        ("import", "--genesis", path, chain),
        ("run", "--code", f"@{path}"),
        ("disasm", f"@{path}"),
    ):
        status, _, err = evmcore(*words)
        if kind == "empty" and words[0] in ("run", "disasm"):
            assert status == 0
            continue
        assert status == 2, (words, err)
        lines = [line for line in err.splitlines() if line.startswith("evmcore: ")]
        assert lines, err
        assert path.name in lines[0]
        assert all(len(line) < 400 for line in lines), "a message is not the input"
    status, _, err = evmcore("import", "--genesis", path, path)
    assert status == 2


def test_a_file_that_holds_too_much_is_refused_before_it_is_unpacked(evmcore, tmp_path, monkeypatch):
    """4 MB of gzip took 8.6 GB and two minutes."""
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(BOMB)
    monkeypatch.setenv("EVMCORE_MAX_JSON_MB", "2")
    status, _, err = evmcore("replay", path)
    assert (status, err) == (2, f"evmcore: {path}: holds more than 2 MB; EVMCORE_MAX_JSON_MB allows more\n")
    monkeypatch.setenv("EVMCORE_MAX_JSON_MB", "100")
    assert "format is None" in evmcore("replay", path)[2]
    for wrong in ("0", "-1", "x", "1e3", "9" * 50, "٣"):
        monkeypatch.setenv("EVMCORE_MAX_JSON_MB", wrong)
        status, _, err = evmcore("replay", path)
        assert status == 2
        assert "EVMCORE_MAX_JSON_MB" in err


def test_a_file_without_an_end_is_refused(evmcore, monkeypatch):
    monkeypatch.setenv("EVMCORE_MAX_JSON_MB", "1")
    for words in (("replay", "/dev/zero"), ("txtest", "/dev/zero"), ("run", "--code", "@/dev/zero")):
        status, _, err = evmcore(*words)
        assert status == 2
        assert "/dev/zero: holds more than 1 MB" in err


@pytest.mark.parametrize("command", ["statetest", "blocktest", "txtest"])
def test_a_folder_without_tests_says_so(evmcore, tmp_path, monkeypatch, command):
    status, _, err = evmcore(command, tmp_path)
    assert status == 2
    assert f"evmcore: {tmp_path}: no test of this kind in it\n" in err
    (tmp_path / "notes.txt").write_text("no test")
    (tmp_path / "other.json").write_text('{"a": 1}')
    os.mkfifo(tmp_path / "pipe.json")  # nobody writes to it
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    status, _, err = evmcore(command, tmp_path)
    assert status == 2
    assert f"evmcore: {tmp_path}: no test of this kind in it\n" in err
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n\n"))
    status, _, err = evmcore(command)
    assert (status, "no test files are named" in err) == (2, True)
    monkeypatch.setattr(sys, "stdin", io.StringIO("a\0b"))
    assert evmcore(command)[0] == 2
    monkeypatch.setattr(sys, "stdin", None)
    assert evmcore(command)[:2] == (2, "")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), "utf-8"))
    assert evmcore(command)[:2] == (2, "")


STATE_TEST = {
    "env": {
        "currentCoinbase": "0x" + "22" * 20,
        "currentGasLimit": "0x1000000",
        "currentNumber": "0x1",
        "currentTimestamp": "0x1",
        "currentDifficulty": "0x20000",
    },
    "pre": {"0x" + "11" * 20: {"nonce": "0x0", "balance": "0xffffffffffff", "code": "0x", "storage": {}}},
    "transaction": {
        "nonce": "0x0",
        "gasPrice": "0xa",
        "gasLimit": ["0x10000"],
        "to": "0x" + "33" * 20,
        "value": ["0x0"],
        "data": ["0x"],
        "sender": "0x" + "11" * 20,
    },
    "post": {
        "Berlin": [{"hash": "0x" + "00" * 32, "logs": "0x" + "00" * 32, "indexes": {"data": 0, "gas": 0, "value": 0}}]
    },
}
TRANSACTION_TEST = {"txbytes": "0x01", "result": {"Berlin": {"exception": "TransactionException.TYPE_NOT_SUPPORTED"}}}
BLOCK_TEST = {
    "network": "Berlin",
    "genesisBlockHeader": {"number": "0x0", "timestamp": "0x0"},
    "pre": {},
    "blocks": [],
    "lastblockhash": "0x",
}
WRONG = [None, [], {}, "", 5, -1, 2**63, 1e300, "0xzz", "\ud83d", [None], [[]], {"a": []}, True, "0x" + "f" * 1000]


def places(value, at=()):
    """The way to every member."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*at, key)
        yield from places(value[key], (*at, key))


@pytest.mark.parametrize(
    ("command", "test"), [("statetest", STATE_TEST), ("txtest", TRANSACTION_TEST), ("blocktest", BLOCK_TEST)]
)
def test_any_member_of_a_test_may_be_anything(evmcore, tmp_path, command, test):
    """Indexes beyond their lists were read from memory; a wrong shape is a failed case or an unusable file."""
    path = tmp_path / "test.json"
    statuses = set()
    for way in places(test):
        for wrong in WRONG:
            changed = json.loads(json.dumps(test))
            holder = changed
            for key in way[:-1]:
                holder = holder[key]
            holder[way[-1]] = wrong
            path.write_text(json.dumps({"name": changed}))
            words = () if command == "txtest" else ("--summary",)
            status, out, err = evmcore(command, path, *words)
            assert status in (0, 1, 2), (way, wrong)
            assert out == ""
            assert err.startswith(("evmcore: ", str(tmp_path))), (way, wrong, err)
            statuses.add(status)
    assert 2 in statuses


@pytest.mark.parametrize("index", [1, -1, 10**6, 2**31, 2**63 - 1, 2**63, -(2**63), 2**64])
@pytest.mark.parametrize("of", ["data", "gas", "value"])
def test_an_index_beyond_its_list_is_unusable(evmcore, tmp_path, index, of):
    test = json.loads(json.dumps(STATE_TEST))
    test["post"]["Berlin"][0]["indexes"][of] = index
    (tmp_path / "test.json").write_text(json.dumps({"name": test}))
    for more in ((), ("--trace",), ("--summary",), ("--strategy", "optimistic")):
        status, _, err = evmcore("statetest", tmp_path / "test.json", *more)
        assert status == 2 or (status, more[0]) == (1, "--strategy"), (
            err
        )  # there it is a transaction that can't be made


def recorded_file(tmp_path: Path) -> Path:
    path = tmp_path / "accesses.json"
    assert main(["replay", str(EXAMPLE_FILE), "--accesses", str(path), "--json"]) == 0
    return path


def test_a_damaged_file_of_accesses_is_unusable_and_never_a_mismatch(evmcore, tmp_path):
    path = recorded_file(tmp_path)
    good = orjson.loads(path.read_bytes())
    assert evmcore("replay", EXAMPLE_FILE, "--recorded", path)[0] == 0
    members = [("accounts",), ("accounts", 0), *((("accounts", 0, key)) for key in good["accounts"][0])]
    for way in members:
        for wrong in (
            None,
            5,
            "x",
            [None],
            [{}],
            {"a": 1},
            [{"slot": "0x1", "slotChanges": 5}],
            [{"blockAccessIndex": -1, "postBalance": 1}],
        ):
            changed = orjson.loads(path.read_bytes())
            holder = changed
            for key in way[:-1]:
                holder = holder[key]
            holder[way[-1]] = wrong
            damaged = tmp_path / "damaged.json"
            damaged.write_bytes(orjson.dumps(changed))
            status, _, err = evmcore("replay", EXAMPLE_FILE, "--recorded", damaged)
            assert status == 2, (way, wrong)
            assert err.startswith(f"evmcore: {damaged}: accesses"), err


# ------------------------------------------------------------------------------------------------- outputs


@needs_full
@pytest.mark.parametrize(
    "words",
    [
        ("replay", EXAMPLE_FILE), ("replay", EXAMPLE_FILE, "--json"), ("run", "--code", "00"), ("run", "--code", "00", "--json"),
        ("disasm", "0x" + "5b" * 10), ("--help",), ("--version",),
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_an_output_that_is_full_is_no_mismatch(words):
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "evmcore", *map(str, words)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (2, "evmcore: output: No space left on device\n")


def test_closed_outputs_are_no_mismatch():
    for closed, says in ((">&-", "evmcore: standard output is closed\n"), (">&- 2>&-", ""), ("2>&-", "")):
        command = f"{sys.executable} -m evmcore run --code 00 {closed}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        assert done.returncode == (0 if closed == "2>&-" else 2)
        assert done.stderr == says


@needs_full
def test_an_error_that_can_t_be_told_is_none_more():
    command = f"{sys.executable} -m evmcore run --code xyz 2>/dev/full"
    assert subprocess.run(["bash", "-c", command], capture_output=True, check=False).returncode == 2


def test_a_failed_write_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    """`--accesses` on a full disk emptied it. Here a limit on the size of files is the disk."""
    path = tmp_path / "accesses.json.gz"
    path.write_bytes(b"what was there")
    os.chmod(path, 0o640)
    command = [sys.executable, "-m", "evmcore", "replay", str(EXAMPLE_FILE), "--accesses", str(path), "--json"]
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # noqa: E731
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limit)
    assert (done.returncode, done.stderr) == (2, f"evmcore: {path}: File too large\n")
    assert path.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [path], "nothing is left beside it"
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert len(Accesses.load(path).accounts) > 0
    assert path.stat().st_mode & 0o777 == 0o640, "as it was"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_written_takes_the_place_of_a_link_s_target(tmp_path):
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    write_file(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"
    write_file("/dev/null", b"no regular file")
    for wrong in (tmp_path, tmp_path / "none" / "file", "a\0b", FULL):
        with pytest.raises(UnusableInput):
            write_file(wrong, b"x" * 100_000)


@pytest.mark.parametrize(
    "error", [MemoryError(), MemoryError("a block"), RecursionError("deep"), OSError(5, "I/O", "disk"), KeyError("x")]
)
def test_what_nobody_thought_of_is_a_line_too(evmcore, monkeypatch, error):
    def fail(_):
        raise error

    monkeypatch.setattr("evmcore.tools.run.as_json", fail)
    status, out, err = evmcore("run", "--code", "00", "--json")
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("evmcore: ")
    if isinstance(error, KeyError):
        monkeypatch.setenv("EVMCORE_TRACEBACK", "1")
        with pytest.raises(KeyError):
            main(["run", "--code", "00", "--json"])


def test_names_of_files_that_are_no_text_are_shown_with_escapes(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff\xfe.json"
    with open(path, "wb") as file:
        file.write(orjson.dumps({"name": TRANSACTION_TEST}))
    for more in ((), ("--json",)):
        done = subprocess.run(
            [sys.executable, "-m", "evmcore", "txtest", path, *more], capture_output=True, check=False
        )
        assert done.returncode in (0, 1)
        assert b"Traceback" not in done.stderr
        if more:
            assert json.loads(done.stdout)[0]["file"].endswith("\udcff\udcfe.json")
    done = subprocess.run([sys.executable, "-m", "evmcore", "replay", path], capture_output=True, check=False)
    assert done.returncode == 2
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "evmcore", "run", "--code", "00"], capture_output=True, check=False, env=environment
    )
    assert (done.returncode, done.stderr) == (0, b"")
