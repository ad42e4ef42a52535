// Which transactions of a block are predicted to conflict, and those of them that wait: an execution begins when the earlier ones that are
// said to write what it reads are visible. Predictions may say anything: they decide on an order, never on a result.
//
// An execution is *visible* once later ones see what it has written: in multi-version memory, or committed.
//
//        park, on the first earlier one that isn't visible              that one is visible           take, and park on the next
// claimed ---------------------------------------------------> PARKED -----------------------> READY ----------> executing
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <new>

#include "../base/flat_map.hpp"
#include "../base/hash_seed.hpp"
#include "../base/spin_lock.hpp"
#include "../base/vector.hpp"

namespace evmcore {

// For each transaction of a block the earlier ones that it is predicted to depend on. Frozen once it is built.
struct PredictedConflicts {
    Vector<uint32_t> ends;     // of each transaction's part of `earlier`
    Vector<uint32_t> earlier;  // the last predicted writer of each thing that is read, once

    uint32_t begin_of(uint32_t i) const noexcept { return i != 0 ? ends[i - 1] : 0; }
    bool is_empty() const noexcept { return earlier.empty(); }
};

// Builds them of predicted reads and writes, transaction by transaction: all reads of one, then all its writes, then `finish`. A key is a
// hash of what is read: where two collide, a transaction waits for nothing.
class ConflictFinder {
public:
    explicit ConflictFinder(PredictedConflicts* out) noexcept : out_{*out} {}

    [[nodiscard]] bool read(uint64_t key) noexcept {
        const uint32_t* writer = writers_.find(key);
        if (writer == nullptr || marks_[*writer] == index())
            return true;
        marks_[*writer] = index();
        return out_.earlier.push_back(*writer);
    }
    [[nodiscard]] bool write(uint64_t key) noexcept {
        bool is_new;
        uint32_t* writer = writers_.insert_or_find(key, &is_new);
        if (writer == nullptr)
            return false;
        *writer = index();
        return true;
    }
    [[nodiscard]] bool finish() noexcept {
        return marks_.push_back(UINT32_MAX) && out_.ends.push_back(static_cast<uint32_t>(out_.earlier.size()));
    }

private:
    struct Mixed {
        uint64_t operator()(uint64_t key) const noexcept { return mix64(key); }
    };
    uint32_t index() const noexcept { return static_cast<uint32_t>(out_.ends.size()); }

    PredictedConflicts& out_;
    FlatMap<uint64_t, uint32_t, Mixed> writers_;  // the last one of each key
    Vector<uint32_t> marks_;                      // of each transaction: the last that depends on it
};

struct AccountAccess;
struct SlotAccess;

// Of the first `count` transactions of rows in their order. False without memory.
bool find_conflicts(const AccountAccess* accounts, size_t account_count, const SlotAccess* slots, size_t slot_count,
                    uint32_t count, PredictedConflicts* out) noexcept;

// The transactions that wait. Any worker may call any of it.
class ParkedTransactions {
public:
    // Starts on `count` transactions, of all of which something is predicted; null: of none, and then `is_used` and `parked` alone may
    // be called. False without memory.
    bool reset(const PredictedConflicts* predicted, uint32_t count) noexcept {
        predicted_ = predicted != nullptr && !predicted->is_empty() ? predicted : nullptr;
        if (predicted_ == nullptr)
            return true;
        if (count > capacity_) {
            waiters_.reset(new (std::nothrow) Waiter[count]);
            capacity_ = waiters_ != nullptr ? count : 0;
            if (capacity_ == 0)
                return false;
        }
        ready_.clear();
        if (!ready_.reserve(count))
            return false;
        for (uint32_t i = 0; i < count; ++i) {
            waiters_[i].first.store(NONE, std::memory_order_relaxed);
            waiters_[i].place = predicted_->begin_of(i);
        }
        ready_count_.store(0, std::memory_order_relaxed);
        parked_ = 0;
        return true;
    }
    bool is_used() const noexcept { return predicted_ != nullptr; }

    // Whether transaction i, which the caller has claimed, has to wait. If so others may have executed it when this returns.
    // All below the commit index are visible.
    bool park(uint32_t i, uint32_t commit_index) noexcept {
        Waiter& own = waiters_[i];
        const uint32_t end = predicted_->ends[i];
        for (; own.place < end; ++own.place) {
            const uint32_t earlier = predicted_->earlier[own.place];
            if (earlier < commit_index || earlier >= i)
                continue;
            std::atomic<uint32_t>& first = waiters_[earlier].first;
            // Acquire: what a visible one has written is there for the execution that starts here.
            uint32_t next = first.load(std::memory_order_acquire);
            while (next != VISIBLE) {
                own.next = next;
                // Release: the worker that sets `earlier` visible reads `next`, and hands i on.
                if (first.compare_exchange_weak(next, i, std::memory_order_release, std::memory_order_acquire))
                    return true;
            }
        }
        return false;
    }

    // Those that wait for transaction i may go on. It may be said twice.
    void set_visible(uint32_t i) noexcept {
        // Acquire: what was left by who parked them. Release: what i has written, for who comes later.
        uint32_t each = waiters_[i].first.exchange(VISIBLE, std::memory_order_acq_rel);
        if (each == NONE || each == VISIBLE)
            return;
        const SpinGuard guard{lock_};
        while (each != NONE) {
            const uint32_t next = waiters_[each].next;
            (void)ready_.push_back(each);  // there is room for all
            std::push_heap(ready_.begin(), ready_.end(), std::greater<>{});
            each = next;
        }
        ready_count_.store(static_cast<uint32_t>(ready_.size()), std::memory_order_relaxed);
    }

    // The lowest that has waited and waits no more; false: there is none.
    bool take(uint32_t commit_index, uint32_t* index) noexcept {
        // Relaxed: it only saves the lock. Who finds nothing looks again.
        while (ready_count_.load(std::memory_order_relaxed) != 0) {
            {
                const SpinGuard guard{lock_};
                if (ready_.empty())
                    return false;
                std::pop_heap(ready_.begin(), ready_.end(), std::greater<>{});
                *index = ready_[ready_.size() - 1];
                ready_.pop_back();
                ready_count_.store(static_cast<uint32_t>(ready_.size()), std::memory_order_relaxed);
                ++parked_;
            }
            if (!park(*index, commit_index))
                return true;
        }
        return false;
    }

    // How often one has waited; when no worker executes.
    uint64_t parked() const noexcept { return predicted_ != nullptr ? parked_ : 0; }

private:
    static constexpr uint32_t NONE = UINT32_MAX, VISIBLE = UINT32_MAX - 1;  // of `first`

    struct Waiter {
        std::atomic<uint32_t> first;  // published: the last that was parked on this one, or VISIBLE
        uint32_t next;                // this and the next are owned by who has the transaction: that waits for the same one
        uint32_t place;               // in `earlier`: all before are visible
    };

    const PredictedConflicts* predicted_ = nullptr;
    std::unique_ptr<Waiter[]> waiters_;
    uint32_t capacity_ = 0;
    alignas(64) SpinLock lock_;
    Vector<uint32_t> ready_;  // this and the next but one are guarded by the lock; a heap, the lowest on top
    std::atomic<uint32_t> ready_count_{0};
    uint64_t parked_ = 0;
};

}  // namespace evmcore
