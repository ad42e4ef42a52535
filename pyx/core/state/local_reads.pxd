from libc.stdint cimport uint32_t
from libcpp cimport bool as cbool

from core.base.status cimport Status
from core.base.types cimport Address, Hash
from core.state.local_source cimport EvmcoreLocalSource
from core.state.shared_trie cimport NodeSource, Ref
from core.state.view cimport AccountState

cdef extern from "core/state/local_reads.hpp" namespace "evmcore" nogil:
    cppclass LocalReads:
        LocalReads(const EvmcoreLocalSource&, cbool is_part)
        Status account(const Address&, AccountState*)
        NodeSource nodes()
        void set_trie(const Ref&)
        cbool has_failed()
        void fault(char* text, size_t size)
