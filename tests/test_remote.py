"""A fork of a node: what is executed on it is what the chain itself gives, in few requests; secrets stay with the node."""

import logging
import os
import pickle
import signal
import threading
import time
import traceback

import pytest

pytest.importorskip("urllib3", reason="evmcore.remote wants urllib3 (pip install evmcore[remote])")

from helpers import Stop
from nodes import Node, RpcError

from evmcore import (
    Account,
    EvmError,
    State,
    Transaction,
    UnusableInput,
    assemble,
    call,
    message,
    transact,
)
from evmcore.dev import DevChain
from evmcore.remote import (
    BadAnswer,
    BlockReorganised,
    NodeRefused,
    NodeUnreachable,
    RemoteBlockNotFound,
    RpcClient,
    RpcSource,
    StatePruned,
)

KEY = b"\x11" * 32
ME = Transaction(gas_price=0).sign(KEY).sender
COUNTER = bytes([0x33] * 20)
FRIEND = bytes([0x44] * 20)
CODE = assemble("PUSH 0 SLOAD PUSH 1 ADD DUP1 PUSH 0 SSTORE PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")
HASH_OF = assemble("PUSH 0 CALLDATALOAD BLOCKHASH PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")


def chain_of(blocks=5, forks="Osaka"):
    chain = DevChain(
        {ME: Account(balance=10**18), COUNTER: Account(nonce=1, code=CODE, storage={0: 7}), FRIEND: Account(balance=9)},
        forks=forks,
        genesis={"timestamp": 1_700_000_000},
    )
    for nonce in range(blocks):
        chain.send(Transaction(to=COUNTER, nonce=nonce, gas_price=10**10, gas_limit=100_000, chain_id=1337).sign(KEY))
    return chain


@pytest.fixture(scope="module")
def chain():
    return chain_of()


@pytest.fixture
def node(chain):
    with Node(chain) as opened:
        yield opened


@pytest.mark.parametrize("verify", [False, True])
@pytest.mark.parametrize("block", [2, "latest", "earliest"])
def test_a_call_on_a_fork_is_the_call_on_the_chain(chain, node, verify, block):
    source = RpcSource(node.url, block, verify=verify)
    state = State(source=source)
    wanted = call(chain.state_at(block), chain.block(block).header, to=COUNTER)
    assert call(state, source.header, to=COUNTER) == wanted
    assert state.get_account(COUNTER).code == CODE
    assert source.hash == chain.block(block).hash
    assert source.header.state_root == chain.block(block).header.state_root


@pytest.mark.parametrize("verify", [False, True])
def test_a_transaction_on_a_fork_is_that_on_the_chain(chain, node, verify):
    source = RpcSource(node.url, 4, verify=verify, fork="Osaka")
    tx = Transaction(to=COUNTER, nonce=4, gas_price=10**10, gas_limit=100_000, chain_id=1337).sign(KEY)
    whole = chain.state_at(4)
    state = State(source=source)
    assert transact(tx, state, source.header) == transact(tx, whole, source.header)
    assert state.get_storage(COUNTER, 0) == whole.get_storage(COUNTER, 0)
    assert state.get_balance(ME) == whole.get_balance(ME)


@pytest.mark.parametrize("verify", [False, True])
def test_accounts_and_slots_may_be_read_without_a_state(chain, node, verify):
    source = RpcSource(node.url, 3, verify=verify)
    state = chain.state_at(3)
    for _ in range(2):
        for address in (ME, COUNTER, FRIEND):
            account = source.get_account("0x" + address.hex())
            assert (account.balance, account.nonce) == (state.get_balance(address), state.get_nonce(address))
            assert account.code == state.get_code(address)
    assert source.get_account(bytes([0x99] * 20)) is None
    assert (source.get_storage(COUNTER, 0), source.get_storage(COUNTER, 1)) == (10, 0)
    for bad in ("0x12", b"", None, 5):
        with pytest.raises(UnusableInput):
            source.get_account(bad)
    for bad in (-1, 1 << 256, "x", None):
        with pytest.raises(UnusableInput):
            source.get_storage(COUNTER, bad)


