// Merkle Patricia tries: a trie that is kept and changed, and the roots of lists that are complete from the start.
// Depends on rlp and keccak. Owned by one thread at a time; nothing here locks. Yellow Paper, appendix D.
#pragma once

#include "../base/poll.hpp"
#include "../base/types.hpp"
#include "trie_node.hpp"

namespace evmcore {

// All of these are false without memory. A `poll` that is given may stop them: what they make is then of no use, and its `abort` says so.

// The root over items[0..n) under the keys rlp(0) … rlp(n - 1): transactions, receipts, withdrawals. Items are not empty.
[[nodiscard]] bool ordered_trie_root(const ByteView* items, size_t n, Hash* root, Poll* poll = nullptr) noexcept;

// The root over 32-byte keys (already hashed, if the trie is a secure one) in strictly ascending order, values not empty.
[[nodiscard]] bool trie_root_of_sorted(const Hash* keys, const ByteView* values, size_t n, Hash* root,
                                       Poll* poll = nullptr) noexcept;

// A trie in memory, that is changed in place. States have shared_trie.hpp's, whose keys all have 32 bytes, which is what lets nodes be
// shared and leaves carry a storage; this one takes the keys of the public trie tests, and is what the tests hold shared tries against.
// Keys have any length up to MAX_KEY_BYTES and one may be the beginning of another. Each node keeps its
// reference until something below it changes, so the root after k changes costs about k · log(n) hashes. Nodes are
// indices into pools: a copy of the trie is a copy of four arrays, and freed nodes are used again.
class Trie {
public:
    static constexpr size_t MAX_KEY_BYTES = 0x7fff;

    // Sets the value; an empty one erases. The views must not point into this trie.
    // False, with nothing changed, when the key is too long, a pool is full (2^30 nodes, 64 GiB of bytes) or there is no memory.
    [[nodiscard]] bool insert(ByteView key, ByteView value) noexcept;
    // False, with nothing changed, without memory.
    [[nodiscard]] bool erase(ByteView key, bool* was_there) noexcept;
    // The value, empty when the key isn't there. Valid until the next change.
    ByteView get(ByteView key) const noexcept;

    [[nodiscard]] bool root(Hash* out) noexcept;  // false without memory
    // Appends the nodes from the root towards the key, as eth_getProof shows them: those a parent names by hash, and the
    // root. For a key that isn't there they prove its absence; for the empty trie there are none. False without memory.
    [[nodiscard]] bool prove(ByteView key, Vector<Bytes>* nodes) noexcept;

    size_t size() const noexcept { return size_; }
    void clear() noexcept { *this = Trie{}; }
    // Calls visit(ByteView key, ByteView value) for each entry, in the order of the keys; it must not change the trie.
    // False where memory ran out on the way.
    template <class Visit>
    [[nodiscard]] bool for_each(Visit&& visit) const;

private:
    using Reference = trie_node::Reference;

    // A node is named by a link: its pool index and, in the low bits, its kind.
    using Link = uint32_t;
    enum Kind : uint32_t { NONE = 0, LEAF = 1, EXTENSION = 2, BRANCH = 3 };
    static constexpr unsigned KIND_BITS = 2;
    static constexpr size_t MAX_NODES = size_t{1} << (32 - KIND_BITS);
    static Kind kind_of_link(Link link) noexcept { return static_cast<Kind>(link & 3); }
    static uint32_t index_of(Link link) noexcept { return link >> KIND_BITS; }
    static Link link_to(Kind kind, uint32_t index) noexcept { return index << KIND_BITS | kind; }

    // A leaf or an extension. `bytes` holds the whole key (an extension: its first path_end nibbles, filled up to a
    // byte) and, after the key of a leaf, the value.
    struct Short {
        Reference reference;
        uint16_t path_begin;
        uint16_t path_end;
        uint32_t bytes;
        uint32_t value_size;  // leaf
        Link child;           // extension: always a branch; on the free list: the next index
    };
    // Two children at least. The last one is the leaf of the key that ends here; its path is empty.
    struct Branch {
        Reference reference;
        Link children[trie_node::CHILDREN + 1];
    };
    static constexpr unsigned VALUE_CHILD = trie_node::CHILDREN;

    // Runs of bytes in units of 16; freed ones wait in a list of their size.
    class BytePool {
    public:
        static constexpr size_t UNIT_BYTES = 16;

