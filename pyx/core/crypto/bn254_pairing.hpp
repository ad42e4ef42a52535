// BN254's pairing check: is the product of e(P, Q) over all pairs one? (EIP-197)
// Optimal ate (Vercauteren): a Miller loop over 6x + 2 shared by a batch of pairs, two Frobenius lines, one final exponentiation.
// Whether Q is in the subgroup of order r falls out of the loop's last point, so it costs a comparison.
#pragma once

#include "bn254_curve.hpp"

namespace evmcore::bn254 {

// A point of the twist, (x / z, y / z).
struct Projective2 {
    Fp2 x, y, z;
};

struct Pair {
    G1 p;
    G2 q;
};

// How many pairs share a loop: enough that its squarings are cheap, few enough for the stack and for asking to stop.
constexpr int PAIRS_A_LOOP = 8;

// 6x + 2 in signed digits from the second highest down (the highest is one): bit i of `nonzero`, and of `negative`.
// The non-adjacent form, but 1 0 -1 at its top written as 1 1.
struct LoopDigits {
    uint64_t nonzero = 0;
    uint64_t negative = 0;
};

constexpr LoopDigits LOOP_DIGITS = [] {
    unsigned __int128 k = static_cast<unsigned __int128>(6) * CURVE_X + 2;
    LoopDigits digits;
    for (int i = 0; i < 63; ++i, k >>= 1) {
        if ((k & 1) == 0)
            continue;
        digits.nonzero |= uint64_t{1} << i;
        if ((k & 3) == 3) {
            digits.negative |= uint64_t{1} << i;
            k += 1;
        } else {
            k -= 1;
        }
    }
    // k is now what is left at weight 2^63: two bits
    digits.nonzero |= static_cast<uint64_t>(k & 1) << 63;
    return digits;
}();
constexpr int LOOP_LENGTH = 64;

// 3b, the tangent's constant on the twist
constexpr Fp2 TRIPLE_TWIST_B = derive::multiply(TWIST_B, Fp2{from_small(3), Fp{}});

// 1/2 = (p + 1) / 2
constexpr Fp HALF = derive::power(from_small(2), INVERSE_EXPONENT, ONE);

// x in digits of 1, 15 and 19, found by search: 13 products where its bits would want 27. From the top, which is 19:
// square so often, then multiply by that power.
struct ChainStep {
    int squares, digit;
};
constexpr ChainStep CHAIN_OF_X[] = {{4, -19}, {1, -19}, {6, 19}, {7, 19},  {6, -19}, {8, 19},
                                    {2, -1},  {5, -19}, {7, 19}, {3, -19}, {9, -15}};

static_assert([] {
    uint64_t value = 19;
    for (const ChainStep& step : CHAIN_OF_X)
        value = (value << step.squares) + static_cast<uint64_t>(int64_t{step.digit});
    return value == CURVE_X;
}());

// r = a^x for a in the cyclotomic subgroup, where the conjugate inverts
template <class T>
void power_x(typename T::Element& r, const typename T::Element& a) noexcept {
    typename T::Element inverse_1, inverse_15, power_19, inverse_19, power_4;
    T::conjugate(inverse_1, a);
    T::cyclotomic_square(power_4, a);
    T::cyclotomic_square(power_4, power_4);
    T::cyclotomic_square(r, power_4);
    T::cyclotomic_square(r, r);
    T::multiply(r, r, inverse_1);
    T::conjugate(inverse_15, r);
    T::multiply(power_19, r, power_4);
    T::conjugate(inverse_19, power_19);
    T::conjugate(r, inverse_19);
    for (const ChainStep& step : CHAIN_OF_X) {
        for (int i = 0; i < step.squares; ++i)
            T::cyclotomic_square(r, r);
        T::multiply(r, r,
                    step.digit == 19    ? power_19
                    : step.digit == -19 ? inverse_19
                    : step.digit == -15 ? inverse_15
                                        : inverse_1);
    }
}

// Is f^((p^12 - 1) / r) one? The exponent is (p^6 - 1)(p^2 + 1) times 1 + 6x + 12x^2 + 12x^3 + (4x + 6x^2 + 12x^3) p +
// (6x + 6x^2 + 12x^3) p^2 + (-1 + 4x + 6x^2 + 12x^3) p^3, a multiple of (p^4 - p^2 + 1) / r by a number prime to r
// (Fuentes-Castaneda, Knapp and Rodriguez-Henriquez, "Faster hashing to G2"). T is a tower, this one or that of the lanes.
template <class T>
bool is_one_after_final_exponentiation(const typename T::Element& f) noexcept {
    typename T::Element g, t, s, a, b, six_x2;
    T::invert(t, f);
    T::conjugate(g, f);
    T::multiply(g, g, t);
    T::frobenius_2(t, g);
    T::multiply(g, g, t);

    power_x<T>(t, g);
    T::cyclotomic_square(t, t);  // 2x
    T::cyclotomic_square(s, t);  // 4x
    T::multiply(s, s, t);        // 6x
    power_x<T>(six_x2, s);       // 6x^2
    T::cyclotomic_square(a, six_x2);
    power_x<T>(b, a);  // 12x^3
    T::multiply(a, b, six_x2);
    T::multiply(a, a, s);  // 12x^3 + 6x^2 + 6x
    T::conjugate(t, t);
    T::multiply(b, a, t);  // 12x^3 + 6x^2 + 4x

    T::multiply(s, a, six_x2);
    T::multiply(s, s, g);  // times p^0
    T::frobenius_1(t, b);
    T::multiply(s, s, t);
    T::frobenius_2(t, a);
    T::multiply(s, s, t);
    T::conjugate(g, g);
    T::multiply(b, b, g);
    T::frobenius_3(t, b);
    T::multiply(s, s, t);
    return T::is_one(s);
}

template <class A>
struct Pairing {
    using T = Tower<A>;

