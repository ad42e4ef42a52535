// Shared tries whose nodes are read from a source when they are needed.
#include <algorithm>

#include "shared_trie.hpp"
#include "trie_proof.hpp"

namespace evmcore::shared_trie {

using namespace trie_node;

Ref Writer::known(Ref node, const uint8_t* key, unsigned depth) noexcept {
    if (node->kind != NodeKind::UNKNOWN)
        return node;
    Bytes bytes;
    Hash hash;
    std::memcpy(hash.bytes, node->reference.bytes, 32);
    if (source_.read != nullptr && source_.read(source_.context, account_, key, depth, &bytes) && keccak256(bytes) == hash) {
        PartialTrie decoder;
        Ref made = decoder.one(bytes, hash, key, depth, account_ != nullptr);
        if (made)
            return made;
    }
    missing.set(node.get(), key, depth);
    return node;
}

bool make_unknown_root(const Hash& hash, Ref* out) noexcept {
    Writer writer;
    *out = hash == EMPTY_TRIE_ROOT ? Ref{} : writer.make_unknown(hash);
    return !writer.failed();
}

namespace {

const Hash& key_of(const Hash& key) noexcept { return key; }
const Hash& key_of(const Way& way) noexcept { return way.key; }

}  // namespace

Ref Writer::expand(Ref old, const Hash* first, const Hash* last, unsigned depth) noexcept {
    return expand_below(std::move(old), first, last, depth);
}

Ref Writer::expand(Ref old, const Way* first, const Way* last, unsigned depth) noexcept {
    return expand_below(std::move(old), first, last, depth);
}

Ref Writer::expand_leaf(Ref leaf, const Way* first, const Way* last) noexcept {
    const Node* const storage = as_leaf(leaf.get())->storage();
    const auto is_its = [&](const Way& way) { return std::memcmp(way.key.bytes, as_leaf(leaf.get())->key, 32) == 0; };
    const Way* const way = std::find_if(first, last, is_its);
    if (storage == nullptr || way == last || way->slot_count == 0)
        return leaf;
    Writer below{poll_};
    below.read_from(source_, &way->key);
    Ref expanded = below.expand(Ref::share(storage), way->slots, way->slots + way->slot_count);
    is_out_of_memory |= below.is_out_of_memory;
    is_stopped |= below.is_stopped;
    if (below.missing.is_missing) {
        missing = below.missing;
        missing_account = &way->key;
    }
    if (failed() || expanded.get() == storage)
        return leaf;
    Ref made = with_storage(as_leaf(leaf.get()), std::move(expanded));
    return made ? std::move(made) : std::move(leaf);
}

template <class Key>
Ref Writer::expand_below(Ref old, const Key* first, const Key* last, unsigned depth) noexcept {
    if (first == last || !old || failed())
        return old;
    old = known(std::move(old), key_of(*first).bytes, depth);
    if (failed())
        return old;
    if (old->kind == NodeKind::LEAF)
        return expand_leaf(std::move(old), first, last);
    const Reference reference = old->reference;
    const uint8_t flags = old->flags;
    Ref made;
    if (old->kind == NodeKind::EXTENSION) {
        const Extension* extension = as_extension(old.get());
        const unsigned end = extension->end;
        const auto leaves = [&](const Key& key) {
            return first_difference(key_of(key).bytes, extension->key, depth, end) != end;
        };
        while (first != last && leaves(*first))
            ++first;
        while (first != last && leaves(last[-1]))
            --last;
        Ref child = expand_below(Ref::share(extension->child), first, last, end);
        if (failed() || child.get() == extension->child)
            return old;
        made = make_extension(extension->key, depth, end, std::move(child));
    } else {
        const Branch* branch = as_branch(old.get());
        Ref children[CHILDREN];
        bool is_changed = false;
        while (first != last) {
            const uint8_t nibble = nibble_at(key_of(*first).bytes, depth);
            const Key* next =
                std::find_if(first, last, [&](const Key& key) { return nibble_at(key_of(key).bytes, depth) != nibble; });
            children[nibble] = expand_below(Ref::share(branch->child(nibble)), first, next, depth + 1);
            is_changed |= children[nibble].get() != branch->child(nibble);
            first = next;
        }
        if (failed() || !is_changed)
            return old;
        for (unsigned i = 0; i < CHILDREN; ++i)
            if (!children[i])
                children[i] = Ref::share(branch->child(i));
        made = make_branch(children, depth);
    }
    if (!made)
        return old;  // without memory
    auto* node = const_cast<Node*>(made.get());
    node->reference = reference;
    node->flags = flags;
    return made;
}

namespace {

// The node, with what is below it in about so much memory.
Ref cut_node(Writer* writer, const Node* node, size_t most_bytes) noexcept {
    const auto unknown = [&] {
        Hash hash;
        std::memcpy(hash.bytes, node->reference.bytes, 32);
        return writer->make_unknown(hash);
    };
    if (node == nullptr || node->kind == NodeKind::UNKNOWN || node->reference.size != Reference::HASHED ||
        size_bytes(node) <= most_bytes)
        return Ref::share(node);
    constexpr size_t BRANCH_BYTES = 256;  // with a few children of which the hash is known
    if (most_bytes < BRANCH_BYTES)
        return unknown();
    if (node->kind == NodeKind::LEAF && as_leaf(node)->storage() == nullptr)
        return Ref::share(node);
    Ref made;
    if (node->kind == NodeKind::LEAF) {
        made = writer->with_storage(as_leaf(node), cut_node(writer, as_leaf(node)->storage(), most_bytes - BRANCH_BYTES));
    } else if (node->kind == NodeKind::EXTENSION) {
        const Extension* extension = as_extension(node);
        made = writer->make_extension(extension->key, extension->depth, extension->end,
                                      cut_node(writer, extension->child, most_bytes - BRANCH_BYTES));
    } else {
        const Branch* branch = as_branch(node);
        Ref children[CHILDREN];
        size_t left = most_bytes - BRANCH_BYTES;
        unsigned waiting = branch->count();
        // The small ones first: what they don't take is the large ones'.
        for (const bool is_large : {false, true})
            for (unsigned i = 0; i < CHILDREN; ++i) {
                const size_t share = left / (waiting != 0 ? waiting : 1);
                if (children[i] || !branch->has(i) || (!is_large && size_bytes(branch->child(i)) > share))
                    continue;
                children[i] = cut_node(writer, branch->child(i), share);
                const size_t taken = size_bytes(children[i].get());
                left -= taken < left ? taken : left;
                --waiting;
            }
        made = writer->failed() ? Ref{} : writer->copy_branch(branch, children);
    }
    if (writer->failed() || !made)
        return Ref::share(node);
    const_cast<Node*>(made.get())->reference = node->reference;
    const_cast<Node*>(made.get())->flags = node->flags;
    return made;
}

}  // namespace

bool cut(const Ref& trie, size_t most_bytes, Ref* out) noexcept {
    Writer writer;
    *out = cut_node(&writer, trie.get(), most_bytes);
    return !writer.failed();
}

}  // namespace evmcore::shared_trie
