// Keccak-f[1600] and the sponge around it, for one message, for four and for eight.
// Depends on crypto/keccak.hpp. One round, written once as a template: over a 64-bit word or a vector of words, and
// with or without complemented lanes. (Bertoni, Daemen, Peeters, Van Assche: "The Keccak reference" and "Keccak
// implementation overview".)

#include "keccak.hpp"

#include <atomic>

namespace evmcore {
namespace {

constexpr size_t RATE_BYTES = 136;  // 1088 bits: the block of Keccak-256
constexpr unsigned RATE_WORDS = RATE_BYTES / 8;
constexpr uint64_t LAST_BIT = uint64_t{1} << 63;  // of the padding, in the last word of the block

constexpr uint64_t round_constants[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b, 0x0000000080000001,
    0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003, 0x8000000000008002, 0x8000000000000080,
    0x000000000000800a, 0x800000008000000a, 0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

template <unsigned COUNT, typename Lane>
EVMCORE_INLINE void rotate(Lane& x) noexcept {
    if constexpr (COUNT != 0)
        x = (x << COUNT) | (x >> (64 - COUNT));
}

// PLAIN: chi as it is defined, b ^ (~c & d), for processors with an and-not instruction.
// COMPLEMENTED: six lanes (1, 2, 8, 12, 17, 20) are kept inverted, which leaves one NOT a plane instead of five.
enum class Form { PLAIN, COMPLEMENTED };

// Theta's second half, rho, pi and chi for plane Y of the result: five lanes of `a`, one from each column.
template <Form FORM, unsigned Y, unsigned R0, unsigned R1, unsigned R2, unsigned R3, unsigned R4, typename Lane>
EVMCORE_INLINE void plane(const Lane& a0, const Lane& a1, const Lane& a2, const Lane& a3, const Lane& a4, const Lane& d0,
                          const Lane& d1, const Lane& d2, const Lane& d3, const Lane& d4, Lane* e) noexcept {
    Lane b0 = a0 ^ d0, b1 = a1 ^ d1, b2 = a2 ^ d2, b3 = a3 ^ d3, b4 = a4 ^ d4;
    rotate<R0>(b0);
    rotate<R1>(b1);
    rotate<R2>(b2);
    rotate<R3>(b3);
    rotate<R4>(b4);
    if constexpr (FORM == Form::PLAIN) {
        e[0] = b0 ^ (~b1 & b2);
        e[1] = b1 ^ (~b2 & b3);
        e[2] = b2 ^ (~b3 & b4);
        e[3] = b3 ^ (~b4 & b0);
        e[4] = b4 ^ (~b0 & b1);
    } else if constexpr (Y == 0) {
        e[0] = b0 ^ (b1 | b2);
        e[1] = b1 ^ (~b2 | b3);
        e[2] = b2 ^ (b3 & b4);
        e[3] = b3 ^ (b4 | b0);
        e[4] = b4 ^ (b0 & b1);
    } else if constexpr (Y == 1) {
        e[0] = b0 ^ (b1 | b2);
        e[1] = b1 ^ (b2 & b3);
        e[2] = b2 ^ (b3 | ~b4);
        e[3] = b3 ^ (b4 | b0);
        e[4] = b4 ^ (b0 & b1);
    } else if constexpr (Y == 2) {
        const Lane n3 = ~b3;
        e[0] = b0 ^ (b1 | b2);
        e[1] = b1 ^ (b2 & b3);
        e[2] = b2 ^ (n3 & b4);
        e[3] = n3 ^ (b4 | b0);
        e[4] = b4 ^ (b0 & b1);
    } else if constexpr (Y == 3) {
        const Lane n3 = ~b3;
        e[0] = b0 ^ (b1 & b2);
        e[1] = b1 ^ (b2 | b3);
        e[2] = b2 ^ (n3 | b4);
        e[3] = n3 ^ (b4 & b0);
        e[4] = b4 ^ (b0 | b1);
    } else {
        const Lane n1 = ~b1;
        e[0] = b0 ^ (n1 & b2);
        e[1] = n1 ^ (b2 | b3);
        e[2] = b2 ^ (b3 & b4);
        e[3] = b3 ^ (b4 | b0);
        e[4] = b4 ^ (b0 & b1);
    }
}

// One round from `a` to `e`, lane x + 5y at column x and row y.
template <Form FORM, typename Lane>
EVMCORE_INLINE void round(const Lane* a, Lane* e, uint64_t round_constant) noexcept {
    const Lane c0 = a[0] ^ a[5] ^ a[10] ^ a[15] ^ a[20];
    const Lane c1 = a[1] ^ a[6] ^ a[11] ^ a[16] ^ a[21];
    const Lane c2 = a[2] ^ a[7] ^ a[12] ^ a[17] ^ a[22];
    const Lane c3 = a[3] ^ a[8] ^ a[13] ^ a[18] ^ a[23];
    const Lane c4 = a[4] ^ a[9] ^ a[14] ^ a[19] ^ a[24];
    Lane d0 = c1, d1 = c2, d2 = c3, d3 = c4, d4 = c0;
    rotate<1>(d0);
    rotate<1>(d1);
    rotate<1>(d2);
    rotate<1>(d3);
    rotate<1>(d4);
    d0 = d0 ^ c4;
    d1 = d1 ^ c0;
    d2 = d2 ^ c1;
    d3 = d3 ^ c2;
    d4 = d4 ^ c3;
    plane<FORM, 0, 0, 44, 43, 21, 14>(a[0], a[6], a[12], a[18], a[24], d0, d1, d2, d3, d4, e);
    e[0] = e[0] ^ round_constant;
    plane<FORM, 1, 28, 20, 3, 45, 61>(a[3], a[9], a[10], a[16], a[22], d3, d4, d0, d1, d2, e + 5);
    plane<FORM, 2, 1, 6, 25, 8, 18>(a[1], a[7], a[13], a[19], a[20], d1, d2, d3, d4, d0, e + 10);
    plane<FORM, 3, 27, 36, 10, 15, 56>(a[4], a[5], a[11], a[17], a[23], d4, d0, d1, d2, d3, e + 15);
    plane<FORM, 4, 62, 55, 39, 41, 2>(a[2], a[8], a[14], a[15], a[21], d2, d3, d4, d0, d1, e + 20);
}

template <typename Lane>
EVMCORE_INLINE void complement(Lane* a) noexcept {
    a[1] = ~a[1];
    a[2] = ~a[2];
    a[8] = ~a[8];
    a[12] = ~a[12];
    a[17] = ~a[17];
    a[20] = ~a[20];
}

// All 24 rounds, in place.
template <Form FORM, typename Lane>
EVMCORE_INLINE void permute(Lane* a) noexcept {
    Lane e[25];
    if constexpr (FORM == Form::COMPLEMENTED)
        complement(a);
    for (unsigned i = 0; i < 24; i += 2) {
        round<FORM>(a, e, round_constants[i]);
        round<FORM>(e, a, round_constants[i + 1]);
    }
    if constexpr (FORM == Form::COMPLEMENTED)
        complement(a);
}

// All 24 rounds, of which only lanes 0 to 3 are wanted: most of the last round falls away.
template <Form FORM, typename Lane>
EVMCORE_INLINE void permute_last(Lane* a, Lane* out) noexcept {
    Lane e[25], f[25];
    if constexpr (FORM == Form::COMPLEMENTED)
        complement(a);
    for (unsigned i = 0; i < 22; i += 2) {
        round<FORM>(a, e, round_constants[i]);
        round<FORM>(e, a, round_constants[i + 1]);
    }
    round<FORM>(a, e, round_constants[22]);
    round<FORM>(e, f, round_constants[23]);
    if constexpr (FORM == Form::COMPLEMENTED)
        complement(f);
    for (unsigned i = 0; i < 4; ++i)
        out[i] = f[i];
}

EVMCORE_INLINE uint64_t load_word(const uint8_t* from) noexcept {
    uint64_t x;
    std::memcpy(&x, from, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    return x;
}

EVMCORE_INLINE void store_word(uint8_t* to, uint64_t x) noexcept {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    std::memcpy(to, &x, 8);
}

// The padded word at the end of a message: what is left over from whole words, then the first bit of the padding.
EVMCORE_INLINE uint64_t last_word(const uint8_t* end, size_t size) noexcept {
    const unsigned tail = size % 8;
    uint64_t x = 0;
    if (size >= 8) {  // the message's last eight bytes hold the tail at their top: no loop over bytes
        x = tail == 0 ? 0 : load_word(end - 8) >> (64 - 8 * tail);
    } else {
        for (unsigned i = 0; i < tail; ++i)
            x |= static_cast<uint64_t>((end - tail)[i]) << 8 * i;
    }
    return x | uint64_t{1} << 8 * tail;
}

template <Form FORM>
EVMCORE_INLINE void absorb(uint64_t* state, const uint8_t* block) noexcept {
    for (unsigned i = 0; i < RATE_WORDS; ++i)
        state[i] ^= load_word(block + 8 * i);
    permute<FORM>(state);
}

// Absorbs the `rest` bytes of a message of `size` that a state has not seen yet, and writes the hash.
template <Form FORM>
EVMCORE_INLINE void finish(uint64_t* state, const uint8_t* data, size_t rest, size_t size, uint8_t* out) noexcept {
    const uint8_t* const end = data + rest;
    for (; rest >= RATE_BYTES; rest -= RATE_BYTES, data += RATE_BYTES)
        absorb<FORM>(state, data);
    const size_t words = rest / 8;
    for (size_t i = 0; i < words; ++i)
        state[i] ^= load_word(data + 8 * i);
    state[words] ^= last_word(end, size);
    state[RATE_WORDS - 1] ^= LAST_BIT;
    uint64_t result[4];
    permute_last<FORM>(state, result);
    for (unsigned i = 0; i < 4; ++i)
        store_word(out + 8 * i, result[i]);
}

#if defined(__x86_64__)

void finish_baseline(uint64_t* state, const uint8_t* data, size_t rest, size_t size, uint8_t* out) noexcept {
    finish<Form::COMPLEMENTED>(state, data, rest, size, out);
}

// BMI1 has and-not, BMI2 a rotate that leaves its source alone.
__attribute__((target("bmi,bmi2"))) void finish_bmi(uint64_t* state, const uint8_t* data, size_t rest, size_t size,
                                                    uint8_t* out) noexcept {
    finish<Form::PLAIN>(state, data, rest, size, out);
}

// One word of each of so many messages.
template <unsigned LANES>
struct Words {
    typedef uint64_t type __attribute__((vector_size(8 * LANES)));
};

// One message among several: its place in the vectors is its index.
struct Message {
    const uint8_t* data;
    size_t rest;  // bytes not absorbed yet
    size_t size;
    bool done;
};

template <unsigned LANES>
EVMCORE_INLINE void absorb_lane(Message& message, unsigned lane, uint64_t (*block)[LANES]) noexcept {
    size_t words = RATE_WORDS;
    if (message.rest < RATE_BYTES) {
        words = message.rest / 8;
        for (size_t i = words; i < RATE_WORDS; ++i)
            block[i][lane] = 0;
        block[words][lane] = last_word(message.data + message.rest, message.size);
        block[RATE_WORDS - 1][lane] |= LAST_BIT;
        message.done = true;
    }
    for (size_t i = 0; i < words; ++i)
        block[i][lane] = load_word(message.data + 8 * i);
    message.data += words * 8;
    message.rest -= words * 8;
}

// Goes on while at least two messages have blocks left; the longest alone is cheaper without vectors.
template <unsigned LANES, void (*PERMUTE)(typename Words<LANES>::type*) noexcept>
EVMCORE_INLINE void hash_several(const uint8_t* const* data, const size_t* sizes, Hash* const* out) noexcept {
    Message messages[LANES];
    for (unsigned lane = 0; lane < LANES; ++lane)
        messages[lane] = {data[lane], sizes[lane], sizes[lane], false};
    typename Words<LANES>::type state[25] = {};
    for (unsigned active = LANES; active > 1;) {
        alignas(64) uint64_t block[RATE_WORDS][LANES] = {};
        bool ends_here[LANES] = {};
        for (unsigned lane = 0; lane < LANES; ++lane) {
            if (!messages[lane].done) {
                absorb_lane<LANES>(messages[lane], lane, block);
                ends_here[lane] = messages[lane].done;
            }
        }
        for (unsigned i = 0; i < RATE_WORDS; ++i) {
            typename Words<LANES>::type words;
            std::memcpy(&words, block[i], sizeof(words));
            state[i] ^= words;
        }
        PERMUTE(state);
        for (unsigned lane = 0; lane < LANES; ++lane) {
            if (ends_here[lane]) {
                for (unsigned i = 0; i < 4; ++i)
                    store_word(out[lane]->bytes + 8 * i, state[i][lane]);
                --active;
            }
        }
    }
    for (unsigned lane = 0; lane < LANES; ++lane) {
        if (!messages[lane].done) {
            uint64_t alone[25];
            for (unsigned i = 0; i < 25; ++i)
                alone[i] = state[i][lane];
            finish_bmi(alone, messages[lane].data, messages[lane].rest, messages[lane].size, out[lane]->bytes);
        }
    }
}

EVMCORE_INLINE void permute_four(Words<4>::type* state) noexcept { permute<Form::PLAIN>(state); }

__attribute__((target("avx2,bmi,bmi2"))) void hash_four_avx2(const uint8_t* const data[4], const size_t sizes[4],
                                                             Hash* const out[4]) noexcept {
    hash_several<4, permute_four>(data, sizes, out);
}

// Eight at once, where the processor has a rotate and a logic of three operands over eight words (AVX-512F).
EVMCORE_INLINE void permute_eight(Words<8>::type* state) noexcept { permute<Form::PLAIN>(state); }

__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,bmi,bmi2"))) void hash_eight_avx512(const uint8_t* const data[8],
                                                                                              const size_t sizes[8],
                                                                                              Hash* const out[8]) noexcept {
    hash_several<8, permute_eight>(data, sizes, out);
}

#else

void finish_baseline(uint64_t* state, const uint8_t* data, size_t rest, size_t size, uint8_t* out) noexcept {
    finish<Form::PLAIN>(state, data, rest, size, out);
}

#endif

void hash_four_apart(const uint8_t* const data[4], const size_t sizes[4], Hash* const out[4]) noexcept {
    for (unsigned lane = 0; lane < 4; ++lane)
        keccak256(data[lane], sizes[lane], out[lane]);
}

void hash_eight_by_fours(const uint8_t* const data[8], const size_t sizes[8], Hash* const out[8]) noexcept {
    keccak256_x4(data, sizes, out);
    keccak256_x4(data + 4, sizes + 4, out + 4);
}

using Finish = void (*)(uint64_t*, const uint8_t*, size_t, size_t, uint8_t*) noexcept;
using HashSeveral = void (*)(const uint8_t* const*, const size_t*, Hash* const*) noexcept;

void choose_and_finish(uint64_t* state, const uint8_t* data, size_t rest, size_t size, uint8_t* out) noexcept;
void choose_and_hash_four(const uint8_t* const data[4], const size_t sizes[4], Hash* const out[4]) noexcept;
void choose_and_hash_eight(const uint8_t* const data[8], const size_t sizes[8], Hash* const out[8]) noexcept;

// published: the first call replaces the chooser. Relaxed, since any thread would choose the same and no data follows.
std::atomic<Finish> chosen_finish{choose_and_finish};
std::atomic<HashSeveral> chosen_hash_four{choose_and_hash_four};
std::atomic<HashSeveral> chosen_hash_eight{choose_and_hash_eight};

void choose() noexcept {
    Finish finish = finish_baseline;
    HashSeveral hash_four = hash_four_apart;
    HashSeveral hash_eight = hash_eight_by_fours;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2")) {
        finish = finish_bmi;
        if (__builtin_cpu_supports("avx2"))
            hash_four = hash_four_avx2;
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
            __builtin_cpu_supports("avx512bw"))
            hash_eight = hash_eight_avx512;
    }
#endif
    chosen_finish.store(finish, std::memory_order_relaxed);
    chosen_hash_four.store(hash_four, std::memory_order_relaxed);
    chosen_hash_eight.store(hash_eight, std::memory_order_relaxed);
}

void choose_and_finish(uint64_t* state, const uint8_t* data, size_t rest, size_t size, uint8_t* out) noexcept {
    choose();
    chosen_finish.load(std::memory_order_relaxed)(state, data, rest, size, out);
}

void choose_and_hash_four(const uint8_t* const data[4], const size_t sizes[4], Hash* const out[4]) noexcept {
    choose();
    chosen_hash_four.load(std::memory_order_relaxed)(data, sizes, out);
}

void choose_and_hash_eight(const uint8_t* const data[8], const size_t sizes[8], Hash* const out[8]) noexcept {
    choose();
    chosen_hash_eight.load(std::memory_order_relaxed)(data, sizes, out);
}

// Longer messages are absorbed where they can be stopped, a little slower.
constexpr size_t LONG_BYTES = size_t{1} << 24;
constexpr uint32_t BLOCK_WEIGHT = 256;  // about a quarter of a microsecond: the hook runs every quarter of a millisecond

constexpr size_t RATE_512_WORDS = 9;  // 576 bits: the block of Keccak-512

#if defined(__x86_64__)
constexpr Form PORTABLE_FORM = Form::COMPLEMENTED;
#else
constexpr Form PORTABLE_FORM = Form::PLAIN;
#endif

}  // namespace

