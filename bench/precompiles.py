"""The precompiles, called from Python on typical inputs: published vectors where they are there, plain data for the hashes."""

from __future__ import annotations

import json
import time

import pytest

from evmcore._core import price_and_run_precompile

from .conftest import SHARED

VECTORS = SHARED / "precompile-vectors"
FORK = "Osaka"
# name -> (address, file of vectors, which of them; None: the dearest). Plain data where there is no file.
CASES: dict[str, tuple[int, str | None, str | None]] = {
    "ECRECOVER": (0x01, "ecRecover", "ValidKey"),
    "SHA256, 1 KiB": (0x02, None, None),
    "RIPEMD160, 1 KiB": (0x03, None, None),
    "IDENTITY, 1 KiB": (0x04, None, None),
    "MODEXP": (0x05, "modexp_eip7883", None),
    "BN254_ADD": (0x06, "bn256Add", None),
    "BN254_MUL": (0x07, "bn256ScalarMul", None),
    "BN254_PAIRING": (0x08, "bn256Pairing", None),
    "BLAKE2F, 12 rounds": (0x09, "blake2F", "vector 5"),
    "KZG_POINT_EVALUATION": (0x0A, "pointEvaluation", None),
    "BLS12_G1ADD": (0x0B, "blsG1Add", None),
    "BLS12_G1MSM": (0x0C, "blsG1MultiExp", None),
    "BLS12_G2ADD": (0x0D, "blsG2Add", None),
    "BLS12_G2MSM": (0x0E, "blsG2MultiExp", None),
    "BLS12_PAIRING_CHECK": (0x0F, "blsPairing", None),
    "BLS12_MAP_FP_TO_G1": (0x10, "blsMapG1", None),
    "BLS12_MAP_FP2_TO_G2": (0x11, "blsMapG2", None),
    "P256VERIFY": (0x100, "p256Verify", "CallP256Verify"),
}


def data_of(file: str | None, name: str | None) -> bytes:
    if file is None:
        return bytes(range(256)) * 4
    path = VECTORS / f"{file}.json"
    if not path.exists():
        pytest.skip(f"no {path}")
    vectors = json.loads(path.read_text())
    chosen = [vector for vector in vectors if vector["Name"] == name] or [
        max(vectors, key=lambda vector: vector["Gas"])
    ]
    return bytes.fromhex(chosen[0]["Input"])


@pytest.mark.benchmark(timer=time.thread_time, group="precompiles")
@pytest.mark.parametrize("name", CASES)
def test_precompile(measure, name):
    address, file, vector = CASES[name]
    data = data_of(file, vector)
    gas, output = price_and_run_precompile(address, data, fork=FORK)
    assert output is not None
    measure(
        lambda: price_and_run_precompile(address, data, fork=FORK),
        kind="precompile",
        precompile=name,
        input_bytes=len(data),
        gas=gas,
    )
