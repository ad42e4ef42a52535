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
        A::square(left, q.y);
        A::square(right, q.x);
        A::multiply(right, right, q.x);
        A::add(right, right, TWIST_B);
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
        Tower<A>::invert(denominator, denominator);
        A::multiply(slope, numerator, denominator);
        A::square(x, slope);
        A::subtract(x, x, a.x);
        A::subtract(x, x, b.x);
        A::subtract(y, a.x, x);
        A::multiply(y, y, slope);
        A::subtract(y, y, a.y);
        r = G1{x, y};
    }

    // 2M + 5S: "dbl-2009-l" of the Explicit-Formulas Database, for y^2 = x^3 + b. Infinity gives infinity.
    static void double_point(Jacobian& r, const Jacobian& p) noexcept {
        Fp a, b, c, d, e, f, t;
        A::square(a, p.x);
        A::square(b, p.y);
        A::square(c, b);
        A::add(d, p.x, b);
        A::square(d, d);
        A::subtract(d, d, a);
        A::subtract(d, d, c);
        A::add(d, d, d);
        A::add(e, a, a);
        A::add(e, e, a);
        A::square(f, e);
        A::multiply(t, p.y, p.z);
        A::add(r.z, t, t);
        A::subtract(f, f, d);
        A::subtract(r.x, f, d);
        A::subtract(t, d, r.x);
        A::multiply(t, t, e);
        A::add(c, c, c);
        A::add(c, c, c);
        A::add(c, c, c);
        A::subtract(r.y, t, c);
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
        Tower<A>::invert(inverse, p.z);
        A::square(square, inverse);
        A::multiply(r.x, p.x, square);
        A::multiply(square, square, inverse);
        A::multiply(r.y, p.y, square);
    }

    // r = scalar * p
    static void multiply(G1& r, const G1& p, const Fp& scalar) noexcept {
        Jacobian sum{};
        if (!p.is_infinity())
            for (int i = 255; i >= 0; --i) {
                double_point(sum, sum);
                if ((scalar.limb[i / 64] >> (i % 64)) & 1)
                    add_affine(sum, sum, p);
            }
        to_affine(r, sum);
    }
};

}  // namespace evmcore::bn254
