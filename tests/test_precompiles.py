"""Every published vector of the precompiles: output, failure and gas, at each fork that prices it so."""

from __future__ import annotations

import json
from random import Random

import pytest
from helpers import NEWEST, shared

from evmcore import PRECOMPILES, State, call, fork_includes
from evmcore._core import price_and_run_precompile

# File of vectors -> (precompile, forks whose gas it has).
FILES = {
    "ecRecover": (0x01, ("Frontier", "BPO2")),
    "modexp": (0x05, ("Byzantium", "Istanbul")),
    "modexp_eip2565": (0x05, ("Berlin", "Prague")),
    "modexp_eip7883": (0x05, ("Osaka", "BPO2")),
    "bn256Add": (0x06, ("Istanbul", "BPO2")),
    "bn256ScalarMul": (0x07, ("Istanbul", "BPO2")),
    "bn256Pairing": (0x08, ("Istanbul", "BPO2")),
    "blake2F": (0x09, ("Istanbul", "BPO2")),
    "fail-blake2f": (0x09, ("Istanbul", "BPO2")),
    "pointEvaluation": (0x0A, ("Cancun", "BPO2")),
    "blsG1Add": (0x0B, ("Prague", "BPO2")),
    "fail-blsG1Add": (0x0B, ("Prague",)),
    "blsG1Mul": (0x0C, ("Prague",)),
    "fail-blsG1Mul": (0x0C, ("Prague",)),
    "blsG1MultiExp": (0x0C, ("Prague",)),
    "fail-blsG1MultiExp": (0x0C, ("Prague",)),
    "blsG2Add": (0x0D, ("Prague",)),
    "fail-blsG2Add": (0x0D, ("Prague",)),
    "blsG2Mul": (0x0E, ("Prague",)),
    "fail-blsG2Mul": (0x0E, ("Prague",)),
    "blsG2MultiExp": (0x0E, ("Prague",)),
    "fail-blsG2MultiExp": (0x0E, ("Prague",)),
    "blsPairing": (0x0F, ("Prague",)),
    "fail-blsPairing": (0x0F, ("Prague",)),
    "blsMapG1": (0x10, ("Prague",)),
    "fail-blsMapG1": (0x10, ("Prague",)),
    "blsMapG2": (0x11, ("Prague",)),
    "fail-blsMapG2": (0x11, ("Prague",)),
    "p256Verify": (0x0100, ("Osaka", "BPO2")),
}


@pytest.mark.parametrize("name", FILES)
def test_vectors(name):
    address, forks = FILES[name]
    for vector in json.loads(shared("precompile-vectors", f"{name}.json").read_text()):
        given = bytes.fromhex(vector["Input"])
        for fork in forks:
            gas, output = price_and_run_precompile(address, given, fork=fork)
            if "ExpectedError" in vector:
                assert output is None, vector["Name"]
            else:
                assert (output or b"").hex() == vector["Expected"], vector["Name"]
                assert gas == vector["Gas"], vector["Name"]


def test_every_precompile_has_vectors():
    assert {row.address for row in PRECOMPILES} == {address for address, _ in FILES.values()} | {2, 3, 4}


def test_every_file_of_vectors_is_run():
    assert {path.stem for path in shared("precompile-vectors").glob("*.json")} == set(FILES)


@pytest.mark.parametrize(
    ("address", "given", "output", "gas"),
    [
        (0x02, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 60),
        (0x02, "616263", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 72),
        (0x03, "", "0000000000000000000000009c1185a5c5e9fc54612808977ee8f548b2258d31", 600),
        (0x03, "616263", "0000000000000000000000008eb208f7e05d987a9b044a8e98c6b087f15a0bfc", 720),
        (0x04, "", "", 15),
        (0x04, "ff" * 33, "ff" * 33, 21),
    ],
)
def test_hashes_and_identity(address, given, output, gas):
    assert price_and_run_precompile(address, bytes.fromhex(given), fork="Frontier") == (gas, bytes.fromhex(output))


@pytest.mark.parametrize(
    ("fork", "add", "mul", "pairing_of_none"),
    [("Byzantium", 500, 40_000, 100_000), ("Petersburg", 500, 40_000, 100_000), ("Istanbul", 150, 6000, 45_000)],
)
def test_bn254_became_cheaper_with_eip_1108(fork, add, mul, pairing_of_none):
    assert [price_and_run_precompile(address, b"", fork=fork)[0] for address in (6, 7, 8)] == [
        add,
        mul,
        pairing_of_none,
    ]


