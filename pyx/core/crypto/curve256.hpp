// Curves of prime order over 256-bit prime fields: numbers in Montgomery form, Jacobian points, and u*G + v*P.
// A curve is a struct of constants (secp256k1.cpp, p256.cpp). Public data only: nothing here runs in constant time.
// Depends on base and limbs.hpp; header-only so that each curve's constants are folded in. Safe from any thread.
#pragma once

#include "../base/types.hpp"
#include "limbs.hpp"

namespace evmcore::curve256 {

using uint128 = unsigned __int128;

constexpr bool is_less(const u256& a, const u256& b) noexcept {
    for (int i = 3; i >= 0; --i)
        if (a.limb[i] != b.limb[i])
            return a.limb[i] < b.limb[i];
    return false;
}

// a - b; returns the borrow.
constexpr uint64_t subtract(u256& out, const u256& a, const u256& b) noexcept {
    uint64_t borrow = 0;
    for (int i = 0; i < 4; ++i) {
        const uint128 difference = static_cast<uint128>(a.limb[i]) - b.limb[i] - borrow;
        out.limb[i] = static_cast<uint64_t>(difference);
        borrow = static_cast<uint64_t>(difference >> 64) & 1;
    }
    return borrow;
}

constexpr uint64_t add(u256& out, const u256& a, const u256& b) noexcept {
    uint64_t carry = 0;
    for (int i = 0; i < 4; ++i) {
        const uint128 sum = static_cast<uint128>(a.limb[i]) + b.limb[i] + carry;
        out.limb[i] = static_cast<uint64_t>(sum);
        carry = static_cast<uint64_t>(sum >> 64);
    }
    return carry;
}

inline u256 load_big_endian(const uint8_t bytes[32]) noexcept {
    u256 out;
    for (int i = 0; i < 4; ++i) {
        uint64_t limb = 0;
        for (int j = 0; j < 8; ++j)
            limb = limb << 8 | bytes[8 * (3 - i) + j];
        out.limb[i] = limb;
    }
    return out;
}

inline void store_big_endian(uint8_t bytes[32], const u256& a) noexcept {
    for (int i = 0; i < 32; ++i)
        bytes[31 - i] = static_cast<uint8_t>(a.limb[i / 8] >> (8 * (i % 8)));
}

#define EVMCORE_LIMBS(NAME, X) \
    [NAME##0] "m"(X.limb[0]), [NAME##1] "m"(X.limb[1]), [NAME##2] "m"(X.limb[2]), [NAME##3] "m"(X.limb[3])

// A number modulo the prime `Prime::value` (above 2^255, odd), held as number * 2^256 mod prime.
template <class Prime>
struct Residue {
    u256 word;

    static constexpr u256 modulus = Prime::value;

    // -1 / modulus mod 2^64, by Newton's iteration: each step doubles the correct bits.
    static constexpr uint64_t negative_inverse() noexcept {
        uint64_t inverse = 1;
        for (int i = 0; i < 6; ++i)
            inverse *= 2 - modulus.limb[0] * inverse;
        return 0 - inverse;
    }

    // 2^512 mod modulus, by doubling 2^256 - modulus (already below the modulus) 256 times.
    static constexpr u256 two_to_512() noexcept {
        u256 x{};
        subtract(x, u256{}, modulus);
        for (int i = 0; i < 256; ++i) {
            const uint64_t carry = curve256::add(x, x, x);
            if (carry != 0 || !is_less(x, modulus))
                subtract(x, x, modulus);
        }
        return x;
    }

    static constexpr u256 one_word() noexcept {
        u256 x{};
        subtract(x, u256{}, modulus);
        return x;
    }

    static constexpr Residue zero() noexcept { return {u256{}}; }
    static constexpr Residue one() noexcept { return {one_word()}; }
    static Residue from(const u256& number) noexcept {  // number < modulus
        static constexpr u256 square = two_to_512();
        return Residue{number} * Residue{square};
    }
    u256 to_number() const noexcept { return (*this * Residue{u256{1}}).word; }

    bool is_zero() const noexcept { return word.is_zero(); }
    bool operator==(const Residue& other) const noexcept { return word == other.word; }

    friend EVMCORE_INLINE Residue operator*(const Residue& x, const Residue& y) noexcept {
        constexpr uint64_t inverse = negative_inverse();
        constexpr bool is_p256 = modulus.limb[0] == ~uint64_t{0} && modulus.limb[1] == 0xffffffff && modulus.limb[2] == 0;
        const uint64_t *a = x.word.limb, *b = y.word.limb;
#if defined(__x86_64__)
        if (limbs::has_two_carry_chains) {
            Residue product;
            limbs::montgomery_multiply_4(product.word.limb, a, b, modulus.limb, inverse);
            return product;
        }
#endif
        uint64_t t[5] = {0, 0, 0, 0, 0};
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            uint64_t carry = 0;
#pragma GCC unroll 4
            for (int j = 0; j < 4; ++j) {
                const uint128 sum = static_cast<uint128>(a[j]) * b[i] + t[j] + carry;
                t[j] = static_cast<uint64_t>(sum);
                carry = static_cast<uint64_t>(sum >> 64);
            }
            const uint128 top = static_cast<uint128>(t[4]) + carry;
            uint128 sum;
            if constexpr (is_p256) {
                // modulus = 2^96 - 1 + 2^192 * limb[3], so t[0] * modulus clears t[0] with one multiplication.
                const uint64_t m = t[0];
                sum = static_cast<uint128>(t[1]) + (m << 32);
                t[0] = static_cast<uint64_t>(sum);
                sum = static_cast<uint128>(t[2]) + (m >> 32) + static_cast<uint64_t>(sum >> 64);
                t[1] = static_cast<uint64_t>(sum);
                sum = static_cast<uint128>(m) * modulus.limb[3] + t[3] + static_cast<uint64_t>(sum >> 64);
                t[2] = static_cast<uint64_t>(sum);
            } else {
                const uint64_t m = t[0] * inverse;
                sum = static_cast<uint128>(m) * modulus.limb[0] + t[0];
#pragma GCC unroll 3
                for (int j = 1; j < 4; ++j) {
                    sum = static_cast<uint128>(m) * modulus.limb[j] + t[j] + static_cast<uint64_t>(sum >> 64);
                    t[j - 1] = static_cast<uint64_t>(sum);
                }
            }
            sum = top + static_cast<uint64_t>(sum >> 64);
            t[3] = static_cast<uint64_t>(sum);
            t[4] = static_cast<uint64_t>(sum >> 64);
        }
        return {reduce_once(u256{t[0], t[1], t[2], t[3]}, t[4])};
    }

    friend EVMCORE_INLINE Residue operator+(const Residue& x, const Residue& y) noexcept {
#if defined(__x86_64__)
        uint64_t t0 = x.word.limb[0], t1 = x.word.limb[1], t2 = x.word.limb[2], t3 = x.word.limb[3], u0, u1, u2, u3, carry;
        __asm__(
            "addq %[y0], %[t0]\n\t adcq %[y1], %[t1]\n\t adcq %[y2], %[t2]\n\t adcq %[y3], %[t3]\n\t"
            "movl $0, %k[carry]\n\t adcq $0, %[carry]\n\t"
            "movq %[t0], %[u0]\n\t movq %[t1], %[u1]\n\t movq %[t2], %[u2]\n\t movq %[t3], %[u3]\n\t"
            "subq %[p0], %[u0]\n\t sbbq %[p1], %[u1]\n\t sbbq %[p2], %[u2]\n\t sbbq %[p3], %[u3]\n\t sbbq $0, %[carry]\n\t"
            "cmovcq %[t0], %[u0]\n\t cmovcq %[t1], %[u1]\n\t cmovcq %[t2], %[u2]\n\t cmovcq %[t3], %[u3]"
            : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [u0] "=&r"(u0), [u1] "=&r"(u1), [u2] "=&r"(u2),
              [u3] "=&r"(u3), [carry] "=&r"(carry)
            : EVMCORE_LIMBS(y, y.word), EVMCORE_LIMBS(p, modulus)
            : "cc");
        return {u256{u0, u1, u2, u3}};
#else
        u256 sum;
        const uint64_t carry = curve256::add(sum, x.word, y.word);
        return {reduce_once(sum, carry)};
#endif
    }

    friend EVMCORE_INLINE Residue operator-(const Residue& x, const Residue& y) noexcept {
#if defined(__x86_64__)
        uint64_t t0 = x.word.limb[0], t1 = x.word.limb[1], t2 = x.word.limb[2], t3 = x.word.limb[3], u0, u1, u2, u3;
        __asm__(
            "subq %[y0], %[t0]\n\t sbbq %[y1], %[t1]\n\t sbbq %[y2], %[t2]\n\t sbbq %[y3], %[t3]\n\t"
            "sbbq %[u0], %[u0]\n\t movq %[u0], %[u1]\n\t movq %[u0], %[u2]\n\t movq %[u0], %[u3]\n\t"
            "andq %[p0], %[u0]\n\t andq %[p1], %[u1]\n\t andq %[p2], %[u2]\n\t andq %[p3], %[u3]\n\t"
            "addq %[u0], %[t0]\n\t adcq %[u1], %[t1]\n\t adcq %[u2], %[t2]\n\t adcq %[u3], %[t3]"
            : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [u0] "=&r"(u0), [u1] "=&r"(u1), [u2] "=&r"(u2),
              [u3] "=&r"(u3)
            : EVMCORE_LIMBS(y, y.word), EVMCORE_LIMBS(p, modulus)
            : "cc");
        return {u256{t0, t1, t2, t3}};
#else
        u256 difference, wrapped;
        const uint64_t mask = 0 - subtract(difference, x.word, y.word);
        curve256::add(wrapped, difference,
                      u256{modulus.limb[0] & mask, modulus.limb[1] & mask, modulus.limb[2] & mask, modulus.limb[3] & mask});
        return {wrapped};
#endif
    }

    Residue negated() const noexcept { return zero() - *this; }

    Residue power(const u256& exponent) const noexcept {
        Residue table[16] = {one(), *this};
        for (int i = 2; i < 16; ++i)
            table[i] = table[i - 1] * *this;
        Residue result = one();
        for (int nibble = 63; nibble >= 0; --nibble) {
            for (int i = 0; i < 4; ++i)
                result = result * result;
            const unsigned digit = exponent.limb[nibble / 16] >> (4 * (nibble % 16)) & 15;
            if (digit != 0)
                result = result * table[digit];
        }
        return result;
    }

    // Zero has no inverse and gives zero.
    Residue inverted() const noexcept {
        u256 exponent;
        subtract(exponent, modulus, u256{2});
        return power(exponent);
    }

private:
    // carry * 2^256 + x, below twice the modulus, brought below the modulus without a branch.
    static EVMCORE_INLINE u256 reduce_once(const u256& x, uint64_t carry) noexcept {
        u256 reduced;
        const uint64_t keep = 0 - static_cast<uint64_t>(subtract(reduced, x, modulus) > carry);
        u256 out;
        for (int i = 0; i < 4; ++i)
            out.limb[i] = (x.limb[i] & keep) | (reduced.limb[i] & ~keep);
        return out;
    }
};

#undef EVMCORE_LIMBS

// y^2 = x^3 + Curve::a * x + Curve::b. Jacobian: (x / z^2, y / z^3); z = 0 is infinity.
template <class Curve>
struct Point {
    using F = Residue<typename Curve::Field>;
    F x, y, z;

