// The secret of the process that all hash tables share, and the multiply-mix that uses it.
// Depends on nothing. Keys are chosen by strangers (storage slots, addresses), so a hash without a secret could be
// flooded; the seed is drawn once, when the library is loaded, and never leaves the process or orders any result.
#pragma once

#include <cstdint>
#include <ctime>
#include <unistd.h>
#if defined(__linux__) || defined(__APPLE__)
#include <sys/random.h>
#endif

namespace evmcore {

struct HashSeed {
    uint64_t word[6];
};

// The 128-bit product, folded: each bit of the answer depends on all bits of both inputs.
inline __attribute__((always_inline)) uint64_t multiply_mix(uint64_t a, uint64_t b) noexcept {
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline HashSeed draw_hash_seed() noexcept {
    HashSeed seed{};
#if defined(__linux__) || defined(__APPLE__)
    const bool drawn = getentropy(&seed, sizeof(seed)) == 0;
#else
    const bool drawn = false;
#endif
    // Without the system's entropy: the clock and where the stack lies, better than a constant.
    uint64_t state = static_cast<uint64_t>(std::time(nullptr)) ^ reinterpret_cast<uintptr_t>(&seed);
    for (uint64_t& word : seed.word) {
        state += 0x9e3779b97f4a7c15;
        if (!drawn)
            word = multiply_mix(state, 0xbf58476d1ce4e5b9 ^ static_cast<uint64_t>(std::clock()));
        word |= 1;  // never a zero factor by itself
    }
    return seed;
}

// frozen: written once before main. Hidden, so that position-independent code reads it without an indirection.
__attribute__((visibility("hidden"))) inline const HashSeed hash_seed = draw_hash_seed();

// A seeded hash of one word, and of two. Different pairs collide with chance about 2^-63, also if an attacker chose them.
inline __attribute__((always_inline)) uint64_t mix64(uint64_t a) noexcept {
    return multiply_mix(a ^ hash_seed.word[0], hash_seed.word[1]);
}
inline __attribute__((always_inline)) uint64_t mix64(uint64_t a, uint64_t b) noexcept {
    return multiply_mix(a ^ hash_seed.word[0], b ^ hash_seed.word[1]);
}

}  // namespace evmcore
