"""The server's methods that anvil, hardhat and go-ethereum have beside those of every node."""

from __future__ import annotations

import json
from random import Random

import pytest
from helpers import ALICE, BOB, CONTRACT, ETHER
from test_server import ACCOUNTS, HER, ME, Client

from evmcore import Account, State, assemble, keccak256
from evmcore.chain import Genesis
from evmcore.chain.networks import fork_id
from evmcore.dev import DevChain
from evmcore.server import METHODS, Dispatcher, Node
from evmcore.server.decode import Unfit
from evmcore.server.sockets import Subscriptions
from evmcore.server.typed_data import typed_data_hash

COUNTER = "0x" + (b"\x77" * 20).hex()
# Adds one to slot 0 and returns it; says the chain id in slot 1.
COUNTS = (
    "0x"
    + assemble(
        "CHAINID PUSH 1 SSTORE PUSH 0 SLOAD PUSH 1 ADD DUP1 PUSH 0 SSTORE PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN"
    ).hex()
)


@pytest.fixture
def client():
    made = Client()
    made("anvil_setCode", COUNTER, COUNTS)
    made("anvil_setStorageAt", COUNTER, "0x5", "0x" + "07".rjust(64, "0"))
    return made


def count(client, **fields):
    return client("eth_sendTransaction", {"from": ME, "to": COUNTER, **fields})


def slot(client, number=0, block="latest"):
    return int(client("eth_getStorageAt", COUNTER, hex(number), block), 16)


# ---------------------------------------------------------------- other chains


def test_a_reorganised_chain_has_other_blocks_of_the_same_number(client):
    for _ in range(4):
        count(client)
    before = [client("eth_getBlockByNumber", hex(number), False)["hash"] for number in range(5)]
    gone = client("eth_getBlockByNumber", "0x3", False)["transactions"][0]
    raw = client("eth_signTransaction", {"from": ME, "to": HER, "value": "0x9", "nonce": "0x3", "gas": "0x5208"})["raw"]
    calls = {"from": ME, "to": COUNTER, "gas": "0x186a0"}
    client("anvil_reorg", {"depth": 2, "txBlockPairs": [[calls, 0], [raw, 1]]})
    after = [client("eth_getBlockByNumber", hex(number), False)["hash"] for number in range(5)]
    assert client("eth_blockNumber") == "0x4"
    assert [one == two for one, two in zip(before, after)] == [True, True, True, False, False]
    assert client("eth_getTransactionByHash", gone) is None
    assert slot(client) == 3
    assert client("eth_getBalance", HER) == "0x9"
    assert client("eth_getBlockByHash", before[4], False) is None
    client("anvil_reorg", "0x1", [])
    assert client("eth_getBalance", HER) == "0x0"
    assert client("eth_blockNumber") == "0x4"


def test_logs_that_are_taken_back_are_told_as_removed(client):
    to = "0x" + CONTRACT.hex()
    logs, blocks = client("eth_newFilter", {"address": to}), client("eth_newBlockFilter")
    for size in (1, 2):
        client("eth_sendTransaction", {"from": ME, "to": to, "data": "0x" + "00" * size})
    told = client("eth_getFilterChanges", logs)
    assert [log["removed"] for log in told] == [False, False]
    assert len(client("eth_getFilterChanges", blocks)) == 2
    late = client("eth_newFilter", {"address": to})
    client("anvil_reorg", {"depth": 2, "txBlockPairs": [[{"from": ME, "to": to, "data": "0x000000"}, 1]]})
    again = client("eth_getFilterChanges", logs)
    assert [log["removed"] for log in again] == [True, True, False]
    assert [log | {"removed": False} for log in again[:2]] == told[::-1]
    assert len(client("eth_getFilterChanges", blocks)) == 2
    assert client("eth_getFilterChanges", logs) == []
    assert [log["removed"] for log in client("eth_getFilterChanges", late)] == [True, True, False]
    messages = []
    subscriptions = Subscriptions(10)
    subscriptions.add("logs", {"address": to})
    client.node.listeners.append(lambda kind, what: messages.extend(subscriptions.messages(client.node, kind, what)))
    client("anvil_reorg", 1)
    assert [json.loads(one)["params"]["result"]["removed"] for one in messages] == [True]


