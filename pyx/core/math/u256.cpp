// Division, modular arithmetic and powers of 256-bit words.
// Depends on math/u256.hpp. Division multiplies by a reciprocal of the divisor's top limbs (N. Möller and T. Granlund,
// "Improved division by invariant integers", 2011) inside Knuth's algorithm D, with its own path for each limb count.

#include "prepared_modulus.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace evmcore {
namespace {

#if defined(__x86_64__)
// Whether the processor's own 128 by 64 bit division takes under 20 cycles, as since Ice Lake and Zen 3, instead of up to
// 90. Told by VAES (leaf 7, ECX bit 9), which came with the same generations. frozen: written once before main.
const bool divides_fast = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c >> 9 & 1) != 0;
}();

// high < divisor.
EVMCORE_INLINE uint64_t divide_by_instruction(uint64_t high, uint64_t low, uint64_t divisor, uint64_t* remainder) noexcept {
    uint64_t quotient;
    __asm__("divq %4" : "=a"(quotient), "=d"(*remainder) : "a"(low), "d"(high), "r"(divisor) : "cc");
    return quotient;
}
#else
constexpr bool divides_fast = false;

EVMCORE_INLINE uint64_t divide_by_instruction(uint64_t, uint64_t, uint64_t, uint64_t*) noexcept { return 0; }
#endif

struct Two {
    uint64_t low, high;
};

EVMCORE_INLINE Two split(uint128 x) noexcept { return {static_cast<uint64_t>(x), static_cast<uint64_t>(x >> 64)}; }
EVMCORE_INLINE uint128 join(uint64_t high, uint64_t low) noexcept { return static_cast<uint128>(high) << 64 | low; }
EVMCORE_INLINE uint128 wide(uint64_t a, uint64_t b) noexcept { return static_cast<uint128>(a) * b; }

// First approximations of 2^19 / d for the nine top bits d of a divisor: (2^19 - 3 * 2^8) / d.
struct ReciprocalTable {
    uint16_t entry[256];
    constexpr ReciprocalTable() noexcept : entry{} {
        for (unsigned i = 0; i < 256; ++i)
            entry[i] = static_cast<uint16_t>(0x7fd00 / (0x100 + i));
    }
};
constexpr ReciprocalTable reciprocal_table;

// floor((2^128 - 1) / d) - 2^64 for d with its top bit set (Möller and Granlund, algorithm 2).
EVMCORE_INLINE uint64_t reciprocal(uint64_t d) noexcept {
    if (divides_fast) {
        uint64_t unused;
        return divide_by_instruction(~d, ~uint64_t{0}, d, &unused);
    }
    const uint64_t v0 = reciprocal_table.entry[(d >> 55) - 256];
    const uint64_t d40 = (d >> 24) + 1;
    const uint64_t v1 = (v0 << 11) - (v0 * v0 * d40 >> 40) - 1;
    const uint64_t v2 = (v1 << 13) + (v1 * ((uint64_t{1} << 60) - v1 * d40) >> 47);
    const uint64_t d63 = (d >> 1) + (d & 1);
    const uint64_t e = ((v2 >> 1) & (0 - (d & 1))) - v2 * d63;
    const uint64_t v3 = (v2 << 31) + (split(wide(v2, e)).high >> 1);
    return v3 - split(wide(v3, d) + d).high - d;
}

// floor((2^192 - 1) / (d1 * 2^64 + d0)) - 2^64 for d1 with its top bit set (algorithm 6).
EVMCORE_INLINE uint64_t reciprocal(uint64_t d1, uint64_t d0) noexcept {
    uint64_t v = reciprocal(d1);
    uint64_t p = d1 * v + d0;
    if (p < d0) {
        --v;
        if (p >= d1) {
            --v;
            p -= d1;
        }
        p -= d1;
    }
    const Two t = split(wide(v, d0));
    p += t.high;
    if (p < t.high) {
        --v;
        if (p > d1 || (p == d1 && t.low >= d0))
            --v;
    }
    return v;
}

