// Arithmetic on 256-bit words: the EVM's own (wrapping, zero for division by zero) and the checked forms fees need.
// Depends on base/types and base/hash_seed. Small operations are inlined here and keep their words in four general
// registers; division, modular arithmetic and powers are in u256.cpp.
#pragma once

#include "../base/hash_seed.hpp"
#include "../base/types.hpp"

namespace evmcore {

using uint128 = unsigned __int128;

constexpr u256 U256_MAX{~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}};

// A 512-bit product: eight 64-bit limbs, least significant first.
struct u512 {
    uint64_t limb[8];
};

// --- Copies ------------------------------------------------------------------------------------------------------

// Pins a limb to a general register, unless the compiler knows its value; emits nothing. Words travel as four 64-bit
// loads and stores. Left alone, compilers merge these into vectors: a 128-bit load of what two 64-bit stores just wrote
// cannot be forwarded from the store buffer and waits some 15 cycles, and gcc gathers sums into vectors before storing.
EVMCORE_INLINE uint64_t pinned(uint64_t limb) noexcept {
    if (!__builtin_constant_p(limb))
        __asm__("" : "+r"(limb));
    return limb;
}

EVMCORE_INLINE u256 load(const u256* from) noexcept {
    return {pinned(from->limb[0]), pinned(from->limb[1]), pinned(from->limb[2]), pinned(from->limb[3])};
}

EVMCORE_INLINE void store(u256* to, const u256& x) noexcept {
    const uint64_t l0 = pinned(x.limb[0]), l1 = pinned(x.limb[1]), l2 = pinned(x.limb[2]), l3 = pinned(x.limb[3]);
    to->limb[0] = l0;
    to->limb[1] = l1;
    to->limb[2] = l2;
    to->limb[3] = l3;
}

EVMCORE_INLINE void copy(u256* to, const u256* from) noexcept { store(to, load(from)); }

// --- Limbs with a carry ------------------------------------------------------------------------------------------

// The builtins behind _addcarry_u64 and _subborrow_u64, whose header takes longer to read than most files to compile.
EVMCORE_INLINE uint64_t add_carry(uint64_t a, uint64_t b, unsigned char* carry) noexcept {
#if defined(__x86_64__)
    unsigned long long sum;
    *carry = __builtin_ia32_addcarryx_u64(*carry, a, b, &sum);
    return sum;
#else
    uint64_t partial, sum;
    const bool first = __builtin_add_overflow(a, b, &partial);
    const bool second = __builtin_add_overflow(partial, uint64_t{*carry}, &sum);
    *carry = first | second;
    return sum;
#endif
}

EVMCORE_INLINE uint64_t sub_borrow_limb(uint64_t a, uint64_t b, unsigned char* borrow) noexcept {
#if defined(__x86_64__)
    unsigned long long difference;
#if defined(__clang__)
    *borrow = __builtin_ia32_subborrow_u64(*borrow, a, b, &difference);
#else
    *borrow = __builtin_ia32_sbb_u64(*borrow, a, b, &difference);
#endif
    return difference;
#else
    uint64_t partial, difference;
    const bool first = __builtin_sub_overflow(a, b, &partial);
    const bool second = __builtin_sub_overflow(partial, uint64_t{*borrow}, &difference);
    *borrow = first | second;
    return difference;
#endif
}

// --- Sum and difference ------------------------------------------------------------------------------------------

// True if the sum does not fit; *sum is then a + b - 2^256.
EVMCORE_INLINE bool add_overflow(const u256& a, const u256& b, u256* sum) noexcept {
    unsigned char carry = 0;
    const uint64_t l0 = add_carry(a.limb[0], b.limb[0], &carry);
    const uint64_t l1 = add_carry(a.limb[1], b.limb[1], &carry);
    const uint64_t l2 = add_carry(a.limb[2], b.limb[2], &carry);
    const uint64_t l3 = add_carry(a.limb[3], b.limb[3], &carry);
    *sum = u256{pinned(l0), pinned(l1), pinned(l2), pinned(l3)};
    return carry != 0;
}

