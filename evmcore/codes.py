"""The process's cache of contract codes, by hash: each is kept, and analysed for jumps, once for all states."""

from __future__ import annotations

from typing import NamedTuple

from . import _core


class CodeCacheInfo(NamedTuple):
    """Figures of the cache of contract codes.

    codes        codes in it
    bytes        that they take, with their jump tables
    limit_bytes  that they may take: 64 MiB, unless `set_code_cache_limit` said otherwise
    hits         codes given to a state that were in it already
    misses       codes given to a state that weren't
    """

    codes: int
    bytes: int
    limit_bytes: int
    hits: int
    misses: int


def code_cache_info() -> CodeCacheInfo:
    """Figures of the process's cache of contract codes.

    A code that a state is given is looked up by its keccak-256: one that another state of the process has, or had lately, isn't
    copied, and isn't analysed for jump destinations again. It holds no results and changes none.
    """
    return CodeCacheInfo(*_core.code_cache_figures())