// Divides u1:u0 by d, u1 < d, d with its top bit set and v its reciprocal (algorithm 4).
EVMCORE_INLINE uint64_t divide_2_by_1(uint64_t u1, uint64_t u0, uint64_t d, uint64_t v, uint64_t* remainder) noexcept {
    const Two q = split(wide(v, u1) + join(u1, u0));
    uint64_t quotient = q.high + 1;
    uint64_t r = u0 - quotient * d;
    const bool too_high = r > q.low;
    quotient -= too_high;
    r += too_high ? d : 0;
    if (EVMCORE_UNLIKELY(r >= d)) {
        ++quotient;
        r -= d;
    }
    *remainder = r;
    return quotient;
}

// Divides u2:u1:u0 by d1:d0, u2:u1 < d1:d0, d1 with its top bit set and v their reciprocal (algorithm 5).
EVMCORE_INLINE uint64_t divide_3_by_2(uint64_t u2, uint64_t u1, uint64_t u0, uint64_t d1, uint64_t d0, uint64_t v,
                                      uint128* remainder) noexcept {
    const Two q = split(wide(v, u2) + join(u2, u1));
    uint64_t quotient = q.high;
    const uint128 d = join(d1, d0);
    uint128 r = join(u1 - quotient * d1, u0) - wide(d0, quotient) - d;
    ++quotient;
    const bool too_high = split(r).high >= q.low;
    quotient -= too_high;
    r += too_high ? d : 0;
    if (EVMCORE_UNLIKELY(r >= d)) {
        ++quotient;
        r -= d;
    }
    *remainder = r;
    return quotient;
}

// One step of long division. r holds D limbs, less than d, which is normalized and has reciprocal v: r becomes
// (r * 2^64 + next) mod d, and the digit of the quotient is returned.
template <unsigned D>
EVMCORE_INLINE uint64_t divide_step(uint64_t* r, uint64_t next, const uint64_t* d, uint64_t v) noexcept {
    if constexpr (D == 1) {
        return divide_2_by_1(r[0], next, d[0], v, &r[0]);
    } else if constexpr (D == 2) {
        uint128 rest;
        const uint64_t digit = divide_3_by_2(r[1], r[0], next, d[1], d[0], v, &rest);
        r[0] = split(rest).low;
        r[1] = split(rest).high;
        return digit;
    } else {
        const uint64_t u2 = r[D - 1], u1 = r[D - 2], u0 = r[D - 3];
        for (unsigned i = D - 1; i > 0; --i)
            r[i] = r[i - 1];
        r[0] = next;
        uint64_t digit, carry = 0;
        unsigned char borrow = 0;
        if (EVMCORE_UNLIKELY(u2 == d[D - 1] && u1 == d[D - 2])) {
            digit = ~uint64_t{0};  // then the largest digit is exact
            for (unsigned i = 0; i < D; ++i)
                r[i] = sub_borrow_limb(r[i], multiply_add(d[i], digit, carry, 0, &carry), &borrow);
            return digit;
        }
        uint128 rest;
        digit = divide_3_by_2(u2, u1, u0, d[D - 1], d[D - 2], v, &rest);
        for (unsigned i = 0; i < D - 2; ++i)
            r[i] = sub_borrow_limb(r[i], multiply_add(d[i], digit, carry, 0, &carry), &borrow);
        r[D - 2] = sub_borrow_limb(split(rest).low, carry, &borrow);
        r[D - 1] = sub_borrow_limb(split(rest).high, 0, &borrow);
        if (EVMCORE_UNLIKELY(borrow != 0)) {
            --digit;
            unsigned char add = 0;
            for (unsigned i = 0; i < D; ++i)
                r[i] = add_carry(r[i], d[i], &add);
        }
        return digit;
    }
}

EVMCORE_INLINE uint64_t shifted_up(uint64_t limb, uint64_t below, unsigned bits) noexcept {
    return limb << bits | below >> 1 >> (63 - bits);
}