// True if b > a; *difference is then a - b + 2^256.
EVMCORE_INLINE bool sub_borrow(const u256& a, const u256& b, u256* difference) noexcept {
    unsigned char borrow = 0;
    const uint64_t l0 = sub_borrow_limb(a.limb[0], b.limb[0], &borrow);
    const uint64_t l1 = sub_borrow_limb(a.limb[1], b.limb[1], &borrow);
    const uint64_t l2 = sub_borrow_limb(a.limb[2], b.limb[2], &borrow);
    const uint64_t l3 = sub_borrow_limb(a.limb[3], b.limb[3], &borrow);
    *difference = u256{pinned(l0), pinned(l1), pinned(l2), pinned(l3)};
    return borrow != 0;
}

EVMCORE_INLINE u256 operator+(const u256& a, const u256& b) noexcept {
    u256 sum;
    add_overflow(a, b, &sum);
    return sum;
}

EVMCORE_INLINE u256 operator-(const u256& a, const u256& b) noexcept {
    u256 difference;
    sub_borrow(a, b, &difference);
    return difference;
}

EVMCORE_INLINE u256 operator-(const u256& x) noexcept { return u256{} - x; }

EVMCORE_INLINE u256& operator+=(u256& a, const u256& b) noexcept { return a = a + b; }
EVMCORE_INLINE u256& operator-=(u256& a, const u256& b) noexcept { return a = a - b; }

// --- Comparison --------------------------------------------------------------------------------------------------

EVMCORE_INLINE bool operator<(const u256& a, const u256& b) noexcept {
    u256 unused;
    return sub_borrow(a, b, &unused);
}
EVMCORE_INLINE bool same_word(const u256& a, const u256& b) noexcept { return a == b; }
EVMCORE_INLINE bool operator>(const u256& a, const u256& b) noexcept { return b < a; }
EVMCORE_INLINE bool operator<=(const u256& a, const u256& b) noexcept { return !(b < a); }
EVMCORE_INLINE bool operator>=(const u256& a, const u256& b) noexcept { return !(a < b); }

EVMCORE_INLINE bool is_negative(const u256& x) noexcept { return static_cast<int64_t>(x.limb[3]) < 0; }

// As two's complement: flipping both sign bits turns the signed order into the unsigned one.
EVMCORE_INLINE bool signed_less(const u256& a, const u256& b) noexcept {
    constexpr uint64_t SIGN = uint64_t{1} << 63;
    return u256{a.limb[0], a.limb[1], a.limb[2], a.limb[3] ^ SIGN} < u256{b.limb[0], b.limb[1], b.limb[2], b.limb[3] ^ SIGN};
}

// --- Bits --------------------------------------------------------------------------------------------------------

EVMCORE_INLINE constexpr u256 operator&(const u256& a, const u256& b) noexcept {
    return {a.limb[0] & b.limb[0], a.limb[1] & b.limb[1], a.limb[2] & b.limb[2], a.limb[3] & b.limb[3]};
}
EVMCORE_INLINE constexpr u256 operator|(const u256& a, const u256& b) noexcept {
    return {a.limb[0] | b.limb[0], a.limb[1] | b.limb[1], a.limb[2] | b.limb[2], a.limb[3] | b.limb[3]};
}
EVMCORE_INLINE constexpr u256 operator^(const u256& a, const u256& b) noexcept {
    return {a.limb[0] ^ b.limb[0], a.limb[1] ^ b.limb[1], a.limb[2] ^ b.limb[2], a.limb[3] ^ b.limb[3]};
}
EVMCORE_INLINE constexpr u256 operator~(const u256& x) noexcept { return {~x.limb[0], ~x.limb[1], ~x.limb[2], ~x.limb[3]}; }

// count < 256. First within limbs, then by one and by two whole limbs: selections, since counts are seldom predictable.
EVMCORE_INLINE u256 shift_left(const u256& x, unsigned count) noexcept {
    const unsigned bits = count % 64, rest = 63 - bits;  // y >> 1 >> rest is y >> (64 - bits), defined also for bits = 0
    uint64_t l3 = x.limb[3] << bits | x.limb[2] >> 1 >> rest;
    uint64_t l2 = x.limb[2] << bits | x.limb[1] >> 1 >> rest;
    uint64_t l1 = x.limb[1] << bits | x.limb[0] >> 1 >> rest;
    uint64_t l0 = x.limb[0] << bits;
    const bool by_one = count & 64, by_two = count & 128;
    l3 = by_one ? l2 : l3;
    l2 = by_one ? l1 : l2;
    l1 = by_one ? l0 : l1;
    l0 = by_one ? 0 : l0;
    return {by_two ? 0 : l0, by_two ? 0 : l1, by_two ? l0 : l2, by_two ? l1 : l3};
}

