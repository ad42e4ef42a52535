"""The server's methods, without a network: what it answers, what it refuses and how it says so."""

from __future__ import annotations

import itertools
import json

import pytest
from helpers import ALICE, BOB, CONTRACT, ETHER
from nodes import JsonClient

from evmcore import Account, Transaction, UnusableInput, assemble
from evmcore.dev import DevChain
from evmcore.server import METHODS, Dispatcher, Limits, Node, RpcError, dev_accounts
from evmcore.server.accounts import MNEMONIC

ACCOUNTS = dev_accounts(3)
ME = "0x" + ACCOUNTS[0].address.hex()
HER = "0x" + BOB.hex()
# Stores its input's length and logs it; without input it fails.
PROGRAM = assemble("CALLDATASIZE PUSH 1 SSTORE PUSH 7 PUSH 5 PUSH 0 PUSH 32 LOG2")
ERROR = bytes.fromhex("08c379a0") + (32).to_bytes(32, "big") + (2).to_bytes(32, "big") + b"no".ljust(32, b"\0")


class Client(JsonClient):
    def __init__(self, mining="auto", forks="Osaka", **limits):
        accounts = {account.address: Account(balance=100 * ETHER) for account in ACCOUNTS}
        accounts[CONTRACT] = Account(nonce=1, code=PROGRAM)
        words = "".join(
            f"PUSH32 {int.from_bytes(ERROR[at : at + 32].ljust(32, bytes(1)), 'big')} PUSH {at} MSTORE "
            for at in (0, 32, 64, 96)
        )
        accounts[ALICE] = Account(nonce=1, code=assemble(words + f"PUSH {len(ERROR)} PUSH 0 REVERT"))
        chain = DevChain(accounts, forks=forks)
        super().__init__(Dispatcher(Node(chain, accounts=ACCOUNTS, mining=mining, limits=Limits(**limits))))

    def pay(self, **fields):
        return self("eth_sendTransaction", {"from": ME, "to": HER, "value": "0x1", **fields})


@pytest.fixture
def client():
    return Client()


def raw(body):
    client = Client()
    answer = client.dispatcher.answer(body)
    return None if answer is None else json.loads(answer)


# ---------------------------------------------------------------- requests


def test_known_accounts_are_those_of_the_phrase_that_everybody_uses():
    assert ME == "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
    assert "0x" + ACCOUNTS[1].address.hex() == "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
    assert ACCOUNTS[0].key.hex() == "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
    assert ACCOUNTS[0].key.hex() not in repr(ACCOUNTS[0])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b'{"method":"eth_chainId"}{}', -32700),
        (b"NaN", -32700),
        (b"[" * 100_000, -32700),
        (b'{"a":' * 100_000, -32700),
        (b"[]", -32600),
        (b"5", -32600),
        (b'"x"', -32600),
        (b"null", -32600),
        (b"{}", -32600),
        (b'{"jsonrpc":"2.0","id":1}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":5}', -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"eth_chainId"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_nothing"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"__class__"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":5}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":{"nothing":1}}', -32602),
    ],
)
def test_what_is_no_request_is_answered_with_its_code(body, code):
    assert raw(body)["error"]["code"] == code


def test_a_request_with_named_parameters_is_one_with_a_list(client):
    body = {"id": 1, "method": "eth_getBalance", "params": {"address": ME}}
    assert json.loads(client.dispatcher.answer(json.dumps(body)))["result"] == hex(100 * ETHER)


def test_a_batch_is_answered_in_its_order_and_notifications_are_not():
    body = [
        {"id": "a", "method": "eth_chainId"},
        {"method": "eth_chainId"},
        5,
        {"id": None, "method": "net_version"},
        {"id": 2, "method": "no"},
    ]
    answers = raw(json.dumps(body))
    assert [answer["id"] for answer in answers] == ["a", None, None, 2]
    assert [answer.get("result") for answer in answers] == ["0x539", None, "1337", None]
    assert [answer.get("error", {}).get("code") for answer in answers] == [None, -32600, None, -32601]
    assert raw(json.dumps({"method": "eth_chainId"})) is None
    assert raw(json.dumps([{"method": "eth_chainId"}])) is None


