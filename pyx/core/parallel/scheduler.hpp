// Assigns transaction indices to workers and commits them in index order (Block-STM with ordered commit). Knows no EVM: work is a
// number.
// *Commit index*: the lowest index that isn't committed. A worker may execute an index up to `window` above it.
// *Sequential fallback*: if more than `abort_limit` percent of recent executions (decaying average over `abort_memory` commits) were
// aborted, no new index is claimed; once all claimed ones are committed, worker 0 claims the next `fallback_length` indices together,
// and executes and commits them. Then all workers claim again, in a window that begins with `trial_window`.
//
// A claimed index that is predicted to conflict waits for the earlier ones, and others are claimed meanwhile (predicted.hpp).
//
//          claim                set_executed             advance, at the commit index, by one worker at a time
//   OPEN ----------> executing -------------> EXECUTED --------------------------------------------------------> committed
#pragma once

#include <memory>
#include <new>

#include "../base/spin_lock.hpp"
#include "predicted.hpp"
#include "schedule_point.hpp"
#include "tuning.hpp"

namespace evmcore {

class Scheduler {
public:
    // EXECUTE: the index *first, which is committed when its turn comes. FALLBACK: those from *first to below *end, to execute and
    // commit without another word until `finish_fallback`; all below is committed, and no other worker executes. WAIT: nothing can be
    // claimed yet. DONE: all are committed, or the block was stopped.
    enum class Claim : uint8_t { EXECUTE, FALLBACK, WAIT, DONE };

    // Starts on `count` indices, of which conflicts may be predicted. False without memory.
    bool reset(uint32_t count, uint32_t window, const PredictedConflicts* predicted = nullptr) noexcept {
        if (!waiting_.reset(predicted, count))
            return false;
        if (count > capacity_) {
            steps_.reset(new (std::nothrow) std::atomic<uint8_t>[count]);
            capacity_ = steps_ != nullptr ? count : 0;
            if (capacity_ == 0)
                return false;
        }
        for (uint32_t i = 0; i < count; ++i)
            steps_[i].store(OPEN, std::memory_order_relaxed);
        count_ = count;
        widest_window_ = window;
        window_.store(window, std::memory_order_relaxed);
        abort_average_ = 0;
        abort_memory_ = static_cast<int32_t>(tuning.abort_memory);
        is_fallback_.store(false, std::memory_order_relaxed);
        next_.store(0, std::memory_order_relaxed);
        commit_index_.store(0, std::memory_order_relaxed);
        stop_.store(false, std::memory_order_relaxed);
        return true;
    }

    Claim claim(int worker, uint32_t* first, uint32_t* end) noexcept {
        schedule_point(SchedulePoint::CLAIM);
        // Acquire, here and where it fails: a worker that finds the fallback's indices claimed sees is_fallback_ set.
        uint32_t next = next_.load(std::memory_order_acquire);
        for (;;) {
            // Acquire: what was committed below the commit index is visible to the execution that starts here.
            const uint32_t commit_index = commit_index_.load(std::memory_order_acquire);
            if (commit_index >= count_ || stop_.load(std::memory_order_relaxed))
                return Claim::DONE;
            if (waiting_.is_used() && waiting_.take(commit_index, first)) {
                *end = *first + 1;
                return Claim::EXECUTE;
            }
            // Acquire: so is what the fallback committed, once it has ended.
            const bool is_fallback = is_fallback_.load(std::memory_order_acquire);
            const uint32_t window = is_fallback ? 1 : window_.load(std::memory_order_relaxed);
            if (next >= count_ || next - commit_index >= window || (is_fallback && worker != FALLBACK_WORKER))
                return Claim::WAIT;
            const uint32_t length = is_fallback ? tuning.fallback_length : 1;
            *first = next;
            *end = next + (length < count_ - next ? length : count_ - next);
            if (!next_.compare_exchange_weak(next, *end, std::memory_order_acq_rel, std::memory_order_acquire))
                continue;
            if (is_fallback)
                return Claim::FALLBACK;
            // The commit index once more: nobody says of what the fallback has committed that it is executed.
            if (!waiting_.is_used() || !waiting_.park(*first, commit_index_.load(std::memory_order_acquire)))
                return Claim::EXECUTE;
            next = next_.load(std::memory_order_acquire);
        }
    }

