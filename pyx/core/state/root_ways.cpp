// A step of a local state's root: the nodes on the ways to what changed are read, below the root's children by a worker each.
#include <algorithm>

#include "../base/polled_sort.hpp"
#include "state_root.hpp"

namespace evmcore {

using shared_trie::Branch;
using shared_trie::CHILDREN;
using shared_trie::NodeKind;
using shared_trie::Ref;
using shared_trie::Way;
using shared_trie::Writer;

bool StateRoot::list_ways(Poll* poll) noexcept {
    LocalReads* local = world_->local();
    if (is_whole_ || local == nullptr || !trie_)
        return true;
    if (!ways_.reserve(accounts_.size()) || !way_slots_.reserve(slots_in_order_.size()))
        return false;
    for (size_t i = 0; i < accounts_.size(); ++i) {
        const Account& account = accounts_[i];
        Way way{account.key};
        const AccountRecord* record = account.record;
        if (record != nullptr && record->exists && account.base == record->storage_id) {
            way.slots = way_slots_.end();
            const SlotRange range = slots_of(*record);
            for (const Slot** slot = range.first; slot != range.last; ++slot)
                (void)way_slots_.push_back((*slot)->key);  // there is room
            way.slot_count = static_cast<size_t>(range.last - range.first);
        }
        (void)ways_.push_back(way);
    }
    if (!sort_polled(ways_.begin(), ways_.size(), [](const Way& a, const Way& b) { return a.key < b.key; }, poll))
        return false;
    before_ = trie_.share();
    if (ways_.size() < SPLIT_ACCOUNTS)
        return true;
    Writer writer{poll};
    read_from_source(&writer, nullptr);
    trie_ = writer.known(std::move(trie_), ways_[0].key.bytes, 0);
    if (writer.failed()) {
        note_missing(writer.missing, nullptr);
        return false;
    }
    are_ways_split_ = trie_->kind == NodeKind::BRANCH;
    for (unsigned i = 0; are_ways_split_ && i < CHILDREN; ++i)
        children_[i] = Ref::share(shared_trie::as_branch(trie_.get())->child(i));
    return true;
}

bool StateRoot::expand(size_t part, Poll* poll) noexcept {
    const auto is_before = [](const Way& way, size_t nibble) { return way.key.bytes[0] >> 4 < static_cast<int>(nibble); };
    const Way* first = ways_.begin();
    const Way* last = ways_.end();
    if (are_ways_split_) {
        first = std::lower_bound(first, last, part, is_before);
        last = std::lower_bound(first, last, part + 1, is_before);
    }
    Ref* const trie = are_ways_split_ ? &children_[part] : &trie_;
    Writer writer{poll};
    read_from_source(&writer, nullptr);
    *trie = writer.expand(std::move(*trie), first, last, are_ways_split_ ? 1 : 0);
    if (writer.missing.is_missing)
        note_missing(writer.missing, writer.missing_account);
    return !writer.failed();
}

bool StateRoot::join_ways() noexcept {
    if (ways_.empty())
        return true;
    if (are_ways_split_) {
        const Branch* const branch = shared_trie::as_branch(trie_.get());
        bool is_changed = false;
        for (unsigned i = 0; i < CHILDREN; ++i)
            is_changed |= children_[i].get() != branch->child(i);
        if (is_changed) {
            Writer writer;
            Ref made = writer.copy_branch(branch, children_);
            if (!made)
                return false;
            auto* node = const_cast<shared_trie::Node*>(made.get());
            node->reference = branch->reference;
            node->flags = branch->flags;
            trie_ = std::move(made);
        }
        for (Ref& child : children_)
            child.reset();
    }
    // What was read is kept beside what changes: of the latter the database is told (unsaved_nodes).
    world_->local()->replace_trie(before_.get(), trie_);
    before_.reset();
    return true;
}

}  // namespace evmcore
