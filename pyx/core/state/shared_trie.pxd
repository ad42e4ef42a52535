from libc.stdint cimport uint8_t
from libcpp cimport bool as cbool

from core.base.types cimport Bytes, Hash

cdef extern from "core/state/shared_trie.hpp" namespace "evmcore::shared_trie" nogil:
    cppclass Node:
        pass
    cppclass Leaf(Node):
        const Node* storage()
    cppclass Ref:
        const Node* get()
        void reset()
        Ref share()
    cppclass MissingNode:
        cbool is_missing
        uint8_t depth
        Hash hash
        Hash path
    cppclass NodeSource:
        NodeSource()
    cbool is_free_long(const Node* root)
    size_t trie_size_bytes "evmcore::shared_trie::size_bytes"(const Node* root)
    cbool cut_trie "evmcore::shared_trie::cut"(const Ref& trie, size_t most_bytes, Ref* out)
    const Leaf* find_leaf "evmcore::shared_trie::find"(const Node* root, const Hash& key, MissingNode* missing)
    cppclass NodePath:
        const Node* nodes[65]
        size_t count
        const Leaf* leaf
    size_t UPPERMOST
    const Hash* hash_of_node "evmcore::shared_trie::hash_of"(const Node*)
    cbool find_path(const Node* root, const Hash& key, NodePath* path, MissingNode* missing)
    cppclass NodeEncoding:
        NodeEncoding(const Node*)
        size_t size()
        void put(uint8_t* out)
    cbool leaf_value "evmcore::shared_trie::value_of"(const Leaf* leaf, Bytes* out)
    cbool make_unknown_root "evmcore::shared_trie::make_unknown_root"(const Hash& hash, Ref* out)
    Hash trie_root_hash "evmcore::shared_trie::root_hash"(const Node* root)
