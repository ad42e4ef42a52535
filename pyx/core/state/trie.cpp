// The trie that is kept and changed: the way down, splits on insertion, collapses on deletion.
// A change first makes room for all that it may add, then finds its place, then alters nodes and forgets the references on the
// way (`trail_`) alone; from the first step on nothing can fail.
// Hashing and proofs are in trie_hash.cpp.
#include "trie.hpp"

namespace evmcore {

using namespace trie_node;

// ------------------------------------------------------------------------------------ bytes

unsigned Trie::BytePool::class_of(size_t size) noexcept {
    const size_t units = size == 0 ? 1 : (size + UNIT_BYTES - 1) / UNIT_BYTES;
    if (units <= SMALL_CLASSES)
        return static_cast<unsigned>(units - 1);
    // 65 to 128 units are the first class of the powers of two
    return SMALL_CLASSES + 58 - static_cast<unsigned>(__builtin_clzll(units - 1)) - 1;
}

size_t Trie::BytePool::rounded(size_t size) noexcept {
    const unsigned size_class = class_of(size);
    return size_class < SMALL_CLASSES ? (size_class + 1) * UNIT_BYTES
                                      : (size_t{SMALL_CLASSES} * 2 << (size_class - SMALL_CLASSES)) * UNIT_BYTES;
}

uint32_t Trie::BytePool::allocate(size_t size) noexcept {
    uint32_t& head = free_[class_of(size)];
    if (head != END) {
        const uint32_t offset = head;
        std::memcpy(&head, at(offset), sizeof(head));
        return offset;
    }
    const uint32_t offset = static_cast<uint32_t>(bytes_.size() / UNIT_BYTES);
    (void)bytes_.resize(bytes_.size() + rounded(size));
    return offset;
}

void Trie::BytePool::release(uint32_t offset, size_t size) noexcept {
    uint32_t& head = free_[class_of(size)];
    std::memcpy(at(offset), &head, sizeof(head));
    head = offset;
}

// ------------------------------------------------------------------------------------ nodes

uint32_t Trie::new_short() noexcept {
    if (free_short_ == UINT32_MAX) {
        (void)shorts_.add();
        return static_cast<uint32_t>(shorts_.size() - 1);
    }
    const uint32_t index = free_short_;
    free_short_ = shorts_[index].child;
    return index;
}

Trie::Link Trie::new_leaf(ByteView key, size_t begin, ByteView value) noexcept {
    const uint32_t index = new_short();
    Short& leaf = shorts_[index];
    leaf.reference.size = 0;
    leaf.path_begin = static_cast<uint16_t>(begin);
    leaf.path_end = static_cast<uint16_t>(2 * key.size);
    leaf.value_size = static_cast<uint32_t>(value.size);
    leaf.bytes = pool_.allocate(key.size + value.size);
    uint8_t* const bytes = pool_.at(leaf.bytes);
    if (key.size != 0)
        std::memcpy(bytes, key.data, key.size);
    std::memcpy(bytes + key.size, value.data, value.size);
    ++size_;
    return link_to(LEAF, index);
}

// `key` may lie in the pool.
Trie::Link Trie::new_extension(const uint8_t* key, size_t begin, size_t end, Link child) noexcept {
    uint8_t prefix[MAX_KEY_BYTES];
    const size_t prefix_bytes = (end + 1) / 2;
    std::memcpy(prefix, key, prefix_bytes);
    const uint32_t index = new_short();
    Short& extension = shorts_[index];
    extension.reference.size = 0;
    extension.path_begin = static_cast<uint16_t>(begin);
    extension.path_end = static_cast<uint16_t>(end);
    extension.value_size = 0;
    extension.child = child;
    extension.bytes = pool_.allocate(prefix_bytes);
    std::memcpy(pool_.at(extension.bytes), prefix, prefix_bytes);
    return link_to(EXTENSION, index);
}

Trie::Link Trie::new_branch() noexcept {
    uint32_t index = free_branch_;
    if (index == UINT32_MAX) {
        index = static_cast<uint32_t>(branches_.size());
        (void)branches_.add();
    } else {
        free_branch_ = branches_[index].children[0];
    }
    Branch& branch = branches_[index];
    branch.reference.size = 0;
    std::memset(branch.children, 0, sizeof(branch.children));
    return link_to(BRANCH, index);
}

void Trie::free_node(Link link) noexcept {
    const uint32_t index = index_of(link);
    if (kind_of_link(link) == BRANCH) {
        branches_[index].children[0] = free_branch_;
        free_branch_ = index;
        return;
    }
    Short& node = shorts_[index];
    pool_.release(node.bytes, (size_t{node.path_end} + 1) / 2 + node.value_size);
    node.child = free_short_;
    free_short_ = index;
}

// Room for the most that one change adds: a leaf, an extension's worth of key and a nibble, a branch; and for the way down.
bool Trie::make_room(ByteView key, ByteView value) noexcept {
    return shorts_.size() + 2 < MAX_NODES && branches_.size() + 1 < MAX_NODES && value.size < UINT32_MAX - 2 * MAX_KEY_BYTES &&
           shorts_.make_room(2) && branches_.make_room(1) && trail_.reserve(2 * key.size + 2) &&
           pool_.make_room(key.size + value.size, key.size + 1);
}

void Trie::mark_trail_dirty() noexcept {
    for (const Step& step : trail_)
        reference_of(step.node).size = 0;
}

// Puts a node where the trail has led to.
void Trie::replace_at_trail(Link link) noexcept {
    if (trail_.empty()) {
        root_ = link;
        return;
    }
    const Step& step = trail_.back();
    if (kind_of_link(step.node) == BRANCH)
        branches_[index_of(step.node)].children[step.child] = link;
    else
        shorts_[index_of(step.node)].child = link;
}

// ------------------------------------------------------------------------------------ looking

Trie::Link Trie::find_leaf(ByteView key) const noexcept {
    const size_t end = 2 * key.size;
    size_t depth = 0;
    Link link = root_;
    while (link != NONE) {
        if (kind_of_link(link) == BRANCH) {
            if (depth > end)
                return NONE;
            const Branch& branch = branches_[index_of(link)];
            link = depth == end ? branch.children[VALUE_CHILD] : branch.children[nibble_at(key.data, depth++)];
            continue;
        }
        const Short& node = shorts_[index_of(link)];
        if (kind_of_link(link) == LEAF)  // paths that were skipped on the way are checked here, as a whole
            return is_key_of(node, key) ? link : Link{NONE};
        depth = node.path_end;
        link = node.child;
    }
    return NONE;
}

ByteView Trie::get(ByteView key) const noexcept {
    const Link link = find_leaf(key);
    return link == NONE ? ByteView{} : value_of(shorts_[index_of(link)]);
}

// ------------------------------------------------------------------------------------ inserting

void Trie::set_value(Short* leaf, ByteView value) noexcept {
    const size_t key_size = leaf->path_end / 2;
    const size_t size_before = key_size + leaf->value_size;
    if (!BytePool::same_class(size_before, key_size + value.size)) {
        const uint32_t bytes = pool_.allocate(key_size + value.size);
        std::memcpy(pool_.at(bytes), pool_.at(leaf->bytes), key_size);
        pool_.release(leaf->bytes, size_before);
        leaf->bytes = bytes;
    }
    std::memcpy(pool_.at(leaf->bytes) + key_size, value.data, value.size);
    leaf->value_size = static_cast<uint32_t>(value.size);
    leaf->reference.size = 0;
}

// Hangs a leaf into a branch that begins at `depth`.
void Trie::put_into_branch(Link branch, ByteView key, size_t depth, Link leaf) noexcept {
    const bool ends_here = depth == 2 * key.size;
    shorts_[index_of(leaf)].path_begin = static_cast<uint16_t>(ends_here ? depth : depth + 1);
    branches_[index_of(branch)].children[ends_here ? VALUE_CHILD : nibble_at(key.data, depth)] = leaf;
}

// The leaf at the trail's end has another key; they part at `common`.
void Trie::split_leaf(Link old, ByteView key, ByteView value, size_t depth, size_t common) noexcept {
    const Link added = new_leaf(key, common, value);
    const Link branch = new_branch();
    Short& leaf = shorts_[index_of(old)];
    leaf.reference.size = 0;
    put_into_branch(branch, {key_of(leaf), size_t{leaf.path_end} / 2}, common, old);
    put_into_branch(branch, key, common, added);
    replace_at_trail(common == depth ? branch : new_extension(key.data, depth, common, branch));
}

// The key leaves the extension at `common`, before its end.
void Trie::split_extension(Link old, ByteView key, ByteView value, size_t depth, size_t common) noexcept {
    const Link added = new_leaf(key, common, value);
    const Link branch = new_branch();
    put_into_branch(branch, key, common, added);
    Short& extension = shorts_[index_of(old)];
    Link& rest = branches_[index_of(branch)].children[nibble_at(key_of(extension), common)];
    if (common + 1 == extension.path_end) {
        rest = extension.child;
        free_node(old);
    } else {
        extension.path_begin = static_cast<uint16_t>(common + 1);
        extension.reference.size = 0;
        rest = old;
    }
    replace_at_trail(common == depth ? branch : new_extension(key.data, depth, common, branch));
}

bool Trie::insert(ByteView key, ByteView value) noexcept {
    if (value.empty()) {
        bool was_there;
        return erase(key, &was_there);
    }
    if (key.size > MAX_KEY_BYTES || !make_room(key, value))
        return false;
    const size_t end = 2 * key.size;
    size_t depth = 0;
    Link link = root_;
    trail_.clear();
    for (;;) {
        if (link == NONE) {
            replace_at_trail(new_leaf(key, depth, value));
            break;
        }
        if (kind_of_link(link) == BRANCH) {
            const uint32_t child = depth == end ? VALUE_CHILD : nibble_at(key.data, depth);
            (void)trail_.push_back({link, child, depth});
            depth += depth != end;
            link = branches_[index_of(link)].children[child];
            continue;
        }
        Short& node = shorts_[index_of(link)];
        const size_t limit = node.path_end < end ? node.path_end : end;
        const size_t common = first_difference(key_of(node), key.data, depth, limit);
        if (kind_of_link(link) == EXTENSION) {
            if (common < node.path_end) {
                split_extension(link, key, value, depth, common);
                break;
            }
            (void)trail_.push_back({link, 0, depth});
            depth = common;
            link = node.child;
            continue;
        }
        if (common == end && common == node.path_end) {
            const ByteView before = value_of(node);
            if (before.size == value.size && std::memcmp(before.data, value.data, value.size) == 0)
                return true;
            set_value(&node, value);
        } else {
            split_leaf(link, key, value, depth, common);
        }
        break;
    }
    mark_trail_dirty();
    return true;
}

// ------------------------------------------------------------------------------------ erasing

// A branch has lost a child; if just one is left, the branch gives way to it.
void Trie::collapse(const Step& step, ByteView erased_key) noexcept {
    const Branch& branch = branches_[index_of(step.node)];
    unsigned last = 0;
    unsigned count = 0;
    for (unsigned i = 0; i <= VALUE_CHILD; ++i) {
        if (branch.children[i] != NONE) {
            last = i;
            ++count;
        }
    }
    if (count != 1)
        return;
    Link only_child = branch.children[last];
    free_node(step.node);
    trail_.pop_back();
    if (kind_of_link(only_child) == BRANCH) {
        // Its path is the erased key's down to here, then the nibble that led to it.
        uint8_t path[MAX_KEY_BYTES + 1];
        const size_t at = step.depth / 2;
        std::memcpy(path, erased_key.data, step.depth & 1 ? at + 1 : at);
        path[at] = static_cast<uint8_t>(step.depth & 1 ? (path[at] & 0xf0) | last : last << 4);
        only_child = new_extension(path, step.depth, step.depth + 1, only_child);
    }
    Short& node = shorts_[index_of(only_child)];
    node.path_begin = static_cast<uint16_t>(step.depth);
    node.reference.size = 0;
    if (!trail_.empty() && kind_of_link(trail_.back().node) == EXTENSION) {
        const Link above = trail_.back().node;
        node.path_begin = shorts_[index_of(above)].path_begin;
        free_node(above);
        trail_.pop_back();
    }
    replace_at_trail(only_child);
}

bool Trie::erase(ByteView key, bool* was_there) noexcept {
    const Link leaf = find_leaf(key);
    *was_there = leaf != NONE;
    if (leaf == NONE)
        return true;
    if (!make_room(key, {}))
        return false;
    // The key is there, so the way down needs no comparisons.
    trail_.clear();
    size_t depth = 0;
    for (Link link = root_; link != leaf;) {
        if (kind_of_link(link) == BRANCH) {
            const uint32_t child = depth == 2 * key.size ? VALUE_CHILD : nibble_at(key.data, depth);
            (void)trail_.push_back({link, child, depth});
            depth += child != VALUE_CHILD;
            link = branches_[index_of(link)].children[child];
        } else {
            (void)trail_.push_back({link, 0, depth});
            depth = shorts_[index_of(link)].path_end;
            link = shorts_[index_of(link)].child;
        }
    }
    free_node(leaf);
    --size_;
    replace_at_trail(NONE);
    mark_trail_dirty();
    if (!trail_.empty()) {
        const Step step = trail_.back();
        collapse(step, key);
    }
    return true;
}

}  // namespace evmcore
