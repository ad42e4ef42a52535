// Making shared tries out of each other.
#include "shared_trie.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace evmcore::shared_trie {

using namespace trie_node;

const Node* Leaf::storage() const noexcept {
    const Node* node = nullptr;
    if (flags & HAS_STORAGE)
        std::memcpy(&node, tail(), sizeof(const Node*));
    return node;
}

// The depth of the recursion is bounded by that of tries: 64 for the accounts and 64 for a storage.
void free_node(const Node* node) noexcept {
    switch (node->kind) {
    case NodeKind::LEAF: Ref::own(as_leaf(node)->storage()); break;
    case NodeKind::EXTENSION: Ref::own(as_extension(node)->child); break;
    case NodeKind::BRANCH:
        for (unsigned i = 0; i < as_branch(node)->count(); ++i)
            Ref::own(as_branch(node)->children()[i]);
        break;
    case NodeKind::UNKNOWN: break;
    }
    std::free(const_cast<Node*>(node));
}

void MissingNode::set(const Node* node, const uint8_t* key, unsigned at) noexcept {
    is_missing = true;
    depth = static_cast<uint8_t>(at);
    std::memcpy(hash.bytes, node->reference.bytes, 32);
    path = Hash{};
    std::memcpy(path.bytes, key, (at + 1) / 2);
    if (at & 1)
        path.bytes[at / 2] &= 0xf0;
}

namespace {

constexpr uint32_t LONG_UNITS = 1 << 16;  // about a millisecond

// What a node takes of the allocator: a header of 8 bytes, rounded up to 16.
uint32_t units_of(size_t size) noexcept { return static_cast<uint32_t>((size + 23) / 16); }
uint32_t add_units(uint64_t a, uint64_t b) noexcept { return static_cast<uint32_t>(std::min<uint64_t>(a + b, UINT32_MAX)); }

uint32_t units_below(const Node* node) noexcept {
    if (node == nullptr)
        return 0;
    switch (node->kind) {
    case NodeKind::LEAF: {
        const Leaf* leaf = as_leaf(node);
        const Node* storage = leaf->storage();
        const size_t size = sizeof(Leaf) + (storage != nullptr ? sizeof(Node*) : 0) + 1 + leaf->kept_value().size;
        return add_units(units_of(size), units_below(storage));
    }
    case NodeKind::EXTENSION: return add_units(units_of(sizeof(Extension)), units_below(as_extension(node)->child));
    case NodeKind::BRANCH: return as_branch(node)->units;
    default: return units_of(sizeof(Node));
    }
}

void init(Node* node, NodeKind kind, unsigned depth, unsigned flags = 0) noexcept {
    new (&node->references) std::atomic<uint32_t>{1};
    node->kind = kind;
    node->depth = static_cast<uint8_t>(depth);
    node->flags = static_cast<uint8_t>(flags);
    node->reference.size = 0;
}

bool is_value_of(const Leaf* leaf, const Change& change) noexcept {
    const ByteView kept = leaf->kept_value();
    const size_t end = leaf->flags & ENDS_EMPTY ? EMPTY_END_BYTES : 0;
    return leaf->storage() == change.storage && kept.size + end == change.value.size &&
           std::memcmp(kept.data, change.value.data, kept.size) == 0 &&
           (end == 0 || std::memcmp(EMPTY_END, change.value.data + kept.size, end) == 0);
}

bool is_before(const Change& change, const Hash& key) noexcept { return change.key < key; }

// Of changes whose keys share the nibbles before `depth`: the first that has another one there than *first.
const Change* end_of_group(const Change* first, const Change* last, unsigned depth) noexcept {
    const uint8_t nibble = nibble_at(first->key.bytes, depth);
    size_t step = 1;
    const Change* inside = first;
    while (step < static_cast<size_t>(last - inside) && nibble_at(inside[step].key.bytes, depth) == nibble) {
        inside += step;
        step *= 2;
    }
    const Change* outside = step < static_cast<size_t>(last - inside) ? inside + step : last;
    while (outside - inside > 1) {
        const Change* middle = inside + (outside - inside) / 2;
        (nibble_at(middle->key.bytes, depth) == nibble ? inside : outside) = middle;
    }
    return outside;
}

}  // namespace

