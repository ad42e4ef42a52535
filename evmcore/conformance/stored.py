"""Chains that are kept in a store: what a test imports has to be on disk, whole, when the store is opened again, and it can be taken back."""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ..chain.genesis import Genesis
from ..chain.importer import Chain
from ..errors import EvmError
from ..header import Header
from ..statistics import Strategy

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["StoreFault", "run_in_store"]

# Where files are memory: a commit's way to the disk is no matter here, and takes longer than all else.
_MEMORY = "/dev/shm"
# Enough for a test's rows; memory for more takes longer to get than a test does.
_CACHE_BYTES = 1 << 20
# How much of its commits a store holds back from its tables: none, so little that some blocks are in both, all of it.
_JOURNAL_BYTES = (0, 2000, 1 << 20)


class StoreFault(Exception):
    """A store isn't what was put into it. Not an EvmError: no test wants a block refused for it."""


def run_in_store(
    name: str, genesis: Genesis, workers: int | None, strategy: Strategy, imports: Callable[[Chain], None]
) -> Header:
    """Call `imports` with a chain that is kept in a store of its own; then look through the store. The head's header.

    name    of the test; says how much of it is in the store's journal
    raise   StoreFault; what `imports` raises
    """
    from ..store import Store, StoredChain

    journal_bytes = _JOURNAL_BYTES[zlib.crc32(name.encode()) % len(_JOURNAL_BYTES)]
    opened = partial(Store, genesis=genesis, journal_bytes=journal_bytes, cache_bytes=_CACHE_BYTES)
    in_memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="evmcore-store-", dir=in_memory) as folder:
        with opened(folder) as store:
            chain = StoredChain(store, genesis, workers=workers, strategy=strategy)
            imports(chain)
            head = chain.head.header
            del chain  # and the state that it holds
        try:
            with opened(folder) as store:
                _hold(store, head)
                store.rewind(store.oldest_height)
                _hold(store, store.header())
        except EvmError as error:
            raise StoreFault(f"the store, opened again: {type(error).__name__}: {error}") from None
    return head


def _hold(store: Store, head: Header) -> None:
    """Everything in the store against everything else, and its head against this one."""
    from ..store.upkeep import check

    if store.hash_of() != head.hash:
        raise StoreFault(f"the store's head is 0x{store.hash_of().hex()}, wants 0x{head.hash.hex()}")
    root = store.state().root()
    if root != head.state_root:
        raise StoreFault(f"the state root in the store is 0x{root.hex()}, wants 0x{head.state_root.hex()}")
    faults: list[str] = []
    if check(store, faults.append):
        raise StoreFault(f"the store at height {store.height}: {faults[0]}; faults: {len(faults)}")