// The limbs of x moved down, with `fill` (all zeros or all ones) coming in from above.
EVMCORE_INLINE u256 shift_right_filling(const u256& x, unsigned count, uint64_t fill) noexcept {
    const unsigned bits = count % 64, rest = 63 - bits;
    uint64_t l0 = x.limb[0] >> bits | x.limb[1] << 1 << rest;
    uint64_t l1 = x.limb[1] >> bits | x.limb[2] << 1 << rest;
    uint64_t l2 = x.limb[2] >> bits | x.limb[3] << 1 << rest;
    uint64_t l3 = x.limb[3] >> bits | fill << 1 << rest;
    const bool by_one = count & 64, by_two = count & 128;
    l0 = by_one ? l1 : l0;
    l1 = by_one ? l2 : l1;
    l2 = by_one ? l3 : l2;
    l3 = by_one ? fill : l3;
    return {by_two ? l2 : l0, by_two ? l3 : l1, by_two ? fill : l2, by_two ? fill : l3};
}

EVMCORE_INLINE uint64_t sign_fill(const u256& x) noexcept {
    return static_cast<uint64_t>(static_cast<int64_t>(x.limb[3]) >> 63);
}

EVMCORE_INLINE u256 shift_right(const u256& x, unsigned count) noexcept { return shift_right_filling(x, count, 0); }

// SHL, SHR, SAR (EIP-145): the count is a word, and from 256 on everything has been shifted out.
EVMCORE_INLINE bool is_shift_count(const u256& count) noexcept { return count.fits_u64() && count.limb[0] < 256; }

EVMCORE_INLINE u256 shl(const u256& count, const u256& value) noexcept {
    return is_shift_count(count) ? shift_left(value, static_cast<unsigned>(count.limb[0])) : u256{};
}
EVMCORE_INLINE u256 shr(const u256& count, const u256& value) noexcept {
    return is_shift_count(count) ? shift_right(value, static_cast<unsigned>(count.limb[0])) : u256{};
}
EVMCORE_INLINE u256 sar(const u256& count, const u256& value) noexcept {
    const uint64_t fill = sign_fill(value);
    return is_shift_count(count) ? shift_right_filling(value, static_cast<unsigned>(count.limb[0]), fill)
                                 : u256{fill, fill, fill, fill};
}

// 256 for zero (CLZ, EIP-7939).
EVMCORE_INLINE unsigned leading_zeros(const u256& x) noexcept {
    if (x.limb[3] != 0)
        return static_cast<unsigned>(__builtin_clzll(x.limb[3]));
    if (x.limb[2] != 0)
        return 64 + static_cast<unsigned>(__builtin_clzll(x.limb[2]));
    if (x.limb[1] != 0)
        return 128 + static_cast<unsigned>(__builtin_clzll(x.limb[1]));
    return x.limb[0] != 0 ? 192 + static_cast<unsigned>(__builtin_clzll(x.limb[0])) : 256;
}
EVMCORE_INLINE unsigned bit_length(const u256& x) noexcept { return 256 - leading_zeros(x); }

// Byte `index` counted from the most significant (BYTE); 0 from index 32 on.
EVMCORE_INLINE u256 byte_at(const u256& index, const u256& x) noexcept {
    if (!index.fits_u64() || index.limb[0] >= 32)
        return u256{};
    const unsigned from_low = 31 - static_cast<unsigned>(index.limb[0]);
    return u256{x.limb[from_low / 8] >> (from_low % 8 * 8) & 0xff};
}

// Extends the sign of the number held in the low `byte_index` + 1 bytes (SIGNEXTEND); unchanged from index 31 on.
EVMCORE_INLINE u256 sign_extend(const u256& byte_index, const u256& x) noexcept {
    if (!byte_index.fits_u64() || byte_index.limb[0] >= 31)
        return x;
    const unsigned index = static_cast<unsigned>(byte_index.limb[0]);
    const unsigned sign_limb = index / 8, unused_bits = 56 - index % 8 * 8;
    const int64_t limb = static_cast<int64_t>(x.limb[sign_limb] << unused_bits) >> unused_bits;
    const uint64_t extended = static_cast<uint64_t>(limb), fill = static_cast<uint64_t>(limb >> 63);
    return {sign_limb == 0 ? extended : x.limb[0],
            sign_limb == 1  ? extended
            : sign_limb < 1 ? fill
                            : x.limb[1],
            sign_limb == 2  ? extended
            : sign_limb < 2 ? fill
                            : x.limb[2],
            sign_limb == 3 ? extended : fill};
}

