// Making changes from the undo log: what was written since a checkpoint, less what is again as it was.
#include <algorithm>

#include "../base/polled_sort.hpp"
#include "world.hpp"

namespace evmcore {

namespace {

// An account whose record was written.
struct Written {
    const AccountRecord* before;  // in the undo log
    uint32_t place;
    uint32_t rank;  // by address
    bool is_wiped;
};

// Whose storage a number is.
struct StorageOwner {
    uint32_t account;
    bool is_before, is_after;
};

struct FoundSlot {
    uint32_t rank;
    SlotChange slot;
};

struct StorageIdHasher {
    uint64_t operator()(uint32_t id) const noexcept { return (id * 0x9e3779b97f4a7c15ULL) >> 32; }
};

AccountValues values_of(const AccountRecord& record) noexcept {
    AccountValues values;
    if (record.exists)
        values = {record.balance, record.nonce, 0, true};
    return values;
}

const Code* code_of(const AccountRecord& record) noexcept { return record.exists ? record.code : nullptr; }

}  // namespace

// The steps of World::changes_since, in order; each is RUNNING, or says why there are no changes.
class ChangesFinder {
public:
    ChangesFinder(const World& world, size_t checkpoint, Poll* poll, StateChanges* out, MissingKey* missing) noexcept
        : world_{world}, from_{world.checkpoints_[checkpoint]}, poll_{poll}, out_{out}, missing_{missing} {}

    Status find() noexcept {
        using Step = Status (ChangesFinder::*)() noexcept;
        static constexpr Step STEPS[] = {&ChangesFinder::list_accounts,    &ChangesFinder::order_accounts,
                                         &ChangesFinder::list_earlier,     &ChangesFinder::find_slots,
                                         &ChangesFinder::find_wiped_slots, &ChangesFinder::order_slots,
                                         &ChangesFinder::put_accounts,     &ChangesFinder::put_codes};
        for (const Step step : STEPS) {
            const Status status = (this->*step)();
            if (status != Status::RUNNING)
                return status;
        }
        return Status::RUNNING;
    }

private:
    Status stopped() const noexcept { return evmcore::stopped(poll_); }
    Status missing(const Address& address, const u256* slot = nullptr) noexcept {
        *missing_ = MissingKey{};
        missing_->address = address;
        missing_->is_slot = slot != nullptr;
        if (slot != nullptr)
            missing_->slot = *slot;
        return Status::MISSING_STATE;
    }
    const Written& ranked(uint32_t rank) const noexcept { return written_[order_[rank]]; }

    // The first entry of an account in the log has the values to start from.
    Status list_accounts() noexcept {
        FlatMap<uint32_t, uint8_t, World::PlaceHasher> seen;
        bool inserted;
        if (!seen.reserve(world_.account_undo_.size() - from_.account_undo_size))
            return stopped();
        for (size_t i = from_.account_undo_size; i < world_.account_undo_.size(); ++i) {
            const World::AccountUndo& undo = world_.account_undo_[i];
            if (i % POLLED_PIECE == 0 && should_stop(poll_))
                return stopped();
            if (seen.insert_or_find(undo.place, &inserted) == nullptr)
                return stopped();
            if (!inserted)
                continue;
            const AccountRecord& now = world_.record(undo.place);
            if (!World::knows(undo.record, KNOWS_ACCOUNT) || !World::knows(now, KNOWS_ACCOUNT))
                return missing(undo.record.address);
            const auto account = static_cast<uint32_t>(written_.size());
            const bool is_wiped = undo.record.storage_id != now.storage_id;
            has_wiped_slots_ |= is_wiped && undo.record.slot_count != 0;
            if (!written_.push_back({&undo.record, undo.place, 0, is_wiped}) ||
                !put_owner(undo.record.storage_id, {account, true, !is_wiped}) ||
                (is_wiped && !put_owner(now.storage_id, {account, false, true})))
                return stopped();
        }
        return Status::RUNNING;
    }

