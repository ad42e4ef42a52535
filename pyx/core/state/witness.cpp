// Recording what an execution looks at, and finding the nodes for it.
#include "witness.hpp"

#include <algorithm>

namespace evmcore {

using namespace shared_trie;
using trie_node::first_difference;
using trie_node::nibble_at;

uint32_t WitnessRecord::place_of(const Address& address) noexcept {
    bool inserted;
    uint32_t* place = places_.insert_or_find(address, &inserted);
    if (place == nullptr)
        return NO_PLACE;
    if (inserted) {
        *place = static_cast<uint32_t>(accounts_.size());
        if (!accounts_.push_back({address}))
            return NO_PLACE;
    }
    return *place;
}

bool WitnessRecord::add(const Effects& effects) noexcept {
    oldest_block_ = std::min(oldest_block_, effects.oldest_block);
    for (const AccountEffect& effect : effects.accounts) {
        const uint32_t place = place_of(effect.address);
        if (place == NO_PLACE)
            return false;
        // What replaces an account's code has looked at it before: the first one is that of the state before the block, if it had any.
        if ((effect.reads & READ_CODE_BYTES) && effect.seen_code != nullptr && accounts_[place].code == nullptr)
            accounts_[place].code = effect.seen_code->acquire();
    }
    for (const SlotEffect& effect : effects.slots) {
        const SlotKey key{place_of(effects.accounts[effect.account].address), effect.key};
        bool inserted;
        if (known_slots_.insert_or_find(key, &inserted) == nullptr || (inserted && !slots_.push_back(key)))
            return false;
    }
    return true;
}

bool WitnessRecord::add_trie_of(const World& world) noexcept {
    Ref trie;
    return world.current_trie(&trie) && add_trie(trie);
}

void WitnessRecord::begin_again() noexcept {
    for (const Account& account : accounts_)
        if (account.code != nullptr)
            account.code->release();
    places_.clear();
    known_slots_.clear();
    accounts_.clear();
    slots_.clear();
    tries_.clear();
    oldest_block_ = UINT64_MAX;
}

namespace {

bool is_before(const Hash& a, const Hash& b) noexcept { return std::memcmp(a.bytes, b.bytes, 32) < 0; }

// Whether a trie has a key that begins with the first `depth` nibbles of `path`.
bool has_below(const Node* node, const Hash& path, unsigned depth) noexcept {
    for (unsigned at = 0; node != nullptr && at < depth;) {
        if (node->kind == NodeKind::UNKNOWN)
            return true;
        if (node->kind == NodeKind::LEAF)
            return first_difference(as_leaf(node)->key, path.bytes, at, depth) == depth;
        if (node->kind == NodeKind::BRANCH) {
            node = as_branch(node)->child(nibble_at(path.bytes, at++));
            continue;
        }
        const unsigned end = std::min<unsigned>(as_extension(node)->end, depth);
        if (first_difference(as_extension(node)->key, path.bytes, at, end) != end)
            return false;
        at = end;
        node = as_extension(node)->child;
    }
    return node != nullptr;
}

}  // namespace

bool WitnessParts::add(const Node* node) noexcept {
    if (node != root_ && node->reference.size != Reference::HASHED)
        return true;  // its parent has it whole
    Bytes* const bytes = nodes_.add();
    return bytes != nullptr && encode(node, bytes);
}

// The nodes of a part of the trie towards keys, which ascend and share its first nibbles.
bool WitnessParts::below(const Node* node, unsigned depth, const Hash* first, const Hash* last) noexcept {
    if (node->kind == NodeKind::UNKNOWN) {
        missing_.set(node, first->bytes, depth);
        return false;
    }
    if (!add(node))
        return false;
    if (node->kind == NodeKind::BRANCH)
        return below_branch(as_branch(node), depth, first, last);
    if (node->kind == NodeKind::LEAF)
        return true;
    const Extension* extension = as_extension(node);
    const auto is_along = [&](const Hash& key) {
        return first_difference(extension->key, key.bytes, depth, extension->end) == extension->end;
    };
    while (first != last && !is_along(*first))
        ++first;
    while (first != last && !is_along(last[-1]))
        --last;
    return first == last || below(extension->child, extension->end, first, last);
}

bool WitnessParts::below_branch(const Branch* branch, unsigned depth, const Hash* first, const Hash* last) noexcept {
    if (poll_->poll(256))
        return false;
    const Hash* ways[CHILDREN] = {};  // the first key of each child that some lead to
    for (const Hash* key = first; key != last;) {
        const unsigned nibble = nibble_at(key->bytes, depth);
        const Hash* next = key;
        while (next != last && nibble_at(next->bytes, depth) == nibble)
            ++next;
        ways[nibble] = key;
        const Node* child = branch->child(nibble);
        if (child != nullptr && !below(child, depth + 1, key, next))
            return false;
        key = next;
    }
    const Node* sibling = nullptr;  // that nothing leads to
    unsigned siblings = 0;
    for (unsigned i = 0; i < CHILDREN; ++i)
        if (ways[i] == nullptr && branch->has(i)) {
            sibling = branch->child(i);
            ++siblings;
        }
    if (siblings != 1)
        return true;
    const auto is_left_alone = [&](const Node* after) {
        return std::none_of(ways, ways + CHILDREN,
                            [&](const Hash* way) { return way != nullptr && has_below(after, *way, depth + 1); });
    };
    if (std::none_of(after_.begin(), after_.end(), is_left_alone))
        return true;
    Hash path = *first;
    unsigned nibble = 0;
    while (branch->child(nibble) != sibling || ways[nibble] != nullptr)
        ++nibble;
    uint8_t& byte = path.bytes[depth / 2];
    byte = static_cast<uint8_t>(depth & 1 ? (byte & 0xf0) | nibble : nibble << 4);
    return add_sibling(sibling, path, depth + 1);
}

bool WitnessParts::add_sibling(const Node* node, const Hash& path, unsigned depth) noexcept {
    if (node->kind != NodeKind::UNKNOWN)
        return add(node);
    if (source_ == nullptr) {
        missing_.set(node, path.bytes, depth);
        return false;
    }
    Writer writer;
    writer.read_from(*source_, is_in_storage_ ? &account_ : nullptr);
    const Ref known = writer.known(Ref::share(node), path.bytes, depth);
    missing_ = writer.missing;
    return !writer.failed() && add(known.get());
}

bool WitnessParts::add_code(const WitnessRecord::Account& account, const Leaf* leaf) noexcept {
    Bytes value;
    StoredAccount stored;
    if (!value_of(leaf, &value))
        return false;
    // One that the block itself has made is known from that.
    return !stored.decode({value.data(), value.size()}) || !(stored.code_hash == account.code->hash) ||
           codes_.push_back(account.code);
}

bool WitnessParts::collect_storage(const WitnessRecord& record, const Leaf* leaf, const Hash* first,
                                   const Hash* last) noexcept {
    root_ = leaf->storage();
    if (root_ == nullptr)
        return true;
    std::memcpy(account_.bytes, leaf->key, 32);
    is_in_storage_ = true;
    after_.clear();
    for (const Ref& trie : record.tries()) {
        MissingNode missing;
        const Leaf* after = find(trie.get(), account_, &missing);
        // An account that is gone has taken its storage along, whole.
        if (after != nullptr && !after_.push_back(after->storage()))
            return false;
    }
    const bool is_whole = below(root_, 0, first, last);
    is_in_storage_ = !is_whole;
    return is_whole;
}

// Makes the ways to the keys known. `keys`: slots, by the places of their accounts, ascending.
bool WitnessParts::read(Ref* trie, const Vector<Hash>& accounts, const Vector<HashedKey>& keys) noexcept {
    Vector<Way> ways;
    Vector<Hash> slots;
    if (!ways.reserve(accounts.size()) || !slots.reserve(keys.size()))
        return false;
    const HashedKey* key = keys.begin();
    for (uint32_t place = 0; place < accounts.size(); ++place) {
        Way way{accounts[place], slots.end(), 0};
        for (; key != keys.end() && key->place == place; ++key, ++way.slot_count)
            (void)slots.push_back(key->hash);  // there is room
        (void)ways.push_back(way);
    }
    std::sort(ways.begin(), ways.end(), [](const Way& a, const Way& b) noexcept { return is_before(a.key, b.key); });
    Writer writer{poll_};
    writer.read_from(*source_, nullptr);
    *trie = writer.expand(std::move(*trie), ways.begin(), ways.end());
    missing_ = writer.missing;
    is_in_storage_ = writer.missing_account != nullptr;
    if (is_in_storage_)
        account_ = *writer.missing_account;
    return !writer.failed();
}

bool WitnessParts::collect(const WitnessRecord& record, const NodeSource* source, Poll* poll) noexcept {
    Ref trie = Ref::share(record.before());
    Vector<HashedKey> keys;
    Vector<Hash> hashes;
    Vector<Hash> accounts;  // by their places
    poll_ = poll;
    source_ = source;
    for (const WitnessRecord::Account& account : record.accounts()) {
        Hash* const hash = accounts.add();
        if (hash == nullptr)
            return false;
        keccak256(account.address.bytes, 20, hash);
        if (!hashes.push_back(*hash))
            return false;
    }
    for (const SlotKey& slot : record.slots()) {
        HashedKey* const key = keys.add();
        if (key == nullptr || poll->poll(64))
            return false;
        uint8_t word[32];
        to_big_endian(slot.slot, word);
        keccak256(word, 32, &key->hash);
        key->place = slot.account;
    }
    std::sort(hashes.begin(), hashes.end(), is_before);
    std::sort(keys.begin(), keys.end(), [](const HashedKey& a, const HashedKey& b) noexcept {
        return a.place != b.place ? a.place < b.place : is_before(a.hash, b.hash);
    });

    if (source != nullptr && !read(&trie, accounts, keys))
        return false;
    const Node* const before = trie.get();
    root_ = before;
    for (const Ref& after : record.tries())
        if (!after_.push_back(after.get()))
            return false;
    if (before != nullptr && !hashes.empty() && !below(before, 0, hashes.begin(), hashes.end()))
        return false;

    const HashedKey* key = keys.begin();
    for (uint32_t place = 0; place < record.accounts().size(); ++place) {
        hashes.clear();
        for (; key != keys.end() && key->place == place; ++key)
            if (!hashes.push_back(key->hash))
                return false;
        const WitnessRecord::Account& account = record.accounts()[place];
        if (hashes.empty() && account.code == nullptr)
            continue;
        const Leaf* leaf = find(before, accounts[place], &missing_);
        if (leaf == nullptr)
            continue;
        if (account.code != nullptr && !add_code(account, leaf))
            return false;
        if (!hashes.empty() && !collect_storage(record, leaf, hashes.begin(), hashes.end()))
            return false;
    }
    return true;
}

}  // namespace evmcore
