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

Ref Writer::expand(Ref old, const Hash* first, const Hash* last, unsigned depth) noexcept {
    if (first == last || !old || failed())
        return old;
    old = known(std::move(old), first->bytes, depth);
    if (failed() || old->kind == NodeKind::LEAF)
        return old;
    const Reference reference = old->reference;
    const uint8_t flags = old->flags;
    Ref made;
    if (old->kind == NodeKind::EXTENSION) {
        const Extension* extension = as_extension(old.get());
        const unsigned end = extension->end;
        const auto leaves = [&](const Hash& key) { return first_difference(key.bytes, extension->key, depth, end) != end; };
        while (first != last && leaves(*first))
            ++first;
        while (first != last && leaves(last[-1]))
            --last;
        Ref child = expand(Ref::share(extension->child), first, last, end);
        if (failed() || child.get() == extension->child)
            return old;
        made = make_extension(extension->key, depth, end, std::move(child));
    } else {
        const Branch* branch = as_branch(old.get());
        Ref children[CHILDREN];
        bool is_changed = false;
        for (unsigned i = 0; i < CHILDREN; ++i)
            children[i] = Ref::share(branch->child(i));
        while (first != last) {
            const uint8_t nibble = nibble_at(first->bytes, depth);
            const Hash* next =
                std::find_if(first, last, [&](const Hash& key) { return nibble_at(key.bytes, depth) != nibble; });
            children[nibble] = expand(std::move(children[nibble]), first, next, depth + 1);
            is_changed |= children[nibble].get() != branch->child(nibble);
            first = next;
        }
        if (failed() || !is_changed)
            return old;
        made = make_branch(children, depth);
    }
    if (!made)
        return old;  // without memory
    auto* node = const_cast<Node*>(made.get());
    node->reference = reference;
    node->flags = flags;
    return made;
}

}  // namespace evmcore::shared_trie