    static Point infinity() noexcept { return {F::zero(), F::one(), F::zero()}; }
    bool is_infinite() const noexcept { return z.is_zero(); }
    Point negated() const noexcept { return {x, y.negated(), z}; }
};

template <class Curve>
struct AffinePoint {
    Residue<typename Curve::Field> x, y;
};

// The curves here have prime order, so no point has y = 0 and doubling needs no special case but infinity.
template <class Curve>
Point<Curve> twice(const Point<Curve>& p) noexcept {
    using F = typename Point<Curve>::F;
    if constexpr (Curve::a_is_minus_3) {  // dbl-2001-b
        const F delta = p.z * p.z, gamma = p.y * p.y, beta = p.x * gamma;
        const F half_alpha = (p.x - delta) * (p.x + delta);
        const F alpha = half_alpha + half_alpha + half_alpha;
        const F beta2 = beta + beta, beta4 = beta2 + beta2, gamma2 = gamma + gamma;
        const F square = gamma2 * gamma2;
        const F x = alpha * alpha - (beta4 + beta4);
        const F yz = p.y + p.z;
        return {x, alpha * (beta4 - x) - (square + square), yz * yz - gamma - delta};
    } else {  // a = 0: dbl-2009-l
        const F a = p.x * p.x, b = p.y * p.y, c = b * b;
        const F xb = p.x + b, half_d = xb * xb - a - c, d = half_d + half_d;
        const F e = a + a + a, x = e * e - (d + d);
        const F c2 = c + c, c4 = c2 + c2, yz = p.y * p.z;
        return {x, e * (d - x) - (c4 + c4), yz + yz};
    }
}

// p + q, all cases. add-2007-bl without its doubling trick.
template <class Curve>
Point<Curve> sum(const Point<Curve>& p, const Point<Curve>& q) noexcept {
    using F = typename Point<Curve>::F;
    if (p.is_infinite())
        return q;
    if (q.is_infinite())
        return p;
    const F zz1 = p.z * p.z, zz2 = q.z * q.z;
    const F u1 = p.x * zz2, u2 = q.x * zz1;
    const F s1 = p.y * q.z * zz2, s2 = q.y * p.z * zz1;
    const F h = u2 - u1, r = s2 - s1;
    if (h.is_zero()) [[unlikely]]
        return r.is_zero() ? twice(p) : Point<Curve>::infinity();
    const F hh = h * h, hhh = h * hh, v = u1 * hh;
    const F x = r * r - hhh - (v + v);
    return {x, r * (v - x) - s1 * hhh, p.z * q.z * h};
}

template <class Curve>
Point<Curve> sum(const Point<Curve>& p, const AffinePoint<Curve>& q) noexcept {
    using F = typename Point<Curve>::F;
    if (p.is_infinite())
        return {q.x, q.y, F::one()};
    const F zz = p.z * p.z;
    const F h = q.x * zz - p.x, r = q.y * p.z * zz - p.y;
    if (h.is_zero()) [[unlikely]]
        return r.is_zero() ? twice(p) : Point<Curve>::infinity();
    const F hh = h * h, hhh = h * hh, v = p.x * hh;
    const F x = r * r - hhh - (v + v);
    return {x, r * (v - x) - p.y * hhh, p.z * h};
}

// Odd signed digits, WIDTH - 1 zeros between two of them at least: scalar = sum of digit[i] * 2^i.
template <int WIDTH>
int signed_digits(int8_t digit[257], u256 scalar) noexcept {
    int size = 0;
    std::memset(digit, 0, 257);
    uint64_t carry_out = 0;
    for (int i = 0; !scalar.is_zero() || carry_out != 0; ++i) {
        if ((scalar.limb[0] & 1) != 0) {
            int d = static_cast<int>(scalar.limb[0] & ((1u << WIDTH) - 1));
            if (d >= 1 << (WIDTH - 1)) {
                d -= 1 << WIDTH;
                carry_out += add(scalar, scalar, u256{static_cast<uint64_t>(-d)});
            } else {
                subtract(scalar, scalar, u256{static_cast<uint64_t>(d)});
            }
            digit[i] = static_cast<int8_t>(d);
            size = i + 1;
        }
        for (int j = 0; j < 3; ++j)
            scalar.limb[j] = scalar.limb[j] >> 1 | scalar.limb[j + 1] << 63;
        scalar.limb[3] = scalar.limb[3] >> 1 | carry_out << 63;
        carry_out = 0;
    }
    return size;
}

constexpr int GENERATOR_WIDTH = 8;  // 64 odd multiples of G: 4 KiB, stays in the first cache level
constexpr int POINT_WIDTH = 5;      // 8 odd multiples of the point that each call brings

template <class Curve>
struct GeneratorTable {
    AffinePoint<Curve> odd_multiple[1 << (GENERATOR_WIDTH - 2)];

