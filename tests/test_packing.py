"""Results made small for pickles: whole again, and nothing taken for granted."""

from __future__ import annotations

import pickle
import random
import shutil
import zlib
from dataclasses import replace

import pytest
from chain_builder import grow, new_genesis
from helpers import SHARED
from test_conformance import corpus

from evmcore import Block, Header, Log, State, Transaction, assemble, execute_block, packing, rlp
from evmcore.__main__ import main
from evmcore._core import SYSTEM_ADDRESSES, PackedReceipts, _packed_receipts
from evmcore.chain import Chain
from evmcore.conformance import pickled
from evmcore.conformance.pickled import PickledChain, PickleFault
from evmcore.errors import DecodeError
from evmcore.example import EXAMPLE_FILE
from evmcore.packing import encode_receipts, pack_receipts, squeeze, unpack_receipts, unsqueeze

MAINNET = sorted((SHARED / "mainnet-blocks").glob("*.json.gz"))


@pytest.mark.skipif(not MAINNET, reason="no mainnet-blocks: set EVMCORE_SHARED")
def test_a_pickled_result_is_smaller_than_its_receipts():
    packed = raw = recorded = 0
    for path in MAINNET[::17]:
        block = Block.load(path)
        result = execute_block(block, block.pre_state.copy(), record=True, state_roots=False)
        data = pickle.dumps(result)
        again = pickle.loads(data)
        assert again == result
        assert again.receipts == result.receipts
        assert again.accesses == result.accesses
        packed += len(pack_receipts(result.receipts))
        raw += sum(len(receipt.encode()) for receipt in result.receipts)
        recorded += len(data)
    assert packed < raw / 4
    assert recorded < 1.5 * raw, (recorded, raw)


def test_forged_receipts_are_refused_or_are_receipts():
    block = Block.load(EXAMPLE_FILE)
    packed = pack_receipts(execute_block(block, block.pre_state.copy()).receipts[:4])
    plain = unsqueeze(packed, "receipts")
    assert pack_receipts(unpack_receipts(packed)) == packed
    chance = random.Random(4)
    for _ in range(500):
        forged = bytearray(plain)
        for _ in range(chance.choice((1, 2, 5))):
            forged[chance.randrange(len(forged))] = chance.randrange(256)
        try:
            assert len(unpack_receipts(squeeze(bytes(forged)))) <= len(forged)
        except DecodeError as error:
            assert error.field.startswith("receipts")  # noqa: PT017
    for wrong in (b"", packed[:-1], packed + b"\0", b"\0" * 9, None, 5, bytearray(packed)):
        with pytest.raises(TypeError):
            unpack_receipts(wrong)
    for wrong in (b"\x05", rlp.encode([[]]), rlp.encode([[b""] * 13]), rlp.encode([b""])):
        with pytest.raises(DecodeError):
            unpack_receipts(squeeze(wrong))


def blocks_of_all_sorts():
    """Blocks before and after Byzantium, with logs, failures, creations and state gas."""
    yield Block.load(EXAMPLE_FILE)
    for fork in ("Frontier", "Byzantium", "Cancun", "Amsterdam"):
        yield synthetic(fork)


def synthetic(fork):
    people = [bytes([number]) * 20 for number in range(1, 5)]
    emitter = bytes([0x70]) * 20
    code = assemble("PUSH 1 PUSH 2 PUSH 33 PUSH 7 LOG2 CALLER SLOAD PUSH 1 ADD CALLER SSTORE PUSH 32 PUSH 0 RETURN")
    accounts = {one: {"balance": 10**18} for one in people} | {emitter: {"code": code, "nonce": 1}}
    for address in SYSTEM_ADDRESSES.values():
        accounts[address] = {"code": b"\x00", "nonce": 1}
    transactions = (
        Transaction(sender=people[0], to=emitter, gas_limit=300_000, gas_price=9),
        Transaction(sender=people[1], to=emitter, gas_limit=23_000, gas_price=9),
        Transaction(sender=people[2], gas_limit=500_000, gas_price=9, data=b"\x60\x00\x60\x01\x53\x60\x02\x60\x00\xf3"),
        Transaction(sender=people[3], to=people[0], value=5, gas_limit=100_000, gas_price=9),
    )
    header = Header(number=1, fork=fork, gas_limit=10**7, base_fee_per_gas=7)
    return Block(header, transactions, withdrawals=(), pre_state=State(accounts))


def test_the_core_packs_receipts_as_python_does():
    outcomes = set()
    for block in blocks_of_all_sorts():
        result = execute_block(block, block.pre_state.copy(), workers=1)
        native = _packed_receipts(result)
        assert native.packed == encode_receipts(result.receipts)
        again = pickle.loads(pickle.dumps(native))
        assert again.receipts() == result.receipts == PackedReceipts(native.packed).receipts()
        assert len(again) == len(block.transactions)
        assert again.root() == result.receipts_root
        gas = [(one.execution_gas_used, one.state_gas_used) for one in result.receipts]
        assert (
            again.transaction_gas()
            == result.transaction_gas
            == pickle.loads(pickle.dumps(result)).transaction_gas
            == gas
        )
        assert _packed_receipts(pickle.loads(pickle.dumps(result))).packed == native.packed
        outcomes |= {one.outcome for one in result.receipts}
        stateless = execute_block(block, block.pre_state.copy(), workers=1, state_roots=False)
        assert _packed_receipts(stateless).root() == stateless.receipts_root
    assert {"SUCCESS", "OUT_OF_GAS"} <= outcomes


