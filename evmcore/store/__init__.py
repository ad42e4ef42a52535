"""A chain that lasts: its state and its blocks on disk, in libmdbx (`pip install evmcore[store]`)."""

from .chain import StoredChain
from .faults import StoreError
from .store import Store

__all__ = ["Store", "StoreError", "StoredChain"]