def test_writes_to_a_fork_reach_neither_another_state_nor_the_node(chain, node):
    source = RpcSource(node.url, "latest")
    first, second = State(source=source), State(source=source)
    call(first, source.header, to=COUNTER)
    first.set_storage(COUNTER, 0, 99)
    assert call(second, source.header, to=COUNTER).word == chain.head.state.get_storage(COUNTER, 0) + 1


def test_what_one_copy_of_a_state_has_fetched_no_other_asks_the_node_for(node):
    source = RpcSource(node.url)
    state, header = State(source=source), source.header
    call(state.copy(), header, sender=COUNTER, to=COUNTER)
    node.requests.clear()
    call(state.copy(), header, sender=COUNTER, to=COUNTER)
    call(State(source=source), header, sender=COUNTER, to=COUNTER)
    assert node.asked in ([], ["eth_getProof"])  # of the beneficiary, which has a balance alone
    node.requests.clear()
    call(state.copy(), header, sender=COUNTER, to=COUNTER)
    assert not node.requests


def test_a_batch_of_keys_is_a_request(node):
    reads = assemble("".join(f"PUSH {slot} SLOAD POP " for slot in range(1, 40)) + "STOP")
    source = RpcSource(node.url)
    header = source.header
    state = State(source=source)
    state.set_code(COUNTER, reads)
    node.requests.clear()
    call(state, header, to=COUNTER)
    assert node.asked.count("eth_getStorageAt") >= 39
    assert len(node.requests) < 12


def test_many_keys_are_asked_for_in_batches_that_grow(node):
    client = RpcClient(node.url)
    source = RpcSource(client)
    source([(COUNTER, slot) for slot in range(2000)])
    sizes = [len(body) for body in node.requests if isinstance(body, list)]
    assert max(sizes) > 500
    assert len(node.requests) < 12


@pytest.mark.parametrize("verify", [False, True])
def test_a_fork_has_the_hashes_of_earlier_blocks(chain, node, verify):
    source = RpcSource(node.url, 5, verify=verify)
    for number in range(-1, 7):
        answer = message(
            State(source=source), source.header, code=HASH_OF, data=(number % 2**256).to_bytes(32, "big"), to=FRIEND
        )
        assert answer.output == (chain.block(number).hash if 0 <= number < 5 else bytes(32))
    assert node.asked.count("eth_call") == (0 if verify else 1)


def test_hashes_come_from_headers_where_the_node_has_no_eth_call(chain, node):
    def refuse(*_):
        raise RpcError(-32601, "the method eth_call does not exist")

    node.methods["eth_call"] = refuse
    assert dict(RpcSource(node.url, 4).header.block_hashes) == {at: chain.block(at).hash for at in range(4)}


def test_a_long_chain_has_256_hashes():
    chain = chain_of(0)
    chain.mine(300)
    with Node(chain) as node:
        hashes = RpcSource(node.url).header.block_hashes
    assert dict(hashes) == {at: chain.block(at).hash for at in range(44, 300)}


def test_a_creation_onto_an_account_with_a_balance_asks_whether_it_has_storage(node):
    """Single values don't say it, and without a word no creation is taken for a success (EIP-7610)."""
    source = RpcSource(node.url)
    made = message(State(source=source), source.header, to=FRIEND, is_create=True, data=assemble("STOP"), sender=ME)
    assert made.is_success
    assert node.asked.count("eth_getProof") == 1
    node.methods["eth_getProof"] = lambda *_: (_ for _ in ()).throw(RpcError(-32601, "no such method"))
    source = RpcSource(node.url)
    made = message(State(source=source), source.header, to=FRIEND, is_create=True, data=assemble("STOP"), sender=ME)
    assert made.is_success
    assert node.asked.count("eth_getProof") == 2
    source = RpcSource(node.url, verify=True)
    with pytest.raises(NodeRefused):
        State(source=source).source([(FRIEND, None)])


