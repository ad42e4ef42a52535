// Noting what has changed since a state's trie was made.
#include "kept_trie.hpp"

#include <new>

namespace evmcore {

namespace {

// Arrays that are larger than this are given back when they are emptied: visiting them takes as long as they are large.
constexpr size_t SPARE_BYTES = size_t{1} << 14;

}  // namespace

void ChangedCells::clear() noexcept {
    accounts.trim(SPARE_BYTES);
    slots.trim(SPARE_BYTES);
}

bool ChangedCells::put_under(ChangedCells* earlier) const noexcept {
    bool is_ok = true;
    bool inserted;
    accounts.for_each([&](const Address& address, const uint32_t& storage) {
        uint32_t* there = earlier->accounts.insert_or_find(address, &inserted);
        if (there == nullptr)
            is_ok = false;
        else if (inserted || (storage == ABSENT && *there != WIPED))
            *there = storage;
    });
    slots.for_each(
        [&](const SlotKey& key, const uint8_t&) { is_ok &= earlier->slots.insert_or_find(key, &inserted) != nullptr; });
    return is_ok;
}

bool ChangedCells::renumber(const Vector<uint32_t>& storage_ids) noexcept {
    bool is_ok = true;
    accounts.for_each([&](const Address&, uint32_t& storage) {
        if (storage != ABSENT && storage != WIPED && storage != LEFT_OUT)
            storage = storage < storage_ids.size() && storage_ids[storage] != 0 ? storage_ids[storage] : WIPED;
    });
    FlatMap<SlotKey, uint8_t, SeededHash> renumbered;
    slots.for_each([&](const SlotKey& key, const uint8_t&) {
        bool inserted;
        const uint32_t id = key.account < storage_ids.size() ? storage_ids[key.account] : 0;
        if (id != 0)
            is_ok &= renumbered.insert_or_find({id, key.slot}, &inserted) != nullptr;
    });
    slots = std::move(renumbered);
    return is_ok;
}

KeptTrie::~KeptTrie() {
    for (Earlier* earlier : earlier_)
        delete earlier;
}

void KeptTrie::note(const Address& address, uint32_t storage_id, size_t most) noexcept {
    bool inserted;
    uint32_t* storage = changed_.accounts.insert_or_find(address, &inserted);
    if (storage != nullptr && (inserted || *storage == ChangedCells::ABSENT))
        *storage = storage_id;
    check(storage != nullptr, most);
}

void KeptTrie::note(const SlotKey& key, size_t most) noexcept {
    bool inserted;
    check(changed_.slots.insert_or_find(key, &inserted) != nullptr, most);
}

void KeptTrie::note_absent(const Address& address) noexcept {
    bool inserted;
    uint32_t* storage = changed_.accounts.insert_or_find(address, &inserted);
    if (storage == nullptr)
        lose();
    else if (*storage != ChangedCells::WIPED)
        *storage = ChangedCells::ABSENT;
}

void KeptTrie::renumber(const Vector<uint32_t>& storage_ids) noexcept {
    if (follows_ && !changed_.renumber(storage_ids))
        lose();
}

void KeptTrie::lose() noexcept {
    if (is_partial_)
        is_lost_ = true;
    else
        forget();
}

void KeptTrie::forget() noexcept {
    is_lost_ = is_partial_;
    if (is_partial_)
        return;
    follows_ = false;
    if (is_free_long())
        waste_ = std::move(trie_);
    trie_.reset();
    changed_.accounts.release();
    changed_.slots.release();
    for (Earlier* earlier : earlier_)
        delete earlier;
    earlier_.release();
}

void KeptTrie::revert(uint64_t checkpoint) noexcept {
    for (; !earlier_.empty() && earlier_.back()->checkpoint >= checkpoint; earlier_.pop_back()) {
        Earlier* earlier = earlier_.back();
        if (!earlier->is_kept || !changed_.put_under(&earlier->changed)) {
            lose();  // ends the loop, or for want of memory goes on
            if (earlier_.empty())
                return;
        }
        trie_ = std::move(earlier->trie);
        changed_.accounts = std::move(earlier->changed.accounts);
        changed_.slots = std::move(earlier->changed.slots);
        delete earlier;
    }
}

void KeptTrie::release(uint64_t checkpoint, uint64_t before) noexcept {
    while (!earlier_.empty() && earlier_.back()->checkpoint >= checkpoint) {
        Earlier* last = earlier_.back();
        Earlier* below = earlier_.size() > 1 ? earlier_[earlier_.size() - 2] : nullptr;
        if (before != 0 && (below == nullptr || below->checkpoint < before)) {
            last->checkpoint = before;  // the earliest of those that go
            return;
        }
        if (before != 0 && !last->changed.put_under(&below->changed)) {
            lose();
            if (earlier_.empty())
                return;
        }
        delete last;
        earlier_.pop_back();
    }
}

bool KeptTrie::copy_from(const KeptTrie& other, bool has_undo) noexcept {
    const std::lock_guard<std::mutex> guard{other.mutex_};
    if (!other.follows_ || other.is_taken_)
        return true;
    follows_ = true;
    is_partial_ = other.is_partial_;
    is_lost_ = other.is_lost_;
    trie_ = other.trie_.share();
    bool is_ok = changed_.accounts.assign_from(other.changed_.accounts) && changed_.slots.assign_from(other.changed_.slots);
    for (size_t i = 0; has_undo && is_ok && i < other.earlier_.size(); ++i) {
        const Earlier* from = other.earlier_[i];
        auto* copy = new (std::nothrow) Earlier;
        is_ok = copy != nullptr && earlier_.push_back(copy);
        if (!is_ok) {
            delete copy;
            break;
        }
        copy->checkpoint = from->checkpoint;
        copy->is_kept = from->is_kept;
        copy->trie = from->trie.share();
        is_ok =
            copy->changed.accounts.assign_from(from->changed.accounts) && copy->changed.slots.assign_from(from->changed.slots);
    }
    if (is_ok)
        return true;
    forget();
    return !is_partial_;
}

void KeptTrie::set_partial(shared_trie::Ref trie) noexcept {
    trie_ = std::move(trie);
    follows_ = is_partial_ = true;
}

bool KeptTrie::keep_earlier(uint64_t checkpoint) noexcept {
    if (!earlier_.empty() && earlier_.back()->checkpoint == checkpoint)
        return changed_.put_under(&earlier_.back()->changed);
    auto* earlier = new (std::nothrow) Earlier;
    if (earlier == nullptr || !earlier_.push_back(earlier)) {
        delete earlier;
        return false;
    }
    earlier->checkpoint = checkpoint;
    earlier->is_kept = follows_;
    earlier->trie = std::move(trie_);
    earlier->changed.accounts = std::move(changed_.accounts);
    earlier->changed.slots = std::move(changed_.slots);
    return true;
}

void KeptTrie::close(uint64_t checkpoint, const shared_trie::Ref* trie, const Vector<Address>& left_out) noexcept {
    const std::lock_guard<std::mutex> guard{mutex_};
    is_busy_ = false;
    const bool was_taken = is_taken_;
    is_taken_ = false;
    if (trie == nullptr) {
        if (was_taken)
            forget();
        return;
    }
    if (checkpoint != 0 && !keep_earlier(checkpoint)) {
        if (!is_partial_)
            forget();
        return;  // the root is right, and the next one begins where this one did
    }
    trie_ = trie->share();
    changed_.clear();
    follows_ = true;
    for (const Address& address : left_out) {
        bool inserted;
        uint32_t* storage = follows_ ? changed_.accounts.insert_or_find(address, &inserted) : nullptr;
        if (storage != nullptr)
            *storage = ChangedCells::LEFT_OUT;
        else
            lose();
    }
}

bool KeptTrie::current(shared_trie::Ref* trie) const noexcept {
    const std::lock_guard<std::mutex> guard{mutex_};
    if (!follows_ || is_lost_ || is_busy_ || changed_.size() != 0)
        return false;
    *trie = trie_.share();
    return true;
}

bool KeptTrie::share(shared_trie::Ref* trie, ChangedCells* changed) const noexcept {
    const std::lock_guard<std::mutex> guard{mutex_};
    if (!follows_ || is_lost_ || is_taken_)
        return false;
    *trie = trie_.share();
    return changed->accounts.assign_from(changed_.accounts) && changed->slots.assign_from(changed_.slots);
}

void KeptTrie::take(KeptTrie* other) noexcept {
    follows_ = other->follows_;
    is_partial_ = other->is_partial_;
    is_lost_ = other->is_lost_;
    trie_ = std::move(other->trie_);
    changed_.accounts = std::move(other->changed_.accounts);
    changed_.slots = std::move(other->changed_.slots);
}

size_t KeptTrie::size_bytes() const noexcept {
    const std::lock_guard<std::mutex> guard{mutex_};
    size_t size = shared_trie::size_bytes(trie_.get()) + shared_trie::size_bytes(waste_.get()) + changed_.size_bytes();
    for (const Earlier* earlier : earlier_)
        size += sizeof(Earlier) + earlier->changed.size_bytes();
    return size;
}

}  // namespace evmcore
