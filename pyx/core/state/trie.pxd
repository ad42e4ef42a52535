from libcpp cimport bool as cbool

from core.base.poll cimport Poll
from core.base.types cimport ByteView, Hash

cdef extern from "core/state/trie.hpp" namespace "evmcore" nogil:
    cbool c_ordered_trie_root "evmcore::ordered_trie_root"(const ByteView* items, size_t n, Hash* root, Poll* poll)