    GeneratorTable() noexcept {
        using F = typename Point<Curve>::F;
        constexpr int COUNT = 1 << (GENERATOR_WIDTH - 2);
        const Point<Curve> generator{F::from(Curve::generator_x), F::from(Curve::generator_y), F::one()};
        const Point<Curve> step = twice(generator);
        Point<Curve> multiple = generator;
        for (int i = 0; i < COUNT; ++i) {
            const F inverse = multiple.z.inverted(), square = inverse * inverse;
            odd_multiple[i] = {multiple.x * square, multiple.y * square * inverse};
            multiple = sum(multiple, step);
        }
    }
};

// u * G + v * p, by interleaved signed digits (Strauss).
template <class Curve>
Point<Curve> combine(const u256& u, const u256& v, const Point<Curve>& p) noexcept {
    static const GeneratorTable<Curve> generator;  // built at the first use, then frozen
    Point<Curve> multiple[1 << (POINT_WIDTH - 2)];
    const Point<Curve> step = twice(p);
    multiple[0] = p;
    for (int i = 1; i < 1 << (POINT_WIDTH - 2); ++i)
        multiple[i] = sum(multiple[i - 1], step);

    int8_t digit_u[257], digit_v[257];
    const int size_u = signed_digits<GENERATOR_WIDTH>(digit_u, u), size_v = signed_digits<POINT_WIDTH>(digit_v, v);
    Point<Curve> result = Point<Curve>::infinity();
    for (int i = (size_u > size_v ? size_u : size_v) - 1; i >= 0; --i) {
        if (!result.is_infinite())
            result = twice(result);
        if (const int d = digit_v[i]; d != 0)
            result = d > 0 ? sum(result, multiple[d / 2]) : sum(result, multiple[-d / 2].negated());
        if (const int d = digit_u[i]; d != 0) {
            AffinePoint<Curve> q = generator.odd_multiple[(d > 0 ? d : -d) / 2];
            if (d < 0)
                q.y = q.y.negated();
            result = sum(result, q);
        }
    }
    return result;
}

}  // namespace evmcore::curve256
