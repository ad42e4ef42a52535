// BN254's base field for x86-64 with BMI2 (Haswell, Zen and later): the twin of `Portable`, in assembler.
// mulx leaves the flags alone, so a row's low words go in by one chain of carries while its products are still being made, and
// its high words by another a step behind. Depends on the portable field, whose ranges and results these share.
#pragma once

#include "../base/types.hpp"
#include "bn254_field.hpp"

#if defined(__x86_64__)

// The rows. They name the operands %[low], %[h0], %[h1], %[h2] (scratch).

// (t0 .. t3, top) = (t0 .. t3) + rdx * B; the top word is new
// clang-format off: assembly, related instructions on a line
#define EVMCORE_ROW(B, t0, t1, t2, t3, top)                                                           \
    "mulxq 0+" B ", %[low], %[h0]\n\t addq %[low], " t0 "\n\t"                                         \
    "mulxq 8+" B ", %[low], %[h1]\n\t adcq %[low], " t1 "\n\t"                                         \
    "mulxq 16+" B ", %[low], %[h2]\n\t adcq %[low], " t2 "\n\t"                                        \
    "mulxq 24+" B ", %[low], " top "\n\t adcq %[low], " t3 "\n\t adcq $0, " top "\n\t"                   \
    "addq %[h0], " t1 "\n\t adcq %[h1], " t2 "\n\t adcq %[h2], " t3 "\n\t adcq $0, " top "\n\t"

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

namespace evmcore::bn254 {

struct WithMulx {
    static EVMCORE_INLINE void add(Fp& r, const Fp& a, const Fp& b) noexcept {
        uint64_t t0 = a.limb[0], t1 = a.limb[1], t2 = a.limb[2], t3 = a.limb[3], u0, u1, u2, u3;
        __asm__ volatile(
            "addq 0(%[b]), %[t0]\n\t adcq 8(%[b]), %[t1]\n\t adcq 16(%[b]), %[t2]\n\t adcq 24(%[b]), %[t3]\n\t"
            "movq %[t0], %[u0]\n\t movq %[t1], %[u1]\n\t movq %[t2], %[u2]\n\t movq %[t3], %[u3]\n\t"
            "subq 0(%[p]), %[u0]\n\t sbbq 8(%[p]), %[u1]\n\t sbbq 16(%[p]), %[u2]\n\t sbbq 24(%[p]), %[u3]\n\t"
            "cmovcq %[t0], %[u0]\n\t cmovcq %[t1], %[u1]\n\t cmovcq %[t2], %[u2]\n\t cmovcq %[t3], %[u3]"
            : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [u0] "=&r"(u0), [u1] "=&r"(u1),
              [u2] "=&r"(u2), [u3] "=&r"(u3)
            : [b] "r"(&b), [p] "r"(&MODULUS)
            : "cc", "memory");
        r = Fp{{u0, u1, u2, u3}};
    }

    static EVMCORE_INLINE void add_lazy(Fp& r, const Fp& a, const Fp& b) noexcept {
        uint64_t t0 = a.limb[0], t1 = a.limb[1], t2 = a.limb[2], t3 = a.limb[3];
        __asm__ volatile(
            "addq 0(%[b]), %[t0]\n\t adcq 8(%[b]), %[t1]\n\t adcq 16(%[b]), %[t2]\n\t adcq 24(%[b]), %[t3]"
            : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3)
            : [b] "r"(&b)
            : "cc", "memory");
        r = Fp{{t0, t1, t2, t3}};
    }