void* Writer::allocate(size_t size) noexcept {
    void* memory = std::malloc(size);
    is_out_of_memory |= memory == nullptr;
    return memory;
}

// ------------------------------------------------------------------------------------ nodes

Ref Writer::make_leaf(const Change& change, unsigned depth) noexcept {
    size_t size = change.value.size;
    unsigned flags = 0;
    if (change.storage != nullptr) {
        flags = HAS_STORAGE;
    } else if (size > EMPTY_END_BYTES &&
               std::memcmp(change.value.data + size - EMPTY_END_BYTES, EMPTY_END, EMPTY_END_BYTES) == 0) {
        flags = ENDS_EMPTY;
        size -= EMPTY_END_BYTES;
    }
    const size_t pointer = change.storage != nullptr ? sizeof(Node*) : 0;
    auto* leaf = static_cast<Leaf*>(allocate(sizeof(Leaf) + pointer + 1 + size));
    if (leaf == nullptr)
        return {};
    init(leaf, NodeKind::LEAF, depth, flags);
    std::memcpy(leaf->key, change.key.bytes, 32);
    uint8_t* tail = leaf->tail();
    if (pointer != 0) {
        const Node* storage = Ref::share(change.storage).take();
        std::memcpy(tail, &storage, pointer);
    }
    tail[pointer] = static_cast<uint8_t>(size);
    std::memcpy(tail + pointer + 1, change.value.data, size);
    if (hasher_ != nullptr)
        submit(leaf, hasher_);
    return Ref::own(leaf);
}

Ref Writer::copy_leaf(const Leaf* old, unsigned depth) noexcept {
    const size_t pointer = old->flags & HAS_STORAGE ? sizeof(Node*) : 0;
    const size_t tail = pointer + 1 + old->kept_value().size;
    auto* leaf = static_cast<Leaf*>(allocate(sizeof(Leaf) + tail));
    if (leaf == nullptr)
        return {};
    init(leaf, NodeKind::LEAF, depth, old->flags);
    std::memcpy(leaf->key, old->key, 32);
    std::memcpy(leaf->tail(), old->tail(), tail);
    Ref::share(leaf->storage()).take();
    return Ref::own(leaf);
}

Ref Writer::with_storage(const Leaf* old, Ref storage) noexcept {
    const size_t tail = sizeof(Node*) + 1 + old->kept_value().size;
    auto* leaf = static_cast<Leaf*>(allocate(sizeof(Leaf) + tail));
    if (leaf == nullptr)
        return {};
    init(leaf, NodeKind::LEAF, old->depth, old->flags);
    leaf->reference = old->reference;
    std::memcpy(leaf->key, old->key, 32);
    std::memcpy(leaf->tail(), old->tail(), tail);
    const Node* taken = storage.take();
    std::memcpy(leaf->tail(), &taken, sizeof taken);
    return Ref::own(leaf);
}

Ref Writer::make_extension(const uint8_t* key, unsigned depth, unsigned end, Ref child) noexcept {
    auto* extension = static_cast<Extension*>(allocate(sizeof(Extension)));
    if (extension == nullptr)
        return {};
    init(extension, NodeKind::EXTENSION, depth);
    extension->child = child.take();
    extension->end = static_cast<uint8_t>(end);
    std::memset(extension->key, 0, 32);
    std::memcpy(extension->key, key, (end + 1) / 2);
    return Ref::own(extension);
}

Ref Writer::make_unknown(const Hash& hash) noexcept {
    auto* node = static_cast<Node*>(allocate(sizeof(Node)));
    if (node == nullptr)
        return {};
    init(node, NodeKind::UNKNOWN, 0);
    std::memcpy(node->reference.bytes, hash.bytes, 32);
    node->reference.size = Reference::HASHED;
    return Ref::own(node);
}