def test_a_batch_that_is_too_large_is_refused_as_a_whole():
    client = Client(batch_items=3)
    one = {"id": 1, "method": "eth_chainId"}
    assert len(json.loads(client.dispatcher.answer(json.dumps([one] * 3)))) == 3
    assert json.loads(client.dispatcher.answer(json.dumps([one] * 4)))["error"]["code"] == -32600


def test_an_answer_that_is_too_long_is_an_error():
    client = Client(response_bytes=500)
    assert client.error("eth_getBlockByNumber", "0x0") == (-32003, "response too large")
    one = {"id": 7, "method": "eth_chainId"}
    answers = json.loads(client.dispatcher.answer(json.dumps([one] * 40)))
    assert len(answers) == 40
    assert answers[0]["result"] == "0x539"
    assert answers[-1]["error"]["code"] == -32003


@pytest.mark.parametrize(
    ("method", "params", "says"),
    [
        ("eth_getBalance", [], "missing value for required argument 0 (address)"),
        ("eth_getBalance", [None], "missing value for required argument 0 (address)"),
        ("eth_getBalance", [5], "argument 0 (address)"),
        ("eth_getBalance", [[]], "argument 0 (address)"),
        ("eth_getBalance", ["0x12"], "argument 0 (address): hex string has length 2, want 40"),
        ("eth_getBalance", ["0x" + "zz" * 20], "argument 0 (address): invalid hex string"),
        ("eth_getBalance", ["0x" + "é" * 40], "argument 0 (address): invalid hex string"),
        ("eth_getBalance", [ME, "newest"], "argument 1 (block): hex string without 0x prefix"),
        ("eth_getBalance", [ME, "0x01"], "argument 1 (block): hex number with leading zero digits"),
        ("eth_getBalance", [ME, "0x"], "argument 1 (block)"),
        ("eth_getBalance", [ME, "0x" + "f" * 17], "argument 1 (block): hex number > 64 bits"),
        ("eth_getBalance", [ME, {}], "argument 1 (block)"),
        ("eth_getBalance", [ME, {"blockNumber": "0x0", "blockHash": "0x" + "00" * 32}], "argument 1 (block)"),
        ("eth_getBalance", [ME, True], "argument 1 (block)"),
        ("eth_getBalance", [ME, "latest", 5], "too many arguments, want at most 2"),
        ("eth_call", [[]], "argument 0 (transaction): expected an object"),
        ("eth_call", [{"to": 5}], "argument 0 (transaction): to: expected a hex string"),
        ("eth_call", [{"value": -1}], "argument 0 (transaction): value"),
        ("eth_call", [{"value": "0x" + "f" * 65}], "value: hex number > 256 bits"),
        ("eth_call", [{"data": "0x1"}], "data: hex string of odd length"),
        ("eth_call", [{"data": "0x01", "input": "0x02"}], "argument 0 (transaction): both"),
        ("eth_call", [{"gasPrice": "0x1", "maxFeePerGas": "0x1"}], "both gasPrice and"),
        ("eth_call", [{"accessList": [{"storageKeys": []}]}], "accessList: [0]: missing address"),
        ("eth_call", [{"to": ME}, "latest", []], "argument 2 (stateOverrides)"),
        ("eth_call", [{"to": ME}, "latest", {ME: {"balance": 5}}], "argument 2 (stateOverrides)"),
        ("eth_call", [{"to": ME}, "latest", {"0x5": {}}], "argument 2 (stateOverrides)"),
        ("eth_getLogs", [{"topics": [[]] * 5}], "argument 0 (filter): exceed max topics"),
        ("eth_getLogs", [{"address": [[]]}], "argument 0 (filter): address: [0]"),
        ("debug_traceTransaction", ["0x" + "00" * 32, {"tracer": 5}], "argument 1 (config): tracer"),
        ("evm_increaseTime", [1.5], "argument 0 (seconds)"),
        ("evm_increaseTime", [-1], "argument 0 (seconds)"),
    ],
)
def test_a_parameter_of_a_wrong_kind_is_named(client, method, params, says):
    code, message = client.error(method, *params)
    assert code == -32602
    assert says in message