    // t = 2t, and the tangent's line at p: l[0] + l[1] w + l[2] w^3.
    // Costello, Lange and Naehrig's formulas for y^2 = x^3 + b without inversion; a factor in Fp2 does not matter.
    EVMCORE_NOINLINE static void double_step(Projective2& t, Fp2 line[3], const G1& p) noexcept {
        Fp2 a, b, c, e, f, g, h, j;
        T::multiply(a, t.x, t.y);
        halve(a, a);
        T::square(b, t.y);
        T::square(c, t.z);
        T::multiply(e, c, TRIPLE_TWIST_B);
        T::add(f, e, e);
        T::add(f, f, e);
        T::add(g, b, f);
        halve(g, g);
        T::add(h, t.y, t.z);
        T::square(h, h);
        T::subtract(h, h, b);
        T::subtract(h, h, c);
        T::square(j, t.x);
        T::subtract(c, b, f);
        T::multiply(t.x, a, c);
        T::square(g, g);
        T::square(c, e);
        T::subtract(g, g, c);
        T::subtract(g, g, c);
        T::subtract(t.y, g, c);
        T::multiply(t.z, b, h);
        // slope 3x^2 / 2yz, all times 2yz
        T::scale(line[0], h, p.y);
        T::add(g, j, j);
        T::add(g, g, j);
        T::scale(g, g, p.x);
        T::negate(line[1], g);
        T::subtract(line[2], b, e);
    }

    // t = t + q, and the line through both at p. With z = 0, or t = q, or t = -q, z becomes 0 and stays so.
    EVMCORE_NOINLINE static void add_step(Projective2& t, Fp2 line[3], const G2& q, const G1& p) noexcept {
        Fp2 theta, lambda, c, d, e, f, g, h, s;
        T::multiply(theta, q.y, t.z);
        T::subtract(theta, t.y, theta);
        T::multiply(lambda, q.x, t.z);
        T::subtract(lambda, t.x, lambda);
        T::square(c, theta);
        T::square(d, lambda);
        T::multiply(e, lambda, d);
        T::multiply(f, t.z, c);
        T::multiply(g, t.x, d);
        T::add(h, e, f);
        T::subtract(h, h, g);
        T::subtract(h, h, g);
        T::multiply(t.x, lambda, h);
        T::subtract(g, g, h);
        T::multiply(g, g, theta);
        T::multiply(s, e, t.y);
        T::subtract(t.y, g, s);
        T::multiply(t.z, t.z, e);
        // slope theta / lambda, all times lambda
        T::scale(line[0], lambda, p.y);
        T::scale(g, theta, p.x);
        T::negate(line[1], g);
        T::multiply(g, theta, q.x);
        T::multiply(s, lambda, q.y);
        T::subtract(line[2], g, s);
    }

