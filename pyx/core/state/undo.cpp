// The committed state's undo log, and how it lets go of what is in use no more.
#include <algorithm>
#include <atomic>

#include "world.hpp"

namespace evmcore {

namespace {

// Of all states of the process, so that a number of another state, or of a copy, is never one of ours.
std::atomic<uint64_t> next_checkpoint_number{1};

}  // namespace

size_t World::find_checkpoint(uint64_t number) const noexcept {
    const Checkpoint* found = std::lower_bound(checkpoints_.begin(), checkpoints_.end(), number,
                                               [](const Checkpoint& each, uint64_t n) { return each.number < n; });
    const bool is_there = found != checkpoints_.end() && found->number == number;
    return is_there ? static_cast<size_t>(found - checkpoints_.begin()) : checkpoints_.size();
}

uint64_t World::checkpoint() noexcept {
    end_dropped_observations();
    const uint64_t number = next_checkpoint_number.fetch_add(1, std::memory_order_relaxed);
    const Checkpoint checkpoint{
        number,          account_undo_.size(), slot_undo_.size(), new_slots_.size(), new_codes_.size(), unused_codes_.size(),
        account_count(), next_storage_id_};
    if (!checkpoints_.push_back(checkpoint))
        return 0;
    ++epoch_;
    return number;
}

void World::take_back(AccountRecord* record, const AccountRecord& saved) noexcept {
    see(*record);
    live_accounts_ += static_cast<size_t>(saved.exists) - static_cast<size_t>(record->exists);
    live_slots_ += static_cast<size_t>(saved.slot_count) - static_cast<size_t>(record->slot_count);
    use_code(record, saved.code);
    record->take_back(saved);
}

bool World::revert(uint64_t number) noexcept {
    const size_t found = find_checkpoint(number);
    if (found == checkpoints_.size())
        return false;
    ++epoch_;
    const Checkpoint to = checkpoints_[found];
    for (; slot_undo_.size() > to.slot_undo_size; slot_undo_.pop_back()) {
        const SlotUndo& undo = slot_undo_.back();
        StoredSlot* stored = slots_.find(undo.key);
        see(undo.key, stored->value);
        stored->value = undo.value;
    }
    for (; new_slots_.size() > to.new_slots_size; new_slots_.pop_back()) {
        const SlotKey& key = new_slots_.back();
        see(key, slots_.find(key)->value);
        if (newest_ != nullptr)
            newest_->forget_zero(key);
        slots_.erase(key);
    }
    for (; account_undo_.size() > to.account_undo_size; account_undo_.pop_back())
        if (account_undo_.back().place < to.record_count)
            take_back(own_record(account_undo_.back().place), account_undo_.back().record);  // it has been since it was written
    for (; account_count() > to.record_count; records_.pop_back()) {
        index_.erase(records_.back().address);
        const Address address = records_.back().address;
        take_back(&records_.back(), AccountRecord{});
        if (kept_.follows())
            kept_.note_absent(address);
    }
    for (; new_codes_.size() > to.new_codes_size; new_codes_.pop_back())
        drop_code(new_codes_.back());
    unused_codes_.truncate(to.unused_codes_size);  // what has no user now had none then
    last_place_ = NO_PLACE;
    if (observations_.empty())  // an observation tells by its number which storage is older
        next_storage_id_ = to.next_storage_id;
    checkpoints_.truncate(found);
    kept_.revert(to.number);
    if (checkpoints_.empty())
        forget_undo();
    return true;
}

bool World::release(uint64_t number) noexcept {
    const size_t found = find_checkpoint(number);
    if (found == checkpoints_.size())
        return false;
    ++epoch_;
    checkpoints_.truncate(found);
    kept_.release(number, newest_checkpoint());
    if (checkpoints_.empty())
        forget_undo();
    return true;
}

void World::forget_undo() noexcept {
    account_undo_.trim(SPARE_UNDO_BYTES);
    slot_undo_.trim(SPARE_UNDO_BYTES);
    new_slots_.trim(SPARE_UNDO_BYTES);
    new_codes_.trim(SPARE_UNDO_BYTES);
    tidy();
}

void World::drop_code(const Hash& hash) noexcept {
    const KeptCode* kept = codes_.find(hash);
    if (kept == nullptr || kept->users != 0)
        return;
    kept->code->release();
    codes_.erase(hash);
}

bool World::is_end_long(uint64_t checkpoint, bool is_kept) const noexcept {
    const size_t found = find_checkpoint(checkpoint);
    if (found == checkpoints_.size())
        return false;
    const Checkpoint& to = checkpoints_[found];
    const size_t undone = slot_undo_.size() - to.slot_undo_size + new_slots_.size() - to.new_slots_size + account_undo_.size() -
                          to.account_undo_size + account_count() - to.record_count;
    return (!is_kept && undone > FEW_TO_MOVE) ||
           (found == 0 && account_count() + slot_count() > FEW_TO_MOVE && is_compaction_due());
}

bool World::is_compaction_due() const noexcept {
    const size_t live = live_accounts_ + live_slots_;
    const size_t spare = spare_cells();
    // In a layer those that it has given out itself.
    const uint32_t ids = next_storage_id_ - (base_ != nullptr ? base_->next_storage_id_ : 0);
    const bool has_spare_ids = observations_.empty() && ids / 4 > account_count() + SPARE_CELLS;
    // What was large once, and was reverted.
    const auto is_roomy = [](size_t capacity, size_t size) { return capacity > ROOMY && capacity / 16 > size; };
    const bool has_spare_room =
        base_ == nullptr && (is_roomy(slots_.capacity(), slots_.size()) || is_roomy(records_.capacity(), records_.size()));
    return spare > kept_cells_ + live + SPARE_CELLS || has_spare_ids || has_spare_room;
}

void World::tidy() noexcept {
    if (has_checkpoints())
        return;
    end_dropped_observations();
    for (; !unused_codes_.empty(); unused_codes_.pop_back())
        drop_code(unused_codes_.back());
    unused_codes_.trim(SPARE_UNDO_BYTES);
    if (is_compaction_due() && (!take_all_bases() || !compact()))
        kept_cells_ = spare_cells();  // no memory: later
}

bool World::compact() noexcept {
    // Which records stay, and how their storage is called from now on: 0 for storage that goes.
    Vector<uint32_t> storage_ids;
    codes_.for_each([&](const Hash& hash, const KeptCode& kept) {
        if (kept.users == 0)
            (void)unused_codes_.push_back(hash);
    });
    if (!storage_ids.resize(next_storage_id_))
        return false;
    const bool keeps_ids = !observations_.empty();
    size_t record_count = 0;
    for (const AccountRecord& record : records_)
        if (is_strict_ || record.exists || record.slot_count != 0 || record.code != nullptr)
            storage_ids[record.storage_id] = keeps_ids ? record.storage_id : static_cast<uint32_t>(++record_count);
    FlatMap<Address, uint32_t, SeededHash> index;
    FlatMap<SlotKey, StoredSlot, SeededHash> slots;
    size_t slot_count = 0;
    const auto is_kept = [&](const SlotKey& key, const StoredSlot& slot) {
        return storage_ids[key.account] != 0 && (is_strict_ || !slot.value.is_zero());
    };
    slots_.for_each([&](const SlotKey& key, const StoredSlot& slot) { slot_count += is_kept(key, slot); });
    if (keeps_ids)
        record_count = records_.size();
    Vector<AccountRecord> records;
    if (!slots.reserve(slot_count) || !index.reserve(record_count) || !records.reserve(record_count))
        return false;
    bool inserted;
    slots_.for_each([&](const SlotKey& key, const StoredSlot& slot) {
        if (is_kept(key, slot)) {
            *slots.insert_or_find({storage_ids[key.account], key.slot}, &inserted) = slot;
        } else if (newest_ != nullptr) {
            newest_->see(key, slot.value);
            newest_->forget_zero(key);
        }
    });
    for (AccountRecord record : records_) {
        if (storage_ids[record.storage_id] == 0)
            continue;
        record.storage_id = storage_ids[record.storage_id];
        *index.insert_or_find(record.address, &inserted) = static_cast<uint32_t>(records.size());
        (void)records.push_back(record);  // there is room
    }
    if (!keeps_ids)
        next_storage_id_ = static_cast<uint32_t>(records.size()) + 1;
    records_ = std::move(records);
    slots_ = std::move(slots);
    index_ = std::move(index);
    last_place_ = NO_PLACE;
    kept_.renumber(storage_ids);
    kept_cells_ = records_.size() + slots_.size() - live_accounts_ - live_slots_;
    return true;
}

}  // namespace evmcore
