"""What the decoders are fed: sound transactions of each type, headers, a block and a state, and the same law as in decode.cpp.

python -m fuzz.encodings --minutes 10 --seed 5     changes them at random, for the decoders of headers, blocks and states
"""

from __future__ import annotations

import argparse
import sys
import time
from random import Random

from evmcore import Block, DecodeError, Header, InvalidTransaction, State, Transaction, UnusableInput, Withdrawal, rlp


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
    state = State({to: {"balance": 2**70, "nonce": 300, "code": b"code"}, blob[:20]: {"storage": {1: 2, 2**200: 3}}})
    return [*(tx.encode() for tx in transactions), Header().encode(), newest.encode(), block.encode(), state.to_bytes()]


def check(data: bytes) -> None:
    """Bytes are refused, or decode to what encodes to the same bytes again."""
    for decode, encode in (
        (Transaction.decode, Transaction.encode),
        (Header.decode, Header.encode),
        (Block.decode, Block.encode),
        (rlp.decode, rlp.encode),
        (State.from_bytes, State.to_bytes),
    ):
        try:
            value = decode(data)
        except (DecodeError, InvalidTransaction, UnusableInput):
            continue
        assert encode(value) == data


def changed(random: Random, data: bytes, other: bytes) -> bytes:
    """A sound encoding with up to four things wrong: bytes, lengths, or a piece of another encoding."""
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(data) + 1)
        end = min(len(data), at + random.choice((0, 1, 1, 2, 8, 32)))
        begin = random.randrange(len(other))
        pieces = (b"", bytes(1), b"\x80", b"\xc0", b"\xff", random.randbytes(random.randint(1, 9)), data[at:end] * 2)
        piece = random.choice((*pieces, other[begin : begin + random.randint(1, 40)]))
        data = data[:at] + piece + data[end:]
    return data


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz.encodings", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random, sound, count = Random(options.seed or time.time_ns()), sound_inputs(), 0
    ends = time.monotonic() + 60 * options.minutes
    while time.monotonic() < ends:
        data = changed(random, random.choice(sound), random.choice(sound))
        try:
            check(data)
        except BaseException:
            print(f"found by {data.hex()}", flush=True)
            raise
        count += 1
    print(f"{count} encodings")
    return 0


if __name__ == "__main__":
    sys.exit(main())
