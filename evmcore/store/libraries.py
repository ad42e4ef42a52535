"""Finds libmdbx and hands its functions to the store's compiled half, once."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

from . import _mdbx
from .faults import StoreError

__all__ = ["load_mdbx"]

_loaded: list[ctypes.CDLL] = []


def _files() -> Iterator[str]:
    """Where libmdbx may be: in the package `libmdbx` (whose module is `mdbx`), then the system's."""
    spec = importlib.util.find_spec("mdbx")
    name = "libmdbx.dylib" if sys.platform == "darwin" else "libmdbx.so"
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        file = Path(folder) / "lib" / name
        if file.exists():
            yield str(file)
    found = ctypes.util.find_library("mdbx")
    if found is not None:
        yield found


def load_mdbx() -> None:
    """Once a process. Raises StoreError if there is no libmdbx, or one that lacks a function."""
    if _loaded:
        return
    lacking = ""
    for file in _files():
        try:
            library = ctypes.CDLL(file)
            addresses = {
                name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0 for name in _mdbx.symbols()
            }
        except (OSError, AttributeError) as error:
            lacking = f" ({file}: {error})"
            continue
        for name, address in addresses.items():
            _mdbx.set_address(name, address)
        _loaded.append(library)
        return
    raise StoreError(f"store: libmdbx is not there{lacking}; install the package 'libmdbx' (evmcore[store])")
