// Merkle Patricia tries of immutable, reference-counted nodes: a copy of a trie is a reference to its root, and k changes cost
// k · log(n) new nodes, while others may hold the old ones. Keys are 32 bytes, hashed already (a secure trie).
// A node of which only the hash is known stands for all that is below it: what needs to look inside fails and says which one.
// Depends on trie_node. Any thread may read nodes and hold references; a node is written only while one thread alone has it.
// Yellow Paper, appendix D.
#pragma once

#include <atomic>

#include "../base/poll.hpp"
#include "../base/types.hpp"
#include "trie_node.hpp"

namespace evmcore {

namespace shared_trie {

using trie_node::CHILDREN;
using trie_node::Reference;

constexpr unsigned KEY_NIBBLES = 64;

enum class NodeKind : uint8_t { LEAF, EXTENSION, BRANCH, UNKNOWN };

enum NodeFlags : uint8_t {
    HAS_STORAGE = 1,  // leaf: the root node of the account's storage lies before the value
    ENDS_EMPTY = 2,   // leaf: the value's last 66 bytes are those of an account without storage and code, and are not kept
};

struct Node {
    mutable std::atomic<uint32_t> references;
    NodeKind kind;
    uint8_t depth;  // nibbles before it
    uint8_t flags;
    // How a parent names it. Size 0: fresh, that is not hashed yet and nobody else's. An UNKNOWN node has a hash.
    Reference reference;
};
static_assert(sizeof(Node) == 40);

struct Leaf : Node {
    uint8_t key[32];

    const Node* storage() const noexcept;
    // Without the end that ENDS_EMPTY stands for.
    ByteView kept_value() const noexcept {
        const uint8_t* bytes = tail() + (flags & HAS_STORAGE ? sizeof(Node*) : 0);
        return {bytes + 1, bytes[0]};
    }
    const uint8_t* tail() const noexcept { return reinterpret_cast<const uint8_t*>(this + 1); }
    uint8_t* tail() noexcept { return reinterpret_cast<uint8_t*>(this + 1); }
};

struct Extension : Node {
    const Node* child;  // a branch, or unknown
    uint8_t end;        // nibbles before the child
    uint8_t key[32];    // of which the first `end` nibbles count
};

// Processors have an instruction for it, but not all that this is compiled for.
constexpr unsigned count_bits(unsigned mask) noexcept {
    mask = (mask & 0x5555) + (mask >> 1 & 0x5555);
    mask = (mask & 0x3333) + (mask >> 2 & 0x3333);
    mask = (mask & 0x0f0f) + (mask >> 4 & 0x0f0f);
    return (mask & 0xff) + (mask >> 8);
}

struct Branch : Node {
    uint16_t mask;  // which children there are: two at least
    uint16_t unused;
    uint32_t units;  // memory of all that is below it and itself, in units of 16 bytes; UINT32_MAX: that or more

    const Node** children() noexcept { return reinterpret_cast<const Node**>(this + 1); }
    const Node* const* children() const noexcept { return reinterpret_cast<const Node* const*>(this + 1); }
    bool has(unsigned nibble) const noexcept { return mask >> nibble & 1; }
    unsigned count() const noexcept { return count_bits(mask); }
    unsigned place_of(unsigned nibble) const noexcept { return count_bits(mask & ((1u << nibble) - 1)); }
    const Node* child(unsigned nibble) const noexcept { return has(nibble) ? children()[place_of(nibble)] : nullptr; }
};
static_assert(sizeof(Branch) == 48 && sizeof(Leaf) == 72);

inline const Leaf* as_leaf(const Node* node) noexcept { return static_cast<const Leaf*>(node); }
inline const Extension* as_extension(const Node* node) noexcept { return static_cast<const Extension*>(node); }
inline const Branch* as_branch(const Node* node) noexcept { return static_cast<const Branch*>(node); }

void free_node(const Node* node) noexcept;

// A reference to a node, or to none: the empty trie.
class Ref {
public:
    Ref() noexcept = default;
    Ref(Ref&& other) noexcept : node_{other.take()} {}
    Ref& operator=(Ref&& other) noexcept {
        const Node* taken = other.take();
        reset();
        node_ = taken;
        return *this;
    }
    Ref(const Ref&) = delete;  // sharing says so
    Ref& operator=(const Ref&) = delete;
    ~Ref() { reset(); }

