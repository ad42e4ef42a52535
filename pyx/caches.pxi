# Floor 8: what the process keeps between calls, as figures, and letting go of it.
from core.crypto.ethash cimport ethash_figures, EthashFigures, ethash_forget
from core.parallel.engine_cache cimport end_idle, idle_figures, IdleFigures
from core.state.code_cache cimport shared_codes


def cache_figures():
    """{name: (entries, limit, bytes, limit_bytes)} of the process's caches: see `evmcore.caches`."""
    cdef IdleFigures idle = idle_figures()
    cdef EthashFigures epochs = ethash_figures()
    codes, size, limit_bytes, _, _ = code_cache_figures()
    return {
        "codes": (codes, None, size, limit_bytes),
        "machines": (idle.machines, idle.machines_most, None, None),
        "workers": (idle.workers, idle.workers_most, None, None),
        "nodes": kept_node_figures(),
        "ethash": (epochs.caches, epochs.caches_most, epochs.bytes, None),
    }


def empty_caches():
    """Let go of what the process keeps between calls and nobody uses: idle machines and workers with their threads, codes that no state
    holds, encoded nodes, Ethash caches. It comes back as it is needed; no result changes. Safe to call from any thread, beside any work."""
    with nogil:
        end_idle()
        ethash_forget()
    forget_kept_nodes()
    if not shared_codes().empty():
        raise errors.EvmError(_HELD_LOCK)
