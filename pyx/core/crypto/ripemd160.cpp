// RIPEMD-160: two lines of 80 steps over each 64-byte block. All step tables are compile-time constants and the steps are
// unrolled, the two lines side by side: they don't depend on each other, so the CPU works on both at once.
#include "ripemd160.hpp"

#include <utility>

namespace evmcore {
namespace {

// clang-format off: tables of the specification
constexpr uint8_t LEFT_WORD[80] = {0, 1, 2,  3,  4,  5,  6,  7, 8, 9,  10, 11, 12, 13, 14, 15, 7,  4,  13, 1,  10, 6,  15, 3, 12, 0, 9,
                                   5, 2, 14, 11, 8,  3,  10, 14, 4, 9, 15, 8,  1,  2,  7,  0,  6,  13, 11, 5,  12, 1,  9,  11, 10, 0, 8,
                                   12, 4, 13, 3, 7,  15, 14, 5, 6, 2,  4,  0,  5,  9,  7,  12, 2,  10, 14, 1,  3,  8,  11, 6,  15, 13};
constexpr uint8_t RIGHT_WORD[80] = {5, 14, 7, 0, 9,  2,  11, 4, 13, 6, 15, 8, 1,  10, 3,  12, 6,  11, 3, 7,  0,  13, 5,  10, 14, 15, 8,
                                    12, 4, 9, 1, 2,  15, 5,  1, 3,  7, 14, 6, 9,  11, 8,  12, 2,  10, 0, 4,  13, 8,  6,  4,  1,  3,  11,
                                    15, 0, 5, 12, 2, 13, 9,  7, 10, 14, 12, 15, 10, 4, 1,  5,  8,  7,  6, 2,  13, 14, 0,  3,  9,  11};
constexpr uint8_t LEFT_SHIFT[80] = {11, 14, 15, 12, 5,  8,  7,  9, 11, 13, 14, 15, 6,  7,  9,  8,  7,  6,  8,  13, 11, 9,  7,  15, 7,  12, 15,
                                    9,  11, 7,  13, 12, 11, 13, 6, 7,  14, 9,  13, 15, 14, 8,  13, 6,  5,  12, 7,  5,  11, 12, 14, 15, 14, 15,
                                    9,  8,  9,  14, 5,  6,  8,  6, 5,  12, 9,  15, 5,  11, 6,  8,  13, 12, 5,  12, 13, 14, 11, 8,  5,  6};
constexpr uint8_t RIGHT_SHIFT[80] = {8,  9,  9,  11, 13, 15, 15, 5, 7,  7,  8,  11, 14, 14, 12, 6,  9,  13, 15, 7,  12, 8, 9,  11, 7,  7, 12,
                                     7,  6,  15, 13, 11, 9,  7,  15, 11, 8, 6,  6,  14, 12, 13, 5,  14, 13, 13, 7,  5,  15, 5, 8,  11, 14, 14,
                                     6,  14, 6,  9,  12, 9,  12, 5, 15, 8,  8,  5,  12, 9,  12, 5,  14, 6,  8,  13, 6,  5, 15, 13, 11, 11};
constexpr uint32_t LEFT_CONSTANT[5] = {0, 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xa953fd4e};   // square roots of 2, 3, 5, 7
constexpr uint32_t RIGHT_CONSTANT[5] = {0x50a28be6, 0x5c4dd124, 0x6d703ef3, 0x7a6d76e9, 0};  // cube roots of 2, 3, 5, 7
// clang-format on

template <int ROUND>
EVMCORE_INLINE uint32_t mix(uint32_t x, uint32_t y, uint32_t z) noexcept {
    if constexpr (ROUND == 0)
        return x ^ y ^ z;
    if constexpr (ROUND == 1)
        return (x & y) | (~x & z);
    if constexpr (ROUND == 2)
        return (x | ~y) ^ z;
    if constexpr (ROUND == 3)
        return (x & z) | (y & ~z);
    if constexpr (ROUND == 4)
        return x ^ (y | ~z);
}

EVMCORE_INLINE uint32_t rotate_left(uint32_t x, int n) noexcept { return x << n | x >> (32 - n); }

// The five registers rotate one place a step; with the step known at compile time that is only a renaming.
template <int STEP, int ROUND>
EVMCORE_INLINE void step(uint32_t v[5], uint32_t word, uint32_t constant, int shift) noexcept {
    constexpr int A = (80 - STEP) % 5, B = (A + 1) % 5, C = (A + 2) % 5, D = (A + 3) % 5, E = (A + 4) % 5;
    v[A] = rotate_left(v[A] + mix<ROUND>(v[B], v[C], v[D]) + word + constant, shift) + v[E];
    v[C] = rotate_left(v[C], 10);
}

template <size_t... STEP>
EVMCORE_INLINE void all_steps(uint32_t left[5], uint32_t right[5], const uint32_t x[16],
                              std::index_sequence<STEP...>) noexcept {
    ((step<STEP, STEP / 16>(left, x[LEFT_WORD[STEP]], LEFT_CONSTANT[STEP / 16], LEFT_SHIFT[STEP]),
      step<STEP, 4 - STEP / 16>(right, x[RIGHT_WORD[STEP]], RIGHT_CONSTANT[STEP / 16], RIGHT_SHIFT[STEP])),
     ...);
}

void compress(uint32_t state[5], const uint8_t* block) noexcept {
    uint32_t x[16];
    for (int i = 0; i < 16; ++i) {
        const uint8_t* p = block + 4 * i;
        x[i] = p[0] | static_cast<uint32_t>(p[1]) << 8 | static_cast<uint32_t>(p[2]) << 16 | static_cast<uint32_t>(p[3]) << 24;
    }
    uint32_t left[5], right[5];
    std::memcpy(left, state, sizeof left);
    std::memcpy(right, state, sizeof right);
    all_steps(left, right, x, std::make_index_sequence<80>{});
    const uint32_t t = state[1] + left[2] + right[3];
    state[1] = state[2] + left[3] + right[4];
    state[2] = state[3] + left[4] + right[0];
    state[3] = state[4] + left[0] + right[1];
    state[4] = state[0] + left[1] + right[2];
    state[0] = t;
}

// What a block is worth in polled jumps (4 ns).
constexpr uint32_t BLOCK_WEIGHT = 64;

}  // namespace

bool ripemd160(const uint8_t* data, size_t size, uint8_t output[20], Poll& poll) noexcept {
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    size_t left = size;
    for (; left >= 64; left -= 64, data += 64) {
        if (poll.poll(BLOCK_WEIGHT))
            return false;
        compress(state, data);
    }

    // The tail: what is left, a one bit, zeros, and the length in bits as 64 little-endian bits.
    uint8_t tail[128] = {};
    if (left != 0)
        std::memcpy(tail, data, left);
    tail[left] = 0x80;
    const size_t tail_size = left < 56 ? 64 : 128;
    const uint64_t size_bits = static_cast<uint64_t>(size) * 8;
    for (int i = 0; i < 8; ++i)
        tail[tail_size - 8 + i] = static_cast<uint8_t>(size_bits >> (8 * i));
    for (size_t at = 0; at < tail_size; at += 64)
        compress(state, tail + at);

    for (int i = 0; i < 20; ++i)
        output[i] = static_cast<uint8_t>(state[i / 4] >> (8 * (i % 4)));
    return true;
}

}  // namespace evmcore
