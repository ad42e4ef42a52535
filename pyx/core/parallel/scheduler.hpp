// Hands out the indices of a block to workers and lets them commit in order. Knows no EVM: work is a number.
//
//   claim: next, within a window ahead of the frontier     set_executed      commit, one worker at a time, at the frontier
//   READY(i) ----------------------------> EXECUTING(i) ----------------> EXECUTED(i) ---------------> COMMITTED(i)
//                                               ^-------------------------------'  take: a worker that has nothing to claim
//
// Some indices may be claimed before those below them, since long work that would begin last would end last: early ones at the
// beginning, soon ones when a part of the others has been claimed.
// Whoever commits finds everything below committed, so what it runs again there is right at once. Before its turn comes an
// index may be taken by a worker without work, to see whether its run still stands, and to run it again if not.
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
    enum class Claim : uint8_t { CLAIMED, ALONE, WAIT, REST, DONE };

    // Starts on `count` indices. False without memory.
    bool reset(uint32_t count, uint32_t window) noexcept {
        if (count > capacity_) {
            steps_.reset(new (std::nothrow) std::atomic<uint8_t>[count]);
            batches_.reset(new (std::nothrow) uint8_t[count]);
            capacity_ = steps_ != nullptr && batches_ != nullptr ? count : 0;
            if (capacity_ == 0)
                return false;
        }
        for (uint32_t i = 0; i < count; ++i) {
            steps_[i].store(OPEN, std::memory_order_relaxed);
            batches_[i] = 1;
        }
        count_ = count;
        open_window_ = window;
        window_.store(window, std::memory_order_relaxed);
        recent_waste_ = 0;
        alone_length_ = tuning.fallback_shortest;
        tried_from_ = 0;
        waste_memory_ = static_cast<int32_t>(tuning.abort_memory);
        is_alone_.store(false, std::memory_order_relaxed);
        early_count_ = soon_count_ = 0;
        alone_from_ = soon_end_ = soon_from_ = 0;
        soon_gate_.store(CLOSED, std::memory_order_relaxed);
        next_soon_.store(0, std::memory_order_relaxed);
        next_early_.store(0, std::memory_order_relaxed);
        next_.store(0, std::memory_order_relaxed);
        frontier_.store(0, std::memory_order_relaxed);
        stop_.store(false, std::memory_order_relaxed);
        return true;
    }

    // How many indices from this one on are handed out together, 1 to 255, when none has been claimed yet. Short work that
    // neighbours do together costs one hand-over, and no two workers write to the same lines of memory.
    void set_batch(uint32_t index, uint8_t size) noexcept { batches_[index] = size; }

    // Hands this index out before all others, in the order of these calls, after `set_batch` and before any is claimed: long
    // work that would begin last would end last. False when there are enough.
    bool set_early(uint32_t index) noexcept {
        if (early_count_ == EARLY_MOST || batches_[index] == IS_EARLY)
            return false;
        early_[early_count_++] = index;
        set_apart(index);
        if (alone_from_ <= index)
            alone_from_ = index + 1;
        return true;
    }
    // The same, but not before all below `from` have been handed out, so that less of what it needs changes until its turn. All
    // calls give the same `from`, `index` at the most. When one worker goes on alone before, it is handed out in its place.
    bool set_soon(uint32_t index, uint32_t from) noexcept {
        if (soon_count_ == EARLY_MOST || batches_[index] == IS_EARLY || index < from)
            return false;
        soon_[soon_count_++] = index;
        soon_from_ = from;
        set_apart(index);
        if (soon_end_ <= index)
            soon_end_ = index + 1;
        soon_gate_.store(OPEN_SOON, std::memory_order_relaxed);
        return true;
    }
    static constexpr uint32_t EARLY_MOST = 32;  // of each kind

    // The next indices for a worker, from *first on. CLAIMED: to execute; whoever commits comes later. ALONE: to execute and
    // commit in order, without another word to the scheduler until `end_alone`; everything below is committed, and nobody
    // else is at work. WAIT: the window is full or all are handed out; REST: another worker goes on alone, or is about to;
    // DONE: all are committed, or stopped.
    Claim claim(int worker, uint32_t* first, uint32_t* count) noexcept {
        schedule_point(SchedulePoint::CLAIM);
        if (next_early_.load(std::memory_order_relaxed) < early_count_ && !stop_.load(std::memory_order_relaxed)) {
            const uint32_t turn = next_early_.fetch_add(1, std::memory_order_relaxed);
            if (turn < early_count_) {
                *first = early_[turn];
                *count = 1;
                return Claim::CLAIMED;
            }
        }
        uint32_t next = next_.load(std::memory_order_acquire);
        for (;;) {
            // Acquire: what was committed below the frontier is visible to the run that starts here.
            const uint32_t frontier = frontier_.load(std::memory_order_acquire);
            if (frontier >= count_ || stop_.load(std::memory_order_relaxed))
                return Claim::DONE;
            // Acquire: so is what was done alone, once that is over.
            const bool is_alone = is_alone_.load(std::memory_order_acquire);
            if (is_alone && worker != CALLER)
                return Claim::REST;
            if (next >= soon_from_ && take_soon(first)) {
                *count = 1;
                return Claim::CLAIMED;
            }
            // All early and soon ones have been claimed by now, unless one worker went on alone before; they may even be committed.
            if (next < count_ && batches_[next] == IS_EARLY && !is_in_its_place(next)) {
                if (next_.compare_exchange_weak(next, next + 1, std::memory_order_acq_rel, std::memory_order_acquire))
                    ++next;
                continue;
            }
            const uint32_t window = is_alone ? 1 : window_.load(std::memory_order_relaxed);
            if (next >= count_ || next - frontier >= window)
                return Claim::WAIT;
            const uint32_t wanted = is_alone ? alone_length_ : batches_[next] == IS_EARLY ? 1 : batches_[next];
            const uint32_t room = is_alone ? count_ - next : window - (next - frontier);
            *first = next;
            *count = wanted < room ? wanted : room;
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

    // Takes an index that has been executed and whose turn has not come: nobody else touches it until `set_executed`.
    bool take(uint32_t index) noexcept {
        schedule_point(SchedulePoint::CLAIM);
        return is_executed(index) && move_on(index, TAKEN);
    }
    // All below this have been claimed, and none above but early and soon ones.
    uint32_t claimed() const noexcept { return next_.load(std::memory_order_relaxed); }

    // One worker at a time may commit. `ready`: the index at the frontier has been executed; it is the committer's now.
    bool try_begin_commit() noexcept {
        return is_executed(frontier_.load(std::memory_order_relaxed)) && commit_lock_.try_lock();
    }
    bool ready(uint32_t* index) noexcept {
        *index = frontier_.load(std::memory_order_relaxed);
        return !stop_.load(std::memory_order_relaxed) && is_executed(*index) && move_on(*index, COMMITTING);
    }
    // Release: the committed state goes with the frontier. `was_wasted`: a run of this index was discarded.
    void advance(bool was_wasted) noexcept {
        schedule_point(SchedulePoint::ADVANCE);
        recent_waste_ += (was_wasted ? WASTE_UNIT : 0) - recent_waste_ / waste_memory_;
        // Not while an early run is out there: it looks at what whoever is alone would change.
        const uint32_t done = frontier_.load(std::memory_order_relaxed) + 1;
        const uint32_t window = window_.load(std::memory_order_relaxed);
        if (tuning.sequential_fallback && recent_waste_ > waste_limit()) {
            if (done >= alone_from_ && (close_soon() || done >= soon_end_))
                is_alone_.store(true, std::memory_order_relaxed);
            else
                window_.store(1, std::memory_order_relaxed);  // the next best: nothing else runs ahead
        } else if (!was_wasted && recent_waste_ < waste_limit() / 2 && window < open_window_) {
            window_.store(window + 1, std::memory_order_relaxed);
        }
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
    enum Step : uint8_t { OPEN, EXECUTED, TAKEN, COMMITTING };
    // Of those that begin soon: to be claimed; claimed, or being so; or none, since whoever is alone was there before.
    enum SoonGate : uint8_t { CLOSED, OPEN_SOON, CLAIMED_SOON };

    // The next of those that begin soon, if there is one left.
    bool take_soon(uint32_t* index) noexcept {
        uint8_t gate = soon_gate_.load(std::memory_order_relaxed);
        if (gate == OPEN_SOON)
            soon_gate_.compare_exchange_strong(gate, CLAIMED_SOON, std::memory_order_relaxed);
        if (gate == CLOSED || next_soon_.load(std::memory_order_relaxed) >= soon_count_)
            return false;
        const uint32_t turn = next_soon_.fetch_add(1, std::memory_order_relaxed);
        if (turn >= soon_count_)
            return false;
        *index = soon_[turn];
        return true;
    }
    // From now on none of them is handed out ahead of its place; false when one may have been.
    bool close_soon() noexcept {
        uint8_t gate = OPEN_SOON;
        return soon_gate_.compare_exchange_strong(gate, CLOSED, std::memory_order_relaxed) || gate == CLOSED;
    }
    // Whether an index that was set apart is to be handed out in its turn after all.
    bool is_in_its_place(uint32_t index) const noexcept {
        if (soon_gate_.load(std::memory_order_relaxed) != CLOSED)
            return false;
        for (uint32_t k = 0; k < soon_count_; ++k)
            if (soon_[k] == index)
                return true;
        return false;
    }

    void set_apart(uint32_t index) noexcept {
        batches_[index] = IS_EARLY;
        // No batch may reach it.
        for (uint32_t i = index, distance = 1; i-- > 0 && distance < 255; ++distance)
            if (batches_[i] > distance)
                batches_[i] = static_cast<uint8_t>(distance);
    }

    bool is_executed(uint32_t index) const noexcept {
        return index < count_ && steps_[index].load(std::memory_order_relaxed) == EXECUTED;
    }
    // Acquire: with the step comes what the run left.
    bool move_on(uint32_t index, Step to) noexcept {
        uint8_t from = EXECUTED;
        return steps_[index].compare_exchange_strong(from, to, std::memory_order_acquire, std::memory_order_relaxed);
    }

    // More than a third, in 1/1024.
    static constexpr int32_t WASTE_UNIT = 1024;
    int32_t waste_limit() const noexcept { return WASTE_UNIT * waste_memory_ * static_cast<int32_t>(tuning.abort_limit) / 100; }
    static constexpr uint8_t IS_EARLY = 0;  // in place of a batch
    static constexpr int CALLER = 0;        // what the work is about is in its caches, which made it

    std::unique_ptr<std::atomic<uint8_t>[]> steps_;  // published: by the worker whose the index is
    std::unique_ptr<uint8_t[]> batches_;             // frozen while workers run
    uint32_t early_[EARLY_MOST] = {};                // frozen while workers run
    uint32_t early_count_ = 0;                       // frozen while workers run
    uint32_t alone_from_ = 0;                        // behind the last early one; frozen while workers run
    uint32_t soon_[EARLY_MOST] = {};                 // frozen while workers run
    uint32_t soon_count_ = 0;                        // frozen while workers run
    uint32_t soon_from_ = 0;                         // frozen while workers run
    uint32_t soon_end_ = 0;                          // behind the last soon one; frozen while workers run
    uint32_t capacity_ = 0;
    uint32_t count_ = 0;
    uint32_t open_window_ = 1;
    std::atomic<uint32_t> window_{1};  // published: by whoever commits
    int32_t recent_waste_ = 0;         // owned by whoever commits
    int32_t waste_memory_ = 16;
    uint32_t alone_length_ = 1;          // owned by the caller
    uint32_t tried_from_ = 0;            // where all began to try, last; owned by the caller
    std::atomic<bool> is_alone_{false};  // published: set by whoever commits, taken back by the caller
    std::atomic<uint32_t> next_early_{0};
    std::atomic<uint8_t> soon_gate_{CLOSED};  // published: by whoever claims first, or by whoever commits
    std::atomic<uint32_t> next_soon_{0};
    alignas(64) std::atomic<uint32_t> next_{0};
    alignas(64) std::atomic<uint32_t> frontier_{0};  // published: by whoever commits
    alignas(64) SpinLock commit_lock_;
    std::atomic<bool> stop_{false};
};

}  // namespace evmcore
