from libcpp cimport bool as cbool

cdef extern from "core/parallel/pool.hpp" namespace "evmcore" nogil:
    cppclass AtomicSize "std::atomic<size_t>":
        size_t fetch_add(size_t)
        size_t load()
        void store(size_t)
    cppclass ClaimCounter:
        ClaimCounter() except +
        AtomicSize next
    cppclass WorkerPool:
        int workers()
        void run(void (*work)(void* context, int worker) noexcept, void* context)
        void start(void (*work)(void* context, int worker) noexcept, void* context)
        cbool is_done()
        void join()