WRONG = [None, True, 5, -1, 1.5, 10**30, "", "0x", "0x0", "x", "0x" + "00" * 20, "0x" + "00" * 32, [], [[]], [None], {}, {"a": 1},
         {"from": 5}, {"blockStateCalls": 5}, {"blockStateCalls": [{}]}, {"blockStateCalls": [{"calls": [5]}]}, "latest", "pending"]  # fmt: skip


@pytest.mark.parametrize("method", sorted(METHODS))
def test_no_method_fails_without_a_reason_whatever_it_is_given(client, method):
    """Every kind of JSON at every place: answered, or refused with a code that isn't that of an unforeseen error."""
    count = len(METHODS[method].parameters)
    for place in range(max(count, 1)):
        for value in WRONG:
            others = [HER, "latest", {}, "0x0", None]
            params = [*others[:place], value][:count]
            answer = client.answer(method, *params)
            assert "result" in answer or "internal error" not in answer["error"]["message"], (params, answer)
    assert client("eth_blockNumber").startswith("0x")


def test_what_a_handler_did_not_foresee_is_an_internal_error():
    client = Client()
    client.node.chain = None
    assert client.error("eth_blockNumber") == (-32603, "internal error: AttributeError")


# ---------------------------------------------------------------- transactions


def test_a_transaction_is_sent_mined_and_found(client):
    hash_ = client.pay()
    receipt = client("eth_getTransactionReceipt", hash_)
    assert (receipt["status"], receipt["blockNumber"], receipt["from"]) == ("0x1", "0x1", ME)
    assert client("eth_getTransactionByHash", hash_)["blockHash"] == client("eth_getBlockByNumber", "latest")["hash"]
    assert client("eth_getBalance", HER) == "0x1"
    assert client("eth_getTransactionCount", ME) == "0x1"
    assert client("eth_getRawTransactionByHash", hash_) == client("debug_getRawTransaction", hash_)


def test_reverts_have_code_3_and_their_data(client):
    answer = client.answer("eth_call", {"to": "0x" + ALICE.hex()})
    assert answer["error"] == {"code": 3, "message": "execution reverted: no", "data": "0x" + ERROR.hex()}
    assert client.answer("eth_estimateGas", {"to": "0x" + ALICE.hex()})["error"] == answer["error"]
    code, message = client.error("eth_call", {"to": "0x" + CONTRACT.hex(), "gas": "0x5300"})
    assert (code, message) == (-32000, "out of gas")


def test_transactions_that_can_not_be_say_why_and_leave_nothing(client):
    assert client.error("eth_sendTransaction", {"from": HER, "to": ME}) == (-32000, "unknown account")
    code, message = client.error("eth_sendTransaction", {"from": ME, "to": HER, "value": hex(10**30), "gas": "0x5208"})
    assert code == -32000
    assert "insufficient funds" in message
    for wrong in ("0x", "0x00", "0x1234", "0x03", "0x03c0", "0x02c0", "0xc0", "0xff", "0x04" + "ff" * 50):
        code, _ = client.error("eth_sendRawTransaction", wrong)
        assert code == -32000
    other = Transaction(to=BOB, gas_price=10**10, chain_id=5).sign(ACCOUNTS[0].key)
    assert "chain id" in client.error("eth_sendRawTransaction", "0x" + other.raw.hex())[1]
    assert client("txpool_status") == {"pending": "0x0", "queued": "0x0"}
    assert client("eth_blockNumber") == "0x0"


