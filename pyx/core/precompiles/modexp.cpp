// MODEXP (0x05): base ** exponent % modulus. Three lengths of 32 bytes, then the three numbers, all big-endian and
// zero beyond the end of the input. EIP-198, priced by EIP-198, EIP-2565 or EIP-7883, bounded by EIP-7823.
#include "../rules/rules.hpp"
#include "modular_power.hpp"
#include "precompiles.hpp"

namespace evmcore {
namespace {

using uint128 = unsigned __int128;

constexpr uint64_t HEADER_BYTES = 96;

// Lengths beyond 2^100 are all the same: no gas pays for the number, and nothing added to it overflows.
constexpr uint128 LONGEST = static_cast<uint128>(1) << 100;

// No gas limit of a real chain reaches this (a trillion gas for one product); memory stays below a gigabyte.
constexpr uint64_t MAX_MODULUS_BYTES = 1 << 24;

uint8_t byte_at(ByteView input, uint128 at) noexcept { return at < input.size ? input[static_cast<size_t>(at)] : 0; }

uint128 read_length(ByteView input, size_t at) noexcept {
    uint128 length = 0;
    for (size_t i = 0; i < 32; ++i) {
        if (length >> 96 != 0)
            return LONGEST;
        length = length << 8 | byte_at(input, at + i);
    }
    return length < LONGEST ? length : LONGEST;
}

struct Lengths {
    uint128 base, exponent, modulus;

    explicit Lengths(ByteView input) noexcept
        : base{read_length(input, 0)}, exponent{read_length(input, 32)}, modulus{read_length(input, 64)} {}
};

// Bits of the exponent's first 32 bytes (all of them when it is shorter), as one number.
unsigned head_bits(ByteView input, const Lengths& lengths) noexcept {
    const unsigned head_size = lengths.exponent < 32 ? static_cast<unsigned>(lengths.exponent) : 32;
    for (unsigned i = 0; i < head_size; ++i)
        if (const unsigned byte = byte_at(input, HEADER_BYTES + lengths.base + i); byte != 0)
            return 8 * (head_size - i) - static_cast<unsigned>(__builtin_clz(byte) - 24);
    return 0;
}

uint128 iteration_count(ByteView input, const Lengths& lengths, unsigned per_long_byte) noexcept {
    const unsigned bits = head_bits(input, lengths);
    uint128 count = bits > 0 ? bits - 1 : 0;
    if (lengths.exponent > 32)
        count += per_long_byte * (lengths.exponent - 32);
    return count > 1 ? count : 1;
}

int64_t price(uint128 complexity, uint128 iterations, unsigned divisor, int64_t minimum) noexcept {
    uint128 product;
    if (__builtin_mul_overflow(complexity, iterations, &product) || product / divisor >= static_cast<uint128>(PRICE_INFINITE))
        return PRICE_INFINITE;
    const int64_t gas = static_cast<int64_t>(product / divisor);
    return gas > minimum ? gas : minimum;
}

Operand read_operand(ByteView input, uint128 at, uint128 length) noexcept {
    if (at >= input.size)
        return {nullptr, 0, static_cast<uint64_t>(length)};
    const size_t left = input.size - static_cast<size_t>(at);
    return {input.data + static_cast<size_t>(at), length < left ? static_cast<uint64_t>(length) : left,
            static_cast<uint64_t>(length)};
}

}  // namespace

int64_t price_modexp(ByteView input, const Rules& rules) noexcept {
    const Lengths lengths{input};
    if (const uint128 limit = static_cast<uint128>(rules.modexp_max_length_bytes); limit != 0)
        if (lengths.base > limit || lengths.exponent > limit || lengths.modulus > limit)
            return PRICE_INFINITE;

    const uint128 longest = lengths.base > lengths.modulus ? lengths.base : lengths.modulus;
    if (longest > static_cast<uint128>(1) << 40)  // its square is beyond any gas
        return PRICE_INFINITE;
    const uint128 words = (longest + 7) / 8;
    switch (rules.modexp_price) {
    case ModexpPrice::BYZANTIUM: {  // EIP-198
        uint128 complexity = longest * longest;
        if (longest > 1024)
            complexity = complexity / 16 + 480 * longest - 199680;
        else if (longest > 64)
            complexity = complexity / 4 + 96 * longest - 3072;
        return price(complexity, iteration_count(input, lengths, 8), 20, 0);
    }
    case ModexpPrice::BERLIN:  // EIP-2565
        return price(words * words, iteration_count(input, lengths, 8), 3, 200);
    case ModexpPrice::OSAKA:  // EIP-7883
        return price(longest <= 32 ? 16 : 2 * words * words, iteration_count(input, lengths, 16), 1, 500);
    }
    return PRICE_INFINITE;
}

Status run_modexp(ByteView input, Bytes& output, Poll& poll) noexcept {
    const Lengths lengths{input};
    if (lengths.modulus == 0)
        return Status::SUCCESS;
    if (lengths.modulus > MAX_MODULUS_BYTES || lengths.base > UINT64_MAX / 2 || lengths.exponent > UINT64_MAX / 16)
        return Status::OUT_OF_MEMORY;
    const Operand base = read_operand(input, HEADER_BYTES, lengths.base);
    const Operand exponent = read_operand(input, HEADER_BYTES + lengths.base, lengths.exponent);
    const Operand modulus = read_operand(input, HEADER_BYTES + lengths.base + lengths.exponent, lengths.modulus);
    if (!output.fill(static_cast<size_t>(lengths.modulus), 0))  // the answer for a zero modulus
        return Status::OUT_OF_MEMORY;
    if (modulus.stripped().is_zero())
        return Status::SUCCESS;
    return modular_power(base, exponent, modulus, output.data(), poll);
}

}  // namespace evmcore