    static void halve(Fp2& r, const Fp2& a) noexcept { T::scale(r, a, HALF); }

    // psi, psi^2, psi^3 on the twist: Frobenius between the untwisting (x, y) -> (x w^2, y w^3) and its inverse
    static void endomorphism(G2& r, const G2& q, const FrobeniusTable& table, bool is_odd) noexcept {
        Fp2 x = q.x, y = q.y;
        if (is_odd) {
            T::conjugate(x, x);
            T::conjugate(y, y);
        }
        T::multiply(r.x, x, table.power[2]);
        T::multiply(r.y, y, table.power[3]);
    }

    // f = the product of the Miller functions of up to PAIRS_A_LOOP pairs; a p at infinity contributes one, no q may be there.
    // False when a q is outside the subgroup.
    //
    // The last points are [6x + 2]q + psi(q) - psi^2(q), and q has order r exactly when that is -psi^3(q):
    // psi satisfies psi^2 - t psi + p = 0 with t = 6x^2 + 1, so the order of a q that passes divides the resultant of
    // T^2 - tT + p with 6x + 2 + T - T^2 + T^3, and the order r (2p - r) of the twist; their greatest common divisor is r.
    // A z that became 0 on the way stays 0 and fails, while q of order r never meets such a step.
    static bool miller_loop(Fp12& f, const Pair* pairs, int count) noexcept {
        Projective2 t[PAIRS_A_LOOP];
        G2 negative[PAIRS_A_LOOP];
        for (int i = 0; i < count; ++i) {
            t[i] = Projective2{pairs[i].q.x, pairs[i].q.y, ONE2};
            negative[i].x = pairs[i].q.x;
            T::negate(negative[i].y, pairs[i].q.y);
        }
        f = Fp12{{ONE2}};
        for (int bit = LOOP_LENGTH - 1; bit >= 0; --bit) {
            T::square(f, f);
            for (int i = 0; i < count; ++i) {
                Fp2 line[3];
                double_step(t[i], line, pairs[i].p);
                multiply_by_line(f, line, pairs[i]);
            }
            if ((LOOP_DIGITS.nonzero >> bit) & 1) {
                const bool is_negative = (LOOP_DIGITS.negative >> bit) & 1;
                for (int i = 0; i < count; ++i)
                    add_and_multiply(f, t[i], is_negative ? negative[i] : pairs[i].q, pairs[i]);
            }
        }
        bool all_in_subgroup = true;
        for (int i = 0; i < count; ++i) {
            G2 image;
            endomorphism(image, pairs[i].q, FROBENIUS_1, true);
            add_and_multiply(f, t[i], image, pairs[i]);
            endomorphism(image, negative[i], FROBENIUS_2, false);
            add_and_multiply(f, t[i], image, pairs[i]);
            endomorphism(image, negative[i], FROBENIUS_3, true);
            all_in_subgroup &= is_same(t[i], image);
        }
        return all_in_subgroup;
    }

    static void add_and_multiply(Fp12& f, Projective2& t, const G2& q, const Pair& pair) noexcept {
        Fp2 line[3];
        add_step(t, line, q, pair.p);
        multiply_by_line(f, line, pair);
    }

    static void multiply_by_line(Fp12& f, const Fp2 line[3], const Pair& pair) noexcept {
        if (!pair.p.is_infinity())
            T::multiply_by_line(f, f, line);
    }

    static bool is_same(const Projective2& t, const G2& q) noexcept {
        Fp2 x, y;
        T::multiply(x, q.x, t.z);
        T::multiply(y, q.y, t.z);
        return !t.z.is_zero() && x == t.x && y == t.y;
    }
};

}  // namespace evmcore::bn254