// Divides `count` limbs of n, D <= count <= 8, by the D limbs of d, the top one not zero. Writes the count - D + 1 digits
// of the quotient if q is not null.
template <unsigned D>
EVMCORE_INLINE u256 divide_by(const uint64_t* n, unsigned count, const uint64_t* d, uint64_t* q) noexcept {
    const unsigned bits = static_cast<unsigned>(__builtin_clzll(d[D - 1]));
    uint64_t divisor[D], r[D];
    for (unsigned i = D - 1; i > 0; --i)
        divisor[i] = shifted_up(d[i], d[i - 1], bits);
    divisor[0] = d[0] << bits;
    uint64_t v;
    if constexpr (D == 1)
        v = reciprocal(divisor[0]);
    else
        v = reciprocal(divisor[D - 1], divisor[D - 2]);
    // The window starts above the numerator, on the bits that the shift pushes out.
    uint64_t above = 0;
    for (unsigned i = 0; i < D; ++i) {
        const uint64_t limb = n[count - 1 - i];
        r[D - 1 - i] = shifted_up(above, limb, bits);
        above = limb;
    }
    for (unsigned j = count - D + 1; j-- > 0;) {
        const uint64_t below = j > 0 ? n[j - 1] : 0;
        const uint64_t digit = divide_step<D>(r, shifted_up(n[j], below, bits), divisor, v);
        if (q != nullptr)
            q[j] = digit;
    }
    u256 rest;
    for (unsigned i = 0; i < D; ++i)
        rest.limb[i] = r[i] >> bits | (i + 1 < D ? r[i + 1] << 1 << (63 - bits) : 0);
    return rest;
}

// One limb as divisor, without reciprocal and shifts.
EVMCORE_INLINE u256 divide_by_limb(const uint64_t* n, unsigned count, uint64_t d, uint64_t* q) noexcept {
    uint64_t rest = 0;
    for (unsigned j = count; j-- > 0;) {
        uint64_t digit = 0;
        if (rest != 0 || n[j] >= d)
            digit = divide_by_instruction(rest, n[j], d, &rest);
        else
            rest = n[j];
        if (q != nullptr)
            q[j] = digit;
    }
    return u256{rest};
}

EVMCORE_INLINE unsigned limb_count(const uint64_t* limbs, unsigned most) noexcept {
    while (most > 0 && limbs[most - 1] == 0)
        --most;
    return most;
}

// Divides `count` <= 8 limbs of n by d, which is not zero: the remainder, and the quotient's digits if q is not null, as
// many as come out; the others are left as they are.
EVMCORE_INLINE u256 divide_limbs(const uint64_t* n, unsigned count, const u256& d, uint64_t* q) noexcept {
    count = limb_count(n, count);
    const unsigned divisor_limbs = limb_count(d.limb, 4);
    if (count < divisor_limbs)
        return {n[0], n[1], n[2], n[3]};
    switch (divisor_limbs) {
    case 1: return divides_fast ? divide_by_limb(n, count, d.limb[0], q) : divide_by<1>(n, count, d.limb, q);
    case 2: return divide_by<2>(n, count, d.limb, q);
    case 3: return divide_by<3>(n, count, d.limb, q);
    default: return divide_by<4>(n, count, d.limb, q);
    }
}

// The quotient and the remainder of two words, the divisor not zero.
EVMCORE_INLINE u256 divide_words(const u256& n, const u256& d, u256* remainder) noexcept {
    if (n.fits_u64() && d.fits_u64()) {
        *remainder = u256{n.limb[0] % d.limb[0]};
        return u256{n.limb[0] / d.limb[0]};
    }
    u256 quotient;
    if (n < d)
        *remainder = n;
    else
        *remainder = divide_limbs(n.limb, 4, d, quotient.limb);
    return quotient;
}

}  // namespace

