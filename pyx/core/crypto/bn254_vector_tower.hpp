// BN254's Fp12 in lanes: three quads of two coefficients each, the same operations as `Tower`.
// Over s = w^3, s^2 = xi, an element is F0 + F1 w + F2 w^2 with F_k = f_k + f_(k+3) s, and a quad is one F_k.
// Depends on the vectors, and on the scalar tower for inversion.
#pragma once

#include "bn254_field_x86.hpp"
#include "bn254_tower.hpp"
#include "bn254_vector.hpp"

#if defined(__x86_64__)

namespace evmcore::bn254 {

struct LaneTower : Lane {
    using Lane::multiply;
    using Lane::square;

    struct Element {
        Quad c[3];
    };

    static constexpr Lanes LOW_HALF{-1, -1, 0, 0};

    // r = xi * a, on both halves
    EVMCORE_AVX2 static void multiply_by_xi(Quad& r, const Quad& a) noexcept {
        Lanes x[DIGITS];
        for (int i = 0; i < DIGITS; ++i)
            x[i] = multiply32(load(a, i), all(9)) + multiply32(swap_parts(load(a, i)), Lanes{-1, 1, -1, 1});
        tighten(r, x);
    }

    // r = s * a: (xi a1, a0)
    EVMCORE_AVX2 static void multiply_by_s(Quad& r, const Quad& a) noexcept {
        Lanes x[DIGITS];
        for (int i = 0; i < DIGITS; ++i) {
            const Lanes swapped = swap_halves(load(a, i));
            x[i] = multiply32(swapped, Lanes{9, 9, 1, 1}) + multiply32(swap_parts(swapped), Lanes{-1, 1, 0, 0});
        }
        tighten(r, x);
    }

    // What a product needs of its first factor: [m + 5] is F_m for m = 0, 1, 2, and s F_(m+3) below, each with its multiple by i.
    struct Expanded {
        Rotated power[8];

        const Rotated* at(int m) const noexcept { return &power[m + 5]; }
    };

    EVMCORE_AVX2 EVMCORE_NOINLINE static void expand(Expanded& r, const Element& a, int lowest) noexcept {
        for (int k = 0; k < 3; ++k) {
            copy(r.power[5 + k].x, a.c[k]);
            multiply_by_s(r.power[2 + k].x, a.c[k]);
        }
        for (int k = lowest; k < -3; ++k)
            multiply_by_xi(r.power[5 + k].x, a.c[k + 6]);
        for (int m = lowest; m < 3; ++m)
            rotate(r.power[m + 5]);
    }

    // r may be a, but not b
    EVMCORE_AVX2 EVMCORE_NOINLINE static void multiply(Element& r, const Element& a, const Element& b) noexcept {
        Expanded left;
        expand(left, a, -5);
        for (int k = 0; k < 3; ++k) {
            Term terms[6];
            for (int j = 0; j < 3; ++j) {
                terms[2 * j] = Term{b.c[j].limb[0], left.at(k - j)};
                terms[2 * j + 1] = Term{b.c[j].limb[0] + 2, left.at(k - j - 3)};
            }
            sum_of_multiples(r.c[k], terms, 6);
        }
    }