// --- Product -----------------------------------------------------------------------------------------------------

// low(a * b + c + d), the rest into *high: cannot overflow 128 bits.
EVMCORE_INLINE uint64_t multiply_add(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t* high) noexcept {
    const uint128 product = static_cast<uint128>(a) * b + c + d;
    *high = static_cast<uint64_t>(product >> 64);
    return static_cast<uint64_t>(product);
}

// Both halves of a 128-bit product.
EVMCORE_INLINE uint64_t multiply(uint64_t a, uint64_t b, uint64_t* high) noexcept {
    const uint128 product = static_cast<uint128>(a) * b;
    *high = static_cast<uint64_t>(product >> 64);
    return static_cast<uint64_t>(product);
}

EVMCORE_INLINE uint128 multiply_wide(uint64_t a, uint64_t b) noexcept { return static_cast<uint128>(a) * b; }

// Column by column: the products that reach past limb 3 need only their low halves, and the upper two limbs gather in
// one 128-bit sum whose own carry is of no interest. Of several forms the one that gcc and clang both do well.
EVMCORE_INLINE u256 operator*(const u256& a, const u256& b) noexcept {
    const uint64_t a0 = a.limb[0], a1 = a.limb[1], a2 = a.limb[2], a3 = a.limb[3];
    const uint64_t b0 = b.limb[0], b1 = b.limb[1], b2 = b.limb[2], b3 = b.limb[3];
    const uint128 low = multiply_wide(a0, b0);
    uint128 high = multiply_wide(a1, b1) + multiply_wide(a0, b2) + multiply_wide(a2, b0);
    high += static_cast<uint128>(a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0) << 64;
    const uint128 middle = multiply_wide(a0, b1) + static_cast<uint64_t>(low >> 64);
    const uint128 other = multiply_wide(a1, b0) + static_cast<uint64_t>(middle);
    high += static_cast<uint64_t>(middle >> 64);
    high += static_cast<uint64_t>(other >> 64);
    return {static_cast<uint64_t>(low), static_cast<uint64_t>(other), static_cast<uint64_t>(high),
            static_cast<uint64_t>(high >> 64)};
}

// Six multiplications instead of ten: the products off the diagonal are doubled.
EVMCORE_INLINE u256 square(const u256& x) noexcept {
    const uint64_t x0 = x.limb[0], x1 = x.limb[1], x2 = x.limb[2], x3 = x.limb[3];
    uint64_t high00, high01, high02, high11;
    unsigned char carry = 0;
    const uint64_t l0 = multiply(x0, x0, &high00);
    uint64_t l1 = multiply(x0, x1, &high01);
    uint64_t l2 = add_carry(multiply(x0, x2, &high02), high01, &carry);
    uint64_t l3 = x0 * x3 + x1 * x2 + high02 + carry;
    const uint64_t low11 = multiply(x1, x1, &high11);
    carry = 0;
    l1 = add_carry(l1, l1, &carry);
    l2 = add_carry(l2, l2, &carry);
    l3 = l3 + l3 + carry;
    carry = 0;
    l1 = add_carry(l1, high00, &carry);
    l2 = add_carry(l2, low11, &carry);
    l3 += high11 + carry;
    return {l0, l1, l2, l3};
}

EVMCORE_INLINE u512 mul_full(const u256& a, const u256& b) noexcept {
    uint64_t row[8] = {};
    for (unsigned i = 0; i < 4; ++i) {
        const uint64_t factor = b.limb[i];
        uint64_t high0, high1, high2, high3;
        const uint64_t low0 = multiply(a.limb[0], factor, &high0), low1 = multiply(a.limb[1], factor, &high1);
        const uint64_t low2 = multiply(a.limb[2], factor, &high2), low3 = multiply(a.limb[3], factor, &high3);
        unsigned char carry = 0;
        row[i] = add_carry(row[i], low0, &carry);
        row[i + 1] = add_carry(row[i + 1], low1, &carry);
        row[i + 2] = add_carry(row[i + 2], low2, &carry);
        row[i + 3] = add_carry(row[i + 3], low3, &carry);
        row[i + 4] = carry;
        carry = 0;
        row[i + 1] = add_carry(row[i + 1], high0, &carry);
        row[i + 2] = add_carry(row[i + 2], high1, &carry);
        row[i + 3] = add_carry(row[i + 3], high2, &carry);
        row[i + 4] = add_carry(row[i + 4], high3, &carry);
    }
    return {{row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7]}};
}

