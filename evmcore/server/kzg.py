"""Whether blobs are those of their commitments: KZG proofs of blobs (EIP-4844) and of their cells (EIP-7594).

Arithmetic of the field is Python's, that of the curve the core's precompiles (EIP-4844, EIP-2537). A blob takes some 0.1 s.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import cache
from hashlib import sha256

from .._core import run_precompile
from ..errors import UnusableInput
from .ceremony import G1_POWERS, G2_CELL_POWER

__all__ = ["BLOB_BYTES", "CELLS", "are_cell_proofs_right", "check_library", "is_blob_proof_right", "versioned_hash"]

BLOB_BYTES, CELLS = 131_072, 128
_ELEMENTS, _CELL_ELEMENTS, _BITS = 4096, 64, 12
# The order of the groups; blobs are of numbers below it. Its roots of unity follow from the generator 7.
_ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
# The field that points' coordinates are of.
_PRIME = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB
_POINT_EVALUATION, _G1_MSM, _PAIRING = 0x0A, 0x0C, 0x0F
_INFINITY = bytes(128)
_G2_GENERATOR = (
    0x024AA2B2F08F0A91260805272DC51051C6E47AD4FA403B02B4510B647AE3D1770BAC0326A805BBEFD48056C8C121BDB8,
    0x13E02B6052719F607DACD3A088274F65596BD0D09920B61AB5DA61BBDC7F5049334CF11213945D57E5AC7D055D042B7E,
    0x0CE5D527727D6E118CC9CDC6DA2E351AADFD9BAA8CBDD3A76D429A695160D12C923AC9CC3BACA289E193548608B82801,
    0x0606C4A02EA734CC32ACD2B02BC28B99CB3E287E85A763AF267492AB572E99AB3F370D275CEC1DA1AAA9075FF05F79BE,
)


@cache
def check_library() -> None:
    """UnusableInput where the core has no library for the curve: then no proof can be told from another."""
    if run_precompile(_G1_MSM, _INFINITY + bytes(32)) is None:
        raise UnusableInput("proofs of blobs can't be verified without ckzg: pip install ckzg")


def versioned_hash(commitment: bytes) -> bytes:
    """What a transaction names a blob by."""
    return b"\x01" + sha256(commitment).digest()[1:]


def is_blob_proof_right(blob: bytes, commitment: bytes, proof: bytes) -> bool:
    """Whether a blob, 131,072 bytes, is that of a commitment (verify_blob_kzg_proof). False, too, for what is no blob or no point."""
    values = _elements(blob)
    if values is None:
        return False
    challenge = sha256(b"FSBLOBVERIFY_V1_" + _ELEMENTS.to_bytes(16, "big") + blob + commitment).digest()
    z = int.from_bytes(challenge, "big") % _ORDER
    y = _value_at(values, z)
    asked = versioned_hash(commitment) + z.to_bytes(32, "big") + y.to_bytes(32, "big") + commitment + proof
    return run_precompile(_POINT_EVALUATION, asked) is not None


def are_cell_proofs_right(blob: bytes, commitment: bytes, proofs: Sequence[bytes]) -> bool:
    """Whether all 128 proofs are those of the blob's cells (verify_cell_kzg_proof_batch, of cells that are made of the blob).

    A proof is the quotient of p(X) - I(X) by X^64 - h^64, where I is p below that divisor. So with any numbers r_i
    e(sum r_i proof_i, [tau^64]) = e(sum r_i (C - [I_i(tau)] + h_i^64 proof_i), G2), and with random ones hardly otherwise.
    """
    values = _elements(blob)
    if values is None or len(proofs) != CELLS:
        return False
    points = [_point(proof) for proof in proofs]
    commitment_point = _point(commitment)
    if commitment_point is None:
        return False
    left, right = [], []
    weights = [0] * _CELL_ELEMENTS  # sum r_i h_i^(64 k)
    total = 0
    for index, point in enumerate(points):
        if point is None:
            return False
        factor = secrets.randbits(128) + 1
        shift = pow(_root(CELLS), _reversed(index, 7), _ORDER)
        total += factor
        power = factor
        for k in range(_CELL_ELEMENTS):
            weights[k] += power
            power = power * shift % _ORDER
        left.append((point, factor))
        right.append((point, factor * shift))
    coefficients = _coefficients(values)
    right.append((commitment_point, total))
    for j, power_point in enumerate(_g1_powers()):
        below = sum(coefficients[_CELL_ELEMENTS * k + j] * weights[k] for k in range(_CELL_ELEMENTS))
        right.append((power_point, -below))
    one, other = _sum(left), _sum([(point, -factor) for point, factor in right])
    if one is None or other is None:
        return False
    pairs = one + _g2(tuple(int(part, 16) for part in G2_CELL_POWER)) + other + _g2(_G2_GENERATOR)
    answer = run_precompile(_PAIRING, pairs)
    return answer is not None and answer[-1] == 1


# ---------------------------------------------------------------- the field


def _elements(blob: bytes) -> list[int] | None:
    """A blob's numbers, which are a polynomial's values at roots of unity, in the order of their reversed bits; None: it is no blob."""
    if len(blob) != BLOB_BYTES:
        return None
    values = [int.from_bytes(blob[at : at + 32], "big") for at in range(0, BLOB_BYTES, 32)]
    return values if max(values) < _ORDER else None


@cache
def _root(order: int) -> int:
    """A primitive root of unity."""
    return pow(7, (_ORDER - 1) // order, _ORDER)


def _reversed(number: int, bits: int) -> int:
    return int(f"{number:0{bits}b}"[::-1], 2)


@cache
def _places() -> tuple[int, ...]:
    return tuple(_reversed(number, _BITS) for number in range(_ELEMENTS))


@cache
def _roots() -> tuple[int, ...]:
    """Those of order 4,096, from the 0th power on."""
    found, root = [1], _root(_ELEMENTS)
    for _ in range(_ELEMENTS - 1):
        found.append(found[-1] * root % _ORDER)
    return tuple(found)


def _value_at(values: list[int], z: int) -> int:
    """The polynomial's value at a place, by the barycentric formula."""
    roots, places = _roots(), _places()
    differences = [(z - roots[place]) % _ORDER for place in places]
    if 0 in differences:
        return values[differences.index(0)]
    # All inverses by one.
    products, product = [], 1
    for one in differences:
        products.append(product)
        product = product * one % _ORDER
    inverse = pow(product, -1, _ORDER)
    found = 0
    for at in range(_ELEMENTS - 1, -1, -1):
        found += values[at] * roots[places[at]] % _ORDER * (inverse * products[at] % _ORDER)
        inverse = inverse * differences[at] % _ORDER
    return found * (pow(z, _ELEMENTS, _ORDER) - 1) * pow(_ELEMENTS, -1, _ORDER) % _ORDER