def signed(nonce, **fields):
    transaction = Transaction(**{"to": BOB, "gas_price": 10**10, "chain_id": 1337, "nonce": nonce, **fields})
    return "0x" + transaction.sign(ACCOUNTS[0].key).raw.hex()


def test_a_transaction_waits_for_those_before_it():
    client = Client(mining="none")
    client("eth_sendRawTransaction", signed(1))
    client("eth_sendRawTransaction", signed(2))
    assert client("txpool_status") == {"pending": "0x0", "queued": "0x2"}
    assert client.error("eth_sendRawTransaction", signed(1))[1] == "already known"
    client("eth_sendRawTransaction", signed(0))
    assert client("txpool_status") == {"pending": "0x3", "queued": "0x0"}
    assert set(next(iter(client("txpool_content")["pending"].values()))) == {"0", "1", "2"}
    assert client("eth_getTransactionCount", ME, "pending") == "0x3"
    client("evm_mine")
    assert len(client("eth_getBlockByNumber", "latest")["transactions"]) == 3


def test_a_transaction_replaces_one_with_its_nonce_if_it_pays_a_tenth_more():
    client = Client(mining="none")
    client("eth_sendRawTransaction", signed(0))
    assert "underpriced" in client.error("eth_sendRawTransaction", signed(0, gas_price=10**10 + 1))[1]
    hash_ = client("eth_sendRawTransaction", signed(0, gas_price=2 * 10**10))
    client("evm_mine")
    assert client("eth_getBlockByNumber", "latest")["transactions"] == [hash_]


def test_the_pool_has_a_limit():
    client = Client(mining="none", pool=2)
    for nonce in (1, 2):
        client("eth_sendRawTransaction", signed(nonce))
    assert client.error("eth_sendRawTransaction", signed(3)) == (-32000, "txpool is full")


def test_accounts_sign(client):
    from evmcore import keccak256
    from evmcore._core import run_precompile

    signature = bytes.fromhex(client("eth_sign", ME, "0x616263")[2:])
    assert client("personal_sign", "0x616263", ME) == "0x" + signature.hex()
    digest = keccak256(b"\x19Ethereum Signed Message:\n3abc")
    words = digest + signature[64:].rjust(32, b"\0") + signature[:64]
    assert run_precompile(1, words)[12:] == ACCOUNTS[0].address
    made = client("eth_signTransaction", {"from": ME, "to": HER, "gas": "0x5208"})
    assert client("eth_sendRawTransaction", made["raw"]) == made["tx"]["hash"]


# ---------------------------------------------------------------- logs and filters


def test_logs_are_found_by_filters_and_told_once(client):
    log, block, pending = (
        client("eth_newFilter", {}),
        client("eth_newBlockFilter"),
        client("eth_newPendingTransactionFilter"),
    )
    hash_ = client.pay(to="0x" + CONTRACT.hex(), data="0x00", gas="0x30d40")
    assert [one["transactionHash"] for one in client("eth_getFilterChanges", log)] == [hash_]
    assert client("eth_getFilterChanges", block) == [client("eth_getBlockByNumber", "0x1")["hash"]]
    assert client("eth_getFilterChanges", pending) == [hash_]
    for name in (log, block, pending):
        assert client("eth_getFilterChanges", name) == []
    wanted = {"fromBlock": "0x0", "address": ["0x" + CONTRACT.hex()], "topics": [None, ["0x" + "00" * 31 + "05"]]}
    assert len(client("eth_getLogs", wanted)) == 0
    assert len(client("eth_getLogs", {**wanted, "topics": [["0x" + "00" * 31 + "05"]]})) == 1
    assert client("eth_uninstallFilter", log) is True
    assert client("eth_uninstallFilter", log) is False
    assert client.error("eth_getFilterChanges", log) == (-32000, "filter not found")


