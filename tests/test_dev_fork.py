"""A DevChain that goes on from a block of another chain: of a state at hand, or of a node's."""

from dataclasses import replace

import pytest

from evmcore import Account, State, Transaction, assemble
from evmcore.dev import BlockNotFound, DevChain
from evmcore.dev.numbered import Numbered

KEY = b"\x11" * 32
ME = Transaction(gas_price=0).sign(KEY).sender
HASHES = bytes([0x44] * 20)
READS_HASH = assemble("PUSH 0 CALLDATALOAD BLOCKHASH PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")


def chain_of(blocks=5):
    chain = DevChain(
        {ME: Account(balance=10**18), HASHES: Account(nonce=1, code=READS_HASH)},
        forks="Osaka",
        genesis={"timestamp": 1_700_000_000},
    )
    chain.mine(blocks)
    return chain


def fork_of(chain, state=None):
    head = chain.head
    header = replace(head.header, block_hashes=chain.recent_hashes(head.number))
    return DevChain.from_block(header, chain.state_at("latest") if state is None else state)


def send(chain, nonce):
    return chain.send(Transaction(to=HASHES, nonce=nonce, gas_price=10**10, gas_limit=100_000, chain_id=1337).sign(KEY))


def test_a_fork_goes_on_from_its_block_and_leaves_the_other_chain_alone():
    chain = chain_of()
    fork = fork_of(chain)
    assert (fork.first, fork.head.number, fork.head.hash, fork.chain_id) == (5, 5, chain.head.hash, 1337)
    assert send(fork, 0).is_success
    assert fork.head.number == 6
    assert fork.head.header.parent_hash == chain.head.hash
    assert fork.head.header.state_root == fork.state_at(6).root()
    assert chain.head.number == 5
    assert fork.block("earliest").number == 5
    assert fork.block(chain.head.hash).number == 5
    for gone in (0, 4, 7, -1, chain.block(2).hash):
        with pytest.raises(BlockNotFound):
            fork.block(gone)


def test_a_fork_knows_the_hashes_before_its_first_block():
    chain = chain_of(300)
    fork = fork_of(chain)
    fork.mine(3)
    for number, known in ((46, False), (47, False), (48, True), (300, True), (302, True)):
        made = fork.call(
            Transaction(to=HASHES, data=number.to_bytes(32, "big"), gas_price=0, gas_limit=100_000, sender=ME),
            "pending",
        )
        wanted = (fork if number > 300 else chain).block(number).hash
        assert made.output == (wanted if known else bytes(32)), number


def test_snapshots_rewinds_and_logs_of_a_fork():
    fork = fork_of(chain_of())
    mark = fork.snapshot()
    send(fork, 0)
    fork.mine(2)
    fork.revert(mark)
    assert fork.head.number == 5
    fork.mine(3)
    fork.rewind(6)
    assert fork.head.number == 6
    with pytest.raises(BlockNotFound):
        fork.rewind(4)
    assert fork.logs(0, 100) == []


def test_a_numbered_list():
    items = Numbered(10, "a")
    items.append("b")
    assert (len(items), items[10], items[-1], items[11:], items[0:11], items[:5]) == (12, "a", "b", ["b"], ["a"], [])
    with pytest.raises(IndexError):
        items[9]
    with pytest.raises(IndexError):
        items[12]
    items[11] = "c"
    del items[11:]
    assert items[-1] == "a"


def test_a_fork_of_a_node():
    pytest.importorskip("urllib3", reason="evmcore.remote wants urllib3 (pip install evmcore[remote])")
    from nodes import Node

    from evmcore.remote import RpcSource

    chain = chain_of()
    with Node(chain) as node:
        source = RpcSource(node.url, fork="Osaka")
        fork = DevChain.from_block(source.header, State(source=source), block_hash=source.hash)
        assert send(fork, 0).is_success
        assert fork.state_at("latest").get_nonce(ME) == 1
        made = fork.call(
            Transaction(to=HASHES, data=(2).to_bytes(32, "big"), gas_price=0, gas_limit=100_000, sender=ME)
        )
        assert made.output == chain.block(2).hash
        asked = len(node.requests)
        for nonce in range(1, 6):
            assert send(fork, nonce).is_success
        assert len(node.requests) - asked < 20  # slots of the system contracts: others in each block
    assert chain.head.number == 5
