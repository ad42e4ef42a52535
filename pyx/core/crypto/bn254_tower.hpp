// BN254's extension fields: Fp2 by coordinates, and Fp12 as six Fp2 coefficients of powers of w, w^6 = xi = 9 + i.
// A product in Fp12 is six sums of products, each reduced once; squares in the cyclotomic subgroup are cheaper (Granger-Scott).
// Depends on the field and the constants. `A` is the arithmetic of the machine at hand; results may be the operands.
#pragma once

#include "bn254_inverse.hpp"

namespace evmcore::bn254 {

struct Fp12 {
    Fp2 c[6];
};

template <class A>
struct Tower : Quadratic<A> {
    using Element = Fp12;

    // Fp2

    using Quadratic<A>::add;
    using Quadratic<A>::subtract;
    using Quadratic<A>::multiply;
    using Quadratic<A>::square;
    using Quadratic<A>::multiply_by_xi;

    static void negate(Fp2& r, const Fp2& a) noexcept { subtract(r, Fp2{}, a); }

    static void conjugate(Fp2& r, const Fp2& a) noexcept {
        r.re = a.re;
        A::subtract(r.im, Fp{}, a.im);
    }

    static void scale(Fp2& r, const Fp2& a, const Fp& factor) noexcept {
        A::multiply(r.re, a.re, factor);
        A::multiply(r.im, a.im, factor);
    }

    // 1 / (re + im i) = (re - im i) / (re^2 + im^2)
    static void invert(Fp2& r, const Fp2& a) noexcept {
        Fp norm, t;
        A::square(norm, a.re);
        A::square(t, a.im);
        A::add(norm, norm, t);
        bn254::invert(norm, norm);
        A::multiply(r.re, a.re, norm);
        A::multiply(t, a.im, norm);
        A::subtract(r.im, Fp{}, t);
    }

    // Fp12

    // The coefficients of `a` as factors, preceded by xi times those of w^1 to w^5: [5 + k - j] pairs with w^j to give w^k.
    struct Expanded {
        Factor factor[11];
    };

    static void set_factor(Factor& r, const Fp2& a) noexcept {
        r.re = a.re;
        r.im = a.im;
        A::add_lazy(r.sum, a.re, a.im);
    }

    static void expand(Expanded& r, const Fp12& a) noexcept {
        set_factor(r.factor[5], a.c[0]);
        for (int i = 1; i < 6; ++i) {
            Fp2 wrapped;
            multiply_by_xi(wrapped, a.c[i]);
            set_factor(r.factor[i - 1], wrapped);
            set_factor(r.factor[5 + i], a.c[i]);
        }
    }

    // Fp6: c0 + c1 v + c2 v^2 with v = w^2, v^3 = xi. An Fp12 is its even coefficients plus w times its odd ones.
    struct Cubic {
        Fp2 c[3];
    };

    static void multiply(Cubic& r, const Cubic& a, const Cubic& b) noexcept {
        Factor left[5], right[3];
        for (int i = 0; i < 3; ++i) {
            set_factor(left[2 + i], a.c[i]);
            set_factor(right[i], b.c[i]);
        }
        for (int i = 1; i < 3; ++i) {
            Fp2 wrapped;
            multiply_by_xi(wrapped, a.c[i]);
            set_factor(left[i - 1], wrapped);
        }
        for (int k = 0; k < 3; ++k)
            A::sum_of_products(r.c[k], left + k, Pick<2, 1, 0>{}, right, Pick<0, 1, 2>{});
    }