    bool put_owner(uint32_t storage_id, const StorageOwner& owner) noexcept {
        bool inserted;
        StorageOwner* place = owners_.insert_or_find(storage_id, &inserted);
        if (place != nullptr)
            *place = owner;
        return place != nullptr;
    }

    Status order_accounts() noexcept {
        if (!order_.reserve(written_.size()))
            return stopped();
        for (uint32_t i = 0; i < written_.size(); ++i)
            (void)order_.push_back(i);  // there is room
        const auto is_before = [this](uint32_t a, uint32_t b) {
            return written_[a].before->address < written_[b].before->address;
        };
        if (!sort_polled(order_.begin(), order_.size(), is_before, poll_))
            return stopped();
        for (uint32_t rank = 0; rank < order_.size(); ++rank)
            written_[order_[rank]].rank = rank;
        return Status::RUNNING;
    }

    // The values that slots started from: none for one that was added, else that of its first entry in the log.
    Status list_earlier() noexcept {
        bool inserted;
        if (!earlier_.reserve(world_.new_slots_.size() - from_.new_slots_size + world_.slot_undo_.size() -
                              from_.slot_undo_size))
            return stopped();
        // A local state's were read, and then written.
        for (size_t i = from_.new_slots_size; world_.local_ == nullptr && i < world_.new_slots_.size(); ++i) {
            const SlotKey& key = world_.new_slots_[i];
            *earlier_.insert_or_find(key, &inserted) = u256{};  // there is room
            const StorageOwner* owner = world_.is_strict_ ? owners_.find(key.account) : nullptr;
            if (owner == nullptr || !owner->is_before)
                continue;
            const AccountRecord* before = written_[owner->account].before;
            if (world_.absent_slot(before) != Status::RUNNING)
                return missing(before->address, &key.slot);
        }
        for (size_t i = from_.slot_undo_size; i < world_.slot_undo_.size(); ++i) {
            if (i % POLLED_PIECE == 0 && should_stop(poll_))
                return stopped();
            u256* value = earlier_.insert_or_find(world_.slot_undo_[i].key, &inserted);
            if (inserted)
                *value = world_.slot_undo_[i].value;
        }
        return Status::RUNNING;
    }

    Status find_slots() noexcept {
        bool is_ok = true;
        earlier_.for_each([&](const SlotKey& key, const u256& before) {
            const StorageOwner* owner = owners_.find(key.account);
            if (owner == nullptr || !owner->is_after)  // of a life in between; what a wiped storage had is found next
                return;
            const u256 after = world_.stored(key)->value;
            const u256 was = owner->is_before ? before : u256{};
            if (!(was == after))
                is_ok = slots_.push_back({written_[owner->account].rank, {key.slot, was, after}}) && is_ok;
        });
        return is_ok ? Status::RUNNING : stopped();
    }

    // What storages that were wiped had: all of it, wherever it lies.
    Status find_wiped_slots() noexcept {
        bool is_ok = true;
        for (size_t begin = 0; has_wiped_slots_ && begin < world_.slot_places(); begin += POLLED_PIECE) {
            if (should_stop(poll_))
                return stopped();
            world_.for_each_slot_in(begin, begin + POLLED_PIECE, [&](const SlotKey& key, const u256& value) {
                const StorageOwner* owner = owners_.find(key.account);
                if (owner == nullptr || !owner->is_before || owner->is_after)
                    return;
                const u256* undone = earlier_.find(key);
                const u256 before = undone != nullptr ? *undone : value;
                if (!before.is_zero())
                    is_ok = slots_.push_back({written_[owner->account].rank, {key.slot, before, u256{}}}) && is_ok;
            });
        }
        return is_ok ? Status::RUNNING : stopped();
    }

