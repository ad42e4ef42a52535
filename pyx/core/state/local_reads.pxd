from libc.stdint cimport uint32_t
from libcpp cimport bool as cbool

from core.base.types cimport Hash
from core.state.local_source cimport EvmcoreLocalSource
from core.state.shared_trie cimport NodeSource, Ref

cdef extern from "core/state/local_reads.hpp" namespace "evmcore" nogil:
    cppclass LocalReads:
        LocalReads(const EvmcoreLocalSource&)
        NodeSource nodes()
        void set_trie(const Ref&)
        cbool has_failed()
        void fault(char* text, size_t size)
