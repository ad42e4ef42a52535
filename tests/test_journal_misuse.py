"""Journals in the hands of forked workers, of blocks with odd names and contents, cut off anywhere; arguments that make no range."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

import pytest
from test_ranges import block_number

from evmcore.errors import UnusableInput
from evmcore.example import EXAMPLE_FILE
from evmcore.layers import BlockSummary, Journal, LayerServer, RemoteLayer, replay_range
from evmcore.layers.carried import CodeStore


def replayed(blocks, path, **options):
    return list(replay_range(blocks, workers=1, journal=path, **options))


def test_a_journal_that_was_closed_is_free_though_a_forked_worker_lives(tmp_path):
    path = tmp_path / "a.journal"
    journal = Journal(path)
    child = os.fork()
    if child == 0:  # a worker, which has the file open, too
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(20)
        while True:
            time.sleep(1)
    try:
        with pytest.raises(UnusableInput, match="is writing"):
            Journal(path)
        journal.close()
        journal.close()
        Journal(path).close()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_files_whose_names_are_no_text_are_journalled(tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.json.gz")
    Path(name).write_bytes(Path(EXAMPLE_FILE).read_bytes())
    missing = os.fsdecode(os.fsencode(tmp_path) + b"/\xfe.json")
    first = replayed([name, missing], tmp_path / "a.journal")
    assert [one.is_ok for one in first] == [True, False]
    again = replayed([name, missing], tmp_path / "a.journal")
    assert [one.source for one in again] == [name, missing]
    assert [one.digest for one in again] == [one.digest for one in first]


@pytest.mark.parametrize("make", [dict, MappingProxyType], ids=["dict", "mapping"])
def test_blocks_as_mappings_are_told_apart_whatever_their_values(tmp_path, make):
    one, other = make({"number": 1 << 70, "code": b"\1"}), make({"number": 1 << 71, "code": b"\1"})
    assert not replayed([one], tmp_path / "a.journal")[0].is_ok
    replayed([make(dict(one))], tmp_path / "a.journal")
    with pytest.raises(UnusableInput, match="another range"):
        replayed([other], tmp_path / "a.journal")


def test_what_is_written_after_a_failure_does_not_stand_behind_half_a_line(tmp_path):
    class Full:
        """A disk that takes ten bytes more."""

        def __init__(self, file):
            self.file = file

        def write(self, content):
            if len(content) > 10:
                return self.file.write(content[:10])
            raise OSError(errno.ENOSPC, "No space left on device")

        def __getattr__(self, name):
            return getattr(self.file, name)

    path = tmp_path / "a.journal"
    with Journal(path) as journal:
        entry = (0, "block 0x00", BlockSummary(number=1))
        whole = journal._file
        journal._file = Full(whole)
        size = path.stat().st_size
        with pytest.raises(UnusableInput, match="No space left"):
            journal.add([entry])
        assert path.stat().st_size == size
        assert len(journal) == 0
        journal._file = whole
        journal.add([entry])
        assert len(journal) == 1
    with Journal(path) as journal:
        assert len(journal) == 1
    with pytest.raises(UnusableInput, match="closed"):
        journal.add([entry])


def test_a_journal_cut_off_anywhere_goes_on(tmp_path):
    path = tmp_path / "a.journal"
    block = block_number(1)
    replayed([block], path)
    content = path.read_bytes()
    for cut in {*range(9, 120), *range(120, len(content), 29)}:
        path.write_bytes(content[:cut])
        with Journal(path) as journal:
            assert len(journal) == 0
    path.write_bytes(content)
    assert replayed([block], path)[0].is_ok


@pytest.mark.parametrize("change", [{"number": "1"}, {"is_ok": 1}, {"checks": None}, {"digest": "0x00"}], ids=str)
def test_an_entry_of_other_types_is_refused(tmp_path, change):
    from evmcore.layers import journal as module

    path = tmp_path / "a.journal"
    block = block_number(1)
    replayed([block], path)
    head, line = path.read_bytes().splitlines(keepends=True)
    entry = json.loads(line[9:])
    entry["summary"] |= change
    path.write_bytes(head + module._line(entry))
    with pytest.raises(UnusableInput, match="the entry of block 0"):
        replayed([block], path)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"workers": "2"}, "workers"),
        ({"workers": 1.5}, "workers"),
        ({"workers": 0}, "workers"),
        ({"chunk": 1.5}, "chunk"),
        ({"chunk": None}, "chunk"),
        ({"in_flight": "3"}, "in_flight"),
        ({"retries": -1}, "retries"),
        ({"retries": None}, "retries"),
        ({"block_workers": True}, "block_workers"),
        ({"executor": "processes"}, "executor"),
        ({"executor": 5}, "executor"),
        ({"journal": "a\0b"}, "journal"),
    ],
    ids=str,
)
def test_arguments_that_make_no_range_are_named(options, name):
    with pytest.raises((ValueError, TypeError), match=name):
        list(replay_range([], **options))


def test_a_journal_is_not_made_where_its_range_is_wrong(tmp_path):
    with pytest.raises(ValueError, match="chunk"), ThreadPoolExecutor(1) as executor:
        list(replay_range([], executor=executor, chunk=0, journal=tmp_path / "a.journal"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("address", "signer", "timeout_s", "name"),
    [
        ("localhost:1", bytes(20), 1, "address"),
        (("localhost", "1"), bytes(20), 1, "address"),
        (("localhost", 1 << 16), bytes(20), 1, "address"),
        (None, bytes(20), 1, "address"),
        (("localhost", 1), b"1", 1, "signer"),
        (("localhost", 1), None, 1, "signer"),
        (("localhost", 1), bytes(20), -1, "timeout_s"),
        (("localhost", 1), bytes(20), float("nan"), "timeout_s"),
    ],
    ids=str,
)
def test_a_layer_elsewhere_that_cannot_be_is_named(address, signer, timeout_s, name):
    with pytest.raises(UnusableInput, match=name):
        RemoteLayer(address, signer, timeout_s=timeout_s)


def test_a_signer_in_hexadecimal_is_the_same_key():
    assert RemoteLayer(("localhost", 1), "0x" + "11" * 20).address == b"\x11" * 20


@pytest.mark.parametrize("options", [{"at_once": 0}, {"at_once": "1"}, {"workers": 0}, {"workers": None}], ids=str)
def test_a_server_that_would_never_answer_is_refused(options):
    with pytest.raises(UnusableInput, match=next(iter(options))):
        LayerServer(b"\1" * 32, **options).close()


def test_small_codes_are_bounded_in_number():
    store = CodeStore(most_codes=100)
    store.add({number.to_bytes(32, "big"): b"\1" for number in range(10_000)})
    assert len(store) == store.size_bytes == 100


PARENT = """
import os, sys, time
from evmcore.layers import processes
if __name__ == "__main__":
    executor = processes(2)
    print(*{executor.submit(os.getpid).result() for _ in range(4)}, flush=True)
    time.sleep(60)
"""


def is_alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc whether a process lives")
def test_workers_end_with_the_process_that_began_them(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        workers = [int(word) for word in parent.stdout.readline().split()]
        assert workers
        parent.kill()
    end = time.monotonic() + 10
    while any(is_alive(worker) for worker in workers):
        assert time.monotonic() < end
        time.sleep(0.05)
