from libc.stdint cimport uint32_t, uint64_t
from libcpp cimport bool as cbool

cdef extern from "core/base/poll.hpp" namespace "evmcore" nogil:
    cppclass AtomicU64 "std::atomic<uint64_t>":
        uint64_t load()
        void store(uint64_t)
    cppclass AtomicFlag "std::atomic<bool>":
        void store(cbool)
        cbool load()
    cppclass Poll:
        AtomicFlag abort
        cbool (*hook)(void*) noexcept
        void* hook_context
        cbool poll(uint32_t)
    const uint32_t HOOK_INTERVAL "evmcore::Poll::HOOK_INTERVAL"
