"""A chain on disk whose process is killed, whose disk is full, whose file is torn: what was acknowledged is there, and all of it is right.

EVMCORE_KILLS=200 kills an import that often; EVMCORE_SEED says when.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest
from helpers import shared

from evmcore.chain import Genesis

pytest.importorskip("mdbx", reason="libmdbx is not installed; it has no package for this Python or machine")

from evmcore.store import Store, StoreError
from evmcore.store.upkeep import check

KILLS = int(os.environ.get("EVMCORE_KILLS", "6"))
HEAD = "d226371d0b1551adb03fb52b71f08e3e11247fe9b1af994768af8cdaa8e7dcd7"
FILE = "mdbx.dat"


def importing(path, **options):
    """An import of the shared chain, in a process of its own."""
    genesis, chain = shared("chain", "genesis.json"), shared("chain", "chain.rlp")
    command = [
        sys.executable,
        "-m",
        "evmcore",
        "import",
        "--genesis",
        genesis,
        chain,
        "--store",
        path,
        "--workers",
        "2",
        "--json",
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def finish(path):
    """Import all of it; the exit status."""
    process = importing(path)
    process.communicate(timeout=60)
    return process.returncode


def acknowledged(output):
    """The height of the last block of which an import has said that it is there."""
    rows = [json.loads(line) for line in output.splitlines() if line.endswith(b"}")]
    return max((row["number"] for row in rows if row.get("ok") and "number" in row), default=0)


def faults_of(path, genesis):
    """What is wrong with a store that is opened again, and its height."""
    faults = []
    with Store(path, genesis=genesis) as store:
        check(store, faults.append)
        return faults, store.height


def test_what_was_acknowledged_outlives_a_kill(tmp_path):
    seed = int(os.environ.get("EVMCORE_SEED", time.time_ns() % 2**32))
    chance = random.Random(seed)
    genesis = Genesis.load(shared("chain", "genesis.json"))
    path = tmp_path / "db"
    before = heights = 0
    for kill in range(KILLS):
        process = importing(path)
        try:
            time.sleep(chance.uniform(0.15, 1.2))
        finally:
            process.send_signal(signal.SIGKILL)
        output = process.communicate()[0]
        faults, height = faults_of(path, genesis)
        assert not faults, f"seed {seed}, kill {kill}: {faults[:3]}"
        assert height >= max(before, acknowledged(output)), f"seed {seed}, kill {kill}"
        before = height
        heights += height
        if height == 54:
            shutil.rmtree(path)
            before = 0
    assert finish(path) == 0
    with Store(path) as store:
        assert store.head_hash.hex() == HEAD


def limited():
    """Files may have so many bytes, and who writes more is told so."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))


def test_a_file_that_may_not_grow_keeps_what_was_committed(tmp_path):
    genesis = Genesis.load(shared("chain", "genesis.json"))
    process = importing(tmp_path / "db", preexec_fn=limited)
    output, complaint = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b": File too large" in complaint
    shown = acknowledged(output)
    faults, height = faults_of(tmp_path / "db", genesis)
    assert not faults
    assert height >= shown
    assert finish(tmp_path / "db") == 0


def test_a_full_disk_keeps_what_was_committed(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk is a mounted tmpfs, which only root of Linux may mount")
    try:
        genesis = Genesis.load(shared("chain", "genesis.json"))
        process = importing(disk / "db")
        output, complaint = process.communicate(timeout=60)
        assert process.returncode == 1
        assert b"its disk is full" in complaint
        faults, height = faults_of(disk / "db", genesis)
        assert not faults
        assert 0 < height < 54
        assert height >= acknowledged(output)
        subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)
        assert finish(disk / "db") == 0
        with Store(disk / "db") as store:
            assert store.head_hash.hex() == HEAD
    finally:
        subprocess.run(["umount", disk], check=False)


def test_a_torn_file_is_right_or_an_error(tmp_path):
    genesis = Genesis.load(shared("chain", "genesis.json"))
    assert finish(tmp_path / "db") == 0
    content = (tmp_path / "db" / FILE).read_bytes()
    chance = random.Random(7)
    for number in range(max(3, KILLS // 4)):
        path = tmp_path / f"torn{number}"
        path.mkdir()
        torn = bytearray(content)
        at = chance.randrange(0, 1 << 20) & ~4095
        torn[at : at + 4096] = chance.randbytes(4096)
        (path / FILE).write_bytes(torn)
        # In a process of its own: a page that points elsewhere may end it, but not with a wrong answer.
        program = (
            "import sys; from evmcore.store import Store, StoreError\nfrom evmcore.store.upkeep import check\n"
            "try:\n with Store(sys.argv[1]) as store: print(check(store, print), store.height)\n"
            "except Exception as error: print(type(error).__name__, error)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, path], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, (number, at, done.stderr[-500:])
        lines = done.stdout.splitlines()
        assert lines == ["0 54"] or "Error" in lines[-1] or len(lines) > 1, (number, at, lines)
    with pytest.raises(StoreError), Store(tmp_path / "none", genesis=None):
        pass
    assert genesis.header.number == 0
