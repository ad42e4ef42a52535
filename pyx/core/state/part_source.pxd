from libcpp cimport bool as cbool

from core.base.types cimport ByteView, Hash
from core.state.local_source cimport EvmcoreLocalSource
from core.state.shared_trie cimport Ref

cdef extern from "core/state/part_source.hpp" namespace "evmcore" nogil:
    cppclass PartSource:
        @staticmethod
        PartSource* create(const Ref& trie)
        cbool add_code(ByteView code, const Hash& hash)
        EvmcoreLocalSource table()
        void release()
