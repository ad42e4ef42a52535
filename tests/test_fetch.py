"""Blocks fetched from a node: the file executes as the block did, the witness leads to its state root, and what is wrong is said."""

import gzip
import json

import pytest

pytest.importorskip("urllib3", reason="evmcore.remote wants urllib3 (pip install evmcore[remote])")

from helpers import shared
from nodes import Node, RpcError, transaction_json

from evmcore import (
    Account,
    Block,
    EvmError,
    ExecutionWitness,
    MissingNode,
    Transaction,
    Withdrawal,
    assemble,
    execute_block,
    execute_stateless,
    keccak256,
)
from evmcore.__main__ import main
from evmcore.dev import DevChain
from evmcore.fixtures import read_json
from evmcore.remote import BadAnswer, RemoteBlockNotFound, witnesses
from evmcore.remote.fetching import fetch_block
from evmcore.tools.remote import split_block

KEY = b"\x11" * 32
ME = Transaction(gas_price=0).sign(KEY).sender
TOGGLE = bytes([0x33] * 20)
HASHES = bytes([0x44] * 20)
# Slot n of the input: 1 where it is 0, and 0 where it is 1.
TOGGLES = assemble("PUSH 0 CALLDATALOAD SLOAD ISZERO PUSH 0 CALLDATALOAD SSTORE STOP")
READS_HASH = assemble("PUSH 3 NUMBER SUB BLOCKHASH PUSH 0 SSTORE STOP")
OPTIONS = {"cache": False}


def send(chain, to, data=b"", value=0, **fields):
    nonce = chain.pending.state.get_nonce(ME)
    fields = {"gas_price": 10**10} | fields
    tx = Transaction(to=to, nonce=nonce, data=data, value=value, gas_limit=300_000, chain_id=1337, **fields).sign(KEY)
    chain.send(tx)


@pytest.fixture(scope="module")
def chain():
    chain = DevChain(
        {
            ME: Account(balance=10**20),
            TOGGLE: Account(nonce=1, code=TOGGLES, storage=dict.fromkeys(range(40), 1)),
            HASHES: Account(nonce=1, code=READS_HASH),
        },
        automine=False,
        genesis={"timestamp": 1_700_000_000},
    )
    for turn in range(12):
        for slot in range(3 * turn, 3 * turn + 5):
            send(chain, TOGGLE, slot.to_bytes(32, "big"))
        send(chain, HASHES)
        send(
            chain,
            bytes([turn + 1] * 20),
            value=turn,
            gas_price=None,
            max_fee_per_gas=10**10,
            max_priority_fee_per_gas=1,
        )
        send(chain, None, assemble("PUSH 1 PUSH 0 SSTORE STOP"), gas_price=10**10, access_list=[(TOGGLE, [1, 2])])
        chain.mine(withdrawals=[Withdrawal(turn, 1, bytes([turn + 100] * 20), 5)], coinbase=bytes([0xCB] * 20))
    return chain


@pytest.fixture
def node(chain):
    with Node(chain) as opened:
        yield opened


@pytest.mark.parametrize("verify", [False, True])
def test_each_block_of_a_chain_is_fetched_with_its_state_and_a_witness_of_proofs(chain, node, verify):
    for number in range(1, 13):
        fetched = fetch_block(node.url, number, witness=True, verify=verify, **OPTIONS)
        block = Block.from_json(json.loads(json.dumps(fetched.file)))
        assert block.header == fetched.block.header
        result = execute_block(block, block.pre_state, workers=2, state_roots=False)
        assert result.receipts_root == chain.block(number).header.receipts_root
        assert fetched.checks["receipts_root"] is fetched.checks["state_root"] is fetched.checks["senders"] is True
        result = execute_stateless(chain.block(number).block, fetched.witness)
        assert result.state_root == chain.block(number).header.state_root
    assert "debug_executionWitness" in node.asked


def test_the_node_s_own_witness_is_taken_where_it_has_one_that_works(chain, node):
    block = chain.block(7).block
    own = execute_block(
        block, chain.state_at(6), witness=True, ancestors=[chain.block(number).header for number in range(3, 7)]
    ).witness
    node.methods["debug_executionWitness"] = lambda number: own.to_json() | {"keys": []}
    assert fetch_block(node.url, 7, witness=True, **OPTIONS).witness == own
    assert "eth_getProof" not in node.asked
    node.methods["debug_executionWitness"] = lambda number: own.to_json() | {"state": []}
    assert fetch_block(node.url, 7, witness=True, **OPTIONS).witness.state
    node.methods["debug_executionWitness"] = lambda number: "nothing"
    assert fetch_block(node.url, 7, witness=True, **OPTIONS).witness.state


