"""What a layer signs: that it executed a block, and the digest that came out. It is verified without executing anything.

A certificate is a layer's word. What makes it worth something is that others, whom the same hand doesn't hold, say the same: a verdict.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from .. import __version__, keccak256, rlp
from .._core import run_precompile, sign_hash
from ..errors import EvmError, UnusableInput
from ..hexadecimal import checked_bytes, checked_quantity, data, field, quantity, shown, to_address

__all__ = ["Certificate", "CertificateVerdict", "InvalidCertificate", "address_of", "verdict"]

# What is signed begins with it, so that no signature of a transaction or a message is one of a certificate.
_DOMAIN = b"evmcore re-execution certificate 1\n"
_ECRECOVER = 1
# Of secp256k1, halved: of the two s that a signature can have the lower counts, as in EIP-2.
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_ENGINE_BYTES_MOST = 64


class InvalidCertificate(EvmError, ValueError):
    """A re-execution certificate whose signature is no signature."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """One layer's signed word of one block.

    chain_id, number, block_hash  of the block
    digest     `evmcore.layers.digest_of` its result, 32 bytes; of a block that was refused `refusal_digest`
    engine     name and version of what executed it
    signature  65 bytes: r, s, and the parity of the point's y

    Source: the digest and its use are those of approval voting (Polkadot), the signature is Ethereum's (secp256k1, low s).
    """

    chain_id: int
    number: int
    block_hash: bytes
    digest: bytes
    engine: str
    signature: bytes

    def __post_init__(self) -> None:
        for name in ("chain_id", "number"):
            object.__setattr__(self, name, checked_quantity(getattr(self, name), f"certificate.{name}", 64))
        for name, size in (("block_hash", 32), ("digest", 32), ("signature", 65)):
            object.__setattr__(self, name, checked_bytes(getattr(self, name), f"certificate.{name}", size))
        engine = self.engine.encode(errors="replace") if isinstance(self.engine, str) else b""
        if not 0 < len(engine) <= _ENGINE_BYTES_MOST or engine.decode() != self.engine:
            raise UnusableInput(f"certificate.engine: {shown(self.engine)} is not the name of an engine")

    @classmethod
    def sign(
        cls, key: bytes, *, chain_id: int, number: int, block_hash: bytes, digest: bytes, engine: str | None = None
    ) -> Certificate:
        """A certificate signed with a private key of 32 bytes. `engine`: None: this evmcore."""
        unsigned = cls(chain_id, number, block_hash, digest, engine or f"evmcore {__version__}", bytes(65))
        r, s, parity = sign_hash(unsigned.signed_hash, key)
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
        return cls(unsigned.chain_id, unsigned.number, unsigned.block_hash, unsigned.digest, unsigned.engine, signature)

    def _unsigned(self) -> list[rlp.Item]:
        return [
            rlp.number(self.chain_id),
            rlp.number(self.number),
            self.block_hash,
            self.digest,
            self.engine.encode(),
        ]

    @property
    def signed_hash(self) -> bytes:
        """What the signature is of, 32 bytes."""
        return keccak256(_DOMAIN + rlp.encode(self._unsigned()))

    @property
    def signer(self) -> bytes:
        """The address of the key that signed it, 20 bytes. Raises InvalidCertificate."""
        s, parity = int.from_bytes(self.signature[32:64], "big"), self.signature[64]
        if parity > 1 or not 0 < s <= _HALF_ORDER:
            raise InvalidCertificate(f"certificate of block {self.number}: not a signature with a low s")
        word = (27 + parity).to_bytes(32, "big")
        address = run_precompile(_ECRECOVER, self.signed_hash + word + self.signature[:64])
        if not address:
            raise InvalidCertificate(f"certificate of block {self.number}: no key gives this signature")
        return address[12:]

    def encode(self) -> bytes:
        """Its RLP."""
        return rlp.encode([*self._unsigned(), self.signature])

    @classmethod
    def decode(cls, encoded: bytes) -> Certificate:
        """From RLP, of which nothing is taken for granted. Raises DecodeError or UnusableInput."""
        items = rlp.to_list(rlp.decode(data(encoded, "certificate"), "certificate"), "certificate", 6, 6)
        try:
            engine = rlp.to_bytes(items[4], "certificate.engine").decode()
        except UnicodeDecodeError:
            raise UnusableInput("certificate.engine: not text") from None
        return cls(
            rlp.to_number(items[0], "certificate.chain_id", 64),
            rlp.to_number(items[1], "certificate.number", 64),
            rlp.to_bytes(items[2], "certificate.block_hash", 32),
            rlp.to_bytes(items[3], "certificate.digest", 32),
            engine,
            rlp.to_bytes(items[5], "certificate.signature", 65),
        )

    def to_json(self) -> dict[str, Any]:
        """Its members, with the signer."""
        members = {one.name: getattr(self, one.name) for one in fields(self)}
        shown_ = {name: "0x" + value.hex() if isinstance(value, bytes) else value for name, value in members.items()}
        return {**shown_, "signer": "0x" + self.signer.hex()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Certificate:
        """Of such an object. Raises UnusableInput, also where it names a signer that isn't the one that the signature says."""
        if not isinstance(value, Mapping):
            raise UnusableInput(f"certificate: {shown(value)} is not an object")
        made = cls(
            quantity(field(value, "chain_id", "certificate"), "certificate.chain_id", 64),
            quantity(field(value, "number", "certificate"), "certificate.number", 64),
            data(field(value, "block_hash", "certificate"), "certificate.block_hash", 32),
            data(field(value, "digest", "certificate"), "certificate.digest", 32),
            field(value, "engine", "certificate"),
            data(field(value, "signature", "certificate"), "certificate.signature", 65),
        )
        if "signer" in value and to_address(value["signer"], "certificate.signer") != made.signer:
            raise UnusableInput(f"certificate.signer: {shown(value['signer'])}, and 0x{made.signer.hex()} signed it")
        return made


