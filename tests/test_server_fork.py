"""A server whose chain goes on from a block of another node: one of our own, and a scripted one that fails."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest

pytest.importorskip("urllib3", reason="evmcore.remote wants urllib3 (pip install evmcore[remote])")
pytest.importorskip("aiohttp", reason="evmcore.server wants aiohttp (pip install evmcore[server])")

from helpers import ETHER
from nodes import JsonClient
from nodes import Node as ScriptedNode
from test_server_web import post

from evmcore import Account, State, Transaction, UnusableInput, assemble
from evmcore.__main__ import parser
from evmcore.dev import DevChain
from evmcore.remote import RpcSource, pace
from evmcore.server import Dispatcher, Fork, Node, Server, dev_accounts
from evmcore.tools import serve

KEY = b"\x11" * 32
SENDER = Transaction(gas_price=0).sign(KEY).sender
ACCOUNTS = dev_accounts(2)
ME, OTHER = ("0x" + account.address.hex() for account in ACCOUNTS)
HASHES, COUNTER, REVERTS = (bytes([byte]) * 20 for byte in (0x44, 0x55, 0x66))
ADDRESSES = {name: "0x" + name.hex() for name in (HASHES, COUNTER, REVERTS, SENDER)}
READS_HASH = assemble("PUSH 0 CALLDATALOAD BLOCKHASH PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")
# Adds one to slot 0, logs it and returns it.
COUNTS = assemble(
    "PUSH 0 SLOAD PUSH 1 ADD DUP1 PUSH 0 SSTORE PUSH 0 MSTORE PUSH 7 PUSH 32 PUSH 0 LOG1 PUSH 32 PUSH 0 RETURN"
)


def upstream(blocks=5):
    """Each block counts once, so that slot 0 is the block's number."""
    accounts = {
        SENDER: Account(balance=ETHER),
        HASHES: Account(nonce=1, code=READS_HASH),
        COUNTER: Account(nonce=1, code=COUNTS, storage={9: 99}),
        REVERTS: Account(nonce=1, code=assemble("PUSH 0 PUSH 0 REVERT")),
        ACCOUNTS[0].address: Account(nonce=3, code=b"\xef\x01\x00" + bytes(20)),
    }
    chain = DevChain(accounts, forks="Osaka", genesis={"timestamp": 1_700_000_000})
    for nonce in range(blocks):
        count(chain, nonce)
    return chain


def count(chain, nonce):
    fields = {"gas_price": 10**10, "gas_limit": 100_000, "chain_id": 1337}
    chain.send(Transaction(to=COUNTER, nonce=nonce, **fields).sign(KEY))


class Client(JsonClient):
    def __init__(self, node):
        super().__init__(Dispatcher(node))

    def error(self, method, *params):
        return super().error(method, *params)[1]


def fork_of(url, block="latest", **options):
    fork = Fork(RpcSource(url, block, fork="Osaka", **options), accounts=ACCOUNTS, rules="Osaka")
    return Node(fork.chain(), accounts=ACCOUNTS, fork=fork)


@pytest.fixture(scope="module")
def other():
    with Server(Node(upstream())) as server:
        yield server


@pytest.fixture(scope="module")
def whole(other):
    """The node that is forked, asked directly."""
    return Client(other.node)


@pytest.fixture
def client(other):
    return Client(fork_of(other.url, 4))


def test_state_of_the_fork_is_the_nodes_and_what_is_sent_stays_here(client, whole):
    assert client("eth_blockNumber") == "0x4"
    assert client("eth_chainId") == whole("eth_chainId")
    counter = ADDRESSES[COUNTER]
    assert int(client("eth_getStorageAt", counter, "0x0", "latest"), 16) == 4
    assert client("eth_getCode", counter, "latest") == "0x" + COUNTS.hex()
    assert client("eth_getTransactionCount", ADDRESSES[SENDER], "latest") == "0x4"
    assert client("eth_getStorageValues", {counter: ["0x0", "0x9", "0x5"]}, "latest")[counter] == [
        f"0x{value:064x}" for value in (4, 99, 0)
    ]
    assert client("eth_getBalance", ME, "latest") == hex(10_000 * ETHER)
    assert client("eth_getTransactionCount", ME, "latest") == "0x3"
    assert client("eth_getCode", ME, "latest") == "0x"
    sent = client("eth_sendTransaction", {"from": ME, "to": counter})
    receipt = client("eth_getTransactionReceipt", sent)
    assert (receipt["blockNumber"], receipt["status"]) == ("0x5", "0x1")
    assert int(client("eth_getStorageAt", counter, "0x0", "latest"), 16) == 5
    assert int(client("eth_getStorageAt", counter, "0x0", "0x4"), 16) == 4
    assert client("eth_getTransactionCount", ME, "latest") == "0x4"
    assert whole("eth_getTransactionCount", ME, "latest") == "0x3"
    traced = client("debug_traceTransaction", sent, {"tracer": "callTracer"})
    assert (traced["to"], int(traced["output"], 16)) == (counter, 5)
    paid = client("eth_sendTransaction", {"from": ME, "to": OTHER, "value": "0x7"})
    assert client("eth_getTransactionReceipt", paid)["status"] == "0x1"
    assert client("eth_getBalance", OTHER, "latest") == hex(10_000 * ETHER + 7)


