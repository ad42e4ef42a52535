// BN254's base field for x86-64 with BMI2 and ADX (Broadwell, Zen and later): the twin of `Portable`, in assembler.
// mulx leaves the flags alone and adcx, adox carry in a flag of their own, so that each row of a product adds its low and
// its high words side by side. Depends on the portable field, whose ranges and results these share.
#pragma once

#include "../base/types.hpp"
#include "bn254_field.hpp"

#if defined(__x86_64__)

#define EVMCORE_BN254_FUNCTION __attribute__((noinline, target("bmi2")))

// The rows. They name the operands %[low], %[h0], %[h1], %[h2] (scratch); a product's low words go in first, in one carry
// chain, then its high words in another, which runs a step behind.

// (t0 .. t3, top) = (t0 .. t3) + rdx * B + CARRY * 2^256; the top word is new
#define EVMCORE_ROW_NEW_TOP(B, CARRY, t0, t1, t2, t3, top)                                            \
    "mulxq 0+" B ", %[low], %[h0]\n\t addq %[low], " t0 "\n\t"                                         \
    "mulxq 8+" B ", %[low], %[h1]\n\t adcq %[low], " t1 "\n\t"                                         \
    "mulxq 16+" B ", %[low], %[h2]\n\t adcq %[low], " t2 "\n\t"                                        \
    "mulxq 24+" B ", %[low], " top "\n\t adcq %[low], " t3 "\n\t adcq $0, " top "\n\t"                   \
    "addq %[h0], " t1 "\n\t adcq %[h1], " t2 "\n\t adcq %[h2], " t3 "\n\t adcq " CARRY ", " top "\n\t"

// (t0 .. top) += rdx * B
#define EVMCORE_ROW(B, COUNT, t0, t1, t2, t3, top)                                                    \
    "mulxq 0+" B ", %[low], %[h0]\n\t addq %[low], " t0 "\n\t"                                         \
    "mulxq 8+" B ", %[low], %[h1]\n\t adcq %[low], " t1 "\n\t"                                         \
    "mulxq 16+" B ", %[low], %[h2]\n\t adcq %[low], " t2 "\n\t"                                        \
    "mulxq 24+" B ", %[low], %%rdx\n\t adcq %[low], " t3 "\n\t adcq %%rdx, " top "\n\t" COUNT            \
    "addq %[h0], " t1 "\n\t adcq %[h1], " t2 "\n\t adcq %[h2], " t3 "\n\t adcq $0, " top "\n\t" COUNT

// (t0 .. top) = rdx * B
#define EVMCORE_FIRST_ROW(B, t0, t1, t2, t3, top)                                                     \
    "mulxq 0+" B ", " t0 ", " t1 "\n\t"                                                                \
    "mulxq 8+" B ", %[low], " t2 "\n\t addq %[low], " t1 "\n\t"                                         \
    "mulxq 16+" B ", %[low], " t3 "\n\t adcq %[low], " t2 "\n\t"                                        \
    "mulxq 24+" B ", %[low], " top "\n\t adcq %[low], " t3 "\n\t"                                       \
    "adcq $0, " top "\n\t"

// (t1, t2, t3, t0) = ((t0 .. t3) + m * p) / 2^64 + TOP * 2^192, with the m that makes the lowest word vanish: it leaves
// a carry unless it was zero.
#define EVMCORE_REDUCE_ROW(t0, t1, t2, t3, TOP)                                                       \
    "movq %[inverse], %%rdx\n\t imulq " t0 ", %%rdx\n\t negq " t0 "\n\t"                                  \
    "mulxq 0(%[p]), %[low], %[h0]\n\t"                                                                  \
    "mulxq 8(%[p]), %[low], %[h1]\n\t adcq %[low], " t1 "\n\t"                                          \
    "mulxq 16(%[p]), %[low], %[h2]\n\t adcq %[low], " t2 "\n\t"                                         \
    "mulxq 24(%[p]), %[low], " t0 "\n\t adcq %[low], " t3 "\n\t adcq $0, " t0 "\n\t"                      \
    "addq %[h0], " t1 "\n\t adcq %[h1], " t2 "\n\t adcq %[h2], " t3 "\n\t adcq " TOP ", " t0 "\n\t"

