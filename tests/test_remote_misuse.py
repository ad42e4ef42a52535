"""Options that can't be sent, answers about another block, secrets in places where they are forgotten, forks in the middle of a row."""

import copy
import logging
import os
import pickle
import signal
import socketserver
import sqlite3
import threading
import time

import pytest

pytest.importorskip("urllib3", reason="evmcore.remote wants urllib3 (pip install evmcore[remote])")

from nodes import Node
from test_remote import SECRET, chain_of

from evmcore import UnusableInput
from evmcore.remote import BadAnswer, NodeUnreachable, RpcCache, RpcClient, RpcSource, pace


@pytest.fixture(scope="module")
def chain():
    return chain_of(3)


@pytest.fixture
def node(chain, monkeypatch):
    monkeypatch.setattr(pace, "_FIRST_WAIT_SECONDS", 0.002)
    with Node(chain) as opened:
        yield opened


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"timeout": "5"}, "timeout"),
        ({"timeout": True}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"retries": "6"}, "retries"),
        ({"retries": 1.5}, "retries"),
        ({"rate": "5"}, "rate"),
        ({"batch": 2.5}, "batch"),
        ({"batch": 10**30}, "batch"),
        ({"headers": 5}, "headers: expected a mapping, got int"),
        ({"headers": {"x": f"a\r\nb: {SECRET}"}}, "the value of x can't be sent"),
        ({"headers": {"x": f"\u20ac{SECRET}"}}, "the value of x can't be sent"),
        ({"headers": {"x": None}}, "the value of x can't be sent"),
        ({"headers": {"": "c"}}, "headers: '' is not the name"),
        ({"headers": {"a b": "c"}}, "headers: 'a b' is not the name"),
    ],
    ids=str,
)
def test_options_that_cannot_be_kept_are_named_at_once(options, name):
    with pytest.raises(UnusableInput, match=name) as caught:
        RpcClient("http://127.0.0.1:1", **options)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("options", [{"timeout": float("inf")}, {"timeout": 1e12}, {"rate": float("inf")}], ids=str)
def test_no_limit_is_a_limit(node, options):
    assert RpcSource(node.url, 3, **options).number == 3


def test_parameters_that_are_no_json_are_named(node):
    for parameter in (b"x", 1 << 70, {1, 2}):
        with pytest.raises(UnusableInput, match="the parameters of eth_x"):
            RpcClient(node.url).ask("eth_x", parameter)
    assert not node.requests


def test_a_fork_that_there_is_not_is_not_the_nodes_fault(node):
    for fork in ("Nonsense", 5):
        with pytest.raises(UnusableInput, match=r"header\.fork"):
            RpcSource(node.url, 3, fork=fork)
    assert not node.requests


def test_a_block_of_another_number_than_was_asked_for_is_refused(chain, node):
    node.methods["eth_getBlockByNumber"] = lambda block, whole: node.block_json(chain.block(2), whole)
    assert RpcSource(node.url, 2).number == 2
    assert RpcSource(node.url, "latest").number == 2
    with pytest.raises(BadAnswer, match="block 2 0x.*, asked for 0x3"):
        RpcSource(node.url, 3)


@pytest.mark.parametrize("when", ["Fri, 31 Dec 99999999999999 23:59:59 GMT", "1e400", "nan", "-1", "x" * 1000])
def test_a_node_that_wants_to_be_asked_at_an_impossible_time_is_asked_again(node, monkeypatch, when):
    monkeypatch.setattr(pace, "_LONGEST_ASKED_SECONDS", 0.01)
    node.script = [lambda *_: (429, b"x", {"retry-after": when})]
    assert RpcClient(node.url).ask("eth_chainId") == "0x539"


def test_secrets_are_in_no_pickle_and_no_copy(chain):
    with Node(chain, path=f"/{SECRET}") as node:
        client = RpcClient(node.url)
    for make in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="can't be pickled"):
            make(client.endpoint)


class Proxy(socketserver.StreamRequestHandler):
    """Answers everything itself."""

    def handle(self):
        size = 0
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
        self.rfile.read(size)
        content = b'{"jsonrpc":"2.0","id":1,"result":"0x1"}'
        self.wfile.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(content) + content)


