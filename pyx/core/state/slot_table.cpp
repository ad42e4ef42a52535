// Sorting a state's slots by counting.
#include "slot_table.hpp"

#include "../base/polled_sort.hpp"

namespace evmcore {

bool SlotTable::build(const World& world, uint32_t first_id, uint32_t end_id, Poll* poll) noexcept {
    first_id_ = first_id;
    const size_t ids = end_id - first_id;
    Vector<size_t> next;
    if (!ends_.fill(ids + 1, 0))
        return false;
    const auto visit_all = [&](auto visit) {
        for (size_t begin = 0; begin < world.slot_places(); begin += POLLED_PIECE) {
            if (should_stop(poll))
                return false;
            world.for_each_slot_in(begin, begin + POLLED_PIECE, [&](const SlotKey& key, const u256& value) {
                if (key.account >= first_id && key.account < end_id && !value.is_zero())
                    visit(key, value);
            });
        }
        return true;
    };
    if (!visit_all([&](const SlotKey& key, const u256&) { ++ends_[key.account - first_id + 1]; }))
        return false;
    for (size_t i = 1; i <= ids; ++i)
        ends_[i] += ends_[i - 1];
    if (!next.assign(ends_) || !slots_.resize(ends_[ids]) ||
        !visit_all([&](const SlotKey& key, const u256& value) { slots_[next[key.account - first_id]++] = {key.slot, value}; }))
        return false;
    size_t sorted = 0;  // slots since the last look at the poll
    for (size_t i = 0; i < ids; ++i) {
        const size_t count = ends_[i + 1] - ends_[i];
        if ((sorted += count) > POLLED_PIECE && should_stop(poll))
            return false;
        if (!sort_polled(slots_.begin() + ends_[i], count, [](const Slot& a, const Slot& b) { return a.key < b.key; }, poll))
            return false;
        sorted %= POLLED_PIECE;
    }
    return true;
}

bool sort_accounts(const World& world, Vector<uint32_t>* places, Poll* poll) noexcept {
    for (size_t i = 0; i < world.account_count(); ++i) {
        if (i % POLLED_PIECE == 0 && should_stop(poll))
            return false;
        if (world.record(i).exists && !places->push_back(static_cast<uint32_t>(i)))
            return false;
    }
    return sort_polled(
        places->begin(), places->size(),
        [&](uint32_t a, uint32_t b) { return world.record(a).address < world.record(b).address; }, poll);
}

}  // namespace evmcore