// True if the product does not fit; *product is then its low 256 bits.
EVMCORE_INLINE bool mul_overflow(const u256& a, const u256& b, u256* product) noexcept {
    const u512 full = mul_full(a, b);
    *product = u256{full.limb[0], full.limb[1], full.limb[2], full.limb[3]};
    return (full.limb[4] | full.limb[5] | full.limb[6] | full.limb[7]) != 0;
}

// Fees: a 64-bit amount of gas times a price.
EVMCORE_INLINE u256 mul_u64(uint64_t a, uint64_t b) noexcept {
    const uint128 product = static_cast<uint128>(a) * b;
    return {static_cast<uint64_t>(product), static_cast<uint64_t>(product >> 64), 0, 0};
}
EVMCORE_INLINE bool mul_u64_overflow(const u256& a, uint64_t b, u256* product) noexcept {
    uint64_t carry = 0;
    const uint64_t l0 = multiply_add(a.limb[0], b, 0, 0, &carry);
    const uint64_t l1 = multiply_add(a.limb[1], b, carry, 0, &carry);
    const uint64_t l2 = multiply_add(a.limb[2], b, carry, 0, &carry);
    const uint64_t l3 = multiply_add(a.limb[3], b, carry, 0, &carry);
    *product = u256{l0, l1, l2, l3};
    return carry != 0;
}
EVMCORE_INLINE u256 mul_u64(const u256& a, uint64_t b) noexcept {
    u256 product;
    mul_u64_overflow(a, b, &product);
    return product;
}

// --- Quotient, modular arithmetic, powers (u256.cpp) -------------------------------------------------------------

// Results may lie on the operands; either pointer of divide may be null. The divisor may be zero: all answers are then zero.
void divide(const u256* numerator, const u256* divisor, u256* quotient, u256* remainder) noexcept;
void divide_signed(const u256* numerator, const u256* divisor, u256* quotient, u256* remainder) noexcept;
void add_modulo(const u256* a, const u256* b, const u256* modulus, u256* result) noexcept;
void power(const u256* base, const u256* exponent, u256* result) noexcept;

EVMCORE_INLINE u256 div(const u256& a, const u256& b) noexcept {
    u256 quotient;
    divide(&a, &b, &quotient, nullptr);
    return load(&quotient);
}
EVMCORE_INLINE u256 mod(const u256& a, const u256& b) noexcept {
    u256 remainder;
    divide(&a, &b, nullptr, &remainder);
    return load(&remainder);
}
// Truncates towards zero; -2^255 / -1 is -2^255 (SDIV).
EVMCORE_INLINE u256 sdiv(const u256& a, const u256& b) noexcept {
    u256 quotient;
    divide_signed(&a, &b, &quotient, nullptr);
    return load(&quotient);
}
// Takes the sign of the dividend (SMOD).
EVMCORE_INLINE u256 smod(const u256& a, const u256& b) noexcept {
    u256 remainder;
    divide_signed(&a, &b, nullptr, &remainder);
    return load(&remainder);
}
// The sum keeps its 257th bit; 0 if the modulus is 0. Products: prepared_modulus.hpp.
EVMCORE_INLINE u256 addmod(const u256& a, const u256& b, const u256& modulus) noexcept {
    u256 result;
    add_modulo(&a, &b, &modulus, &result);
    return load(&result);
}
EVMCORE_INLINE u256 exp(const u256& base, const u256& exponent) noexcept {
    u256 result;
    power(&base, &exponent, &result);
    return load(&result);
}

// --- Bytes -------------------------------------------------------------------------------------------------------