def test_filters_and_ranges_have_limits():
    client = Client(filters=2, log_blocks=3, logs=1)
    for _ in range(2):
        client("eth_newBlockFilter")
    assert "too many filters" in client.error("eth_newBlockFilter")[1]
    client("hardhat_mine", "0x5")
    assert client.error("eth_getLogs", {"fromBlock": "0x0", "toBlock": "0x3"})[0] == -32005
    for _ in range(2):
        client.pay(to="0x" + CONTRACT.hex(), data="0x00", gas="0x30d40")
    assert client.error("eth_getLogs", {"fromBlock": "0x5"})[0] == -32005


# ---------------------------------------------------------------- what tests do to a chain


def test_the_state_is_changed_and_taken_back(client):
    mark = client("evm_snapshot")
    client("hardhat_setBalance", HER, "0x64")
    client("anvil_setNonce", HER, "0x5")
    client("hardhat_setCode", HER, "0x6001")
    client("hardhat_setStorageAt", HER, "0x1", "0x" + "00" * 31 + "09")
    assert client("eth_getBalance", HER) == "0x64"
    assert client("eth_getTransactionCount", HER) == "0x5"
    assert client("eth_getCode", HER) == "0x6001"
    assert client("eth_getStorageAt", HER, "0x1") == "0x" + "00" * 31 + "09"
    dumped = client("anvil_dumpState")
    client.pay()
    assert client("eth_getBalance", HER) == "0x65"
    assert client("evm_revert", mark) is True
    assert client("evm_revert", mark) is False
    assert client("eth_getBalance", HER) == "0x0"
    assert client("anvil_loadState", dumped) is True
    assert client("eth_getBalance", HER) == "0x64"


def test_who_is_impersonated_sends_without_a_key(client):
    contract = "0x" + CONTRACT.hex()
    client("hardhat_setBalance", contract, hex(ETHER))
    assert client.error("eth_sendTransaction", {"from": contract, "to": HER})[1] == "unknown account"
    client("hardhat_impersonateAccount", contract)
    hash_ = client("eth_sendTransaction", {"from": contract, "to": HER, "value": "0x7"})
    assert client("eth_getTransactionByHash", hash_)["from"] == contract
    assert client("eth_getBalance", HER) == "0x7"
    assert client("debug_traceTransaction", hash_, {"tracer": "callTracer"})["from"] == contract
    client("hardhat_stopImpersonatingAccount", contract)
    assert client.error("eth_sendTransaction", {"from": contract, "to": HER})[1] == "unknown account"


def test_time_and_blocks_are_made(client):
    first = int(client("eth_getBlockByNumber", "latest")["timestamp"], 16)
    client("evm_setNextBlockTimestamp", first + 1000)
    client("evm_mine")
    assert client("eth_getBlockByNumber", "latest")["timestamp"] == hex(first + 1000)
    code, message = client.error("evm_setNextBlockTimestamp", first)
    assert code == -32000
    assert "timestamp" in message
    client("hardhat_mine", "0x3", "0x3c")
    times = [int(client("eth_getBlockByNumber", hex(number))["timestamp"], 16) for number in (2, 3, 4)]
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [60, 60]
    client("anvil_mine", "0x2", "0x0")
    assert client("eth_blockNumber") == "0x6"
    assert client("evm_increaseTime", 10_000) == 10_000
    client("evm_mine")
    assert int(client("eth_getBlockByNumber", "latest")["timestamp"], 16) >= first + 10_000
    assert client("evm_mine", {"timestamp": first + 50_000, "blocks": 2}) == "0x0"
    assert "10000" in client.error("hardhat_mine", hex(10**9))[1]
    client("hardhat_setNextBlockBaseFeePerGas", "0x9")
    client("anvil_setCoinbase", HER)
    client.pay()
    block = client("eth_getBlockByNumber", "latest")
    assert (block["baseFeePerGas"], block["miner"]) == ("0x9", HER)


