from libcpp cimport bool as cbool

from core.base.types cimport Bytes, ByteView, Hash
from core.base.vector cimport Vector
from core.state.shared_trie cimport Node, Ref

cdef extern from "core/state/trie_proof.hpp" namespace "evmcore" nogil:
    cppclass ProofResult:
        const char* fault
        size_t index
        cbool has_hash
        Hash hash
        ByteView value
    ProofResult check_proof(const Hash& root, const Hash& key, const ByteView* nodes, size_t count)
    cbool encode_known(const Node* root, Vector[Bytes]* out)
    cppclass PartialTrie:
        cbool add(const ByteView* nodes, size_t count)
        cbool build(const Hash& root, Ref* out)
        const char* fault
        Hash fault_node
