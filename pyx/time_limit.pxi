# Floor 7: how long a thread's work may take: the limits that are open on it, of which the shortest holds.
from core.base.clock cimport evmcore_seconds

cdef extern from *:
    """
    // An open limit, in its object. All of this is read and written with the GIL.
    struct EvmcoreLimits;
    struct EvmcoreLimit {
        double until = 0;                 // of evmcore_seconds
        EvmcoreLimits* thread = nullptr;  // whose it is; null: it isn't open
        EvmcoreLimit* next = nullptr;
    };
    // Those of one thread, which has a pointer to it. It goes with the last of them, unless another thread ends that one.
    struct EvmcoreLimits {
        EvmcoreLimit* first = nullptr;
    };
    static Py_tss_t evmcore_limits_key = Py_tss_NEEDS_INIT;
    static int evmcore_prepare_limits() noexcept { return evmcore_done(PyThread_tss_create(&evmcore_limits_key) == 0); }

    // When this thread's work has to end; 0: whenever it is done.
    static double evmcore_deadline() noexcept {
        const auto* limits = static_cast<const EvmcoreLimits*>(PyThread_tss_get(&evmcore_limits_key));
        double least = 0;
        for (const EvmcoreLimit* at = limits == nullptr ? nullptr : limits->first; at != nullptr; at = at->next)
            if (least == 0 || at->until < least)
                least = at->until;
        return least;
    }
    static bool evmcore_open_limit(EvmcoreLimit* limit, double until) noexcept {
        auto* limits = static_cast<EvmcoreLimits*>(PyThread_tss_get(&evmcore_limits_key));
        if (limits == nullptr) {
            limits = new (std::nothrow) EvmcoreLimits;
            if (limits == nullptr || PyThread_tss_set(&evmcore_limits_key, limits) != 0) {
                delete limits;
                return false;
            }
        }
        *limit = {until, limits, limits->first};
        limits->first = limit;
        return true;
    }
    static void evmcore_close_limit(EvmcoreLimit* limit) noexcept {
        EvmcoreLimits* limits = limit->thread;
        if (limits == nullptr)
            return;
        for (EvmcoreLimit** at = &limits->first; *at != nullptr; at = &(*at)->next)
            if (*at == limit) {
                *at = limit->next;
                break;
            }
        *limit = {};
        if (limits->first == nullptr && PyThread_tss_get(&evmcore_limits_key) == limits &&
            PyThread_tss_set(&evmcore_limits_key, nullptr) == 0)
            delete limits;
    }
    """
    cppclass EvmcoreLimit:
        void* thread
    int evmcore_prepare_limits() except -1
    double evmcore_deadline() noexcept
    cbool evmcore_open_limit(EvmcoreLimit*, double) noexcept
    void evmcore_close_limit(EvmcoreLimit*) noexcept


evmcore_prepare_limits()


cdef class TimeLimit:
    """What `evmcore.time_limit` gives. Its methods are native: no signal comes between the limit and the block of its `with`."""
    cdef EvmcoreLimit core
    cdef readonly double seconds

    def __init__(self, double seconds):
        self.seconds = seconds

    def __enter__(self):
        if self.core.thread != NULL:
            raise errors.UnusableInput("time_limit: it is open already")
        if not evmcore_open_limit(&self.core, evmcore_seconds() + self.seconds):
            raise MemoryError("a thread's time limit")

    def __exit__(self, *error):
        evmcore_close_limit(&self.core)

    def __dealloc__(self):
        evmcore_close_limit(&self.core)
