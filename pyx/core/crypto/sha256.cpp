// SHA-256's compression function in portable C++, and the choice between it and blst's.
#include "sha256.hpp"

#include "native_library.hpp"

namespace evmcore {
namespace {

// The first 32 bits of the fractions of the cube roots of the first 64 primes.
constexpr uint32_t ROUND_CONSTANTS[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

inline uint32_t rotate_right(uint32_t x, int n) noexcept { return x >> n | x << (32 - n); }

inline uint32_t load_big_endian(const uint8_t* p) noexcept {
    return static_cast<uint32_t>(p[0]) << 24 | static_cast<uint32_t>(p[1]) << 16 | static_cast<uint32_t>(p[2]) << 8 | p[3];
}

void compress(uint32_t state[8], const uint8_t* block) noexcept {
    uint32_t w[64];
    for (int i = 0; i < 16; ++i)
        w[i] = load_big_endian(block + 4 * i);
    for (int i = 16; i < 64; ++i) {
        const uint32_t s0 = rotate_right(w[i - 15], 7) ^ rotate_right(w[i - 15], 18) ^ w[i - 15] >> 3;
        const uint32_t s1 = rotate_right(w[i - 2], 17) ^ rotate_right(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; ++i) {
        const uint32_t s1 = rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25);
        const uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + ROUND_CONSTANTS[i] + w[i];
        const uint32_t s0 = rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22);
        const uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

// What a block is worth in polled jumps (4 ns).
constexpr uint32_t BLOCK_WEIGHT = 64;

// More than this is hashed here, where it can be stopped: blst is asked once for all of it.
constexpr size_t LONG_BYTES = size_t{1} << 24;

bool hash(const uint8_t* data, size_t size, Hash* output, Poll* poll) noexcept {
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    size_t left = size;
    for (; left >= 64; left -= 64, data += 64) {
        if (poll != nullptr && poll->poll(BLOCK_WEIGHT))
            return false;
        compress(state, data);
    }

    // The tail: what is left, a one bit, zeros, and the length in bits as 64 big-endian bits.
    uint8_t tail[128] = {};
    if (left != 0)
        std::memcpy(tail, data, left);
    tail[left] = 0x80;
    const size_t tail_size = left < 56 ? 64 : 128;
    const uint64_t size_bits = static_cast<uint64_t>(size) * 8;
    for (int i = 0; i < 8; ++i)
        tail[tail_size - 1 - i] = static_cast<uint8_t>(size_bits >> (8 * i));
    for (size_t at = 0; at < tail_size; at += 64)
        compress(state, tail + at);

    for (int i = 0; i < 32; ++i)
        output->bytes[i] = static_cast<uint8_t>(state[i / 4] >> (24 - 8 * (i % 4)));
    return true;
}

}  // namespace

void sha256_portable(const uint8_t* data, size_t size, Hash* output) noexcept { hash(data, size, output, nullptr); }

bool sha256(const uint8_t* data, size_t size, Hash* output, Poll& poll) noexcept {
    if (size > LONG_BYTES)
        return hash(data, size, output, &poll);
    sha256(data, size, output);
    return true;
}

void sha256(const uint8_t* data, size_t size, Hash* output) noexcept {
    if (native.blst_sha256 != nullptr) [[likely]]
        native.blst_sha256(output->bytes, data, size);
    else
        sha256_portable(data, size, output);
}

}  // namespace evmcore
