from libcpp cimport bool as cbool

from core.base.types cimport ByteView, Hash
from core.state.shared_trie cimport Ref

cdef extern from "core/state/trie_proof.hpp" namespace "evmcore" nogil:
    cppclass ProofResult:
        const char* fault
        size_t index
        cbool has_hash
        Hash hash
        ByteView value
    ProofResult check_proof(const Hash& root, const Hash& key, const ByteView* nodes, size_t count)
    cppclass PartialTrie:
        cbool add(ByteView node)
        cbool build(const Hash& root, Ref* out)
        const char* fault
        Hash fault_node