def test_calls_run_after_any_block(client, whole):
    counter = {"to": ADDRESSES[COUNTER]}
    for block in ("0x0", "0x1", "0x3", "0x4", "earliest", "latest"):
        number = int(whole("eth_call", counter, "0x4" if block == "latest" else block), 16)
        assert int(client("eth_call", counter, block), 16) == number
    client("evm_mine")
    client("eth_sendTransaction", {"from": ME, **counter})
    assert int(client("eth_call", counter, "latest"), 16) == 6
    assert int(client("eth_call", counter, "0x2"), 16) == 3
    for number in (1, 3, 4, 5):
        call = {"to": ADDRESSES[HASHES], "data": f"0x{number:064x}"}
        assert client("eth_call", call, "latest") == client("eth_getBlockByNumber", hex(number), False)["hash"]
    assert client("eth_estimateGas", {"from": ME, **counter}, "0x2") == whole(
        "eth_estimateGas", {"from": ADDRESSES[SENDER], **counter}, "0x2"
    )
    assert client("eth_estimateGas", {"from": ME, **counter})
    made = client("eth_createAccessList", {"from": ME, **counter}, "0x1")
    assert made["accessList"] == [{"address": ADDRESSES[COUNTER], "storageKeys": ["0x" + "00" * 32]}]
    traced = client("debug_traceCall", counter, "0x1", {"tracer": "callTracer"})
    assert int(traced["output"], 16) == 2
    simulated = client("eth_simulateV1", {"blockStateCalls": [{"calls": [counter, counter]}]}, "0x1")
    assert [int(call["returnData"], 16) for call in simulated[0]["calls"]] == [2, 3]
    assert client.error("eth_call", {"to": ADDRESSES[REVERTS]}, "0x1") == "execution reverted"
    override = {ADDRESSES[COUNTER]: {"stateDiff": {"0x" + "00" * 32: "0x" + "00" * 31 + "20"}}}
    assert int(client("eth_call", counter, "0x1", override), 16) == 33
    assert int(client("eth_call", counter, whole("eth_getBlockByNumber", "0x2", False)["hash"]), 16) == 3


def test_blocks_before_the_fork_are_the_nodes(client, whole):
    for block in ("0x0", "0x2", "0x4", "earliest"):
        for full in (False, True):
            assert client("eth_getBlockByNumber", block, full) == whole("eth_getBlockByNumber", block, full)
        assert client("eth_getBlockReceipts", block) == whole("eth_getBlockReceipts", block)
        assert client("debug_getRawBlock", block) == whole("debug_getRawBlock", block)
        assert client("eth_getHeaderByNumber", block)["hash"] == whole("eth_getHeaderByNumber", block)["hash"]
        block_hash = whole("eth_getBlockByNumber", block, False)["hash"]
        assert client("eth_getBlockByHash", block_hash, True) == whole("eth_getBlockByHash", block_hash, True)
    at_fork = whole("eth_getBlockByNumber", "0x4", True)
    assert client("eth_getBlockByNumber", "latest", True) == at_fork
    sent = at_fork["transactions"][0]["hash"]
    assert client("eth_getTransactionByHash", sent) == at_fork["transactions"][0]
    assert client("eth_getTransactionReceipt", sent)["status"] == "0x1"
    assert client("debug_traceTransaction", sent, {"tracer": "callTracer"})["to"] == ADDRESSES[COUNTER]
    assert client("eth_getBlockTransactionCountByNumber", "latest") == "0x1"
    proof = client("eth_getProof", ADDRESSES[COUNTER], ["0x0"], "latest")
    assert proof == whole("eth_getProof", ADDRESSES[COUNTER], ["0x0"], "0x4")
    client("evm_mine")
    mined = client("eth_getBlockByNumber", "latest", False)
    assert (mined["number"], mined["parentHash"]) == ("0x5", at_fork["hash"])
    block_hash = mined["hash"]
    for method, params in (
        ("eth_getProof", [ADDRESSES[COUNTER], [], "latest"]),
        ("eth_getProof", [ADDRESSES[COUNTER], [], "pending"]),
        ("eth_getAccount", [ADDRESSES[COUNTER], "latest"]),
        ("debug_executionWitness", ["latest"]),
        ("debug_storageRangeAt", ["latest", 0, ADDRESSES[COUNTER], "0x", 5]),
        ("debug_intermediateRoots", [block_hash]),
        ("anvil_dumpState", []),
    ):
        assert "of the state only a part is known" in client.error(method, *params), method