Ref Writer::make_branch(Ref children[CHILDREN], unsigned depth) noexcept {
    unsigned mask = 0;
    for (unsigned i = 0; i < CHILDREN; ++i)
        mask |= static_cast<unsigned>(static_cast<bool>(children[i])) << i;
    const size_t size = sizeof(Branch) + count_bits(mask) * sizeof(Node*);
    auto* branch = static_cast<Branch*>(allocate(size));
    if (branch == nullptr)
        return {};
    init(branch, NodeKind::BRANCH, depth);
    branch->mask = static_cast<uint16_t>(mask);
    branch->unused = 0;
    branch->units = units_of(size);
    const Node** place = branch->children();
    for (unsigned i = 0; i < CHILDREN; ++i)
        if (children[i]) {
            branch->units = add_units(branch->units, units_below(children[i].get()));
            *place++ = children[i].take();
        }
    return Ref::own(branch);
}

// The same node with a path that begins at `depth`, above where it did; `key` has the nibbles from there to a branch.
Ref Writer::begin_at(Ref node, const uint8_t* key, unsigned depth) noexcept {
    switch (node->kind) {
    case NodeKind::LEAF:
        if (node->depth == depth)
            return node;
        if (!node.is_unique())
            return copy_leaf(as_leaf(node.get()), depth);
        const_cast<Node*>(node.get())->depth = static_cast<uint8_t>(depth);
        const_cast<Node*>(node.get())->reference.size = 0;
        return node;
    case NodeKind::EXTENSION: {
        const Extension* old = as_extension(node.get());
        return old->depth == depth ? std::move(node) : make_extension(old->key, depth, old->end, Ref::share(old->child));
    }
    default: return depth == node->depth ? std::move(node) : make_extension(key, depth, node->depth, node.share());
    }
}

Ref Writer::join(Ref children[CHILDREN], const uint8_t* key, unsigned depth) noexcept {
    unsigned count = 0;
    unsigned last = 0;
    for (unsigned i = 0; i < CHILDREN; ++i)
        if (children[i]) {
            ++count;
            last = i;
        }
    if (count == 0)
        return {};
    if (count > 1)
        return make_branch(children, depth);
    // The branch gives way to the one that is left, whose kind has to be known for that.
    uint8_t path[32] = {};
    std::memcpy(path, key, (depth + 1) / 2);
    path[depth / 2] = static_cast<uint8_t>(depth & 1 ? (path[depth / 2] & 0xf0) | last : last << 4);
    children[last] = known(std::move(children[last]), path, depth + 1);
    if (failed())
        return {};
    return begin_at(std::move(children[last]), path, depth);
}

// ------------------------------------------------------------------------------------ changes

Ref Writer::update(Ref old, const Change* first, const Change* last, unsigned depth) noexcept {
    if (first == last || failed())
        return old;
    if (!old || old->kind == NodeKind::LEAF)
        return build(std::move(old), first, last, depth);
    if (old->kind == NodeKind::EXTENSION)
        return update_extension(std::move(old), first, last, depth);
    if (old->kind == NodeKind::BRANCH)
        return update_branch(std::move(old), first, last, depth);
    old = known(std::move(old), first->key.bytes, depth);
    return failed() ? std::move(old) : update(std::move(old), first, last, depth);
}