def test_runs_of_receipts_count_on():
    block = Block.load(EXAMPLE_FILE)
    result = execute_block(block, block.pre_state.copy(), workers=1)
    some, rest = result.receipts[:5], result.receipts[5:]
    before = some[-1].cumulative_gas_used
    alone = [replace(one, cumulative_gas_used=one.cumulative_gas_used - before) for one in rest]
    runs = [PackedReceipts(encode_receipts(some)), PackedReceipts(encode_receipts(alone), before)]
    joined = PackedReceipts.joined(runs)
    for one in (joined, pickle.loads(pickle.dumps(joined))):
        assert one.receipts() == result.receipts
        assert one.root() == result.receipts_root
        with pytest.raises(ValueError, match="several runs"):
            one.packed
    with pytest.raises(ValueError, match="gas before them"):
        runs[1].packed
    with pytest.raises(ValueError, match=f"up to .*, with {2**64 - 1} before them"):
        PackedReceipts(encode_receipts(some), 2**64 - 1)
    with pytest.raises(TypeError, match="parts: expected PackedReceipts, got bytes"):
        PackedReceipts.joined([b""])
    assert len(PackedReceipts.joined([])) == len(PackedReceipts(b"\xc0")) == 0


def test_forged_bytes_of_receipts_are_refused_by_the_core_or_are_receipts():
    block = Block.load(EXAMPLE_FILE)
    receipts = execute_block(block, block.pre_state.copy()).receipts[:4]
    plain = encode_receipts(receipts)
    for size in range(0, len(plain), 3):
        with pytest.raises(DecodeError):
            PackedReceipts(plain[:size])
    chance = random.Random(4)
    for _ in range(500):
        forged = bytearray(plain)
        for _ in range(chance.choice((1, 2, 5))):
            forged[chance.randrange(len(forged))] = chance.randrange(256)
        try:
            found = PackedReceipts(bytes(forged))
        except DecodeError as error:
            assert error.field.startswith("receipts")  # noqa: PT017
        else:
            assert encode_receipts(found.receipts()) == bytes(forged)
    for changes, field in (
        ({"status": 0}, "status"),
        ({"outcome": "NONCE_TOO_LOW"}, "outcome"),
        ({"outcome": "NOTHING"}, "outcome"),
        ({"gas_used": 2**63}, "gas_used"),
        ({"type": 128}, "type"),
        ({"logs_bloom": bytes(255)}, "logs_bloom"),
        ({"contract_address": bytes(19)}, "contract_address"),
        ({"logs": (Log(bytes(20), (bytes(32),) * 5),)}, "logs"),
    ):
        with pytest.raises(DecodeError) as raised:
            PackedReceipts(encode_receipts([receipts[0], replace(receipts[1], **changes)]))
        assert raised.value.field == f"receipts[1].{field}"


def test_few_bytes_do_not_ask_for_all_memory(monkeypatch):
    monkeypatch.setattr(packing, "MOST_BYTES", 1 << 16)
    assert unsqueeze(squeeze(bytes(1 << 16)), "it") == bytes(1 << 16)
    with pytest.raises(TypeError, match="at most 65536"):
        unsqueeze(zlib.compress(bytes((1 << 16) + 1)), "it")


@pytest.mark.parametrize("network", ["Frontier", "BerlinToLondonAt5", "Cancun", "Prague", "Amsterdam"])
@pytest.mark.parametrize("strategy", ["sequential", "optimistic"])
def test_a_chain_is_imported_through_pickles(network, strategy):
    genesis = new_genesis(network)
    chain = PickledChain(genesis, workers=2, strategy=strategy)
    for entry in grow(Chain(genesis), 7):
        chain.add(entry.encoded)
    assert chain.head.number == 7
    assert chain.state_of(chain.head).root() == chain.head.header.state_root


@pytest.mark.parametrize(("kind", "says"), [("State", "state"), ("Block", "block"), ("BlockResult", "pickled")])
def test_what_a_pickle_loses_fails_the_block(monkeypatch, kind, says):
    chain = PickledChain(new_genesis("Cancun"))
    grow(chain, 2)
    through = pickled._through

    def losing(value):
        value = through(value)
        if type(value).__name__ != kind:
            return value
        if kind == "Block":
            return value.with_header(extra_data=b"lost")
        if kind == "State":
            value.set_nonce(b"\x01" * 20, 7)
            return value
        return execute_block(Block(value_header, ()), chain.state_of(chain.head).copy(), changes=True)

    value_header = chain.head.header
    monkeypatch.setattr(pickled, "_through", losing)
    with pytest.raises(PickleFault, match=f"differs: .*{says}"):
        grow(chain, 1)


def test_conformance_runs_through_pickles(tmp_path, monkeypatch, capsys):
    name = "BlockchainTests/ValidBlocks/bcStateTests/suicideStorageCheck.json"
    (tmp_path / name).parent.mkdir(parents=True)
    shutil.copy(corpus() / name, tmp_path / name)
    monkeypatch.setenv("EVMCORE_TESTS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main(["conformance", "--pickled", "--workers", "1"]) == 0
    assert " 0 failed" in capsys.readouterr().out
    assert not (tmp_path / "conformance.md").exists()
    assert main(["conformance", "--pickled", "--stateless"]) == 2
