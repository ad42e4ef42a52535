// Hands out the indices of a block to workers and lets them commit in order. Knows no EVM: work is a number.
//
//   claim: next, within a window ahead of the frontier     set_executed      commit, one worker at a time, at the frontier
//   READY(i) ----------------------------> EXECUTING(i) ----------------> EXECUTED(i) ---------------> COMMITTED(i)
//
// Whoever commits finds everything below committed, so what it runs again there is right at once.
// Work that turned out in vain closes the window: when more than a third of the recent runs were discarded, no more is
// handed out until all that was is committed; then one worker has the next indices to itself, as if there were no others,
// who rest. Afterwards all may try again; each time that this fails the stretch alone is eight times as long, and more when it
// fails at once.
#pragma once

#include <memory>
#include <new>

#include "../base/spin_lock.hpp"
#include "schedule_point.hpp"
#include "tuning.hpp"

namespace evmcore {

class Scheduler {
public:
    enum class Claim : uint8_t { CLAIMED, ALONE, WAIT, DONE };

    // Starts on `count` indices. False without memory.
    bool reset(uint32_t count, uint32_t window) noexcept {
        if (count > capacity_) {
            steps_.reset(new (std::nothrow) std::atomic<uint8_t>[count]);
            capacity_ = steps_ != nullptr ? count : 0;
            if (capacity_ == 0)
                return false;
        }
        for (uint32_t i = 0; i < count; ++i)
            steps_[i].store(OPEN, std::memory_order_relaxed);
        count_ = count;
        open_window_ = window;
        window_.store(window, std::memory_order_relaxed);
        recent_waste_ = 0;
        alone_length_ = tuning.fallback_shortest;
        tried_from_ = 0;
        waste_memory_ = static_cast<int32_t>(tuning.abort_memory);
        is_alone_.store(false, std::memory_order_relaxed);
        next_.store(0, std::memory_order_relaxed);
        frontier_.store(0, std::memory_order_relaxed);
        stop_.store(false, std::memory_order_relaxed);
        return true;
    }

    // The next indices for a worker, from *first on. CLAIMED: to execute; whoever commits comes later. ALONE: to execute and
    // commit in order, without another word to the scheduler until `end_alone`; everything below is committed, and nobody
    // else is at work. WAIT: the window is full, all are handed out, or another worker goes on alone;
    // DONE: all are committed, or stopped.
    Claim claim(int worker, uint32_t* first, uint32_t* count) noexcept {
        schedule_point(SchedulePoint::CLAIM);
        uint32_t next = next_.load(std::memory_order_acquire);
        for (;;) {
            // Acquire: what was committed below the frontier is visible to the run that starts here.
            const uint32_t frontier = frontier_.load(std::memory_order_acquire);
            if (frontier >= count_ || stop_.load(std::memory_order_relaxed))
                return Claim::DONE;
            // Acquire: so is what was done alone, once that is over.
            const bool is_alone = is_alone_.load(std::memory_order_acquire);
            if (is_alone && worker != CALLER)
                return Claim::WAIT;
            const uint32_t window = is_alone ? 1 : window_.load(std::memory_order_relaxed);
            if (next >= count_ || next - frontier >= window)
                return Claim::WAIT;
            *first = next;
            *count = !is_alone ? 1 : alone_length_ < count_ - next ? alone_length_ : count_ - next;
            // Release and acquire: whoever finds that the caller took a stretch for itself knows that it is alone.
            if (next_.compare_exchange_weak(next, next + *count, std::memory_order_acq_rel, std::memory_order_acquire))
                return is_alone ? Claim::ALONE : Claim::CLAIMED;
        }
    }

    uint32_t frontier() const noexcept { return frontier_.load(std::memory_order_acquire); }
    uint32_t count() const noexcept { return count_; }

    // Release: the run's result is read by whoever commits it.
    void set_executed(uint32_t index) noexcept {
        schedule_point(SchedulePoint::EXECUTED);
        steps_[index].store(EXECUTED, std::memory_order_release);
    }

