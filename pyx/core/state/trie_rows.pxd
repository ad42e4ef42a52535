from libcpp cimport bool as cbool

from core.base.poll cimport Poll
from core.base.types cimport Bytes
from core.state.local_reads cimport LocalReads
from core.state.shared_trie cimport Node

cdef extern from "core/state/trie_rows.hpp" namespace "evmcore" nogil:
    cbool c_unsaved_nodes "evmcore::unsaved_nodes"(const Node* root, const LocalReads* local, Poll* poll, Bytes* out)
