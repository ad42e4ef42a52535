cdef extern from "core/base/clock.hpp" namespace "evmcore" nogil:
    double evmcore_seconds "evmcore::seconds_now"()
