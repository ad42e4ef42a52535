"""What the decoders are fed: sound transactions of each type, headers and a block, and the same law as in decode.cpp."""

from __future__ import annotations

from evmcore import Block, DecodeError, Header, InvalidTransaction, Transaction, Withdrawal, rlp


def sound_inputs() -> list[bytes]:
    """Encodings for the fuzzer to change."""
    blob, to = b"\x01" * 32, b"\x02" * 20
    signed = {"to": to, "r": 5, "s": 7, "y_parity": 1}
    transactions = [
        Transaction(**signed, gas_price=9),
        Transaction(**signed, gas_price=9, chain_id=1, data=b"data"),
        Transaction(**signed, type=1, access_list=[(to, [1, 2]), (to, [])]),
        Transaction(**signed, type=2, max_fee_per_gas=9),
        Transaction(**signed, type=3, max_fee_per_gas=9, max_fee_per_blob_gas=2, blob_versioned_hashes=[blob]),
        Transaction(**signed, type=4, max_fee_per_gas=9, authorization_list=[(1, to, 2, 0, 5, 6)]),
    ]
    newest = Header(
        base_fee_per_gas=7, withdrawals_root=bytes(32), blob_gas_used=0, excess_blob_gas=0,
        parent_beacon_block_root=bytes(32), requests_hash=bytes(32),
    )  # fmt: skip
    block = Block(newest, transactions, (Header(),), (Withdrawal(1, 2, to, 3),))
    return [*(tx.encode() for tx in transactions), Header().encode(), newest.encode(), block.encode()]


def check(data: bytes) -> None:
    """Bytes are refused, or decode to what encodes to the same bytes again."""
    for decode, encode in (
        (Transaction.decode, Transaction.encode),
        (Header.decode, Header.encode),
        (Block.decode, Block.encode),
        (rlp.decode, rlp.encode),
    ):
        try:
            value = decode(data)
        except (DecodeError, InvalidTransaction):
            continue
        assert encode(value) == data
