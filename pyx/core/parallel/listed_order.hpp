// In which order a block's transactions are claimed where any order will do: those that may be long first, so that the workers end
// together; short ones in batches and in the block's order, in which their accounts lie side by side.
#pragma once

#include <algorithm>

#include "../base/transaction.hpp"
#include "tuning.hpp"

namespace evmcore {

class ListedOrder {
public:
    // By gas limits: all that is known before. False without memory.
    [[nodiscard]] bool build(const Vector<Transaction*>& transactions, uint64_t block_gas_limit) noexcept {
        const size_t count = transactions.size();
        if (!order_.reserve(count) || !batches_.reserve(std::min<size_t>(count, 2 * BATCHES + 1) + 1))
            return false;
        const auto cost = [&](uint32_t i) noexcept { return std::min(transactions[i]->gas_limit, block_gas_limit); };
        unsigned __int128 total = 0;
        for (uint32_t i = 0; i < count; ++i)
            total += cost(i);
        const auto batch_cost = static_cast<uint64_t>(total / BATCHES) + 1;  // reached by fewer than BATCHES
        const auto is_long = [&](uint32_t i) noexcept { return tuning.listed_longest_first && cost(i) >= batch_cost; };
        for (uint32_t i = 0; i < count; ++i)
            if (is_long(i))
                (void)order_.push_back(i);
        std::sort(order_.begin(), order_.end(),
                  [&](uint32_t a, uint32_t b) noexcept { return cost(a) != cost(b) ? cost(a) > cost(b) : a < b; });
        for (uint32_t turn = 0; turn < order_.size(); ++turn)
            (void)batches_.push_back(turn);
        uint64_t filled = batch_cost;
        for (uint32_t i = 0; i < count; ++i) {
            if (is_long(i))
                continue;
            if (filled >= batch_cost || !tuning.listed_batches) {
                if (!batches_.push_back(static_cast<uint32_t>(order_.size())))
                    return false;
                filled = 0;
            }
            filled += cost(i) + 1;
            (void)order_.push_back(i);
        }
        return true;
    }

    size_t batch_count() const noexcept { return batches_.size(); }
    size_t batch_begin(size_t batch) const noexcept { return batches_[batch]; }
    size_t batch_end(size_t batch) const noexcept { return batch + 1 < batches_.size() ? batches_[batch + 1] : order_.size(); }
    uint32_t at_turn(size_t turn) const noexcept { return order_[turn]; }

private:
    // Into how many parts of equal cost a block falls, about: enough for the ends of 16 workers to meet within a hundredth.
    static constexpr uint64_t BATCHES = 256;

    Vector<uint32_t> order_, batches_;
};

}  // namespace evmcore