def test_empty_accounts_are_told_from_those_that_do_not_exist():
    empty, absent = bytes([0x55] * 20), bytes([0x66] * 20)
    with Node(DevChain({empty: Account()}, forks="Homestead")) as node:
        state = State(source=RpcSource(node.url, fork="Homestead"))
        state.source([(empty, None), (absent, None)])
        for address in (empty, absent):
            call(state, state.source.header, to=address, gas=100_000)
        assert (state.exists(empty), state.exists(absent)) == (True, False)


def test_a_node_that_takes_no_block_hashes_is_asked_by_number(chain, node):
    by_hash = node.which

    def by_number(block):
        if isinstance(block, dict):
            raise RpcError(-32602, "invalid argument 1: json: cannot unmarshal object into Go value of type string")
        return by_hash(block)

    node.which = by_number
    source = RpcSource(node.url, 3)
    assert call(State(source=source), source.header, to=COUNTER) == call(chain.state_at(3), source.header, to=COUNTER)


def test_a_reorganised_block_is_refused_where_it_is_asked_by_number():
    chain = chain_of(3)
    with Node(chain) as node:
        by_hash = node.which

        def by_number(block):
            if isinstance(block, dict):
                raise RpcError(-32602, "invalid argument 1: hex string expected")
            return by_hash(block)

        node.which = by_number
        source = RpcSource(node.url, 3)
        header, before = source.header, source.hash
        chain.rewind(2)
        chain.mine(coinbase=FRIEND)
        with pytest.raises(BlockReorganised) as raised:
            call(State(source=source), header, to=COUNTER)
        assert (raised.value.number, raised.value.want, raised.value.have) == (3, before, chain.head.hash)


def test_a_reorganised_block_is_refused_where_the_node_has_forgotten_it():
    chain = chain_of(3)
    with Node(chain) as node:
        source = RpcSource(node.url, 3)
        header = source.header
        chain.rewind(2)
        with pytest.raises(RemoteBlockNotFound):
            call(State(source=source), header, to=COUNTER)
        chain.mine(coinbase=FRIEND)
        with pytest.raises(BlockReorganised, match="reorganised"):
            call(State(source=source), header, to=COUNTER)


@pytest.mark.parametrize(
    "words",
    [
        "missing trie node 6b1b2c (path ) <nil>",
        "required historical state unavailable (reexec=128)",
        "state 0x" + "ab" * 32 + " is not available",
        "old data not available due to pruning",
        "No state available for block 0x1",
        "World state unavailable",
        "distance to target block exceeds maximum proof window",
        "project ID does not have access to archive state",
    ],
)
def test_a_pruned_node_says_so(node, words):
    def pruned(*_):
        raise RpcError(-32000, words)

    node.methods["eth_getBalance"] = pruned
    with pytest.raises(StatePruned, match="archive node"):
        RpcSource(node.url, 2)
    assert node.asked.count("eth_getBalance") == 1


@pytest.mark.parametrize("name", ["accountProof", "storageProof", "balance", "code"])
def test_a_lie_is_found_where_proofs_are_verified(chain, node, name):
    def lie(address, slots, block):
        proof = chain.prove(address, [int(slot, 16) for slot in slots], node.which(block)).to_json()
        if name == "balance":
            proof["balance"] = "0x7"
        elif name == "accountProof":
            proof["accountProof"] = proof["accountProof"][1:]
        elif name == "storageProof":
            for one in proof["storageProof"]:
                one["value"] = "0x99"
        return proof

    node.methods["eth_getProof"] = lie
    if name == "code":
        node.methods["eth_getCode"] = lambda *_: "0x6001"
    source = RpcSource(node.url, 2, verify=True)
    with pytest.raises(EvmError):
        call(State(source=source), source.header, to=COUNTER)