// (t0 .. t3) minus M, if that is not negative
#define EVMCORE_SUBTRACT_ONCE(M)                                                                      \
    "movq %[t0], %[low]\n\t movq %[t1], %[h0]\n\t movq %[t2], %[h1]\n\t movq %[t3], %%rdx\n\t"           \
    "subq 0+" M ", %[low]\n\t sbbq 8+" M ", %[h0]\n\t sbbq 16+" M ", %[h1]\n\t sbbq 24+" M ", %%rdx\n\t" \
    "cmovncq %[low], %[t0]\n\t cmovncq %[h0], %[t1]\n\t cmovncq %[h1], %[t2]\n\t cmovncq %%rdx, %[t3]\n\t"

// One instruction on each of t0 .. t3 with the four words at M: "add", "adc"; "sub", "sbb"; "mov", "mov".
#define EVMCORE_FOUR(FIRST, NEXT, M)                                                                  \
    FIRST "q 0+" M ", %[t0]\n\t" NEXT "q 8+" M ", %[t1]\n\t" NEXT "q 16+" M ", %[t2]\n\t" NEXT "q 24+" M ", %[t3]\n\t"
#define EVMCORE_STORE(M)                                                                              \
    "movq %[t0], 0+" M "\n\t movq %[t1], 8+" M "\n\t movq %[t2], 16+" M "\n\t movq %[t3], 24+" M "\n\t"

// The K-th picked pair: word I of a, times b. From the third pair on a sum can outgrow its five words (three lazy factors,
// each up to 2p, exceed 2^256), so the carry is counted.
#define EVMCORE_WORD(K, I) "movq 8*" I "+%c[a" K "](%[a]), %%rdx\n\t"
#define EVMCORE_FACTOR(K) "%c[b" K "](%[b])"
#define EVMCORE_COUNT_CARRY "adcq $0, %[carry]\n\t"
#define EVMCORE_PAIRS_1(I, COUNT, ...)
#define EVMCORE_PAIRS_2(I, COUNT, ...) EVMCORE_WORD("1", I) EVMCORE_ROW(EVMCORE_FACTOR("1"), "", __VA_ARGS__)
#define EVMCORE_PAIRS_3(I, COUNT, ...)                                                                \
    EVMCORE_PAIRS_2(I, COUNT, __VA_ARGS__) EVMCORE_WORD("2", I) EVMCORE_ROW(EVMCORE_FACTOR("2"), COUNT, __VA_ARGS__)

// One word of all the a's, from the second word on; the lowest word of the sum is then final.
#define EVMCORE_GROUP(PAIRS, I, COUNT, t0, t1, t2, t3, top)                                           \
    EVMCORE_WORD("0", I) EVMCORE_ROW_NEW_TOP(EVMCORE_FACTOR("0"), "%[carry]", t0, t1, t2, t3, top)      \
    "movl $0, %k[carry]\n\t" PAIRS(I, COUNT, t0, t1, t2, t3, top) "movq " t0 ", 8*" I "(%[r])\n\t"

