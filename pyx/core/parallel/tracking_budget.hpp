// Decides whether transactions that touch an account execute with value tracking, which about doubles their cost.
#pragma once

#include <atomic>

#include "tuning.hpp"

namespace evmcore {

// A budget of executions an account: `tracking_worth` at the first conflict over one of its slots, -1 for each tracked execution,
// `tracking_worth` for each that tracking saved, at most 64; after a conflict in spite of tracking none for a hundred conflicts.
// Accounts share budgets by their place in the base state. Relaxed atomics: a lost update costs speed, never a result.
class TrackingBudgets {
public:
    // When a block begins.
    void reset() noexcept {
        for (std::atomic<uint8_t>& cell : cells_)
            cell.store(static_cast<uint8_t>(tuning.tracking_start), std::memory_order_relaxed);
    }
    bool is_tracked(uint32_t place) const noexcept {
        const uint8_t budget = cells_[place % COUNT].load(std::memory_order_relaxed);
        return !tuning.tracking_budget || (budget != NONE && budget <= MOST);
    }
    // An execution was tracked.
    void spend(uint32_t place) noexcept {
        std::atomic<uint8_t>& cell = cells_[place % COUNT];
        const uint8_t budget = cell.load(std::memory_order_relaxed);
        if (budget != NONE && budget <= MOST)
            cell.store(static_cast<uint8_t>(budget - 1), std::memory_order_relaxed);
    }
    // Tracking saved an execution.
    void reward(uint32_t place) noexcept {
        std::atomic<uint8_t>& cell = cells_[place % COUNT];
        const uint32_t budget = cell.load(std::memory_order_relaxed);
        if (budget <= MOST) {
            const uint32_t more = budget + tuning.tracking_worth;
            cell.store(static_cast<uint8_t>(more < MOST ? more : MOST), std::memory_order_relaxed);
        }
    }
    // An execution was aborted over a slot of the account.
    void blame(uint32_t place, bool was_tracked) noexcept {
        std::atomic<uint8_t>& cell = cells_[place % COUNT];
        const uint8_t budget = cell.load(std::memory_order_relaxed);
        const uint8_t worth = static_cast<uint8_t>(tuning.tracking_worth);
        if (budget > MOST)
            cell.store(budget - 1 > MOST ? budget - 1 : NONE, std::memory_order_relaxed);
        else if (was_tracked && budget != NONE)
            cell.store(budget > worth ? budget - worth : GIVEN_UP, std::memory_order_relaxed);
        else if (budget == NONE)
            cell.store(worth, std::memory_order_relaxed);
    }

private:
    static constexpr size_t COUNT = 1024;
    static constexpr uint8_t NONE = 0, MOST = 64;
    static constexpr uint8_t GIVEN_UP = 192;  // from here conflicts count down to MOST, and then it is tried again
    std::atomic<uint8_t> cells_[COUNT] = {};
};

}  // namespace evmcore
