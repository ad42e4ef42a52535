// A hash index that many workers fill and read at once: open addressing over atomic pointers, insert only, no locks.
// Its capacity is fixed for a block; when it is full, `find_or_add` says so.
#pragma once

#include <atomic>
#include <cstdlib>
#include <new>

#include "../base/types.hpp"

namespace evmcore {

// Entry has members `key` of type Key and `index_place`, which is the index's; Hasher as for FlatMap. Keys are compared in
// full.
template <class Key, class Entry, class Hasher>
class ConcurrentIndex {
public:
    ConcurrentIndex() = default;
    ConcurrentIndex(const ConcurrentIndex&) = delete;
    ConcurrentIndex& operator=(const ConcurrentIndex&) = delete;
    ~ConcurrentIndex() { std::free(slots_); }

    // Empties it and makes room for `capacity` entries, rounded up; not while anyone uses it. False without memory.
    bool reset(size_t capacity) noexcept {
        size_t wanted = 1024;
        while (wanted < capacity * 2)
            wanted *= 2;
        // An empty table that is larger does as well: wiping a new one costs more than it ever gives back.
        const bool is_fit = wanted <= size_ && size_ <= wanted * 16;
        if (is_fit && is_empty_) {
            is_empty_ = false;
            return true;
        }
        is_empty_ = false;
        if (is_fit) {
            std::memset(static_cast<void*>(slots_), 0, size_ * sizeof(std::atomic<Entry*>));
        } else {
            // Zeroed by the kernel as it is touched: a gas limit that is never used costs no memory.
            std::free(slots_);
            slots_ = static_cast<std::atomic<Entry*>*>(std::calloc(wanted, sizeof(std::atomic<Entry*>)));
            size_ = slots_ != nullptr ? wanted : 0;
            if (slots_ == nullptr)
                return false;
        }
        count_.store(0, std::memory_order_relaxed);
        return true;
    }

    // Forgetting all entries one by one costs less than wiping the table, which has room for many more. When nobody uses
    // it: first each entry that `find_or_add` was given, added or not, then `set_empty`.
    void forget(const Entry& entry) noexcept {
        std::atomic<Entry*>& slot = slots_[entry.index_place];
        if (slot.load(std::memory_order_relaxed) == &entry)
            slot.store(nullptr, std::memory_order_relaxed);
    }
    void set_empty() noexcept {
        is_empty_ = true;
        count_.store(0, std::memory_order_relaxed);
    }

    Entry* find(const Key& key) const noexcept {
        for (size_t i = Hasher{}(key);; ++i) {
            // Acquire: the entry's fields were written before its pointer was published.
            Entry* entry = slots_[i & (size_ - 1)].load(std::memory_order_acquire);
            if (entry == nullptr || entry->key == key)
                return entry;
        }
    }

    // Gives the table back if it takes more than so many bytes; when nobody uses it, and it is empty or of no more use.
    void trim(size_t kept_bytes) noexcept {
        if (size_ * sizeof(std::atomic<Entry*>) <= kept_bytes)
            return;
        std::free(slots_);
        slots_ = nullptr;
        size_ = 0;
        is_empty_ = false;
    }

    // The entry of the key, made by `make()` if there is none; null when the index is full or `make` has no memory.
    // Of two workers that add the same key one wins, and the other's entry is left unused.
    template <class Make>
    Entry* find_or_add(const Key& key, Make make) noexcept {
        Entry* made = nullptr;
        for (size_t i = Hasher{}(key);; ++i) {
            std::atomic<Entry*>& slot = slots_[i & (size_ - 1)];
            Entry* entry = slot.load(std::memory_order_acquire);
            if (entry == nullptr) {
                if (made == nullptr) {
                    // Relaxed: a count that is late by a few entries only moves the limit by as many.
                    if (count_.load(std::memory_order_relaxed) >= size_ / 2 || (made = make()) == nullptr)
                        return nullptr;
                }
                made->index_place = static_cast<uint32_t>(i & (size_ - 1));
                // Release: publishes the fields of `made`; acquire on failure: the winner's fields are read next.
                if (slot.compare_exchange_strong(entry, made, std::memory_order_release, std::memory_order_acquire)) {
                    count_.fetch_add(1, std::memory_order_relaxed);
                    return made;
                }
            }
            if (entry->key == key)
                return entry;
        }
    }

private:
    std::atomic<Entry*>* slots_ = nullptr;  // published: by the thread that wins a slot
    size_t size_ = 0;
    bool is_empty_ = false;
    std::atomic<size_t> count_{0};
};

}  // namespace evmcore
