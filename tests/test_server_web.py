"""The server over HTTP and WebSocket: what clients get, and what those get who mean it no good."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from helpers import BOB, ETHER

from evmcore import Account
from evmcore.dev import DevChain
from evmcore.server import Limits, Node, Server, dev_accounts

aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed: pip install evmcore[server]")
ACCOUNTS = dev_accounts(2)
ME, HER = "0x" + ACCOUNTS[0].address.hex(), "0x" + BOB.hex()


def serving(mining="auto", **limits):
    chain = DevChain({account.address: Account(balance=100 * ETHER) for account in ACCOUNTS})
    return Server(Node(chain, accounts=ACCOUNTS, mining=mining, limits=Limits(**limits)))


@pytest.fixture(scope="module")
def server():
    with serving() as one:
        yield one


def post(server, body, headers=None, path="/"):
    """(status, answer) of a body, which is JSON's value or bytes."""
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(
        server.url + path, encoded, {"Content-Type": "application/json", **(headers or {})}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def ask(server, method, *params):
    return post(server, {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})[1]["result"]


def raw(server, *parts, wait=0.0):
    """What comes back for bytes that are sent as they are, some time apart."""
    with socket.create_connection((server.host, server.port), timeout=20) as client:
        for part in parts:
            client.sendall(part)
            time.sleep(wait)
        received = b""
        try:
            while True:
                piece = client.recv(65536)
                if not piece:
                    return received
                received += piece
        except ConnectionError:
            return received


def test_it_answers_over_http(server):
    assert post(server, {"id": 1, "method": "eth_chainId"})[1] == {"jsonrpc": "2.0", "id": 1, "result": "0x539"}
    assert [one["id"] for one in post(server, [{"id": n, "method": "eth_chainId"} for n in range(5)])[1]] == [
        0,
        1,
        2,
        3,
        4,
    ]
    assert post(server, {"method": "eth_chainId"}) == (200, None)
    assert post(server, b"{")[1]["error"]["code"] == -32700


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:8545"}, 403),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:8545"}, 200),
        ({"Host": "10.0.0.1"}, 200),
    ],
)
def test_requests_that_a_web_site_may_have_made_are_refused(server, headers, status):
    assert post(server, {"id": 1, "method": "eth_chainId"}, headers)[0] == status


def test_web_sites_may_call_if_they_are_allowed():
    chain = DevChain()
    with Server(chain, origins=["https://mine.example"]) as server:
        for origin, allowed in (("https://mine.example", "https://mine.example"), ("https://other.example", None)):
            request = urllib.request.Request(server.url, method="OPTIONS", headers={"Origin": origin})
            with urllib.request.urlopen(request, timeout=20) as answer:
                assert answer.headers.get("Access-Control-Allow-Origin") == allowed


def test_bodies_have_a_limit_however_they_say_their_length():
    with serving(body_bytes=10_000) as server:
        assert post(server, b" " * 10_001)[0] == 413
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        assert b" 413 " in raw(server, head + b"Content-Length: 99999999999\r\nConnection: close\r\n\r\n")
        chunk = b"2000\r\n" + b" " * 0x2000 + b"\r\n"
        chunked = raw(
            server, head + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + 3 * chunk + b"0\r\n\r\n"
        )
        assert b" 413 " in chunked
        import gzip

        bomb = gzip.compress(b" " * 10_000_000)
        assert len(bomb) < 10_000
        packed = f"Content-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\nConnection: close\r\n\r\n".encode()
        assert b" 413 " in raw(server, head + packed + bomb)
        assert ask(server, "eth_chainId") == "0x539"


