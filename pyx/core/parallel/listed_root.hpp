// The root of a state in parts that any worker may take while it does something else in between. The worker that ends the last part of a
// step readies the next one, so that no worker waits for a certain other one.
#pragma once

#include <atomic>

#include "../state/state_root.hpp"
#include "schedule_point.hpp"

namespace evmcore {

class ListedRoot {
public:
    explicit ListedRoot(World* world) noexcept : root_{world} {}

    // From here on there are parts to take, and the world stands still. By one worker, once; or instead that there is no root.
    void begin(Poll* poll) noexcept {
        root_.open(false);
        if (root_.is_known()) {
            is_made_ = root_.root(&hash_, nullptr);
            leave_out();
        } else {
            advance(StateRoot::KEYS, poll);
        }
    }
    void leave_out() noexcept { is_over_.store(true, std::memory_order_release); }

    // Takes a part, if there is one.
    bool help(Poll* poll) noexcept {
        // Acquire, here and below: what the step before has made.
        uint64_t step = step_.load(std::memory_order_acquire);
        if (next_of(step) >= count_of(step))
            return false;
        schedule_point(SchedulePoint::CLAIM);
        step = step_.fetch_add(1, std::memory_order_acquire);
        if (next_of(step) >= count_of(step))
            return false;
        root_.run(number_of(step), next_of(step), poll);
        schedule_point(SchedulePoint::EXECUTED);
        if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == count_of(step))
            advance(number_of(step) + 1, poll);
        return true;
    }

    // Whether nothing is left to do. Acquire: with it what `result` tells.
    bool is_over() const noexcept { return is_over_.load(std::memory_order_acquire); }
    // When all have joined. False: there is none.
    bool result(Hash* out) const noexcept {
        *out = hash_;
        return is_made_;
    }

private:
    // A step, how many parts it has, and the next of them, in one word: a claim is of the step that it names.
    static constexpr int COUNT_BITS = 28;  // of the last two each; of these claims, which are one a worker beyond the last part
    static constexpr uint64_t MASK = (uint64_t{1} << COUNT_BITS) - 1;
    static StateRoot::Step number_of(uint64_t step) noexcept { return static_cast<StateRoot::Step>(step >> (2 * COUNT_BITS)); }
    static size_t count_of(uint64_t step) noexcept { return (step >> COUNT_BITS) & MASK; }
    static size_t next_of(uint64_t step) noexcept { return step & MASK; }

    void advance(int step, Poll* poll) noexcept {
        for (; step < StateRoot::DONE; ++step) {
            const size_t parts = root_.begin(static_cast<StateRoot::Step>(step), poll);
            if (parts > MASK / 2)
                break;  // a state that no memory holds
            if (parts == 0)
                continue;
            done_.store(0, std::memory_order_relaxed);
            schedule_point(SchedulePoint::ADVANCE);
            step_.store((static_cast<uint64_t>(step) << (2 * COUNT_BITS)) | (static_cast<uint64_t>(parts) << COUNT_BITS),
                        std::memory_order_release);
            return;
        }
        is_made_ = step == StateRoot::DONE && root_.root(&hash_, poll);
        leave_out();
    }

    StateRoot root_;
    std::atomic<uint64_t> step_{0};
    std::atomic<size_t> done_{0};  // parts of the step
    std::atomic<bool> is_over_{false};
    bool is_made_ = false;
    Hash hash_{};
};

}  // namespace evmcore