    // Karatsuba over the halves: (a0 + a1 w)(b0 + b1 w) = a0 b0 + v a1 b1 + ((a0 + a1)(b0 + b1) - a0 b0 - a1 b1) w
    EVMCORE_NOINLINE static void multiply(Fp12& r, const Fp12& a, const Fp12& b) noexcept {
        Cubic a0, a1, b0, b1, sum_a, sum_b;
        for (int i = 0; i < 3; ++i) {
            a0.c[i] = a.c[2 * i];
            a1.c[i] = a.c[2 * i + 1];
            b0.c[i] = b.c[2 * i];
            b1.c[i] = b.c[2 * i + 1];
            add(sum_a.c[i], a0.c[i], a1.c[i]);
            add(sum_b.c[i], b0.c[i], b1.c[i]);
        }
        Cubic even, odd, cross;
        multiply(even, a0, b0);
        multiply(odd, a1, b1);
        multiply(cross, sum_a, sum_b);
        for (int i = 0; i < 3; ++i) {
            subtract(cross.c[i], cross.c[i], even.c[i]);
            subtract(r.c[2 * i + 1], cross.c[i], odd.c[i]);
        }
        multiply_by_xi(odd.c[2], odd.c[2]);
        add(r.c[0], even.c[0], odd.c[2]);
        add(r.c[2], even.c[1], odd.c[0]);
        add(r.c[4], even.c[2], odd.c[1]);
    }

    // (a0 + a1 w)^2 = (a0 + a1)(a0 + v a1) - a0 a1 - v a0 a1 + 2 a0 a1 w
    EVMCORE_NOINLINE static void square(Fp12& r, const Fp12& a) noexcept {
        Cubic a0, a1, sum, shifted, product;
        for (int i = 0; i < 3; ++i) {
            a0.c[i] = a.c[2 * i];
            a1.c[i] = a.c[2 * i + 1];
            add(sum.c[i], a0.c[i], a1.c[i]);
        }
        Fp2 wrapped;
        multiply_by_xi(wrapped, a1.c[2]);
        add(shifted.c[0], a0.c[0], wrapped);
        add(shifted.c[1], a0.c[1], a1.c[0]);
        add(shifted.c[2], a0.c[2], a1.c[1]);
        multiply(product, a0, a1);
        multiply(sum, sum, shifted);
        multiply_by_xi(wrapped, product.c[2]);
        subtract(sum.c[0], sum.c[0], product.c[0]);
        subtract(r.c[0], sum.c[0], wrapped);
        subtract(sum.c[1], sum.c[1], product.c[1]);
        subtract(r.c[2], sum.c[1], product.c[0]);
        subtract(sum.c[2], sum.c[2], product.c[2]);
        subtract(r.c[4], sum.c[2], product.c[1]);
        for (int i = 0; i < 3; ++i)
            add(r.c[2 * i + 1], product.c[i], product.c[i]);
    }

    // r = a * (line[0] + line[1] w + line[2] w^3)
    EVMCORE_NOINLINE static void multiply_by_line(Fp12& r, const Fp12& a, const Fp2 line[3]) noexcept {
        Expanded left;
        Factor right[3];
        expand(left, a);
        for (int i = 0; i < 3; ++i)
            set_factor(right[i], line[i]);
        for (int k = 0; k < 6; ++k)
            A::sum_of_products(r.c[k], left.factor + k, Pick<5, 4, 2>{}, right, Pick<0, 1, 2>{});
    }

    // w -> -w: the p^6-th power, and the inverse of an element of the cyclotomic subgroup
    static void conjugate(Fp12& r, const Fp12& a) noexcept {
        for (int i = 0; i < 6; i += 2) {
            r.c[i] = a.c[i];
            negate(r.c[i + 1], a.c[i + 1]);
        }
    }

    // a^p, a^(p^2), a^(p^3)
    static void frobenius_1(Fp12& r, const Fp12& a) noexcept { odd_frobenius(r, a, FROBENIUS_1); }
    static void frobenius_3(Fp12& r, const Fp12& a) noexcept { odd_frobenius(r, a, FROBENIUS_3); }

    // conjugate the coefficients, scale by the table
    static void odd_frobenius(Fp12& r, const Fp12& a, const FrobeniusTable& table) noexcept {
        conjugate(r.c[0], a.c[0]);
        for (int i = 1; i < 6; ++i) {
            Fp2 t;
            conjugate(t, a.c[i]);
            multiply(r.c[i], t, table.power[i]);
        }
    }

    // the table is real, and conjugating twice does nothing
    static void frobenius_2(Fp12& r, const Fp12& a) noexcept {
        r.c[0] = a.c[0];
        for (int i = 1; i < 6; ++i)
            scale(r.c[i], a.c[i], FROBENIUS_2.power[i].re);
    }

