// Rows of trie nodes.
#include "trie_rows.hpp"

namespace evmcore {

using namespace shared_trie;
using trie_node::nibble_at;

namespace {

constexpr uint32_t NODE_WEIGHT = 256;  // a node takes about as long as this much gas of plain instructions

bool has_row(const Node* node, unsigned depth) noexcept {
    return node != nullptr && (node->reference.size == Reference::HASHED || depth == 0);
}

bool is_same(const Reference& a, const Reference& b) noexcept {
    return a.size == b.size && std::memcmp(a.bytes, b.bytes, a.size) == 0;
}

bool ends(const Node* node) noexcept { return node == nullptr || node->kind == NodeKind::LEAF; }

bool has_key(const Node* node, const Leaf* other) noexcept { return std::memcmp(as_leaf(node)->key, other->key, 32) == 0; }

}  // namespace

bool TrieDifference::put(unsigned depth, ByteView encoded) noexcept {
    const uint8_t size[4] = {static_cast<uint8_t>(encoded.size), static_cast<uint8_t>(encoded.size >> 8),
                             static_cast<uint8_t>(encoded.size >> 16), static_cast<uint8_t>(encoded.size >> 24)};
    if (!rows.push_back(owner_ != nullptr) || (owner_ != nullptr && !rows.append(owner_->bytes, 32)) ||
        !rows.push_back(static_cast<uint8_t>(depth)) || !rows.append(path_, (depth + 1) / 2))
        return false;
    if (depth & 1)
        rows.back() &= 0xf0;
    return rows.append(size, 4) && rows.append(encoded.data, encoded.size);
}

TrieDifference::Part TrieDifference::child(const Part& part, unsigned nibble, unsigned depth) noexcept {
    if (part.node == nullptr)
        return {};
    if (part.node->kind == NodeKind::BRANCH)
        return {as_branch(part.node)->child(nibble), true};
    if (part.node->kind == NodeKind::LEAF)
        return nibble_at(as_leaf(part.node)->key, depth) == nibble ? Part{part.node, false} : Part{};
    const Extension* extension = as_extension(part.node);
    if (nibble_at(extension->key, depth) != nibble)
        return {};
    return depth + 1 == extension->end ? Part{extension->child, true} : Part{part.node, false};
}

// Makes a node known that is none by its hash alone; `held` keeps it.
bool TrieDifference::resolve(Part* part, unsigned depth, Ref* held) noexcept {
    if (part->node == nullptr || part->node->kind != NodeKind::UNKNOWN)
        return true;
    Writer writer;
    writer.read_from(source_, owner_);
    *held = writer.known(Ref::share(part->node), path_, depth);
    part->node = held->get();
    if (!writer.failed())
        return true;
    if (writer.missing.is_missing) {
        missing = writer.missing;
        is_in_storage = owner_ != nullptr;
        if (is_in_storage)
            account = *owner_;
    }
    return false;
}

bool TrieDifference::step(Part before, Part after, unsigned depth) noexcept {
    if (before.node == after.node && before.begins == after.begins)
        return true;
    if (before.begins && after.begins && before.node != nullptr && after.node != nullptr &&
        is_same(before.node->reference, after.node->reference))
        return true;
    if (poll_ != nullptr && poll_->poll(NODE_WEIGHT))
        return false;
    Ref old;
    Ref now;
    if (!resolve(&before, depth, &old) || !resolve(&after, depth, &now))
        return false;
    const bool had_row = before.begins && has_row(before.node, depth);
    if (after.begins && has_row(after.node, depth)) {
        if (!encode(after.node, &encoded_) || !put(depth, encoded_))
            return false;
    } else if (had_row && !put(depth, {})) {
        return false;
    }
    if (ends(before.node) && ends(after.node))
        return leaves(before.node, after.node);
    for (unsigned nibble = 0; nibble < CHILDREN; ++nibble) {
        const Part first = child(before, nibble, depth);
        const Part second = child(after, nibble, depth);
        if (first.node == nullptr && second.node == nullptr)
            continue;
        uint8_t& byte = path_[depth / 2];
        byte = static_cast<uint8_t>(depth & 1 ? (byte & 0xf0) | nibble : nibble << 4);
        if (!step(first, second, depth + 1))
            return false;
    }
    return true;
}

bool TrieDifference::leaves(const Node* before, const Node* after) noexcept {
    const Leaf* first = before != nullptr ? as_leaf(before) : nullptr;
    const Leaf* second = after != nullptr ? as_leaf(after) : nullptr;
    if (first != nullptr && second != nullptr && !has_key(before, second)) {
        const bool is_first = std::memcmp(first->key, second->key, 32) < 0;
        return is_first ? storages(first, nullptr) && storages(nullptr, second)
                        : storages(nullptr, second) && storages(first, nullptr);
    }
    return storages(first, second);
}

// Of one key, in both tries or in one of them.
bool TrieDifference::storages(const Leaf* before, const Leaf* after) noexcept {
    if (before != nullptr && after != nullptr) {
        Bytes value;
        Bytes other;
        if (!value_of(before, &value) || !value_of(after, &other))
            return false;
        if (value.size() == other.size() && std::memcmp(value.data(), other.data(), value.size()) == 0)
            return true;  // the same leaf has moved
    }
    if (owner_ != nullptr) {
        ++accounts.back().changed_slots;
        return true;
    }
    Storage* const changed = accounts.add();
    if (changed == nullptr)
        return false;
    std::memcpy(changed->account.bytes, (before != nullptr ? before : after)->key, 32);
    const Hash owner = changed->account;
    uint8_t path[33];
    std::memcpy(path, path_, sizeof path);
    owner_ = &owner;
    const Node* first = before != nullptr ? before->storage() : nullptr;
    const Node* second = after != nullptr ? after->storage() : nullptr;
    const bool is_done = step({first, true}, {second, true}, 0);
    owner_ = nullptr;
    std::memcpy(path_, path, sizeof path);
    return is_done;
}

bool TrieDifference::find(const Node* before, const Node* after) noexcept { return step({before, true}, {after, true}, 0); }

bool read_ways(const Ref& trie, LocalReads* local, const Hash& account, const Vector<Hash>& slots, Ref* out,
               MissingNode* missing, bool* in_storage) noexcept {
    Writer writer;
    writer.read_from(local->nodes(), nullptr);
    const Way way{account, slots.begin(), slots.size()};
    *out = writer.expand(trie.share(), &way, &way + 1);
    *missing = writer.missing;
    *in_storage = writer.missing_account != nullptr;
    return !writer.failed();
}

}  // namespace evmcore