    static EVMCORE_INLINE void subtract(Fp& r, const Fp& a, const Fp& b) noexcept {
        uint64_t t0 = a.limb[0], t1 = a.limb[1], t2 = a.limb[2], t3 = a.limb[3], u0, u1, u2, u3;
        __asm__ volatile(
            "subq 0(%[b]), %[t0]\n\t sbbq 8(%[b]), %[t1]\n\t sbbq 16(%[b]), %[t2]\n\t sbbq 24(%[b]), %[t3]\n\t"
            "sbbq %[u0], %[u0]\n\t movq %[u0], %[u1]\n\t movq %[u0], %[u2]\n\t movq %[u0], %[u3]\n\t"
            "andq 0(%[p]), %[u0]\n\t andq 8(%[p]), %[u1]\n\t andq 16(%[p]), %[u2]\n\t andq 24(%[p]), %[u3]\n\t"
            "addq %[u0], %[t0]\n\t adcq %[u1], %[t1]\n\t adcq %[u2], %[t2]\n\t adcq %[u3], %[t3]"
            : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [u0] "=&r"(u0), [u1] "=&r"(u1),
              [u2] "=&r"(u2), [u3] "=&r"(u3)
            : [b] "r"(&b), [p] "r"(&MODULUS)
            : "cc", "memory");
        r = Fp{{t0, t1, t2, t3}};
    }

    __attribute__((noinline, target("bmi2"))) static void multiply(Fp& r, const Fp& a, const Fp& b) noexcept {
        uint64_t t0, t1, t2, t3, t4, low, h0, h1, h2;
        __asm__ volatile(
            "movq (%[a]), %%rdx\n\t" EVMCORE_FIRST_ROW("0(%[b])", "%[t0]", "%[t1]", "%[t2]", "%[t3]", "%[t4]")
            EVMCORE_REDUCE_ROW("%[t0]", "%[t1]", "%[t2]", "%[t3]", "%[t4]")
            "movq 8(%[a]), %%rdx\n\t" EVMCORE_ROW("0(%[b])", "%[t1]", "%[t2]", "%[t3]", "%[t0]", "%[t4]")
            EVMCORE_REDUCE_ROW("%[t1]", "%[t2]", "%[t3]", "%[t0]", "%[t4]")
            "movq 16(%[a]), %%rdx\n\t" EVMCORE_ROW("0(%[b])", "%[t2]", "%[t3]", "%[t0]", "%[t1]", "%[t4]")
            EVMCORE_REDUCE_ROW("%[t2]", "%[t3]", "%[t0]", "%[t1]", "%[t4]")
            "movq 24(%[a]), %%rdx\n\t" EVMCORE_ROW("0(%[b])", "%[t3]", "%[t0]", "%[t1]", "%[t2]", "%[t4]")
            EVMCORE_REDUCE_ROW("%[t3]", "%[t0]", "%[t1]", "%[t2]", "%[t4]")
            // minus p, if that is not negative
            "movq %[t0], %[low]\n\t movq %[t1], %[h0]\n\t movq %[t2], %[h1]\n\t movq %[t3], %%rdx\n\t"
            "subq 0(%[p]), %[low]\n\t sbbq 8(%[p]), %[h0]\n\t sbbq 16(%[p]), %[h1]\n\t sbbq 24(%[p]), %%rdx\n\t"
            "cmovcq %[t0], %[low]\n\t cmovcq %[t1], %[h0]\n\t cmovcq %[t2], %[h1]\n\t cmovcq %[t3], %%rdx\n\t"
            "movq %[low], 0(%[r])\n\t movq %[h0], 8(%[r])\n\t movq %[h1], 16(%[r])\n\t movq %%rdx, 24(%[r])"
            : [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2), [t3] "=&r"(t3), [t4] "=&r"(t4), [low] "=&r"(low),
              [h0] "=&r"(h0), [h1] "=&r"(h1), [h2] "=&r"(h2)
            : [r] "r"(&r), [a] "r"(&a), [b] "r"(&b), [p] "r"(&MODULUS), [inverse] "m"(MODULUS_INVERSE)
            : "rdx", "cc", "memory");
    }

    static void square(Fp& r, const Fp& a) noexcept { multiply(r, a, a); }
};
// clang-format on

}  // namespace evmcore::bn254

#endif
