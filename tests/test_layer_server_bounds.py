"""A LayerServer among clients that want to hold it up: slow ones, silent ones, huge ones, very many."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest
from test_stateless_layers import BLOCKS, CHAIN, LAYER_KEYS

from evmcore import Block, Header, State, Transaction, UnusableInput, assemble, caches, empty_caches, execute_block
from evmcore.layers import LayerServer, LocalLayer, RemoteLayer, ServerLimits, Witnessed


def serve(**limits):
    return LayerServer(LAYER_KEYS[0], limits=ServerLimits(**limits))


def answers(server):
    """Whether an honest client gets its answer."""
    layer = RemoteLayer(server.address, server.signer, timeout_s=20)
    try:
        return layer.submit(BLOCKS[0]).result(timeout=30).certificate.digest == CHAIN[0][1]
    finally:
        layer.close()


def eventually(holds, seconds=5):
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def is_hung_up(connection, seconds=5):
    connection.settimeout(seconds)
    try:
        while connection.recv(1000):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


@pytest.mark.parametrize("sent", [b"", b"\x00", struct.pack(">I", 1000), struct.pack(">I", 1000) + b"B" * 500])
def test_a_client_that_says_nothing_is_hung_up_on(sent):
    """Half-open ones, too: nothing ever comes from them."""
    with serve(idle_s=0.2, request_s=5) as server, socket.create_connection(server.address, 5) as silent:
        silent.sendall(sent)
        assert is_hung_up(silent)
        assert eventually(lambda: server.clients.connections == 0)
        assert server.clients.dropped == 1
        assert server.clients.taken_bytes == 0
        assert answers(server)


def test_a_client_that_sends_a_byte_now_and_then_is_hung_up_on():
    with serve(idle_s=5, request_s=0.3) as server, socket.create_connection(server.address, 5) as slow:
        began = time.monotonic()
        assert eventually(lambda: server.clients.connections == 1)
        while server.clients.connections and time.monotonic() < began + 5:
            try:
                slow.sendall(b"\x01")
            except OSError:
                break
            time.sleep(0.02)
        assert eventually(lambda: server.clients.connections == 0)
        assert time.monotonic() - began < 3
        assert answers(server)


def test_a_client_that_does_not_read_its_answers_is_hung_up_on():
    with serve(idle_s=5, request_s=0.3) as server:
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        deaf.connect(server.address)
        ask = struct.pack(">I", 1) + b"H"
        deaf.setblocking(False)
        end = time.monotonic() + 8
        while server.clients.dropped == 0 and time.monotonic() < end:
            try:
                deaf.send(ask * 1000)
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:
                break
        assert server.clients.dropped == 1
        deaf.close()
        assert eventually(lambda: server.clients.connections == 0)
        assert answers(server)


def test_a_huge_length_takes_no_memory():
    with serve(frame_bytes=1 << 20) as server:
        for size in (2**20 + 1, 2**32 - 1):
            with socket.create_connection(server.address, 5) as huge:
                huge.sendall(struct.pack(">I", size))
                said = huge.recv(1000)
                assert said[4:] == b"E" + f"a frame of {size} bytes, more than {2**20}".encode()
                assert is_hung_up(huge)
        assert server.clients.taken_bytes == 0
        assert answers(server)


def test_all_clients_together_have_so_much_memory():
    with serve(memory_bytes=3 << 20, frame_bytes=2 << 20, idle_s=20, request_s=20) as server:
        open_ = [socket.create_connection(server.address, 5) for _ in range(6)]
        for one in open_:
            one.settimeout(5)
            one.sendall(struct.pack(">I", 2 << 20))
        for one in open_:
            with contextlib.suppress(OSError):
                one.sendall(bytes((2 << 20) - 1))  # all but the last byte
        assert eventually(lambda: server.clients.dropped >= 4)
        assert server.clients.taken_bytes <= 3 << 20
        for one in open_:
            one.close()
        assert eventually(lambda: server.clients.taken_bytes == 0)
        assert answers(server)


def test_so_many_clients_at_a_time():
    with serve(connections=3, idle_s=20) as server:
        first = [socket.create_connection(server.address, 5) for _ in range(3)]
        assert eventually(lambda: server.clients.connections == 3)
        with socket.create_connection(server.address, 5) as fourth:
            assert is_hung_up(fourth)
        assert server.clients.refused == 1
        first.pop().close()
        assert eventually(lambda: server.clients.connections == 2)
        assert answers(server)
        for one in first:
            one.close()


FLOOD = """
import resource, socket, sys
port, count = int(sys.argv[1]), int(sys.argv[2])
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if hard == resource.RLIM_INFINITY or hard > soft:
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1 << 16) if hard != resource.RLIM_INFINITY else 1 << 16, hard))
most = max(100, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
held = []
for number in range(count):
    if len(held) == most:
        held.clear()
    one = socket.socket()
    one.settimeout(20)
    one.connect(("127.0.0.1", port))
    held.append(one)
print(len(held), flush=True)
sys.stdin.read()
"""


def test_ten_thousand_connections():
    """Held open by another process: the server takes as many as it may, and answers afterwards."""
    with serve(connections=32, idle_s=30) as server:
        threads = threading.active_count()
        words = [sys.executable, "-c", FLOOD, str(server.address[1]), "10000"]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as flood:
            assert int(flood.stdout.readline()) > 100
            assert server.clients.connections <= 32
            assert threading.active_count() <= threads + 33
            flood.stdin.close()
        assert eventually(lambda: server.clients.connections == 0, 10)
        assert server.clients.refused >= 9_000
        assert answers(server)


def test_a_server_that_is_closed_hangs_up():
    server = serve()
    with socket.create_connection(server.address, 5) as connection:
        assert eventually(lambda: server.clients.connections == 1)
        server.close()
        assert is_hung_up(connection)
    with pytest.raises(OSError):  # noqa: PT011
        socket.create_connection(server.address, 1)


def test_a_request_that_is_nested_too_deep_ends_nobody():
    with serve() as server:
        inner = b"\xc0"
        for _ in range(3000):
            inner = (b"\xf9" + struct.pack(">H", len(inner)) if len(inner) > 55 else bytes([0xC0 + len(inner)])) + inner
            if len(inner) > 60_000:
                break
        with socket.create_connection(server.address, 5) as connection:
            connection.sendall(struct.pack(">I", len(inner) + 1) + b"B" + inner)
            assert connection.recv(5)[4:] == b"E"
        assert answers(server)


def test_codes_of_layers_are_seen_and_emptied():
    with serve() as server:
        assert answers(server)
        found = caches()["layer_codes"]
        assert found.entries >= 1
        assert 0 < found.bytes <= found.limit_bytes
        empty_caches()
        assert caches()["layer_codes"].entries == caches()["layer_codes"].bytes == 0
        assert answers(server)  # it asks for them again


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"connections": 0}, "connections: 0 is less"),
        ({"frame_bytes": 2**40}, "frame_bytes"),
        ({"memory_bytes": -1}, "memory_bytes"),
        ({"idle_s": 0}, "idle_s: 0"),
        ({"idle_s": float("nan")}, "idle_s"),
        ({"request_s": "1"}, "request_s: '1'"),
        ({"request_s": True}, "request_s"),
    ],
)
def test_what_is_no_limit_is_refused(limits, said):
    with pytest.raises((UnusableInput, ValueError, TypeError), match=said):
        ServerLimits(**limits)


def endless():
    """A block whose one transaction uses all of very much gas, with its witness."""
    loop = b"\x70" * 20
    sender = Transaction().sign(LAYER_KEYS[0]).sender
    state = State(
        {sender: {"balance": 10**20}, loop: {"code": assemble("again: JUMPDEST PUSH @again JUMP"), "nonce": 1}}
    )
    parent = Header(number=0, fork="Cancun", state_root=state.root(), gas_limit=10**15)
    call = Transaction(to=loop, gas_limit=10**15, gas_price=10, chain_id=1).sign(LAYER_KEYS[0])
    header = Header(number=1, fork="Cancun", base_fee_per_gas=7, gas_limit=10**15, parent_hash=parent.hash)
    # The witness of a block that does as good as nothing and reads the same.
    short = Transaction(to=loop, gas_limit=30_000, gas_price=10, chain_id=1).sign(LAYER_KEYS[0])
    witness = execute_block(Block(header, (short,)), state, witness=True, ancestors=[parent]).witness
    return Witnessed.of(Block(header, (call,)), witness)


def test_a_block_that_takes_for_ever_ends_with_its_time():
    with LayerServer(LAYER_KEYS[0], cpu_limit_s=0.3) as server:
        layer = RemoteLayer(server.address, server.signer, timeout_s=60)
        began = time.monotonic()
        said = layer.submit(endless()).result(timeout=60)
        assert said.certificate is None
        assert not said.summary.is_conclusive
        assert said.summary.error == "more than 0.3 seconds of the processor's time"
        assert said.summary.cpu_seconds >= 0.3
        assert time.monotonic() - began < 30
        assert answers(server)
        layer.close()


def test_a_thread_that_had_no_processor_begins_again(monkeypatch):
    """What it used is told by its own clock: a busy machine is no reason to abstain."""
    used = iter([0.0, 0.05, 0.1, 0.15, 0.2, 0.9])
    clock = time.thread_time
    monkeypatch.setattr("evmcore.layers.layer.time", Clock(lambda: next(used, None) or clock()))
    local = LocalLayer("local", LAYER_KEYS[0])
    said = local.submit(endless(), 0.2).result(timeout=60)
    assert said.summary.error == "more than 0.2 seconds of the processor's time"
    assert next(used, None) is None  # three times it was stopped
    local.close()


class Clock:
    """The module, with a thread's clock of its own."""

    monotonic = staticmethod(time.monotonic)

    def __init__(self, thread_time):
        self.thread_time = thread_time