def address_of(key: bytes) -> bytes:
    """The address of a private key of 32 bytes: what a layer is known by."""
    return Certificate.sign(key, chain_id=0, number=0, block_hash=bytes(32), digest=bytes(32), engine="-").signer


def refusal_digest(block_hash: bytes) -> bytes:
    """The digest of a block that may not be part of the chain. Which rule it breaks first is not part of it."""
    return keccak256(b"evmcore refused block\n" + block_hash)


@dataclass(frozen=True, slots=True)
class CertificateVerdict:
    """What certificates of one block come to.

    digest       that enough layers signed; None: none has enough
    signers      the addresses of those that signed it
    dissenters   of those that signed another one; empty where there is no digest
    liars        of those that signed two digests of the block: they count for none
    """

    digest: bytes | None
    signers: frozenset[bytes] = frozenset()
    dissenters: frozenset[bytes] = frozenset()
    liars: frozenset[bytes] = frozenset()


def verdict(
    certificates: Iterable[Certificate], layers: Collection[bytes | str], needed: int, *, block_hash: bytes
) -> CertificateVerdict:
    """Whether `needed` of the layers have signed one digest of a block. Nothing is executed.

    The digest is of what the block did; that its header says the same isn't signed.

    certificates  as they came in, in any order; those of other signers and of other blocks don't count
    layers        addresses of those whose word counts
    needed        at least 1; where two digests have as many (half of the layers or less can be needed), there is no verdict
    block_hash    32 bytes
    raise         UnusableInput for more than there are layers; InvalidCertificate never: what isn't signed counts for nobody
    """
    block_hash = data(block_hash, "block_hash", 32)
    known = {to_address(one, "layers") for one in layers}
    if not 0 < checked_quantity(needed, "needed") <= len(known):
        raise UnusableInput(f"needed: {shown(needed)} is not a number of {len(known)} layers")
    said: dict[bytes, set[bytes]] = {}
    for certificate in certificates:
        if not isinstance(certificate, Certificate):
            raise TypeError(f"certificates: expected Certificate, got {type(certificate).__name__}")
        try:
            signer = certificate.signer
        except InvalidCertificate:
            continue
        if signer in known and certificate.block_hash == block_hash:
            said.setdefault(signer, set()).add(certificate.digest)
    liars = frozenset(signer for signer, digests in said.items() if len(digests) > 1)
    votes: dict[bytes, set[bytes]] = {}
    for signer, digests in said.items():
        if signer not in liars:
            votes.setdefault(next(iter(digests)), set()).add(signer)
    enough = [digest for digest, signers in votes.items() if len(signers) >= needed]
    if len(enough) != 1:
        return CertificateVerdict(None, liars=liars)
    signers = votes[enough[0]]
    return CertificateVerdict(enough[0], frozenset(signers), frozenset(said.keys() - signers - liars), liars)
