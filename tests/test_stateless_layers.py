"""Layers without a state: a block and its witness go out, a signed digest comes back, and neither side takes the other's word."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from dataclasses import replace

import pytest

from evmcore import Block, ExecutionWitness, Header, State, Transaction, assemble, execute_block, keccak256, rlp
from evmcore.errors import DecodeError, UnusableInput
from evmcore.layers import LayerServer, LocalLayer, Quorum, RemoteLayer, Witnessed, answer_block, digest_of

KEY = keccak256(b"evmcore test of stateless layers")
TOKEN = bytes([0x70]) * 20
SENDER = Transaction().sign(KEY).sender
LAYER_KEYS = [keccak256(b"stateless layer %d" % number) for number in range(3)]


def chain(length):
    """Blocks that follow each other, with their witnesses, and their digests."""
    state = State(
        {
            SENDER: {"balance": 10**20},
            TOKEN: {"code": assemble("CALLER SLOAD PUSH 1 ADD CALLER SSTORE " + "PUSH 7 POP " * 400), "nonce": 1},
            **{bytes([number]) * 20: {"balance": number} for number in range(1, 40)},
        }
    )
    parent = Header(number=0, fork="Cancun", state_root=state.root())
    made = []
    for number in range(1, length + 1):
        calls = tuple(
            Transaction(to=TOKEN, nonce=2 * (number - 1) + place, gas_limit=100_000, gas_price=10, chain_id=1).sign(KEY)
            for place in range(2)
        )
        header = Header(number=number, fork="Cancun", base_fee_per_gas=7, parent_hash=parent.hash, timestamp=number)
        block = Block(header, calls)
        result = execute_block(block, state, witness=True, ancestors=[parent], access_list=True)
        block = block.with_header(
            gas_used=result.gas_used,
            logs_bloom=result.logs_bloom,
            receipts_root=result.receipts_root,
            transactions_root=result.transactions_root,
            state_root=result.state_root,
        )
        made.append((Witnessed.of(block, result.witness), digest_of(result)))
        parent = block.header
    return made


CHAIN = chain(6)
BLOCKS = [given for given, _ in CHAIN]


@pytest.fixture
def servers():
    made = [LayerServer(key) for key in LAYER_KEYS]
    yield made
    for server in made:
        server.close()


def test_any_layer_executes_any_block_in_any_order(servers):
    layers = [RemoteLayer(server.address, server.signer) for server in servers]
    order = [3, 0, 5, 1, 4, 2]
    with Quorum(layers, 2) as quorum:
        verdicts = list(quorum.verify(BLOCKS[place] for place in order))
    assert [one.digest for one in verdicts] == [CHAIN[place][1] for place in order]
    assert all(one.is_ok for one in verdicts), [one.summary.error for one in verdicts]
    assert [one.summary.state_root for one in verdicts] == [BLOCKS[place].block.header.state_root for place in order]
    assert not quorum.struck


def test_what_is_sent_comes_back_the_same():
    for given in BLOCKS:
        again = Witnessed.decode(given.encode())
        assert again.encode() == given.encode()
        assert (again.block.hash, again.witness, again.code_hashes) == (
            given.block.hash,
            given.witness,
            given.code_hashes,
        )


@pytest.mark.parametrize("encoded", [b"", b"\xc0", bytes(100), BLOCKS[0].encode()[:-1], rlp.encode([b""] * 9)])
def test_bytes_that_are_no_block_are_refused(encoded):
    with pytest.raises((DecodeError, UnusableInput)):
        Witnessed.decode(encoded)


def test_a_code_is_sent_once(servers, monkeypatch):
    sent = []
    from evmcore.layers import stateless

    real = stateless.send
    monkeypatch.setattr(stateless, "send", lambda connection, frame: (sent.append(frame), real(connection, frame))[1])
    layer = RemoteLayer(servers[0].address, servers[0].signer)
    for given, digest in CHAIN:
        assert layer.submit(given).result(timeout=30).certificate.digest == digest
    layer.close()
    code = BLOCKS[0].witness.codes[0]
    assert len(code) > 1000
    assert sum(code in frame for frame in sent) == 1


def wrongs():
    given = BLOCKS[2]
    witness, block = given.witness, given.block
    yield "a node is missing", Witnessed.of(block, replace(witness, state=witness.state[1:])), False
    yield "a node too many", Witnessed.of(block, replace(witness, state=(*witness.state, b"\xc0" * 40))), False
    yield "another block's", Witnessed.of(block, BLOCKS[3].witness), False
    yield "nothing", Witnessed.of(block, ExecutionWitness()), False
    yield "another state root", Witnessed.of(block.with_header(state_root=bytes(32)), witness), True
    yield "another gas", Witnessed.of(block.with_header(gas_used=1), witness), True


@pytest.mark.parametrize(
    ("given", "says"), [(one, says) for _, one, says in wrongs()], ids=[name for name, *_ in wrongs()]
)
def test_what_does_not_hang_on_the_block_is_found_out(servers, given, says):
    """A witness that isn't the block's says nothing of the block; a block that isn't what it says is a result."""
    layer = RemoteLayer(servers[0].address, servers[0].signer)
    answer = layer.submit(given).result(timeout=30)
    layer.close()
    assert not answer.summary.is_ok
    assert answer.summary.is_conclusive is says
    assert (answer.certificate is not None) is says


