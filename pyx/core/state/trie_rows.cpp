// Rows of trie nodes.
#include "trie_rows.hpp"

namespace evmcore {

using namespace shared_trie;
using trie_node::nibble_at;

namespace {

constexpr uint32_t NODE_WEIGHT = 256;  // a node takes about as long as this much gas of plain instructions

class RowWriter {
public:
    RowWriter(Poll* poll, Bytes* out) noexcept : poll_{poll}, out_{out} {}

    // `path` has the nibbles before the node. Below a node that is as the source has it, so is everything.
    bool put_new(const Node* node, const Hash* account, uint8_t* path, unsigned depth) noexcept {
        if (node == nullptr || node->kind == NodeKind::UNKNOWN || node->flags & IS_STORED)
            return true;
        if (poll_ != nullptr && poll_->poll(NODE_WEIGHT))
            return false;
        if ((node->reference.size == Reference::HASHED || depth == 0) &&
            (!encode(node, &encoded_) || !put(account, path, depth, encoded_)))
            return false;
        if (node->kind == NodeKind::LEAF) {
            const Leaf* leaf = as_leaf(node);
            if (account != nullptr || leaf->storage() == nullptr)
                return true;
            Hash owner;
            std::memcpy(owner.bytes, leaf->key, 32);
            uint8_t below[32] = {};
            return put_new(leaf->storage(), &owner, below, 0);
        }
        if (node->kind == NodeKind::EXTENSION) {
            const Extension* extension = as_extension(node);
            uint8_t below[32];
            std::memcpy(below, extension->key, 32);
            return put_new(extension->child, account, below, extension->end);
        }
        for (unsigned i = 0; i < CHILDREN; ++i) {
            uint8_t& byte = path[depth / 2];
            byte = static_cast<uint8_t>(depth & 1 ? (byte & 0xf0) | i : i << 4);
            if (!put_new(as_branch(node)->child(i), account, path, depth + 1))
                return false;
        }
        return true;
    }

    bool put(const Hash* account, const uint8_t* path, unsigned depth, ByteView encoded) noexcept {
        const uint8_t size[4] = {static_cast<uint8_t>(encoded.size), static_cast<uint8_t>(encoded.size >> 8),
                                 static_cast<uint8_t>(encoded.size >> 16), static_cast<uint8_t>(encoded.size >> 24)};
        if (!out_->push_back(account != nullptr) || (account != nullptr && !out_->append(account->bytes, 32)) ||
            !out_->push_back(static_cast<uint8_t>(depth)) || !out_->append(path, (depth + 1) / 2))
            return false;
        if (depth & 1)
            out_->back() &= 0xf0;
        return out_->append(size, 4) && out_->append(encoded.data, encoded.size);
    }

private:
    Poll* poll_;
    Bytes* out_;
    Bytes encoded_;
};

// Whether a node that has a row of its own begins there; what isn't known is as it was.
bool has_node_at(const Node* node, const Hash& path, unsigned depth) noexcept {
    unsigned at = 0;
    while (node != nullptr && at < depth) {
        if (node->kind == NodeKind::UNKNOWN)
            return true;
        if (node->kind == NodeKind::LEAF)
            return false;
        if (node->kind == NodeKind::BRANCH) {
            node = as_branch(node)->child(nibble_at(path.bytes, at++));
            continue;
        }
        const Extension* extension = as_extension(node);
        if (extension->end > depth ||
            trie_node::first_difference(extension->key, path.bytes, at, extension->end) != extension->end)
            return false;
        at = extension->end;
        node = extension->child;
    }
    return node != nullptr && (depth == 0 || node->reference.size == Reference::HASHED);
}

}  // namespace

bool read_ways(const Ref& trie, LocalReads* local, const Hash& account, const Vector<Hash>& slots, Ref* out,
               MissingNode* missing, bool* in_storage) noexcept {
    Writer writer;
    writer.read_from(local->nodes_to_look_at(), nullptr);
    *in_storage = false;
    *out = writer.expand(trie.share(), &account, &account + 1);
    *missing = writer.missing;
    if (writer.failed())
        return false;
    const Leaf* leaf = find(out->get(), account, missing);
    if (leaf == nullptr || leaf->storage() == nullptr || slots.empty())
        return true;
    Writer below;
    below.read_from(local->nodes_to_look_at(), &account);
    *in_storage = true;
    const Ref storage = below.expand(Ref::share(leaf->storage()), slots.begin(), slots.end());
    *missing = below.missing;
    Bytes value;
    if (below.failed() || !value_of(leaf, &value))
        return false;
    *in_storage = false;
    const Change change{account, value, storage.get()};  // the same leaf, over the storage that is known
    *out = writer.update(std::move(*out), &change, &change + 1);
    *missing = writer.missing;
    return !writer.failed() && hash_fresh(out, 1);
}

bool unsaved_nodes(const Node* root, const LocalReads* local, Poll* poll, Bytes* out) noexcept {
    RowWriter writer{poll, out};
    uint8_t path[33] = {};
    if (!writer.put_new(root, nullptr, path, 0))
        return false;
    if (local == nullptr)
        return true;
    bool is_done = true;
    local->nodes_read().for_each([&](const LocalReads::NodePlace& place, const uint8_t&) {
        const Node* trie = root;
        if (place.is_storage) {
            MissingNode missing;
            const Leaf* leaf = find(root, place.account, &missing);
            if (missing.is_missing)
                return;
            trie = leaf != nullptr ? leaf->storage() : nullptr;
        }
        if (!has_node_at(trie, place.path, place.depth))
            is_done = is_done && writer.put(place.is_storage ? &place.account : nullptr, place.path.bytes, place.depth, {});
    });
    return is_done;
}

}  // namespace evmcore