// A trie of the changes and of one leaf, if there is one.
Ref Writer::build(Ref leaf, const Change* first, const Change* last, unsigned depth) noexcept {
    if (leaf) {
        Hash key;
        std::memcpy(key.bytes, as_leaf(leaf.get())->key, 32);
        const Change* same = std::lower_bound(first, last, key, is_before);
        if (same != last && same->key == key) {
            if (last - first == 1 && leaf->depth == depth && is_value_of(as_leaf(leaf.get()), *same))
                return leaf;
            leaf.reset();
        }
    }
    // Changes that erase do so by not being there.
    while (first != last && first->value.empty())
        ++first;
    while (first != last && last[-1].value.empty())
        --last;
    if (first == last)
        return leaf ? begin_at(std::move(leaf), nullptr, depth) : Ref{};
    if (!leaf && last - first == 1)
        return make_leaf(*first, depth);
    if (poll_ != nullptr && poll_->poll(256)) {  // a node takes about as long as this much gas of plain instructions
        is_stopped = true;
        return {};
    }
    const uint8_t* low = first->key.bytes;
    const uint8_t* high = last[-1].key.bytes;
    if (leaf) {
        const uint8_t* key = as_leaf(leaf.get())->key;
        low = std::memcmp(key, low, 32) < 0 ? key : low;
        high = std::memcmp(key, high, 32) > 0 ? key : high;
    }
    const auto common = static_cast<unsigned>(first_difference(low, high, depth, KEY_NIBBLES));
    uint8_t path[32];
    std::memcpy(path, low, 32);
    Ref children[CHILDREN];
    const unsigned leaf_nibble = leaf ? nibble_at(as_leaf(leaf.get())->key, common) : CHILDREN;
    for (const Change* group = first; group != last && !failed();) {
        const Change* next = end_of_group(group, last, common);
        const unsigned nibble = nibble_at(group->key.bytes, common);
        // NOLINTNEXTLINE(bugprone-use-after-move): no two groups have one nibble
        children[nibble] = build(nibble == leaf_nibble ? std::move(leaf) : Ref{}, group, next, common + 1);
        group = next;
    }
    if (leaf)  // NOLINT(bugprone-use-after-move): one that was moved is null
        children[leaf_nibble] = begin_at(std::move(leaf), path, common + 1);
    if (failed())
        return {};
    Ref branch = make_branch(children, common);
    if (common == depth || !branch)
        return branch;
    return make_extension(path, depth, common, std::move(branch));
}

Ref Writer::update_extension(Ref old, const Change* first, const Change* last, unsigned depth) noexcept {
    const Extension* extension = as_extension(old.get());
    uint8_t path[32];
    std::memcpy(path, extension->key, 32);
    const unsigned end = extension->end;
    const auto shared = [&](const Change& change) {
        return static_cast<unsigned>(first_difference(change.key.bytes, path, depth, end));
    };
    // Where the first key that is to be added leaves the extension.
    unsigned common = end;
    for (const Change* change = first; change != last; ++change)
        if (!change->value.empty())
            common = std::min(common, shared(*change));
    while (first != last && shared(*first) < common)  // these erase what isn't there
        ++first;
    while (first != last && shared(last[-1]) < common)
        --last;
    if (first == last)
        return old;
    const Node* const child = extension->child;
    if (common == end) {
        Ref updated = update(Ref::share(child), first, last, end);
        if (failed() || updated.get() == child)
            return old;
        return updated ? begin_at(std::move(updated), path, depth) : Ref{};
    }
    Ref children[CHILDREN];
    const unsigned own = nibble_at(path, common);
    children[own] = common + 1 == end ? Ref::share(child) : make_extension(path, common + 1, end, Ref::share(child));
    for (const Change* group = first; group != last && !failed();) {
        const Change* next = end_of_group(group, last, common);
        const unsigned nibble = nibble_at(group->key.bytes, common);
        children[nibble] = update(std::move(children[nibble]), group, next, common + 1);
        group = next;
    }
    if (failed())
        return old;
    Ref branch = join(children, path, common);
    if (failed() || !branch || branch->depth == depth)
        return branch;
    return begin_at(std::move(branch), path, depth);
}