def test_a_code_that_is_not_what_its_hash_says_is_not_kept():
    with LayerServer(LAYER_KEYS[0]) as server:
        given = BLOCKS[0]
        false = Witnessed(given.block, replace(given.witness, codes=(b"\x00",)), given.code_hashes)
        layer = RemoteLayer(server.address, server.signer)
        with pytest.raises((UnusableInput, ConnectionError)):
            layer.submit(false).result(timeout=30)
        layer.close()
        layer = RemoteLayer(server.address, server.signer)
        assert layer.submit(given).result(timeout=30).certificate.digest == CHAIN[0][1]
        layer.close()


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00", struct.pack(">I", 0), struct.pack(">I", 5) + b"Zabcd", b"\xff" * 8, struct.pack(">I", 3) + b"B\xc0"],
)
def test_noise_on_the_line_stops_nobody(servers, content):
    with socket.create_connection(servers[0].address, 5) as connection:
        connection.sendall(content)
        connection.settimeout(5)
        with contextlib.suppress(OSError):  # the server may have hung up by then
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(1000):
                pass
    layer = RemoteLayer(servers[0].address, servers[0].signer)
    assert layer.submit(BLOCKS[0]).result(timeout=30).certificate.digest == CHAIN[0][1]
    layer.close()


class Line:
    """A network between a client and a server, which can be cut: silently, as a pulled cable does, or by a reset."""

    def __init__(self, to):
        self.to = to
        self.is_silent = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.sockets = [self.listener]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.to, 5)
            except OSError:
                return
            self.sockets += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(one, other), daemon=True).start()

    def pump(self, one, other):
        try:
            while data := one.recv(65536):
                while self.is_silent:
                    time.sleep(0.01)
                other.sendall(data)
        except OSError:
            return

    def cut(self):
        for one in self.sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.mark.parametrize("how", ["silent", "reset"])
def test_a_network_that_is_cut_in_the_middle_costs_no_block(servers, how):
    line = Line(servers[0].address)
    layers = [RemoteLayer(line.address, servers[0].signer, name="far")]
    layers += [RemoteLayer(server.address, server.signer) for server in servers[1:]]
    verdicts = []
    blocks = [BLOCKS[place % 6] for place in range(24)]
    with Quorum(layers, 2, patience_s=0.5, in_flight=2) as quorum:
        for one in quorum.verify(blocks):
            verdicts.append(one)
            if len(verdicts) == 4:
                line.cut() if how == "reset" else setattr(line, "is_silent", True)
    line.is_silent = False
    line.cut()
    assert [one.index for one in verdicts] == list(range(24))
    assert [one.digest for one in verdicts] == [CHAIN[place % 6][1] for place in range(24)]
    assert not quorum.struck
    assert any("far" in one.asked for one in verdicts[:4])


def test_layers_with_and_without_a_state_agree():
    state = State({SENDER: {"balance": 10**20}, TOKEN: {"nonce": 1}})
    block = replace(BLOCKS[0].block, pre_state=state)
    local = LocalLayer("local", LAYER_KEYS[0])
    assert local.submit(BLOCKS[0]).result(timeout=30).certificate.digest == CHAIN[0][1]
    assert answer_block(block, LAYER_KEYS[1]).certificate.digest != CHAIN[0][1]  # another state is another result
    local.close()


def test_a_layer_that_is_restarted_while_it_connects_leaves_no_connection(monkeypatch):
    made, begun, go = [], threading.Event(), threading.Event()
    connect = socket.create_connection

    def slow(*arguments):
        one = connect(*arguments)
        made.append(one)
        if len(made) == 1:
            begun.set()
            assert go.wait(20)
        return one

    with LayerServer(LAYER_KEYS[0]) as server:
        layer = RemoteLayer(server.address, server.signer)
        monkeypatch.setattr(socket, "create_connection", slow)
        first = layer.submit(BLOCKS[0])
        assert begun.wait(20)
        layer.restart()
        second = layer.submit(BLOCKS[1])
        assert second.result(timeout=30).certificate.digest == CHAIN[1][1]
        go.set()
        with pytest.raises(ConnectionError, match="it was hung up"):
            first.result(timeout=30)
        assert [one.fileno() >= 0 for one in made] == [False, True]
        assert layer.submit(BLOCKS[2]).result(timeout=30).certificate.digest == CHAIN[2][1]
        layer.close()
        assert [one.fileno() for one in made] == [-1, -1]