def test_a_chain_on_a_part_of_a_state_proves_nothing():
    chain = upstream()
    part = State(
        source=lambda keys: {
            key: chain.head.state.get_account(key[0]) if key[1] is None else chain.head.state.get_storage(*key)
            for key in keys
        }
    )
    header = replace(chain.head.header, block_hashes=chain.recent_hashes(chain.head.number))
    client = Client(Node(DevChain.from_block(header, part, block_hash=chain.head.hash)))
    assert int(client("eth_getStorageAt", ADDRESSES[COUNTER], "0x0", "latest"), 16) == 5
    for method, params in (("eth_getProof", [ADDRESSES[COUNTER], []]), ("anvil_dumpState", [])):
        assert "only a part is known" in client.error(method, *params)


def test_what_the_node_came_to_after_the_fork_is_not_there(client, whole):
    later = whole("eth_getBlockByNumber", "0x5", True)
    assert client("eth_getBlockByNumber", "0x5", False) is None
    assert client("eth_getBlockByHash", later["hash"], False) is None
    assert client("eth_getTransactionByHash", later["transactions"][0]["hash"]) is None
    assert client("eth_getTransactionReceipt", later["transactions"][0]["hash"]) is None
    assert client.error("eth_getBalance", ME, "0x5") == "header not found"
    assert client.error("eth_getBalance", ME, later["hash"]) == "header not found"
    assert client("eth_getTransactionByHash", "0x" + "00" * 32) is None


def test_logs_and_fees_go_over_the_fork(client, whole):
    topic = f"0x{7:064x}"
    wanted = {"fromBlock": "0x2", "toBlock": "latest", "address": ADDRESSES[COUNTER], "topics": [topic]}
    assert client("eth_getLogs", wanted) == whole("eth_getLogs", {**wanted, "toBlock": "0x4"})
    client("eth_sendTransaction", {"from": ME, "to": ADDRESSES[COUNTER]})
    logs = client("eth_getLogs", {**wanted, "fromBlock": "earliest"})
    assert [int(log["blockNumber"], 16) for log in logs] == [1, 2, 3, 4, 5]
    assert client("eth_getLogs", {**wanted, "topics": [None, topic]}) == []
    block_hash = whole("eth_getBlockByNumber", "0x3", False)["hash"]
    assert len(client("eth_getLogs", {"blockHash": block_hash})) == 1
    assert len(client("eth_getFilterLogs", client("eth_newFilter", wanted))) == 4
    history = client("eth_feeHistory", "0x3", "latest", [50])
    assert history["oldestBlock"] == "0x3"
    assert {name: len(history[name]) for name in ("gasUsedRatio", "baseFeePerGas", "reward")} == {
        "gasUsedRatio": 3, "baseFeePerGas": 4, "reward": 3,
    }  # fmt: skip
    assert history["gasUsedRatio"][:2] == whole("eth_feeHistory", "0x2", "0x4", [])["gasUsedRatio"]
    assert client("eth_feeHistory", "0x2", "0x3", [50]) == whole("eth_feeHistory", "0x2", "0x3", [50])


