// A state's contents in order, for lists of them: the slots that are not zero, by account and sorted by key, and the accounts,
// sorted by address. The state's maps keep them in no order. Depends on the world, which must not change meanwhile.
//
// What returns bool is false without memory, or when a poll that is given says stop: its `abort` tells.
#pragma once

#include "world.hpp"

namespace evmcore {

class SlotTable {
public:
    struct Slot {
        u256 key, value;
    };
    // Of one account, or of all (null).
    [[nodiscard]] bool build(const World& world, const AccountRecord* record, Poll* poll) noexcept {
        if (record == nullptr)
            return build(world, 0, world.storage_ids(), poll);
        return record->slot_count == 0 || build(world, record->storage_id, record->storage_id + 1, poll);
    }

    size_t count(const AccountRecord& record) const noexcept {
        return record.slot_count == 0 ? 0 : ends_[record.storage_id - first_id_ + 1] - ends_[record.storage_id - first_id_];
    }
    const Slot& slot(const AccountRecord& record, size_t i) const noexcept {
        return slots_[ends_[record.storage_id - first_id_] + i];
    }
    size_t size_bytes() const noexcept { return ends_.capacity() * sizeof(size_t) + slots_.capacity() * sizeof(Slot); }

private:
    bool build(const World& world, uint32_t first_id, uint32_t end_id, Poll* poll) noexcept;

    uint32_t first_id_ = 0;
    Vector<size_t> ends_;  // [id - first_id]: where its slots begin; those of the next id begin where they end
    Vector<Slot> slots_;
};

// The places of the records that exist, sorted by address, added to `places`, which is empty.
[[nodiscard]] bool sort_accounts(const World& world, Vector<uint32_t>* places, Poll* poll) noexcept;

}  // namespace evmcore
