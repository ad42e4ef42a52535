// Trie nodes as strangers give them: reading one strictly, following a proof, and building the trie of which a set of nodes is a part.
// Depends on rlp and shared_trie. Keys are 32 bytes; time and memory are bounded by what was given. Yellow Paper, appendix D.
#pragma once

#include "../base/flat_map.hpp"
#include "../base/rlp.hpp"
#include "../math/u256.hpp"
#include "shared_trie.hpp"

namespace evmcore {

// No node of a trie with keys of 32 bytes is longer, if its values are accounts or slots: a full branch has 532.
constexpr size_t TRIE_NODE_BYTES_MOST = 1024;

struct DecodedNode {
    shared_trie::NodeKind kind;
    uint8_t path[64];  // nibbles, of a leaf or an extension
    unsigned path_size = 0;
    RlpItem item;  // value or child of these
    RlpItem children[shared_trie::CHILDREN];
    unsigned child_count = 0;
};

// Null, or what is wrong with a node that begins at `depth`.
const char* decode_trie_node(ByteView node, unsigned depth, DecodedNode* out) noexcept;

struct ProofResult {
    const char* fault = nullptr;  // null: the proof holds
    size_t index = 0;             // of the node at fault
    bool has_hash = false;
    Hash hash{};     // which that node should have
    ByteView value;  // empty: the key is absent
};

// Whether nodes, from the root towards the key, prove what the trie with that root has for the key.
ProofResult check_proof(const Hash& root, const Hash& key, const ByteView* nodes, size_t count) noexcept;

// The encodings of all nodes of a hashed trie that are known, and that somebody names by their hash; those of storage tries, too.
// False without memory.
[[nodiscard]] bool encode_known(const shared_trie::Node* root, Vector<Bytes>* out) noexcept;

// Builds the part of an account trie, storage tries below it, that is made of given nodes. What isn't given is known by its hash.
class PartialTrie {
public:
    // Copies nothing: the bytes stay where they are until `build` is done. None is longer than TRIE_NODE_BYTES_MOST. False without memory.
    [[nodiscard]] bool add(const ByteView* nodes, size_t count) noexcept;
    // False: `fault` says what is wrong, or nothing where there was no memory.
    bool build(const Hash& root, shared_trie::Ref* out) noexcept;
    // One node, that a source has at this place, and which has that hash; all below is known by its hash. Null: it is none, or no memory.
    shared_trie::Ref one(ByteView node, const Hash& hash, const uint8_t* path, unsigned depth, bool is_storage) noexcept;

    const char* fault = nullptr;
    Hash fault_node{};

private:
    struct Given {
        const uint8_t* data;
        size_t size;
        uint32_t place;  // among `built_`, from 1; 0: not built
        uint8_t depth;
        bool is_storage;
        uint8_t path[32];
    };
    struct HashHasher {  // seeded: strangers choose the nodes
        uint64_t operator()(const Hash& hash) const noexcept { return hash_value(u256_from_bytes(hash.bytes, 32)); }
    };

    shared_trie::Ref by_hash(const Hash& hash, uint8_t* path, unsigned depth, bool is_storage) noexcept;
    shared_trie::Ref node(ByteView bytes, uint8_t* path, unsigned depth, bool is_storage) noexcept;
    shared_trie::Ref child(const RlpItem& item, uint8_t* path, unsigned depth, bool is_storage) noexcept;
    shared_trie::Ref leaf(const DecodedNode& decoded, const uint8_t* path, bool is_storage, unsigned depth) noexcept;
    void fail(const char* text) noexcept {
        if (fault == nullptr && !writer_.failed())
            fault = text, fault_node = current_;
    }
    bool has_failed() const noexcept { return fault != nullptr || writer_.failed(); }

    FlatMap<Hash, Given, HashHasher> given_;
    Vector<shared_trie::Ref> built_;
    shared_trie::Writer writer_;
    Hash current_{};
};

}  // namespace evmcore