def test_mining_is_switched(client):
    client("evm_setAutomine", False)
    hash_ = client.pay()
    assert client("eth_blockNumber") == "0x0"
    assert client("eth_getTransactionByHash", hash_)["blockHash"] is None
    assert client("anvil_dropTransaction", hash_) == hash_
    assert client("anvil_dropTransaction", hash_) is None
    client.pay()
    client("anvil_dropAllTransactions")
    assert client("txpool_status")["pending"] == "0x0"
    client("evm_setAutomine", True)
    client.pay()
    assert client("eth_blockNumber") == "0x1"
    client("anvil_rollback", 1)
    assert client("eth_blockNumber") == "0x0"


# ---------------------------------------------------------------- traces and simulations


def test_traces_are_those_of_the_transaction_in_its_block():
    client = Client(mining="none", trace_steps=3)
    hashes = [client.pay(to="0x" + CONTRACT.hex(), data="0x00" * 1 + "00" * n, gas="0x30d40") for n in range(2)]
    client("evm_mine")
    traced = client("debug_traceTransaction", hashes[1], {"tracer": "callTracer"})
    assert traced["input"] == "0x0000"
    assert traced["gasUsed"] == client("eth_getTransactionReceipt", hashes[1])["gasUsed"]
    blocks = client("debug_traceBlockByNumber", "latest", {"tracer": "callTracer"})
    assert [one["txHash"] for one in blocks] == hashes
    assert blocks[1]["result"] == traced
    assert len(client("debug_traceTransaction", hashes[0])["structLogs"]) == 3
    assert client.error("debug_traceTransaction", "0x" + "00" * 32) == (-32000, "transaction not found")
    assert "JavaScript" in client.error("debug_traceTransaction", hashes[0], {"tracer": "{}"})[1]
    called = client("debug_traceCall", {"from": ME, "to": HER, "value": "0x1"}, "latest", {"tracer": "callTracer"})
    assert called["value"] == "0x1"


def test_calls_see_overrides_and_the_chain_does_not(client):
    code = "0x" + assemble("NUMBER PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN").hex()
    answer = client("eth_call", {"to": HER}, "latest", {HER: {"code": code}}, {"number": "0x7b"})
    assert int(answer, 16) == 123
    assert client("eth_getCode", HER) == "0x"
    assert (
        client("eth_estimateGas", {"from": HER, "to": ME, "value": "0x1"}, "latest", {HER: {"balance": "0x1"}})
        == "0x5208"
    )
    assert "not supported" in client.error("eth_call", {"to": HER}, "latest", {}, {"withdrawals": []})[1]


def test_errors_are_json_of_code_message_and_data():
    assert RpcError(1, "x").to_json() == {"code": 1, "message": "x"}
    assert RpcError(1, "x", "0x").to_json() == {"code": 1, "message": "x", "data": "0x"}


@pytest.mark.parametrize(("name", "value"), [("gas", 0), ("filters", -1), ("body_bytes", "5"), ("pool", None)])
def test_limits_are_numbers_above_zero(name, value):
    with pytest.raises((TypeError, ValueError), match=name):
        Limits(**{name: value})


def test_a_trace_has_a_limit():
    client = Client(trace_bytes=1000)
    client.pay()
    hash_ = client.pay(to="0x" + CONTRACT.hex(), data="0x00", gas="0x30d40")
    code, message = client.error("debug_traceTransaction", hash_)
    assert code == -32000
    assert "1000 bytes" in message


