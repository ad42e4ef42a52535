from libcpp cimport bool as cbool

from core.base.poll cimport Poll
from core.base.types cimport Bytes, Hash
from core.base.vector cimport Vector
from core.state.local_reads cimport LocalReads
from core.state.shared_trie cimport MissingNode, Node, NodeSource, Ref

cdef extern from "core/state/trie_rows.hpp" namespace "evmcore" nogil:
    cppclass TrieDifference:
        TrieDifference(const NodeSource&, Poll*)
        cbool find(const Node* before, const Node* after)
        Bytes rows
        MissingNode missing
        cbool is_in_storage
        Hash account
    cbool read_ways(const Ref& trie, LocalReads* local, const Hash& account, const Vector[Hash]& slots, Ref* out,
                    MissingNode* missing, cbool* in_storage)