def test_a_chain_that_can_not_be_reorganised_stays(client):
    for _ in range(3):
        count(client)
    before = client("eth_getBlockByNumber", "latest", True)
    too_much = {"from": ME, "to": HER, "value": hex(10**30), "gas": "0x5208"}
    for options in (
        {"depth": 9},
        {"depth": 5000},
        {"depth": 2, "txBlockPairs": [[too_much, 1]]},
        {"depth": 2, "txBlockPairs": [["0x02c0", 0]]},
        {"depth": 2, "txBlockPairs": [[{"from": HER, "to": ME}, 0]]},
        {"depth": 2, "txBlockPairs": [[{"from": ME, "to": HER}, 2]]},
        {"depth": -1},
        {"depth": 1, "txBlockPairs": [[5, 0]]},
    ):
        client.error("anvil_reorg", options)
        assert client("eth_getBlockByNumber", "latest", True) == before, options
        assert slot(client) == 3
    count(client)
    assert slot(client) == 4


def test_a_chain_gets_another_id(client):
    client("evm_setAutomine", False)
    dropped = client.pay()
    client("anvil_setChainId", 77)
    assert (client("eth_chainId"), client("net_version")) == ("0x4d", "77")
    assert client("eth_getTransactionByHash", dropped) is None
    client("evm_setAutomine", True)
    count(client)
    assert slot(client, 1) == 77
    assert client("eth_call", {"data": "0x46" + "5f5260205ff3"}, "latest")[-2:] == "4d"
    assert client("eth_getTransactionByHash", client.pay())["chainId"] == "0x4d"
    client.error("anvil_setChainId", "0x1" + "0" * 16)


# ---------------------------------------------------------------- calls after each other


def test_calls_of_bundles_see_what_those_before_them_left(client):
    call = {"to": COUNTER}
    bundles = [{"transactions": [call, call]}, {"transactions": [call, {"to": "0x" + ALICE.hex()}, call]}]
    first, second = client("eth_callMany", bundles, {"blockNumber": "latest"})
    assert [int(one["value"], 16) for one in first] == [1, 2]
    assert [second[0]["value"][-1:], second[1], second[2]["value"][-1:]] == [
        "3",
        {"error": "execution reverted: no"},
        "4",
    ]
    assert slot(client) == 0
    number = {"data": "0x435f5260205ff3"}
    made = client(
        "eth_callMany",
        [
            {"transactions": [number]},
            {"transactions": [number]},
            {"transactions": [number], "blockOverride": {"number": "0x63"}},
        ],
    )
    head = int(client("eth_blockNumber"), 16)
    assert [int(one[0]["value"], 16) for one in made] == [head, head + 1, 0x63]
    state = {COUNTER: {"stateDiff": {"0x" + "00" * 32: "0x" + "00" * 31 + "20"}}}
    assert client("eth_callMany", [{"transactions": [call]}], {}, state)[0][0]["value"][-2:] == "21"
    traced = client("debug_traceCallMany", bundles, {}, {"tracer": "callTracer"})
    assert [[one.get("output", "")[-1:] for one in bundle] for bundle in traced] == [["1", "2"], ["3", "0", "4"]]


def test_calls_of_bundles_may_begin_between_transactions(client):
    client("evm_setAutomine", False)
    for _ in range(3):
        count(client, gas="0x186a0")
    client("evm_mine")
    for index, value in ((0, 1), (2, 3), (3, 4), (-1, 4)):
        made = client(
            "eth_callMany", [{"transactions": [{"to": COUNTER}]}], {"blockNumber": "latest", "transactionIndex": index}
        )
        assert int(made[0][0]["value"], 16) == value
    assert client.error("eth_callMany", [], {})[0] == -32602
    assert client.error("eth_callMany", [{}], {})[0] == -32602


# ---------------------------------------------------------------- looking into blocks