def _coefficients(values: list[int]) -> list[int]:
    """The polynomial's, by the inverse transform, which takes the values in the order that a blob has them in."""
    made, roots = list(values), _roots()
    width = 2
    while width <= _ELEMENTS:
        half, step = width // 2, _ELEMENTS // width
        for start in range(0, _ELEMENTS, width):
            for k in range(half):
                odd = made[start + half + k] * roots[-k * step] % _ORDER
                even = made[start + k]
                made[start + k] = (even + odd) % _ORDER
                made[start + half + k] = (even - odd) % _ORDER
        width *= 2
    scale = pow(_ELEMENTS, -1, _ORDER)
    return [one * scale % _ORDER for one in made]


# ---------------------------------------------------------------- the curve


def _point(encoded: bytes) -> bytes | None:
    """A compressed point of the curve as precompiles have it; None: it is none. Whether it is in the group they say themselves."""
    if len(encoded) != 48 or not encoded[0] & 0x80:
        return None
    x = int.from_bytes(bytes([encoded[0] & 0x1F]) + encoded[1:], "big")
    if encoded[0] & 0x40:
        return _INFINITY if x == 0 and not encoded[0] & 0x20 else None
    if x >= _PRIME:
        return None
    square = (pow(x, 3, _PRIME) + 4) % _PRIME
    y = pow(square, (_PRIME + 1) // 4, _PRIME)
    if y * y % _PRIME != square:
        return None
    if (y > (_PRIME - 1) // 2) != bool(encoded[0] & 0x20):
        y = -y % _PRIME
    return x.to_bytes(64, "big") + y.to_bytes(64, "big")


@cache
def _g1_powers() -> tuple[bytes, ...]:
    found = [_point(bytes.fromhex(one)) for one in G1_POWERS]
    return tuple(one for one in found if one is not None)


def _g2(parts: Sequence[int]) -> bytes:
    return b"".join(part.to_bytes(64, "big") for part in parts)


def _sum(terms: Sequence[tuple[bytes, int]]) -> bytes | None:
    """The sum of multiples of points; None where one isn't of the group."""
    return run_precompile(_G1_MSM, b"".join(point + (factor % _ORDER).to_bytes(32, "big") for point, factor in terms))
