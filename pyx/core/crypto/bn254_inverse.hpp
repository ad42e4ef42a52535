// Inversion modulo BN254's prime by the binary Euclidean algorithm, 62 bits at a time.
// A batch decides its steps on two words of each number, the top one for comparing and the bottom one for parity, and gathers
// them in a 2x2 matrix that is then applied to the whole numbers. Variable time. Depends on the field and the constants.
#pragma once

#include "bn254_constants.hpp"

namespace evmcore::bn254 {

namespace inverse {

constexpr int BATCH = 62;
constexpr int LIMBS = 5;
constexpr uint64_t LIMB_MASK = (uint64_t{1} << BATCH) - 1;

// A signed number in limbs of 62 bits, so that dividing by 2^62 moves limbs; only the top one has a sign.
struct Signed {
    int64_t limb[LIMBS];
};

constexpr Signed split(const Fp& a) noexcept {
    const uint64_t* w = a.limb;
    return Signed{{static_cast<int64_t>(w[0] & LIMB_MASK), static_cast<int64_t>((w[0] >> 62 | w[1] << 2) & LIMB_MASK),
                   static_cast<int64_t>((w[1] >> 60 | w[2] << 4) & LIMB_MASK),
                   static_cast<int64_t>((w[2] >> 58 | w[3] << 6) & LIMB_MASK), static_cast<int64_t>(w[3] >> 56)}};
}

constexpr Fp join(const Signed& a) noexcept {
    const int64_t* v = a.limb;
    const auto w = [&](int i) { return static_cast<uint64_t>(v[i]); };
    return Fp{{w(0) | w(1) << 62, w(1) >> 2 | w(2) << 60, w(2) >> 4 | w(3) << 58, w(3) >> 6 | w(4) << 56}};
}

// a' = (a_a a + a_b b) / 2^62, b' = (b_a a + b_b b) / 2^62; the entries' absolute values sum to at most 2^62 in each row
struct Matrix {
    int64_t a_a, a_b, b_a, b_b;
};

// a, b = a - b, b or, where the mask is all ones, b - a, a
inline void subtract_smaller(uint64_t& a, uint64_t& b, uint64_t mask) noexcept {
    const uint64_t difference = a - b;
    b += difference & mask;
    a = (difference ^ mask) - mask;
}

// The steps of a batch, for odd b: while a is even halve it, else subtract the smaller from the larger.
// Halving a is written as doubling b's row. A wrong comparison, possible near a tie, costs a step and is mended by a sign.
inline Matrix steps(uint64_t a_top, uint64_t a_low, uint64_t b_top, uint64_t b_low) noexcept {
    uint64_t m_a_a = 1, m_a_b = 0, m_b_a = 0, m_b_b = 1;
    int left = BATCH;
    // the bit at `left` stops the count at the batch's end
    int zeros = __builtin_ctzll(a_low | uint64_t{1} << left);
    while (true) {
        a_low >>= zeros;
        a_top >>= zeros;
        m_b_a <<= zeros;
        m_b_b <<= zeros;
        left -= zeros;
        if (left == 0)
            return Matrix{static_cast<int64_t>(m_a_a), static_cast<int64_t>(m_a_b), static_cast<int64_t>(m_b_a),
                          static_cast<int64_t>(m_b_b)};
        // a - b and b - a end in the same zeros, so counting needn't wait for the comparison
        zeros = __builtin_ctzll((a_low - b_low) | uint64_t{1} << left);
        // By a mask, since no processor can guess which of the two is smaller.
        const uint64_t mask = 0 - static_cast<uint64_t>(a_top < b_top);
        subtract_smaller(a_low, b_low, mask);
        subtract_smaller(a_top, b_top, mask);
        subtract_smaller(m_a_a, m_b_a, mask);
        subtract_smaller(m_a_b, m_b_b, mask);
    }
}

inline uint64_t low_word(const Signed& a) noexcept {
    return static_cast<uint64_t>(a.limb[0]) | static_cast<uint64_t>(a.limb[1]) << BATCH;
}

// The top 64 bits of a number of `length` limbs with `bits_in_top` (1 to 62) bits in the last; zeros below its end.
inline uint64_t window(const Signed& a, int length, int bits_in_top) noexcept {
    const unsigned __int128 two = static_cast<unsigned __int128>(static_cast<uint64_t>(a.limb[length - 1])) << BATCH |
                                  static_cast<uint64_t>(length > 1 ? a.limb[length - 2] : 0);
    const int shift = bits_in_top - 2;
    if (shift >= 0)
        return static_cast<uint64_t>(two >> shift);
    const uint64_t third = static_cast<uint64_t>(length > 2 ? a.limb[length - 3] : 0);
    return static_cast<uint64_t>(two << -shift) | third >> (BATCH + shift);
}

inline void negate(Signed& a, int length) noexcept {
    int64_t borrow = 0;
    for (int i = 0; i < length; ++i) {
        const int64_t t = borrow - a.limb[i];
        a.limb[i] = i == length - 1 ? t : static_cast<int64_t>(static_cast<uint64_t>(t) & LIMB_MASK);
        borrow = t >> BATCH;
    }
}

// a, b = the matrix applied, divided by 2^62, exactly
inline void apply(Signed& a, Signed& b, const Matrix& m, int length) noexcept {
    __int128 sum_a = static_cast<__int128>(m.a_a) * a.limb[0] + static_cast<__int128>(m.a_b) * b.limb[0];
    __int128 sum_b = static_cast<__int128>(m.b_a) * a.limb[0] + static_cast<__int128>(m.b_b) * b.limb[0];
    sum_a >>= BATCH;
    sum_b >>= BATCH;
    for (int i = 1; i < length; ++i) {
        const int64_t x = a.limb[i], y = b.limb[i];
        sum_a += static_cast<__int128>(m.a_a) * x + static_cast<__int128>(m.a_b) * y;
        sum_b += static_cast<__int128>(m.b_a) * x + static_cast<__int128>(m.b_b) * y;
        a.limb[i - 1] = static_cast<int64_t>(static_cast<uint64_t>(sum_a) & LIMB_MASK);
        b.limb[i - 1] = static_cast<int64_t>(static_cast<uint64_t>(sum_b) & LIMB_MASK);
        sum_a >>= BATCH;
        sum_b >>= BATCH;
    }
    a.limb[length - 1] = static_cast<int64_t>(sum_a);
    b.limb[length - 1] = static_cast<int64_t>(sum_b);
}

constexpr Signed MODULUS_LIMBS = split(MODULUS);
constexpr uint64_t NEGATIVE_INVERSE = MODULUS_INVERSE & LIMB_MASK;

// r = (f u + g v + m p) / 2^62 with the m that makes the division exact. The size grows by at most p a batch, for which
// five limbs have room.
inline void combine(Signed& r, const Signed& u, const Signed& v, int64_t f, int64_t g) noexcept {
    __int128 sum = static_cast<__int128>(f) * u.limb[0] + static_cast<__int128>(g) * v.limb[0];
    const int64_t m = static_cast<int64_t>((static_cast<uint64_t>(sum) * NEGATIVE_INVERSE) & LIMB_MASK);
    sum += static_cast<__int128>(m) * MODULUS_LIMBS.limb[0];
    sum >>= BATCH;
    for (int i = 1; i < LIMBS; ++i) {
        sum += static_cast<__int128>(f) * u.limb[i] + static_cast<__int128>(g) * v.limb[i];
        sum += static_cast<__int128>(m) * MODULUS_LIMBS.limb[i];
        r.limb[i - 1] = static_cast<int64_t>(static_cast<uint64_t>(sum) & LIMB_MASK);
        sum >>= BATCH;
    }
    r.limb[LIMBS - 1] = static_cast<int64_t>(sum);
}

// What 1 / x is multiplied with: Montgomery's 2^512, and the 2^62 of the last reduction.
constexpr Signed SCALE = split(derive::power_of_two(512 + BATCH));

// A number of 254 bits is done in nine or ten batches; past this many, something the estimates don't foresee happened.
constexpr int MAX_BATCHES = 24;

}  // namespace inverse

// r = 1 / a in Montgomery form; 0 for 0
inline void invert(Fp& r, const Fp& x) noexcept {
    using namespace inverse;
    // C being SCALE: u x = C a and v x = C b modulo p, throughout
    Signed a = split(x), b = MODULUS_LIMBS, u = SCALE, v{};
    int length = LIMBS;
    for (int batch = 0;; ++batch) {
        while (length > 1 && (a.limb[length - 1] | b.limb[length - 1]) == 0)
            --length;
        int64_t any = 0;
        for (int i = 0; i < length; ++i)
            any |= a.limb[i];
        if (any == 0)
            break;
        if (batch == MAX_BATCHES) {
            r = derive::power(x, INVERSE_EXPONENT, ONE);
            return;
        }
        const int bits = 64 - __builtin_clzll(static_cast<uint64_t>(a.limb[length - 1] | b.limb[length - 1]));
        Matrix m = steps(window(a, length, bits), low_word(a), window(b, length, bits), low_word(b));
        apply(a, b, m, length);
        if (a.limb[length - 1] < 0) {
            negate(a, length);
            m.a_a = -m.a_a;
            m.a_b = -m.a_b;
        }
        if (b.limb[length - 1] < 0) {
            negate(b, length);
            m.b_a = -m.b_a;
            m.b_b = -m.b_b;
        }
        const Signed before = u;
        combine(u, u, v, m.a_a, m.a_b);
        combine(v, before, v, m.b_a, m.b_b);
    }
    // b is the greatest common divisor, one. The last reduction leaves v in (-p, 2p).
    combine(v, v, Signed{}, 1, 0);
    int64_t carry = 0;
    const int64_t negative = v.limb[LIMBS - 1] >> 63;
    for (int i = 0; i < LIMBS; ++i) {
        carry += v.limb[i] + (MODULUS_LIMBS.limb[i] & negative);
        v.limb[i] = i == LIMBS - 1 ? carry : static_cast<int64_t>(static_cast<uint64_t>(carry) & LIMB_MASK);
        carry >>= BATCH;
    }
    r = join(v);
    Portable::subtract_once(r, MODULUS);
}

}  // namespace evmcore::bn254