// r = the sum of the pairs' products
#define EVMCORE_PRODUCTS(PAIRS)                                                                       \
    EVMCORE_WORD("0", "0") EVMCORE_FIRST_ROW(EVMCORE_FACTOR("0"), "%[t0]", "%[t1]", "%[t2]", "%[t3]", "%[t4]")  \
    "movl $0, %k[carry]\n\t"                                                                    \
    PAIRS("0", EVMCORE_COUNT_CARRY, "%[t0]", "%[t1]", "%[t2]", "%[t3]", "%[t4]") "movq %[t0], (%[r])\n\t"  \
    EVMCORE_GROUP(PAIRS, "1", EVMCORE_COUNT_CARRY, "%[t1]", "%[t2]", "%[t3]", "%[t4]", "%[t0]")         \
    EVMCORE_GROUP(PAIRS, "2", EVMCORE_COUNT_CARRY, "%[t2]", "%[t3]", "%[t4]", "%[t0]", "%[t1]")         \
    EVMCORE_GROUP(PAIRS, "3", "", "%[t3]", "%[t4]", "%[t0]", "%[t1]", "%[t2]")                          \
    "movq %[t4], 32(%[r])\n\t movq %[t0], 40(%[r])\n\t movq %[t1], 48(%[r])\n\t movq %[t2], 56(%[r])\n\t"

#define EVMCORE_REDUCE_ROWS                                                                           \
    EVMCORE_REDUCE_ROW("%[t0]", "%[t1]", "%[t2]", "%[t3]", "$0")                                   \
    EVMCORE_REDUCE_ROW("%[t1]", "%[t2]", "%[t3]", "%[t0]", "$0")                                   \
    EVMCORE_REDUCE_ROW("%[t2]", "%[t3]", "%[t0]", "%[t1]", "$0")                                   \
    EVMCORE_REDUCE_ROW("%[t3]", "%[t0]", "%[t1]", "%[t2]", "$0")

