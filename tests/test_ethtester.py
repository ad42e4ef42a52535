"""eth-tester on evmcore: its own tests of a backend are run by the acceptance; these are the turns that it takes."""

from __future__ import annotations

import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    eth_tester = pytest.importorskip("eth_tester", reason="eth-tester is not installed (the extra evmcore[tester])")
    from eth_tester import EthereumTester
    from eth_tester.exceptions import BlockNotFound, TransactionFailed, TransactionNotFound

from helpers import ETHER

from evmcore import Transaction, assemble
from evmcore.ethtester import EvmcoreBackend, InvalidTransactionError

pytestmark = pytest.mark.filterwarnings("ignore")
STORE = "0x" + (assemble("PUSH 5 PUSH 0 SSTORE") + assemble("PUSH 0 PUSH 0 RETURN")).hex()


@pytest.fixture
def tester():
    return EthereumTester(EvmcoreBackend())


def pay(tester, **changes):
    first, second, *_ = tester.get_accounts()
    return tester.send_transaction({"from": first, "to": second, "value": 1, "gas": 21_000, **changes})


def test_a_payment_is_mined_and_told_of(tester):
    sent = pay(tester)
    receipt = tester.get_transaction_receipt(sent)
    assert (receipt["status"], receipt["block_number"], receipt["gas_used"]) == (1, 1, 21_000)
    assert tester.get_transaction_by_hash(sent)["block_number"] == 1
    assert tester.get_balance(tester.get_accounts()[1]) == 1_000_000 * ETHER + 1
    assert list(tester.get_block_by_number(1)["transactions"]) == [sent]


def test_a_contract_is_made_and_estimated(tester):
    deployment = {"from": tester.get_accounts()[0], "data": STORE}
    gas = tester.estimate_gas(deployment)
    receipt = tester.get_transaction_receipt(tester.send_transaction({**deployment, "gas": gas}))
    assert receipt["gas_used"] <= gas <= receipt["gas_used"] + 21_000
    assert tester.get_storage_at(receipt["contract_address"], "0x0") == "0x" + "00" * 31 + "05"


@pytest.mark.parametrize(
    ("sender", "value", "text"),
    [
        (
            0,
            10**30,
            "not have enough balance to cover transaction value and gas .*needs 1000000000000000021000000000000",
        ),
        (None, 0, "cannot afford txn gas 21000000000000 with account balance 0"),
    ],
)
def test_who_can_not_pay_for_the_least_gas_is_told_so_by_an_estimate(tester, sender, value, text):
    """Not that with the gas which he can pay for, none, the transaction has too little."""
    first, second, *_ = tester.get_accounts()
    asked = {"from": first if sender == 0 else "0x" + "99" * 20, "to": second, "value": value}
    with pytest.raises(InvalidTransactionError, match=text):
        tester.estimate_gas(asked)
    assert tester.estimate_gas({**asked, "from": first, "value": 1}) == 21_000


def test_a_revert_is_told_as_text_or_as_bytes(tester):
    call = {"from": tester.get_accounts()[0], "gas": 100_000}
    with pytest.raises(TransactionFailed) as caught:
        tester.call({**call, "data": "0x" + assemble("PUSH1 0xab PUSH 0 MSTORE8 PUSH 1 PUSH 0 REVERT").hex()})
    assert caught.value.args == (str(b"\xab"),)
    with pytest.raises(TransactionFailed, match="out of gas"):
        tester.call({**call, "gas": 54_000, "data": "0x" + assemble("PUSH 0 PUSH4 99999999 MSTORE").hex()})


def test_snapshots_and_time(tester):
    snapshot = tester.take_snapshot()
    sent = pay(tester)
    tester.revert_to_snapshot(snapshot)
    with pytest.raises(TransactionNotFound):
        tester.get_transaction_by_hash(sent)
    ahead = tester.get_block_by_number("pending")["timestamp"] + 1000
    tester.time_travel(ahead)
    assert tester.get_block_by_number("pending")["timestamp"] == ahead
    with pytest.raises(BlockNotFound):
        tester.get_block_by_number(17)


def test_what_may_not_be_included_is_refused_in_the_words_of_py_evm(tester):
    with pytest.raises(InvalidTransactionError, match="Invalid transaction nonce: Expected 0, but got 5") as caught:
        pay(tester, nonce=5)
    assert (caught.value.error.have, caught.value.error.want) == (5, 0)
    poor = Transaction(to=b"\1" * 20, gas_price=10**9, gas_limit=21_000).sign(b"\x77" * 32)
    with pytest.raises(InvalidTransactionError, match=r"cannot afford txn gas 21000000000000 with account balance 0"):
        tester.send_raw_transaction("0x" + poor.raw.hex())


@pytest.mark.parametrize("fork", ["Frontier", "Berlin", "London", "Paris", "Shanghai", "Cancun", "Prague", "Osaka"])
def test_every_fork_by_its_name(fork):
    tester = EthereumTester(EvmcoreBackend(vm_configuration=((0, fork),)))
    kind = {} if fork in ("London", "Paris", "Shanghai", "Cancun", "Prague", "Osaka") else {"gas_price": 10**9}
    assert tester.get_transaction_receipt(pay(tester, **kind))["gas_used"] == 21_000
