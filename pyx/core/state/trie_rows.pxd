from libcpp cimport bool as cbool

from core.base.poll cimport Poll
from core.base.types cimport Bytes, Hash
from core.base.vector cimport Vector
from core.state.local_reads cimport LocalReads
from core.state.shared_trie cimport MissingNode, Node, Ref

cdef extern from "core/state/trie_rows.hpp" namespace "evmcore" nogil:
    cbool c_unsaved_nodes "evmcore::unsaved_nodes"(const Node* root, const LocalReads* local, Poll* poll, Bytes* out)
    cbool read_ways(const Ref& trie, LocalReads* local, const Hash& account, const Vector[Hash]& slots, Ref* out,
                    MissingNode* missing, cbool* in_storage)