Ref Writer::update_branch(Ref old, const Change* first, const Change* last, unsigned depth) noexcept {
    if (poll_ != nullptr && poll_->poll(256)) {
        is_stopped = true;
        return old;
    }
    const Branch* branch = as_branch(old.get());
    if (!old.is_unique()) {
        Ref children[CHILDREN];
        bool is_changed = false;
        for (const Change* group = first; group != last && !failed();) {
            const Change* next = end_of_group(group, last, depth);
            const unsigned nibble = nibble_at(group->key.bytes, depth);
            const Node* child = branch->child(nibble);
            children[nibble] = update(Ref::share(child), group, next, depth + 1);
            is_changed |= children[nibble].get() != child;
            group = next;
        }
        if (failed() || !is_changed)
            return old;
        unsigned nibbles = 0;
        for (const Change* group = first; group != last; group = end_of_group(group, last, depth))
            nibbles |= 1u << nibble_at(group->key.bytes, depth);
        for (unsigned i = 0; i < CHILDREN; ++i)
            if (!(nibbles >> i & 1))
                children[i] = Ref::share(branch->child(i));
        return join(children, first->key.bytes, depth);
    }
    // Nobody else has it: what is below is taken out, changed and put back, as long as the same children are there.
    auto* own = const_cast<Branch*>(branch);
    for (const Change* group = first; group != last; group = end_of_group(group, last, depth)) {
        const Node* child = own->child(nibble_at(group->key.bytes, depth));
        if (child != nullptr)
            __builtin_prefetch(child);
    }
    Ref children[CHILDREN];
    unsigned nibbles = 0;
    bool is_changed = false;
    unsigned mask = own->mask;
    uint32_t units = own->units;
    for (const Change* group = first; group != last;) {
        const Change* next = end_of_group(group, last, depth);
        const unsigned nibble = nibble_at(group->key.bytes, depth);
        const Node* before = nullptr;
        if (own->has(nibble))
            std::swap(before, own->children()[own->place_of(nibble)]);
        const uint32_t units_before = units_below(before);
        const bool was_fresh = before != nullptr && before->reference.size == 0;
        children[nibble] = update(Ref::own(before), group, next, depth + 1);
        const Node* after = children[nibble].get();
        is_changed |= after != before || was_fresh || (after != nullptr && after->reference.size == 0);
        units = units == UINT32_MAX ? units : units - units_before + units_below(after);
        mask = (mask & ~(1u << nibble)) | static_cast<unsigned>(after != nullptr) << nibble;
        nibbles |= 1u << nibble;
        group = next;
    }
    if (mask == own->mask) {
        for (unsigned i = 0; i < CHILDREN; ++i)
            if (nibbles >> i & 1 && own->has(i))
                own->children()[own->place_of(i)] = children[i].take();
        own->units = units;
        if (is_changed)
            own->reference.size = 0;
        return old;
    }
    for (unsigned i = 0; i < CHILDREN; ++i)
        if (!(nibbles >> i & 1) && own->has(i)) {
            const Node* child = nullptr;
            std::swap(child, own->children()[own->place_of(i)]);
            children[i] = Ref::own(child);
        }
    own->mask = 0;  // it has none any more; all of them are in `children`
    return failed() ? Ref{} : join(children, first->key.bytes, depth);
}

void split(Ref branch, Ref children[CHILDREN]) noexcept {
    if (!branch)
        return;
    auto* own = const_cast<Branch*>(as_branch(branch.get()));
    const bool is_own = branch.is_unique();
    for (unsigned i = 0; i < CHILDREN; ++i)
        if (own->has(i))
            children[i] = is_own ? Ref::own(own->children()[own->place_of(i)]) : Ref::share(own->child(i));
    if (is_own)
        own->mask = 0;
}

size_t size_bytes(const Node* root) noexcept { return size_t{16} * units_below(root); }

namespace {

// Of what nobody else holds; below so many branches without a look at who holds them.
uint64_t own_units(const Node* node, unsigned branches) noexcept {
    if (node == nullptr || node->references.load(std::memory_order_relaxed) > 1)
        return 0;
    switch (node->kind) {
    case NodeKind::LEAF: return branches == 0 ? units_below(node) : 1 + own_units(as_leaf(node)->storage(), branches - 1);
    case NodeKind::EXTENSION: return own_units(as_extension(node)->child, branches);
    case NodeKind::BRANCH: break;
    case NodeKind::UNKNOWN: return 1;
    }
    const Branch* branch = as_branch(node);
    if (branches == 0 || branch->units <= LONG_UNITS)
        return branch->units;
    uint64_t units = 1;
    for (unsigned i = 0; i < branch->count(); ++i)
        units += own_units(branch->children()[i], branches - 1);
    return units;
}

}  // namespace

bool is_free_long(const Node* root) noexcept { return own_units(root, 2) > LONG_UNITS; }

}  // namespace evmcore::shared_trie
