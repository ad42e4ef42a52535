// The process's codes by hash: a code that several states hold, one after the other or at once, is kept and analysed once. Bounded in
// bytes; without it, blocks whose codes an earlier state had take 1.2 times as long (bench/codes.py). A code goes when no state holds it
// and nobody asked for it since the last look (the clock algorithm).
#pragma once

#include "../base/flat_map.hpp"
#include "../base/spin_lock.hpp"
#include "../base/vector.hpp"
#include "code.hpp"

namespace evmcore {

class CodeCache {
public:
    static constexpr size_t DEFAULT_LIMIT_BYTES = size_t{64} << 20;

    // The code of these bytes, with a reference of the caller's own, from the cache or into it; null without memory.
    // `hash` is their keccak-256. It is analysed: no block that runs it has to wait for that.
    const Code* get(ByteView bytes, const Hash& hash) noexcept;

    // Bytes: of the codes with their analysis, not of the index.
    struct Figures {
        size_t codes = 0, bytes = 0, limit_bytes = 0;
        uint64_t hits = 0, misses = 0;
    };
    // These three are false where a thread that this process doesn't have, since it was forked, holds the lock.
    [[nodiscard]] bool figures(Figures* out) noexcept;
    // Lets go of codes that no state holds until the others fit.
    [[nodiscard]] bool set_limit(size_t bytes) noexcept;
    // Lets go of all that no state holds; false as above.
    [[nodiscard]] bool empty() noexcept;

private:
    struct HashHasher {
        uint64_t operator()(const Hash& hash) const noexcept {
            uint64_t word;
            std::memcpy(&word, hash.bytes, 8);
            return word;  // a keccak hash is mixed already
        }
    };
    struct Entry {
        const Code* code;  // a reference
        bool was_used;     // since the last look at it
    };
    static size_t size_of(const Code& code) noexcept { return sizeof(Code) + Code::PADDING_BYTES + code.size + code.size / 8; }
    // Looks at so many codes at most.
    void make_room(size_t bytes, size_t looks) noexcept;
    bool lock_in_time() noexcept;

    static constexpr size_t LOOKS = 64;  // for one code that comes: bounds what it costs when states hold all of them

    // `get` doesn't wait for it: who doesn't get it makes a code that isn't shared. So a process that was forked while another
    // thread held it goes on, without the cache.
    SpinLock lock_;
    FlatMap<Hash, Entry, HashHasher> entries_;
    Vector<Hash> order_;  // the hashes in `entries_`; the next one to look at is at `hand_`
    size_t hand_ = 0;
    size_t bytes_ = 0;
    size_t limit_bytes_ = DEFAULT_LIMIT_BYTES;
    uint64_t hits_ = 0, misses_ = 0;
};

CodeCache& shared_codes() noexcept;  // never destroyed: threads may outlive static objects

}  // namespace evmcore
