"""Accounts for tests: keys out of a mnemonic phrase, as anvil and hardhat make theirs (BIP-32, BIP-39, BIP-44)."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass, field

from .._core import Transaction
from ..errors import UnusableInput
from .words import WORDS

__all__ = ["MNEMONIC", "DevAccount", "dev_accounts"]

# Known to everybody: nothing of value may be there on a real chain.
MNEMONIC = "test test test test test test test test test test test junk"
_HARDENED = 1 << 31
# Words that a phrase may have.
_COUNTS = (12, 15, 18, 21, 24)
_COUNT_MOST = 10_000
# eth-account makes the same keys (a test holds them against it), but takes a second of the processor to import, at each start of a server.
# secp256k1: prime, order, generator (SEC 2).
_P = 2**256 - 2**32 - 977
_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


@dataclass(frozen=True, slots=True)
class DevAccount:
    """An address, 20 bytes, and its private key, 32 bytes."""

    address: bytes
    key: bytes = field(repr=False)

    @classmethod
    def of_key(cls, key: bytes) -> DevAccount:
        """Of a private key."""
        return cls(Transaction(gas_price=0).sign(key).sender, key)


def dev_accounts(count: int = 10, mnemonic: str = MNEMONIC) -> list[DevAccount]:
    """The accounts at m/44'/60'/0'/0/0 and on. Raises UnusableInput for a phrase that is none of BIP-39's in English."""
    if not 0 <= count <= _COUNT_MOST:
        raise UnusableInput(f"accounts: {count}, may be {_COUNT_MOST}")
    phrase = " ".join(_checked(mnemonic))
    seed = hashlib.pbkdf2_hmac("sha512", phrase.encode(), b"mnemonic", 2048)
    digest = hmac.digest(b"Bitcoin seed", seed, "sha512")
    key, chain_code = int.from_bytes(digest[:32], "big"), digest[32:]
    for index in (44 | _HARDENED, 60 | _HARDENED, _HARDENED, 0):
        public = b"" if index & _HARDENED else _public(key)
        key, chain_code = _child(key, chain_code, index, public)
    public = _public(key)
    return [DevAccount.of_key(_child(key, chain_code, index, public)[0].to_bytes(32, "big")) for index in range(count)]


def _checked(mnemonic: str) -> list[str]:
    """The words of a phrase: so many as there may be, all of the list, and the last one's checksum right. No message repeats them."""
    words = unicodedata.normalize("NFKD", mnemonic).split()
    if len(words) not in _COUNTS:
        raise UnusableInput(f"mnemonic: {len(words)} words, may be {', '.join(map(str, _COUNTS))}")
    places = {word: place for place, word in enumerate(WORDS)}
    bits = 0
    for number, word in enumerate(words, 1):
        if word not in places:
            raise UnusableInput(f"mnemonic: word {number} is not one of BIP-39's English words")
        bits = bits << 11 | places[word]
    size = len(words) * 11 // 33  # of the checksum, in bits; there are 32 as many of entropy
    entropy = (bits >> size).to_bytes(size * 4, "big")
    if bits & (1 << size) - 1 != hashlib.sha256(entropy).digest()[0] >> 8 - size:
        raise UnusableInput("mnemonic: its checksum is wrong: a word is another one, or stands at another place")
    return words


def _child(key: int, chain_code: bytes, index: int, public: bytes) -> tuple[int, bytes]:
    material = b"\0" + key.to_bytes(32, "big") if index & _HARDENED else public
    digest = hmac.digest(chain_code, material + index.to_bytes(4, "big"), "sha512")
    return (int.from_bytes(digest[:32], "big") + key) % _N, digest[32:]


def _public(key: int) -> bytes:
    """The compressed public key. Of keys that are no secret: this takes more time for some than for others."""
    found: tuple[int, int] | None = None
    power = _G
    while key:
        if key & 1:
            found = power if found is None else _sum(found, power)
        power = _sum(power, power)
        key >>= 1
    assert found is not None
    return bytes([2 | found[1] & 1]) + found[0].to_bytes(32, "big")


def _sum(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    if a == b:
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, _P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, _P)
    x = (slope * slope - a[0] - b[0]) % _P
    return x, (slope * (a[0] - x) - a[1]) % _P