def test_the_state_has_no_more_than_the_block_reads(chain, node):
    fetched = fetch_block(node.url, 1, **OPTIONS)
    assert set(fetched.file["preState"]["0x" + TOGGLE.hex()]["storage"]) == {hex(slot) for slot in range(5)}
    whole = {"0x" + address.hex() for address in chain.state_at(0).addresses()}
    assert set(fetched.file["preState"]) <= whole


def test_a_real_block_is_fetched_as_its_file_has_it():
    path = shared("mainnet-blocks", "13217637.json.gz")
    known = read_json(path)
    block = Block.load(path)
    hashes = {int(number): one for number, one in known["blockHashes"].items()}
    parent = block.header.to_json() | {"number": hex(block.number - 1), "hash": "0x" + block.header.parent_hash.hex()}
    with Node() as node:

        def refuse(*_):
            raise RpcError(-32000, "distance to target block exceeds maximum proof window")

        def hash_of(number):
            return bytes.fromhex(hashes[number][2:]) if number in hashes else keccak256(str(number).encode())

        parent["parentHash"] = "0x" + hash_of(block.number - 2).hex()
        whole = known["header"] | {"transactions": known["transactions"], "uncles": []}
        node.state = lambda _: block.pre_state
        node.methods = {
            "eth_getProof": refuse,
            "eth_chainId": lambda: "0x1",
            "eth_getBlockByNumber": lambda *_: whole,
            "eth_getBlockByHash": lambda *_: parent,
            "eth_call": lambda *_: (
                "0x00" + b"".join(hash_of(block.number - 1 - place) for place in range(1, 257)).hex()
            ),
        }
        fetched = fetch_block(node.url, block.number, **OPTIONS)
        assert len(node.requests) < 150
    assert fetched.checks["receipts_root"] is True
    for address, account in fetched.file["preState"].items():
        told = known["preState"][address]
        assert (account["balance"], account["nonce"]) == (told["balance"], told["nonce"])
        assert {int(slot, 16): int(value, 16) for slot, value in account["storage"].items()}.items() <= {
            int(slot, 16): int(value, 16) for slot, value in told["storage"].items()
        }.items()


def test_a_block_that_does_not_come_out_as_its_header_says_is_refused(node):
    own = node.eth_getStorageAt
    toggled = {0: 1, 1: 0}

    def lie(address, slot, block):
        value = int(own(address, slot, block), 16)
        return f"0x{toggled.get(value, value):064x}"

    node.methods["eth_getStorageAt"] = lie
    with pytest.raises(EvmError, match="block 5: gas used is"):
        fetch_block(node.url, 5, **OPTIONS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda given: given["transactions"].pop(), "transactions root"),
        (lambda given: given["transactions"][0].update(value="0x99"), "its fields have the hash"),
        (lambda given: given["transactions"][0].pop("gas"), "gas"),
        (lambda given: given["transactions"][0].update(type="0x77"), "type 0x77"),
        (lambda given: given["transactions"].append("0x" + "11" * 32), "not an object"),
        (lambda given: given["withdrawals"].clear(), "withdrawals root"),
        (lambda given: given.update(withdrawals=None), "not a list"),
        (lambda given: given.update(gasUsed="0x1"), "its fields have the hash"),
        (lambda given: given.update(hash=None), "block.hash"),
        (lambda given: given.update(transactions=7), "not a list"),
        (lambda given: given.update(uncles=7), "not a list"),
    ],
)
def test_a_block_whose_parts_are_not_its_own_is_refused(node, change, words):
    own = node.eth_getBlockByNumber

    def lie(number, whole):
        given = own(number, whole)
        change(given)
        return given

    node.methods["eth_getBlockByNumber"] = lie
    with pytest.raises(BadAnswer, match=words):
        fetch_block(node.url, 4, **OPTIONS)


def test_blocks_that_cannot_be_fetched(node):
    with pytest.raises(BadAnswer, match="genesis"):
        fetch_block(node.url, 0, **OPTIONS)
    with pytest.raises(RemoteBlockNotFound):
        fetch_block(node.url, 77, **OPTIONS)


