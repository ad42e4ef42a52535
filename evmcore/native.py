"""Finds the C functions of other packages that evmcore calls without the GIL, and checks them before the first use.

The rows of pyx/core/crypto/native_symbols.def say which functions, from which package. A package's library is opened with
ctypes, its addresses are handed to the core, and known answers are computed through them: a wrong answer takes the whole
package out again. Without coincurve our own secp256k1 is used; without ckzg the precompiles that need it raise
`PrecompileUnavailable` at their first use. Everything else (hashes, modexp, BN254, BLAKE2F, P-256) is our own code.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol


class Core(Protocol):
    """What this file needs from the compiled module."""

    def native_symbols(self) -> Iterable[tuple[str, str]]:
        """Every (symbol, package) row."""

    def set_native_symbol(self, symbol: str, address: int) -> None:
        """Set one row; address 0 takes it away. Not while anything runs."""

    def sign_hash(self, message_hash: bytes, private_key: bytes) -> tuple[int, int, int]:
        """(r, s, y_parity)."""

    def run_precompile(self, address: int, data: bytes) -> bytes | None:
        """The output, or None when the precompile fails or is unavailable. Gas plays no part."""


Lookup = Callable[[str], int]

# (package, precompile address, input, output): one known answer a package at least, hexadecimal.
_G1 = (
    "0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
    "0000000000000000000000000000000008b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1"
)
_MINUS_G1 = (
    _G1[:128]
    + "00000000000000000000000000000000114d1d6855d545a8aa7d76c8cf2e21f267816aef1db507c96655b9d5caac42364e6f38ba0ecb751bad54dcd6b939c2ca"
)
_G2 = (
    "00000000000000000000000000000000024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
    "0000000000000000000000000000000013e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
    "000000000000000000000000000000000ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801"
    "000000000000000000000000000000000606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be"
)
KNOWN_ANSWERS: tuple[tuple[str, int, str, str], ...] = (
    (
        "coincurve",
        0x01,
        "18c547e4f7b0f325ad1e56f57e26c745b09a3e503d86e00e5255ff7f715d3d1c000000000000000000000000000000000000000000000000000000000000001c"
        "73b1693892219d736caba55bdb67216e485557ea6b6af75f37096c9aa6a5a75feeb940b1d03b21e36b0e47e79769f095fe2ab855bd91e3a38756b7d75a9c4549",
        "000000000000000000000000a94f5374fce5edbc8e2a8697c15331677e6ebf0b",
    ),
    ("ckzg", 0x02, "616263", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("ckzg", 0x0B, _G1 + _MINUS_G1, "00" * 128),
    ("ckzg", 0x0D, _G2 + "00" * 256, _G2),
    # order - 1 times G is -G; and 2 G + (order - 2) G is nothing.
    ("ckzg", 0x0C, _G1 + "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000000", _MINUS_G1),
    (
        "ckzg",
        0x0C,
        _G1 + f"{2:064x}" + _G1 + "73eda753299d7d483339d80809a1d80553bda402fffe5bfefffffffeffffffff",
        "00" * 128,
    ),
    (
        "ckzg",
        0x0E,
        _G2 + f"{2:064x}" + _G2 + "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000000",
        _G2,
    ),
    ("ckzg", 0x0F, _G1 + _G2 + _MINUS_G1 + _G2, f"{1:064x}"),
    ("ckzg", 0x0F, _G1 + _G2 + _G1 + _G2, f"{0:064x}"),
    (
        "ckzg",
        0x0A,
        "01e798154708fe7789429634053cbf9f99b619f9f084048927333fce637f549b564c0a11a0f704f4fc3e8acfe0f8245f0ad1347b378fbf96e206da11a5d36306"
        "24d25032e67a7e6a4910df5834b8fe70e6bcfeeac0352434196bdf4b2485d5a18f59a8d2a1a625a17f3fea0fe5eb8c896db3764f3185481bc22f91b4aaffcca2"
        "5f26936857bc3a7c2539ea8ec3a952b7873033e038326e87ed3e1276fd140253fa08e9fc25fb2d9a98527fc22a2c9612fbeafdad446cbc7bcdbdcd780af2c16a",
        "000000000000000000000000000000000000000000000000000000000000100073eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001",
    ),
)
# (r, s, y parity): the key 1 signs the SHA-256 of "Satoshi Nakamoto", a published vector of RFC 6979 on secp256k1.
KNOWN_SIGNATURE = (
    0x934B1EA10A4B3C1757E2B0C017D0B6143CE3C9A7E6A4A49860D7A6AB210EE3D8,
    0x2442CE9D2B916064108014783E923EC36B49743E2FFA1C4496F01A512AAFD9E5,
    1,
)


def _extensions(package: str, stem: str) -> Iterator[Path]:
    """Compiled files `stem*` of an installed package, found without importing it."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return
    if spec is None:
        return
    if spec.submodule_search_locations is None and spec.origin is not None:
        yield Path(spec.origin)
        return
    for folder in spec.submodule_search_locations or ():
        for file in sorted(Path(folder).glob(stem + "*")):
            if file.suffix in (".so", ".pyd", ".dylib"):
                yield file


