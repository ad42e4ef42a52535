"""What the process keeps between calls, with its bounds."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import NamedTuple, Protocol

from . import _core
from .locks import lock_of_process

__all__ = ["CacheFigures", "add_cache", "add_cache_of_objects", "caches", "empty_caches"]


class CacheFigures(NamedTuple):
    """Figures of one of the process's caches; None: there is no such bound, or nobody knows.

    entries      that are kept
    limit        how many may be kept
    bytes        that they take
    limit_bytes  that they may take
    """

    entries: int
    limit: int | None
    bytes: int | None
    limit_bytes: int | None


def caches() -> dict[str, CacheFigures]:
    """What the process keeps between calls, by name. `empty_caches` lets go of it.

    codes     contract codes with their jump tables, by hash (`code_cache_info`, `set_code_cache_limit`)
    machines  idle interpreters with their memory, each for a call of one thread
    workers   idle workers of parallel execution, with their threads and memory. One engine stays beyond the limit, however large
    nodes     encodings of trie nodes near a root, for proofs
    ethash    caches of Ethash's epochs, for the check of proofs of work

    Parts of the package that keep something, too, add theirs when they are imported: evmcore.layers `layer_codes`, the codes that a layer
    was sent, and `admitted_transactions`; evmcore.chain `proposed_blocks`. All else belongs to an object: recovered senders to their Transaction, tries and layers to their State.
    """
    found = {name: CacheFigures(*figures) for name, figures in _core.cache_figures().items()}
    return found | {name: figures() for name, (figures, _) in _added.items()}


def empty_caches() -> None:
    """Let go of what the process keeps between calls and nobody uses: idle machines and workers with their threads, codes that no state
    holds, Ethash caches, and what layers keep. It comes back as it is needed; no result changes. Safe to call from any thread, beside any
    work."""
    _core.empty_caches()
    for _, empty in list(_added.values()):
        empty()


_added: dict[str, tuple[Callable[[], CacheFigures], Callable[[], None]]] = {}


def add_cache(name: str, figures: Callable[[], CacheFigures], empty: Callable[[], None]) -> None:
    """Have `caches` show one more, and `empty_caches` empty it. Both functions may be called from any thread."""
    _added[name] = figures, empty


class Keeper(Protocol):
    """An object that keeps up to `most` entries."""

    @property
    def most(self) -> int: ...
    def __len__(self) -> int: ...
    def clear(self) -> None: ...


def add_cache_of_objects(name: str) -> Callable[[Keeper], None]:
    """Have `caches` show one more, which is what all objects of a kind keep. Each that is made is given to the function that this
    returns, which holds it weakly."""
    lock = lock_of_process()  # a set can't be gone through while another thread adds to it
    every: weakref.WeakSet[Keeper] = weakref.WeakSet()

    def add(keeper: Keeper) -> None:
        with lock:
            every.add(keeper)

    def alive() -> list[Keeper]:
        with lock:
            return list(every)

    def figures() -> CacheFigures:
        each = alive()
        return CacheFigures(sum(map(len, each)), sum(one.most for one in each), None, None)

    def empty() -> None:
        for each in alive():
            each.clear()

    add_cache(name, figures, empty)
    return add
