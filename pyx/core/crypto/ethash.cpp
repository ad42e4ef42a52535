// Cache, dataset items and the hashimoto loop. Depends on crypto/ethash.hpp and keccak.
// Everything is little-endian words of 32 bits. Yellow Paper appendix J; names as there and in the executable specification.
#include "ethash.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

#include "keccak.hpp"

namespace evmcore {
namespace {

constexpr uint64_t CACHE_BYTES_INIT = uint64_t{1} << 24;
constexpr uint64_t CACHE_BYTES_GROWTH = uint64_t{1} << 17;
constexpr uint64_t DATASET_BYTES_INIT = uint64_t{1} << 30;
constexpr uint64_t DATASET_BYTES_GROWTH = uint64_t{1} << 23;
constexpr uint64_t HASH_BYTES = 64;
constexpr uint64_t MIX_BYTES = 128;
constexpr unsigned CACHE_ROUNDS = 3;
constexpr unsigned DATASET_PARENTS = 256;
constexpr unsigned ACCESSES = 64;
constexpr unsigned HASH_WORDS = HASH_BYTES / 4;
constexpr unsigned MIX_WORDS = MIX_BYTES / 4;

struct Row {
    uint32_t word[HASH_WORDS];
};

EVMCORE_INLINE uint32_t fnv(uint32_t a, uint32_t b) noexcept { return a * 0x01000193u ^ b; }

// Hashes and words share bytes on little-endian processors; elsewhere each word is turned.
EVMCORE_INLINE void turn_words(uint32_t* words, unsigned count) noexcept {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (unsigned i = 0; i < count; ++i)
        words[i] = __builtin_bswap32(words[i]);
#else
    (void)words, (void)count;
#endif
}

void hash_row(Row* row) noexcept {
    turn_words(row->word, HASH_WORDS);
    uint8_t hash[KECCAK512_BYTES];
    keccak512_short(reinterpret_cast<const uint8_t*>(row->word), HASH_BYTES, hash);
    std::memcpy(row->word, hash, HASH_BYTES);
    turn_words(row->word, HASH_WORDS);
}

bool is_prime(uint64_t number) noexcept {
    if (number % 2 == 0)
        return number == 2;
    for (uint64_t factor = 3; factor * factor <= number; factor += 2)
        if (number % factor == 0)
            return false;
    return number > 1;
}

// The largest size below `bytes` that is a prime number of `unit` bytes.
uint64_t prime_size(uint64_t bytes, uint64_t unit) noexcept {
    uint64_t units = bytes / unit - 1;
    while (!is_prime(units))
        units -= 2;
    return units * unit;
}

struct Cache {
    mutable std::atomic<uint32_t> references{1};
    uint64_t epoch = 0;
    uint32_t row_count = 0;
    uint64_t dataset_rows = 0;  // of MIX_BYTES
    std::unique_ptr<Row[]> rows;