#define EVMCORE_TO(X) [r0] "=m"(X.limb[0]), [r1] "=m"(X.limb[1]), [r2] "=m"(X.limb[2]), [r3] "=m"(X.limb[3])
#define EVMCORE_FROM(NAME, X) \
    [NAME##0] "m"(X.limb[0]), [NAME##1] "m"(X.limb[1]), [NAME##2] "m"(X.limb[2]), [NAME##3] "m"(X.limb[3])

namespace evmcore::bn254 {

struct WithMulx : private Portable {
    // by assembler where Portable has functions of these names
    using Portable::add_lazy;

    static EVMCORE_INLINE void add(Fp& r, const Fp& a, const Fp& b) noexcept {
        uint64_t t0 = a.limb[0], t1 = a.limb[1], t2 = a.limb[2], t3 = a.limb[3], u0, u1, u2, u3;
        __asm__("addq %[b0], %[t0]\n\t adcq %[b1], %[t1]\n\t adcq %[b2], %[t2]\n\t adcq %[b3], %[t3]\n\t"
                "movq %[t0], %[u0]\n\t movq %[t1], %[u1]\n\t movq %[t2], %[u2]\n\t movq %[t3], %[u3]\n\t"
                "subq %[p0], %[u0]\n\t sbbq %[p1], %[u1]\n\t sbbq %[p2], %[u2]\n\t sbbq %[p3], %[u3]\n\t"
                "cmovcq %[t0], %[u0]\n\t cmovcq %[t1], %[u1]\n\t cmovcq %[t2], %[u2]\n\t cmovcq %[t3], %[u3]\n\t"
                "movq %[u0], %[r0]\n\t movq %[u1], %[r1]\n\t movq %[u2], %[r2]\n\t movq %[u3], %[r3]"
                : EVMCORE_TO(r), [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [u0] "=&r"(u0),
                  [u1] "=&r"(u1), [u2] "=&r"(u2), [u3] "=&r"(u3)
                : EVMCORE_FROM(b, b), EVMCORE_FROM(p, MODULUS)
                : "cc");
    }

    static EVMCORE_INLINE void add_lazy(Fp& r, const Fp& a, const Fp& b) noexcept {
        uint64_t t0 = a.limb[0], t1 = a.limb[1], t2 = a.limb[2], t3 = a.limb[3];
        __asm__("addq %[b0], %[t0]\n\t adcq %[b1], %[t1]\n\t adcq %[b2], %[t2]\n\t adcq %[b3], %[t3]\n\t"
                "movq %[t0], %[r0]\n\t movq %[t1], %[r1]\n\t movq %[t2], %[r2]\n\t movq %[t3], %[r3]"
                : EVMCORE_TO(r), [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3)
                : EVMCORE_FROM(b, b)
                : "cc");
    }

    static EVMCORE_INLINE void subtract(Fp& r, const Fp& a, const Fp& b) noexcept {
        uint64_t t0 = a.limb[0], t1 = a.limb[1], t2 = a.limb[2], t3 = a.limb[3], u0, u1, u2, u3;
        __asm__("subq %[b0], %[t0]\n\t sbbq %[b1], %[t1]\n\t sbbq %[b2], %[t2]\n\t sbbq %[b3], %[t3]\n\t"
                "sbbq %[u0], %[u0]\n\t movq %[u0], %[u1]\n\t movq %[u0], %[u2]\n\t movq %[u0], %[u3]\n\t"
                "andq %[p0], %[u0]\n\t andq %[p1], %[u1]\n\t andq %[p2], %[u2]\n\t andq %[p3], %[u3]\n\t"
                "addq %[u0], %[t0]\n\t adcq %[u1], %[t1]\n\t adcq %[u2], %[t2]\n\t adcq %[u3], %[t3]\n\t"
                "movq %[t0], %[r0]\n\t movq %[t1], %[r1]\n\t movq %[t2], %[r2]\n\t movq %[t3], %[r3]"
                : EVMCORE_TO(r), [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [u0] "=&r"(u0),
                  [u1] "=&r"(u1), [u2] "=&r"(u2), [u3] "=&r"(u3)
                : EVMCORE_FROM(b, b), EVMCORE_FROM(p, MODULUS)
                : "cc");
    }

    static EVMCORE_BN254_FUNCTION void multiply(Fp& r, const Fp& a, const Fp& b) noexcept {
        uint64_t t0, t1, t2, t3, t4, low, h0, h1, h2;
        __asm__ volatile("movq (%[a]), %%rdx\n\t" EVMCORE_FIRST_ROW("0(%[b])", "%[t0]", "%[t1]", "%[t2]", "%[t3]", "%[t4]")
                EVMCORE_REDUCE_ROW("%[t0]", "%[t1]", "%[t2]", "%[t3]", "%[t4]")
                "movq 8(%[a]), %%rdx\n\t" EVMCORE_ROW_NEW_TOP("0(%[b])", "$0", "%[t1]", "%[t2]", "%[t3]", "%[t0]", "%[t4]")
                EVMCORE_REDUCE_ROW("%[t1]", "%[t2]", "%[t3]", "%[t0]", "%[t4]")
                "movq 16(%[a]), %%rdx\n\t" EVMCORE_ROW_NEW_TOP("0(%[b])", "$0", "%[t2]", "%[t3]", "%[t0]", "%[t1]", "%[t4]")
                EVMCORE_REDUCE_ROW("%[t2]", "%[t3]", "%[t0]", "%[t1]", "%[t4]")
                "movq 24(%[a]), %%rdx\n\t" EVMCORE_ROW_NEW_TOP("0(%[b])", "$0", "%[t3]", "%[t0]", "%[t1]", "%[t2]", "%[t4]")
                EVMCORE_REDUCE_ROW("%[t3]", "%[t0]", "%[t1]", "%[t2]", "%[t4]")
                EVMCORE_SUBTRACT_ONCE("0(%[p])") EVMCORE_STORE("0(%[r])")
                : [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2), [t3] "=&r"(t3), [t4] "=&r"(t4), [low] "=&r"(low),
                  [h0] "=&r"(h0), [h1] "=&r"(h1), [h2] "=&r"(h2)
                : [r] "r"(&r), [a] "r"(&a), [b] "r"(&b), [p] "r"(&MODULUS),
                  [inverse] "m"(MODULUS_INVERSE)
                : "rdx", "cc", "memory");
    }

    static EVMCORE_INLINE void square(Fp& r, const Fp& a) noexcept { multiply(r, a, a); }

#define EVMCORE_PRODUCTS_ASM(COUNT, ...)                                                              \
    uint64_t t0, t1, t2, t3, t4, low, h0, h1, h2, carry;                                                \
    __asm__ volatile(EVMCORE_PRODUCTS(EVMCORE_PAIRS_##COUNT)                                           \
            : [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2), [t3] "=&r"(t3), [t4] "=&r"(t4),           \
              [low] "=&r"(low), [h0] "=&r"(h0), [h1] "=&r"(h1), [h2] "=&r"(h2), [carry] "=&r"(carry)               \
            : [r] "r"(r), [a] "r"(a), [b] "r"(b), __VA_ARGS__                  \
            : "rdx", "cc", "memory")
#define EVMCORE_AT(K) [a##K] "i"(A##K * sizeof(Factor)), [b##K] "i"(B##K * sizeof(Factor))

    template <int A0, int B0>
    static EVMCORE_BN254_FUNCTION void products(Wide* r, const Fp* a, Pick<A0>, const Fp* b, Pick<B0>) noexcept {
        EVMCORE_PRODUCTS_ASM(1, EVMCORE_AT(0));
    }

    template <int A0, int A1, int B0, int B1>
    static EVMCORE_BN254_FUNCTION void products(Wide* r, const Fp* a, Pick<A0, A1>, const Fp* b, Pick<B0, B1>) noexcept {
        EVMCORE_PRODUCTS_ASM(2, EVMCORE_AT(0), EVMCORE_AT(1));
    }

    template <int A0, int A1, int A2, int B0, int B1, int B2>
    static EVMCORE_BN254_FUNCTION void products(Wide* r, const Fp* a, Pick<A0, A1, A2>, const Fp* b,
                                                Pick<B0, B1, B2>) noexcept {
        EVMCORE_PRODUCTS_ASM(3, EVMCORE_AT(0), EVMCORE_AT(1), EVMCORE_AT(2));
    }

    // w: the products of the real, of the imaginary parts, and of the sums; at most five products
    static EVMCORE_BN254_FUNCTION void reduce(Fp2& r, Wide* w) noexcept {
        static constexpr Fp ZERO{};
        uint64_t t0, t1, t2, t3, low, h0, h1, h2;
        __asm__ volatile(EVMCORE_FOUR("mov", "mov", "128(%[w])")
                EVMCORE_FOUR("sub", "sbb", "0(%[w])")
                "movq 160(%[w]), %[low]\n\t movq 168(%[w]), %[h0]\n\t movq 176(%[w]), %[h1]\n\t movq 184(%[w]), %%rdx\n\t"
                "sbbq 32(%[w]), %[low]\n\t sbbq 40(%[w]), %[h0]\n\t sbbq 48(%[w]), %[h1]\n\t sbbq 56(%[w]), %%rdx\n\t"
                EVMCORE_FOUR("sub", "sbb", "64(%[w])")
                "sbbq 96(%[w]), %[low]\n\t sbbq 104(%[w]), %[h0]\n\t sbbq 112(%[w]), %[h1]\n\t sbbq 120(%[w]), %%rdx\n\t"
                "movq %[low], 160(%[w])\n\t movq %[h0], 168(%[w])\n\t movq %[h1], 176(%[w])\n\t movq %%rdx, 184(%[w])\n\t"
                EVMCORE_REDUCE_ROWS
                EVMCORE_FOUR("add", "adc", "160(%[w])")
                EVMCORE_SUBTRACT_ONCE("0(%[p])") EVMCORE_SUBTRACT_ONCE("0(%[p])") EVMCORE_STORE("32(%[r])")
                EVMCORE_FOUR("mov", "mov", "0(%[w])")
                EVMCORE_FOUR("sub", "sbb", "64(%[w])")
                "movq 32(%[w]), %[low]\n\t movq 40(%[w]), %[h0]\n\t movq 48(%[w]), %[h1]\n\t movq 56(%[w]), %%rdx\n\t"
                "sbbq 96(%[w]), %[low]\n\t sbbq 104(%[w]), %[h0]\n\t sbbq 112(%[w]), %[h1]\n\t sbbq 120(%[w]), %%rdx\n\t"
                "cmovcq %[p], %[none]\n\t"
                "addq 0(%[none]), %[low]\n\t adcq 8(%[none]), %[h0]\n\t adcq 16(%[none]), %[h1]\n\t adcq 24(%[none]), %%rdx\n\t"
                "movq %[low], 32(%[w])\n\t movq %[h0], 40(%[w])\n\t movq %[h1], 48(%[w])\n\t movq %%rdx, 56(%[w])\n\t"
                EVMCORE_REDUCE_ROWS
                EVMCORE_FOUR("add", "adc", "32(%[w])")
                EVMCORE_SUBTRACT_ONCE("0(%[p])") EVMCORE_STORE("0(%[r])")
                : [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2), [t3] "=&r"(t3), [low] "=&r"(low),
                  [h0] "=&r"(h0), [h1] "=&r"(h1), [h2] "=&r"(h2)
                : [r] "r"(&r), [w] "r"(w), [none] "r"(&ZERO),                   [p] "r"(&MODULUS), [inverse] "m"(MODULUS_INVERSE)
                : "rdx", "cc", "memory");
    }

    template <int... A, int... B>
    static EVMCORE_INLINE void sum_of_products(Fp2& r, const Factor* a, Pick<A...> pick_a, const Factor* b,
                                               Pick<B...> pick_b) noexcept {
        Wide w[3];
        products(w, &a->re, pick_a, &b->re, pick_b);
        products(w + 1, &a->im, pick_a, &b->im, pick_b);
        products(w + 2, &a->sum, pick_a, &b->sum, pick_b);
        reduce(r, w);
    }

    static EVMCORE_NOINLINE void add(Fp2& r, const Fp2& a, const Fp2& b) noexcept {
        add(r.re, a.re, b.re);
        add(r.im, a.im, b.im);
    }

    static EVMCORE_NOINLINE void subtract(Fp2& r, const Fp2& a, const Fp2& b) noexcept {
        subtract(r.re, a.re, b.re);
        subtract(r.im, a.im, b.im);
    }

    // r = (9 + i) * a
    static EVMCORE_NOINLINE void multiply_by_xi(Fp2& r, const Fp2& a) noexcept {
        Fp2 t;
        add(t, a, a);
        add(t, t, t);
        add(t, t, t);
        add(t, t, a);
        const Fp re = a.re;
        subtract(r.re, t.re, a.im);
        add(r.im, t.im, re);
    }

    static EVMCORE_NOINLINE void multiply(Fp2& r, const Fp2& a, const Fp2& b) noexcept {
        Wide w[3];
        Fp left, right;
        add_lazy(left, a.re, a.im);
        add_lazy(right, b.re, b.im);
        products(w, &a.re, Pick<0>{}, &b.re, Pick<0>{});
        products(w + 1, &a.im, Pick<0>{}, &b.im, Pick<0>{});
        products(w + 2, &left, Pick<0>{}, &right, Pick<0>{});
        reduce(r, w);
    }

    // (re + im)(re - im) + 2 re im i
    static EVMCORE_NOINLINE void square(Fp2& r, const Fp2& a) noexcept {
        Fp sum, difference, twice;
        add_lazy(sum, a.re, a.im);
        subtract(difference, a.re, a.im);
        add_lazy(twice, a.re, a.re);
        multiply(r.im, twice, a.im);
        multiply(r.re, sum, difference);
    }
};

}  // namespace evmcore::bn254

#endif
