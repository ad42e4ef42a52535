from libcpp cimport bool as cbool

from core.base.poll cimport Poll
from core.base.types cimport Hash
from core.state.shared_trie cimport MissingNode, Node, NodeSource, Ref
from core.state.trie_rows cimport TrieDifference

cdef extern from "core/state/cell_rows.hpp" namespace "evmcore" nogil:
    cppclass AccountCells:
        pass
    cppclass SlotCells:
        pass
    cppclass CellRows:
        CellRows(Poll*)
        cbool open(const AccountCells*, size_t, const SlotCells*, size_t)
        cbool apply(const Ref& before, const NodeSource& source, Ref* known, Ref* after)
        const char* check(const Node* before, const Node* after, const TrieDifference& difference)
        const char* fault
        MissingNode missing
        cbool is_in_storage
        Hash account
        cbool failed