    Row item(uint32_t index) const noexcept {
        Row mix = rows[index % row_count];
        mix.word[0] ^= index;
        hash_row(&mix);
        for (unsigned parent = 0; parent < DATASET_PARENTS; ++parent) {
            const Row& other = rows[fnv(index ^ parent, mix.word[parent % HASH_WORDS]) % row_count];
            for (unsigned i = 0; i < HASH_WORDS; ++i)
                mix.word[i] = fnv(mix.word[i], other.word[i]);
        }
        hash_row(&mix);
        return mix;
    }
};

// A reference to a cache, or none. (std::shared_ptr would need memory for its count, and end the process without.)
class CacheHold {
public:
    CacheHold() = default;
    explicit CacheHold(const Cache* made) noexcept : cache_{made} {}
    CacheHold(const CacheHold& other) noexcept : cache_{other.cache_} {
        if (cache_ != nullptr)
            cache_->references.fetch_add(1, std::memory_order_relaxed);  // the other holds one
    }
    CacheHold& operator=(CacheHold other) noexcept {
        std::swap(cache_, other.cache_);
        return *this;
    }
    ~CacheHold() {
        // Release: what other owners did happens before the last one frees it.
        if (cache_ != nullptr && cache_->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
            delete cache_;
    }
    const Cache* operator->() const noexcept { return cache_; }
    bool is_there() const noexcept { return cache_ != nullptr; }

private:
    const Cache* cache_ = nullptr;
};

// A row takes about as long as this much gas of plain instructions.
constexpr uint32_t ROW_WEIGHT = 256;

// None without memory, or when the poll says stop.
CacheHold make_cache(uint64_t epoch, Poll* poll) noexcept {
    Cache* const cache = new (std::nothrow) Cache;
    if (cache == nullptr)
        return {};
    CacheHold hold{cache};
    cache->epoch = epoch;
    cache->row_count = static_cast<uint32_t>(ethash_cache_size(epoch) / HASH_BYTES);
    cache->dataset_rows = ethash_dataset_size(epoch) / MIX_BYTES;
    cache->rows.reset(new (std::nothrow) Row[cache->row_count]);
    if (cache->rows == nullptr)
        return {};
    Row* const rows = cache->rows.get();
    const uint32_t count = cache->row_count;

    Hash seed{};
    for (uint64_t i = 0; i < epoch; ++i)
        keccak256(seed.bytes, sizeof(seed.bytes), &seed);
    uint8_t first[KECCAK512_BYTES];
    keccak512_short(seed.bytes, sizeof(seed.bytes), first);
    std::memcpy(rows[0].word, first, HASH_BYTES);
    turn_words(rows[0].word, HASH_WORDS);
    for (uint32_t i = 1; i < count; ++i) {
        if (poll->poll(ROW_WEIGHT))
            return {};
        rows[i] = rows[i - 1];
        hash_row(&rows[i]);
    }
    // Sergio Demian Lerner's RandMemoHash: each row becomes the hash of the one before it and one that it names.
    for (unsigned round = 0; round < CACHE_ROUNDS; ++round)
        for (uint32_t i = 0; i < count; ++i) {
            if (poll->poll(ROW_WEIGHT))
                return {};
            const Row& before = rows[i == 0 ? count - 1 : i - 1];
            const Row& named = rows[rows[i].word[0] % count];
            Row mixed;
            for (unsigned k = 0; k < HASH_WORDS; ++k)
                mixed.word[k] = before.word[k] ^ named.word[k];
            hash_row(&mixed);
            rows[i] = mixed;
        }
    return hold;
}

// A block's ommers may lie in the epoch before its own.
constexpr size_t KEPT_CACHES = 2;

std::mutex caches_lock;
CacheHold caches[KEPT_CACHES];  // owned by the holder of the lock; latest used first

// The cache is made without the lock: a poll may run other code, which asks for one, too.
CacheHold cache_of(uint64_t epoch, Poll* poll) noexcept {
    CacheHold found;
    {
        const std::lock_guard<std::mutex> guard{caches_lock};
        for (const CacheHold& cache : caches)
            if (cache.is_there() && cache->epoch == epoch)
                found = cache;
        if (!found.is_there())
            caches[KEPT_CACHES - 1] = CacheHold{};  // before the new one is made: two at once are enough
    }
    if (!found.is_there())
        found = make_cache(epoch, poll);
    if (!found.is_there())
        return {};
    const std::lock_guard<std::mutex> guard{caches_lock};
    size_t place = 0;
    while (place + 1 < KEPT_CACHES && (!caches[place].is_there() || caches[place]->epoch != epoch))
        ++place;
    for (; place > 0; --place)
        caches[place] = caches[place - 1];
    caches[0] = found;
    return found;
}

}  // namespace

uint64_t ethash_cache_size(uint64_t epoch) noexcept {
    return prime_size(CACHE_BYTES_INIT + CACHE_BYTES_GROWTH * epoch, HASH_BYTES);
}

uint64_t ethash_dataset_size(uint64_t epoch) noexcept {
    return prime_size(DATASET_BYTES_INIT + DATASET_BYTES_GROWTH * epoch, MIX_BYTES);
}

EthashFigures ethash_figures() noexcept {
    EthashFigures figures{KEPT_CACHES, 0, 0};
    const std::lock_guard<std::mutex> guard{caches_lock};
    for (const CacheHold& cache : caches)
        if (cache.is_there()) {
            ++figures.caches;
            figures.bytes += sizeof(Cache) + cache->row_count * sizeof(Row);
        }
    return figures;
}

void ethash_forget() noexcept {
    CacheHold taken[KEPT_CACHES];  // freed without the lock
    const std::lock_guard<std::mutex> guard{caches_lock};
    for (size_t i = 0; i < KEPT_CACHES; ++i)
        std::swap(taken[i], caches[i]);
}

Status ethash_light(uint64_t block_number, const Hash& seal_hash, uint64_t nonce, EthashResult* out, Poll* poll) noexcept {
    const CacheHold cache = cache_of(block_number / ETHASH_EPOCH_BLOCKS, poll);
    if (!cache.is_there())
        return poll->abort.load(std::memory_order_relaxed) ? Status::ABORTED : Status::OUT_OF_MEMORY;

    uint8_t start[40];
    std::memcpy(start, seal_hash.bytes, 32);
    for (unsigned i = 0; i < 8; ++i)
        start[32 + i] = static_cast<uint8_t>(nonce >> 8 * i);
    uint8_t seed_and_mix[KECCAK512_BYTES + 32];
    keccak512_short(start, sizeof(start), seed_and_mix);

    uint32_t mix[MIX_WORDS];
    std::memcpy(mix, seed_and_mix, HASH_BYTES);
    turn_words(mix, HASH_WORDS);
    std::memcpy(mix + HASH_WORDS, mix, HASH_BYTES);
    const uint32_t seed_head = mix[0];
    for (uint32_t access = 0; access < ACCESSES; ++access) {
        const uint64_t row = fnv(access ^ seed_head, mix[access % MIX_WORDS]) % cache->dataset_rows;
        for (unsigned half = 0; half < MIX_BYTES / HASH_BYTES; ++half) {
            const Row item = cache->item(static_cast<uint32_t>(row * (MIX_BYTES / HASH_BYTES) + half));
            for (unsigned i = 0; i < HASH_WORDS; ++i)
                mix[half * HASH_WORDS + i] = fnv(mix[half * HASH_WORDS + i], item.word[i]);
        }
    }
    uint32_t compressed[MIX_WORDS / 4];
    for (unsigned i = 0; i < MIX_WORDS; i += 4)
        compressed[i / 4] = fnv(fnv(fnv(mix[i], mix[i + 1]), mix[i + 2]), mix[i + 3]);
    turn_words(compressed, MIX_WORDS / 4);
    std::memcpy(out->mix_hash.bytes, compressed, 32);
    std::memcpy(seed_and_mix + KECCAK512_BYTES, compressed, 32);
    keccak256(seed_and_mix, sizeof(seed_and_mix), &out->result);
    return Status::SUCCESS;
}

}  // namespace evmcore