def test_a_witness_that_no_proof_completes_is_an_error(chain, node, monkeypatch):
    """Deletions need more than the proofs in the state before."""
    monkeypatch.setattr(witnesses, "_nodes_below", lambda nodes: ())
    monkeypatch.setattr(witnesses, "_SEARCHED", 0)
    with pytest.raises(MissingNode):
        fetch_block(node.url, 1, witness=True, **OPTIONS)


def test_every_type_of_transaction_comes_back_as_it_was():
    from evmcore.remote.blocks import transaction_of_json

    made = [
        Transaction(to=ME, gas_price=1),
        Transaction(to=None, gas_price=1, chain_id=1, data=b"\x01"),
        Transaction(type=1, to=ME, gas_price=1, chain_id=1, access_list=[(ME, [0, 2**256 - 1]), (TOGGLE, [])]),
        Transaction(type=2, to=ME, chain_id=1, max_fee_per_gas=5, max_priority_fee_per_gas=2, value=2**255),
    ]
    for tx in made:
        signed = tx.sign(KEY)
        assert transaction_of_json(transaction_json(signed, 0)).raw == signed.raw
    blob = Transaction(
        type=3, to=ME, chain_id=1, max_fee_per_gas=5, max_fee_per_blob_gas=3, blob_versioned_hashes=[b"\x01" * 32]
    ).sign(KEY)
    given = transaction_json(blob, 0) | {"maxFeePerBlobGas": "0x3", "blobVersionedHashes": ["0x" + "01" * 32]}
    assert transaction_of_json(given).raw == blob.raw
    code = Transaction(type=4, to=ME, chain_id=1, max_fee_per_gas=5, authorization_list=[(1, TOGGLE, 2, 1, 3, 4)]).sign(
        KEY
    )
    listed = {
        "chainId": "0x1",
        "address": "0x" + TOGGLE.hex(),
        "nonce": "0x2",
        "yParity": "0x1",
        "r": "0x3",
        "s": "0x4",
    }
    assert transaction_of_json(transaction_json(code, 0) | {"authorizationList": [listed]}).raw == code.raw


def test_the_command_writes_files_that_replay_and_witness_take(node, tmp_path, capsys):
    folder = tmp_path / "blocks"
    words = ["fetch", "3-5", "latest", "--rpc", node.url, "--witness", "-o", str(folder)]
    assert main(words) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in said] == ["3", "4", "5", "12"]
    assert "state root" in said[0]
    assert main(["replay", str(folder)]) == 0
    block, witness = folder / "5.json.gz", folder / "5.witness.json.gz"
    assert main(["witness", "verify", str(block), str(witness)]) == 0
    assert "as in the header" in capsys.readouterr().out
    node.requests.clear()
    assert main(words) == 0
    assert not {"eth_getBalance", "eth_getStorageAt"} & set(node.asked[:1])
    assert ExecutionWitness.from_json(json.loads(gzip.decompress(witness.read_bytes()))).headers


def test_the_command_says_what_is_wrong(node, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("EVMCORE_RPC_URL", raising=False)
    folder = ["-o", str(tmp_path / "blocks")]
    assert main(["fetch", "1", *folder]) == 2
    assert "EVMCORE_RPC_URL" in capsys.readouterr().err
    monkeypatch.setenv("EVMCORE_RPC_URL", node.url)
    assert main(["fetch", "99", *folder]) == 1
    assert "no block 0x63" in capsys.readouterr().err
    for bad in ("5-3", "x", "1-99999999999", "pending"):
        assert main(["fetch", bad, *folder]) == 2
    assert main(["fetch", "3", *folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["transactions"] == 8
    (tmp_path / "file").write_bytes(b"")
    assert main(["fetch", "3", "-o", str(tmp_path / "file" / "blocks")]) == 2


@pytest.mark.parametrize(
    ("text", "url", "block"),
    [
        ("https://node.example/key", "https://node.example/key", "latest"),
        ("https://node.example/key@19000000", "https://node.example/key", 19_000_000),
        ("https://user:word@node.example/key", "https://user:word@node.example/key", "latest"),
        ("https://user:word@node.example/key@finalized", "https://user:word@node.example/key", "finalized"),
        ("http://127.0.0.1:8545@0x" + "ab" * 32, "http://127.0.0.1:8545", "0x" + "ab" * 32),
    ],
)
def test_a_block_may_follow_a_url(text, url, block):
    assert split_block(text) == (url, block)
