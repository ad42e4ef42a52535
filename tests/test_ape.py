"""ape on evmcore: what its provider for tests asks of a backend, and, where ape is installed, the plugin itself."""

from __future__ import annotations

import subprocess
import sys
import warnings
from types import SimpleNamespace

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("eth_tester", reason="eth-tester is not installed (the extra evmcore[tester])")
    from eth_tester import EthereumTester
    from eth_tester.exceptions import BlockNotFound

from helpers import ETHER

from evmcore.ape import ApeEvmcoreBackend

pytestmark = pytest.mark.filterwarnings("ignore")
CONFIG = SimpleNamespace(
    mnemonic="test test test test test test test test test test test junk",
    number_of_accounts=3,
    hd_path="m/44'/60'/0'/0",
    balance=7 * ETHER,
)
# The first address of that mnemonic, which all tools have.
FIRST = "f39fd6e51aad88f6f4ce6ab8827279cfffb92266"


@pytest.fixture
def backend():
    return ApeEvmcoreBackend(CONFIG, 1337)


def test_the_accounts_are_those_of_the_configuration(backend):
    addresses = [key.public_key.to_canonical_address().hex() for key in backend.account_keys]
    assert len(addresses) == 3
    assert addresses[0] == FIRST
    assert {backend.get_balance(address) for address in backend.get_accounts()} == {7 * ETHER}
    assert backend.chain_id == backend.chain.chain_id == 1337


def test_a_fork_can_be_chosen_and_a_chain_id_of_any_size():
    chain_id = 11191919191991918223773
    backend = ApeEvmcoreBackend(CONFIG, chain_id, "Osaka")
    assert backend.dev.pending.header.fork == "Osaka"
    tester = EthereumTester(backend)
    first, second, _ = tester.get_accounts()
    sent = tester.send_transaction({"from": first, "to": second, "value": 1, "gas": 21_000})
    assert int(tester.get_transaction_by_hash(sent)["chain_id"]) == chain_id


def test_a_snapshot_is_a_blocks_hash_and_nothing_else(backend):
    snapshot = backend.take_snapshot()
    assert snapshot == backend.get_block_by_number("latest")["hash"]
    assert len(backend.mine_blocks(2)) == 2
    backend.revert_to_snapshot(snapshot)
    assert backend.get_block_by_number("latest")["number"] == 0
    for other in (0, None, bytes(32)):
        with pytest.raises(BlockNotFound):
            backend.revert_to_snapshot(other)


def test_the_plugin_is_found_by_ape(tmp_path):
    pytest.importorskip("ape", reason="ape is not installed (the extra evmcore[ape])")
    (tmp_path / "ape-config.yaml").write_text("evmcore:\n  fork: Osaka\n")
    program = (
        "import ape, json\n"
        "with ape.networks.parse_network_choice('ethereum:local:evmcore') as provider:\n"
        "    first, second = ape.accounts.test_accounts[:2]\n"
        "    receipt = first.transfer(second, 5)\n"
        "    print(type(provider).__name__, provider.evm_backend.dev.head.header.fork, receipt.gas_used)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-3:] == ["EvmcoreProvider", "Osaka", "21000"]