    static Ref own(const Node* node) noexcept {
        Ref ref;
        ref.node_ = node;
        return ref;
    }
    static Ref share(const Node* node) noexcept {
        if (node != nullptr)
            node->references.fetch_add(1, std::memory_order_relaxed);  // the caller holds one
        return own(node);
    }
    Ref share() const noexcept { return share(node_); }

    const Node* get() const noexcept { return node_; }
    const Node* operator->() const noexcept { return node_; }
    explicit operator bool() const noexcept { return node_ != nullptr; }
    const Node* take() noexcept {
        const Node* node = node_;
        node_ = nullptr;
        return node;
    }
    void reset() noexcept {
        const Node* node = take();
        // What other owners did happens before the last one frees it.
        if (node != nullptr && node->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
            free_node(node);
    }
    // Whether nobody else holds the node. Acquire: what others did with it is done.
    bool is_unique() const noexcept { return node_->references.load(std::memory_order_acquire) == 1; }

private:
    const Node* node_ = nullptr;
};

// What to set a key to. An empty value erases.
struct Change {
    Hash key;
    ByteView value;                 // 255 bytes at the most
    const Node* storage = nullptr;  // of the value of an account; borrowed
};

// A node that was needed and of which only the hash is known.
struct MissingNode {
    bool is_missing = false;
    uint8_t depth = 0;  // nibbles of its path
    Hash hash{};
    Hash path{};  // the first `depth` nibbles of the keys below it
    void set(const Node* node, const uint8_t* key, unsigned depth) noexcept;
};

// Where nodes are of which only the hash is known. `read` gives the RLP of a node, by its place, to any thread; false: it isn't there, or
// there is no memory. `account`: in whose storage trie; null: in the accounts'.
struct NodeSource {
    void* context = nullptr;
    bool (*read)(void* context, const Hash* account, const uint8_t* path, unsigned depth, Bytes* out) noexcept = nullptr;
};

// A key, and below its leaf the keys of its account's storage.
struct Way {
    Hash key;
    const Hash* slots = nullptr;  // ascending
    size_t slot_count = 0;
};

// Makes new tries out of old ones, in one thread. Once it has failed all that it gives is of no use but to be let go.
class Writer {
public:
    explicit Writer(Poll* poll = nullptr) noexcept : poll_{poll} {}
    // Nodes that it needs are read from there. `account`: whose storage is written; null: the accounts' trie.
    void read_from(const NodeSource& source, const Hash* account) noexcept {
        source_ = source;
        account_ = account;
    }

    // Hashes leaves as they are made, for a trie that is made from nothing. The caller flushes it before the trie is used, and not at
    // all if the writer has failed.
    void hash_leaves(trie_node::Hasher* hasher) noexcept { hasher_ = hasher; }

    // The trie `old` with the changes [first, last), whose keys ascend and share their first `depth` nibbles, below which the
    // trie lies. It takes over nodes that nobody else holds: who wants to keep the old trie shares it first.
    Ref update(Ref old, const Change* first, const Change* last, unsigned depth = 0) noexcept;
    // The same trie, in which the nodes on the ways to these keys are known: they ascend and share their first `depth` nibbles. Those
    // that were known stay the same objects.
    Ref expand(Ref old, const Hash* first, const Hash* last, unsigned depth = 0) noexcept;
    Ref expand(Ref old, const Way* first, const Way* last, unsigned depth = 0) noexcept;
    // A node of which only the hash may be known, itself; where that fails, `missing` says so. The key leads to it.
    Ref known(Ref node, const uint8_t* key, unsigned depth) noexcept;
    // The node at `depth` of a trie with these below it; `key` has the nibbles before.
    Ref join(Ref children[CHILDREN], const uint8_t* key, unsigned depth) noexcept;

    Ref make_leaf(const Change& change, unsigned depth) noexcept;
    Ref make_extension(const uint8_t* key, unsigned depth, unsigned end, Ref child) noexcept;
    Ref make_unknown(const Hash& hash) noexcept;
    Ref copy_branch(const Branch* old, Ref children[CHILDREN]) noexcept { return make_branch(children, old->depth); }
    // The same leaf, over the same storage as another object.
    Ref with_storage(const Leaf* old, Ref storage) noexcept;

    bool failed() const noexcept { return is_out_of_memory || is_stopped || missing.is_missing; }

