"""Results made small for pickles: whole again, and nothing taken for granted."""

from __future__ import annotations

import pickle
import random
import shutil
import zlib

import pytest
from chain_builder import grow, new_genesis
from helpers import SHARED
from test_conformance import corpus

from evmcore import Block, execute_block, packing, rlp
from evmcore.__main__ import main
from evmcore.chain import Chain
from evmcore.conformance import pickled
from evmcore.conformance.pickled import PickledChain, PickleFault
from evmcore.errors import DecodeError
from evmcore.example import EXAMPLE_FILE
from evmcore.packing import pack_receipts, squeeze, unpack_receipts, unsqueeze

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
