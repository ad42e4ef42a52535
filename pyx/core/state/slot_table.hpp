// All slots of a state that are not zero, by account and sorted by key: one pass over the state's map, which keeps them in no
// order. Depends on the world, which must not change while the table is made.
#pragma once

#include "world.hpp"

namespace evmcore {

class SlotTable {
public:
    struct Slot {
        u256 key, value;
    };
    // Of all accounts, or of one. False without memory.
    bool build(const World& world) noexcept { return build(world, 0, world.storage_ids()); }
    bool build(const World& world, const AccountRecord& record) noexcept {
        return record.slot_count == 0 || build(world, record.storage_id, record.storage_id + 1);
    }

    size_t count(const AccountRecord& record) const noexcept {
        return record.slot_count == 0 ? 0 : ends_[record.storage_id - first_id_ + 1] - ends_[record.storage_id - first_id_];
    }
    const Slot& slot(const AccountRecord& record, size_t i) const noexcept {
        return slots_[ends_[record.storage_id - first_id_] + i];
    }
    size_t size_bytes() const noexcept { return ends_.capacity() * sizeof(size_t) + slots_.capacity() * sizeof(Slot); }

private:
    bool build(const World& world, uint32_t first_id, uint32_t end_id) noexcept;

    uint32_t first_id_ = 0;
    Vector<size_t> ends_;  // [id - first_id]: where its slots begin; those of the next id begin where they end
    Vector<Slot> slots_;
};

}  // namespace evmcore
