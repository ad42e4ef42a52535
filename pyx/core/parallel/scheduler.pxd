from libc.stdint cimport uint8_t, uint32_t
from libcpp cimport bool as cbool

cdef extern from "core/parallel/scheduler.hpp" namespace "evmcore" nogil:
    cdef enum class Claim "evmcore::Scheduler::Claim"(uint8_t):
        EXECUTE
        FALLBACK
        DONE
    cppclass Scheduler:
        Scheduler()
        cbool reset(uint32_t count, uint32_t window)
        Claim claim(int worker, uint32_t* first, uint32_t* end)
        void set_executed(uint32_t)
        cbool try_begin_commit()
        cbool ready(uint32_t* index)
        void advance(cbool was_aborted)
        void end_commit()
        void finish_fallback(uint32_t end)
        void stop()