def test_storage_is_told_in_the_order_of_its_hashes(client):
    count(client)
    count(client)
    all_of_it = client("debug_storageRangeAt", "latest", 1, COUNTER, "0x", 100)
    hashes = list(all_of_it["storage"])
    assert hashes == sorted("0x" + keccak256(bytes(31) + bytes([slot])).hex() for slot in (0, 1, 5))
    assert all_of_it["nextKey"] is None
    values = {int(one["key"], 16): int(one["value"], 16) for one in all_of_it["storage"].values()}
    assert values == {0: 2, 1: 1337, 5: 7}
    before = client("debug_storageRangeAt", "latest", 0, COUNTER, "0x", 100)["storage"].values()
    assert {int(one["value"], 16) for one in before} == {1, 1337, 7}
    some = client("debug_storageRangeAt", "latest", 1, COUNTER, "0x", 2)
    assert (list(some["storage"]), some["nextKey"]) == (hashes[:2], hashes[2])
    assert list(client("debug_storageRangeAt", "latest", 1, COUNTER, hashes[2], 2)["storage"]) == hashes[2:]
    assert "doesn't exist" in client.error("debug_storageRangeAt", "latest", 0, "0x" + "99" * 20, "0x", 5)[1]
    assert "out of range" in client.error("debug_storageRangeAt", "latest", 2, COUNTER, "0x", 5)[1]


def test_blocks_are_traced_from_their_rlp(client):
    client("evm_setAutomine", False)
    for _ in range(2):
        count(client, gas="0x186a0")
    client("evm_mine")
    raw = client("debug_getRawBlock", "latest")
    config = {"tracer": "callTracer"}
    traced = client("debug_traceBlockByNumber", "latest", config)
    assert client("debug_traceBlock", raw, config) == traced
    block_hash = client("eth_getBlockByNumber", "latest", False)["hash"]
    assert client("debug_traceBlockByHash", block_hash, config) == traced
    client("debug_setHead", "0x0")
    assert client("eth_blockNumber") == "0x0"
    client("anvil_reorg", 0, [])
    other = Client(forks="London")
    assert "not found" in other.error("debug_traceBlock", raw)[1]
    for wrong in ("0x", "0xc0", "0x" + "ff" * 100):
        assert client.error("debug_traceBlock", wrong)[0] == -32000
    assert len(traced) == 2


def test_roots_and_witnesses_of_a_block(client):
    chain = client.node.chain
    client("evm_mine")  # so that the state of the parent is that of its root
    client("evm_setAutomine", False)
    for _ in range(2):
        count(client, gas="0x186a0")
    client("evm_mine")
    block = chain.head
    roots = client("debug_intermediateRoots", "0x" + block.hash.hex())
    assert len(roots) == 2
    assert roots[-1] == client("eth_getBlockByNumber", "latest", False)["stateRoot"]
    assert client("debug_getBadBlocks") == []


def test_a_witness_of_a_block_is_enough_to_execute_it():
    from evmcore import execute_stateless

    client = Client()
    client.pay()
    client.pay()
    witness = client("debug_executionWitness", "latest")
    result = execute_stateless(client.node.chain.head.block, witness)
    assert result.state_root == client.node.chain.head.header.state_root
    assert "first block" in client.error("debug_executionWitness", "0x0")[1]


def test_flat_traces_say_where_they_are(client):
    sent = count(client)
    (trace,) = client("trace_transaction", sent)
    block = client("eth_getBlockByNumber", "latest", False)
    assert (trace["transactionHash"], trace["blockHash"], trace["blockNumber"]) == (sent, block["hash"], 1)
    assert (trace["action"]["to"], trace["type"], trace["transactionPosition"]) == (COUNTER, "call", 0)
    assert client("trace_block", "latest") == [trace]
    assert client("trace_block", "0x0") == []


