"""What a node answered is kept in a file: for all processes, never changed by what is written to a state, and refused where it is damaged."""

import multiprocessing
import os
import pickle
import sqlite3

import pytest

pytest.importorskip("urllib3", reason="evmcore.remote wants urllib3 (pip install evmcore[remote])")

from nodes import Node
from test_remote import COUNTER, FRIEND, ME, SECRET, chain_of

from evmcore import State, Transaction, call, keccak256, transact
from evmcore.remote import CacheUnusable, RpcCache, RpcSource
from evmcore.remote import source as source_module
from evmcore.remote.endpoint import Endpoint


@pytest.fixture(scope="module")
def chain():
    return chain_of()


@pytest.fixture
def node(chain):
    with Node(chain, path=f"/{SECRET}") as opened:
        yield opened


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "rpc.sqlite"


def read(node, path, block=3, **options):
    source = RpcSource(node.url, block, cache=path, **options)
    return source, call(State(source=source), source.header, to=COUNTER).word


STATE = {"eth_getBalance", "eth_getTransactionCount", "eth_getCode", "eth_getStorageAt", "eth_getProof"}


@pytest.mark.parametrize("verify", [False, True])
def test_a_second_execution_asks_for_nothing(node, path, verify):
    source, first = read(node, path, verify=verify)
    source.cache.close()
    node.requests.clear()
    assert read(node, path, verify=verify)[1] == first == 11
    assert not STATE & set(node.asked)


def test_what_was_not_proven_is_no_proof(node, path):
    read(node, path)
    node.requests.clear()
    read(node, path, verify=True)
    assert "eth_getProof" in node.asked


def test_blocks_are_kept_apart(node, path):
    assert [read(node, path, block)[1] for block in (1, 4, 1, 4)] == [9, 12, 9, 12]


def test_writes_to_a_state_never_reach_the_file(node, path):
    source, _ = read(node, path)
    state = State(source=source)
    key = b"\x11" * 32
    for nonce in range(3, 5):
        tx = Transaction(to=COUNTER, nonce=nonce, gas_price=10**10, gas_limit=100_000, chain_id=1337).sign(key)
        assert transact(tx, state, source.header).is_success
    state.set_balance(ME, 1)
    state.set_storage(COUNTER, 0, 77)
    assert read(node, path)[1] == 11


def test_what_a_node_does_not_have_is_kept_too(node, path):
    absent = bytes([0x77] * 20)
    source = RpcSource(node.url, 3, cache=path)
    keys = [(absent, None), (absent, 5)]
    assert source(keys) == {(absent, None): None, (absent, 5): 0}
    node.requests.clear()
    assert source(keys) == {(absent, None): None, (absent, 5): 0}
    assert not node.requests


def test_whether_an_account_has_storage_is_kept_once_it_was_asked(node, path):
    source = RpcSource(node.url, 3, cache=path)
    assert "has_storage" not in source([(FRIEND, None)])[FRIEND, None]
    assert source([(FRIEND, None)])[FRIEND, None]["has_storage"] is False
    node.requests.clear()
    assert source([(FRIEND, None)])[FRIEND, None]["has_storage"] is False
    assert not node.requests


def test_no_url_is_in_the_file(node, path):
    source, _ = read(node, path)
    source.cache.close()
    for file in path.parent.iterdir():
        content = file.read_bytes()
        assert SECRET.encode() not in content
        assert b"127.0.0.1" not in content


def test_a_node_on_this_machine_keeps_nothing_unless_told_where(node, tmp_path, monkeypatch):
    monkeypatch.setenv("EVMCORE_CACHE_DIR", str(tmp_path / "cache"))
    assert RpcSource(node.url).cache is None
    assert not (tmp_path / "cache").exists()
    monkeypatch.setattr(Endpoint, "is_loopback", False)
    assert RpcSource(node.url).cache.path == str(tmp_path / "cache" / "rpc.sqlite")
    assert RpcSource(node.url, cache=False).cache is None


def test_files_of_nodes_on_this_machine_and_of_others_are_kept_apart(node, tmp_path):
    RpcCache(tmp_path / "others.sqlite")
    with pytest.raises(CacheUnusable, match="kept apart"):
        RpcSource(node.url, cache=tmp_path / "others.sqlite")
    RpcSource(node.url, cache=tmp_path / "own.sqlite")
    with pytest.raises(CacheUnusable, match="kept apart"):
        RpcCache(tmp_path / "own.sqlite")


