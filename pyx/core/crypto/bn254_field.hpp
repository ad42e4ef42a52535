// BN254's base field in portable C++: the number type, modular addition, Montgomery multiplication and sums of products.
// Depends on base. Everything is constexpr, so that the curve's other constants can be computed while compiling.
// A value is canonical (below the modulus) and in Montgomery form, unless a comment says "lazy" or "plain".
#pragma once

#include <cstdint>

#include "../base/types.hpp"

namespace evmcore::bn254 {

// An element of the base field: four 64-bit limbs, least significant first.
struct Fp {
    uint64_t limb[4];

    constexpr bool operator==(const Fp& other) const noexcept {
        return ((limb[0] ^ other.limb[0]) | (limb[1] ^ other.limb[1]) | (limb[2] ^ other.limb[2]) |
                (limb[3] ^ other.limb[3])) == 0;
    }
    constexpr bool is_zero() const noexcept { return (limb[0] | limb[1] | limb[2] | limb[3]) == 0; }
};

// A product before its reduction: eight limbs.
struct Wide {
    uint64_t limb[8];
};

// An element re + im * i of the quadratic extension, i^2 = -1 (EIP-197).
struct Fp2 {
    Fp re, im;

    constexpr bool operator==(const Fp2& other) const noexcept { return re == other.re && im == other.im; }
    constexpr bool is_zero() const noexcept { return re.is_zero() && im.is_zero(); }
};

// An Fp2 as a factor of a sum of products: with re + im (lazy) beside it, as Karatsuba's third product wants it.
struct Factor {
    Fp re, im, sum;
};

// Which factors of an array enter a sum of products, in order.
template <int... INDEX>
struct Pick {};

// x, the number that all of BN254 follows from (EIP-196 names the curve alt_bn128).
constexpr uint64_t CURVE_X = 4965661367192848881;

// p = 36x^4 + 36x^3 + 24x^2 + 6x + 1, the modulus (EIP-196). bn254_constants.hpp asserts the polynomial.
constexpr Fp MODULUS{{0x3c208c16d87cfd47, 0x97816a916871ca8d, 0xb85045b68181585d, 0x30644e72e131a029}};
constexpr Fp TWICE_MODULUS{{0x7841182db0f9fa8e, 0x2f02d522d0e3951a, 0x70a08b6d0302b0bb, 0x60c89ce5c2634053}};

// -1/p modulo 2^64, by Newton's iteration (each step doubles the number of right bits, from the five of the start).
constexpr uint64_t MODULUS_INVERSE = [] {
    uint64_t inverse = (3 * MODULUS.limb[0]) ^ 2;
    for (int i = 0; i < 4; ++i)
        inverse *= 2 - MODULUS.limb[0] * inverse;
    return 0 - inverse;
}();

// a < b, as numbers.
constexpr bool is_below(const Fp& a, const Fp& b) noexcept {
    for (int i = 3; i >= 0; --i)
        if (a.limb[i] != b.limb[i])
            return a.limb[i] < b.limb[i];
    return false;
}

// The arithmetic for any machine. `Arithmetic` in the other headers is this or its twin for a particular CPU: the same
// functions, the same ranges, the same results. What is big is not inlined: the call is cheap beside it, the copies are not.
struct Portable {
    using u128 = unsigned __int128;

    // low word of a + b * c + carry; the high word becomes the carry
    static constexpr uint64_t multiply_add(uint64_t a, uint64_t b, uint64_t c, uint64_t& carry) noexcept {
        const u128 t = static_cast<u128>(b) * c + a + carry;
        carry = static_cast<uint64_t>(t >> 64);
        return static_cast<uint64_t>(t);
    }

    // r = a + b as numbers, returning the carry; r may be a or b
    static constexpr uint64_t add_limbs(uint64_t* r, const uint64_t* a, const uint64_t* b, int count) noexcept {
        u128 t = 0;
        for (int i = 0; i < count; ++i) {
            t += static_cast<u128>(a[i]) + b[i];
            r[i] = static_cast<uint64_t>(t);
            t >>= 64;
        }
        return static_cast<uint64_t>(t);
    }

