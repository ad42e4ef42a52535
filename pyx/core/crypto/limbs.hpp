// Rows of 64-bit limbs, least significant first: the multiply-and-add that long arithmetic spends its time in.
// On x86-64 with BMI2 and ADX (Broadwell, Zen and later) two carry chains run side by side; asked of the CPU once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "../base/types.hpp"

namespace evmcore::limbs {

#if defined(__x86_64__)
inline bool cpu_has_two_carry_chains() noexcept {
    unsigned eax, ebx, ecx, edx;
    constexpr unsigned BMI2 = 1u << 8, ADX = 1u << 19;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ebx & BMI2) != 0 && (ebx & ADX) != 0;
}
inline const bool has_two_carry_chains = cpu_has_two_carry_chains();

// r[0..COUNT) += a[0..COUNT) * b + carry; returns the new carry. CF carries the products, OF the sums.
// clang-format off: assembly, related instructions on a line
#define EVMCORE_ONE_LIMB(AT, IN, OUT)                                                  \
    "mulxq " AT "(%[a]), %[low], " OUT "\n\t adcxq " IN ", %[low]\n\t"                \
    "adoxq " AT "(%[r]), %[low]\n\t movq %[low], " AT "(%[r])\n\t"
#define EVMCORE_TWO_LIMBS(AT0, AT1) EVMCORE_ONE_LIMB(AT0, "%[carry]", "%[high]") EVMCORE_ONE_LIMB(AT1, "%[high]", "%[carry]")
#define EVMCORE_MULTIPLY_ADD(COUNT, ROWS)                                                                                 \
    EVMCORE_INLINE uint64_t multiply_add_##COUNT(uint64_t* r, const uint64_t* a, uint64_t b, uint64_t carry) noexcept {   \
        uint64_t low, high;                                                                                               \
        __asm__("xorl %k[low], %k[low]\n\t" ROWS "movl $0, %k[low]\n\t adcxq %[low], %[carry]\n\t adoxq %[low], %[carry]" \
                : [low] "=&r"(low), [high] "=&r"(high), [carry] "+&r"(carry),                                             \
                  "+m"(*reinterpret_cast<uint64_t(*)[COUNT]>(r))                                                          \
                : [r] "r"(r), [a] "r"(a), "d"(b), "m"(*reinterpret_cast<const uint64_t(*)[COUNT]>(a))                     \
                : "cc");                                                                                                  \
        return carry;                                                                                                     \
    }
EVMCORE_MULTIPLY_ADD(2, EVMCORE_TWO_LIMBS("0", "8"))
EVMCORE_MULTIPLY_ADD(4, EVMCORE_TWO_LIMBS("0", "8") EVMCORE_TWO_LIMBS("16", "24"))
EVMCORE_MULTIPLY_ADD(8, EVMCORE_TWO_LIMBS("0", "8") EVMCORE_TWO_LIMBS("16", "24") EVMCORE_TWO_LIMBS("32", "40")
                            EVMCORE_TWO_LIMBS("48", "56"))
#undef EVMCORE_MULTIPLY_ADD

// r = a * b / 2^256 mod modulus, for a * b below modulus * 2^256; the modulus may use all its bits. A row adds a * b[i] to
// the six registers T0 .. T5, another the multiple of the modulus that clears T0, which then takes the place of T5.
#define EVMCORE_PRODUCT_ROW(B, T0, T1, T2, T3, T4, T5)                                              \
    "movq " B "(%[b]), %%rdx\n\t xorl %k[" T5 "], %k[" T5 "]\n\t"                                    \
    "mulxq (%[a]), %[low], %[high]\n\t adoxq %[low], %[" T0 "]\n\t adcxq %[high], %[" T1 "]\n\t"     \
    "mulxq 8(%[a]), %[low], %[high]\n\t adoxq %[low], %[" T1 "]\n\t adcxq %[high], %[" T2 "]\n\t"    \
    "mulxq 16(%[a]), %[low], %[high]\n\t adoxq %[low], %[" T2 "]\n\t adcxq %[high], %[" T3 "]\n\t"   \
    "mulxq 24(%[a]), %[low], %[high]\n\t adoxq %[low], %[" T3 "]\n\t adcxq %[high], %[" T4 "]\n\t"   \
    "movl $0, %k[low]\n\t adoxq %[low], %[" T4 "]\n\t adcxq %[low], %[" T5 "]\n\t adoxq %[low], %[" T5 "]\n\t"
#define EVMCORE_CLEARING_ROW(T0, T1, T2, T3, T4, T5)                                                \
    "movq %[inverse], %%rdx\n\t imulq %[" T0 "], %%rdx\n\t xorl %k[low], %k[low]\n\t"                \
    "mulxq (%[p]), %[low], %[high]\n\t adcxq %[low], %[" T0 "]\n\t adoxq %[high], %[" T1 "]\n\t"     \
    "mulxq 8(%[p]), %[low], %[high]\n\t adcxq %[low], %[" T1 "]\n\t adoxq %[high], %[" T2 "]\n\t"    \
    "mulxq 16(%[p]), %[low], %[high]\n\t adcxq %[low], %[" T2 "]\n\t adoxq %[high], %[" T3 "]\n\t"   \
    "mulxq 24(%[p]), %[low], %[high]\n\t adcxq %[low], %[" T3 "]\n\t adoxq %[high], %[" T4 "]\n\t"   \
    "movl $0, %k[low]\n\t adcxq %[low], %[" T4 "]\n\t adoxq %[low], %[" T5 "]\n\t adcxq %[low], %[" T5 "]\n\t"
