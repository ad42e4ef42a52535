from libc.stdint cimport uint32_t
from libcpp cimport bool as cbool

from core.base.types cimport Hash
from core.state.local_source cimport EvmcoreLocalSource

cdef extern from "core/state/local_reads.hpp" namespace "evmcore" nogil:
    cppclass LocalReads:
        LocalReads(const EvmcoreLocalSource&)
        cbool has_failed()
        void fault(char* text, size_t size)
