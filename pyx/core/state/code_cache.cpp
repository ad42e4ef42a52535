// The process's codes by hash.
#include "code_cache.hpp"

#include <thread>

namespace evmcore {

namespace {

union Immortal {
    Immortal() noexcept : cache{} {}
    ~Immortal() {}
    CodeCache cache;
} immortal;

// Analysed as it is loaded, so that no block has to wait for it. Without memory the worker that runs it says so.
const Code* make(ByteView bytes, const Hash& hash) noexcept {
    const Code* code = Code::create(bytes, &hash);
    if (code != nullptr)
        (void)code->analysis();
    return code;
}

}  // namespace

CodeCache& shared_codes() noexcept { return immortal.cache; }

const Code* CodeCache::get(ByteView bytes, const Hash& hash) noexcept {
    if (!lock_.try_lock())
        return make(bytes, hash);
    const Code* found = nullptr;
    if (Entry* entry = entries_.find(hash)) {
        entry->was_used = true;
        found = entry->code->acquire();
        ++hits_;
    }
    lock_.unlock();
    if (found != nullptr)
        return found;
    const Code* code = make(bytes, hash);  // without the lock: it copies up to megabytes
    if (code == nullptr || !lock_.try_lock())
        return code;
    ++misses_;
    const size_t size = size_of(*code);
    make_room(size, LOOKS);
    bool inserted = false;
    if (bytes_ + size <= limit_bytes_ && order_.make_room(1)) {
        Entry* entry = entries_.insert_or_find(hash, &inserted);
        if (inserted) {
            (void)order_.push_back(hash);  // there is room
            *entry = {code->acquire(), false};
            bytes_ += size;
        }
    }
    lock_.unlock();
    return code;
}

void CodeCache::make_room(size_t bytes, size_t looks) noexcept {
    for (; looks > 0 && !order_.empty() && bytes_ + bytes > limit_bytes_; --looks) {
        if (hand_ >= order_.size())
            hand_ = 0;
        Entry* entry = entries_.find(order_[hand_]);
        // With no reference but ours, nobody can take another one without the lock.
        const bool is_held = entry->code->references.load(std::memory_order_acquire) != 1;
        if (is_held || entry->was_used) {
            entry->was_used = false;
            ++hand_;
            continue;
        }
        bytes_ -= size_of(*entry->code);
        entry->code->release();
        entries_.erase(order_[hand_]);
        order_[hand_] = order_.back();
        order_.pop_back();
    }
}

bool CodeCache::lock_in_time() noexcept {
    // A thread holds it for microseconds, but may have lost its processor.
    for (int turn = 0; turn < 10'000; ++turn) {
        if (lock_.try_lock())
            return true;
        std::this_thread::yield();
    }
    return false;
}

bool CodeCache::figures(Figures* out) noexcept {
    if (!lock_in_time())
        return false;
    *out = {order_.size(), bytes_, limit_bytes_, hits_, misses_};
    lock_.unlock();
    return true;
}

bool CodeCache::set_limit(size_t bytes) noexcept {
    if (!lock_in_time())
        return false;
    limit_bytes_ = bytes;
    make_room(0, 2 * order_.size());  // those that were used go in the second round
    lock_.unlock();
    return true;
}

bool CodeCache::empty() noexcept {
    if (!lock_in_time())
        return false;
    make_room(limit_bytes_, 2 * order_.size());  // as for one that takes all of it
    lock_.unlock();
    return true;
}

}  // namespace evmcore
