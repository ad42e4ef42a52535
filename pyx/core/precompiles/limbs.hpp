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

// r[0..8) += a[0..8) * b + carry; returns the new carry. CF carries the products, OF the sums.
EVMCORE_INLINE uint64_t multiply_add_8(uint64_t* r, const uint64_t* a, uint64_t b, uint64_t carry) noexcept {
    uint64_t low, high;
#define EVMCORE_TWO_LIMBS(AT0, AT1)                                                    \
    "mulxq " AT0 "(%[a]), %[low], %[high]\n\t adcxq %[carry], %[low]\n\t"              \
    "adoxq " AT0 "(%[r]), %[low]\n\t movq %[low], " AT0 "(%[r])\n\t"                   \
    "mulxq " AT1 "(%[a]), %[low], %[carry]\n\t adcxq %[high], %[low]\n\t"              \
    "adoxq " AT1 "(%[r]), %[low]\n\t movq %[low], " AT1 "(%[r])\n\t"
    __asm__("xorl %k[low], %k[low]\n\t"
            EVMCORE_TWO_LIMBS("0", "8") EVMCORE_TWO_LIMBS("16", "24")
            EVMCORE_TWO_LIMBS("32", "40") EVMCORE_TWO_LIMBS("48", "56")
            "movl $0, %k[low]\n\t adcxq %[low], %[carry]\n\t adoxq %[low], %[carry]"
            : [low] "=&r"(low), [high] "=&r"(high), [carry] "+&r"(carry), "+m"(*reinterpret_cast<uint64_t(*)[8]>(r))
            : [r] "r"(r), [a] "r"(a), "d"(b), "m"(*reinterpret_cast<const uint64_t(*)[8]>(a))
            : "cc");
#undef EVMCORE_TWO_LIMBS
    return carry;
}
#endif

// r[0..n) += a[0..n) * b; returns the limb that belongs at r[n].
inline uint64_t multiply_add(uint64_t* r, const uint64_t* a, size_t n, uint64_t b) noexcept {
    uint64_t carry = 0;
    size_t i = 0;
#if defined(__x86_64__)
    if (has_two_carry_chains)
        for (; i + 8 <= n; i += 8)
            carry = multiply_add_8(r + i, a + i, b, carry);
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
