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

from evmcore import assemble
from evmcore.ape import ApeEvmcoreBackend
from evmcore.dev import TransactionNotFound

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


INNER, OUTER = b"\x44" * 20, b"\x55" * 20


@pytest.fixture
def calling(backend):
    """A contract that calls another, which returns 7; or, given data, reverts with it."""
    inner = assemble(
        "CALLDATASIZE PUSH1 12 JUMPI PUSH1 7 PUSH0 MSTORE PUSH1 32 PUSH0 RETURN JUMPDEST PUSH1 4 PUSH0 REVERT"
    )
    outer = assemble(
        f"PUSH1 32 PUSH0 CALLDATASIZE PUSH0 PUSH0 PUSH20 0x{INNER.hex()} GAS CALL POP PUSH1 32 PUSH0 RETURN"
    )

    def change(state):
        state.set_code(INNER, inner)
        state.set_code(OUTER, outer)

    backend.dev.change_state(change)
    return backend


def test_a_transaction_is_traced_while_it_is_pending_and_when_it_is_mined(calling):
    first, second, _ = calling.get_accounts()
    calling.send_transaction({"from": first, "to": second, "value": 1, "gas": 21_000, "gas_price": 10**9, "nonce": 0})
    sent = calling.send_transaction({"from": first, "to": OUTER, "gas": 90_000, "gas_price": 10**9, "nonce": 1})
    pending = calling.trace_transaction(sent, {"tracer": "callTracer"})
    calling.mine_blocks()
    mined = calling.trace_transaction("0x" + sent.hex(), {"tracer": "callTracer"})
    assert mined == pending
    assert int(mined["gasUsed"], 16) == calling.get_transaction_receipt(sent)["gas_used"]
    [call] = mined["calls"]
    assert (call["to"], int(call["output"], 16)) == ("0x" + INNER.hex(), 7)
    assert "calls" not in calling.trace_transaction(
        sent, {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}}
    )
    logs = calling.trace_transaction(sent, {"disableStack": True})["structLogs"]
    assert (logs[0]["op"], "stack" in logs[0]) == ("PUSH1", False)
    with pytest.raises(TransactionNotFound):
        calling.trace_transaction(bytes(32), {})


def test_a_call_is_traced_and_changes_nothing(calling):
    first = "0x" + calling.get_accounts()[0].hex()
    asked = {"from": first, "to": "0x" + OUTER.hex(), "data": "0x12", "value": "0x5"}
    before = calling.dev.state_at("latest").root()
    tree = calling.trace_call(asked, "latest", {"tracer": "callTracer"})
    assert (tree["value"], tree["calls"][0]["error"]) == ("0x5", "execution reverted")
    assert calling.trace_call({"to": INNER}, "pending", {})["returnValue"][-1] == "7"
    assert (
        calling.trace_call({"data": assemble("PUSH1 1 PUSH0 RETURN")}, 0, {"tracer": "callTracer"})["type"] == "CREATE"
    )
    assert calling.dev.state_at("latest").root() == before


def test_ape_shows_calls_of_calls(tmp_path):
    """Call trees, gas reports and raw frames come from evmcore's traces."""
    pytest.importorskip("ape", reason="ape is not installed (the extra evmcore[ape])")
    program = """
import ape, io
with ape.networks.parse_network_choice("ethereum:local:evmcore") as provider:
    first = ape.accounts.test_accounts[0]
    make = lambda **fields: first.call(provider.network.ecosystem.create_transaction(**fields))
    def deployed(code):
        return make(data=bytes.fromhex(f"60{len(code):02x}80600a5f395ff3").ljust(10, b"\\0") + code, gas=200_000).contract_address
    inner = deployed(bytes.fromhex("60075f5260205ff3"))
    outer = deployed(bytes.fromhex("60205f5f5f5f73" + inner[2:] + "5af15060205ff3"))
    receipt = make(receiver=outer, gas=100_000)
    tree = receipt.trace.get_calltree()
    shown = io.StringIO()
    receipt.trace.show(file=shown)
    print(provider.supports_tracing, len(tree.calls), int(tree.returndata.hex(), 16), len(list(receipt.trace.get_raw_frames())),
          inner.lower() in shown.getvalue().lower().replace("\\n", ""), tree.gas_cost == receipt.gas_used)
    asked = provider.network.ecosystem.create_transaction(receiver=outer, sender=first.address)
    print(int(provider.send_call(asked, show_trace=True).hex(), 16))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "True 1 7 18 True True" in lines, done.stdout
    assert lines[-1] == "7"
    assert len([line for line in lines if "gas]" in line]) >= 2  # the call, and what it called


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
