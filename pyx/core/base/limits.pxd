cdef extern from "core/base/limits.hpp" namespace "evmcore::limit" nogil:
    const size_t CODE_BYTES_MOST "evmcore::limit::CODE_BYTES"
