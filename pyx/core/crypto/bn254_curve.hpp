// BN254's first group: points of y^2 = x^3 + 3 over the base field, their sums and multiples.
// Multiplication halves the scalar with the curve's endomorphism (Gallant, Lambert, Vanstone) and walks both halves at once.
// Depends on the field and the constants. Variable time: all inputs are public.
#pragma once

#include "bn254_tower.hpp"

namespace evmcore::bn254 {

// An affine point, canonical Montgomery coordinates; (0, 0), which is not on the curve, stands for infinity (EIP-196).
struct G1 {
    Fp x, y;
    constexpr bool is_infinity() const noexcept { return x.is_zero() && y.is_zero(); }
};

// A point of the twist; (0, 0) for infinity likewise (EIP-197).
struct G2 {
    Fp2 x, y;
    constexpr bool is_infinity() const noexcept { return x.is_zero() && y.is_zero(); }
};

// (x / z^2, y / z^3); infinity has z = 0.
struct Jacobian {
    Fp x, y, z;
};

// A scalar is written in odd digits below 2^(WINDOW - 1) in absolute value, or zero, at least WINDOW places apart.
constexpr int WINDOW = 5;
constexpr int TABLE_SIZE = 1 << (WINDOW - 2);

struct SignedDigits {
    int8_t digit[130] = {};  // a number below 2^128 may need a place more than its bits
    int length = 0;
};

inline SignedDigits to_digits(unsigned __int128 number, bool is_negative) noexcept {
    SignedDigits result;
    bool carry = false;  // what a negative digit borrowed from above
    for (int at = 0; number != 0 || carry; ++at) {
        if ((static_cast<int>(number & 1) ^ static_cast<int>(carry)) == 0) {
            number >>= 1;
            continue;
        }
        int digit = static_cast<int>(number & ((1 << WINDOW) - 1)) + carry;
        carry = digit > 1 << (WINDOW - 1);
        if (carry)
            digit -= 1 << WINDOW;
        result.digit[at] = static_cast<int8_t>(is_negative ? -digit : digit);
        result.length = at + 1;
        number >>= WINDOW;
        at += WINDOW - 1;
    }
    return result;
}

// floor(a * b / 2^256), which fits in 128 bits for the numbers below
inline unsigned __int128 multiply_high(const Fp& a, const Fp& b) noexcept {
    Wide product{};
    Portable::accumulate(product, a, b);
    return static_cast<unsigned __int128>(product.limb[5]) << 64 | product.limb[4];
}

// scalar = first + second * lambda modulo r, each about 128 bits. With c1 = floor(scalar * SHORT / r) and
// c2 = floor(scalar * LONG_1 / r), or one less, first = scalar - c1 * SHORT - c2 * LONG_2 and second = c1 * LONG_1 - c2 * SHORT.
// So 0 <= first < 2 (SHORT + LONG_2) and -2 LONG_1 < second < 2 SHORT: arithmetic modulo 2^128 finds them.
inline void split_scalar(SignedDigits digits[2], Fp scalar) noexcept {
    using u128 = unsigned __int128;
    const auto low = [](const Fp& a) { return static_cast<u128>(a.limb[1]) << 64 | a.limb[0]; };
    for (int i = 0; i < 5; ++i)  // 2^256 is less than 6r
        Portable::subtract_once(scalar, GROUP_ORDER);
    const u128 c1 = multiply_high(scalar, SCALED_SHORT);
    const u128 c2 = multiply_high(scalar, SCALED_LONG_1);
    const u128 first = low(scalar) - c1 * low(LATTICE_SHORT) - c2 * low(LATTICE_LONG_2);
    const u128 second = c1 * low(LATTICE_LONG_1) - c2 * low(LATTICE_SHORT);
    const bool is_negative = second >= u128{2} * low(LATTICE_SHORT);
    digits[0] = to_digits(first, false);
    digits[1] = to_digits(is_negative ? 0 - second : second, is_negative);
}

template <class A>
struct Curve {
    static bool is_on_curve(const G1& p) noexcept {
        Fp left, right;
        A::square(left, p.y);
        A::square(right, p.x);
        A::multiply(right, right, p.x);
        A::add(right, right, CURVE_B);
        return left == right;
    }

    static bool is_on_twist(const G2& q) noexcept {
        Fp2 left, right;
        Quadratic<A>::square(left, q.y);
        Quadratic<A>::square(right, q.x);
        Quadratic<A>::multiply(right, right, q.x);
        Quadratic<A>::add(right, right, TWIST_B);
        return left == right;
    }

    // r = a + b by the affine formulas
    static void add(G1& r, const G1& a, const G1& b) noexcept {
        if (a.is_infinity()) {
            r = b;
            return;
        }
        if (b.is_infinity()) {
            r = a;
            return;
        }
        Fp numerator, denominator, t;
        if (!(a.x == b.x)) {
            A::subtract(numerator, b.y, a.y);
            A::subtract(denominator, b.x, a.x);
        } else if (a.y == b.y) {
            // no point has y = 0: the group's order is odd
            A::square(t, a.x);
            A::add(numerator, t, t);
            A::add(numerator, numerator, t);
            A::add(denominator, a.y, a.y);
        } else {
            r = G1{};
            return;
        }
        Fp slope, x, y;
        invert(denominator, denominator);
        A::multiply(slope, numerator, denominator);
        A::square(x, slope);
        A::subtract(x, x, a.x);
        A::subtract(x, x, b.x);
        A::subtract(y, a.x, x);
        A::multiply(y, y, slope);
        A::subtract(y, y, a.y);
        r = G1{x, y};
    }

