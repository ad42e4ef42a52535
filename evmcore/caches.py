"""What the process keeps between calls, with its bounds."""

from __future__ import annotations

from typing import NamedTuple

from . import _core

__all__ = ["CacheFigures", "caches"]


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
    ethash    caches of Ethash's epochs, for the check of proofs of work

    All else belongs to an object: recovered senders to their Transaction, tries and layers to their State.
    """
    return {name: CacheFigures(*figures) for name, figures in _core.cache_figures().items()}
