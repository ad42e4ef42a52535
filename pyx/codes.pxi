# Floor 8: the process's cache of codes.
from core.state.code_cache cimport CodeCacheFigures, shared_codes


cdef uint64_t MAX_CODE_CACHE_BYTES = <uint64_t>1 << 48
_HELD_LOCK = "the code cache is in use by a thread that this process, which was forked, doesn't have"


def code_cache_figures():
    """(codes, bytes, limit_bytes, hits, misses) of the process's code cache: see `evmcore.code_cache_info`."""
    cdef CodeCacheFigures figures
    if not shared_codes().figures(&figures):
        raise errors.EvmError(_HELD_LOCK)
    return figures.codes, figures.bytes, figures.limit_bytes, figures.hits, figures.misses


def set_code_cache_limit(limit_bytes):
    """Bound the process's cache of contract codes: how many bytes it may keep, codes and their jump tables together.

    limit_bytes  0 to 2**48; codes that no state holds go at once where there are more. 0 keeps none
    """
    cdef uint64_t value = to_u64(limit_bytes, "limit_bytes")
    if value > MAX_CODE_CACHE_BYTES:
        raise ValueError(f"limit_bytes: {value} is more than {MAX_CODE_CACHE_BYTES}")
    if not shared_codes().set_limit(value):
        raise errors.EvmError(_HELD_LOCK)