def test_flat_traces_are_filtered(client):
    hers = "0x" + ACCOUNTS[1].address.hex()
    sent = [
        count(client),
        client.pay(),
        client("eth_sendTransaction", {"from": hers, "to": COUNTER, "gas": "0x186a0"}),
        client.pay(),
    ]

    def found(**wanted):
        return [sent.index(one["transactionHash"]) for one in client("trace_filter", wanted)]

    assert found() == [0, 1, 2, 3]
    assert found(fromBlock="0x2", toBlock="0x3") == [1, 2]
    assert found(toAddress=[COUNTER]) == [0, 2]
    assert found(fromAddress=[hers]) == [2]
    assert found(fromAddress=[hers], toAddress=[HER]) == [1, 2, 3]
    assert found(fromAddress=[ME], toAddress=[COUNTER], mode="intersection") == [0]
    assert found(after=1, count=2) == [1, 2]
    assert found(count=0) == []
    assert client("trace_filter", {"toAddress": [COUNTER]})[0] == client("trace_transaction", sent[0])[0]
    assert client.error("trace_filter", {"mode": "x"})[0] == -32602
    assert client.error("trace_filter", {"fromBlock": "0x9"})[0] == -32602


def test_accounts_come_with_their_roots(client):
    account = client("eth_getAccount", COUNTER, "latest")
    proof = client("eth_getProof", COUNTER, [], "latest")
    assert account == {
        "balance": proof["balance"], "nonce": proof["nonce"],
        "codeHash": proof["codeHash"], "storageRoot": proof["storageHash"],
    }  # fmt: skip
    assert client("eth_getAccount", "0x" + "99" * 20) is None


# ---------------------------------------------------------------- states that aren't kept


def test_states_before_the_last_are_let_go_and_that_is_said(client):
    sent = [count(client) for _ in range(3)]
    client.node.chain.states_kept = 3
    sent += [count(client) for _ in range(3)]
    assert [slot(client, 0, hex(number)) for number in (0, 4, 5, 6)] == [0, 4, 5, 6]
    gone = (-32000, "the state after block 3 is not kept")
    assert client.error("eth_call", {"to": COUNTER}, "0x3") == gone
    assert client.error("eth_getProof", COUNTER, [], "0x3") == gone
    assert client.error("debug_traceTransaction", sent[3]) == gone
    assert client.error("debug_setHead", "0x3") == gone
    assert client.error("anvil_rollback", "0x3") == gone
    assert client.error("anvil_reorg", {"depth": 3, "txBlockPairs": []}) == gone
    assert client("eth_blockNumber") == "0x6"
    assert client("debug_traceTransaction", sent[4], {"tracer": "callTracer"})["to"] == COUNTER
    for number, one in enumerate(sent, 1):
        assert client("eth_getTransactionReceipt", one)["blockNumber"] == hex(number)
        assert client("eth_getBlockByNumber", hex(number), False)["transactions"] == [one]
    client("anvil_rollback", "0x1")
    assert slot(client) == 5
    snapshot = client("evm_snapshot")
    client("anvil_mine", "0x14")
    assert client.error("eth_getBalance", ME, "0x5")[1] == "the state after block 5 is not kept"
    assert client("evm_revert", snapshot)
    assert slot(client) == 5
    count(client)
    assert (slot(client), slot(client, 0, "0x5")) == (6, 5)
    client("anvil_reset")
    assert client("eth_blockNumber") == "0x0"
    assert client.node.chain.states_kept == 3


# ---------------------------------------------------------------- eth_config


def test_a_chain_says_its_forks():
    client = Client(forks="Prague")
    said = client("eth_config")
    assert (said["next"], said["last"]) == (None, None)
    current = said["current"]
    assert current["chainId"] == "0x539"
    assert current["blobSchedule"] == {"baseFeeUpdateFraction": 5007716, "max": 9, "target": 6}
    assert current["precompiles"]["ECREC"] == "0x" + "01".rjust(40, "0")
    assert current["precompiles"]["BLS12_MAP_FP2_TO_G2"] == "0x" + "11".rjust(40, "0")
    assert "P256VERIFY" not in current["precompiles"]
    assert set(current["systemContracts"]) == {
        "BEACON_ROOTS_ADDRESS", "CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS", "DEPOSIT_CONTRACT_ADDRESS",
        "HISTORY_STORAGE_ADDRESS", "WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS",
    }  # fmt: skip
    config = {
        "chainId": 5, "terminalTotalDifficulty": 0, "shanghaiTime": 0, "cancunTime": 0, "pragueTime": 100, "osakaTime": 2000000000,
        **{f"{name}Block": 0 for name in (
            "homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg", "istanbul", "berlin", "london",
        )},
    }  # fmt: skip
    genesis = Genesis.from_json({"config": config, "alloc": {}, "timestamp": "0x0", "difficulty": "0x0"})
    node = Node(DevChain.from_genesis(genesis))
    said = json.loads(Dispatcher(node).answer(b'{"id":1,"method":"eth_config"}'))["result"]
    assert [said[name]["activationTime"] for name in ("current", "next", "last")] == [0, 100, 2000000000]
    assert "P256VERIFY" in said["last"]["precompiles"]
    assert said["next"]["forkId"] == "0x" + fork_id(node.chain.block(0).hash, (), [100], 100).hex()


