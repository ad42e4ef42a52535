from libc.stdint cimport uint32_t

cdef extern from "core/state/local_source.hpp" nogil:
    cppclass EvmcoreLocalSource:
        uint32_t version
    const char* EVMCORE_LOCAL_SOURCE_CAPSULE
    const uint32_t EVMCORE_LOCAL_SOURCE_VERSION
