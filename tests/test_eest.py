"""What evmcore has for the execution-spec tests' framework, as far as it can be tried without it."""

import json
import sys
import types

import pytest
from helpers import T8N_FRIEND as FRIEND
from helpers import T8N_KEY as KEY
from helpers import t8n_payment as payment

from evmcore import EvmError, Transaction
from evmcore.eest import EXCEPTIONS, consume, evaluate, exceptions_of, transition_tool_class
from evmcore.transition import TransitionFault

SENDER = "0x" + Transaction(to=FRIEND, chain_id=1).sign(KEY).sender.hex()
ENV = {
    "currentCoinbase": "0x" + "cc" * 20,
    "currentGasLimit": "0x1c9c380",
    "currentNumber": "1",
    "currentTimestamp": "1000",
    "currentRandom": "0x7",
    "currentBaseFee": "0x7",
    "withdrawals": [],
    "parentBeaconBlockRoot": "0x" + "00" * 32,
    "currentExcessBlobGas": "0x0",
}


def request(txs, fork="Cancun", **members):
    alloc = {SENDER: {"balance": "0xde0b6b3a7640000"}}
    return {
        "state": {"fork": fork, "chainid": 1, "reward": -1},
        "input": {"alloc": alloc, "env": ENV, "txs": txs, **members},
    }


def test_a_request_is_answered_with_alloc_result_and_body():
    limits = {"target": "0x1", "max": "0x2", "baseFeeUpdateFraction": "0x32f0ed"}
    answer = evaluate(request([payment()], blobParams=limits))
    assert set(answer) == {"alloc", "result", "body"}
    assert answer["alloc"][FRIEND] == {"balance": "0x5"}
    json.dumps(answer)
    with pytest.raises(TransitionFault):
        evaluate(request([], fork="Nowhere"))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"nonce": "0x1"}, "NONCE_MISMATCH_TOO_HIGH"),
        ({"gas": "0x5207"}, "INTRINSIC_GAS_TOO_LOW"),
        ({"gasPrice": "0x6"}, "INSUFFICIENT_MAX_FEE_PER_GAS"),
        ({"value": "0xde0b6b3a7640000"}, "INSUFFICIENT_ACCOUNT_FUNDS"),
        ({"gas": "0x1c9c381"}, "GAS_ALLOWANCE_EXCEEDED"),
        ({"gasPrice": "0x" + "ff" * 32}, "GASLIMIT_PRICE_PRODUCT_OVERFLOW"),
        (
            {"type": "0x2", "maxFeePerGas": "0x9", "maxPriorityFeePerGas": "0xa"},
            "PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS",
        ),
        ({"type": "0x4", "maxFeePerGas": "0x9", "maxPriorityFeePerGas": "0x1"}, "TYPE_NOT_SUPPORTED"),
        (
            {"type": "0x3", "maxFeePerGas": "0x9", "maxPriorityFeePerGas": "0x1", "maxFeePerBlobGas": "0x1"},
            "TYPE_3_TX_ZERO_BLOBS",
        ),
    ],
)
def test_a_rejection_has_the_frameworks_name(change, name):
    [rejected] = evaluate(request([payment(**change)]))["result"]["rejected"]
    assert exceptions_of(rejected["error"]) == [f"TransactionException.{name}"], rejected


def test_the_names_are_the_statuses():
    from evmcore import STATUSES

    known = {row.text for row in STATUSES if row.kind == "INVALID"}
    assert set(EXCEPTIONS) <= known


def test_a_fixture_is_consumed(tmp_path):
    path = tmp_path / "none.json"
    path.write_text("{}")
    with pytest.raises(AssertionError, match="no test of this kind"):
        consume("state_test", str(path))
    with pytest.raises(ValueError, match="fixture_format"):
        consume("engine_test", str(path))


def test_without_the_framework_it_says_so():
    with pytest.raises(EvmError, match="not installed"):
        transition_tool_class(["no_such_framework"])


def test_the_class_is_made_of_the_framework_that_is_there(monkeypatch):
    """The shape that the framework has: it is on no package index, so that a stand-in is all there is to try."""

    class Tool:
        def __init__(self, **options):
            self.exception_mapper = options["exception_mapper"]

    class Output:
        @staticmethod
        def model_validate(answer, context):
            return answer

    class Data:
        @staticmethod
        def get_request_data():
            return types.SimpleNamespace(model_dump=lambda **_: request([payment()]))

    module = types.ModuleType("framework_stand_in")
    module.TransitionTool, module.TransitionToolOutput = Tool, Output
    monkeypatch.setitem(sys.modules, "framework_stand_in", module)
    kind = transition_tool_class(["framework_stand_in"])
    tool = kind()
    assert tool.version().startswith("evmcore ")
    assert kind.detect_binary_pattern.match(tool.version())
    assert tool._evaluate(transition_tool_data=Data())["alloc"][FRIEND] == {"balance": "0x5"}
    assert tool.is_fork_supported(types.SimpleNamespace(transition_tool_name=lambda: "Prague"))
    assert not tool.is_fork_supported(types.SimpleNamespace(transition_tool_name=lambda: "Nowhere"))