@pytest.mark.parametrize("path", [SECRET, f"a/../{SECRET}/é%2f"])
def test_secrets_are_in_no_log_of_a_proxy(caplog, monkeypatch, path):
    caplog.set_level(logging.DEBUG)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_address[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        assert RpcClient(f"http://node.invalid/{path}", retries=0).ask("eth_chainId") == "0x1"
        server.shutdown()
    assert "POST" in caplog.text
    assert SECRET not in caplog.text


def test_heads_that_drip_are_left_after_the_timeout():
    class Dripping(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(1000)
            try:
                self.request.sendall(b"HTTP/1.1 200 OK\r\n")
                for number in range(40):
                    self.request.sendall(b"x-%d: y\r\n" % number)
                    time.sleep(0.1)
            except OSError:
                pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dripping) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        client = RpcClient(f"http://127.0.0.1:{server.server_address[1]}", timeout=0.4, retries=0)
        started = time.monotonic()
        with pytest.raises(NodeUnreachable):
            client.ask("eth_chainId")
        assert time.monotonic() - started < 2
        server.shutdown()


@pytest.mark.parametrize("path", [None, "", 5, b"x", "a\0b", ["x"]])
def test_what_is_no_path_keeps_nothing_silently(path):
    with pytest.raises(UnusableInput, match="cache"):
        RpcCache(path)


@pytest.mark.parametrize("limit", [None, -1, "1", 1.5, 1 << 70])
def test_limits_that_are_none_are_named(tmp_path, limit):
    with pytest.raises(UnusableInput, match="limit_bytes"):
        RpcCache(tmp_path / "a.sqlite", limit_bytes=limit)


def test_a_cache_is_the_same_file_from_another_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cache = RpcCache("a.sqlite")
    cache.put({b"key": b"value"})
    packed = pickle.dumps(cache)
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")
    cache.close()
    assert cache.get([b"key"]) == pickle.loads(packed).get([b"key"]) == {b"key": b"value"}
    assert not list((tmp_path / "else").iterdir())
    monkeypatch.chdir(tmp_path)
    RpcCache(":memory:").put({b"key": b"value"})
    assert RpcCache(":memory:").get([b"key"]) == {b"key": b"value"}


def test_a_copy_of_the_process_made_in_the_middle_of_a_row_goes_on(tmp_path):
    cache = RpcCache(tmp_path / "a.sqlite")
    is_done = threading.Event()

    def write(thread):
        number = 0
        while not is_done.is_set():
            number += 1
            cache.put({b"%d %d" % (thread, number): bytes(100)})

    threads = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(2)]
    for thread in threads:
        thread.start()
    ends = []
    for number in range(12):
        child = os.fork()
        if child == 0:  # the copy: no pytest, and an end in any case
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(5)
            try:
                cache.put({b"child %d" % number: b"here"})
                os._exit(0 if cache.get([b"child %d" % number]) else 1)
            finally:
                os._exit(2)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    is_done.set()
    for thread in threads:
        thread.join()
    assert ends == [0] * 12
    assert len(cache.get([b"child %d" % number for number in range(12)])) == 12


def test_a_fetched_block_is_the_one_that_was_asked_for(chain, node):
    from evmcore.remote import fetch_block

    with pytest.raises(TypeError, match="timeout"):
        fetch_block(RpcClient(node.url), 2, timeout=5)
    with pytest.raises(UnusableInput, match="fork"):
        fetch_block(node.url, 2, fork="Nonsense")
    node.methods["eth_chainId"] = lambda: "0xzz"
    with pytest.raises(BadAnswer, match="chain id"):
        fetch_block(node.url, 2, retries=0)
    del node.methods["eth_chainId"]
    made = node.block_json(chain.block(2), True)
    for uncles in (5, ["0x00"] * 3, {"a": 1}):
        node.methods["eth_getBlockByNumber"] = lambda block, whole, uncles=uncles: made | {"uncles": uncles}
        with pytest.raises(BadAnswer, match="uncles"):
            fetch_block(node.url, 2)
    node.methods["eth_getBlockByNumber"] = lambda block, whole: made
    node.methods["eth_getBlockByHash"] = lambda block, whole: made
    for asked in (3, bytes(32)):
        with pytest.raises(BadAnswer, match="asked for"):
            fetch_block(node.url, asked)


def test_a_file_that_another_process_is_making_is_not_another_programs(tmp_path, monkeypatch):
    path = tmp_path / "a.sqlite"
    other = threading.Thread(target=RpcCache, args=(path,))
    connect = sqlite3.connect

    class Slow(sqlite3.Connection):
        def execute(self, statement, *arguments):
            if statement == "PRAGMA user_version" and other.ident is None:
                other.start()
                other.join(0.5)
            return super().execute(statement, *arguments)

    monkeypatch.setattr(sqlite3, "connect", lambda *arguments, **options: connect(*arguments, factory=Slow, **options))
    cache = RpcCache(path)
    other.join()
    cache.put({b"key": b"value"})
    assert cache.get([b"key"]) == {b"key": b"value"}
