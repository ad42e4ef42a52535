// BN254's constants: Montgomery's, the twist's, Frobenius' and the ones that halve a scalar.
// Each is computed from the modulus and the curve's x while compiling; nothing is set up at run time.
// Depends on the portable field. Frozen tables.
#pragma once

#include "bn254_field.hpp"

namespace evmcore::bn254 {

// r = 36x^4 + 36x^3 + 18x^2 + 6x + 1, the number of points (EIP-196): plain, as are all scalars.
constexpr Fp GROUP_ORDER{{0x43e1f593f0000001, 0x2833e84879b97091, 0xb85045b68181585d, 0x30644e72e131a029}};

namespace derive {

using A = Portable;

constexpr Fp multiply(const Fp& a, const Fp& b) noexcept {
    Fp r{};
    A::multiply(r, a, b);
    return r;
}

constexpr Fp2 multiply(const Fp2& a, const Fp2& b) noexcept {
    Fp2 r{};
    Quadratic<A>::multiply(r, a, b);
    return r;
}

template <class Field>
constexpr Field power(const Field& base, const Fp& exponent, const Field& one) noexcept {
    Field result = one;
    for (int i = 255; i >= 0; --i) {
        result = multiply(result, result);
        if ((exponent.limb[i / 64] >> (i % 64)) & 1)
            result = multiply(result, base);
    }
    return result;
}

// low + x * a, as plain numbers
constexpr Fp times_x_plus(const Fp& a, uint64_t low) noexcept {
    Fp r{};
    uint64_t carry = low;
    for (int i = 0; i < 4; ++i)
        r.limb[i] = A::multiply_add(0, a.limb[i], CURVE_X, carry);
    return r;
}

// a small polynomial of x as a plain number
constexpr Fp polynomial(uint64_t x4, uint64_t x3, uint64_t x2, uint64_t x1, uint64_t x0) noexcept {
    return times_x_plus(times_x_plus(times_x_plus(times_x_plus(Fp{{x4, 0, 0, 0}}, x3), x2), x1), x0);
}

// 2^shift modulo p
constexpr Fp power_of_two(int shift) noexcept {
    Fp r{{1, 0, 0, 0}};
    for (int i = 0; i < shift; ++i)
        A::add(r, r, r);
    return r;
}

constexpr Fp minus_small(Fp a, uint64_t b) noexcept {
    const Fp subtrahend{{b, 0, 0, 0}};
    A::subtract_limbs(a.limb, a.limb, subtrahend.limb, 4);
    return a;
}

// floor(a / divisor) for a small divisor
constexpr Fp divide_small(Fp a, uint64_t divisor) noexcept {
    unsigned __int128 rest = 0;
    for (int i = 3; i >= 0; --i) {
        rest = (rest << 64) | a.limb[i];
        a.limb[i] = static_cast<uint64_t>(rest / divisor);
        rest %= divisor;
    }
    return a;
}

// floor(a * 2^256 / r) for a below r, one bit a step
constexpr Fp scaled_over_order(Fp a) noexcept {
    Fp quotient{};
    for (int i = 255; i >= 0; --i) {
        A::add_limbs(a.limb, a.limb, a.limb, 4);
        if (!is_below(a, GROUP_ORDER)) {
            A::subtract_limbs(a.limb, a.limb, GROUP_ORDER.limb, 4);
            quotient.limb[i / 64] |= uint64_t{1} << (i % 64);
        }
    }
    return quotient;
}

}  // namespace derive

static_assert(MODULUS == derive::polynomial(36, 36, 24, 6, 1));
static_assert(GROUP_ORDER == derive::polynomial(36, 36, 18, 6, 1));
static_assert(MODULUS.limb[0] * MODULUS_INVERSE == ~uint64_t{0});

// Montgomery's powers of 2^256 modulo p: one, and the factor that brings a plain number in.
constexpr Fp ONE = derive::power_of_two(256);
constexpr Fp TO_MONTGOMERY = derive::power_of_two(512);

constexpr Fp from_small(uint64_t value) noexcept { return derive::multiply(Fp{{value, 0, 0, 0}}, TO_MONTGOMERY); }

// p - 2, the exponent that inverts (Fermat)
constexpr Fp INVERSE_EXPONENT = derive::minus_small(MODULUS, 2);

// the curve: y^2 = x^3 + 3 (EIP-196)
constexpr Fp CURVE_B = from_small(3);

constexpr Fp2 ONE2{ONE, Fp{}};

// xi = 9 + i, the number without cube or square root over which the tower stands: w^6 = xi (EIP-197)
constexpr Fp2 XI{from_small(9), ONE};

// the twist: y^2 = x^3 + 3 / xi (EIP-197), where 1 / (9 + i) = (9 - i) / 82
constexpr Fp2 TWIST_B = [] {
    const Fp scale = derive::multiply(from_small(3), derive::power(from_small(82), INVERSE_EXPONENT, ONE));
    Fp2 b{derive::multiply(from_small(9), scale), Fp{}};
    Portable::subtract(b.im, Fp{}, scale);
    return b;
}();

static_assert(derive::multiply(TWIST_B, XI) == Fp2{from_small(3), Fp{}});

struct FrobeniusTable {
    Fp2 power[6];
};

// w^(i * p) = power[i] * w^i, so power[i] = xi^(i * (p - 1) / 6)
constexpr FrobeniusTable FROBENIUS_1 = [] {
    const Fp2 base = derive::power(XI, derive::divide_small(MODULUS, 6), ONE2);  // p = 1 modulo 6
    FrobeniusTable table{{ONE2}};
    for (int i = 1; i < 6; ++i)
        table.power[i] = derive::multiply(table.power[i - 1], base);
    return table;
}();

// The same for p^2 and p^3: the conjugate of the earlier constant (its own Frobenius) times the first.
constexpr FrobeniusTable next_frobenius(const FrobeniusTable& table) noexcept {
    FrobeniusTable next{};
    for (int i = 0; i < 6; ++i) {
        Fp2 conjugate = table.power[i];
        Portable::subtract(conjugate.im, Fp{}, conjugate.im);
        next.power[i] = derive::multiply(conjugate, FROBENIUS_1.power[i]);
    }
    return next;
}

constexpr FrobeniusTable FROBENIUS_2 = next_frobenius(FROBENIUS_1);  // all real
constexpr FrobeniusTable FROBENIUS_3 = next_frobenius(FROBENIUS_2);

static_assert(FROBENIUS_2.power[1].im.is_zero() && FROBENIUS_2.power[2].im.is_zero());

// The curve's cheap endomorphism, (x, y) -> (beta x, y), multiplies by lambda = 36x^3 + 18x^2 + 6x + 1.
// beta is the cube root of unity that fits this lambda; the tests compare both sides on points.
constexpr Fp ENDOMORPHISM_BETA = FROBENIUS_2.power[4].re;

static_assert(derive::multiply(ENDOMORPHISM_BETA, derive::multiply(ENDOMORPHISM_BETA, ENDOMORPHISM_BETA)) == ONE);

// Two short vectors (a, b) with a + b * lambda = 0 modulo r: (-SHORT, LONG_1) and (-LONG_2, -SHORT).
constexpr Fp LATTICE_SHORT = derive::polynomial(0, 0, 0, 2, 1);
constexpr Fp LATTICE_LONG_1 = derive::polynomial(0, 0, 6, 2, 0);
constexpr Fp LATTICE_LONG_2 = derive::polynomial(0, 0, 6, 4, 1);

// 2^256 / r times the vectors' lengths, rounded down: a scalar's coordinates in that lattice by multiplication.
constexpr Fp SCALED_SHORT = derive::scaled_over_order(LATTICE_SHORT);
constexpr Fp SCALED_LONG_1 = derive::scaled_over_order(LATTICE_LONG_1);

}  // namespace evmcore::bn254