def test_a_reset_goes_to_another_block_or_another_node(client, other):
    client("evm_mine")
    assert client("anvil_reset") is True
    assert client("eth_blockNumber") == "0x4"
    assert client("hardhat_reset", {"forking": {"blockNumber": 2}}) is True
    assert client("eth_blockNumber") == "0x2"
    assert int(client("eth_call", {"to": ADDRESSES[COUNTER]}, "latest"), 16) == 3
    assert client("eth_getBalance", ME, "latest") == hex(10_000 * ETHER)
    info = client("anvil_nodeInfo")["forkConfig"]
    assert (info["forkBlockNumber"], info["forkUrl"]) == (2, other.url)
    assert client("anvil_metadata")["forkedNetwork"]["forkBlockNumber"] == 2
    with Server(Node(upstream(1))) as third:
        assert client("anvil_reset", {"jsonRpcUrl": third.url + "/secret", "blockNumber": "0x1"}) is True
        assert client("eth_blockNumber") == "0x1"
        assert "secret" not in json.dumps(client("anvil_nodeInfo"))
    before = client("eth_getBlockByNumber", "latest", False) if False else client("eth_blockNumber")
    assert "no block" in client.error("anvil_reset", {"forking": {"jsonRpcUrl": other.url, "blockNumber": 77}})
    assert "http" in client.error("anvil_reset", {"forking": {"jsonRpcUrl": "file:///etc/passwd"}})
    assert client("eth_blockNumber") == before
    plain = Client(Node(DevChain({}), accounts=ACCOUNTS))
    assert "jsonRpcUrl" in plain.error("anvil_reset", {"forking": {"blockNumber": 1}})
    assert plain("anvil_nodeInfo")["forkConfig"]["forkUrl"] is None
    assert plain("anvil_reset", {"forking": {"jsonRpcUrl": other.url, "blockNumber": 3}}) is True
    assert plain("eth_blockNumber") == "0x3"


def test_a_node_that_fails_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setattr(pace, "_FIRST_WAIT_SECONDS", 0.001)
    with ScriptedNode(upstream()) as node:
        client = Client(fork_of(node.url, 4, retries=1))
        client("evm_mine")
        node.always = lambda handler, body: (503, b"busy")
        counter = {"to": ADDRESSES[COUNTER]}
        for method, params in (
            ("eth_call", [counter, "latest"]),
            ("eth_call", [counter, "0x1"]),
            ("eth_getStorageAt", [ADDRESSES[COUNTER], "0x0", "latest"]),
            ("eth_getBlockByNumber", ["0x1", False]),
            ("eth_sendTransaction", [{"from": ME, **counter}]),
            ("eth_estimateGas", [{"from": ME, **counter}]),
            ("eth_getLogs", [{"fromBlock": "0x0"}]),
            ("debug_traceCall", [counter, "latest", {}]),
            ("anvil_reset", [{"forking": {"blockNumber": 2}}]),
        ):
            message = client.error(method, *params)
            assert "503" in message, (method, message)
            assert "127.0.0.1" in message, (method, message)
        assert client("eth_blockNumber") == "0x5"
        node.always = None
        assert int(client("eth_call", counter, "latest"), 16) == 5
        assert (
            client.error("eth_getBlockReceipts", "0x1")
            == "the method eth_getBlockReceipts does not exist/is not available"
        )


@pytest.mark.parametrize(
    "answer", [None, 5, "x", [], {}, [5], {"number": "zz"}, [{"blockNumber": "zz"}], {"oldestBlock": 5}]
)
def test_a_node_that_answers_with_something_else_is_an_error_or_passed_on(answer):
    with ScriptedNode(upstream()) as node:
        client = Client(fork_of(node.url, 4, retries=0))
        client("evm_mine")
        requests = (
            ("eth_getBlockByNumber", ["0x1", False]),
            ("eth_getBlockReceipts", ["0x1"]),
            ("eth_getTransactionByHash", ["0x" + "11" * 32]),
            ("eth_getLogs", [{"fromBlock": "0x0", "toBlock": "latest"}]),
            ("eth_feeHistory", ["0x4", "latest", []]),
            ("eth_getProof", [ME, [], "0x4"]),
        )
        for method, params in requests:
            node.methods[method] = lambda *given: answer
            made = client.answer(method, *params)
            assert "internal" not in made.get("error", {}).get("message", ""), made


def test_others_are_answered_while_the_node_is_slow():
    with ScriptedNode(upstream()) as node:
        served = fork_of(node.url, 4)
        slow = threading.Event()

        def wait(handler, body):
            slow.set()
            time.sleep(0.8)

        with Server(served) as server:
            assert asked(server, "eth_blockNumber") == "0x4"
            node.always = wait
            thread = threading.Thread(target=asked, args=(server, "eth_getBalance", "0x" + "77" * 20, "latest"))
            thread.start()
            assert slow.wait(5)
            began = time.monotonic()
            assert asked(server, "eth_blockNumber") == "0x4"
            assert asked(server, "eth_getBlockByNumber", "0x9", False) is None
            assert time.monotonic() - began < 0.6
            thread.join()


def asked(server, method, *params):
    return post(server, {"id": 1, "method": method, "params": params})[1]["result"]


def test_many_blocks_of_a_fork_ask_the_node_a_few_times():
    with ScriptedNode(upstream()) as node:
        client = Client(fork_of(node.url, 4))
        client("evm_mine")
        before = len(node.requests)
        client("anvil_mine", "0x64", "0xc")
        assert client("eth_blockNumber") == hex(105)
        assert len(node.requests) - before < 12


