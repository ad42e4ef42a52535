"""Inputs that get a precompile to its edges: sound ones, and sound ones with one thing wrong."""

from __future__ import annotations

from functools import cache
from random import Random

from evmcore import PRECOMPILES, fork_includes
from evmcore._core import price_and_run_precompile, sign_hash

BN254_FIELD = 0x30644E72E131A029B85045B68181585D97816A916871CA8D3C208C16D87CFD47
BN254_ORDER = 0x30644E72E131A029B85045B68181585D2833E84879B9709143E1F593F0000001
BLS12_ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def word(value: int) -> bytes:
    return (value % 2**256).to_bytes(32, "big")


@cache
def secp256k1_signature() -> bytes:
    digest = bytes(range(32))
    r, s, y_parity = sign_hash(digest, word(7))
    return digest + word(27 + y_parity) + word(r) + word(s)


def ecrecover(random: Random) -> bytes:
    given = bytearray(secp256k1_signature())
    kind = random.randrange(6)
    if kind == 0:
        given[32:64] = word(random.choice([0, 26, 28, 29, 27 + 2**8, 2**255]))
    elif kind == 1:
        given[64:96] = word(random.choice([0, SECP256K1_ORDER - 1, SECP256K1_ORDER, 2**256 - 1]))
    elif kind == 2:
        given[96:128] = word(random.choice([0, SECP256K1_ORDER - 1, SECP256K1_ORDER, 2**256 - 1]))
    elif kind == 3:
        given[random.randrange(128)] ^= 1 << random.randrange(8)
    return bytes(given)


def some_bytes(random: Random) -> bytes:
    return random.randbytes(random.choice([0, 1, 31, 32, 33, 55, 56, 64, 100]))


def modexp(random: Random) -> bytes:
    sizes = [random.choice([0, 1, 2, 31, 32, 33, 40]) for _ in range(3)]
    claimed = list(sizes)
    if random.random() < 0.1:
        claimed[random.randrange(3)] = random.choice([1023, 1024, 1025, 2**32, 2**64, 2**255])
    parts = [
        random.choice([bytes(size), b"\xff" * size, random.randbytes(size), b"\x01".rjust(size, b"\0")[:size]])
        for size in sizes
    ]
    if sizes[2] and random.random() < 0.3:
        parts[2] = parts[2][:-1] + b"\0"  # an even modulus
    return b"".join(map(word, claimed)) + b"".join(parts)


@cache
def bn254_point(k: int) -> bytes:
    gas, output = price_and_run_precompile(7, word(1) + word(2) + word(k), fork="Istanbul")
    assert gas is not None
    return output


def bn254_some_point(random: Random) -> bytes:
    kind = random.randrange(8)
    if kind == 0:
        return bytes(64)
    if kind == 1:
        return word(1) + word(3)
    if kind == 2:
        return word(BN254_FIELD + 1) + word(2)
    if kind == 3:
        return word(random.choice([BN254_FIELD, BN254_FIELD - 1, 2**256 - 1])) + word(0)
    return bn254_point(random.choice([1, 2, 3, BN254_ORDER - 1, 5]))


def bn254_add(random: Random) -> bytes:
    return bn254_some_point(random) + bn254_some_point(random)


def bn254_mul(random: Random) -> bytes:
    factor = random.choice(
        [0, 1, 2, BN254_ORDER - 1, BN254_ORDER, BN254_ORDER + 1, 2**256 - 1, random.getrandbits(256)]
    )
    return bn254_some_point(random) + word(factor)


def bn254_pairing(random: Random) -> bytes:
    # A pairing of sound points costs the specification half a second: those are left to the vectors.
    return random.choice([b"", bytes(191), word(1) + word(2) + bytes(128), bytes(192), word(1) + word(3) + bytes(128)])


def blake2f(random: Random) -> bytes:
    rounds = random.choice([0, 1, 12, 100])
    final = random.choice([0, 1, 1, 2])
    return (rounds.to_bytes(4, "big") + random.randbytes(208) + bytes([final]))[: random.choice([213, 213, 213, 212])]


def kzg(random: Random) -> bytes:
    return b"\x01" + random.randbytes(191) if random.random() < 0.5 else some_bytes(random)


# The generator of BLS12-381's G1, padded to 128 bytes (EIP-2537).
BLS_G1 = bytes.fromhex(
    "0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
    "0000000000000000000000000000000008b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1"
)


def bls_g1add(random: Random) -> bytes:
    points = [BLS_G1, BLS_G1, bytes(128), b"\x01" + BLS_G1[1:], BLS_G1[:127] + b"\0"]
    return random.choice(points) + random.choice(points)


def bls_g1msm(random: Random) -> bytes:
    return b"".join(
        random.choice([BLS_G1, bytes(128)]) + word(random.choice([0, 1, 2, BLS12_ORDER, 2**256 - 1]))
        for _ in range(random.randrange(3))
    )


def bls_other(random: Random) -> bytes:
    # Too long, too short, or points at infinity: the sound ones are left to the vectors.
    return bytes(random.choice([0, 64, 128, 256, 288, 384, 512, 511]))


def p256(random: Random) -> bytes:
    return random.randbytes(random.choice([160, 160, 159, 161])) if random.random() < 0.5 else bytes(160)


INPUTS = {
    1: ecrecover, 2: some_bytes, 3: some_bytes, 4: some_bytes, 5: modexp, 6: bn254_add, 7: bn254_mul, 8: bn254_pairing,
    9: blake2f, 10: kzg, 11: bls_g1add, 12: bls_g1msm, 13: bls_other, 14: bls_other, 15: bls_other, 16: bls_other,
    17: bls_other, 0x100: p256,
}  # fmt: skip
SINCE = {row.address: row.since for row in PRECOMPILES}


def precompile_input(random: Random, fork: int) -> tuple[int, bytes]:
    """A precompile's number and an input for it; nearly always one that the fork has."""
    known = [number for number in INPUTS if fork_includes(fork, SINCE[number]) or random.random() < 0.02]
    number = random.choice(known)
    return number, INPUTS[number](random)
