// Rows of accounts, slots and trie nodes that are committed, are in the journal on disk, and are not in their tables yet: a block then
// writes what it changes once and in one place, and the tables, in which it would touch a page for each key, are written for many
// blocks at once. Each row has the values that snapshots of all ages see. Empty values: no row.
// Any thread reads; who holds the transaction that writes puts. What was found stays where it is as long as this.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "../core/base/spin_lock.hpp"

namespace evmstore {

class Pending {
public:
    Pending() = default;
    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;

    // Whether a row has a value here that a snapshot of this age sees.
    bool find(uint8_t table, std::string_view key, uint64_t age, std::string_view* out) const noexcept;
    // Ages never fall. Seen by nobody before a snapshot of that age is opened.
    void put(uint8_t table, std::string_view key, uint64_t age, std::string_view value);
    void keep() noexcept { fresh_.clear(); }  // what was put since the last `keep`; or it is taken out again
    void drop() noexcept;

    // Visits (key, value) of a table as a snapshot of this age sees it, in no order, while nobody puts to the same shard.
    template <class Visit>
    void for_each(uint8_t table, uint64_t age, Visit visit) const {
        for (const Shard& shard : shards_) {
            const evmcore::SpinGuard guard{shard.lock};
            for (const auto& [name, entry] : shard.rows)
                if (static_cast<uint8_t>(name[0]) == table)
                    if (const Version* version = entry.at(age))
                        visit(name.substr(1), version->value);
        }
    }
    size_t size_bytes() const noexcept { return size_bytes_.load(std::memory_order_relaxed); }  // about

private:
    struct Version {
        uint64_t age;
        const Version* older;
        std::string_view value;
    };
    struct Entry {
        const Version* newest = nullptr;
        const Version* at(uint64_t age) const noexcept {
            const Version* version = newest;
            while (version != nullptr && version->age > age)
                version = version->older;
            return version;
        }
    };
    struct Hasher {
        size_t operator()(std::string_view name) const noexcept;
    };
    struct Shard {
        mutable evmcore::SpinLock lock;
        std::unordered_map<std::string_view, Entry, Hasher> rows;  // by the table and the key
    };
    struct Fresh {
        Shard* shard;
        Entry* entry;
    };

    static constexpr size_t SHARDS = 64, CHUNK_BYTES = size_t{1} << 18;

    const Shard& shard_of(std::string_view name) const noexcept { return shards_[Hasher{}(name) >> 58]; }
    char* room(size_t size);

    Shard shards_[SHARDS];
    std::vector<std::unique_ptr<char[]>> chunks_;
    size_t left_ = 0;  // of the last one
    char* next_ = nullptr;
    std::vector<Fresh> fresh_;
    std::atomic<size_t> size_bytes_{0};  // by who puts
};

}  // namespace evmstore
