"""What the tests of stores share. Who imports this is skipped without libmdbx."""

from __future__ import annotations

import pytest

pytest.importorskip("mdbx", reason="libmdbx is not installed; it has no package for this Python or machine")

from evmcore.store import Store, StoredChain


def grown(path, genesis, blocks, **options) -> Store:
    """A store with these blocks."""
    store = Store(path, genesis=genesis, **options)
    chain = StoredChain(store, genesis)
    for encoded in blocks:
        chain.add(encoded)
    return store
