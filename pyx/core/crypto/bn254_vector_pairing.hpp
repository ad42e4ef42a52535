// BN254's pairing check in lanes: the Miller loop of `Pairing` with two pairs side by side, and its result in LaneTower.
// Depends on the lanes' tower and, for the loop's digits and the reasons, on bn254_pairing.hpp.
#pragma once

#include "bn254_pairing.hpp"
#include "bn254_vector_tower.hpp"

#if defined(__x86_64__)

namespace evmcore::bn254 {

struct LanePairing {
    using T = LaneTower;

    // Points of the twist, one in each half.
    struct Points {
        Rotated x, y, minus_y;
    };

    // Two pairs in the loop: q, the multiple of it so far as (x / z, y / z), and p's coordinates as the lines want them.
    struct Slot {
        Points q;
        Quad x, y, z;
        Quad p_y, twice_p_y, minus_p_x, minus_triple_p_x;
        bool counts[2];  // whether p is not infinity
    };

    // A line through points of the twist at p: l0 + l1 w + l3 w^3.
    struct Lines {
        Quad l0, l1, l3;
    };

    static constexpr Rotated make_constant(const Fp2& a) noexcept { return T::make_rotated(a, a); }

    EVMCORE_AVX2 EVMCORE_NOINLINE static void complete(Points& r) noexcept {
        T::rotate(r.x);
        T::rotate(r.y);
        T::flip(r.minus_y.x, r.y.x, T::all(-1));
        T::flip(r.minus_y.ix, r.y.ix, T::all(-1));
    }

    EVMCORE_AVX2 static void enter(Slot& r, const Pair& a, const Pair& b) noexcept {
        r.q.x.x = to_quad<WithMulx>(a.q.x, b.q.x);
        r.q.y.x = to_quad<WithMulx>(a.q.y, b.q.y);
        complete(r.q);
        T::copy(r.x, r.q.x.x);
        T::copy(r.y, r.q.y.x);
        r.z = to_quad<WithMulx>(ONE2, ONE2);
        Fp2 y[2], x[2];
        const Pair* const pairs[2] = {&a, &b};
        for (int i = 0; i < 2; ++i) {
            y[i] = Fp2{pairs[i]->p.y, pairs[i]->p.y};
            x[i] = Fp2{pairs[i]->p.x, pairs[i]->p.x};
            r.counts[i] = !pairs[i]->p.is_infinity();
        }
        r.p_y = to_quad<WithMulx>(y[0], y[1]);
        const Quad p_x = to_quad<WithMulx>(x[0], x[1]);
        T::combine(r.twice_p_y, 2, r.p_y, 0, r.p_y);
        T::flip(r.minus_p_x, p_x, T::all(-1));
        T::combine(r.minus_triple_p_x, -3, p_x, 0, p_x);
    }

    // The formulas of Pairing::double_step with all coordinates times four, which spares it the halves.
    EVMCORE_AVX2 EVMCORE_NOINLINE static void double_step(Slot& t, Lines& line) noexcept {
        static constexpr Rotated TRIPLE_B = make_constant(TRIPLE_TWIST_B);
        Quad b, c, e, j, xy, yz, sum;
        Rotated y, d;
        y.x = t.y;
        T::rotate(y);
        T::square(c, t.z);
        T::square(b, t.y);
        T::multiply(e, c, TRIPLE_B);
        T::multiply(yz, t.z, y);
        T::multiply(xy, t.x, y);
        T::square(j, t.x);
        // 2 (b - 3e), b + 3e
        T::combine(d.x, 2, b, -6, e);
        T::rotate(d);
        T::combine(sum, 1, b, 3, e);
        T::multiply(t.x, xy, d);
        T::square(sum, sum);
        T::square(c, e);
        T::combine(t.y, 1, sum, -12, c);
        T::combine(d.x, 8, b, 0, b);
        T::rotate(d);
        T::multiply(t.z, yz, d);
        T::multiply_lanes(line.l0, yz, t.twice_p_y);
        T::multiply_lanes(line.l1, j, t.minus_triple_p_x);
        T::subtract(line.l3, b, e);
    }

    // Pairing::add_step, for q or, with the y's exchanged, -q
    EVMCORE_AVX2 EVMCORE_NOINLINE static void add_step(Slot& t, Lines& line, const Rotated& x, const Rotated& y,
                                                       const Rotated& minus_y) noexcept {
        Quad theta, lambda, c, f, g, minus;
        Rotated d, e, h;
        T::multiply(theta, t.z, y);
        T::combine(theta, 1, t.y, -1, theta);
        T::multiply(lambda, t.z, x);
        T::combine(lambda, 1, t.x, -1, lambda);
        T::square(c, theta);
        T::square(d.x, lambda);
        T::rotate(d);
        T::multiply(e.x, lambda, d);
        T::multiply(g, t.x, d);
        T::copy(d.x, c);
        T::rotate(d);
        T::multiply(f, t.z, d);
        T::rotate(e);
        T::multiply(t.z, t.z, e);
        T::add(f, f, e.x);
        T::combine(h.x, 1, f, -2, g);
        T::rotate(h);
        T::multiply(t.x, lambda, h);
        T::subtract(d.x, g, h.x);
        T::rotate(d);
        T::flip(minus, t.y, T::all(-1));
        const Term y_terms[2] = {{theta.limb[0], &d}, {minus.limb[0], &e}};
        T::sum_of_products(t.y, y_terms, 2);
        T::multiply_lanes(line.l0, lambda, t.p_y);
        T::multiply_lanes(line.l1, theta, t.minus_p_x);
        const Term l3_terms[2] = {{theta.limb[0], &x}, {lambda.limb[0], &minus_y}};
        T::sum_of_products(line.l3, l3_terms, 2);
    }