    // r = a - b as numbers, returning the borrow (0 or 1); r may be a or b
    static constexpr uint64_t subtract_limbs(uint64_t* r, const uint64_t* a, const uint64_t* b, int count) noexcept {
        uint64_t borrow = 0;
        for (int i = 0; i < count; ++i) {
            const u128 t = static_cast<u128>(a[i]) - b[i] - borrow;
            r[i] = static_cast<uint64_t>(t);
            borrow = static_cast<uint64_t>(t >> 64) & 1;
        }
        return borrow;
    }

    // r -= m if that is not negative
    static constexpr void subtract_once(Fp& r, const Fp& m) noexcept {
        Fp t{};
        const uint64_t keep = 0 - subtract_limbs(t.limb, r.limb, m.limb, 4);
        for (int i = 0; i < 4; ++i)
            r.limb[i] = (r.limb[i] & keep) | (t.limb[i] & ~keep);
    }

    static constexpr void add(Fp& r, const Fp& a, const Fp& b) noexcept {
        add_limbs(r.limb, a.limb, b.limb, 4);
        subtract_once(r, MODULUS);
    }

    // r = a + b without reduction. The modulus leaves two bits free: four canonical values can be summed.
    static constexpr void add_lazy(Fp& r, const Fp& a, const Fp& b) noexcept { add_limbs(r.limb, a.limb, b.limb, 4); }

    static constexpr void subtract(Fp& r, const Fp& a, const Fp& b) noexcept {
        Fp t{};
        const uint64_t mask = 0 - subtract_limbs(t.limb, a.limb, b.limb, 4);
        Fp addend{};
        for (int i = 0; i < 4; ++i)
            addend.limb[i] = MODULUS.limb[i] & mask;
        add_limbs(r.limb, t.limb, addend.limb, 4);
    }

    // r = a / 2: of a and a + p one is even
    static constexpr void halve(Fp& r, const Fp& a) noexcept {
        const uint64_t mask = 0 - (a.limb[0] & 1);
        Fp addend{};
        for (int i = 0; i < 4; ++i)
            addend.limb[i] = MODULUS.limb[i] & mask;
        add_limbs(addend.limb, addend.limb, a.limb, 4);
        for (int i = 0; i < 3; ++i)
            r.limb[i] = addend.limb[i] >> 1 | addend.limb[i + 1] << 63;
        r.limb[3] = addend.limb[3] >> 1;
    }

    // r = a * b / 2^256. a * b < p * 2^256 suffices: one factor, or both, may be a lazy sum of two.
    EVMCORE_NOINLINE static constexpr void multiply(Fp& r, const Fp& a, const Fp& b) noexcept {
        uint64_t t[4]{};
        for (int i = 0; i < 4; ++i) {
            uint64_t high = 0;
            uint64_t carry = 0;
            t[0] = multiply_add(t[0], a.limb[i], b.limb[0], high);
            const uint64_t m = t[0] * MODULUS_INVERSE;
            multiply_add(t[0], m, MODULUS.limb[0], carry);
            for (int j = 1; j < 4; ++j) {
                const uint64_t low = multiply_add(t[j], a.limb[i], b.limb[j], high);
                t[j - 1] = multiply_add(low, m, MODULUS.limb[j], carry);
            }
            // no carry: the modulus leaves the top bits free
            t[3] = high + carry;
        }
        for (int i = 0; i < 4; ++i)
            r.limb[i] = t[i];
        subtract_once(r, MODULUS);
    }

    static constexpr void square(Fp& r, const Fp& a) noexcept { multiply(r, a, a); }

    // t += a * b; the sum must stay below 2^512
    EVMCORE_NOINLINE static constexpr void accumulate(Wide& t, const Fp& a, const Fp& b) noexcept {
        uint64_t top = 0;
        for (int i = 0; i < 4; ++i) {
            uint64_t carry = 0;
            for (int j = 0; j < 4; ++j)
                t.limb[i + j] = multiply_add(t.limb[i + j], a.limb[i], b.limb[j], carry);
            const u128 sum = static_cast<u128>(t.limb[i + 4]) + carry + top;
            t.limb[i + 4] = static_cast<uint64_t>(sum);
            top = static_cast<uint64_t>(sum >> 64);
        }
    }