    // Chung and Hasan's squaring of a quadratic polynomial: with A = F0^2, B = F0 F1, C = (F0 - F1 + F2)^2, D = F1 F2 and
    // E = F2^2, it is A + 2 s D, 2 B + s E, C - A - E + 2 B + 2 D. The squares are in the form of products_for_square.
    EVMCORE_AVX2 EVMCORE_NOINLINE static void square(Element& r, const Element& a) noexcept {
        Quad t0, t1, t2, b, d, sum;
        Rotated f1, s_f1;
        Lanes x[DIGITS];
        copy(f1.x, a.c[1]);
        multiply_by_s(s_f1.x, a.c[1]);
        rotate(f1);
        rotate(s_f1);
        const Term b_terms[2] = {{a.c[0].limb[0], &f1}, {a.c[0].limb[0] + 2, &s_f1}};
        const Term d_terms[2] = {{a.c[2].limb[0], &f1}, {a.c[2].limb[0] + 2, &s_f1}};
        sum_of_multiples(b, b_terms, 2);
        sum_of_multiples(d, d_terms, 2);
        for (int i = 0; i < DIGITS; ++i)
            store(sum, i, load(a.c[0], i) - load(a.c[1], i) + load(a.c[2], i));
        tighten(sum);
        products_for_square(t0, a.c[0]);
        products_for_square(t1, sum);
        products_for_square(t2, a.c[2]);

        for (int i = 0; i < DIGITS; ++i) {
            // (P - 10 Q - i Q + 18 v + 2 i v, 2 Q + 2 u) for D = (u, v)
            const Lanes q = high_half_twice(load(t0, i)), product = swap_halves(load(d, i));
            x[i] = (load(t0, i) & LOW_HALF) + multiply32(q, Lanes{-10, -10, 2, 2}) +
                   multiply32(swap_parts(q), Lanes{1, -1, 0, 0}) + multiply32(product, Lanes{18, 18, 2, 2}) +
                   multiply32(swap_parts(product), Lanes{-2, 2, 0, 0});
        }
        tighten(r.c[0], x);
        for (int i = 0; i < DIGITS; ++i) {
            // (18 Q + 2 i Q + 2 u, P - 10 Q - i Q + 2 v) for B = (u, v)
            const Lanes p = low_half_twice(load(t2, i)), q = high_half_twice(load(t2, i));
            x[i] = (p & ~LOW_HALF) + multiply32(q, Lanes{18, 18, -10, -10}) + multiply32(swap_parts(q), Lanes{-2, 2, 1, -1}) +
                   load(b, i) + load(b, i);
        }
        tighten(r.c[1], x);
        for (int i = 0; i < DIGITS; ++i) {
            const Lanes t = load(t1, i) - load(t0, i) - load(t2, i), q = high_half_twice(t);
            x[i] = (t & LOW_HALF) + multiply32(q, Lanes{-10, -10, 2, 2}) + multiply32(swap_parts(q), Lanes{1, -1, 0, 0}) +
                   2 * (load(b, i) + load(d, i));
        }
        tighten(r.c[2], x);
    }

    // r = a * (l0 + l1 w + l3 w^3), each an Fp2 in one half of a quad
    EVMCORE_AVX2 EVMCORE_NOINLINE static void multiply_by_line(Element& r, const Element& a, const int64_t* l0,
                                                               const int64_t* l1, const int64_t* l3) noexcept {
        Expanded left;
        expand(left, a, -3);
        for (int k = 0; k < 3; ++k) {
            const Term terms[3] = {{l0, left.at(k)}, {l1, left.at(k - 1)}, {l3, left.at(k - 3)}};
            sum_of_multiples(r.c[k], terms, 3);
        }
    }

    // w -> -w
    EVMCORE_AVX2 static void conjugate(Element& r, const Element& a) noexcept {
        flip(r.c[0], a.c[0], Lanes{1, 1, -1, -1});
        flip(r.c[1], a.c[1], Lanes{-1, -1, 1, 1});
        flip(r.c[2], a.c[2], Lanes{1, 1, -1, -1});
    }

    struct RotatedTable {
        Rotated power[3];
    };

    static constexpr Rotated make_rotated(const Fp2& a, const Fp2& b) noexcept {
        Fp2 ia{{}, a.re}, ib{{}, b.re};
        Portable::subtract(ia.re, Fp{}, a.im);
        Portable::subtract(ib.re, Fp{}, b.im);
        return Rotated{to_quad<Portable>(a, b), to_quad<Portable>(ia, ib)};
    }

    static constexpr RotatedTable make_table(const FrobeniusTable& table) noexcept {
        return RotatedTable{{make_rotated(table.power[0], table.power[3]), make_rotated(table.power[1], table.power[4]),
                             make_rotated(table.power[2], table.power[5])}};
    }

    // a^p, a^(p^2), a^(p^3)
    EVMCORE_AVX2 static void frobenius_1(Element& r, const Element& a) noexcept {
        static constexpr RotatedTable TABLE = make_table(FROBENIUS_1);
        conjugate_parts(r, a);
        scale(r, TABLE);
    }
    EVMCORE_AVX2 static void frobenius_2(Element& r, const Element& a) noexcept {
        static constexpr RotatedTable TABLE = make_table(FROBENIUS_2);
        for (int k = 0; k < 3; ++k)
            multiply(r.c[k], a.c[k], TABLE.power[k]);
    }
    EVMCORE_AVX2 static void frobenius_3(Element& r, const Element& a) noexcept {
        static constexpr RotatedTable TABLE = make_table(FROBENIUS_3);
        conjugate_parts(r, a);
        scale(r, TABLE);
    }
    EVMCORE_AVX2 static void conjugate_parts(Element& r, const Element& a) noexcept {
        for (int k = 0; k < 3; ++k)
            flip(r.c[k], a.c[k], Lanes{1, -1, 1, -1});
    }
    EVMCORE_AVX2 static void scale(Element& r, const RotatedTable& table) noexcept {
        for (int k = 0; k < 3; ++k)
            multiply(r.c[k], r.c[k], table.power[k]);
    }