@pytest.mark.parametrize(
    ("url", "is_loopback"),
    [
        ("http://127.0.0.1:8545", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8545", True),
        ("http://[::ffff:127.0.0.1]", True),
        ("http://0.0.0.0:8545", True),
        ("http://localhost/key", True),
        ("http://node.localhost", True),
        ("http://LOCALHOST", True),
        ("http://user:word@localhost", True),
        ("http://192.0.2.1", False),
        ("http://[2001:db8::1]", False),
    ],
)
def test_which_nodes_are_on_this_machine(url, is_loopback):
    assert Endpoint(url).is_loopback is is_loopback


def other_program(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()


def change(path, *statements):
    RpcCache(path, is_loopback=True).close()
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


FOREIGN = {
    "not a database": (lambda path: path.write_bytes(b"hello" * 5000), "not a database"),
    "another program's": (other_program, "another program's"),
    "another program's, marked": (lambda path: change(path, "PRAGMA application_id = 7"), "another program's"),
    "a newer form": (lambda path: change(path, "PRAGMA user_version = 2"), "form 2"),
    "without its tables": (lambda path: change(path, "DROP TABLE entries"), "no such table"),
    "without its facts": (lambda path: change(path, "DELETE FROM facts"), "kept apart"),
    "a directory": (lambda path: path.mkdir(), "unable to open|is a directory"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_is_none_of_ours_is_refused_and_left_as_it_is(node, tmp_path, name):
    make, words = FOREIGN[name]
    path = tmp_path / "rpc.sqlite"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(CacheUnusable, match=words) as raised:
        read(node, path)
    assert raised.value.path == str(path)
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize("statement", [
    "UPDATE entries SET value = zeroblob(36)",
    "UPDATE entries SET value = x''",
    "UPDATE entries SET value = 'text'",
    "UPDATE entries SET value = substr(value, 2)",
    "UPDATE codes SET code = x'6001'",
])  # fmt: skip
def test_a_damaged_row_is_found(node, path, statement):
    read(node, path)[0].cache.close()
    change(path, statement)
    with pytest.raises(CacheUnusable, match="is damaged"):
        read(node, path)


def test_a_file_cut_short_is_an_error_or_right(node, path):
    source = RpcSource(node.url, 3, cache=path)
    source([(COUNTER, slot) for slot in range(3000)])
    source.cache.close()
    size = path.stat().st_size
    said = []
    for kept in (0, 50, 1000, size // 2, size - 4096):
        content = path.read_bytes()
        path.write_bytes(content[:kept])
        try:
            assert read(node, path)[1] == 11
        except CacheUnusable as error:
            said.append(str(error))
        for file in path.parent.iterdir():
            file.unlink()
        path.write_bytes(content)
    assert said
    assert all(str(path) in text for text in said)


def test_a_full_file_keeps_no_more_and_answers_stay_right(node, path):
    cache = RpcCache(path, is_loopback=True, limit_bytes=40 << 10)
    for begin in range(0, 5000, 500):
        source = RpcSource(node.url, 3, cache=cache)
        assert source([(COUNTER, begin + slot) for slot in range(500)])[COUNTER, begin] == (10 if begin == 0 else 0)
    assert path.stat().st_size <= 48 << 10
    assert read(node, cache)[1] == 11


def fill(path, seed):
    cache = RpcCache(path)
    for turn in range(60):
        rows = {bytes((turn,)) + place.to_bytes(4, "big"): keccak256(bytes((turn, place))) for place in range(50)}
        if (turn + seed) % 3:
            cache.put(rows)
        found = cache.get(rows)
        assert all(rows[key] == value for key, value in found.items())
        code = bytes((turn,)) * 100
        cache.put_codes({keccak256(code): code})
        assert cache.get_code(keccak256(code)) == code
    cache.close()


def test_four_processes_fill_one_file_at_once(path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=fill, args=(path, seed)) for seed in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    cache = RpcCache(path)
    rows = {
        bytes((turn,)) + place.to_bytes(4, "big"): keccak256(bytes((turn, place)))
        for turn in range(60)
        for place in range(50)
    }
    assert cache.get(rows) == rows


def test_a_copy_of_the_process_opens_the_file_again(path):
    cache = RpcCache(path)
    cache.put({b"a": b"1"})
    child = os.fork()
    if child == 0:
        good = cache.get([b"a"]) == {b"a": b"1"}
        cache.put({b"b": b"2"})
        cache.close()
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert cache.get([b"a", b"b"]) == {b"a": b"1", b"b": b"2"}
    assert pickle.loads(pickle.dumps(cache)).get([b"b"]) == {b"b": b"2"}


def test_a_path_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CacheUnusable):
        RpcCache(tmp_path / "file" / "rpc.sqlite")
    assert source_module.RpcCache is RpcCache
