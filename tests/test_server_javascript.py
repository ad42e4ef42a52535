"""ethers and viem on the server. Wants node, and EVMCORE_NODE_MODULES: a folder where `npm install ethers viem` was done."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers import ETHER

from evmcore import Account
from evmcore.dev import DevChain
from evmcore.server import Node, Server, dev_accounts

pytest.importorskip("aiohttp", reason="aiohttp is not installed: pip install evmcore[server]")
NODE, MODULES = shutil.which("node"), os.environ.get("EVMCORE_NODE_MODULES")
if NODE is None or MODULES is None:
    pytest.skip("node or EVMCORE_NODE_MODULES is missing: npm install ethers viem", allow_module_level=True)


@pytest.mark.parametrize("client", ["ethers", "viem"])
def test_a_client_in_javascript_works(client, tmp_path):
    accounts = dev_accounts(2)
    chain = DevChain({account.address: Account(balance=100 * ETHER) for account in accounts}, chain_id=31337)
    program = tmp_path / f"{client}.mjs"
    program.write_text((Path(__file__).parent / "javascript" / program.name).read_text())
    (tmp_path / "node_modules").symlink_to(Path(MODULES) / "node_modules")
    with Server(Node(chain, accounts=accounts)) as server:
        done = subprocess.run([NODE, str(program), server.url], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")