    bool is_out_of_memory = false;
    bool is_stopped = false;  // by the poll
    MissingNode missing;
    const Hash* missing_account = nullptr;  // of `expand` with Ways: in whose storage it is, a key of theirs

private:
    template <class Key>
    Ref expand_below(Ref old, const Key* first, const Key* last, unsigned depth) noexcept;
    Ref expand_leaf(Ref leaf, const Hash*, const Hash*) noexcept { return leaf; }
    Ref expand_leaf(Ref leaf, const Way* first, const Way* last) noexcept;
    Ref build(Ref leaf, const Change* first, const Change* last, unsigned depth) noexcept;
    Ref update_extension(Ref old, const Change* first, const Change* last, unsigned depth) noexcept;
    Ref update_branch(Ref old, const Change* first, const Change* last, unsigned depth) noexcept;
    Ref begin_at(Ref node, const uint8_t* key, unsigned depth) noexcept;
    Ref make_branch(Ref children[CHILDREN], unsigned depth) noexcept;
    Ref copy_leaf(const Leaf* leaf, unsigned depth) noexcept;
    void* allocate(size_t size) noexcept;

    Poll* poll_;
    NodeSource source_;
    const Hash* account_ = nullptr;
    trie_node::Hasher* hasher_ = nullptr;
};

// A branch's children, or those of the empty trie; taken out of it if nobody else holds it.
void split(Ref branch, Ref children[CHILDREN]) noexcept;

// Hashes all fresh nodes below and at these roots (null: none). False without memory, or when the poll stopped it: what is
// not hashed then stays fresh.
[[nodiscard]] bool hash_fresh(const Ref* roots, size_t count, Poll* poll = nullptr) noexcept;

// Encodes a fresh node, whose hash or short form comes with the hasher's flush. Those below are hashed.
void submit(const Node* node, trie_node::Hasher* hasher) noexcept;

// The root of a trie that is hashed.
Hash root_hash(const Node* root) noexcept;

// The leaf of a key; null where there is none, or where a node was missing.
const Leaf* find(const Node* root, const Hash& key, MissingNode* missing) noexcept;
// The path from a root towards a key: the root, and the nodes that are named by their hash.
struct NodePath {
    const Node* nodes[KEY_NIBBLES + 1];
    size_t count = 0;
    const Leaf* leaf = nullptr;  // of the key, if it is there
};
// Of the uppermost nodes of a path, which those to many keys have: encodings are kept (pyx/proofs.pxi).
constexpr size_t UPPERMOST = 3;
// False where a node was missing. The memory of what the nodes' encodings read is asked for, but for the uppermost ones.
[[nodiscard]] bool find_path(const Node* root, const Hash& key, NodePath* path, MissingNode* missing) noexcept;

// By which a parent names it; null where it is named by its encoding, or isn't hashed.
inline const Hash* hash_of(const Node* node) noexcept {
    return node->reference.size == Reference::HASHED ? reinterpret_cast<const Hash*>(node->reference.bytes) : nullptr;
}

// The RLP of a node that is hashed, or may be: those below it are.
class NodeEncoding {
public:
    explicit NodeEncoding(const Node* node) noexcept;
    size_t size() const noexcept { return size_; }
    void put(uint8_t* out) const noexcept;

private:
    const Node* node_;
    size_t payload_, size_;
};

// Appends the encodings of the nodes from the root towards the key, as eth_getProof gives them (EIP-1186): those that are named by
// their hash. False without memory, or where a node was missing.
[[nodiscard]] bool prove(const Node* root, const Hash& key, Vector<Bytes>* nodes, MissingNode* missing) noexcept;

[[nodiscard]] bool encode(const Node* node, Bytes* out) noexcept;    // false without memory
[[nodiscard]] bool value_of(const Leaf* leaf, Bytes* out) noexcept;  // the same

size_t size_bytes(const Node* root) noexcept;
// Whether to let go of a reference to it takes milliseconds: nobody else holds so many of the nodes. About; constant time.
bool is_free_long(const Node* root) noexcept;
// The same trie, in about so much memory: what lies deepest is known by its hash alone. False without memory.
[[nodiscard]] bool cut(const Ref& trie, size_t most_bytes, Ref* out) noexcept;

// The trie of which only the root's hash is known, to be read from a source. False without memory.
[[nodiscard]] bool make_unknown_root(const Hash& hash, Ref* out) noexcept;

// What ENDS_EMPTY stands for: the RLP of an empty storage's root and of the hash of no code.
constexpr size_t EMPTY_END_BYTES = 66;
extern const uint8_t EMPTY_END[EMPTY_END_BYTES];

}  // namespace shared_trie

template <>
inline constexpr bool is_relocatable<shared_trie::Ref> = true;

}  // namespace evmcore
