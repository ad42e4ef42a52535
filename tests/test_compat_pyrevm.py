"""`evmcore.compat.pyrevm` has the names, numbers and texts that pyrevm 0.3.7 has, which were read off that package."""

import json
import pickle
import re

import pytest
from nodes import Node

from evmcore import FORKS, Account, Transaction, assemble
from evmcore._core import fork_rules
from evmcore.compat import pyrevm
from evmcore.compat.pyrevm import EVM, AccountInfo, BlockEnv, CfgEnv, Env, TxEnv, fake_exponential
from evmcore.dev import DevChain

A, B = "0x" + "11" * 20, "0x" + "22" * 20
NAMES = [
    "EVM",
    "AccountInfo",
    "BlockEnv",
    "CfgEnv",
    "Env",
    "ExecutionResult",
    "JournalCheckpoint",
    "Log",
    "TxEnv",
    "fake_exponential",
]


def init(code):
    """Init code that leaves `code`."""
    return bytes.fromhex(f"61{len(code):04x}80600a3d393df3") + code


def deployed(evm, code):
    return evm.deploy(A, init(bytes.fromhex(code)))


@pytest.fixture
def evm():
    evm = EVM(spec_id="Cancun")
    evm.set_balance(A, 10**30)
    return evm


def test_every_name_of_pyrevm_is_there():
    assert set(NAMES) <= set(pyrevm.__all__)
    assert all(hasattr(pyrevm, name) for name in pyrevm.__all__)


def test_defaults_are_those_of_pyrevm():
    block, tx, cfg = BlockEnv(), TxEnv(), CfgEnv()
    assert (block.number, block.coinbase, block.timestamp, block.difficulty) == (0, "0x" + "00" * 20, 1, 0)
    assert (block.basefee, block.gas_limit, block.excess_blob_gas, block.blob_gasprice) == (0, 2**64 - 1, 0, 1)
    assert (tx.gas_limit, tx.gas_price, tx.to, tx.value, tx.nonce, tx.blob_hashes) == (2**64 - 1, 0, None, 0, None, [])
    assert (cfg.chain_id, cfg.limit_contract_code_size) == (1, None)
    assert BlockEnv(excess_blob_gas=10**7).blob_gasprice == 19
    assert fake_exponential(1, 10, 3) == 25


def test_an_empty_account_shows_a_zero_byte_and_can_be_inserted_again(evm):
    empty = evm.basic(B)
    assert (empty.balance, empty.nonce, empty.code) == (0, 0, b"\0")
    evm.insert_account_info(B, empty)
    assert evm.get_code(B) is None


def test_a_call_pays_its_value_alone_and_leaves_the_nonce(evm):
    assert evm.message_call(A, B, value=5, gas_price=3) == b""
    assert (evm.get_balance(B), evm.get_balance(A), evm.basic(A).nonce) == (5, 10**30 - 5, 0)
    assert (evm.result.gas_used, evm.result.reason, evm.env.tx.gas_price) == (21000, "Stop", 3)


def test_a_log_is_what_pyrevm_makes_of_it(evm):
    assert deployed(evm, "00") == "0x8f7a45ebde059392e46a46dcc14ab24681a961ea"
    contract = deployed(evm, "60aa6000526001600260206000a260206000f3")
    assert contract == "0x15452ec016c4dc8c549e7fe6ff4b26324ea8b7a4"
    assert evm.result.gas_used == 57240
    assert evm.message_call(A, contract)[-1] == 0xAA
    [log] = evm.result.logs
    two, one = (number.to_bytes(32, "big") for number in (2, 1))
    assert log.address == "0x15452EC016c4dc8c549E7fe6Ff4b26324Ea8b7A4"
    assert log.topics == ["0x" + two.hex(), "0x" + one.hex()]
    assert log.data == ([two, one], bytes(31) + b"\xaa")
    assert evm.result.gas_used == 22411


@pytest.mark.parametrize(
    ("code", "text", "status"),
    [
        ("60006000fd", "Revert { gas_used: 21006, output: 0x }", "REVERT"),
        ("fe", "Halt { reason: InvalidFEOpcode, gas_used: 100000 }", "INVALID_INSTRUCTION"),
        ("5b600056", "Halt { reason: OutOfGas(Basic), gas_used: 100000 }", "OUT_OF_GAS"),
        ("0c", "Halt { reason: OpcodeNotFound, gas_used: 100000 }", "UNDEFINED_INSTRUCTION"),
        ("50", "Halt { reason: StackUnderflow, gas_used: 100000 }", "STACK_UNDERFLOW"),
        ("600456", "Halt { reason: InvalidJump, gas_used: 100000 }", "BAD_JUMP_DESTINATION"),
    ],
)
def test_errors_have_the_text_of_pyrevm_and_fields(evm, code, text, status):
    contract = deployed(evm, code)
    with pytest.raises(RuntimeError, match=f"^{re.escape(text)}$") as caught:
        evm.message_call(A, contract, gas=100_000)
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.status, error.gas_used, error.result) == (status, evm.result.gas_used, evm.result)
    assert evm.result.is_halt is (status != "REVERT")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (b"\x61\x70\x00\x60\x00\xf3", "Halt { reason: CreateContractSizeLimit, gas_used: 18446744073709551615 }"),
        (bytes(60_000), "Transaction(CreateInitCodeSizeLimit)"),
        (
            bytes.fromhex("60ef60005360016000f3"),
            "Halt { reason: CreateContractSizeLimit, gas_used: 18446744073709551615 }",
        ),
    ],
)
def test_creations_that_are_too_large_say_so(evm, code, text):
    with pytest.raises(RuntimeError, match=f"^{re.escape(text)}$"):
        evm.deploy(A, code)