        // Makes room for two allocations, and for any release.
        bool make_room(size_t size, size_t other_size) noexcept {
            const size_t added = rounded(size) + rounded(other_size);
            return bytes_.size() + added < UNIT_BYTES << 32 && bytes_.make_room(added) &&
                   (!free_.empty() || free_.fill(CLASSES, END));
        }
        uint32_t allocate(size_t size) noexcept;
        void release(uint32_t offset, size_t size) noexcept;
        static bool same_class(size_t a, size_t b) noexcept { return rounded(a) == rounded(b); }
        uint8_t* at(uint32_t offset) noexcept { return bytes_.data() + offset * UNIT_BYTES; }
        const uint8_t* at(uint32_t offset) const noexcept { return bytes_.data() + offset * UNIT_BYTES; }

    private:
        static constexpr unsigned SMALL_CLASSES = 64;  // 16, 32 … 1024 bytes; above that powers of two
        static constexpr unsigned CLASSES = SMALL_CLASSES + 32;
        static constexpr uint32_t END = UINT32_MAX;
        static unsigned class_of(size_t size) noexcept;
        static size_t rounded(size_t size) noexcept;

        Bytes bytes_;
        Vector<uint32_t> free_;  // CLASSES list heads
    };

    struct Step {
        Link node;
        uint32_t child;  // which one was taken out of a branch
        size_t depth;    // nibbles before the node
    };

    Link new_leaf(ByteView key, size_t begin, ByteView value) noexcept;
    Link new_extension(const uint8_t* key, size_t begin, size_t end, Link child) noexcept;
    Link new_branch() noexcept;
    uint32_t new_short() noexcept;
    void free_node(Link link) noexcept;
    bool make_room(ByteView key, ByteView value) noexcept;

    const uint8_t* key_of(const Short& node) const noexcept { return pool_.at(node.bytes); }
    ByteView value_of(const Short& leaf) const noexcept { return {key_of(leaf) + leaf.path_end / 2, leaf.value_size}; }
    bool is_key_of(const Short& leaf, ByteView key) const noexcept {
        return leaf.path_end == 2 * key.size && std::memcmp(key_of(leaf), key.data, key.size) == 0;
    }
    Link find_leaf(ByteView key) const noexcept;
    void replace_at_trail(Link link) noexcept;
    void mark_trail_dirty() noexcept;
    void set_value(Short* leaf, ByteView value) noexcept;
    void put_into_branch(Link branch, ByteView key, size_t depth, Link leaf) noexcept;
    void split_leaf(Link old, ByteView key, ByteView value, size_t depth, size_t common) noexcept;
    void split_extension(Link old, ByteView key, ByteView value, size_t depth, size_t common) noexcept;
    void collapse(const Step& step, ByteView erased_key) noexcept;

    const Reference& reference_of(Link link) const noexcept {
        return kind_of_link(link) == BRANCH ? branches_[index_of(link)].reference : shorts_[index_of(link)].reference;
    }
    Reference& reference_of(Link link) noexcept {
        return kind_of_link(link) == BRANCH ? branches_[index_of(link)].reference : shorts_[index_of(link)].reference;
    }
    bool is_dirty(Link link) const noexcept { return link != NONE && reference_of(link).size == 0; }
    size_t payload_of(Link link) const noexcept;
    void encode(Link link, uint8_t* out, size_t payload) const noexcept;
    void submit(Link link, trie_node::Hasher* hasher) noexcept;
    bool refresh_references() noexcept;
    bool gather_dirty(trie_node::Hasher* hasher, Vector<size_t>* levels) noexcept;

    Link root_ = NONE;
    size_t size_ = 0;
    Vector<Short> shorts_;
    Vector<Branch> branches_;
    uint32_t free_short_ = UINT32_MAX;
    uint32_t free_branch_ = UINT32_MAX;
    BytePool pool_;
    Vector<Step> trail_;  // scratch: the way down of the change at hand
    Vector<Link> dirty_;  // scratch: what refresh_references has to hash, by level
};

template <class Visit>
bool Trie::for_each(Visit&& visit) const {
    Vector<Link> open;
    if (root_ != NONE && !open.push_back(root_))
        return false;
    while (!open.empty()) {
        const Link link = open.back();
        open.pop_back();
        if (!open.make_room(trie_node::CHILDREN + 1))
            return false;
        if (kind_of_link(link) == BRANCH) {
            const Branch& branch = branches_[index_of(link)];
            for (unsigned i = trie_node::CHILDREN; i-- > 0;)
                if (branch.children[i] != NONE)
                    (void)open.push_back(branch.children[i]);
            if (branch.children[VALUE_CHILD] != NONE)  // the shortest key comes first
                (void)open.push_back(branch.children[VALUE_CHILD]);
            continue;
        }
        const Short& node = shorts_[index_of(link)];
        if (kind_of_link(link) == EXTENSION)
            (void)open.push_back(node.child);
        else
            visit(ByteView{key_of(node), size_t{node.path_end} / 2}, value_of(node));
    }
    return true;
}

}  // namespace evmcore