    // 3M + 4S: with L = 3/2 x^2 and T = x y^2, x' = L^2 - 2T, y' = L (T - x') - y^4, z' = y z. Infinity gives infinity.
    EVMCORE_NOINLINE static void double_point(Jacobian& r, const Jacobian& p) noexcept {
        Fp l, s, t, u;
        A::multiply(r.z, p.y, p.z);
        A::square(u, p.x);
        A::square(s, p.y);
        A::add(l, u, u);
        A::add(l, l, u);
        Portable::halve(l, l);
        A::multiply(t, p.x, s);
        A::square(s, s);
        A::square(u, l);
        A::subtract(u, u, t);
        A::subtract(r.x, u, t);
        A::subtract(t, t, r.x);
        A::multiply(t, t, l);
        A::subtract(r.y, t, s);
    }

    // 8M + 3S: p + q for an affine q that is not infinity. Returns the factor by which z grew in `ratio`.
    // p may be infinity, q or -q.
    static void add_affine(Jacobian& r, const Jacobian& p, const G1& q, Fp* ratio = nullptr) noexcept {
        if (p.z.is_zero()) {
            r = Jacobian{q.x, q.y, ONE};
            return;
        }
        Fp zz, u, s, h, w;
        A::square(zz, p.z);
        A::multiply(u, q.x, zz);
        A::multiply(s, q.y, p.z);
        A::multiply(s, s, zz);
        A::subtract(h, u, p.x);
        A::subtract(w, s, p.y);
        if (h.is_zero()) {
            if (w.is_zero())
                double_point(r, p);
            else
                r = Jacobian{};
            return;
        }
        Fp hh, hhh, v, t;
        A::square(hh, h);
        A::multiply(hhh, hh, h);
        A::multiply(v, p.x, hh);
        A::multiply(r.z, p.z, h);
        if (ratio != nullptr)
            *ratio = h;
        A::square(t, w);
        A::subtract(t, t, hhh);
        A::subtract(t, t, v);
        A::subtract(t, t, v);
        A::multiply(hhh, hhh, p.y);
        A::subtract(v, v, t);
        A::multiply(v, v, w);
        A::subtract(r.y, v, hhh);
        r.x = t;
    }

    static void to_affine(G1& r, const Jacobian& p) noexcept {
        if (p.z.is_zero()) {
            r = G1{};
            return;
        }
        Fp inverse, square;
        invert(inverse, p.z);
        A::square(square, inverse);
        A::multiply(r.x, p.x, square);
        A::multiply(square, square, inverse);
        A::multiply(r.y, p.y, square);
    }

    // r = scalar * p
    static void multiply(G1& r, const G1& p, const Fp& scalar) noexcept {
        if (p.is_infinity()) {
            r = p;
            return;
        }
        SignedDigits digits[2];
        split_scalar(digits, scalar);
        G1 table[2][TABLE_SIZE];
        Fp scale;
        odd_multiples(table[0], scale, p);
        for (int i = 0; i < TABLE_SIZE; ++i) {
            A::multiply(table[1][i].x, table[0][i].x, ENDOMORPHISM_BETA);
            table[1][i].y = table[0][i].y;
        }
        Jacobian sum{};
        const int length = digits[0].length > digits[1].length ? digits[0].length : digits[1].length;
        for (int i = length - 1; i >= 0; --i) {
            double_point(sum, sum);
            for (int half = 0; half < 2; ++half) {
                const int digit = digits[half].digit[i];
                if (digit > 0)
                    add_affine(sum, sum, table[half][digit / 2]);
                else if (digit < 0)
                    add_affine(sum, sum, negate(table[half][-digit / 2]));
            }
        }
        A::multiply(sum.z, sum.z, scale);
        to_affine(r, sum);
    }

    static G1 negate(const G1& p) noexcept {
        G1 r{p.x, {}};
        A::subtract(r.y, Fp{}, p.y);
        return r;
    }

    // table[i] = (2i + 1) p, as affine points of the isomorphic curve whose x and y are ours times scale^2 and scale^3.
    // No formula here contains the curve's constant, so sums may be taken over there without one inversion.
    EVMCORE_NOINLINE static void odd_multiples(G1 table[TABLE_SIZE], Fp& scale, const G1& p) noexcept {
        Jacobian sum, twice;
        Fp ratio[TABLE_SIZE], square, cube;
        double_point(twice, Jacobian{p.x, p.y, ONE});
        // where 2p is affine, p is this
        const G1 step{twice.x, twice.y};
        A::square(square, twice.z);
        A::multiply(cube, square, twice.z);
        A::multiply(table[0].x, p.x, square);
        A::multiply(table[0].y, p.y, cube);
        sum = Jacobian{table[0].x, table[0].y, ONE};
        for (int i = 1; i < TABLE_SIZE; ++i) {
            add_affine(sum, sum, step, &ratio[i]);
            table[i] = G1{sum.x, sum.y};
        }
        A::multiply(scale, sum.z, twice.z);
        // bring all to the last one's z
        Fp factor = ratio[TABLE_SIZE - 1];
        for (int i = TABLE_SIZE - 2; i >= 0; --i) {
            A::square(square, factor);
            A::multiply(cube, square, factor);
            A::multiply(table[i].x, table[i].x, square);
            A::multiply(table[i].y, table[i].y, cube);
            if (i > 0)
                A::multiply(factor, factor, ratio[i]);
        }
    }
};

}  // namespace evmcore::bn254
