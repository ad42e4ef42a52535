// BLAKE2F (0x09): the compression function of BLAKE2b with a chosen number of rounds. EIP-152, RFC 7693 section 3.2.
// Input, 213 bytes: rounds (4, big-endian), h (64), m (128), t (16), all little-endian words, and the final-block flag.
#include <utility>

#include "precompiles.hpp"

namespace evmcore {
namespace {

constexpr size_t INPUT_BYTES = 213;
constexpr size_t FLAG_AT = 212;

// Rounds between two polls: about 12 microseconds, worth some 3,000 jumps.
constexpr uint32_t ROUNDS_PER_POLL = 1000, POLL_WEIGHT = 3000;

// The fractions of the square roots of the first eight primes.
constexpr uint64_t IV[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                            0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

constexpr uint8_t SIGMA[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

uint64_t load_little_endian(const uint8_t* p) noexcept {
    uint64_t word = 0;
    for (int i = 7; i >= 0; --i)
        word = word << 8 | p[i];
    return word;
}

EVMCORE_INLINE uint64_t rotate_right(uint64_t x, int n) noexcept { return x >> n | x << (64 - n); }

EVMCORE_INLINE void mix(uint64_t& a, uint64_t& b, uint64_t& c, uint64_t& d, uint64_t x, uint64_t y) noexcept {
    a += b + x;
    d = rotate_right(d ^ a, 32);
    c += d;
    b = rotate_right(b ^ c, 24);
    a += b + y;
    d = rotate_right(d ^ a, 16);
    c += d;
    b = rotate_right(b ^ c, 63);
}

template <int ROW>
EVMCORE_INLINE void run_round(uint64_t v[16], const uint64_t m[16]) noexcept {
    constexpr const uint8_t* s = SIGMA[ROW];
    mix(v[0], v[4], v[8], v[12], m[s[0]], m[s[1]]);
    mix(v[1], v[5], v[9], v[13], m[s[2]], m[s[3]]);
    mix(v[2], v[6], v[10], v[14], m[s[4]], m[s[5]]);
    mix(v[3], v[7], v[11], v[15], m[s[6]], m[s[7]]);
    mix(v[0], v[5], v[10], v[15], m[s[8]], m[s[9]]);
    mix(v[1], v[6], v[11], v[12], m[s[10]], m[s[11]]);
    mix(v[2], v[7], v[8], v[13], m[s[12]], m[s[13]]);
    mix(v[3], v[4], v[9], v[14], m[s[14]], m[s[15]]);
}

// With the schedule known to the compiler, a round needs no look-up of where its words are: a third less time.
template <int... ROWS>
EVMCORE_INLINE void run_rounds(uint64_t v[16], const uint64_t m[16], std::integer_sequence<int, ROWS...>) noexcept {
    (run_round<ROWS>(v, m), ...);
}

constexpr uint32_t SCHEDULE_ROUNDS = 10;

// As many rounds, from the first of the schedule on. Numbers of its own: the compiler then knows who else sees them.
void run_rounds(uint64_t numbers[16], const uint64_t m[16], uint32_t count) noexcept {
    uint64_t v[16];
    std::memcpy(v, numbers, sizeof v);
    for (; count >= SCHEDULE_ROUNDS; count -= SCHEDULE_ROUNDS)
        run_rounds(v, m, std::make_integer_sequence<int, SCHEDULE_ROUNDS>{});
    constexpr void (*SINGLE[SCHEDULE_ROUNDS])(uint64_t*, const uint64_t*) noexcept = {
        run_round<0>, run_round<1>, run_round<2>, run_round<3>, run_round<4>,
        run_round<5>, run_round<6>, run_round<7>, run_round<8>, run_round<9>};
    for (uint32_t row = 0; row < count; ++row)
        SINGLE[row](v, m);
    std::memcpy(numbers, v, sizeof v);
}

}  // namespace

// A round costs one gas.
int64_t price_blake2f(ByteView input, const Rules&) noexcept {
    if (input.size != INPUT_BYTES)
        return 0;  // refused by run, whatever the gas
    return static_cast<int64_t>(input[0]) << 24 | input[1] << 16 | input[2] << 8 | input[3];
}

Status run_blake2f(ByteView input, Bytes& output, Poll& poll) noexcept {
    if (input.size != INPUT_BYTES || input[FLAG_AT] > 1)
        return Status::PRECOMPILE_FAILURE;
    const uint32_t rounds = static_cast<uint32_t>(input[0]) << 24 | input[1] << 16 | input[2] << 8 | input[3];
    uint64_t h[8], m[16], v[16];
    for (int i = 0; i < 8; ++i)
        h[i] = load_little_endian(input.data + 4 + 8 * i);
    for (int i = 0; i < 16; ++i)
        m[i] = load_little_endian(input.data + 68 + 8 * i);
    std::memcpy(v, h, sizeof h);
    std::memcpy(v + 8, IV, sizeof IV);
    v[12] ^= load_little_endian(input.data + 196);
    v[13] ^= load_little_endian(input.data + 204);
    if (input[FLAG_AT] != 0)
        v[14] = ~v[14];

    for (uint32_t done = 0; done < rounds;) {
        // A multiple of ten, so that each stretch begins with the first row of the schedule.
        const uint32_t stretch = rounds - done < ROUNDS_PER_POLL ? rounds - done : ROUNDS_PER_POLL;
        run_rounds(v, m, stretch);
        done += stretch;
        if (stretch == ROUNDS_PER_POLL && poll.poll(POLL_WEIGHT))
            return Status::ABORTED;
    }

    if (!output.resize(64))
        return Status::OUT_OF_MEMORY;
    for (int i = 0; i < 64; ++i)
        output[i] = static_cast<uint8_t>((h[i / 8] ^ v[i / 8] ^ v[i / 8 + 8]) >> (8 * (i % 8)));
    return Status::SUCCESS;
}

}  // namespace evmcore