void divide(const u256* numerator, const u256* divisor, u256* quotient, u256* remainder) noexcept {
    const u256 n = load(numerator), d = load(divisor);
    u256 q, r;
    if (!d.is_zero())
        q = divide_words(n, d, &r);
    if (quotient != nullptr)
        store(quotient, q);
    if (remainder != nullptr)
        store(remainder, r);
}

void divide_signed(const u256* numerator, const u256* divisor, u256* quotient, u256* remainder) noexcept {
    const u256 n = load(numerator), d = load(divisor);
    const bool n_negative = is_negative(n), d_negative = is_negative(d);
    u256 q, r;
    if (!d.is_zero())
        q = divide_words(n_negative ? -n : n, d_negative ? -d : d, &r);
    if (quotient != nullptr)
        store(quotient, n_negative != d_negative ? -q : q);
    if (remainder != nullptr)
        store(remainder, n_negative ? -r : r);
}

void add_modulo(const u256* a, const u256* b, const u256* modulus, u256* result) noexcept {
    const u256 x = load(a), y = load(b), m = load(modulus);
    u256 sum, less;
    const bool carry = add_overflow(x, y, &sum);
    if (x < m && y < m) {  // the sum is below 2m
        const bool is_below = sub_borrow(sum, m, &less) && !carry;
        store(result, is_below ? sum : less);
        return;
    }
    u256 r;
    if (!m.is_zero()) {
        const uint64_t n[5] = {sum.limb[0], sum.limb[1], sum.limb[2], sum.limb[3], carry};
        r = divide_limbs(n, 5, m, nullptr);
    }
    store(result, r);
}

namespace {

EVMCORE_INLINE u256 low_half(const u512& x) noexcept { return {x.limb[0], x.limb[1], x.limb[2], x.limb[3]}; }
EVMCORE_INLINE u256 high_half(const u512& x) noexcept { return {x.limb[4], x.limb[5], x.limb[6], x.limb[7]}; }

EVMCORE_NOINLINE bool prepare(PreparedModulus* own) noexcept {
    own->bits = leading_zeros(own->modulus);
    own->divisor = shift_left(own->modulus, own->bits);
    const u256 inverted = ~own->divisor;
    const uint64_t n[8] = {~uint64_t{0},     ~uint64_t{0},     ~uint64_t{0},     ~uint64_t{0},
                           inverted.limb[0], inverted.limb[1], inverted.limb[2], inverted.limb[3]};
    uint64_t q[5] = {};
    divide_limbs(n, 8, own->divisor, q);
    own->reciprocal = u256{q[0], q[1], q[2], q[3]};
    return true;
}

// True if the reciprocal is ready for m.
EVMCORE_INLINE bool use(PreparedModulus* own, const u256& m) noexcept {
    if (EVMCORE_UNLIKELY(!(own->modulus == m))) {
        own->modulus = m;
        own->uses = 0;
    }
    return own->uses == PreparedModulus::USES_BEFORE || (++own->uses == PreparedModulus::USES_BEFORE && prepare(own));
}

// (high * 2^256 + low) mod modulus, high < modulus: Möller and Granlund's algorithm 4 with digits of 256 bits.
EVMCORE_INLINE u256 reduce(const PreparedModulus& by, const u256& high, const u256& low) noexcept {
    const u256 u0 = shift_left(low, by.bits);
    const u256 u1 = shift_left(high, by.bits) | (by.bits == 0 ? u256{} : shift_right(low, 256 - by.bits));
    const u512 estimate = mul_full(by.reciprocal, u1);
    u256 q0, q1;
    const bool carry = add_overflow(low_half(estimate), u0, &q0);
    q1 = high_half(estimate) + u1 + u256{1 + uint64_t{carry}};
    u256 r = u0 - q1 * by.divisor;
    const uint64_t too_high = 0 - uint64_t{q0 < r};
    r = r + (by.divisor & u256{too_high, too_high, too_high, too_high});
    if (EVMCORE_UNLIKELY(r >= by.divisor))
        r = r - by.divisor;
    return shift_right(r, by.bits);
}

}  // namespace