    uint32_t commit_index() const noexcept { return commit_index_.load(std::memory_order_acquire); }
    uint32_t count() const noexcept { return count_; }

    // Release: the result of the execution is read by the worker that commits it.
    // `is_written`: later executions see what it has written; else once it is committed.
    void set_executed(uint32_t index, bool is_written = true) noexcept {
        schedule_point(SchedulePoint::EXECUTED);
        if (is_written && waiting_.is_used())
            waiting_.set_visible(index);
        steps_[index].store(EXECUTED, std::memory_order_release);
    }
    // How often an index has waited for an earlier one; when no worker executes.
    uint64_t parked() const noexcept { return waiting_.parked(); }

    // One worker at a time may commit. `ready`: the index at the commit index has been executed.
    bool try_begin_commit() noexcept { return is_executed(commit_index()) && commit_lock_.try_lock(); }
    bool ready(uint32_t* index) noexcept {
        *index = commit_index();
        return !stop_.load(std::memory_order_relaxed) && is_executed(*index);
    }
    // The index at the commit index is committed. `was_aborted`: its read set failed validation.
    void advance(bool was_aborted) noexcept {
        schedule_point(SchedulePoint::ADVANCE);
        const uint32_t commit_index = commit_index_.load(std::memory_order_relaxed) + 1;
        const uint32_t window = window_.load(std::memory_order_relaxed);
        abort_average_ += (was_aborted ? UNIT : 0) - abort_average_ / abort_memory_;
        if (tuning.sequential_fallback && abort_average_ > abort_limit())
            is_fallback_.store(true, std::memory_order_relaxed);
        else if (!was_aborted && abort_average_ < abort_limit() / 2 && window < widest_window_)
            window_.store(window + 1, std::memory_order_relaxed);
        // Release: the committed state goes with the commit index, and so does the window.
        commit_index_.store(commit_index, std::memory_order_release);
        if (waiting_.is_used())
            waiting_.set_visible(commit_index - 1);
    }
    void end_commit() noexcept { commit_lock_.unlock(); }

    // All that the fallback claimed, to below `end`, is committed; all workers claim again.
    void finish_fallback(uint32_t end) noexcept {
        schedule_point(SchedulePoint::ADVANCE);
        abort_average_ = abort_limit() * 3 / 4;  // a second fallback needs less proof
        window_.store(tuning.trial_window < widest_window_ ? tuning.trial_window : widest_window_, std::memory_order_relaxed);
        // Release: what the fallback committed goes with both.
        commit_index_.store(end, std::memory_order_release);
        is_fallback_.store(false, std::memory_order_release);
    }

    void stop() noexcept { stop_.store(true, std::memory_order_relaxed); }
    bool is_stopped() const noexcept { return stop_.load(std::memory_order_relaxed); }

private:
    enum Step : uint8_t { OPEN, EXECUTED };

    // Acquire: with the step comes the result of the execution.
    bool is_executed(uint32_t index) const noexcept {
        return index < count_ && steps_[index].load(std::memory_order_acquire) == EXECUTED;
    }
    static constexpr int32_t UNIT = 1024;  // of abort_average_: one aborted execution
    int32_t abort_limit() const noexcept { return UNIT * abort_memory_ * static_cast<int32_t>(tuning.abort_limit) / 100; }
    static constexpr int FALLBACK_WORKER = 0;  // the caller, whose caches have the block

    std::unique_ptr<std::atomic<uint8_t>[]> steps_;  // published: by the worker that claimed the index
    uint32_t capacity_ = 0;
    uint32_t count_ = 0;  // this and the next are frozen while workers run
    uint32_t widest_window_ = 1;
    int32_t abort_average_ = 0;  // times abort_memory_; this and the next two are owned by the committing worker
    int32_t abort_memory_ = 16;
    std::atomic<uint32_t> window_{1};       // published: by the committing worker
    std::atomic<bool> is_fallback_{false};  // published: by the committing worker, and by the fallback at its end
    alignas(64) std::atomic<uint32_t> next_{0};
    alignas(64) std::atomic<uint32_t> commit_index_{0};  // published: by the committing worker
    alignas(64) SpinLock commit_lock_;
    std::atomic<bool> stop_{false};
    ParkedTransactions waiting_;
};

}  // namespace evmcore