void keccak512_short(const uint8_t* data, size_t size, uint8_t* out) noexcept {
    uint64_t state[25] = {};
    const size_t words = size / 8;
    for (size_t i = 0; i < words; ++i)
        state[i] = load_word(data + 8 * i);
    state[words] ^= last_word(data + size, size);
    state[RATE_512_WORDS - 1] ^= LAST_BIT;
    permute<PORTABLE_FORM>(state);
    for (size_t i = 0; i < KECCAK512_BYTES / 8; ++i)
        store_word(out + 8 * i, state[i]);
}

void keccak256(const uint8_t* data, size_t size, Hash* out) noexcept {
    uint64_t state[25] = {};
    chosen_finish.load(std::memory_order_relaxed)(state, data, size, size, out->bytes);
}

bool keccak256(const uint8_t* data, size_t size, Hash* out, Poll& poll) noexcept {
    uint64_t state[25] = {};
    size_t rest = size;
    if (size > LONG_BYTES) [[unlikely]]
        for (; rest >= RATE_BYTES; rest -= RATE_BYTES, data += RATE_BYTES) {
            if (poll.poll(BLOCK_WEIGHT))
                return false;
            absorb<PORTABLE_FORM>(state, data);
        }
    chosen_finish.load(std::memory_order_relaxed)(state, data, rest, size, out->bytes);
    return true;
}

void keccak256_x4(const uint8_t* const data[4], const size_t sizes[4], Hash* const out[4]) noexcept {
    chosen_hash_four.load(std::memory_order_relaxed)(data, sizes, out);
}

void keccak256_x8(const uint8_t* const data[8], const size_t sizes[8], Hash* const out[8]) noexcept {
    chosen_hash_eight.load(std::memory_order_relaxed)(data, sizes, out);
}

}  // namespace evmcore
