// Rows of accounts and slots that were read or written lately, bounded in bytes, and shared by all snapshots of a database: a row is good
// for every snapshot from the one on that it was read by or written for, since a commit takes out what it changes.
// Any thread. Sets of two rows, each under a lock of its own that is held for a copy.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>

#include "../core/base/spin_lock.hpp"

namespace evmstore {

class RowCache {
public:
    static constexpr size_t KEY_BYTES_MOST = 52, VALUE_BYTES_MOST = 75;

    // None without memory, or with room for none: then nothing is kept.
    explicit RowCache(size_t bytes) noexcept : count_{bytes / sizeof(Set)} {
        const size_t whole = (count_ * sizeof(Set) + HUGE_PAGE_BYTES - 1) & ~(HUGE_PAGE_BYTES - 1);
        if (count_ != 0)
            sets_.reset(static_cast<Set*>(std::aligned_alloc(HUGE_PAGE_BYTES, whole)));
        if (sets_ == nullptr)
            count_ = 0;
#if defined(MADV_HUGEPAGE)
        // Rows lie anywhere: on small pages each costs a walk of the page tables, too.
        else
            (void)madvise(sets_.get(), whole, MADV_HUGEPAGE);
#endif
        for (size_t i = 0; i < count_; ++i)
            new (&sets_.get()[i]) Set;
    }

    // The size of the value, which is copied; 0: there is no such row; -1: not known here. `age`: of the snapshot.
    int find(std::string_view key, uint64_t age, uint8_t value[VALUE_BYTES_MOST]) noexcept {
        if (count_ == 0)
            return -1;
        Set& set = set_of(key);
        const evmcore::SpinGuard guard{set.lock};
        for (unsigned i = 0; i < WAYS; ++i) {
            const Row& row = set.rows[i];
            if (!row.is(key) || row.since > age)
                continue;
            set.next = static_cast<uint8_t>(1 - i);
            std::memcpy(value, row.value, row.value_size);
            return row.value_size;
        }
        return -1;
    }
    // What a snapshot of this age has; an empty value: no row.
    void put(std::string_view key, uint64_t age, std::string_view value) noexcept {
        if (count_ == 0 || value.size() > VALUE_BYTES_MOST)
            return;
        Set& set = set_of(key);
        const evmcore::SpinGuard guard{set.lock};
        // Under the lock: a commit raises the age first, and takes out what it has changed then.
        if (age < newest_.load(std::memory_order_acquire))
            return;
        Row& row = set.rows[set.rows[0].is(key) ? 0 : set.rows[1].is(key) ? 1 : set.next];
        row.since = age;
        row.key_size = static_cast<uint8_t>(key.size());
        row.value_size = static_cast<uint8_t>(value.size());
        std::memcpy(row.key, key.data(), key.size());
        if (!value.empty())  // memcpy wants an address even for no bytes
            std::memcpy(row.value, value.data(), value.size());
    }
    // A commit: first its age, then each row that it has changed, before anybody can open a snapshot of it.
    void begin_age(uint64_t age) noexcept { newest_.store(age, std::memory_order_release); }
    void take_out(std::string_view key) noexcept {
        if (count_ == 0 || key.size() > KEY_BYTES_MOST)
            return;
        Set& set = set_of(key);
        const evmcore::SpinGuard guard{set.lock};
        for (Row& row : set.rows)
            if (row.is(key))
                row.key_size = 0;
    }

private:
    static constexpr unsigned WAYS = 2;
    struct Row {
        uint64_t since = 0;
        uint8_t key_size = 0;  // 0: none
        uint8_t value_size = 0;
        uint8_t key[KEY_BYTES_MOST];
        uint8_t value[VALUE_BYTES_MOST];
        bool is(std::string_view other) const noexcept {
            return key_size == other.size() && std::memcmp(key, other.data(), key_size) == 0;
        }
    };
    struct Set {
        evmcore::SpinLock lock;
        uint8_t next = 0;  // which row goes
        Row rows[WAYS];
    };

    // Keys are hashes, or counters in their last bytes.
    Set& set_of(std::string_view key) noexcept {
        uint64_t hash = key.size();
        for (size_t at = 0; at < key.size(); at += 8) {
            uint64_t word = 0;
            std::memcpy(&word, key.data() + at, key.size() - at < 8 ? key.size() - at : 8);
            hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
            hash ^= hash >> 29;
        }
        return sets_.get()[hash % count_];
    }

    struct Free {
        void operator()(Set* sets) const noexcept { std::free(sets); }
    };
    static constexpr size_t HUGE_PAGE_BYTES = size_t{1} << 21;

    size_t count_;
    std::unique_ptr<Set, Free> sets_;
    std::atomic<uint64_t> newest_{0};  // published: by who commits
};

}  // namespace evmstore