def test_messages_that_may_not_run_change_nothing(evm):
    contract = deployed(evm, "00")
    cases = [
        (lambda: evm.message_call(B, A, value=50), "Transaction(LackOfFundForMaxFee { fee: 50, balance: 0 })"),
        (lambda: evm.message_call(contract, A), "Transaction(RejectCallerWithCode)"),
        (
            lambda: evm.message_call(A, B, gas=20000),
            "Initial gas spend is 21000 but gas limit is 20000. Error: Transaction(",
        ),
    ]
    before = evm.journal_str
    for procedure, text in cases:
        with pytest.raises(pyrevm.TransactionError, match="^" + re.escape(text)):
            procedure()
        assert evm.result is None
    evm.set_tx_env(TxEnv(nonce=9))
    with pytest.raises(RuntimeError, match=re.escape("Transaction(NonceTooHigh { tx: 9, state: 1 })")):
        evm.message_call(A, B)
    assert evm.journal_str == before


@pytest.mark.parametrize("arguments", [{"value": -1}, {"value": 2**256}, {"gas": 2**64}, {"gas_price": -1}])
def test_numbers_that_do_not_fit_are_overflow_errors(evm, arguments):
    with pytest.raises(OverflowError, match=next(iter(arguments))):
        evm.message_call(A, B, **arguments)


def test_a_static_call_changes_nothing(evm):
    writer = deployed(evm, "6001600155")
    with pytest.raises(RuntimeError, match="StateChangeDuringStaticCall"):
        evm.message_call(A, writer, is_static=True)
    assert evm.storage(writer, 1) == 0
    evm.message_call(A, writer)
    assert evm.storage(writer, 1) == 1


def test_checkpoints_nest_and_one_that_is_gone_is_an_overflow_error(evm):
    outer = evm.snapshot()
    evm.message_call(A, B, value=1)
    inner = evm.snapshot()
    evm.set_balance(B, 77)
    assert (evm.journal_depth, evm.checkpoint_ids) == (2, {outer, inner})
    evm.revert(inner)
    assert evm.get_balance(B) == 1
    evm.snapshot()
    evm.revert(outer)
    assert (evm.get_balance(B), evm.journal_depth) == (0, 0)
    for gone in (outer, inner):
        with pytest.raises(OverflowError, match="No checkpoint to revert to"):
            evm.revert(gone)
    kept = evm.snapshot()
    evm.set_balance(B, 3)
    evm.commit()
    with pytest.raises(OverflowError):
        evm.revert(kept)
    assert evm.get_balance(B) == 3


def test_the_environment_is_a_copy_that_is_set(evm):
    block = evm.env.block
    block.number = 44
    assert evm.env.block.number == 0
    evm.set_block_env(block)
    block.number = 45
    assert evm.env.block.number == 44
    number = deployed(evm, "4360005260206000f3")
    assert evm.message_call(A, number)[-1] == 44
    with pytest.raises(ValueError, match="number"):
        evm.set_block_env(BlockEnv(number=2**64))
    assert evm.env.block.number == 44


def test_an_account_is_inserted_whole_or_not_at_all(evm):
    evm.insert_account_info(B, AccountInfo(balance=3, nonce=7, code=b"\x60\x01"))
    assert evm.insert_account_storage(B, 3, 4) == 0
    assert (evm.basic(B).nonce, evm.get_code(B), evm.storage(B, 3)) == (7, b"\x60\x01", 4)
    with pytest.raises((ValueError, OverflowError)):
        evm.insert_account_info(B, AccountInfo(balance=5, nonce=2**64))
    assert evm.get_balance(B) == 3
    assert set(evm.db_accounts) == {A, B}


def test_the_trace_and_its_closing_line_are_on_standard_output(evm, capsys):
    contract = deployed(evm, "60006000fd")
    evm.tracing = True
    with pytest.raises(RuntimeError, match="Revert"):
        evm.message_call(A, contract, gas=50_000)
    *steps, closing = capsys.readouterr().out.splitlines()
    assert steps[0] == (
        '{"pc":0,"op":96,"gas":"0x7148","gasCost":"0x3","stack":[],"depth":1,"returnData":"0x","refund":"0x0",'
        '"memSize":"0","opName":"PUSH1"}'
    )
    assert (len(steps), json.loads(steps[-1])["error"]) == (3, "Revert")
    assert json.loads(closing) == {
        "stateRoot": "0x" + "00" * 32,
        "output": "0x",
        "gasUsed": "0x520e",
        "pass": False,
        "fork": "Cancun",
    }


