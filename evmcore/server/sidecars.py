"""Blobs that come with a transaction, and what is held against them: the network's form of type 3 (EIP-4844, EIP-7594)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .. import rlp
from ..chain.schedule import rules_of
from ..errors import DecodeError
from ..hexadecimal import to_hex
from .errors import SERVER_ERROR, RpcError
from .kzg import BLOB_BYTES, CELLS, are_cell_proofs_right, check_library, is_blob_proof_right, versioned_hash

__all__ = ["Sidecar", "split"]

_POINT_BYTES = 48


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Blobs, a commitment to each, and proofs: one a blob (version 0), or one for each of its 128 cells (version 1)."""

    version: int
    blobs: tuple[bytes, ...]
    commitments: tuple[bytes, ...]
    proofs: tuple[bytes, ...]

    def check(self, hashes: Sequence[bytes], fork: str) -> None:
        """Hold counts, hashes and proofs against the transaction's hashes. Raises RpcError with go-ethereum's words. 0.1 s a blob."""
        rules = rules_of(fork)
        most = rules.max_blobs_per_transaction or rules.blob_max
        if len(self.blobs) > most:
            raise _refused(f"too many blobs in transaction: have {len(self.blobs)}, permitted {most}")
        for name, items in (("blobs", self.blobs), ("blob commitments", self.commitments)):
            if len(items) != len(hashes):
                raise _refused(f"invalid number of {len(items)} {name} compared to {len(hashes)} blob hashes")
        for index, (commitment, wanted) in enumerate(zip(self.commitments, hashes)):
            computed = versioned_hash(commitment)
            if computed != wanted:
                raise _refused(
                    f"blob {index}: computed hash {to_hex(computed)} mismatches transaction one {to_hex(wanted)}"
                )
        if self.version and not rules.max_blobs_per_transaction:  # both came with EIP-7594
            raise _refused(f"unexpected sidecar version, want: 0, got: {self.version}")
        each = CELLS if self.version else 1
        if len(self.proofs) != each * len(hashes):
            raise _refused(f"invalid number of {len(self.proofs)} blob proofs expected {each * len(hashes)}")
        check_library()
        for index, (blob, commitment) in enumerate(zip(self.blobs, self.commitments)):
            own = self.proofs[index * each : (index + 1) * each]
            is_right = (
                are_cell_proofs_right(blob, commitment, own)
                if self.version
                else is_blob_proof_right(blob, commitment, own[0])
            )
            if not is_right:
                raise _refused(f"invalid blob {index}: can't verify opening proof")


def _refused(message: str) -> RpcError:
    return RpcError(SERVER_ERROR, message)


def split(raw: bytes) -> tuple[bytes, Sidecar | None]:
    """(the transaction as blocks have it, what came with it) of a transaction as it is sent. Raises DecodeError."""
    if raw[:1] != b"\x03":
        return raw, None
    parts = rlp.to_list(rlp.decode(raw[1:], "transaction"), "transaction")
    if not parts or not isinstance(parts[0], (list, tuple)):
        return raw, None
    if len(parts) not in (4, 5):
        raise DecodeError(f"transaction: {len(parts)} parts with its blobs, may have 4 or 5")
    version = 0 if len(parts) == 4 else rlp.to_number(parts[1], "sidecar version", 8)
    if len(parts) == 5 and version != 1:
        raise DecodeError(f"transaction: a sidecar of version {version}, known are 0 and 1")
    blobs, commitments, proofs = (
        tuple(rlp.to_bytes(one, name, size) for one in rlp.to_list(part, f"{name}s"))
        for part, name, size in zip(
            parts[-3:], ("blob", "commitment", "proof"), (BLOB_BYTES, _POINT_BYTES, _POINT_BYTES)
        )
    )
    return b"\x03" + rlp.encode(parts[0]), Sidecar(version, blobs, commitments, proofs)