def test_a_chain_that_goes_on_from_a_block_of_another_is_served():
    chain = Client().node.chain
    chain.mine(300)
    client = Client()
    client.node = Node(DevChain.from_block(chain.head.header, chain.head.state), accounts=ACCOUNTS)
    client.dispatcher = Dispatcher(client.node)
    hash_ = client.pay()
    assert client("eth_blockNumber") == hex(301)
    assert client("eth_feeHistory", 10, "latest")["oldestBlock"] == hex(300)
    assert client("debug_traceTransaction", hash_, {"tracer": "callTracer"})["value"] == "0x1"
    assert client.error("debug_traceBlockByNumber", hex(300))[0] == -32000
    assert client("eth_getBlockByNumber", "0x1") is None
    assert client.error("anvil_rollback", 2)[0] == -32000
    assert client("anvil_reset") is True
    assert client("eth_blockNumber") == hex(300)


def test_accounts_of_a_phrase_are_those_of_eth_account():
    hdaccount = pytest.importorskip(
        "eth_account.hdaccount", reason="eth-account is not installed (pip install eth-account)"
    )
    for phrase in (MNEMONIC, "legal winner thank year wave sausage worth useful legal winner thank yellow"):
        seed = hdaccount.seed_from_mnemonic(phrase, "")
        keys = [hdaccount.key_from_seed(seed, f"m/44'/60'/0'/0/{index}") for index in range(3)]
        assert [account.key for account in dev_accounts(3, phrase)] == keys


# ---------------------------------------------------------------- accounts


def test_a_phrase_is_held_to_its_checksum():
    """Of BIP-39's test vectors: each phrase is right, and with another last word it isn't."""
    for entropy_phrase in (
        "abandon " * 11 + "about", "legal winner thank year wave sausage worth useful legal winner thank yellow",
        "abandon " * 17 + "agent", "abandon " * 23 + "art", "zoo " * 11 + "wrong", "zoo " * 23 + "vote",
    ):  # fmt: skip
        assert len(dev_accounts(1, entropy_phrase)) == 1
        assert dev_accounts(1, f"  {entropy_phrase}\n") == dev_accounts(1, entropy_phrase)
        words = entropy_phrase.split()
        with pytest.raises(UnusableInput, match="checksum"):
            dev_accounts(1, " ".join([*words[:-1], "ability"]))
    for wrong, says in (
        ("", "0 words"), ("test " * 11, "11 words"), ("test " * 13, "13 words"), ("test " * 11 + "tset", "word 12 is not"),
        ("Test " * 12, "word 1 is not"), ("test " * 12, "checksum"), ("ábaco " * 12, "word 1 is not"),
    ):  # fmt: skip
        with pytest.raises(UnusableInput, match=says) as caught:
            dev_accounts(1, wrong)
        assert "tset" not in str(caught.value)
    with pytest.raises(UnusableInput, match="accounts"):
        dev_accounts(10**9)


def test_every_field_of_a_transaction_is_read_and_shown(client):
    from evmcore._core import TRANSACTION_FIELDS
    from evmcore.server.fields import RPC_NAMES
    from evmcore.server.objects import call

    assert set(RPC_NAMES) == {field.name for field in TRANSACTION_FIELDS}
    assert all(RPC_NAMES.values())
    assert len(set(RPC_NAMES.values())) == len(RPC_NAMES)
    authorization = dict.fromkeys(("chainId", "nonce", "yParity", "r", "s"), "0x1") | {"address": HER}
    given = {
        "from": ME, "to": HER, "gas": "0x186a0", "maxFeePerGas": "0x2540be400", "maxPriorityFeePerGas": "0x1", "value": "0x1",
        "nonce": "0x0", "input": "0x01", "chainId": "0x539",
        "accessList": [{"address": HER, "storageKeys": ["0x" + "00" * 32]}], "authorizationList": [authorization],
    }  # fmt: skip
    assert call(given).authorization_list == ((1, BOB, 1, 1, 1, 1),)
    shown = client("eth_fillTransaction", given)["tx"]
    assert {name: shown[name] for name in given if name != "from"} == {
        name: given[name] for name in given if name != "from"
    }
