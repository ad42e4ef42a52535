// The last step of a state's root: the accounts' trie, below its root in up to 16 parts.
#include "../base/polled_sort.hpp"
#include "state_root.hpp"

namespace evmcore {

using shared_trie::Change;
using shared_trie::MissingNode;
using shared_trie::Ref;
using shared_trie::Writer;

bool StateRoot::fill_shelves() noexcept {
    is_split_ = accounts_.size() >= SPLIT_ACCOUNTS && (!trie_ || trie_->kind == shared_trie::NodeKind::BRANCH);
    for (size_t i = 0; i < accounts_.size(); ++i) {
        const Account& account = accounts_[i];
        if (account.is_unchanged)
            continue;
        Shelf& shelf = shelves_[is_split_ ? account.key.bytes[0] >> 4 : 0];
        if (!shelf.entries.push_back({u64_from_bytes(account.key.bytes), static_cast<uint32_t>(i)}))
            return false;
    }
    if (is_split_)
        shared_trie::split(std::move(trie_), children_);
    return true;
}

// By key: first by the byte after the nibble that all have, so that what is then sorted lies in the nearest cache.
bool StateRoot::order_shelf(Shelf* shelf, Poll* poll) const noexcept {
    static constexpr size_t GROUPS = 256;
    const auto is_before = [&](const Shelf::Entry& a, const Shelf::Entry& b) {
        return a.prefix != b.prefix ? a.prefix < b.prefix : accounts_[a.account].key < accounts_[b.account].key;
    };
    Vector<Shelf::Entry>& entries = shelf->entries;
    if (!is_split_ || entries.size() < 4 * GROUPS)
        return sort_polled(entries.begin(), entries.size(), is_before, poll);
    const auto group_of = [](const Shelf::Entry& entry) { return static_cast<size_t>(entry.prefix >> 52 & (GROUPS - 1)); };
    size_t ends[GROUPS] = {};
    for (const Shelf::Entry& entry : entries)
        ++ends[group_of(entry)];
    for (size_t i = 1; i < GROUPS; ++i)
        ends[i] += ends[i - 1];
    Vector<Shelf::Entry> ordered;
    if (!ordered.resize(entries.size()))
        return false;
    for (size_t i = entries.size(); i-- > 0;)
        ordered[--ends[group_of(entries[i])]] = entries[i];
    for (size_t i = 0; i < GROUPS; ++i) {  // `ends` has the groups' begins by now
        const size_t end = i + 1 < GROUPS ? ends[i + 1] : ordered.size();
        if (!sort_polled(ordered.begin() + ends[i], end - ends[i], is_before, poll) || should_stop(poll))
            return false;
    }
    entries = std::move(ordered);
    return true;
}

// In the order of the keys. What they say of each account is copied next to each other: it lies anywhere, and memory is asked for ahead.
bool StateRoot::list_shelf(const Shelf& shelf, Vector<Change>* changes, Bytes* bytes) const noexcept {
    static constexpr size_t ACCOUNT_AHEAD = 16, VALUE_AHEAD = 8, LINE_BYTES = 64;
    const Vector<Shelf::Entry>& entries = shelf.entries;
    if (!changes->reserve(entries.size()) || !bytes->reserve(StoredAccount::BYTES_MOST * entries.size()))
        return false;
    for (size_t i = 0; i < entries.size(); ++i) {
        if (i + ACCOUNT_AHEAD < entries.size()) {
            const auto* ahead = reinterpret_cast<const uint8_t*>(&accounts_[entries[i + ACCOUNT_AHEAD].account]);
            __builtin_prefetch(ahead);
            __builtin_prefetch(ahead + LINE_BYTES);
        }
        if (i + VALUE_AHEAD < entries.size()) {
            const ByteView ahead = value_of(accounts_[entries[i + VALUE_AHEAD].account]);
            if (!ahead.empty()) {
                __builtin_prefetch(ahead.data);
                __builtin_prefetch(ahead.data + LINE_BYTES);
            }
        }
        const Account& account = accounts_[entries[i].account];
        const ByteView value = value_of(account);
        const size_t begin = bytes->size();
        if (!bytes->append(value.data, value.size))
            return false;
        (void)changes->push_back({account.key, {bytes->data() + begin, value.size}, account.storage.get()});  // there is room
    }
    return true;
}

bool StateRoot::make_shelf(size_t part, Poll* poll) noexcept {
    Shelf& shelf = shelves_[part];
    if (shelf.entries.empty() && is_split_)
        return true;
    Vector<Change> changes;
    Bytes bytes;
    if (!order_shelf(&shelf, poll) || !list_shelf(shelf, &changes, &bytes))
        return false;
    Writer writer{poll};
    trie_node::Hasher hasher;
    if (is_whole_)
        writer.hash_leaves(&hasher);
    read_from_source(&writer, nullptr);
    Ref* trie = is_split_ ? &children_[part] : &trie_;
    *trie = writer.update(std::move(*trie), changes.begin(), changes.end(), is_split_ ? 1 : 0);
    if (writer.missing.is_missing)
        note_missing(writer.missing, nullptr);
    if (writer.failed())
        return false;
    hasher.flush();
    return hasher.ok() && shared_trie::hash_fresh(trie, 1, poll);
}

bool StateRoot::root(Hash* out, Poll* poll) noexcept {
    if (!is_known_) {
        if (has_failed_ || (poll != nullptr && poll->abort.load(std::memory_order_relaxed)))
            return false;
        if (is_split_) {
            Writer writer;
            read_from_source(&writer, nullptr);
            const uint8_t none = 0;
            trie_ = writer.join(children_, &none, 0);
            if (writer.missing.is_missing)
                note_missing(writer.missing, nullptr);
            if (writer.failed() || !shared_trie::hash_fresh(&trie_, 1))
                return false;
        }
        if (is_open_)
            world_->kept_.close(world_->newest_checkpoint(), &trie_, left_out_);
        is_open_ = false;
    }
    *out = shared_trie::root_hash(trie_.get());
    return true;
}

void StateRoot::note_missing(const MissingNode& missing, const Hash* account) noexcept {
    const std::lock_guard<std::mutex> guard{missing_mutex_};
    note(false);
    if (missing_.is_missing)
        return;
    missing_ = missing;
    missing_in_storage_ = account != nullptr;
    if (account != nullptr)
        missing_account_ = *account;
}

}  // namespace evmcore