#define EVMCORE_ROWS(B, ...) EVMCORE_PRODUCT_ROW(B, __VA_ARGS__) EVMCORE_CLEARING_ROW(__VA_ARGS__)
inline void montgomery_multiply_4(uint64_t* r, const uint64_t* a, const uint64_t* b, const uint64_t* modulus,
                                  uint64_t inverse) noexcept {
    uint64_t t0 = 0, t1 = 0, t2 = 0, t3 = 0, t4 = 0, t5, low, high;
    __asm__ volatile(EVMCORE_ROWS("0", "t0", "t1", "t2", "t3", "t4", "t5") EVMCORE_ROWS("8", "t1", "t2", "t3", "t4", "t5", "t0")
            EVMCORE_ROWS("16", "t2", "t3", "t4", "t5", "t0", "t1") EVMCORE_ROWS("24", "t3", "t4", "t5", "t0", "t1", "t2")
            // (t4, t5, t0, t1, t2), minus the modulus if that is not negative
            "movq %[t4], %[low]\n\t movq %[t5], %[high]\n\t movq %[t0], %%rdx\n\t movq %[t1], %[t3]\n\t"
            "subq (%[p]), %[low]\n\t sbbq 8(%[p]), %[high]\n\t sbbq 16(%[p]), %%rdx\n\t sbbq 24(%[p]), %[t3]\n\t sbbq $0, %[t2]\n\t"
            "cmovcq %[t4], %[low]\n\t cmovcq %[t5], %[high]\n\t cmovcq %[t0], %%rdx\n\t cmovcq %[t1], %[t3]\n\t"
            "movq %[low], (%[r])\n\t movq %[high], 8(%[r])\n\t movq %%rdx, 16(%[r])\n\t movq %[t3], 24(%[r])"
            : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [t4] "+&r"(t4), [t5] "=&r"(t5), [low] "=&r"(low),
              [high] "=&r"(high)
            : [r] "r"(r), [a] "r"(a), [b] "r"(b), [p] "r"(modulus), [inverse] "m"(inverse)
            : "rdx", "cc", "memory");
}
#undef EVMCORE_ROWS
// clang-format on
#undef EVMCORE_CLEARING_ROW
#undef EVMCORE_PRODUCT_ROW
#undef EVMCORE_TWO_LIMBS
#undef EVMCORE_ONE_LIMB
#endif

// r[0..n) += a[0..n) * b; returns the limb that belongs at r[n].
inline uint64_t multiply_add(uint64_t* r, const uint64_t* a, size_t n, uint64_t b) noexcept {
    uint64_t carry = 0;
    size_t i = 0;
#if defined(__x86_64__)
    if (has_two_carry_chains) {
        for (; i + 8 <= n; i += 8)
            carry = multiply_add_8(r + i, a + i, b, carry);
        if ((n & 4) != 0) {
            carry = multiply_add_4(r + i, a + i, b, carry);
            i += 4;
        }
        if ((n & 2) != 0) {
            carry = multiply_add_2(r + i, a + i, b, carry);
            i += 2;
        }
    }
#endif
    for (; i < n; ++i) {
        const unsigned __int128 sum = static_cast<unsigned __int128>(a[i]) * b + r[i] + carry;
        r[i] = static_cast<uint64_t>(sum);
        carry = static_cast<uint64_t>(sum >> 64);
    }
    return carry;
}

// r = a + b; returns the carry. r may be a or b.
inline uint64_t add(uint64_t* r, const uint64_t* a, const uint64_t* b, size_t n) noexcept {
    uint64_t carry = 0;
    for (size_t i = 0; i < n; ++i) {
        const unsigned __int128 sum = static_cast<unsigned __int128>(a[i]) + b[i] + carry;
        r[i] = static_cast<uint64_t>(sum);
        carry = static_cast<uint64_t>(sum >> 64);
    }
    return carry;
}

// r = a - b; returns the borrow. r may be a or b.
inline uint64_t subtract(uint64_t* r, const uint64_t* a, const uint64_t* b, size_t n) noexcept {
    uint64_t borrow = 0;
    for (size_t i = 0; i < n; ++i) {
        const unsigned __int128 difference = static_cast<unsigned __int128>(a[i]) - b[i] - borrow;
        r[i] = static_cast<uint64_t>(difference);
        borrow = static_cast<uint64_t>(difference >> 64) & 1;
    }
    return borrow;
}

inline bool is_less(const uint64_t* a, const uint64_t* b, size_t n) noexcept {
    while (n-- > 0)
        if (a[n] != b[n])
            return a[n] < b[n];
    return false;
}

// -1 / odd mod 2^64, by Newton's iteration: each step doubles the correct bits.
constexpr uint64_t negative_inverse(uint64_t odd) noexcept {
    uint64_t inverse = odd;  // correct in 3 bits
    for (int i = 0; i < 5; ++i)
        inverse *= 2 - odd * inverse;
    return 0 - inverse;
}

}  // namespace evmcore::limbs
