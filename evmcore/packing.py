"""Values made small for pickles: receipts as RLP, compressed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from . import rlp
from .receipt import Log, Receipt

__all__ = ["MOST_BYTES", "encode_receipts", "pack_receipts", "squeeze", "unpack_receipts", "unsqueeze"]

# Of what is unpacked: far above what a block leaves, so that a few bytes can't ask for all memory.
MOST_BYTES = 1 << 30


def squeeze(data: bytes) -> bytes:
    """Compressed, quickly."""
    return zlib.compress(data, 1)


def unsqueeze(data: bytes, what: str) -> bytes:
    """Back again. Raises TypeError for what was never compressed, or would be too large."""
    if type(data) is not bytes:
        raise TypeError(f"{what}: not what one is made from")
    reader = zlib.decompressobj()
    try:
        found = reader.decompress(data, MOST_BYTES)
    except zlib.error as error:
        raise TypeError(f"{what}: {error}") from None
    if not reader.eof or reader.unused_data:
        raise TypeError(f"{what}: not one whole compressed value of at most {MOST_BYTES} bytes")
    return found


def pack_receipts(receipts: Iterable[Receipt]) -> bytes:
    """All that the receipts have, as compressed RLP."""
    return squeeze(encode_receipts(receipts))


def encode_receipts(receipts: Iterable[Receipt]) -> bytes:
    """The same, not compressed. The core writes and reads it, too (core/vm/receipt_codec.hpp)."""
    return rlp.encode(
        [
            [
                rlp.number(receipt.type),
                [] if receipt.status is None else rlp.number(receipt.status),
                rlp.number(receipt.cumulative_gas_used),
                rlp.number(receipt.gas_used),
                [[log.address, list(log.topics), log.data] for log in receipt.logs],
                receipt.logs_bloom,
                [] if receipt.contract_address is None else receipt.contract_address,
                receipt.output,
                receipt.outcome.encode(),
                rlp.number(receipt.gas_refund),
                rlp.number(receipt.effective_gas_price),
                [] if receipt.state_root is None else receipt.state_root,
                rlp.number(receipt.blob_gas_used),
                rlp.number(receipt.execution_gas_used),
                rlp.number(receipt.state_gas_used),
            ]
            for receipt in receipts
        ]
    )


def _optional(item: rlp.Item, name: str, size: int) -> bytes | None:
    """A string of that size; None where there is an empty list."""
    if not isinstance(item, bytes):
        rlp.to_list(item, name, 0, 0)
        return None
    return rlp.to_bytes(item, name, size)


def _unpack_log(item: rlp.Item, name: str) -> Log:
    address, topics, data = rlp.to_list(item, name, 3, 3)
    return Log(
        rlp.to_bytes(address, f"{name}.address", 20),
        tuple(rlp.to_bytes(topic, f"{name}.topics", 32) for topic in rlp.to_list(topics, f"{name}.topics", 0, 4)),
        rlp.to_bytes(data, f"{name}.data"),
    )


def unpack_receipts(packed: bytes) -> tuple[Receipt, ...]:
    """Back again. Raises TypeError, or DecodeError with the place."""
    found = []
    items = rlp.to_list(rlp.decode(unsqueeze(packed, "packed receipts"), "receipts"), "receipts")
    for number, item in enumerate(items):
        name = f"receipts[{number}]"
        parts = rlp.to_list(item, name, 13, 15)
        status = parts[1]
        has_both = len(parts) == 15  # one that was packed before there was state gas has not
        if not isinstance(status, bytes):
            rlp.to_list(status, f"{name}.status", 0, 0)
        found.append(
            Receipt(
                type=rlp.to_number(parts[0], f"{name}.type", 8),
                status=rlp.to_number(status, f"{name}.status", 8) if isinstance(status, bytes) else None,
                cumulative_gas_used=rlp.to_number(parts[2], f"{name}.cumulative_gas_used", 64),
                gas_used=rlp.to_number(parts[3], f"{name}.gas_used", 64),
                logs=tuple(
                    _unpack_log(log, f"{name}.logs[{place}]")
                    for place, log in enumerate(rlp.to_list(parts[4], f"{name}.logs"))
                ),
                logs_bloom=rlp.to_bytes(parts[5], f"{name}.logs_bloom", 256),
                contract_address=_optional(parts[6], f"{name}.contract_address", 20),
                output=rlp.to_bytes(parts[7], f"{name}.output"),
                outcome=rlp.to_bytes(parts[8], f"{name}.outcome").decode("ascii", "replace"),
                gas_refund=rlp.to_number(parts[9], f"{name}.gas_refund", 64),
                effective_gas_price=rlp.to_number(parts[10], f"{name}.effective_gas_price"),
                state_root=_optional(parts[11], f"{name}.state_root", 32),
                blob_gas_used=rlp.to_number(parts[12], f"{name}.blob_gas_used", 64),
                execution_gas_used=rlp.to_number(parts[13 if has_both else 3], f"{name}.execution_gas_used", 64),
                state_gas_used=rlp.to_number(parts[14], f"{name}.state_gas_used", 64) if has_both else 0,
            )
        )
    return tuple(found)
