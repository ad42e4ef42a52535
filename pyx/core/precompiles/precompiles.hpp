// All precompiles: the pairs that precompiles.def names, declared, and the table that calls go through.
// frozen: built at compile time. What is active under given rules is Rules::precompiles, a bit a row.
#pragma once

#include "../rules/rules.hpp"
#include "precompile.hpp"

namespace evmcore {

#define PRECOMPILE(ADDRESS, NAME, STEM, SINCE, EIP, EFFECT)            \
    int64_t price_##STEM(ByteView input, const Rules& rules) noexcept; \
    Status run_##STEM(ByteView input, Bytes& output, Poll& poll) noexcept;
#include "../rules/precompiles.def"
#undef PRECOMPILE

struct Precompile {
    uint16_t address;
    const char* name;
    PrecompilePrice price;
    PrecompileRun run;
};

inline constexpr Precompile precompile_table[] = {
#define PRECOMPILE(ADDRESS, NAME, STEM, SINCE, EIP, EFFECT) {ADDRESS, #NAME, price_##STEM, run_##STEM},
#include "../rules/precompiles.def"
#undef PRECOMPILE
};

constexpr unsigned PRECOMPILE_COUNT = sizeof(precompile_table) / sizeof(precompile_table[0]);
static_assert(PRECOMPILE_COUNT <= 32, "Rules::precompiles has a bit for each row");

namespace detail {
enum PrecompileRow : unsigned {
#define PRECOMPILE(ADDRESS, NAME, STEM, SINCE, EIP, EFFECT) ROW_##NAME,
#include "../rules/precompiles.def"
#undef PRECOMPILE
};
}  // namespace detail

// The precompile at this address under these rules, or null. Nearly every address fails the first comparison.
inline const Precompile* find_precompile(const Address& address, const Rules& rules) noexcept {
    uint64_t first, second;
    std::memcpy(&first, address.bytes, 8);
    std::memcpy(&second, address.bytes + 8, 8);
    if ((first | second) != 0 || (address.bytes[16] | address.bytes[17]) != 0)
        return nullptr;
    unsigned row;
    switch (address.bytes[18] << 8 | address.bytes[19]) {
#define PRECOMPILE(ADDRESS, NAME, STEM, SINCE, EIP, EFFECT) \
    case ADDRESS: row = detail::ROW_##NAME; break;
#include "../rules/precompiles.def"
#undef PRECOMPILE
    default: return nullptr;
    }
    return (rules.precompiles >> row & 1) != 0 ? &precompile_table[row] : nullptr;
}

// What a simulation has at an address in place of what the rules have there; null: an ordinary account.
struct MovedPrecompile {
    Address address{};
    const Precompile* precompile = nullptr;
};

// The same where some have been moved. Which addresses are warm is the rules' to say.
inline const Precompile* find_precompile(const Address& address, const Rules& rules, const MovedPrecompile* moved,
                                         size_t moved_count) noexcept {
    for (size_t i = 0; i < moved_count; ++i)
        if (moved[i].address == address)
            return moved[i].precompile;
    return find_precompile(address, rules);
}

}  // namespace evmcore
