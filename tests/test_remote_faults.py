"""A node that is slow, busy, cut off, confused or too generous: the answer is right, or the error says what came."""

import gzip
import json
import socket
import threading
import time

import pytest

pytest.importorskip("urllib3", reason="evmcore.remote wants urllib3 (pip install evmcore[remote])")

from nodes import Node, RpcError
from test_remote import COUNTER, chain_of

from evmcore import State, call
from evmcore.remote import BadAnswer, NodeRefused, NodeUnreachable, RpcClient, RpcSource, pace
from evmcore.remote import client as client_module


@pytest.fixture(scope="module")
def chain():
    return chain_of()


@pytest.fixture
def node(chain, monkeypatch):
    monkeypatch.setattr(pace, "_FIRST_WAIT_SECONDS", 0.002)
    with Node(chain) as opened:
        yield opened


def answer_of(node, body):
    return json.dumps(node.answer(body)).encode()


def cut_off(node):
    def send(handler, body):
        content = answer_of(node, body)
        handler.close_connection = True
        return 200, content[: len(content) // 2], {"content-length": str(len(content))}

    return send


def broken_chunks(node):
    def send(handler, body):
        content = answer_of(node, body)
        handler.wfile.write(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n" % len(content) + content[:-3]
        )
        return b""

    return send


def in_pieces(node):
    def send(handler, body):
        content = answer_of(node, body)
        handler.wfile.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for place in range(0, len(content), 100):
            piece = content[place : place + 100]
            handler.wfile.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")
        return b""

    return send


def edited(node, edit):
    """The answers, as `edit` makes them of the list of them."""

    def send(handler, body):
        made = node.answer(body)
        return json.dumps(edit(made if isinstance(made, list) else [made])).encode()

    return send


def with_number(items, number):
    items[0]["id"] = number
    return items


def busy(code, message):
    return lambda items: [
        {"jsonrpc": "2.0", "id": one["id"], "error": {"code": code, "message": message}} for one in items
    ]


FAULTS = {
    "too many requests": lambda node: lambda *_: (429, b"slow down", {"retry-after": "0"}),
    "too many requests, until a date": lambda node: (
        lambda *_: (429, b"", {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"})
    ),
    "server errors": lambda node: lambda *_: (503, b"<html>unavailable</html>"),
    "a bad gateway": lambda node: lambda *_: (502, b""),
    "closed without a word": lambda node: lambda *_: b"",
    "cut off": cut_off,
    "broken chunks": broken_chunks,
    "not JSON": lambda node: lambda *_: b"<html>hello</html>",
    "nothing": lambda node: lambda *_: (200, b""),
    "half of the JSON": lambda node: lambda _, body: answer_of(node, body)[:-20],
    "JSON of another kind": lambda node: lambda *_: b'"hello"',
    "an empty list": lambda node: lambda *_: b"[]",
    "another request's number": lambda node: edited(node, lambda items: with_number(items, 10**9)),
    "a number as text": lambda node: edited(node, lambda items: with_number(items, str(items[0]["id"]))),
    "true for a number": lambda node: edited(node, lambda items: with_number(items, True)),
    "one answer twice": lambda node: edited(node, lambda items: [*items, items[0]]),
    "one left out": lambda node: edited(node, lambda items: items[1:] or [{}]),
    "null for results": lambda node: edited(node, lambda items: [one | {"result": None} for one in items]),
    "no results": lambda node: edited(node, lambda items: [{"jsonrpc": "2.0", "id": one["id"]} for one in items]),
    "lists for results": lambda node: edited(node, lambda items: [one | {"result": []} for one in items]),
    "long words": lambda node: edited(node, lambda items: [one | {"result": "0x" + "11" * 40} for one in items[-1:]]),
    "busy": lambda node: edited(node, busy(-32005, "daily request count exceeded, request rate limited")),
    "an internal error": lambda node: edited(node, busy(-32603, "internal error")),
    "busy, as a whole": lambda node: (
        lambda *_: b'{"jsonrpc":"2.0","id":null,"error":{"code":429,"message":"Too Many Requests"}}'
    ),
}


# A null is no block, and what has the form of a code is a code: only proofs would show it.
UNSEEN = ("null for results", "lists for results", "long words")


def run(node, **options):
    source = RpcSource(node.url, 3, **options)
    return call(State(source=source), source.header, to=COUNTER).word


@pytest.mark.parametrize("fault", [name for name in FAULTS if name not in UNSEEN])
def test_a_fault_now_and_then_is_only_a_delay(node, fault):
    faulty = FAULTS[fault](node)
    node.script = [faulty, None, faulty, faulty, None, faulty, None, faulty, None]
    assert run(node) == 11
    assert len(node.script) < 4


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_stays_is_a_clear_error(node, fault):
    source = RpcSource(node.url, 3, retries=2)
    header = source.header
    node.requests.clear()
    node.always = FAULTS[fault](node)
    with pytest.raises((NodeUnreachable, BadAnswer)) as raised:
        source([(COUNTER, None), (COUNTER, 0)])
    assert str(raised.value).startswith(source.client.endpoint.origin + ": ")
    assert 3 <= len(node.requests) < 20
    state = State(source=source)
    with pytest.raises((NodeUnreachable, BadAnswer)):
        call(state, header, to=COUNTER)
    node.always = None
    assert call(state, header, to=COUNTER).word == 11


def test_answers_in_another_order_and_in_pieces_are_right(node):
    node.always = edited(node, lambda items: items[::-1])
    assert run(node) == 11
    node.always = in_pieces(node)
    assert run(node) == 11


def test_gzipped_answers_are_read(node):
    node.always = lambda _, body: (200, gzip.compress(answer_of(node, body)), {"content-encoding": "gzip"})
    assert run(node) == 11


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_without_end_is_not_read_to_its_end(node, monkeypatch, packed):
    monkeypatch.setattr(client_module, "_ANSWER_BYTES_MOST", 1 << 20)
    content = b" " * (32 << 20)
    headers = {"content-encoding": "gzip"} if packed else {}
    node.always = lambda *_: (200, gzip.compress(content) if packed else content, headers)
    with pytest.raises(BadAnswer, match="more than 1 MB"):
        RpcClient(node.url, retries=1).ask("eth_chainId")


def test_a_batch_that_is_too_large_is_split(node):
    def limited(handler, body):
        if isinstance(body, list) and len(body) > 5:
            return b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batch too large"}}'
        return None

    node.always = limited
    source = RpcSource(node.url, 3)
    assert source([(COUNTER, slot) for slot in range(30)])[COUNTER, 0] == 10
    assert max(len(body) for body in node.requests[-5:] if isinstance(body, list)) <= 5
    node.always = lambda handler, body: (413, b"") if isinstance(body, list) else None
    assert RpcSource(node.url, 3)([(COUNTER, slot) for slot in range(8)])[COUNTER, 0] == 10


def test_a_node_without_batches_is_asked_one_by_one(node):
    def refuses(handler, body):
        return (
            (400, b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}')
            if isinstance(body, list)
            else None
        )

    node.always = refuses
    assert run(node) == 11


def test_what_is_too_large_in_a_batch_is_asked_for_again(node):
    def cut(items):
        for one in items[3:]:
            one.pop("result", None)
            one["error"] = {"code": -32003, "message": "response too large"}
        return items

    node.always = edited(node, cut)
    source = RpcSource(node.url, 3)
    assert len(source([(COUNTER, slot) for slot in range(30)])) == 30


def test_some_of_a_batch_may_be_busy(node):
    turn = iter(range(10**6))

    def some(items):
        return [one if next(turn) % 3 == 0 else busy(-32005, "rate limit")([one])[0] for one in items]

    node.always = edited(node, some)
    assert run(node) == 11


def test_refusals_are_not_asked_again(node):
    def refuse(*_):
        raise RpcError(-32601, "the method eth_getCode does not exist/is not available")

    node.methods["eth_getCode"] = refuse
    source = RpcSource(node.url, 3)
    node.requests.clear()
    with pytest.raises(NodeRefused, match="eth_getCode: the method .* does not exist") as raised:
        source([(COUNTER, None)])
    assert raised.value.code == -32601
    assert len(node.requests) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 301])
def test_an_http_refusal_is_not_asked_again_nor_followed(node, status):
    node.always = lambda *_: (status, b"no", {"location": "http://127.0.0.1:1/elsewhere"})
    with pytest.raises(NodeRefused, match=f"HTTP {status}"):
        RpcClient(node.url).ask("eth_chainId")
    assert len(node.requests) == 1


def test_a_slow_node_is_left_after_the_timeout(node):
    node.always = lambda *_: time.sleep(2)
    started = time.monotonic()
    with pytest.raises(NodeUnreachable, match=r"within 0.2 s \(2 attempts\)"):
        RpcClient(node.url, timeout=0.2, retries=1).ask("eth_chainId")
    assert time.monotonic() - started < 2


def test_an_answer_that_drips_is_left_after_the_timeout(node):
    def drip(handler, body):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        for _ in range(100):
            handler.wfile.write(b" ")
            time.sleep(0.05)
        return b""

    node.always = drip
    started = time.monotonic()
    with pytest.raises(NodeUnreachable, match="no whole answer"):
        RpcClient(node.url, timeout=0.3, retries=0).ask("eth_chainId")
    assert time.monotonic() - started < 2


def test_a_node_that_is_not_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NodeUnreachable, match=f"http://127.0.0.1:{port}: no connection"):
        RpcClient(f"http://127.0.0.1:{port}/key", retries=0).ask("eth_chainId")


def test_one_that_speaks_another_protocol():
    server = socket.create_server(("127.0.0.1", 0))

    def talk():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.sendall(b"SSH-2.0-hello\r\n")
            connection.close()

    threading.Thread(target=talk, daemon=True).start()
    port = server.getsockname()[1]
    try:
        with pytest.raises(NodeUnreachable):
            RpcClient(f"http://127.0.0.1:{port}", retries=0).ask("eth_chainId")
        with pytest.raises(NodeUnreachable):
            RpcClient(f"https://127.0.0.1:{port}", retries=0).ask("eth_chainId")
    finally:
        server.close()


def test_a_node_that_lags_behind_its_siblings_is_asked_again(node):
    lag = iter(range(3))
    own = node.state

    def behind(block):
        if next(lag, None) is not None:
            raise RpcError(-32000, "header not found")
        return own(block)

    source = RpcSource(node.url, 3)
    node.state = behind
    assert source([(COUNTER, 0)])[COUNTER, 0] == 10