# ---------------------------------------------------------------- what tests do


def test_states_are_dumped_and_loaded_as_anvil_does(client):
    dumped = client("anvil_dumpState")
    other = Client()
    assert other("anvil_loadState", dumped) is True
    assert other("eth_getCode", COUNTER) == COUNTS
    assert State.from_bytes(client.node.chain.head.state.to_bytes()) == client.node.chain.head.state
    assert other("hardhat_loadState", "0x" + client.node.chain.head.state.to_bytes().hex()) is True
    for wrong in ("0x", "0x00", "0x1f8b", "0x" + b"{}".hex(), "0x" + b"[]".hex(), "0x" + b'{"accounts":{"x":1}}'.hex()):
        answer = other.answer("anvil_loadState", wrong)
        assert "internal" not in answer.get("error", {}).get("message", ""), answer


def test_transactions_of_one_sender_are_dropped(client):
    client("evm_setAutomine", False)
    hers = "0x" + ACCOUNTS[1].address.hex()
    client.pay()
    client.pay(nonce="0x9", gas="0x5208")
    kept = client("eth_sendTransaction", {"from": hers, "to": ME})
    assert len(client("eth_pendingTransactions")) == 3
    client("anvil_removePoolTransactions", ME)
    assert [one["hash"] for one in client("eth_pendingTransactions")] == [kept]


def test_mined_blocks_come_with_what_their_transactions_came_to(client):
    client("evm_setAutomine", False)
    count(client, gas="0x186a0")
    client("eth_sendTransaction", {"from": ME, "to": "0x" + ALICE.hex(), "gas": "0x186a0"})
    first, second = client("anvil_mine_detailed", {"blocks": 2})
    assert [int(one["output"], 16) for one in first["transactions"][:1]] == [1]
    assert first["transactions"][1]["revertReason"] == "execution reverted: no"
    assert second["transactions"] == []


def test_token_balances_are_set_where_the_token_keeps_them():
    # balanceOf and allowance alike: the slot is the hash of the input.
    token = assemble(
        "CALLDATASIZE PUSH 0 PUSH 0 CALLDATACOPY CALLDATASIZE PUSH 0 KECCAK256 SLOAD PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN"
    )
    chain = DevChain({BOB: Account(nonce=1, code=token), CONTRACT: Account(nonce=1, code=b"\x5f")}, forks="Osaka")
    client = Client()
    client.node = Node(chain)
    client.dispatcher = Dispatcher(client.node)
    client("anvil_dealERC20", ME, HER, hex(10 * ETHER))
    client("anvil_setERC20Allowance", ME, HER, HER, "0x5")
    word = ME[2:].rjust(64, "0")
    assert int(client("eth_call", {"to": HER, "data": "0x70a08231" + word}), 16) == 10 * ETHER
    allowance = "0xdd62ed3e" + word + HER[2:].rjust(64, "0")
    assert int(client("eth_call", {"to": HER, "data": allowance}), 16) == 5
    assert "no slot" in client.error("anvil_dealERC20", ME, "0x" + CONTRACT.hex(), "0x5")[1]


def test_blocks_without_room_and_fees_beyond_all_words_are_no_internal_errors(client):
    client("evm_setBlockGasLimit", "0x0")
    client("anvil_mine", "0x2")
    assert client("eth_feeHistory", "0x2", "latest")["gasUsedRatio"] == [0.0, 0.0]
    client("evm_setBlockGasLimit", "0x1c9c380")
    client("anvil_setNextBlockBaseFeePerGas", hex(2**256 - 1))
    filled = client("eth_fillTransaction", {"from": ME, "to": HER, "gas": "0x5208"})["tx"]
    assert filled["maxFeePerGas"] == hex(2**256 - 1)