    // r = t / 2^256, canonical, for t < 2.27 * p * 2^256
    EVMCORE_NOINLINE static constexpr void reduce(Fp& r, const Wide& t) noexcept {
        uint64_t low[4]{t.limb[0], t.limb[1], t.limb[2], t.limb[3]};
        for (int i = 0; i < 4; ++i) {
            const uint64_t m = low[0] * MODULUS_INVERSE;
            uint64_t carry = 0;
            multiply_add(low[0], m, MODULUS.limb[0], carry);
            for (int j = 1; j < 4; ++j)
                low[j - 1] = multiply_add(low[j], m, MODULUS.limb[j], carry);
            low[3] = carry;
        }
        add_limbs(r.limb, low, t.limb + 4, 4);
        subtract_once(r, TWICE_MODULUS);
        subtract_once(r, MODULUS);
    }

    // r = the sum of a[A] * b[B] over both picks, with one reduction for all. At most six products of canonical
    // values; a lazily doubled factor counts as two.
    template <int... A, int... B>
    static constexpr void sum_of_products(Fp2& r, const Factor* a, Pick<A...>, const Factor* b, Pick<B...>) noexcept {
        Wide real{}, imaginary{}, cross{};
        (accumulate(real, a[A].re, b[B].re), ...);
        (accumulate(imaginary, a[A].im, b[B].im), ...);
        (accumulate(cross, a[A].sum, b[B].sum), ...);
        subtract_limbs(cross.limb, cross.limb, real.limb, 8);
        subtract_limbs(cross.limb, cross.limb, imaginary.limb, 8);
        // six squares of p exceed p * 2^256, so a negative difference is lifted by twice that
        const uint64_t mask = 0 - subtract_limbs(real.limb, real.limb, imaginary.limb, 8);
        Fp lift{};
        for (int i = 0; i < 4; ++i)
            lift.limb[i] = TWICE_MODULUS.limb[i] & mask;
        add_limbs(real.limb + 4, real.limb + 4, lift.limb, 4);
        reduce(r.re, real);
        reduce(r.im, cross);
    }
};

// Fp2 by its parts, for an arithmetic A on Fp.
template <class A>
struct Quadratic {
    EVMCORE_NOINLINE static constexpr void add(Fp2& r, const Fp2& a, const Fp2& b) noexcept {
        A::add(r.re, a.re, b.re);
        A::add(r.im, a.im, b.im);
    }

    EVMCORE_NOINLINE static constexpr void subtract(Fp2& r, const Fp2& a, const Fp2& b) noexcept {
        A::subtract(r.re, a.re, b.re);
        A::subtract(r.im, a.im, b.im);
    }

    // r = (9 + i) * a
    EVMCORE_NOINLINE static constexpr void multiply_by_xi(Fp2& r, const Fp2& a) noexcept {
        Fp2 t{};
        add(t, a, a);
        add(t, t, t);
        add(t, t, t);
        add(t, t, a);
        const Fp re = a.re;
        A::subtract(r.re, t.re, a.im);
        A::add(r.im, t.im, re);
    }

    // Karatsuba: re re' - im im', (re + im)(re' + im') - re re' - im im'
    EVMCORE_NOINLINE static constexpr void multiply(Fp2& r, const Fp2& a, const Fp2& b) noexcept {
        Fp left{}, right{}, real{}, imaginary{};
        A::add_lazy(left, a.re, a.im);
        A::add_lazy(right, b.re, b.im);
        A::multiply(real, a.re, b.re);
        A::multiply(imaginary, a.im, b.im);
        A::multiply(left, left, right);
        A::subtract(r.re, real, imaginary);
        A::subtract(left, left, real);
        A::subtract(r.im, left, imaginary);
    }

    // (re + im)(re - im), 2 re im
    EVMCORE_NOINLINE static constexpr void square(Fp2& r, const Fp2& a) noexcept {
        Fp sum{}, difference{}, twice{};
        A::add_lazy(sum, a.re, a.im);
        A::subtract(difference, a.re, a.im);
        A::add_lazy(twice, a.re, a.re);
        A::multiply(r.im, twice, a.im);
        A::multiply(r.re, sum, difference);
    }
};

}  // namespace evmcore::bn254
