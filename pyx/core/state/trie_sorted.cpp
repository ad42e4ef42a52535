// Roots of lists that are complete and sorted: no trie is kept. All leaves are hashed first, side by side, since the
// neighbours of a key already tell how deep its leaf lies; then the branches, from below. Linear in the list.
#include "trie.hpp"

namespace evmcore {
namespace {

using namespace trie_node;

Hash hash_of_node(const Reference& node) noexcept {
    Hash hash;
    if (node.size == Reference::HASHED)
        std::memcpy(hash.bytes, node.bytes, 32);
    else
        keccak256(node.bytes, node.size, &hash);
    return hash;
}

// Over keys that are not beginnings of one another, so that no branch carries a value.
// `Items`: count(), key(i) -> const uint8_t*, nibbles(i) -> size_t, value(i) -> ByteView; keys strictly ascending.
template <class Items>
class SortedRoot {
public:
    SortedRoot(const Items& items, Poll* poll) noexcept : items_{items}, poll_{poll} {}

    // False without memory.
    bool root(Hash* out) noexcept {
        const size_t n = items_.count();
        *out = EMPTY_TRIE_ROOT;
        if (n == 0)
            return true;
        if (!leaves_.resize(n))
            return false;
        hash_leaves();
        if (!hasher_.ok())
            return false;
        Reference top;
        if (n == 1)
            top = leaves_[0];
        else
            node(0, n, 0, &top);
        hasher_.flush();
        *out = hash_of_node(top);
        return true;
    }

private:
    // A node takes about as long as this much gas of plain instructions.
    static constexpr uint32_t NODE_WEIGHT = 256;
    bool should_stop() noexcept { return poll_ != nullptr && poll_->poll(NODE_WEIGHT); }

    size_t common_prefix(size_t i, size_t j, size_t from) const noexcept {
        const size_t end = items_.nibbles(i) < items_.nibbles(j) ? items_.nibbles(i) : items_.nibbles(j);
        return first_difference(items_.key(i), items_.key(j), from, end);
    }

    void hash_leaves() noexcept {
        const size_t n = items_.count();
        size_t shared_before = 0;  // with the key before, plus the nibble that chooses
        for (size_t i = 0; i < n && !should_stop(); ++i) {
            const size_t shared_after = i + 1 < n ? common_prefix(i, i + 1, 0) + 1 : 0;
            const size_t begin = shared_before > shared_after ? shared_before : shared_after;
            const size_t end = items_.nibbles(i);
            const size_t payload = leaf_payload(begin, end, items_.value(i));
            uint8_t* const place = hasher_.room(rlp_header_size(payload) + payload);
            if (place == nullptr)
                break;
            put_leaf(place, items_.key(i), begin, end, items_.value(i), payload);
            hasher_.submit(&leaves_[i]);
            shared_before = shared_after;
        }
        hasher_.flush();
    }

    // What follows needs no memory: an extension of such keys and a branch without a value are short.

    // The node over [first, last), two keys at least, that begins at `depth`. *out may be there only after a flush.
    void node(size_t first, size_t last, size_t depth, Reference* out) noexcept {
        if (should_stop())
            return;
        const size_t common = common_prefix(first, last - 1, depth);
        if (common == depth) {
            branch(first, last, depth, out);
            return;
        }
        Reference child;
        const uint64_t mark = hasher_.mark();
        branch(first, last, common, &child);
        hasher_.flush_since(mark);
        const size_t payload = extension_payload(depth, common, child);
        put_extension(hasher_.room(rlp_header_size(payload) + payload), items_.key(first), depth, common, child, payload);
        hasher_.submit(out);
    }

    void branch(size_t first, size_t last, size_t depth, Reference* out) noexcept {
        Reference inner[CHILDREN];
        const Reference* children[CHILDREN] = {};
        const uint64_t mark = hasher_.mark();
        for (size_t i = first; i < last;) {
            const uint8_t nibble = nibble_at(items_.key(i), depth);
            const size_t next = end_of_group(i, last, depth, nibble);
            if (next - i == 1) {
                children[nibble] = &leaves_[i];
            } else {
                node(i, next, depth + 1, &inner[nibble]);
                children[nibble] = &inner[nibble];
            }
            i = next;
        }
        hasher_.flush_since(mark);
        const size_t payload = branch_payload(children, {});
        put_branch(hasher_.room(rlp_header_size(payload) + payload), children, {}, payload);
        hasher_.submit(out);
    }

    // The first key of [first, last) that has another nibble at `depth` than the first: steps that double, then halve.
    size_t end_of_group(size_t first, size_t last, size_t depth, uint8_t nibble) const noexcept {
        size_t inside = first;
        size_t step = 1;
        while (step < last - inside && nibble_at(items_.key(inside + step), depth) == nibble) {
            inside += step;
            step *= 2;
        }
        size_t outside = step < last - inside ? inside + step : last;
        while (outside - inside > 1) {
            const size_t middle = inside + (outside - inside) / 2;
            (nibble_at(items_.key(middle), depth) == nibble ? inside : outside) = middle;
        }
        return outside;
    }

    const Items& items_;
    Poll* poll_;
    Vector<Reference> leaves_;
    Hasher hasher_;
};

struct HashedItems {
    const Hash* keys;
    const ByteView* values;
    size_t size;

    size_t count() const noexcept { return size; }
    const uint8_t* key(size_t i) const noexcept { return keys[i].bytes; }
    size_t nibbles(size_t) const noexcept { return 64; }
    ByteView value(size_t i) const noexcept { return values[i]; }
};

// Keys rlp(index) in their own order: 1 … 127 are single bytes, 0 is the byte 0x80, from 128 on there is a prefix.
struct NumberedItems {
    struct Key {
        uint8_t bytes[9];
        uint8_t size;
    };
    const ByteView* values;
    Vector<Key> keys;

    explicit NumberedItems(const ByteView* values_) noexcept : values{values_} {}
    bool make_keys(size_t n) noexcept {
        if (!keys.resize(n))
            return false;
        for (size_t i = 0; i < n; ++i) {
            uint8_t digits[8];
            const uint64_t index = index_at(i);
            const unsigned size = byte_length(index);
            u64_to_bytes(index, digits);
            keys[i].size = static_cast<uint8_t>(rlp_put_string(keys[i].bytes, digits + 8 - size, size) - keys[i].bytes);
        }
        return true;
    }
    size_t index_at(size_t i) const noexcept {
        const size_t zero_at = keys.size() < 128 ? keys.size() - 1 : 127;
        return i < zero_at ? i + 1 : i == zero_at ? 0 : i;
    }
    size_t count() const noexcept { return keys.size(); }
    const uint8_t* key(size_t i) const noexcept { return keys[i].bytes; }
    size_t nibbles(size_t i) const noexcept { return size_t{2} * keys[i].size; }
    ByteView value(size_t i) const noexcept { return values[index_at(i)]; }
};

}  // namespace

bool ordered_trie_root(const ByteView* items, size_t n, Hash* root, Poll* poll) noexcept {
    NumberedItems numbered{items};
    return numbered.make_keys(n) && SortedRoot<NumberedItems>{numbered, poll}.root(root);
}

bool trie_root_of_sorted(const Hash* keys, const ByteView* values, size_t n, Hash* root, Poll* poll) noexcept {
    const HashedItems hashed{keys, values, n};
    return SortedRoot<HashedItems>{hashed, poll}.root(root);
}

}  // namespace evmcore
