// Decides whether executions that touch an account use value tracking, which about doubles their cost.
#pragma once

#include <atomic>

#include <cstddef>
#include <cstdint>

namespace evmcore {

// A budget an account, in executions: `worth` at the first conflict over one of its slots, -1 for each tracked execution, `worth` for each
// that tracking saved from being aborted, at most 64; after a conflict in spite of tracking none for a hundred conflicts. Accounts share
// budgets by their index in the base state, mod 1024. Relaxed atomics: a lost update costs speed, never a result.
class TrackingBudgets {
public:
    // When a block begins. `is_limited`: false tracks all accounts. `start`: what each account has before anything conflicts.
    void reset(bool is_limited, uint32_t start, uint32_t worth) noexcept {
        is_limited_ = is_limited;
        worth_ = static_cast<uint8_t>(worth);
        for (std::atomic<uint8_t>& cell : cells_)
            cell.store(static_cast<uint8_t>(start), std::memory_order_relaxed);
    }
    bool is_tracked(uint32_t account) const noexcept {
        const uint8_t budget = cells_[account % COUNT].load(std::memory_order_relaxed);
        return !is_limited_ || (budget != NONE && budget <= MOST);
    }
    // An execution was tracked.
    void spend(uint32_t account) noexcept {
        std::atomic<uint8_t>& cell = cells_[account % COUNT];
        const uint8_t budget = cell.load(std::memory_order_relaxed);
        if (budget != NONE && budget <= MOST)
            cell.store(static_cast<uint8_t>(budget - 1), std::memory_order_relaxed);
    }
    // Tracking saved an execution.
    void reward(uint32_t account) noexcept {
        std::atomic<uint8_t>& cell = cells_[account % COUNT];
        const uint8_t budget = cell.load(std::memory_order_relaxed);
        if (budget <= MOST)
            cell.store(static_cast<uint8_t>(budget + worth_ < MOST ? budget + worth_ : MOST), std::memory_order_relaxed);
    }
    // An execution was aborted over a slot of the account.
    void blame(uint32_t account, bool was_tracked) noexcept {
        std::atomic<uint8_t>& cell = cells_[account % COUNT];
        const uint8_t budget = cell.load(std::memory_order_relaxed);
        if (budget > MOST)
            cell.store(budget - 1 > MOST ? budget - 1 : NONE, std::memory_order_relaxed);
        else if (was_tracked && budget != NONE)
            cell.store(budget > worth_ ? budget - worth_ : GIVEN_UP, std::memory_order_relaxed);
        else if (budget == NONE)
            cell.store(worth_, std::memory_order_relaxed);
    }

private:
    static constexpr size_t COUNT = 1024;
    static constexpr uint8_t NONE = 0, MOST = 64;
    static constexpr uint8_t GIVEN_UP = 192;  // conflicts count down from here to MOST; then tracking is tried again
    bool is_limited_ = true;                  // frozen while workers run
    uint8_t worth_ = 4;
    std::atomic<uint8_t> cells_[COUNT] = {};
};

}  // namespace evmcore