def test_a_header_that_is_not_of_its_hash_is_refused_where_it_is_verified(chain, node):
    def lie(block, whole):
        return node.block_json(chain.block(node.which(block)), whole) | {"gasLimit": "0x5"}

    node.methods["eth_getBlockByNumber"] = lie
    assert RpcSource(node.url, 2).header.gas_limit == 5
    with pytest.raises(BadAnswer, match="its fields have the hash"):
        RpcSource(node.url, 2, verify=True)


def test_blocks_that_there_are_not(node):
    with pytest.raises(RemoteBlockNotFound, match="no block 0x63"):
        RpcSource(node.url, 99)
    with pytest.raises(RemoteBlockNotFound):
        RpcSource(node.url, b"\x01" * 32)
    for bad in ("pending", "newest", -1, 1.5, b"\x01", None, True, "0xzz", 1 << 64):
        with pytest.raises((UnusableInput, TypeError)):
            RpcSource(node.url, bad)


SECRET = "0123456789abcdef-my-key"


def test_secrets_of_a_url_are_shown_to_the_node_alone(chain, caplog):
    caplog.set_level(logging.DEBUG)

    def repeats(*_):
        raise RpcError(-32000, f"invalid project id {SECRET} for user topsecret-user")

    with Node(chain, path=f"/v3/{SECRET}?token={SECRET}") as node:
        url = node.url.replace("http://", "http://topsecret-user:topsecret-word@")
        source = RpcSource(url, headers={"authorization": f"Bearer {SECRET}"})
        shown = [repr(source), repr(source.client), repr(source.client.endpoint), str(source.client.endpoint)]
        node.methods["eth_getBalance"] = repeats
        try:
            call(State(source=source), source.header, to=COUNTER)
        except NodeRefused as error:
            shown += [
                str(error),
                repr(error),
                "".join(traceback.format_exception(error)),
                repr(pickle.loads(pickle.dumps(error))),
            ]
    try:
        RpcClient(url, retries=0).ask("eth_chainId")
    except NodeUnreachable as error:
        while error is not None:
            shown += [str(error), repr(error), "".join(traceback.format_exception(error))]
            error = error.__context__
    with pytest.raises(TypeError):
        pickle.dumps(source)
    assert len(shown) >= 11
    for text in [*shown, caplog.text]:
        assert SECRET not in text
        assert "topsecret" not in text
    assert "POST" in caplog.text  # urllib3 logged the requests


@pytest.mark.parametrize(
    "url",
    ["", "node.example", "ftp://node.example", "ws://node.example", "http://", "http://[::1", "http://a b/", None, 7],
)
def test_urls_that_are_none(url):
    with pytest.raises(UnusableInput, match="url"):
        RpcClient(url)


@pytest.mark.parametrize("options", [{"timeout": 0}, {"retries": -1}, {"rate": 0}, {"batch": 0}])
def test_options_that_are_none(options):
    with pytest.raises(UnusableInput):
        RpcClient("http://127.0.0.1:1", **options)


def test_the_rate_is_kept(node):
    client = RpcClient(node.url, rate=100)
    started = time.monotonic()
    for _ in range(21):
        client.ask("eth_chainId")
    assert 0.19 <= time.monotonic() - started < 2


def test_interrupts_end_a_wait_for_the_node(node):
    node.always = lambda *_: time.sleep(5)

    def stop(*_):
        raise Stop

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    started = time.monotonic()
    try:
        with pytest.raises(Stop):
            RpcClient(node.url).ask("eth_chainId")
    finally:
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - started < 3


def test_threads_and_copies_of_the_process_share_a_client(node, chain):
    client = RpcClient(node.url)
    failures = []

    def ask():
        for _ in range(20):
            if client.ask("eth_chainId") != "0x539":
                failures.append(1)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    child = os.fork()
    if child == 0:
        os._exit(0 if client.ask("eth_chainId") == "0x539" else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert client.ask("eth_chainId") == "0x539"