    Status order_slots() noexcept {
        const auto is_before = [](const FoundSlot& a, const FoundSlot& b) {
            return a.rank != b.rank ? a.rank < b.rank : a.slot.key < b.slot.key;
        };
        return sort_polled(slots_.begin(), slots_.size(), is_before, poll_) ? Status::RUNNING : stopped();
    }

    Status put_accounts() noexcept {
        for (uint32_t rank = 0; rank < order_.size(); ++rank)
            if (!put_account(rank))
                return stopped();
        return Status::RUNNING;
    }

    // The account with its slots, if anything of it differs.
    bool put_account(uint32_t rank) noexcept {
        const Written& each = ranked(rank);
        const AccountRecord &before = *each.before, &now = world_.record(each.place);
        AccountChange change;
        change.address = now.address;
        change.before = values_of(before);
        change.after = values_of(now);
        const size_t first = out_->slots.size();
        bool slots_differ;
        if (!put_slots(rank, &slots_differ))
            return false;
        change.slot_count = static_cast<uint32_t>(out_->slots.size() - first);
        if (each.is_wiped && before.other_slots != OtherSlots::NONE)
            change.storage = StorageFate::CLEARED_UNKNOWN;
        else if (each.is_wiped && before.slot_count != 0)
            change.storage = StorageFate::CLEARED;
        const Code *was = code_of(before), *is = code_of(now);
        const bool is_other_code = !(hash_of(was) == hash_of(is));
        if (change.before == change.after && !is_other_code && !slots_differ &&
            change.storage != StorageFate::CLEARED_UNKNOWN) {
            out_->slots.truncate(first);
            return true;
        }
        if (!out_->accounts.push_back(change) || !hashes_.push_back(hash_of(was)) || !hashes_.push_back(hash_of(is)))
            return false;
        for (const Code* code : {was, is})
            if (code != nullptr && !uses_.push_back({code->hash, is_other_code && code->has_bytes() ? code : nullptr}))
                return false;
        return true;
    }

    // Those of one account. Where a life ended and another one began both may have had a slot.
    bool put_slots(uint32_t rank, bool* differ) noexcept {
        Vector<SlotChange>& out = out_->slots;
        const size_t first = out.size();
        for (; next_ < slots_.size() && slots_[next_].rank == rank; ++next_) {
            const SlotChange& slot = slots_[next_].slot;
            if (out.size() > first && out.back().key == slot.key) {
                SlotChange& both = out.back();
                both.before = both.before.is_zero() ? slot.before : both.before;
                both.after = both.after.is_zero() ? slot.after : both.after;
            } else if (!out.push_back(slot)) {
                return false;
            }
        }
        *differ =
            std::any_of(out.begin() + first, out.end(), [](const SlotChange& slot) { return !(slot.before == slot.after); });
        return true;
    }

    Status put_codes() noexcept { return out_->put_codes(&uses_, hashes_, poll_) ? Status::RUNNING : stopped(); }

    const World& world_;
    const World::Checkpoint& from_;
    Poll* poll_;
    StateChanges* out_;
    MissingKey* missing_;
    Vector<Written> written_;
    Vector<uint32_t> order_;  // of `written_`, by address
    bool has_wiped_slots_ = false;
    FlatMap<uint32_t, StorageOwner, StorageIdHasher> owners_;
    FlatMap<SlotKey, u256, SeededHash> earlier_;
    Vector<FoundSlot> slots_;
    size_t next_ = 0;  // of `slots_`, to be put
    Vector<CodeUse> uses_;
    Vector<Hash> hashes_;  // of the codes before and after, of each account that is put
};

Status World::changes_since(uint64_t checkpoint, Poll* poll, StateChanges* out, MissingKey* missing) const noexcept {
    out->clear();
    const size_t found = find_checkpoint(checkpoint);
    if (found == checkpoints_.size())
        return Status::INTERNAL;
    return ChangesFinder{*this, found, poll, out, missing}.find();
}

}  // namespace evmcore