# ---------------------------------------------------------------- typed data

MAIL = {
    "types": {
        "EIP712Domain": [
            {"name": "name", "type": "string"}, {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"},
        ],
        "Person": [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}],
        "Mail": [{"name": "from", "type": "Person"}, {"name": "to", "type": "Person"}, {"name": "contents", "type": "string"}],
    },
    "primaryType": "Mail",
    "domain": {"name": "Ether Mail", "version": "1", "chainId": 1, "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"},
    "message": {
        "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
        "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
        "contents": "Hello, Bob!",
    },
}  # fmt: skip
MANY = {
    "types": {
        "Leaf": [{"name": "b", "type": "bytes"}, {"name": "f", "type": "bytes3"}, {"name": "ok", "type": "bool"}],
        "Tree": [
            {"name": "leaves", "type": "Leaf[]"}, {"name": "numbers", "type": "int16[2][]"}, {"name": "big", "type": "uint256"},
            {"name": "who", "type": "address[]"}, {"name": "text", "type": "string[]"},
        ],
    },
    "primaryType": "Tree",
    "domain": {"name": "x", "salt": "0x" + "11" * 32},
    "message": {
        "leaves": [{"b": "0x0102", "f": "0x010203", "ok": True}, {"b": "0x", "f": "0x000000", "ok": False}],
        "numbers": [[-1, 5], [32767, -32768]], "big": str(2**255), "who": [ME], "text": ["", "é"],
    },
}  # fmt: skip


def test_typed_data_has_the_hash_of_eip_712():
    assert typed_data_hash(MAIL).hex() == "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"


@pytest.mark.parametrize("given", [MAIL, MANY])
def test_typed_data_is_signed_as_eth_account_does(given):
    messages = pytest.importorskip("eth_account.messages", reason="eth-account")
    from eth_account import Account as Signer

    data = json.loads(json.dumps(given))
    if "EIP712Domain" not in data["types"]:
        data["types"]["EIP712Domain"] = [{"name": "name", "type": "string"}, {"name": "salt", "type": "bytes32"}]
    signed = Signer.sign_message(
        messages.encode_typed_data(
            full_message={
                **data,
                "message": {**data["message"], **({"big": 2**255} if "big" in data["message"] else {})},
            }
        ),
        ACCOUNTS[0].key,
    )
    client = Client()
    assert client("eth_signTypedData_v4", ME, given) == "0x" + signed.signature.hex().removeprefix("0x")
    assert client("eth_signTypedData_v4", ME, json.dumps(given)) == client("eth_signTypedData", ME, given)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("types",), None), (("types", "Mail"), 5), (("types", "Mail", 0, "type"), "Nobody"), (("types", "Mail", 0, "type"), "uint7"),
        (("types", "Mail", 0, "type"), "bytes33"), (("types", "Mail", 0, "type"), "int0"), (("types", "Mail", 0, "name"), "to"),
        (("primaryType",), "Nobody"), (("primaryType",), 5), (("domain",), 5), (("message",), None),
        (("message", "contents"), 5), (("message", "contents"), None), (("message", "from"), "x"), (("message", "from", "wallet"), "0x12"),
        (("domain", "chainId"), -1), (("domain", "chainId"), 2**256), (("domain", "chainId"), "x"), (("domain", "chainId"), True),
        (("domain", "chainId"), 1.5), (("domain", "verifyingContract"), None), (("domain", "chainId"), "1_0"), (("domain", "chainId"), " 1"),
        (("domain", "chainId"), "0x-1"), (("domain", "chainId"), "--1"), (("types", "Mail", 0, "type"), "uint8" + "[]" * 126),
    ],
)  # fmt: skip
def test_typed_data_that_can_not_be_is_refused(path, value):
    data = json.loads(json.dumps(MAIL))
    at = data
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    with pytest.raises(Unfit):
        typed_data_hash(data)