    // 1 / a = conjugate / norm, where the norm a * conjugate(a) has even powers of w only: three coefficients
    // n0 + n1 v + n2 v^2 with v = w^2, v^3 = xi.
    static void invert(Fp12& r, const Fp12& a) noexcept {
        Fp12 mirror, inverse{};
        Fp12 norm;
        conjugate(mirror, a);
        multiply(norm, a, mirror);
        invert_cubic(inverse.c[0], inverse.c[2], inverse.c[4], norm.c[0], norm.c[2], norm.c[4]);
        multiply(r, mirror, inverse);
    }

    // r0 + r1 v + r2 v^2 = 1 / (a0 + a1 v + a2 v^2), by the adjugate of the multiplication matrix
    EVMCORE_NOINLINE static void invert_cubic(Fp2& r0, Fp2& r1, Fp2& r2, const Fp2& a0, const Fp2& a1, const Fp2& a2) noexcept {
        Fp2 t0, t1, t2, s, determinant;
        square(t0, a0);
        multiply(s, a1, a2);
        multiply_by_xi(s, s);
        subtract(t0, t0, s);  // a0^2 - xi a1 a2
        square(t1, a2);
        multiply_by_xi(t1, t1);
        multiply(s, a0, a1);
        subtract(t1, t1, s);  // xi a2^2 - a0 a1
        square(t2, a1);
        multiply(s, a0, a2);
        subtract(t2, t2, s);  // a1^2 - a0 a2

        multiply(determinant, a2, t1);
        multiply(s, a1, t2);
        add(determinant, determinant, s);
        multiply_by_xi(determinant, determinant);
        multiply(s, a0, t0);
        add(determinant, determinant, s);
        invert(determinant, determinant);
        multiply(r0, t0, determinant);
        multiply(r1, t1, determinant);
        multiply(r2, t2, determinant);
    }

    // The square of c0 + c1 s with s = w^3, s^2 = xi.
    static void square_pair(Fp2& r0, Fp2& r1, const Fp2& c0, const Fp2& c1) noexcept {
        Fp2 t0, t1, sum;
        square(t0, c0);
        square(t1, c1);
        add(sum, c0, c1);
        square(sum, sum);
        subtract(sum, sum, t0);
        subtract(r1, sum, t1);
        multiply_by_xi(t1, t1);
        add(r0, t0, t1);
    }

    // r = 3 t - 2 a, or 3 t + 2 a
    static void triple_minus_twice(Fp2& r, const Fp2& t, const Fp2& a) noexcept {
        Fp2 u;
        subtract(u, t, a);
        add(u, u, u);
        add(r, u, t);
    }
    static void triple_plus_twice(Fp2& r, const Fp2& t, const Fp2& a) noexcept {
        Fp2 u;
        add(u, t, a);
        add(u, u, u);
        add(r, u, t);
    }

    // The square of an element whose norm to Fp6 and Fp4 is one (Granger and Scott, "Faster squaring in the cyclotomic
    // subgroup of sixth degree extensions"), over the pairs (c0, c3), (c1, c4), (c2, c5).
    EVMCORE_NOINLINE static void cyclotomic_square(Fp12& r, const Fp12& a) noexcept {
        Fp2 t0, t1, u0, u1, v0, v1;
        square_pair(t0, t1, a.c[0], a.c[3]);
        square_pair(u0, u1, a.c[1], a.c[4]);
        square_pair(v0, v1, a.c[2], a.c[5]);
        multiply_by_xi(v1, v1);
        triple_minus_twice(r.c[0], t0, a.c[0]);
        triple_plus_twice(r.c[3], t1, a.c[3]);
        triple_plus_twice(r.c[1], v1, a.c[1]);
        triple_minus_twice(r.c[4], v0, a.c[4]);
        triple_minus_twice(r.c[2], u0, a.c[2]);
        triple_plus_twice(r.c[5], u1, a.c[5]);
    }

    static bool is_one(const Fp12& f) noexcept {
        bool result = f.c[0] == ONE2;
        for (int i = 1; i < 6; ++i)
            result &= f.c[i].is_zero();
        return result;
    }
};

}  // namespace evmcore::bn254