def _by_ctypes(file: str) -> Lookup | None:
    """Exported functions of a shared library, or None if it does not open."""
    try:
        library = ctypes.CDLL(file)
    except OSError:
        return None

    def lookup(symbol: str) -> int:
        try:
            return ctypes.cast(getattr(library, symbol), ctypes.c_void_p).value or 0
        except AttributeError:
            return 0

    return lookup


def _by_cffi() -> Lookup | None:
    """coincurve's functions through cffi, for platforms where its extension does not export them."""
    try:
        from coincurve._libsecp256k1 import ffi, lib
    except ImportError:
        return None

    def lookup(symbol: str) -> int:
        try:
            return int(ffi.cast("uintptr_t", ffi.addressof(lib, symbol)))
        except AttributeError:
            return 0

    return lookup


def _providers(package: str) -> Iterator[Lookup]:
    """Where a package's functions may come from, best first."""
    suffix = {"darwin": "dylib", "win32": "dll"}.get(sys.platform, "so")
    if package == "coincurve":
        files = [*map(str, _extensions("coincurve", "_libsecp256k1"))]
        fallbacks = [f"libsecp256k1.{suffix}", *(f"libsecp256k1.so.{n}" for n in (6, 5, 2, 1, 0) if suffix == "so")]
    else:
        files = [*map(str, _extensions("ckzg", "ckzg"))]
        fallbacks = []
    yield from filter(None, map(_by_ctypes, files))
    if package == "coincurve" and files:
        cffi = _by_cffi()
        if cffi is not None:
            yield cffi
    yield from filter(None, map(_by_ctypes, fallbacks))


def _set_all(core: Core, symbols: list[str], lookup: Lookup) -> bool:
    """Hand a provider's addresses to the core; False, and nothing set, if one is missing."""
    addresses = [lookup(symbol) for symbol in symbols]
    if 0 in addresses:
        return False
    for symbol, address in zip(symbols, addresses):
        core.set_native_symbol(symbol, address)
    return True


def _answers_right(core: Core, package: str) -> bool:
    if package == "coincurve":
        digest, key = hashlib.sha256(b"Satoshi Nakamoto").digest(), (1).to_bytes(32, "big")
        if core.sign_hash(digest, key) != KNOWN_SIGNATURE:
            return False
    return all(
        core.run_precompile(address, bytes.fromhex(given)) == bytes.fromhex(expected)
        for owner, address, given, expected in KNOWN_ANSWERS
        if owner == package
    )


def install(core: Core) -> list[str]:
    """Resolve and check every native function; return the packages that are missing.

    Called once, when evmcore is imported, before any work starts. Takes a few milliseconds.
    A name in the result is what to install; the message of `PrecompileUnavailable` says so.
    """
    by_package: dict[str, list[str]] = {}
    for symbol, package in core.native_symbols():
        by_package.setdefault(package, []).append(symbol)
    missing = []
    for package, symbols in by_package.items():
        for lookup in _providers(package):
            if _set_all(core, symbols, lookup):
                if _answers_right(core, package):
                    break
                for symbol in symbols:
                    core.set_native_symbol(symbol, 0)
        else:
            missing.append(package)
    return missing