@pytest.mark.parametrize(
    ("members", "message", "says"),
    [
        ([{"name": "x", "type": "uint8" + "[]" * 50_000}], {"x": []}, "at most 256 characters"),
        ([{"name": f"x{i}", "type": "Node"} for i in range(1001)], {}, "more than 1000 members"),
        # Each an object of three bytes, of 900 members that are left out.
        ([{"name": f"x{i}", "type": "Node[]" if i == 0 else "Node"} for i in range(900)],
         {"x0": [{"x0": []}] * 100_000}, "more than 100000 values"),
    ],
    ids=["dimensions", "members", "values"],
)  # fmt: skip
def test_typed_data_that_would_keep_the_node_for_minutes_is_refused(members, message, says):
    data = {"types": {"Node": members}, "primaryType": "Node", "domain": {}, "message": message}
    with pytest.raises(Unfit, match=says):
        typed_data_hash(data)


def test_typed_data_that_is_nested_too_deep_is_refused():
    node = None
    for _ in range(200):
        node = {"next": node}
    data = {"types": {"Node": [{"name": "next", "type": "Node"}]}, "primaryType": "Node", "domain": {}, "message": node}
    with pytest.raises(Unfit, match="deep"):
        typed_data_hash(data)
    lists = []
    for _ in range(300):
        lists = [lists]
    data = {
        "types": {"Node": [{"name": "x", "type": "string" + "[]" * 300}]},
        "primaryType": "Node",
        "domain": {},
        "message": {"x": lists},
    }
    with pytest.raises(Unfit):
        typed_data_hash(data)


def test_typed_data_with_very_many_values_is_refused(client):
    data = {
        "types": {"A": [{"name": "x", "type": "B[]"}], "B": [{"name": "y", "type": "B"}]},
        "primaryType": "A", "domain": {}, "message": {"x": [{}] * 200_000},
    }  # fmt: skip
    code, message = client.error("eth_signTypedData_v4", ME, data)
    assert (code, "100000 values" in message) == (-32602, True)
    assert client.error("eth_signTypedData_v4", HER, data) == (-32000, "unknown account")


# ---------------------------------------------------------------- whatever comes

NAMES = (
    "from", "to", "data", "input", "value", "gas", "gasPrice", "accessList", "address", "storageKeys", "authorizationList", "blockHash",
    "blockNumber", "fromBlock", "toBlock", "topics", "tracer", "tracerConfig", "stateOverrides", "blockOverrides", "transactions",
    "blockOverride", "types", "domain", "message", "primaryType", "depth", "txBlockPairs", "forking", "blockStateCalls", "calls", "state",
    "stateDiff", "balance", "code", "movePrecompileToAddress", "number", "time", "withdrawals", "limit", "enableMemory", "x",
)  # fmt: skip
LEAVES = (
    None, True, False, 0, 1, 7, -1, 1.5, 2**70, "", "0x", "0x0", "0x1", "0x02c0", "0xff", "x", "latest", "pending", "earliest", ME, HER, COUNTER,
    "0x" + "00" * 32, "0x" + "ff" * 32, "0x" + "ff" * 100, "callTracer", "prestateTracer", "muxTracer", "\ud800", "é" * 50,
)  # fmt: skip


def something(random, depth=0):
    kind = random.random()
    if depth > 3 or kind < 0.5:
        return random.choice(LEAVES)
    if kind < 0.7:
        return [something(random, depth + 1) for _ in range(random.randrange(4))]
    return {random.choice(NAMES): something(random, depth + 1) for _ in range(random.randrange(5))}


def test_whatever_comes_is_answered_or_refused(client):
    random = Random(7)
    for turn in range(20):
        for method in sorted(METHODS):
            count = len(METHODS[method].parameters)
            params = [something(random) for _ in range(random.randrange(count + 1))]
            body = json.dumps({"id": 1, "method": method, "params": params})
            answer = json.loads(client.dispatcher.answer(body) or b"{}")
            message = answer.get("error", {}).get("message", "")
            assert "internal error" not in message, (turn, method, params, message)
    assert client("eth_blockNumber").startswith("0x")