    EVMCORE_AVX2 static void multiply_by_lines(T::Element& f, const Slot& t, const Lines& line) noexcept {
        for (int half = 0; half < 2; ++half)
            if (t.counts[half])
                T::multiply_by_line(f, f, line.l0.limb[0] + 2 * half, line.l1.limb[0] + 2 * half, line.l3.limb[0] + 2 * half);
    }

    // psi of the point (x, y) for an odd power, its square for an even one, by the constants of that power
    EVMCORE_AVX2 static void endomorphism(Points& r, const Points& q, const Rotated& gamma_2, const Rotated& gamma_3,
                                          bool is_odd) noexcept {
        const Lanes signs = is_odd ? Lanes{1, -1, 1, -1} : T::all(1);
        Quad t;
        T::flip(t, q.x.x, signs);
        T::multiply(r.x.x, t, gamma_2);
        T::flip(t, q.y.x, signs);
        T::multiply(r.y.x, t, gamma_3);
        complete(r);
    }

    // As Pairing::miller_loop, for `count` slots.
    EVMCORE_AVX2 static bool miller_loop(T::Element& f, Slot* slots, int count) noexcept {
        static constexpr Rotated GAMMA[3][2] = {{make_constant(FROBENIUS_1.power[2]), make_constant(FROBENIUS_1.power[3])},
                                                {make_constant(FROBENIUS_2.power[2]), make_constant(FROBENIUS_2.power[3])},
                                                {make_constant(FROBENIUS_3.power[2]), make_constant(FROBENIUS_3.power[3])}};
        Lines line;
        f = one();
        for (int bit = LOOP_LENGTH - 1; bit >= 0; --bit) {
            T::square(f, f);
            const bool is_nonzero = (LOOP_DIGITS.nonzero >> bit) & 1, is_negative = (LOOP_DIGITS.negative >> bit) & 1;
            for (int i = 0; i < count; ++i) {
                Slot& t = slots[i];
                double_step(t, line);
                multiply_by_lines(f, t, line);
                if (is_nonzero) {
                    add_step(t, line, t.q.x, is_negative ? t.q.minus_y : t.q.y, is_negative ? t.q.y : t.q.minus_y);
                    multiply_by_lines(f, t, line);
                }
            }
        }
        bool all_in_subgroup = true;
        for (int i = 0; i < count; ++i) {
            Slot& t = slots[i];
            Points image;
            endomorphism(image, t.q, GAMMA[0][0], GAMMA[0][1], true);
            add_step(t, line, image.x, image.y, image.minus_y);
            multiply_by_lines(f, t, line);
            endomorphism(image, t.q, GAMMA[1][0], GAMMA[1][1], false);
            add_step(t, line, image.x, image.minus_y, image.y);
            multiply_by_lines(f, t, line);
            endomorphism(image, t.q, GAMMA[2][0], GAMMA[2][1], true);
            all_in_subgroup &= is_same(t, image.x, image.minus_y);
        }
        return all_in_subgroup;
    }

    EVMCORE_AVX2 static bool is_same(const Slot& t, const Rotated& x, const Rotated& y) noexcept {
        Quad difference;
        Fp x_part[4], y_part[4], z_part[4];
        T::multiply(difference, t.z, x);
        T::subtract(difference, t.x, difference);
        T::Lane::to_scalar(x_part, difference);
        T::multiply(difference, t.z, y);
        T::subtract(difference, t.y, difference);
        T::Lane::to_scalar(y_part, difference);
        T::Lane::to_scalar(z_part, t.z);
        bool result = true;
        for (int i = 0; i < 4; ++i)
            result &= x_part[i].is_zero() && y_part[i].is_zero();
        for (int i = 0; i < 4; i += 2)
            result &= !(z_part[i].is_zero() && z_part[i + 1].is_zero());
        return result;
    }

    static T::Element one() noexcept {
        static constexpr T::Element ONE12{{to_quad<Portable>(ONE2, Fp2{}), Quad{}, Quad{}}};
        return ONE12;
    }

    // The scalar pairing's interface: f = the product over the pairs; false when a q is outside the subgroup.
    EVMCORE_AVX2 static bool miller_loop(T::Element& f, const Pair* pairs, int count) noexcept {
        Slot slots[PAIRS_A_LOOP / 2];
        const int slot_count = (count + 1) / 2;
        for (int i = 0; i < slot_count; ++i) {
            const bool is_single = 2 * i + 1 == count;
            enter(slots[i], pairs[2 * i], pairs[is_single ? 2 * i : 2 * i + 1]);
            if (is_single)
                slots[i].counts[1] = false;
        }
        return miller_loop(f, slots, slot_count);
    }
};

}  // namespace evmcore::bn254

#endif