@pytest.mark.parametrize(
    "fork", [fork.mainnet_name or fork.name for fork in FORKS] + ["MERGE", "Spurious", "LATEST", "osaka"]
)
def test_every_fork_runs_a_call_and_a_creation(fork):
    evm = EVM(spec_id=fork)
    evm.set_balance(A, 10**18)
    contract = evm.deploy(A, init(bytes.fromhex("602a60005260206000f3")).replace(b"\x3d", b"\x36"))
    assert evm.message_call(A, contract)[-1] == 42


def test_what_is_not_offered_says_so():
    with pytest.raises(ValueError, match="spec_id: 'Nowhere'"):
        EVM(spec_id="Nowhere")
    with pytest.raises(NotImplementedError, match="limit_contract_code_size"):
        EVM(env=Env(cfg=CfgEnv(limit_contract_code_size=1)))
    with pytest.raises(ValueError, match="fork_block"):
        EVM(fork_block="latest")


@pytest.mark.parametrize("block", ["2", "0x2", "hash", None])
def test_a_node_can_be_gone_on_from(block):
    pytest.importorskip("urllib3", reason="evmcore.remote wants urllib3 (pip install evmcore[remote])")
    counter, key = bytes([0x33] * 20), b"\x11" * 32
    code = assemble("PUSH 0 SLOAD PUSH 1 ADD DUP1 PUSH 0 SSTORE PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")
    me = Transaction(gas_price=0).sign(key).sender
    chain = DevChain({me: Account(balance=10**18), counter: Account(nonce=1, code=code, storage={0: 7})}, forks="Osaka")
    for nonce in range(3):
        chain.send(Transaction(to=counter, nonce=nonce, gas_price=10**10, gas_limit=100_000, chain_id=1337).sign(key))
    with Node(chain) as node:
        which = "0x" + chain.block(2).hash.hex() if block == "hash" else block
        evm = EVM(fork_url=node.url, fork_block=which, spec_id="Osaka")
        where, count = "0x" + counter.hex(), 10 if block is None else 9
        assert evm.storage(where, 0) == count
        assert (evm.get_code(where), evm.basic("0x" + me.hex()).nonce) == (code, count - 7)
        assert evm.message_call(A, where)[-1] == evm.storage(where, 0) == count + 1
        mark = evm.snapshot()
        evm.set_balance(B, 5)
        evm.message_call(B, where, value=5)
        evm.revert(mark)
        assert (evm.get_balance(B), evm.get_balance(where), evm.storage(where, 0)) == (0, 0, count + 1)
        assert evm.block_hash(1) == chain.block(1).hash


@pytest.mark.parametrize(("fork", "wei"), [("LATEST", 152), ("Cancun", 152), ("Prague", 28)])
def test_the_blob_base_fee_is_the_forks_and_that_of_latest_is_cancuns(fork, wei):
    evm = EVM(spec_id=fork, env=Env(block=BlockEnv(excess_blob_gas=2**24)))
    evm.set_balance(A, 10**18)
    assert evm.env.block.blob_gasprice == wei
    assert evm.message_call(A, deployed(evm, "4a60005260206000f3"))[-1] == wei
    evm.set_block_env(BlockEnv(excess_blob_gas=0))
    assert evm.env.block.blob_gasprice == 1


@pytest.mark.parametrize("fork", [fork.mainnet_name for fork in FORKS if fork.mainnet_name])
def test_limits_and_shares_are_those_of_the_forks_table(fork):
    """The refund's share, the most init code and who may send are the rules' own numbers, so that a fork to come needs no word here."""
    rules = fork_rules(fork)
    evm = EVM(spec_id=fork, gas_limit=2**40)
    evm.set_balance(A, 2**80)
    most = rules["max_initcode_size_bytes"]
    if most:
        with pytest.raises(RuntimeError, match="CreateInitCodeSizeLimit") as caught:
            evm.deploy(A, bytes(most + 1))
        assert (caught.value.have, caught.value.want) == (most + 1, most)
    evm.deploy(A, bytes(most or 200_000))
    # Clears slots: more is refunded than the share of the gas used that may be.
    clears = "0x" + "33" * 20
    evm.insert_account_info(
        clears, AccountInfo(code=assemble(" ".join(f"PUSH1 0 PUSH1 {slot} SSTORE" for slot in range(9))))
    )
    for slot in range(9):
        evm.insert_account_storage(clears, slot, 1)
    evm.message_call(A, clears, gas=200_000)
    used = evm.result.gas_used + evm.result.gas_refunded
    assert evm.result.gas_refunded == used // rules["refund_quotient"]
    designator = "0x" + "44" * 20
    evm.insert_account_info(designator, AccountInfo(balance=10**18, code=b"\xef\x01\x00" + b"\x55" * 20))
    if rules["has_delegation"]:
        evm.message_call(designator, B)
    else:
        with pytest.raises(RuntimeError, match="RejectCallerWithCode"):
            evm.message_call(designator, B)
