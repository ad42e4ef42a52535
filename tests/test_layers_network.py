"""A layer behind a real network of its own (a network namespace), whose cable is pulled in the middle."""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_stateless_layers import BLOCKS, CHAIN, LAYER_KEYS

from evmcore.layers import LayerServer, Quorum, RemoteLayer

NAME = f"evmcore-{os.getpid()}"
HERE, THERE = f"ech{os.getpid() % 10**6}", f"ect{os.getpid() % 10**6}"  # 15 letters at the most
# Of 198.18.0.0/15, which is for measuring: nobody's network is in the way.
_NET = ipaddress.ip_address("198.18.0.0") + 4 * (os.getpid() % 2**15)
NEAR, FAR = str(_NET + 1), str(_NET + 2)

SERVER = f"""
import sys
from evmcore.layers import LayerServer
with LayerServer(bytes.fromhex({LAYER_KEYS[0].hex()!r}), ("{FAR}", 0)) as server:
    print(server.address[1], server.signer.hex(), flush=True)
    sys.stdin.read()
"""


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True, timeout=20)


@pytest.fixture
def far():
    """(port, signer) of a layer at the other end of a cable."""
    if shutil.which("ip") is None:
        pytest.skip("no network namespaces: iproute2 isn't there (Debian: apt install iproute2)")
    made = ip("netns", "add", NAME)
    if made.returncode:
        pytest.skip(f"no network namespaces: {made.stderr.strip() or 'ip netns add failed'}")
    process = None
    try:
        steps = (
            ("link", "add", HERE, "type", "veth", "peer", "name", THERE, "netns", NAME),
            ("addr", "add", f"{NEAR}/30", "dev", HERE),
            ("link", "set", HERE, "up"),
            ("-n", NAME, "addr", "add", f"{FAR}/30", "dev", THERE),
            ("-n", NAME, "link", "set", THERE, "up"),
        )
        for step in steps:
            if (done := ip(*step)).returncode:
                pytest.skip(f"no cables between network namespaces: ip {' '.join(step)}: {done.stderr.strip()}")
        process = subprocess.Popen(
            ["ip", "netns", "exec", NAME, sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )  # fmt: skip
        port, signer = process.stdout.readline().split()
        yield int(port), bytes.fromhex(signer)
    finally:
        if process is not None:
            process.stdin.close()
            process.wait(20)
            process.stdout.close()
        ip("netns", "del", NAME)
        ip("link", "del", HERE)


def test_a_cable_that_is_pulled_in_the_middle_costs_no_block(far):
    port, signer = far
    near = [LayerServer(key) for key in LAYER_KEYS[1:]]
    layers = [RemoteLayer((FAR, port), signer, name="far")]
    layers += [RemoteLayer(server.address, server.signer) for server in near]
    verdicts = []
    with Quorum(layers, 2, patience_s=0.3, in_flight=2) as quorum:
        for one in quorum.verify(BLOCKS[place % 6] for place in range(18)):
            verdicts.append(one)
            if len(verdicts) == 4:
                assert ip("-n", NAME, "link", "set", THERE, "down").returncode == 0
    assert [one.index for one in verdicts] == list(range(18))
    assert [one.digest for one in verdicts] == [CHAIN[place % 6][1] for place in range(18)]
    assert not quorum.struck
    assert any("far" in one.asked for one in verdicts[:4])
    # Plugged in again it goes on: the server has survived the loss of its client.
    assert ip("-n", NAME, "link", "set", THERE, "up").returncode == 0
    again = RemoteLayer((FAR, port), signer)
    assert again.submit(BLOCKS[5]).result(timeout=30).certificate.digest == CHAIN[5][1]
    again.close()
    for server in near:
        server.close()
