// The trie's references, root and proofs. What is dirty is hashed level by level from below, so that nodes that do not
// depend on each other, anywhere in the trie, share a four-lane hash.
#include "trie.hpp"

namespace evmcore {

using namespace trie_node;

size_t Trie::payload_of(Link link) const noexcept {
    const uint32_t index = index_of(link);
    if (kind_of_link(link) == BRANCH) {
        const Branch& branch = branches_[index];
        const Link ending = branch.children[VALUE_CHILD];
        size_t payload = 1;
        if (ending != NONE) {
            const ByteView value = value_of(shorts_[index_of(ending)]);
            payload = rlp_string_size(value.data, value.size);
        }
        for (unsigned i = 0; i < CHILDREN; ++i)
            payload += branch.children[i] == NONE ? 1 : reference_size(reference_of(branch.children[i]));
        return payload;
    }
    const Short& node = shorts_[index];
    return kind_of_link(link) == LEAF ? leaf_payload(node.path_begin, node.path_end, value_of(node))
                                      : extension_payload(node.path_begin, node.path_end, reference_of(node.child));
}

void Trie::encode(Link link, uint8_t* out, size_t payload) const noexcept {
    const uint32_t index = index_of(link);
    if (kind_of_link(link) == BRANCH) {
        const Branch& branch = branches_[index];
        const Reference* children[CHILDREN];
        for (unsigned i = 0; i < CHILDREN; ++i)
            children[i] = branch.children[i] == NONE ? nullptr : &reference_of(branch.children[i]);
        const Link ending = branch.children[VALUE_CHILD];
        put_branch(out, children, ending == NONE ? ByteView{} : value_of(shorts_[index_of(ending)]), payload);
        return;
    }
    const Short& node = shorts_[index];
    if (kind_of_link(link) == LEAF)
        put_leaf(out, key_of(node), node.path_begin, node.path_end, value_of(node), payload);
    else
        put_extension(out, key_of(node), node.path_begin, node.path_end, reference_of(node.child), payload);
}

void Trie::submit(Link link, Hasher* hasher) noexcept {
    const size_t payload = payload_of(link);
    uint8_t* const place = hasher->room(rlp_header_size(payload) + payload);
    if (place == nullptr)
        return;
    encode(link, place, payload);
    hasher->submit(&reference_of(link));
}

// Leaves are hashed, all else that is dirty lies in dirty_, and `levels` says where each begins. False without memory.
bool Trie::gather_dirty(Hasher* hasher, Vector<size_t>* levels) noexcept {
    dirty_.clear();
    if (kind_of_link(root_) == LEAF)
        submit(root_, hasher);
    else if (!dirty_.push_back(root_))
        return false;
    // Leaves wait for nobody: hashed as they are met. The others are gathered level by level.
    for (size_t begin = 0; begin < dirty_.size();) {
        const size_t end = dirty_.size();
        if (!levels->push_back(begin))
            return false;
        for (size_t i = begin; i < end; ++i) {
            const Link link = dirty_[i];
            if (kind_of_link(link) == EXTENSION) {
                const Link child = shorts_[index_of(link)].child;
                if (is_dirty(child) && !dirty_.push_back(child))
                    return false;
                continue;
            }
            for (unsigned nibble = 0; nibble < CHILDREN; ++nibble) {  // the value's leaf has no reference
                const Link child = branches_[index_of(link)].children[nibble];
                if (!is_dirty(child))
                    continue;
                if (kind_of_link(child) == LEAF)
                    submit(child, hasher);
                else if (!dirty_.push_back(child))
                    return false;
            }
        }
        begin = end;
    }
    return true;
}

// False without memory: all that was dirty, but for some leaves, still is.
bool Trie::refresh_references() noexcept {
    if (!is_dirty(root_))
        return true;
    Hasher hasher;
    Vector<size_t> levels;
    const bool is_gathered = gather_dirty(&hasher, &levels);
    hasher.flush();
    if (!is_gathered)
        return false;
    size_t end = dirty_.size();
    while (!levels.empty()) {
        for (size_t i = levels.back(); i < end; ++i)
            submit(dirty_[i], &hasher);
        hasher.flush();
        end = levels.back();
        levels.pop_back();
    }
    if (!hasher.ok())
        for (const Link link : dirty_)
            reference_of(link).size = 0;
    dirty_.clear();
    return hasher.ok();
}

bool Trie::root(Hash* out) noexcept {
    if (root_ == NONE) {
        *out = EMPTY_TRIE_ROOT;
        return true;
    }
    if (!refresh_references())
        return false;
    const Reference& top = reference_of(root_);
    if (top.size == Reference::HASHED)
        std::memcpy(out->bytes, top.bytes, 32);
    else  // the root is named by hash however short it is
        keccak256(top.bytes, top.size, out);
    return true;
}

bool Trie::prove(ByteView key, Vector<Bytes>* nodes) noexcept {
    if (!refresh_references())
        return false;
    const size_t end = 2 * key.size;
    size_t depth = 0;
    Link link = root_;
    while (link != NONE) {
        if (link == root_ || reference_of(link).size == Reference::HASHED) {
            const size_t payload = payload_of(link);
            Bytes* const node = nodes->add();
            if (node == nullptr || !node->resize(rlp_header_size(payload) + payload))
                return false;
            encode(link, node->data(), payload);
        }
        if (kind_of_link(link) == BRANCH) {
            if (depth == end)
                return true;
            link = branches_[index_of(link)].children[nibble_at(key.data, depth++)];
            continue;
        }
        const Short& node = shorts_[index_of(link)];
        if (kind_of_link(link) == LEAF || node.path_end > end ||
            first_difference(key_of(node), key.data, depth, node.path_end) != node.path_end)
            return true;
        depth = node.path_end;
        link = node.child;
    }
    return true;
}

}  // namespace evmcore
