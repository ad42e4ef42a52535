"""Results made small for pickles: whole again, and nothing taken for granted."""

from __future__ import annotations

import pickle
import random
import zlib

import pytest
from helpers import SHARED

from evmcore import Block, execute_block, packing, rlp
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