    // Granger and Scott's square, as in Tower. The square of a + b s is (P - Q - xi Q) + 2 Q s for P = (a + b)(a + xi b) and
    // Q = a b, which are one product of quads.
    EVMCORE_AVX2 EVMCORE_NOINLINE static void cyclotomic_square(Element& r, const Element& a) noexcept {
        Quad t[3];
        for (int k = 0; k < 3; ++k)
            products_for_square(t[k], a.c[k]);
        // with s^2 = xi: 3 (P - 10 Q - i Q) - 2 a, 6 Q + 2 b
        finish_square(r.c[0], t[0], a.c[0]);
        finish_square_by_s(r.c[1], t[2], a.c[1]);
        finish_square(r.c[2], t[1], a.c[2]);
    }

    EVMCORE_AVX2 static void products_for_square(Quad& r, const Quad& a) noexcept {
        Quad sums;      // (a + b, a)
        Rotated other;  // (a + xi b, b)
        Lanes x[DIGITS];
        for (int i = 0; i < DIGITS; ++i) {
            const Lanes pair = load(a, i), swapped = swap_halves(pair);
            store(sums, i, swapped + (pair & LOW_HALF));
            x[i] = pair + multiply32(swapped, Lanes{9, 9, 0, 0}) + multiply32(swap_parts(swapped), Lanes{-1, 1, 0, 0});
        }
        tighten(other.x, x);
        rotate(other);
        multiply(r, sums, other);
    }

    // 3 (P - 10 Q - i Q) - 2 a, 6 Q + 2 b, of t = (P, Q)
    EVMCORE_AVX2 static void finish_square(Quad& r, const Quad& t, const Quad& a) noexcept {
        Lanes x[DIGITS];
        for (int i = 0; i < DIGITS; ++i) {
            const Lanes q = high_half_twice(load(t, i));
            x[i] = multiply32(load(t, i), Lanes{3, 3, 0, 0}) + multiply32(q, Lanes{-30, -30, 6, 6}) +
                   multiply32(swap_parts(q), Lanes{3, -3, 0, 0}) + multiply32(load(a, i), Lanes{-2, -2, 2, 2});
        }
        tighten(r, x);
    }

    // s times the square, tripled: 6 xi Q + 2 a, 3 (P - 10 Q - i Q) - 2 b
    EVMCORE_AVX2 static void finish_square_by_s(Quad& r, const Quad& t, const Quad& a) noexcept {
        Lanes x[DIGITS];
        for (int i = 0; i < DIGITS; ++i) {
            const Lanes p = low_half_twice(load(t, i)), q = high_half_twice(load(t, i));
            x[i] = multiply32(p, Lanes{0, 0, 3, 3}) + multiply32(q, Lanes{54, 54, -30, -30}) +
                   multiply32(swap_parts(q), Lanes{-6, 6, 3, -3}) + multiply32(load(a, i), Lanes{2, 2, -2, -2});
        }
        tighten(r, x);
    }

    // As Tower does it, with the three coefficients of the norm inverted in scalar arithmetic.
    EVMCORE_AVX2 static void invert(Element& r, const Element& a) noexcept {
        Element mirror, norm;
        conjugate(mirror, a);
        multiply(norm, a, mirror);
        Fp2 n[6], inverse[6]{};
        to_scalar(n, norm);
        Tower<WithMulx>::invert_cubic(inverse[0], inverse[2], inverse[4], n[0], n[2], n[4]);
        Element lanes;
        for (int k = 0; k < 3; ++k)
            lanes.c[k] = to_quad<Portable>(inverse[k], inverse[k + 3]);
        multiply(r, mirror, lanes);
    }

    EVMCORE_AVX2 static void to_scalar(Fp2 r[6], const Element& a) noexcept {
        for (int k = 0; k < 3; ++k) {
            Fp part[4];
            Lane::to_scalar(part, a.c[k]);
            r[k] = Fp2{part[0], part[1]};
            r[k + 3] = Fp2{part[2], part[3]};
        }
    }

    EVMCORE_AVX2 static bool is_one(const Element& a) noexcept {
        Fp2 c[6];
        to_scalar(c, a);
        bool result = c[0] == ONE2;
        for (int i = 1; i < 6; ++i)
            result &= c[i].is_zero();
        return result;
    }
};

}  // namespace evmcore::bn254

#endif