    // One worker at a time may commit. `ready`: the index at the frontier has been executed; it is the committer's now.
    bool try_begin_commit() noexcept {
        return is_executed(frontier_.load(std::memory_order_relaxed)) && commit_lock_.try_lock();
    }
    bool ready(uint32_t* index) noexcept {
        *index = frontier_.load(std::memory_order_relaxed);
        return !stop_.load(std::memory_order_relaxed) && is_executed(*index);
    }
    // Release: the committed state goes with the frontier. `was_wasted`: a run of this index was discarded.
    void advance(bool was_wasted) noexcept {
        schedule_point(SchedulePoint::ADVANCE);
        recent_waste_ += (was_wasted ? WASTE_UNIT : 0) - recent_waste_ / waste_memory_;
        const uint32_t window = window_.load(std::memory_order_relaxed);
        if (tuning.sequential_fallback && recent_waste_ > waste_limit())
            is_alone_.store(true, std::memory_order_relaxed);
        else if (!was_wasted && recent_waste_ < waste_limit() / 2 && window < open_window_)
            window_.store(window + 1, std::memory_order_relaxed);
        frontier_.store(frontier_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }
    void end_commit() noexcept { commit_lock_.unlock(); }

    // After ALONE: its `count` indices are committed, and all may try again.
    void end_alone(uint32_t count) noexcept {
        schedule_point(SchedulePoint::ADVANCE);
        recent_waste_ = waste_limit() * 3 / 4;  // what was in vain before needs less proof
        window_.store(tuning.trial_window < open_window_ ? tuning.trial_window : open_window_, std::memory_order_relaxed);
        const uint32_t first = frontier_.load(std::memory_order_relaxed);
        const uint32_t growth = !tuning.fallback_growth                    ? 1
                                : first - tried_from_ < tuning.short_trial ? tuning.fallback_factor_at_once
                                                                           : tuning.fallback_factor;
        const uint32_t longest = tuning.fallback_longest;
        alone_length_ = alone_length_ < longest / growth ? alone_length_ * growth : longest;
        tried_from_ = first + count;
        // Release: what was done alone goes with these.
        frontier_.store(tried_from_, std::memory_order_release);
        is_alone_.store(false, std::memory_order_release);
    }

    void stop() noexcept { stop_.store(true, std::memory_order_relaxed); }
    bool is_stopped() const noexcept { return stop_.load(std::memory_order_relaxed); }

private:
    enum Step : uint8_t { OPEN, EXECUTED };
    // Acquire: with the step comes what the execution left.
    bool is_executed(uint32_t index) const noexcept {
        return index < count_ && steps_[index].load(std::memory_order_acquire) == EXECUTED;
    }

    // More than a third, in 1/1024.
    static constexpr int32_t WASTE_UNIT = 1024;
    int32_t waste_limit() const noexcept { return WASTE_UNIT * waste_memory_ * static_cast<int32_t>(tuning.abort_limit) / 100; }
    static constexpr int CALLER = 0;  // what the work is about is in its caches, which made it

    std::unique_ptr<std::atomic<uint8_t>[]> steps_;  // published: by the worker whose the index is
    uint32_t capacity_ = 0;
    uint32_t count_ = 0;
    uint32_t open_window_ = 1;
    std::atomic<uint32_t> window_{1};  // published: by whoever commits
    int32_t recent_waste_ = 0;         // owned by whoever commits
    int32_t waste_memory_ = 16;
    uint32_t alone_length_ = 1;          // owned by the caller
    uint32_t tried_from_ = 0;            // where all began to try, last; owned by the caller
    std::atomic<bool> is_alone_{false};  // published: set by whoever commits, taken back by the caller
    alignas(64) std::atomic<uint32_t> next_{0};
    alignas(64) std::atomic<uint32_t> frontier_{0};  // published: by whoever commits
    alignas(64) SpinLock commit_lock_;
    std::atomic<bool> stop_{false};
};

}  // namespace evmcore