def test_the_clock_goes_on_after_the_node_has_failed(monkeypatch):
    monkeypatch.setattr(pace, "_FIRST_WAIT_SECONDS", 0.001)
    with ScriptedNode(upstream()) as node:
        served = fork_of(node.url, 4, retries=1)
        served.mining = 0.05
        node.always = lambda handler, body: (503, b"busy")
        with Server(served) as server:
            time.sleep(0.3)
            assert asked(server, "eth_blockNumber") == "0x4"
            node.always = None
            for _ in range(100):
                if asked(server, "eth_blockNumber") != "0x4":
                    break
                time.sleep(0.05)
            assert int(asked(server, "eth_blockNumber"), 16) > 4


def test_the_command_serves_a_fork(other):
    def node_of(*words):
        arguments = parser().parse_args(["serve", *words])
        return serve.node_of(arguments)

    node, _ = node_of("--fork-url", f"{other.url}@3", "--rules", "Osaka", "--balance", "5", "--gas-limit", "1000000")
    client = Client(node)
    assert client("eth_blockNumber") == "0x3"
    account = client("eth_accounts")[0]
    assert client("eth_getBalance", account, "latest") == hex(5 * ETHER)
    assert client("eth_getBlockByNumber", "pending", False)["gasLimit"] == hex(1_000_000)
    node, _ = node_of("--fork-url", other.url, "--fork-block", "2", "--rules", "Osaka")
    assert Client(node)("eth_blockNumber") == "0x2"
    for words in (
        ["--fork-url", other.url, "--fork", "Osaka"],
        ["--fork-url", other.url, "--genesis", "x.json"],
        ["--fork-url", other.url, "--chain-id", "5"],
        ["--fork-url", f"{other.url}@1", "--fork-block", "2"],
        ["--fork-block", "2"],
    ):
        with pytest.raises(UnusableInput):
            node_of(*words)


@pytest.mark.parametrize(
    ("chain_id", "fork", "timestamp", "begin", "identifier"),
    [
        (1, "Osaka", 1764798551, 1764798551, "0x5167e2a6"),
        (1, "BPO2", 1767747671 + 100, 1767747671, "0x07c9462e"),
        (560_048, "Prague", 1742999832 + 12, 1742999832, "0x0929e24e"),
        (1, "Amsterdam", 1767747671, None, None),  # the server was told other rules than the chain has
        (1, "Osaka", 1764798551 - 1, None, None),
        (1, "Osaka", 1767747671, None, None),
        (1337, "Osaka", 1764798551, None, None),
    ],
)
def test_a_fork_says_when_its_rules_began_where_that_is_known(chain_id, fork, timestamp, begin, identifier):
    genesis = {"timestamp": timestamp}
    with ScriptedNode(
        DevChain({SENDER: Account(balance=ETHER)}, forks=fork, chain_id=chain_id, genesis=genesis)
    ) as other:
        made = Fork(RpcSource(other.url, "latest", fork=fork), accounts=ACCOUNTS, rules=fork)
        client = Client(Node(made.chain(), accounts=ACCOUNTS, fork=made))
        for _ in range(2):
            said = client("eth_config")
            assert (said["next"], said["last"]) == (None, None)
            current = said["current"]
            assert (current["activationTime"], current["forkId"]) == (begin, identifier)
            assert current["chainId"] == hex(chain_id)
            client("evm_increaseTime", 10**9)  # the rules stay
            client("evm_mine")


def test_what_was_before_the_fork_is_replayed_by_the_node_and_called_here(client, whole):
    for number in (2, 4):
        (sent,) = whole("eth_getBlockByNumber", hex(number), False)["transactions"]
        kinds = ["trace", "stateDiff", "vmTrace"]
        assert client("trace_replayTransaction", sent, kinds) == whole("trace_replayTransaction", sent, kinds)
        assert client("trace_get", sent, []) == whole("trace_transaction", sent)[0]
        assert client("trace_replayBlockTransactions", hex(number), ["trace"]) == whole(
            "trace_replayBlockTransactions", hex(number), ["trace"]
        )
        call = {"to": ADDRESSES[COUNTER]}
        assert int(client("trace_call", call, [], hex(number))["output"], 16) == number + 1
        assert int(client("trace_callMany", [[call, []]] * 2, hex(number))[1]["output"], 16) == number + 2
    own = client("eth_sendTransaction", {"from": ME, "to": ADDRESSES[COUNTER]})
    assert client("trace_replayTransaction", own, ["stateDiff"])["stateDiff"][ADDRESSES[COUNTER]]["storage"]