@pytest.mark.parametrize(
    "sent",
    [
        b"\0" * 1000,
        b"GET\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=range(8),
)
def test_what_is_no_http_ends_its_connection_alone(sent):
    with serving(read_seconds=0.5, idle_seconds=0.5) as server:
        raw(server, sent)
        assert ask(server, "eth_chainId") == "0x539"


def test_slow_clients_are_let_go_and_others_are_answered_meanwhile():
    with serving(read_seconds=0.5, idle_seconds=0.5) as server:
        began = time.monotonic()
        assert raw(server, b"") == b""  # nothing at all
        assert raw(server, b"POST / HT") == b""  # half a line
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        with socket.create_connection((server.host, server.port)) as slow:
            slow.sendall(head + b"{")
            assert ask(server, "eth_chainId") == "0x539"
        assert b" 408 " in raw(server, head + b"{")  # half a body
        answered = raw(server, head[:-10] + b"\r\n\r\n{}")
        assert answered == b"" or b" 4" in answered[:14]
        assert time.monotonic() - began < 10


def test_connections_have_a_limit_and_come_back():
    with serving(connections=20) as server:
        many = [socket.create_connection((server.host, server.port)) for _ in range(60)]
        time.sleep(0.3)
        gone = 0
        for one in many:
            one.settimeout(0.05)
            try:
                gone += one.recv(1) == b""
            except ConnectionError:
                gone += 1
            except TimeoutError:
                pass
        assert gone == 40
        for one in many:
            one.close()
        time.sleep(0.2)
        assert ask(server, "eth_chainId") == "0x539"


def test_an_answer_that_takes_too_long_is_an_error_and_the_loop_goes_on():
    with serving(request_seconds=0.3) as server:
        release = []
        server._owner.submit(lambda: time.sleep(1.2) or release.append(1))
        began = time.monotonic()
        status, answer = post(server, [{"id": 1, "method": "eth_blockNumber"}, {"id": 2, "method": "eth_gasPrice"}])
        assert [one["error"]["code"] for one in answer] == [-32002, -32002]
        assert time.monotonic() - began < 1.0
        time.sleep(1.2)
        assert (status, ask(server, "eth_chainId")) == (200, "0x539")


def test_a_port_that_is_taken_is_said(server):
    with pytest.raises(OSError, match="address already in use"):
        Server(DevChain(), port=server.port).start()


def test_it_can_be_stopped_twice_and_leaves_no_thread():
    import threading

    before = threading.active_count()
    one = serving()
    one.start()
    one.stop()
    one.stop()
    assert threading.active_count() <= before


# ---------------------------------------------------------------- WebSocket


def on_socket(server, talk, **options):
    """What a coroutine gives that is given a WebSocket and a function that asks on it."""

    async def run():
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(server.url.replace("http", "ws"), **options) as client,
        ):
            held = []

            async def call(method, *params):
                await client.send_json({"id": 1, "method": method, "params": params})
                while True:
                    answer = await client.receive_json(timeout=10)
                    if "id" in answer:
                        return answer.get("result", answer.get("error"))
                    held.append(answer)

            async def told():
                return (held.pop(0) if held else await client.receive_json(timeout=10))["params"]

            return await talk(client, call, told)

    return asyncio.run(run())


def test_subscriptions_are_told_what_happens(server):
    async def talk(client, call, told):
        heads, pending, logs = (
            await call("eth_subscribe", "newHeads"),
            await call("eth_subscribe", "newPendingTransactions"),
            await call("eth_subscribe", "logs", {}),
        )
        hash_ = await call("eth_sendTransaction", {"from": ME, "to": HER, "value": "0x1"})
        seen = {one["subscription"]: one["result"] for one in (await told(), await told())}
        assert set(seen) == {heads, pending} != {logs}
        assert seen[pending] == hash_
        head = await call("eth_getBlockByNumber", "latest")
        assert (seen[heads]["hash"], seen[heads]["number"]) == (head["hash"], head["number"])
        assert await call("eth_unsubscribe", heads) is True
        assert (await call("eth_unsubscribe", heads))["code"] == -32000
        assert await call("eth_unsubscribe", pending) is True
        # A program that logs its only byte when it is made.
        await call("eth_sendTransaction", {"from": ME, "data": "0x60016000a0", "gas": "0x30d40"})
        one = await told()
        assert one["subscription"] == logs
        assert one["result"]["data"] == "0x00"
        return True

    assert on_socket(server, talk)


@pytest.mark.parametrize(
    "params", [[], ["nothing"], [5], ["logs", {"address": 5}], ["newPendingTransactions", 5], ["logs", 5]]
)
def test_subscriptions_that_can_not_be_are_refused(server, params):
    async def talk(client, call, told):
        return await call("eth_subscribe", *params)

    assert on_socket(server, talk)["code"] == -32602


def test_a_socket_takes_batches_and_bad_messages_and_has_limits():
    async def talk(client, call, told):
        await client.send_str("{")
        assert (await client.receive_json(timeout=10))["error"]["code"] == -32700
        await client.send_bytes(b'[{"id":1,"method":"eth_chainId"},{"id":2,"method":"no"}]')
        answers = await client.receive_json(timeout=10)
        assert [one["id"] for one in answers] == [1, 2]
        for _ in range(3):
            last = await call("eth_subscribe", "newHeads")
        assert "too many subscriptions" in last["message"]
        await client.send_str(" " * 20_000)
        closed = await client.receive(timeout=10)
        return closed.type, client.close_code

    with serving(filters=2, body_bytes=10_000) as server:
        assert on_socket(server, talk) == (aiohttp.WSMsgType.CLOSE, 1009)
        assert ask(server, "eth_chainId") == "0x539"


