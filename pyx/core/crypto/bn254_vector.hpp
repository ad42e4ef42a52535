// Four elements of BN254's field side by side, for x86-64 with AVX2: the four lanes of each of nine signed limbs of 29 bits.
// A product sums its columns without a carry and shares one Montgomery reduction (by 2^261) among as many products as fit,
// additions never carry, and values are brought into 0 .. p - 1 only when they leave. Depends on the field's constants.
#pragma once

#include "bn254_constants.hpp"

#if defined(__x86_64__)

#include <cstddef>

#include <immintrin.h>

#include "../base/types.hpp"

#define EVMCORE_AVX2 __attribute__((target("avx2")))

namespace evmcore::bn254 {

constexpr int DIGIT_BITS = 29;
constexpr int DIGITS = 9;

// Two elements of Fp2, (re, im, re, im), or four of Fp; the tenth row only keeps quads a multiple of 64 bytes apart.
//
// A quad is "tight" when its lower eight limbs are about 2^28 at most in absolute value (a carry's 2^11 more is allowed) and
// its value within 3p, which makes the top limb small: so products and `tighten` leave it. Its weight is how many tight ones were
// summed. The products in one sum may have weights that total 13: then a column, at most 13 * 8 * 2^56 and the reduction's
// 9 * 2^57, stays within 63 bits and a sign. No limb may reach 2^31.
struct alignas(32) Quad {
    int64_t limb[DIGITS + 1][4];
};

// An element and i times it, as the second factor of a product in Fp2.
struct Rotated {
    Quad x, ix;
};

// A term of a sum of products: re * x + im * ix, where re stands at `scalar` and im behind it.
struct Term {
    const int64_t* scalar;
    const Rotated* vector;
};

using Lanes = long long __attribute__((vector_size(32)));

EVMCORE_AVX2 inline Lanes load(const int64_t* row) noexcept {
    return reinterpret_cast<Lanes>(_mm256_load_si256(reinterpret_cast<const __m256i*>(row)));
}
EVMCORE_AVX2 inline Lanes load(const Quad& a, int i) noexcept { return load(a.limb[i]); }
EVMCORE_AVX2 inline void store(Quad& r, int i, Lanes value) noexcept {
    _mm256_store_si256(reinterpret_cast<__m256i*>(r.limb[i]), reinterpret_cast<__m256i>(value));
}

constexpr int64_t DIGIT_MASK = (int64_t{1} << DIGIT_BITS) - 1;
constexpr int64_t HALF_DIGIT = int64_t{1} << (DIGIT_BITS - 1);

struct Digits {
    int64_t digit[DIGITS];
};

// The digits of a number, from 0 to 2^29 - 1.
constexpr Digits split_digits(const Fp& a) noexcept {
    Digits r{};
    for (int i = 0; i < DIGITS; ++i) {
        const int word = i * DIGIT_BITS / 64, bit = i * DIGIT_BITS % 64;
        uint64_t digit = a.limb[word] >> bit;
        if (bit > 64 - DIGIT_BITS && word < 3)
            digit |= a.limb[word + 1] << (64 - bit);
        r.digit[i] = static_cast<int64_t>(digit) & DIGIT_MASK;
    }
    return r;
}

// The digits, tight.
constexpr Digits tight_digits(const Fp& a) noexcept {
    Digits r = split_digits(a);
    for (int i = 0; i + 1 < DIGITS; ++i)
        if (r.digit[i] >= HALF_DIGIT) {
            r.digit[i] -= 2 * HALF_DIGIT;
            r.digit[i + 1] += 1;
        }
    return r;
}

// From Montgomery's 2^256 to the 2^261 of the lanes: doubled five times.
template <class A>
constexpr Fp to_lane_form(Fp a) noexcept {
    for (int i = 0; i < 5; ++i)
        A::add(a, a, a);
    return a;
}

constexpr Quad make_quad(const Fp& a, const Fp& b, const Fp& c, const Fp& d) noexcept {
    const Digits digits[4] = {tight_digits(a), tight_digits(b), tight_digits(c), tight_digits(d)};
    Quad r{};
    for (int i = 0; i < DIGITS; ++i)
        for (int lane = 0; lane < 4; ++lane)
            r.limb[i][lane] = digits[lane].digit[i];
    return r;
}

template <class A>
constexpr Quad to_quad(const Fp2& a, const Fp2& b) noexcept {
    return make_quad(to_lane_form<A>(a.re), to_lane_form<A>(a.im), to_lane_form<A>(b.re), to_lane_form<A>(b.im));
}

// What the products' assembler reads, each digit in all lanes.
//
// A column starts at 2^63, less what the column below will carry over of its own 2^63, so that it is never negative as an
// unsigned number and shifts as it should; the nine that remain have half a digit more, which makes their digits tight.
//
// To clear a column t, a multiple of p is added. For the first eight that is m k p, where k = -1/p modulo 2^29: as k p + 1
// is a multiple of 2^29, m is t's low digit, and what arrives above are t's other digits and m (k p + 1) / 2^29. That is bigger
// than needed by 29 bits, which the remaining columns take away again; the ninth uses m p with m = k t.
struct alignas(32) Constants {
    int64_t multiple[DIGITS][4];  // (k p + 1) / 2^29, tight
    int64_t modulus[DIGITS][4];
    int64_t inverse[4];  // k
    int64_t mask[4], first[4], next[4], last[4], half[4], top[4];
};

constexpr Constants CONSTANTS = [] {
    constexpr uint64_t BIAS = uint64_t{1} << 63;
    constexpr uint64_t NEXT = BIAS - (BIAS >> DIGIT_BITS);
    constexpr uint64_t INVERSE = MODULUS_INVERSE & static_cast<uint64_t>(DIGIT_MASK);
    Wide product{};
    Portable::accumulate(product, MODULUS, Fp{{INVERSE, 0, 0, 0}});
    Fp shifted{};
    for (int i = 0; i < 4; ++i)
        shifted.limb[i] = product.limb[i] >> DIGIT_BITS | product.limb[i + 1] << (64 - DIGIT_BITS);
    Portable::add_limbs(shifted.limb, shifted.limb, Fp{{1, 0, 0, 0}}.limb, 4);  // its low digit was 2^29 - 1
    const Digits multiple = tight_digits(shifted);
    const Digits modulus = split_digits(MODULUS);
    Constants r{};
    for (int lane = 0; lane < 4; ++lane) {
        for (int i = 0; i < DIGITS; ++i) {
            r.multiple[i][lane] = multiple.digit[i];
            r.modulus[i][lane] = modulus.digit[i];
        }
        r.inverse[lane] = static_cast<int64_t>(INVERSE);
        r.mask[lane] = DIGIT_MASK;
        r.first[lane] = static_cast<int64_t>(BIAS);
        r.next[lane] = static_cast<int64_t>(NEXT);
        r.last[lane] = static_cast<int64_t>(NEXT + HALF_DIGIT);
        r.half[lane] = HALF_DIGIT;
        r.top[lane] = static_cast<int64_t>(BIAS + HALF_DIGIT);
    }
    return r;
}();

#define EVMCORE_MULTIPLE(I) "32*" I "(%[k])"
#define EVMCORE_MODULUS(I) "288+32*" I "(%[k])"
#define EVMCORE_INVERSE "576(%[k])"
#define EVMCORE_MASK "608(%[k])"
#define EVMCORE_FIRST "640(%[k])"
#define EVMCORE_NEXT "672(%[k])"
#define EVMCORE_LAST "704(%[k])"
#define EVMCORE_HALF "736(%[k])"
#define EVMCORE_TOP "768(%[k])"
static_assert(offsetof(Constants, modulus) == 288 && offsetof(Constants, inverse) == 576 && offsetof(Constants, top) == 768);

// The columns are ymm0 to ymm9. Two digits of the first factor, in ymm10 and ymm11, meet limb I of the second at once.
// clang-format off: assembly, related instructions on a line
#define EVMCORE_TWO_COLUMNS(AT, I, J)                                                                   \
    "vmovdqa 32*" I "+" AT ", %%ymm12\n\t"                                                               \
    "vpmuldq %%ymm12, %%ymm10, %%ymm13\n\t vpaddq %%ymm13, %%ymm" I ", %%ymm" I "\n\t"                     \
    "vpmuldq %%ymm12, %%ymm11, %%ymm14\n\t vpaddq %%ymm14, %%ymm" J ", %%ymm" J "\n\t"
#define EVMCORE_TWO_DIGITS(LOAD, OFFSET, AT)                                                            \
    LOAD " " OFFSET "(%[scalar],%[digit]), %%ymm10\n\t" LOAD " 32+" OFFSET "(%[scalar],%[digit]), %%ymm11\n\t"  \
    EVMCORE_TWO_COLUMNS(AT, "0", "1") EVMCORE_TWO_COLUMNS(AT, "1", "2") EVMCORE_TWO_COLUMNS(AT, "2", "3")  \
    EVMCORE_TWO_COLUMNS(AT, "3", "4") EVMCORE_TWO_COLUMNS(AT, "4", "5") EVMCORE_TWO_COLUMNS(AT, "5", "6")  \
    EVMCORE_TWO_COLUMNS(AT, "6", "7") EVMCORE_TWO_COLUMNS(AT, "7", "8") EVMCORE_TWO_COLUMNS(AT, "8", "9")

// The last digit, alone.
#define EVMCORE_COLUMN(AT, I, SCRATCH)                                                                  \
    "vpmuldq 32*" I "+" AT ", %%ymm10, %%ymm" SCRATCH "\n\t vpaddq %%ymm" SCRATCH ", %%ymm" I ", %%ymm" I "\n\t"
#define EVMCORE_ONE_DIGIT(LOAD, OFFSET, AT)                                                             \
    LOAD " " OFFSET "(%[scalar],%[digit]), %%ymm10\n\t"                                                  \
    EVMCORE_COLUMN(AT, "0", "11") EVMCORE_COLUMN(AT, "1", "12") EVMCORE_COLUMN(AT, "2", "13")             \
    EVMCORE_COLUMN(AT, "3", "11") EVMCORE_COLUMN(AT, "4", "12") EVMCORE_COLUMN(AT, "5", "13")             \
    EVMCORE_COLUMN(AT, "6", "11") EVMCORE_COLUMN(AT, "7", "12") EVMCORE_COLUMN(AT, "8", "13")

// Columns 0 and 1 are cleared by m (ymm10) and n (ymm11), and the others move down by two. ymm12 passes on a digit of the multiple.
#define EVMCORE_CLEAR_COLUMN(J, DIGIT, TO)                                                              \
    "vpmuldq %%ymm12, %%ymm11, %%ymm14\n\t vmovdqa " EVMCORE_MULTIPLE(DIGIT) ", %%ymm12\n\t"               \
    "vpmuldq %%ymm12, %%ymm10, %%ymm13\n\t vpaddq %%ymm14, %%ymm" J ", %%ymm14\n\t vpaddq %%ymm13, %%ymm14, %%ymm" TO "\n\t"
#define EVMCORE_CLEAR_TWO                                                                               \
    "vpand %%ymm15, %%ymm0, %%ymm10\n\t vpsrlq $29, %%ymm0, %%ymm13\n\t vmovdqa " EVMCORE_MULTIPLE("0") ", %%ymm12\n\t"  \
    "vpmuldq %%ymm12, %%ymm10, %%ymm14\n\t vpaddq %%ymm13, %%ymm1, %%ymm1\n\t vpaddq %%ymm14, %%ymm1, %%ymm1\n\t"  \
    "vpand %%ymm15, %%ymm1, %%ymm11\n\t vpsrlq $29, %%ymm1, %%ymm13\n\t vpaddq %%ymm13, %%ymm2, %%ymm2\n\t"  \
    EVMCORE_CLEAR_COLUMN("2", "1", "0") EVMCORE_CLEAR_COLUMN("3", "2", "1") EVMCORE_CLEAR_COLUMN("4", "3", "2")  \
    EVMCORE_CLEAR_COLUMN("5", "4", "3") EVMCORE_CLEAR_COLUMN("6", "5", "4") EVMCORE_CLEAR_COLUMN("7", "6", "5")  \
    EVMCORE_CLEAR_COLUMN("8", "7", "6") EVMCORE_CLEAR_COLUMN("9", "8", "7")                              \
    "vmovdqa " EVMCORE_LAST ", %%ymm9\n\t vpmuldq %%ymm12, %%ymm11, %%ymm14\n\t vpaddq %%ymm14, %%ymm9, %%ymm8\n\t"

// The last column to clear: m (ymm10) times the modulus, and down by one.
#define EVMCORE_CLEAR_LAST(I, J, SCRATCH)                                                               \
    "vpmuldq " EVMCORE_MODULUS(I) ", %%ymm10, %%ymm" SCRATCH "\n\t vpaddq %%ymm" SCRATCH ", %%ymm" I ", %%ymm" J "\n\t"
#define EVMCORE_CLEAR_ONE                                                                               \
    "vpmuldq " EVMCORE_INVERSE ", %%ymm0, %%ymm10\n\t vpand %%ymm15, %%ymm10, %%ymm10\n\t"                 \
    EVMCORE_CLEAR_LAST("0", "14", "11") "vpsrlq $29, %%ymm14, %%ymm14\n\t"                                \
    EVMCORE_CLEAR_LAST("1", "0", "11") EVMCORE_CLEAR_LAST("2", "1", "12") EVMCORE_CLEAR_LAST("3", "2", "13")  \
    EVMCORE_CLEAR_LAST("4", "3", "11") EVMCORE_CLEAR_LAST("5", "4", "12") EVMCORE_CLEAR_LAST("6", "5", "13")  \
    EVMCORE_CLEAR_LAST("7", "6", "11") EVMCORE_CLEAR_LAST("8", "7", "12")                                \
    "vmovdqa %%ymm9, %%ymm8\n\t vpaddq %%ymm14, %%ymm0, %%ymm0\n\t"

// Digit I of the result, and its carry into column J.
#define EVMCORE_RESULT_DIGIT(I, J)                                                                      \
    "vpand %%ymm15, %%ymm" I ", %%ymm10\n\t vpsrlq $29, %%ymm" I ", %%ymm11\n\t vpsubq %%ymm14, %%ymm10, %%ymm10\n\t"  \
    "vpaddq %%ymm11, %%ymm" J ", %%ymm" J "\n\t vmovdqa %%ymm10, 32*" I "(%[r])\n\t"
#define EVMCORE_RESULT                                                                                  \
    "vmovdqa " EVMCORE_HALF ", %%ymm14\n\t"                                                              \
    EVMCORE_RESULT_DIGIT("0", "1") EVMCORE_RESULT_DIGIT("1", "2") EVMCORE_RESULT_DIGIT("2", "3")         \
    EVMCORE_RESULT_DIGIT("3", "4") EVMCORE_RESULT_DIGIT("4", "5") EVMCORE_RESULT_DIGIT("5", "6")         \
    EVMCORE_RESULT_DIGIT("6", "7") EVMCORE_RESULT_DIGIT("7", "8")                                        \
    "vpsubq " EVMCORE_TOP ", %%ymm8, %%ymm8\n\t vmovdqa %%ymm8, 256(%[r])\n\t"

// Over all terms: the products of a digit, or two, of the factor with the vector.
#define EVMCORE_EACH_TERM(LABEL, PRODUCTS)                                                              \
    "movq %[terms], %[term]\n\t .p2align 5\n" LABEL ":\n\t movq (%[term]), %[scalar]\n\t movq 8(%[term]), %[vector]\n\t" PRODUCTS  \
    "addq $16, %[term]\n\t cmpq %[end], %[term]\n\t jne " LABEL "b\n\t"

// r = the sum of the terms' products, divided by 2^261 modulo p, tight and from -p to 3p. Local labels: 1, 2, 3.
#define EVMCORE_SUM_OF_PRODUCTS(TWO, ONE)                                                               \
    const Term* term;                                                                                    \
    uint64_t digit, scalar, vector;                                                                      \
    __asm__ volatile(                                                                                    \
        "vmovdqa " EVMCORE_FIRST ", %%ymm0\n\t vmovdqa " EVMCORE_NEXT ", %%ymm1\n\t vmovdqa " EVMCORE_LAST ", %%ymm9\n\t"  \
        "vmovdqa " EVMCORE_MASK ", %%ymm15\n\t vmovdqa %%ymm1, %%ymm2\n\t vmovdqa %%ymm1, %%ymm3\n\t"       \
        "vmovdqa %%ymm1, %%ymm4\n\t vmovdqa %%ymm1, %%ymm5\n\t vmovdqa %%ymm1, %%ymm6\n\t"                 \
        "vmovdqa %%ymm1, %%ymm7\n\t vmovdqa %%ymm1, %%ymm8\n\t xorl %k[digit], %k[digit]\n\t"               \
        "1:\n\t" EVMCORE_EACH_TERM("2", TWO) EVMCORE_CLEAR_TWO                                            \
        "addl $64, %k[digit]\n\t cmpl $256, %k[digit]\n\t jne 1b\n\t"                                      \
        EVMCORE_EACH_TERM("3", ONE) EVMCORE_CLEAR_ONE EVMCORE_RESULT                                     \
        : [term] "=&r"(term), [digit] "=&r"(digit), [scalar] "=&r"(scalar), [vector] "=&r"(vector)       \
        : [r] "r"(&r), [terms] "r"(terms), [end] "r"(terms + count), [k] "r"(&CONSTANTS)                 \
        : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",  \
          "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")
#define EVMCORE_RE "0(%[vector])"
#define EVMCORE_IM "320(%[vector])"
// clang-format on

struct Lane {
    // One factor for all four lanes: with it an Fp2 multiplies both of the vector.
    EVMCORE_AVX2 EVMCORE_NOINLINE static void sum_of_multiples(Quad& r, const Term* terms, int count) noexcept {
        EVMCORE_SUM_OF_PRODUCTS(
            EVMCORE_TWO_DIGITS("vpbroadcastq", "0", EVMCORE_RE) EVMCORE_TWO_DIGITS("vpbroadcastq", "8", EVMCORE_IM),
            EVMCORE_ONE_DIGIT("vpbroadcastq", "0", EVMCORE_RE) EVMCORE_ONE_DIGIT("vpbroadcastq", "8", EVMCORE_IM));
    }

    // A factor for each half: two Fp2 times two Fp2.
    EVMCORE_AVX2 EVMCORE_NOINLINE static void sum_of_products(Quad& r, const Term* terms, int count) noexcept {
        EVMCORE_SUM_OF_PRODUCTS(
            EVMCORE_TWO_DIGITS("vmovddup", "0", EVMCORE_RE) EVMCORE_TWO_DIGITS("vpermilpd $15,", "0", EVMCORE_IM),
            EVMCORE_ONE_DIGIT("vmovddup", "0", EVMCORE_RE) EVMCORE_ONE_DIGIT("vpermilpd $15,", "0", EVMCORE_IM));
    }

    // A factor for each lane.
    EVMCORE_AVX2 EVMCORE_NOINLINE static void multiply_lanes(Quad& r, const Quad& a, const Quad& b) noexcept {
        const Term pair{a.limb[0], reinterpret_cast<const Rotated*>(&b)};
        const Term* const terms = &pair;
        constexpr int count = 1;
        EVMCORE_SUM_OF_PRODUCTS(EVMCORE_TWO_DIGITS("vmovdqa", "0", EVMCORE_RE), EVMCORE_ONE_DIGIT("vmovdqa", "0", EVMCORE_RE));
    }

    EVMCORE_AVX2 static Lanes multiply32(Lanes a, Lanes b) noexcept {
        return reinterpret_cast<Lanes>(_mm256_mul_epi32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
    }
    EVMCORE_AVX2 static Lanes shift_right(Lanes a, int bits) noexcept {
        return reinterpret_cast<Lanes>(_mm256_srli_epi64(reinterpret_cast<__m256i>(a), bits));
    }
    // (im, re) for (re, im)
    EVMCORE_AVX2 static Lanes swap_parts(Lanes a) noexcept {
        return reinterpret_cast<Lanes>(_mm256_shuffle_epi32(reinterpret_cast<__m256i>(a), 0x4e));
    }
    // the two Fp2 exchanged, or one of them twice
    EVMCORE_AVX2 static Lanes swap_halves(Lanes a) noexcept {
        return reinterpret_cast<Lanes>(_mm256_permute4x64_epi64(reinterpret_cast<__m256i>(a), 0x4e));
    }
    EVMCORE_AVX2 static Lanes low_half_twice(Lanes a) noexcept {
        return reinterpret_cast<Lanes>(_mm256_permute4x64_epi64(reinterpret_cast<__m256i>(a), 0x44));
    }
    EVMCORE_AVX2 static Lanes high_half_twice(Lanes a) noexcept {
        return reinterpret_cast<Lanes>(_mm256_permute4x64_epi64(reinterpret_cast<__m256i>(a), 0xee));
    }

    // r = x made tight: less the multiple of p that its top limb suggests, and with all carries done.
    // For limbs below 2^40 and a top limb below 2^31; the value ends within p.
    EVMCORE_AVX2 static void tighten(Quad& r, const Lanes x[DIGITS]) noexcept {
        constexpr int RECIPROCAL_BITS = 52;
        // 2^52 times the top limb's weight, 2^232, over p
        constexpr int64_t RECIPROCAL = static_cast<int64_t>(
            (static_cast<unsigned __int128>(1) << (RECIPROCAL_BITS + DIGIT_BITS)) /
            static_cast<uint64_t>(split_digits(MODULUS).digit[8] << DIGIT_BITS | split_digits(MODULUS).digit[7]));
        constexpr int64_t BIAS = int64_t{1} << 62;
        const Lanes rounded = multiply32(x[DIGITS - 1], all(RECIPROCAL)) + all(BIAS + (int64_t{1} << (RECIPROCAL_BITS - 1)));
        const Lanes quotient = shift_right(rounded, RECIPROCAL_BITS) - all(BIAS >> RECIPROCAL_BITS);
        // one pass suffices: what is carried is small enough to stay on top of a tight limb
        Lanes carry = all(0);
        for (int i = 0; i < DIGITS; ++i) {
            const Lanes t = x[i] - multiply32(quotient, load(CONSTANTS.modulus[i]));
            if (i == DIGITS - 1) {
                store(r, i, t + carry);
            } else {
                const Lanes biased = t + all(BIAS + HALF_DIGIT);
                store(r, i, (biased & all(DIGIT_MASK)) + (carry - all(HALF_DIGIT)));
                carry = shift_right(biased, DIGIT_BITS) - all(BIAS >> DIGIT_BITS);
            }
        }
    }

    EVMCORE_AVX2 static Lanes all(int64_t value) noexcept { return Lanes{value, value, value, value}; }

    // Not by assignment: a compiler may copy by words, which the vector loads that follow would have to wait for.
    EVMCORE_AVX2 static void copy(Quad& r, const Quad& a) noexcept {
        for (int i = 0; i < DIGITS; ++i)
            store(r, i, load(a, i));
    }

    // Of these the weights add up; nothing is carried.
    EVMCORE_AVX2 static void add(Quad& r, const Quad& a, const Quad& b) noexcept {
        for (int i = 0; i < DIGITS; ++i)
            store(r, i, load(a, i) + load(b, i));
    }
    EVMCORE_AVX2 static void subtract(Quad& r, const Quad& a, const Quad& b) noexcept {
        for (int i = 0; i < DIGITS; ++i)
            store(r, i, load(a, i) - load(b, i));
    }
    // lanes times 1 or -1
    EVMCORE_AVX2 static void flip(Quad& r, const Quad& a, Lanes signs) noexcept {
        const Lanes negative = signs < all(0);
        for (int i = 0; i < DIGITS; ++i)
            store(r, i, (load(a, i) ^ negative) - negative);
    }

    // r = m1 a + m2 b, tight
    EVMCORE_AVX2 static void combine(Quad& r, int64_t m1, const Quad& a, int64_t m2, const Quad& b) noexcept {
        Lanes x[DIGITS];
        for (int i = 0; i < DIGITS; ++i)
            x[i] = multiply32(load(a, i), all(m1)) + multiply32(load(b, i), all(m2));
        tighten(r, x);
    }
    EVMCORE_AVX2 static void tighten(Quad& a) noexcept {
        Lanes x[DIGITS];
        for (int i = 0; i < DIGITS; ++i)
            x[i] = load(a, i);
        tighten(a, x);
    }

    // i times x beside it: (-im, re)
    EVMCORE_AVX2 static void rotate(Rotated& r) noexcept {
        const Lanes negative{-1, 0, -1, 0};
        for (int i = 0; i < DIGITS; ++i)
            store(r.ix, i, (swap_parts(load(r.x, i)) ^ negative) - negative);
    }

    // Two squares in Fp2, (re + im)(re - im) and 2 re im, in one product. For tight ones.
    EVMCORE_AVX2 static void square(Quad& r, const Quad& a) noexcept {
        Quad left, right;
        const Lanes real{-1, 0, -1, 0};
        for (int i = 0; i < DIGITS; ++i) {
            const Lanes x = load(a, i), swapped = swap_parts(x);
            // (re, re) + (im, re), and (re, im) - (im, 0)
            store(left, i, swapped + ((x & real) | (swapped & ~real)));
            store(right, i, x - (swapped & real));
        }
        multiply_lanes(r, left, right);
    }

    // Two products in Fp2
    EVMCORE_AVX2 static void multiply(Quad& r, const Quad& a, const Rotated& b) noexcept {
        const Term term{a.limb[0], &b};
        sum_of_products(r, &term, 1);
    }

    // The values in Montgomery form by 2^256, canonical
    EVMCORE_AVX2 static void to_scalar(Fp r[4], const Quad& a) noexcept {
        // a * 2^256 / 2^261
        static constexpr Quad FACTOR = make_quad(ONE, ONE, ONE, ONE);
        Quad t;
        multiply_lanes(t, a, FACTOR);
        for (int lane = 0; lane < 4; ++lane) {
            __int128 sum = 0;
            Fp value{};
            int limb = 0;
            for (int word = 0; word < 4; ++word) {
                for (; limb < DIGITS && limb * DIGIT_BITS < 64 * (word + 1); ++limb)
                    sum += static_cast<__int128>(t.limb[limb][lane]) << (limb * DIGIT_BITS - 64 * word);
                value.limb[word] = static_cast<uint64_t>(sum);
                sum >>= 64;
            }
            if (sum < 0)
                Portable::add_limbs(value.limb, value.limb, MODULUS.limb, 4);
            Portable::subtract_once(value, TWICE_MODULUS);
            Portable::subtract_once(value, MODULUS);
            r[lane] = value;
        }
    }
};

}  // namespace evmcore::bn254

#endif