void multiply_modulo(const u256* a, const u256* b, const u256* modulus, PreparedModulus* prepared, u256* result) noexcept {
    const u256 m = load(modulus);
    const u512 product = mul_full(load(a), load(b));
    const u256 low = low_half(product), high = high_half(product);
    u256 r;
    if (m == U256_MAX) {  // how contracts get the high half of a product; 2^256 is 1 here
        if (add_overflow(low, high, &r))
            r = r + u256{1};
        if (r == U256_MAX)
            r = u256{};
    } else if (high.is_zero() && low < m) {
        r = low;
    } else if (m.limb[3] != 0 && high < m) {
        r = use(prepared, m) ? reduce(*prepared, high, low) : divide_limbs(product.limb, 8, m, nullptr);
    } else if (!m.is_zero()) {
        r = divide_limbs(product.limb, 8, m, nullptr);
    }
    store(result, r);
}

namespace {

// base^exponent by squaring, from the low bits up, and base^(2^count) in *base after `count` bits. The product is always
// made, with 1 where the bit is not set: it is ready before the square is, and a random bit can't be predicted.
EVMCORE_INLINE u256 power_of_bits(u256* base, uint64_t exponent, unsigned count) noexcept {
    u256 answer{1}, b = *base;
    for (; count > 0; --count, exponent >>= 1) {
        const uint64_t keep = 0 - (exponent & 1);
        answer = answer * u256{(b.limb[0] & keep) | (~keep & 1), b.limb[1] & keep, b.limb[2] & keep, b.limb[3] & keep};
        b = square(b);
    }
    *base = b;
    return answer;
}

// x^(2^62) is 1 + z with z a multiple of 2^64, for odd x: each squaring of 1 + 2^k y makes 1 + 2^(k+1) y'. So its m-th
// power needs but four terms of the binomial series: z^4 is a multiple of 2^256.
constexpr unsigned SQUARED_BITS = 62;

u256 binomial_power(const u256& z, const u256& m) noexcept {
    constexpr u256 ONE_THIRD{0xaaaaaaaaaaaaaaab, 0, 0, 0};   // modulo 2^64, all that matters beside z^3
    const u256 pairs = shift_right(m * (m - u256{1}), 1);    // m over 2, modulo 2^255; z^2 is a multiple of 2^128
    const u256 triples = pairs * (m - u256{2}) * ONE_THIRD;  // m over 3, modulo 2^64
    const u256 square_of_z = square(z);
    return u256{1} + m * z + pairs * square_of_z + triples * (square_of_z * z);
}

}  // namespace

void power(const u256* base, const u256* exponent, u256* result) noexcept {
    u256 x = load(base);
    const u256 e = load(exponent);
    const unsigned exponent_bits = bit_length(e);
    if (exponent_bits <= SQUARED_BITS && (x.limb[0] & 1) != 0) {
        store(result, power_of_bits(&x, e.limb[0], exponent_bits));
    } else if ((x.limb[0] & 1) != 0) {
        const u256 low = power_of_bits(&x, e.limb[0] & ((uint64_t{1} << SQUARED_BITS) - 1), SQUARED_BITS);
        store(result, low * binomial_power(x - u256{1}, shift_right(e, SQUARED_BITS)));
    } else if (exponent_bits > 8) {
        store(result, u256{});  // an even number to the 256th or more
    } else {
        const unsigned top = bit_length(x);
        const bool is_power_of_two = top != 0 && (x & (x - u256{1})).is_zero();
        if (is_power_of_two) {
            const uint64_t count = e.limb[0] * (top - 1);
            store(result, count < 256 ? shift_left(u256{1}, static_cast<unsigned>(count)) : u256{});
        } else {
            store(result, power_of_bits(&x, e.limb[0], exponent_bits));
        }
    }
}

}  // namespace evmcore
