"""Long work doesn't keep other requests waiting, and ends with its time."""

from __future__ import annotations

import threading
import time

import pytest

pytest.importorskip("aiohttp", reason="evmcore.server wants aiohttp (pip install evmcore[server])")

from test_server import ME, Client
from test_server_web import ask, post

from evmcore import assemble
from evmcore.__main__ import parser
from evmcore.server import Server
from evmcore.tools import serve

LOOPER = "0x" + "77" * 20
CALL = {"from": ME, "to": LOOPER, "gas": hex(10**15)}


@pytest.fixture
def server():
    client = Client(gas=10**15, call_seconds=0.6, request_seconds=20.0)
    client("anvil_setCode", LOOPER, "0x" + assemble("again: PUSH @again JUMP").hex())
    with Server(client.node, workers=2) as made:
        yield made


def waits(server, method, *params):
    began = time.perf_counter()
    value = ask(server, method, *params)
    return time.perf_counter() - began, value


def beside(server, *requests):
    """Threads that ask, and what they are answered."""
    answers = []

    def work(method, params):
        answers.append(post(server, {"id": 1, "method": method, "params": params})[1])

    threads = [threading.Thread(target=work, args=request) for request in requests]
    for thread in threads:
        thread.start()
    return threads, answers


def test_others_are_answered_while_calls_run_for_long(server):
    threads, answers = beside(server, *[("eth_call", [CALL, "latest"])] * 2)
    time.sleep(0.1)
    times = {"eth_chainId": [], "eth_blockNumber": [], "eth_getBalance": []}
    while len(answers) < 2 and len(times["eth_chainId"]) < 10:
        for method, found in times.items():
            found.append(waits(server, method, *([ME, "latest"] if method == "eth_getBalance" else []))[0])
    for thread in threads:
        thread.join()
    assert [one["error"] for one in answers] == [{"code": -32000, "message": "execution aborted (timeout = 0.6s)"}] * 2
    for method, found in times.items():
        assert sorted(found)[len(found) // 2] < 0.1, method
    assert ask(server, "eth_call", {"to": ME}, "latest") == "0x"


def test_estimates_and_simulations_end_with_their_time_and_nothing_is_sent(server):
    endless = {"from": ME, "to": LOOPER}
    for method, params in (
        ("eth_estimateGas", [endless]),
        ("eth_sendTransaction", [endless]),
        ("eth_createAccessList", [CALL]),
        ("eth_callMany", [[{"transactions": [CALL]}]]),
    ):
        status, answer = post(server, {"id": 1, "method": method, "params": params})
        assert status == 200
        assert "error" in answer or "error" in answer["result"][0][0], (method, answer)
    assert ask(server, "eth_blockNumber") == "0x0"
    assert ask(server, "txpool_status")["pending"] == "0x0"


def test_others_are_answered_while_many_blocks_are_mined(server):
    threads, answers = beside(server, ("anvil_mine", [hex(1500)]))
    seen = []
    while not answers:
        took, number = waits(server, "eth_blockNumber")
        seen.append((took, int(number, 16)))
    threads[0].join()
    assert len({number for _, number in seen}) > 5  # in between
    assert sorted(took for took, _ in seen)[len(seen) // 2] < 0.1
    assert ask(server, "eth_blockNumber") == hex(1500)


def test_a_request_that_gave_up_waiting_mines_no_more():
    client = Client(request_seconds=0.3)
    with Server(client.node) as server:
        _, answer = post(server, {"id": 1, "method": "anvil_mine", "params": [100_000]})
        assert answer["error"]["code"] == -32002
        time.sleep(0.2)
        number = ask(server, "eth_blockNumber")
        time.sleep(0.3)
        assert ask(server, "eth_blockNumber") == number


def test_limits_have_the_options_of_go_ethereum():
    words = ["serve", "--rpc-gas-cap", "1000000", "--rpc-evm-timeout", "250ms", "--accounts", "1"]
    node, _ = serve.node_of(parser().parse_args(words))
    assert (node.limits.gas, node.limits.call_seconds) == (1_000_000, 0.25)
    for wrong in ("0", "-1s", "x", "nan", "inf", ""):
        with pytest.raises(SystemExit):
            parser().parse_args(["serve", "--rpc-evm-timeout", wrong])
