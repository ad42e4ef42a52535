// Shared tries' hashes, lookups and proofs.
#include <algorithm>

#include "shared_trie.hpp"

namespace evmcore::shared_trie {

using namespace trie_node;

const uint8_t EMPTY_END[EMPTY_END_BYTES] = {
    0xa0, 0x56, 0xe8, 0x1f, 0x17, 0x1b, 0xcc, 0x55, 0xa6, 0xff, 0x83, 0x45, 0xe6, 0x92, 0xc0, 0xf8, 0x6e,
    0x5b, 0x48, 0xe0, 0x1b, 0x99, 0x6c, 0xad, 0xc0, 0x01, 0x62, 0x2f, 0xb5, 0xe3, 0x63, 0xb4, 0x21,  //
    0xa0, 0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c, 0x92, 0x7e, 0x7d, 0xb2, 0xdc, 0xc7, 0x03, 0xc0,
    0xe5, 0x00, 0xb6, 0x53, 0xca, 0x82, 0x27, 0x3b, 0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85, 0xa4, 0x70};

namespace {

size_t value_size(const Leaf* leaf) noexcept {
    return leaf->kept_value().size + (leaf->flags & ENDS_EMPTY ? EMPTY_END_BYTES : 0);
}

uint8_t* put_value(uint8_t* out, const Leaf* leaf) noexcept {
    const ByteView kept = leaf->kept_value();
    std::memcpy(out, kept.data, kept.size);
    out += kept.size;
    if (leaf->flags & ENDS_EMPTY) {
        std::memcpy(out, EMPTY_END, EMPTY_END_BYTES);
        out += EMPTY_END_BYTES;
    }
    return out;
}

size_t payload_of(const Node* node) noexcept {
    if (node->kind == NodeKind::LEAF) {
        const Leaf* leaf = as_leaf(node);
        const ByteView kept = leaf->kept_value();
        const size_t size = value_size(leaf);
        return path_size(leaf->depth, KEY_NIBBLES) + (size == 1 ? rlp_string_size(kept.data, 1) : rlp_header_size(size) + size);
    }
    if (node->kind == NodeKind::EXTENSION)
        return extension_payload(node->depth, as_extension(node)->end, as_extension(node)->child->reference);
    const Branch* branch = as_branch(node);
    size_t payload = CHILDREN + 1 - branch->count();
    for (unsigned i = 0; i < branch->count(); ++i)
        payload += reference_size(branch->children()[i]->reference);
    return payload;
}

void put(const Node* node, uint8_t* out, size_t payload) noexcept {
    if (node->kind == NodeKind::EXTENSION) {
        const Extension* extension = as_extension(node);
        put_extension(out, extension->key, extension->depth, extension->end, extension->child->reference, payload);
        return;
    }
    out = rlp_put_header(out, 0xc0, payload);
    if (node->kind == NodeKind::LEAF) {
        const Leaf* leaf = as_leaf(node);
        out = put_path(out, leaf->key, leaf->depth, KEY_NIBBLES, true);
        const size_t size = value_size(leaf);
        if (size != 1 || leaf->kept_value()[0] >= 0x80)
            out = rlp_put_header(out, 0x80, size);
        put_value(out, leaf);
        return;
    }
    const Branch* branch = as_branch(node);
    const Node* const* child = branch->children();
    for (unsigned i = 0; i < CHILDREN; ++i) {
        if (branch->has(i))
            out = put_reference(out, (*child++)->reference);
        else
            *out++ = 0x80;
    }
    *out = 0x80;  // no value: no key is the beginning of another
}

bool is_fresh(const Node* node) noexcept { return node->reference.size == 0; }

}  // namespace

void submit(const Node* node, Hasher* hasher) noexcept {
    const size_t payload = payload_of(node);
    uint8_t* const place = hasher->room(rlp_header_size(payload) + payload);
    if (place == nullptr)
        return;
    put(node, place, payload);
    hasher->submit(&const_cast<Node*>(node)->reference);  // fresh: nobody else's
}

namespace {

// Asks for the references that the encoding of a node will read: of most tries they lie outside the caches.
void prefetch_below(const Node* node) noexcept {
    if (node->kind == NodeKind::BRANCH)
        for (unsigned i = 0; i < as_branch(node)->count(); ++i) {
            const Reference& reference = as_branch(node)->children()[i]->reference;
            __builtin_prefetch(&reference);
            __builtin_prefetch(&reference.size);  // may lie in the next line
        }
}
constexpr size_t PREFETCH_AHEAD = 3;

// Leaves wait for nobody and are hashed as they are met; of the others there is a list, level by level from above.
class Gatherer {
public:
    explicit Gatherer(Hasher* hasher) noexcept : hasher_{hasher} {}
    bool add(const Node* node) noexcept {
        if (node == nullptr || !is_fresh(node))
            return true;
        if (node->kind == NodeKind::LEAF) {
            submit(node, hasher_);
            return true;
        }
        return list_.push_back(node);
    }
    bool add_below(const Node* node) noexcept {
        if (node->kind == NodeKind::EXTENSION)
            return add(as_extension(node)->child);
        bool is_ok = true;
        for (unsigned i = 0; i < as_branch(node)->count(); ++i)
            is_ok = is_ok && add(as_branch(node)->children()[i]);
        return is_ok;
    }
    const Vector<const Node*>& list() const noexcept { return list_; }

private:
    Hasher* hasher_;
    Vector<const Node*> list_;
};

}  // namespace

bool hash_fresh(const Ref* roots, size_t count, Poll* poll) noexcept {
    static constexpr uint32_t NODE_WEIGHT = 256;  // a node takes about as long as this much gas of plain instructions
    Hasher hasher;
    Gatherer gatherer{&hasher};
    Vector<size_t> levels;
    bool is_ok = true;
    for (size_t i = 0; i < count && is_ok; ++i)
        is_ok = gatherer.add(roots[i].get());
    for (size_t begin = 0; is_ok && begin < gatherer.list().size();) {
        const size_t end = gatherer.list().size();
        is_ok = levels.push_back(begin);
        for (size_t i = begin; i < end && is_ok; ++i) {
            if (i + PREFETCH_AHEAD < end)
                prefetch_below(gatherer.list()[i + PREFETCH_AHEAD]);
            is_ok = gatherer.add_below(gatherer.list()[i]) && (poll == nullptr || !poll->poll(NODE_WEIGHT));
        }
        begin = end;
    }
    hasher.flush();
    size_t end = gatherer.list().size();
    for (; is_ok && !levels.empty(); levels.pop_back()) {
        for (size_t i = levels.back(); i < end && is_ok; ++i) {
            if (i + PREFETCH_AHEAD < end)
                prefetch_below(gatherer.list()[i + PREFETCH_AHEAD]);
            submit(gatherer.list()[i], &hasher);
            is_ok = poll == nullptr || !poll->poll(NODE_WEIGHT);
        }
        hasher.flush();
        end = levels.back();
    }
    return is_ok && hasher.ok();
}

Hash root_hash(const Node* root) noexcept {
    Hash hash = EMPTY_TRIE_ROOT;
    if (root == nullptr)
        return hash;
    if (root->reference.size == Reference::HASHED)
        std::memcpy(hash.bytes, root->reference.bytes, 32);
    else  // the root is named by its hash however short it is
        keccak256(root->reference.bytes, root->reference.size, &hash);
    return hash;
}

namespace {

// Visits the nodes from the root towards a key. Null where the key isn't there or a node was missing.
template <class Visit>
const Leaf* walk(const Node* node, const Hash& key, MissingNode* missing, Visit visit) noexcept {
    unsigned depth = 0;
    while (node != nullptr) {
        if (node->kind == NodeKind::UNKNOWN) {
            missing->set(node, key.bytes, depth);
            return nullptr;
        }
        if (node->kind == NodeKind::BRANCH) {
            // Where the way goes on is needed first: asked for before the visit asks for what is beside it.
            const Node* const next = as_branch(node)->child(nibble_at(key.bytes, depth++));
            for (unsigned line = 0; line < 3; ++line)
                __builtin_prefetch(reinterpret_cast<const uint8_t*>(next) + size_t{64} * line);
            visit(node);
            node = next;
            continue;
        }
        visit(node);
        if (node->kind == NodeKind::LEAF)
            return std::memcmp(as_leaf(node)->key, key.bytes, 32) == 0 ? as_leaf(node) : nullptr;
        const Extension* extension = as_extension(node);
        if (first_difference(extension->key, key.bytes, depth, extension->end) != extension->end)
            return nullptr;
        depth = extension->end;
        node = extension->child;
    }
    return nullptr;
}

}  // namespace

const Leaf* find(const Node* root, const Hash& key, MissingNode* missing) noexcept {
    return walk(root, key, missing, [](const Node*) {});
}

bool find_path(const Node* root, const Hash& key, NodePath* path, MissingNode* missing) noexcept {
    path->leaf = walk(root, key, missing, [&](const Node* node) {
        if (node == root || node->reference.size == Reference::HASHED) {
            if (path->count >= UPPERMOST)
                prefetch_below(node);
            path->nodes[path->count++] = node;
        }
    });
    return !missing->is_missing;
}

bool prove(const Node* root, const Hash& key, Vector<Bytes>* nodes, MissingNode* missing) noexcept {
    NodePath path;
    if (!find_path(root, key, &path, missing))
        return false;
    for (size_t i = 0; i < path.count; ++i) {
        Bytes* const bytes = nodes->add();
        if (bytes == nullptr || !encode(path.nodes[i], bytes))
            return false;
    }
    return true;
}

NodeEncoding::NodeEncoding(const Node* node) noexcept
    : node_{node}, payload_{payload_of(node)}, size_{rlp_header_size(payload_) + payload_} {}

void NodeEncoding::put(uint8_t* out) const noexcept { shared_trie::put(node_, out, payload_); }

bool encode(const Node* node, Bytes* out) noexcept {
    const NodeEncoding encoding{node};
    if (!out->resize(encoding.size()))
        return false;
    encoding.put(out->data());
    return true;
}

bool value_of(const Leaf* leaf, Bytes* out) noexcept {
    if (!out->resize(value_size(leaf)))
        return false;
    put_value(out->data(), leaf);
    return true;
}

}  // namespace evmcore::shared_trie