@pytest.mark.parametrize("row", PRECOMPILES, ids=lambda row: row.name)
def test_one_gas_too_few_is_out_of_gas(row):
    fork = NEWEST if fork_includes(NEWEST, row.since) else row.since
    price, _ = price_and_run_precompile(row.address, bytes(192), fork=fork)
    if price is None:
        pytest.skip("no gas suffices for this input")
    address = row.address.to_bytes(20, "big")
    from evmcore import Header

    poor = call(State(), Header(fork=fork), to=address, data=bytes(192), gas=price - 1) if price else None
    assert poor is None or (poor.outcome, poor.gas_left) == ("OUT_OF_GAS", 0)
    enough = call(State(), Header(fork=fork), to=address, data=bytes(192), gas=price)
    assert enough.outcome in ("SUCCESS", "PRECOMPILE_FAILURE")
    assert enough.gas_left == 0


def test_modexp_lengths_are_bounded_since_eip_7823():
    huge = (1025).to_bytes(32, "big") + (1).to_bytes(32, "big") * 2 + bytes(1027)
    assert price_and_run_precompile(5, huge, fork="Prague")[1] == b"\0"
    assert price_and_run_precompile(5, huge, fork="Osaka")[1] is None


def test_modexp_of_absurd_lengths_has_no_price_and_takes_no_time():
    for lengths in ((2**256 - 1, 2**256 - 1, 2**256 - 1), (2**64, 0, 1), (0, 2**255, 1), (1, 2**63, 1)):
        given = b"".join(length.to_bytes(32, "big") for length in lengths)
        for fork in ("Byzantium", "Berlin", "Osaka"):
            gas, output = price_and_run_precompile(5, given, fork=fork, gas=30_000_000)
            assert output is None
            assert gas is None or gas > 30_000_000 or fork_includes(fork, "Osaka")


@pytest.mark.parametrize("size", [1, 8, 33, 300, 4095, 4096, 4200, 9000])
def test_modexp_is_what_python_says(size):
    """Odd, even and power-of-two moduli, on both sides of the length from which its products ask whether to stop."""
    random = Random(size)
    top = 1 << (8 * size - 1)
    for modulus in (
        random.getrandbits(8 * size) | top | 1,
        (random.getrandbits(4 * size) | 1) << (4 * size - 1),
        top,
        (random.getrandbits(8 * size) | top) & ~6,
        1,
    ):
        base, exponent = random.getrandbits(8 * size + 70), random.getrandbits(40)
        given = b"".join(n.to_bytes(32, "big") for n in (size + 9, 5, size))
        given += base.to_bytes(size + 9, "big") + exponent.to_bytes(5, "big") + modulus.to_bytes(size, "big")
        _, output = price_and_run_precompile(5, given, fork="Byzantium")
        assert output == pow(base, exponent, modulus).to_bytes(size, "big")


@pytest.mark.parametrize("rounds", [0, 1, 9, 10, 11, 19, 20, 999, 1000, 1001, 2023])
def test_blake2f_is_what_the_specification_says(rounds):
    blake2 = pytest.importorskip("ethereum.crypto.blake2", reason="ethereum-execution is not installed").Blake2b()
    for final in (0, 1):
        given = rounds.to_bytes(4, "big") + Random(rounds).randbytes(208) + bytes([final])
        gas, output = price_and_run_precompile(9, given, fork="Istanbul")
        assert (gas, output) == (rounds, blake2.compress(*blake2.get_blake2_parameters(given)))


@pytest.mark.parametrize(
    ("address", "point_bytes", "vectors"), [(0x0C, 128, "blsG1MultiExp"), (0x0E, 256, "blsG2MultiExp")]
)
def test_a_long_sum_is_the_sum_of_its_parts(address, point_bytes, vectors):
    """More points than are added up in one go, some of them worth nothing: one point times the sum of its factors."""
    point = bytes.fromhex(json.loads(shared("precompile-vectors", f"{vectors}.json").read_text())[0]["Input"])[
        :point_bytes
    ]
    factors = [0 if n % 7 == 0 else 3**n for n in range(1, 1100)]
    order = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
    given = [
        (bytes(point_bytes) if n % 5 == 0 else point) + (f % 2**256).to_bytes(32, "big") for n, f in enumerate(factors)
    ]
    total = sum(f % 2**256 for n, f in enumerate(factors) if n % 5 != 0) % order
    for count in (1099, 1098):
        part = total if count == 1099 else (total - factors[1098] % 2**256) % order
        _, expected = price_and_run_precompile(address, point + part.to_bytes(32, "big"), fork="Prague")
        assert price_and_run_precompile(address, b"".join(given[:count]), fork="Prague")[1] == expected
    off_curve = given[0][:-33] + bytes([given[0][-33] ^ 1]) + given[0][-32:]
    assert price_and_run_precompile(address, b"".join([*given, off_curve]), fork="Prague")[1] is None