EVMCORE_INLINE uint64_t load_big_endian_u64(const uint8_t* from) noexcept {
    uint64_t x;
    std::memcpy(&x, from, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    return x;
}

EVMCORE_INLINE void store_big_endian_u64(uint8_t* to, uint64_t x) noexcept {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    std::memcpy(to, &x, 8);
}

// 32 bytes.
EVMCORE_INLINE u256 from_big_endian(const uint8_t* from) noexcept {
    return {load_big_endian_u64(from + 24), load_big_endian_u64(from + 16), load_big_endian_u64(from + 8),
            load_big_endian_u64(from)};
}

// size <= 32 bytes; none is zero.
EVMCORE_INLINE u256 from_big_endian(const uint8_t* from, size_t size) noexcept {
    uint8_t padded[32] = {};
    std::memcpy(padded + 32 - size, from, size);
    return from_big_endian(padded);
}

// Writes 32 bytes.
EVMCORE_INLINE void to_big_endian(const u256& x, uint8_t* to) noexcept {
    store_big_endian_u64(to, x.limb[3]);
    store_big_endian_u64(to + 8, x.limb[2]);
    store_big_endian_u64(to + 16, x.limb[1]);
    store_big_endian_u64(to + 24, x.limb[0]);
}

// The low 20 bytes; the high 12 are dropped.
EVMCORE_INLINE Address to_address(const u256& x) noexcept {
    Address address;
    const uint32_t high = __builtin_bswap32(static_cast<uint32_t>(x.limb[2]));
    std::memcpy(address.bytes, &high, 4);
    store_big_endian_u64(address.bytes + 4, x.limb[1]);
    store_big_endian_u64(address.bytes + 12, x.limb[0]);
    return address;
}
EVMCORE_INLINE u256 from_address(const Address& address) noexcept {
    uint32_t high;
    std::memcpy(&high, address.bytes, 4);
    return {load_big_endian_u64(address.bytes + 12), load_big_endian_u64(address.bytes + 4), __builtin_bswap32(high), 0};
}

EVMCORE_INLINE u256 from_hash(const Hash& hash) noexcept { return from_big_endian(hash.bytes); }
EVMCORE_INLINE Hash to_hash(const u256& x) noexcept {
    Hash hash;
    to_big_endian(x, hash.bytes);
    return hash;
}

// --- Hashes for tables -------------------------------------------------------------------------------------------

EVMCORE_INLINE uint64_t hash_value(const u256& x) noexcept {
    const uint64_t low = multiply_mix(x.limb[0] ^ hash_seed.word[0], x.limb[1] ^ hash_seed.word[1]);
    const uint64_t high = multiply_mix(x.limb[2] ^ hash_seed.word[2], x.limb[3] ^ hash_seed.word[3]);
    return multiply_mix(low ^ hash_seed.word[4], high ^ hash_seed.word[5]);
}

EVMCORE_INLINE uint64_t hash_value(const Address& address) noexcept {
    uint64_t a, b;
    uint32_t c;
    std::memcpy(&a, address.bytes, 8);
    std::memcpy(&b, address.bytes + 8, 8);
    std::memcpy(&c, address.bytes + 16, 4);
    const uint64_t first = multiply_mix(a ^ hash_seed.word[0], b ^ hash_seed.word[1]);
    return multiply_mix(first ^ hash_seed.word[2], c ^ hash_seed.word[3]);
}

// A storage slot of an account known by its number.
struct SlotKey {
    uint32_t account;
    u256 slot;

    bool operator==(const SlotKey& other) const noexcept { return account == other.account && slot == other.slot; }
};

// The account stays out of the slot's own factors: xored into one, it could be cancelled by a chosen slot.
EVMCORE_INLINE uint64_t hash_value(const SlotKey& key) noexcept {
    const uint64_t low = multiply_mix(key.slot.limb[0] ^ hash_seed.word[0], key.slot.limb[1] ^ hash_seed.word[1]);
    const uint64_t high = multiply_mix(key.slot.limb[2] ^ hash_seed.word[2], key.slot.limb[3] ^ hash_seed.word[3]);
    const uint64_t account = (key.account ^ hash_seed.word[4]) * hash_seed.word[5];
    return multiply_mix(low + account, high ^ hash_seed.word[5]);
}

// The Hasher of a FlatMap over any of these keys.
struct SeededHash {
    template <typename Key>
    EVMCORE_INLINE uint64_t operator()(const Key& key) const noexcept {
        return hash_value(key);
    }
};

}  // namespace evmcore
