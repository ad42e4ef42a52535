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
        const uint64_t hash = hash_of(key);
        Set& set = set_of(hash);
        const evmcore::SpinGuard guard{set.lock};
        for (unsigned i = 0; i < WAYS; ++i) {
            if (set.tags[i] != tag_of(hash))
                continue;
            const Row& row = set.rows[i];
            if (!row.is(key) || row.since > age)
                continue;
            set.next = static_cast<uint8_t>(1 - i);
            std::memcpy(value, row.bytes + row.key_size, row.value_size);
            return row.value_size;
        }
        return -1;
    }
    // What a snapshot of this age has; an empty value: no row.
    void put(std::string_view key, uint64_t age, std::string_view value) noexcept {
        if (count_ == 0 || value.size() > VALUE_BYTES_MOST || key.size() + value.size() > ROW_BYTES)
            return;
        const uint64_t hash = hash_of(key);
        Set& set = set_of(hash);
        const evmcore::SpinGuard guard{set.lock};
        // Under the lock: a commit raises the age first, and takes out what it has changed then.
        if (age < newest_.load(std::memory_order_acquire))
            return;
        const unsigned way = set.rows[0].is(key) ? 0 : set.rows[1].is(key) ? 1 : set.next;
        Row& row = set.rows[way];
        set.tags[way] = tag_of(hash);
        row.since = age;
        row.key_size = static_cast<uint8_t>(key.size());
        row.value_size = static_cast<uint8_t>(value.size());
        std::memcpy(row.bytes, key.data(), key.size());
        if (!value.empty())  // memcpy wants an address even for no bytes
            std::memcpy(row.bytes + key.size(), value.data(), value.size());
    }
    // A commit: first its age, then each row that it has changed, before anybody can open a snapshot of it.
    void begin_age(uint64_t age) noexcept { newest_.store(age, std::memory_order_release); }
    void take_out(std::string_view key) noexcept {
        if (count_ == 0 || key.size() > KEY_BYTES_MOST)
            return;
        const uint64_t hash = hash_of(key);
        Set& set = set_of(hash);
        const evmcore::SpinGuard guard{set.lock};
        for (unsigned i = 0; i < WAYS; ++i)
            if (set.tags[i] == tag_of(hash) && set.rows[i].is(key))
                set.tags[i] = set.rows[i].key_size = 0;
    }

private:
    static constexpr unsigned WAYS = 2;
    static constexpr size_t ROW_BYTES = 102;  // an account's key is shorter than a slot's, and its value longer
    struct Row {
        uint64_t since = 0;
        uint8_t key_size = 0;  // 0: none
        uint8_t value_size = 0;
        uint8_t bytes[ROW_BYTES];  // key, value
        bool is(std::string_view other) const noexcept {
            return key_size == other.size() && std::memcmp(bytes, other.data(), key_size) == 0;
        }
    };
    // Four lines of the processor's cache, of which a lookup takes the first and those of its row.
    struct alignas(256) Set {
        evmcore::SpinLock lock;
        uint8_t next = 0;  // which row goes
        uint8_t tags[WAYS] = {};
        Row rows[WAYS];
    };
    static_assert(sizeof(Set) == 256);

    static uint8_t tag_of(uint64_t hash) noexcept { return static_cast<uint8_t>(hash | 1); }  // 0: no row
    // Keys are hashes, or counters in their last bytes.
    static uint64_t hash_of(std::string_view key) noexcept {
        uint64_t hash = key.size();
        for (size_t at = 0; at < key.size(); at += 8) {
            uint64_t word = 0;
            std::memcpy(&word, key.data() + at, key.size() - at < 8 ? key.size() - at : 8);
            hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
            hash ^= hash >> 29;
        }
        return hash;
    }
    // By the high bits, as tags are of the low ones.
    Set& set_of(uint64_t hash) noexcept {
        const auto product = static_cast<unsigned __int128>(hash) * count_;
        return sets_.get()[static_cast<size_t>(product >> 64)];
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
