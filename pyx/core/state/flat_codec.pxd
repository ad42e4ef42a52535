cdef extern from "core/state/flat_codec.hpp" namespace "evmcore" nogil:
    cppclass DecodedState:
        const char* fault
        size_t offset
