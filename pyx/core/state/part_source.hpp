// A local source (local_source.hpp) over the part of a state that a witness has: its trie, and codes. What isn't in it is a failed read.
// Depends on local_source, code_cache and shared_trie. Any thread reads.
#pragma once

#include <atomic>

#include "../base/flat_map.hpp"
#include "../base/spin_lock.hpp"
#include "../math/u256.hpp"
#include "code.hpp"
#include "local_source.hpp"
#include "shared_trie.hpp"
#include "stored.hpp"

namespace evmcore {

// Lives as long as it is held, by `acquire` and `release` of its table: its maker holds it.
class PartSource {
public:
    static PartSource* create(const shared_trie::Ref& trie) noexcept;  // null without memory
    PartSource(const PartSource&) = delete;
    PartSource& operator=(const PartSource&) = delete;

    [[nodiscard]] bool add_code(ByteView code, const Hash& hash) noexcept;  // before anybody reads; false without memory
    EvmcoreLocalSource table() noexcept;
    void release() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1)
            delete this;
    }

private:
    // What was looked up: a block reads the same again and again, and each time it would be hashed and searched for.
    struct Found {
        bool is_there = false;
        uint32_t id = 0;  // in SlotKey
        EvmcoreLocalAccount account{};
        Hash key{};  // the hashed address
    };
    struct Value {
        bool is_there = false;
        uint8_t bytes[32] = {};
    };
    struct HashHasher {
        uint64_t operator()(const Hash& hash) const noexcept {
            uint64_t word;
            std::memcpy(&word, hash.bytes, 8);
            return word;  // a keccak hash is mixed already
        }
    };
    static constexpr size_t FOUND_MOST = size_t{1} << 16;  // entries of each map

    PartSource() = default;
    ~PartSource();
    int account(const Address& address, Found* out) noexcept;
    int slot(const Address& address, const uint8_t key[32], uint8_t value[32]) noexcept;

    std::atomic<uint32_t> references_{1};
    shared_trie::Ref trie_;
    FlatMap<Hash, const Code*, HashHasher> codes_;  // a reference to each
    SpinLock lock_;                                 // over the rest
    uint32_t next_id_ = 0;
    FlatMap<Address, Found, SeededHash> accounts_;
    FlatMap<SlotKey, Value, SeededHash> slots_;
};

}  // namespace evmcore
