// Sorting a state's slots by counting.
#include "slot_table.hpp"

#include <algorithm>

namespace evmcore {

bool SlotTable::build(const World& world, uint32_t first_id, uint32_t end_id) noexcept {
    first_id_ = first_id;
    const size_t ids = end_id - first_id;
    Vector<size_t> next;
    if (!ends_.fill(ids + 1, 0))
        return false;
    const auto visit_all = [&](auto visit) {
        world.for_each_slot_in(0, world.slot_places(), [&](const SlotKey& key, const u256& value) {
            if (key.account >= first_id && key.account < end_id && !value.is_zero())
                visit(key, value);
        });
    };
    visit_all([&](const SlotKey& key, const u256&) { ++ends_[key.account - first_id + 1]; });
    for (size_t i = 1; i <= ids; ++i)
        ends_[i] += ends_[i - 1];
    if (!next.assign(ends_) || !slots_.resize(ends_[ids]))
        return false;
    visit_all([&](const SlotKey& key, const u256& value) { slots_[next[key.account - first_id]++] = {key.slot, value}; });
    for (size_t i = 0; i < ids; ++i)
        std::sort(slots_.begin() + ends_[i], slots_.begin() + ends_[i + 1],
                  [](const Slot& a, const Slot& b) { return a.key < b.key; });
    return true;
}

}  // namespace evmcore
