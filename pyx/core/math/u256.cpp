// Division, modular arithmetic and powers of 256-bit words.
// Depends on math/u256.hpp. Division multiplies by a reciprocal of the divisor's top limbs (N. Möller and T. Granlund,
// "Improved division by invariant integers", 2011) inside Knuth's algorithm D, with its own path for each limb count.

#include "u256.hpp"

namespace evmcore {
namespace {

struct Two {
    uint64_t low, high;
};

EVMCORE_INLINE Two split(uint128 x) noexcept { return {static_cast<uint64_t>(x), static_cast<uint64_t>(x >> 64)}; }
EVMCORE_INLINE uint128 join(uint64_t high, uint64_t low) noexcept { return static_cast<uint128>(high) << 64 | low; }
EVMCORE_INLINE uint128 wide(uint64_t a, uint64_t b) noexcept { return static_cast<uint128>(a) * b; }

// First approximations of 2^19 / d for the nine top bits d of a divisor: (2^19 - 3 * 2^8) / d.
struct ReciprocalTable {
    uint16_t entry[256];
    constexpr ReciprocalTable() noexcept : entry{} {
        for (unsigned i = 0; i < 256; ++i)
            entry[i] = static_cast<uint16_t>(0x7fd00 / (0x100 + i));
    }
};
constexpr ReciprocalTable reciprocal_table;

// floor((2^128 - 1) / d) - 2^64 for d with its top bit set (Möller and Granlund, algorithm 2).
EVMCORE_INLINE uint64_t reciprocal(uint64_t d) noexcept {
    const uint64_t v0 = reciprocal_table.entry[(d >> 55) - 256];
    const uint64_t d40 = (d >> 24) + 1;
    const uint64_t v1 = (v0 << 11) - (v0 * v0 * d40 >> 40) - 1;
    const uint64_t v2 = (v1 << 13) + (v1 * ((uint64_t{1} << 60) - v1 * d40) >> 47);
    const uint64_t d63 = (d >> 1) + (d & 1);
    const uint64_t e = ((v2 >> 1) & (0 - (d & 1))) - v2 * d63;
    const uint64_t v3 = (v2 << 31) + (split(wide(v2, e)).high >> 1);
    return v3 - split(wide(v3, d) + d).high - d;
}

// floor((2^192 - 1) / (d1 * 2^64 + d0)) - 2^64 for d1 with its top bit set (algorithm 6).
EVMCORE_INLINE uint64_t reciprocal(uint64_t d1, uint64_t d0) noexcept {
    uint64_t v = reciprocal(d1);
    uint64_t p = d1 * v + d0;
    if (p < d0) {
        --v;
        if (p >= d1) {
            --v;
            p -= d1;
        }
        p -= d1;
    }
    const Two t = split(wide(v, d0));
    p += t.high;
    if (p < t.high) {
        --v;
        if (p > d1 || (p == d1 && t.low >= d0))
            --v;
    }
    return v;
}

// Divides u1:u0 by d, u1 < d, d with its top bit set and v its reciprocal (algorithm 4).
EVMCORE_INLINE uint64_t divide_2_by_1(uint64_t u1, uint64_t u0, uint64_t d, uint64_t v, uint64_t* remainder) noexcept {
    const Two q = split(wide(v, u1) + join(u1, u0));
    uint64_t quotient = q.high + 1;
    uint64_t r = u0 - quotient * d;
    const bool too_high = r > q.low;
    quotient -= too_high;
    r += too_high ? d : 0;
    if (EVMCORE_UNLIKELY(r >= d)) {
        ++quotient;
        r -= d;
    }
    *remainder = r;
    return quotient;
}

// Divides u2:u1:u0 by d1:d0, u2:u1 < d1:d0, d1 with its top bit set and v their reciprocal (algorithm 5).
EVMCORE_INLINE uint64_t divide_3_by_2(uint64_t u2, uint64_t u1, uint64_t u0, uint64_t d1, uint64_t d0, uint64_t v,
                                      uint128* remainder) noexcept {
    const Two q = split(wide(v, u2) + join(u2, u1));
    uint64_t quotient = q.high;
    const uint128 d = join(d1, d0);
    uint128 r = join(u1 - quotient * d1, u0) - wide(d0, quotient) - d;
    ++quotient;
    const bool too_high = split(r).high >= q.low;
    quotient -= too_high;
    r += too_high ? d : 0;
    if (EVMCORE_UNLIKELY(r >= d)) {
        ++quotient;
        r -= d;
    }
    *remainder = r;
    return quotient;
}

// Shifts `count` limbs up by `bits` < 64 and returns what falls out at the top.
EVMCORE_INLINE uint64_t normalize(const uint64_t* from, uint64_t* to, unsigned count, unsigned bits) noexcept {
    uint64_t below = 0;
    for (unsigned i = 0; i < count; ++i) {
        const uint64_t limb = from[i];
        to[i] = limb << bits | below >> 1 >> (63 - bits);
        below = limb;
    }
    return below >> 1 >> (63 - bits);
}

// u[0..count] / d[0..N), N = 3 or 4, d normalized: quotient limbs q[0 .. count - N], the remainder is left in u[0..N).
template <unsigned N>
EVMCORE_INLINE void divide_long(uint64_t* u, unsigned count, const uint64_t* d, uint64_t* q) noexcept {
    const uint64_t d1 = d[N - 1], d0 = d[N - 2];
    const uint64_t v = reciprocal(d1, d0);
    for (unsigned j = count - N + 1; j-- > 0;) {
        const uint64_t u2 = u[j + N], u1 = u[j + N - 1], u0 = u[j + N - 2];
        uint64_t digit, carry = 0;
        if (EVMCORE_UNLIKELY(u2 == d1 && u1 == d0)) {
            digit = ~uint64_t{0};  // here the largest digit is exact
            unsigned char borrow = 0;
            for (unsigned i = 0; i < N; ++i) {
                const uint64_t low = multiply_add(d[i], digit, carry, 0, &carry);
                u[i + j] = sub_borrow_limb(u[i + j], low, &borrow);
            }
            u[j + N] = u2 - carry - borrow;
        } else {
            uint128 r;
            digit = divide_3_by_2(u2, u1, u0, d1, d0, v, &r);
            unsigned char borrow = 0;
            for (unsigned i = 0; i < N - 2; ++i) {
                const uint64_t low = multiply_add(d[i], digit, carry, 0, &carry);
                u[i + j] = sub_borrow_limb(u[i + j], low, &borrow);
            }
            u[j + N - 2] = sub_borrow_limb(split(r).low, carry, &borrow);
            u[j + N - 1] = sub_borrow_limb(split(r).high, 0, &borrow);
            u[j + N] = 0;
            if (EVMCORE_UNLIKELY(borrow != 0)) {
                --digit;
                unsigned char add = 0;
                for (unsigned i = 0; i < N; ++i)
                    u[i + j] = add_carry(u[i + j], d[i], &add);
            }
        }
        q[j] = digit;
    }
}

EVMCORE_INLINE unsigned limb_count(const uint64_t* limbs, unsigned most) noexcept {
    while (most > 0 && limbs[most - 1] == 0)
        --most;
    return most;
}

// Divides `count` limbs of n (count <= 8) by d, which is not zero. q has room for `count` limbs, all written.
EVMCORE_INLINE void divide_limbs(const uint64_t* n, unsigned count, const uint64_t* d, uint64_t* q, u256* remainder) noexcept {
    const unsigned divisor_limbs = limb_count(d, 4);
    for (unsigned i = 0; i < count; ++i)
        q[i] = 0;
    count = limb_count(n, count);
    if (count < divisor_limbs) {
        *remainder = u256{n[0], n[1], n[2], n[3]};
        return;
    }
    const unsigned bits = static_cast<unsigned>(__builtin_clzll(d[divisor_limbs - 1]));
    uint64_t u[9], nd[4];
    u[count] = normalize(n, u, count, bits);
    normalize(d, nd, divisor_limbs, bits);
    switch (divisor_limbs) {
    case 1: {
        const uint64_t v = reciprocal(nd[0]);
        uint64_t r = u[count];
        for (unsigned j = count; j-- > 0;)
            q[j] = divide_2_by_1(r, u[j], nd[0], v, &r);
        *remainder = u256{r >> bits};
        return;
    }
    case 2: {
        const uint64_t v = reciprocal(nd[1], nd[0]);
        uint128 r = join(u[count], u[count - 1]);
        for (unsigned j = count - 1; j-- > 0;)
            q[j] = divide_3_by_2(split(r).high, split(r).low, u[j], nd[1], nd[0], v, &r);
        r >>= bits;
        *remainder = u256{split(r).low, split(r).high, 0, 0};
        return;
    }
    case 3:
        divide_long<3>(u, count, nd, q);
        *remainder = shift_right(u256{u[0], u[1], u[2], 0}, bits);
        return;
    default:
        divide_long<4>(u, count, nd, q);
        *remainder = shift_right(u256{u[0], u[1], u[2], u[3]}, bits);
        return;
    }
}

}  // namespace

void divide(const u256* numerator, const u256* divisor, u256* quotient, u256* remainder) noexcept {
    const u256 n = load(numerator), d = load(divisor);
    u256 q, r;
    if (!d.is_zero())
        divide_limbs(n.limb, 4, d.limb, q.limb, &r);
    if (quotient != nullptr)
        copy(quotient, &q);
    if (remainder != nullptr)
        copy(remainder, &r);
}

void divide_signed(const u256* numerator, const u256* divisor, u256* quotient, u256* remainder) noexcept {
    u256 n = load(numerator), d = load(divisor);
    const bool n_negative = is_negative(n), d_negative = is_negative(d);
    if (n_negative)
        n = -n;
    if (d_negative)
        d = -d;
    divide(&n, &d, quotient, remainder);
    if (quotient != nullptr && n_negative != d_negative)
        store(quotient, -*quotient);
    if (remainder != nullptr && n_negative)
        store(remainder, -*remainder);
}

void add_modulo(const u256* a, const u256* b, const u256* modulus, u256* result) noexcept {
    const u256 m = load(modulus);
    u256 sum, r;
    if (!m.is_zero()) {
        const uint64_t carry = add_overflow(load(a), load(b), &sum);
        const uint64_t n[5] = {sum.limb[0], sum.limb[1], sum.limb[2], sum.limb[3], carry};
        uint64_t q[5];
        divide_limbs(n, 5, m.limb, q, &r);
    }
    copy(result, &r);
}

void multiply_modulo(const u256* a, const u256* b, const u256* modulus, u256* result) noexcept {
    const u256 m = load(modulus);
    u256 r;
    if (!m.is_zero()) {
        const u512 product = mul_full(load(a), load(b));
        uint64_t q[8];
        divide_limbs(product.limb, 8, m.limb, q, &r);
    }
    copy(result, &r);
}

void power(const u256* base, const u256* exponent, u256* result) noexcept {
    const u256 x = load(base), e = load(exponent);
    u256 answer{1};
    for (unsigned i = bit_length(e); i-- > 0;) {
        answer = square(answer);
        if (e.limb[i / 64] >> (i % 64) & 1)
            answer = answer * x;
    }
    copy(result, &answer);
}

}  // namespace evmcore