def test_a_client_that_takes_no_messages_is_let_go():
    async def talk(client, call, told):
        await call("eth_subscribe", "newPendingTransactions", True)
        transport = client._response.connection.transport
        transport.pause_reading()
        return await asyncio.get_running_loop().run_in_executor(None, flood)

    with serving(mining="none", queued_messages=50) as server:

        def flood():
            data = "0x" + "00" * 40_000
            for _ in range(400):
                ask(server, "eth_sendTransaction", {"from": ME, "to": HER, "data": data, "gas": hex(500_000)})
                ask(server, "anvil_dropAllTransactions")
                if not server._sockets:
                    return True
            return False

        assert on_socket(server, talk)
        assert ask(server, "eth_chainId") == "0x539"


def test_a_web_site_may_not_open_a_socket_unasked(server):
    async def talk(client, call, told):
        return True

    with pytest.raises(aiohttp.WSServerHandshakeError):
        on_socket(server, talk, headers={"Origin": "https://evil.example"})


def test_blocks_come_by_the_clock_once_they_are_asked_for():
    with serving(mining="none") as server:
        ask(server, "evm_setIntervalMining", 50)
        deadline = time.monotonic() + 10
        while int(ask(server, "eth_blockNumber"), 16) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert int(ask(server, "eth_blockNumber"), 16) >= 3
        ask(server, "evm_setIntervalMining", 0)
        time.sleep(0.1)
        number = ask(server, "eth_blockNumber")
        time.sleep(0.3)
        assert ask(server, "eth_blockNumber") == number


# ---------------------------------------------------------------- the command


def command(*words):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "evmcore", "serve", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_the_command_serves_until_it_is_told_to_end(number):
    with command("--port", "0", "--accounts", "1") as process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("listening"):
                break
        assert ME in "".join(lines)

        class At:
            url = lines[-1].split()[-1]

        assert ask(At, "eth_getBalance", ME) == hex(10_000 * ETHER)
        process.send_signal(number)
        rest, errors = process.communicate(timeout=20)
        assert (process.returncode, rest, errors) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--port", "70000"], "port"),
        (["--mining", "fast"], "not auto, none or seconds"),
        (["--max-batch", "0"], "above 0"),
        (["--import", "x"], "needs --genesis"),
        (["--fork", "Nowhere", "--port", "0"], "Nowhere"),
        (["--genesis", "/nowhere", "--port", "0"], "nowhere"),
    ],
)
def test_the_command_names_what_it_can_not_use(words, says):
    with command(*words) as process:
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert says in errors
    assert "Traceback" not in errors


def test_connections_that_are_refused_write_nothing_to_a_pipe_that_nobody_reads():
    with command("--port", "0", "--accounts", "0", "--max-connections", "5") as process:
        for line in process.stdout:
            if line.startswith("listening"):
                break

        class At:
            url = line.split()[-1]

        many = [socket.create_connection(("127.0.0.1", int(At.url.rpartition(":")[2]))) for _ in range(400)]
        for one in many:
            one.close()
        time.sleep(0.5)
        try:
            assert ask(At, "eth_chainId") == "0x7a69"
        finally:
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (0, "")


# ---------------------------------------------------------------- web3.py


def test_web3_py_works_over_http_and_websocket(server):
    web3 = pytest.importorskip("web3", reason="web3.py is not installed: pip install web3")
    her = web3.Web3.to_checksum_address(HER)
    one = web3.Web3(web3.HTTPProvider(server.url))
    account = one.eth.accounts[0]
    assert one.is_connected()
    hash_ = one.eth.send_transaction({"from": account, "to": her, "value": 7})
    receipt = one.eth.wait_for_transaction_receipt(hash_)
    assert (receipt["status"], receipt["from"]) == (1, account)
    assert one.eth.get_transaction(hash_)["value"] == 7
    # Returns 42; its creation copies that.
    made = one.eth.send_transaction({"from": account, "data": "0x600a600c600039600a6000f3602a60005260206000f3"})
    address = one.eth.wait_for_transaction_receipt(made)["contractAddress"]
    abi = [
        {
            "name": "answer",
            "type": "function",
            "inputs": [],
            "outputs": [{"type": "uint256", "name": ""}],
            "stateMutability": "view",
        }
    ]
    assert one.eth.contract(address, abi=abi).functions.answer().call() == 42
    assert one.eth.fee_history(2, "latest", [50])["oldestBlock"] >= 0
    assert one.eth.get_proof(her, [0], "latest")["balance"] >= 7
    with pytest.raises(web3.exceptions.Web3RPCError, match="unknown account"):
        one.eth.send_transaction({"from": her, "to": account})
