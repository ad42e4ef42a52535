// Products of words, modulo words that come again and again, as in contracts that compute on curves.
// Depends on math/u256.
#pragma once

#include "u256.hpp"

namespace evmcore {

// The modulus that came last: its reciprocal of 256 bits turns a reduction into two multiplications. Making it costs as much as
// one plain reduction, so a modulus has to come in a row. Owned by one thread, in whose machine it lies: for what is thread_local
// the C library needs memory at a thread's first use, and ends the process where it has none.
struct PreparedModulus {
    static constexpr unsigned USES_BEFORE = 4;

    u256 modulus;     // as given, top limb not zero
    u256 divisor;     // shifted up by `bits`, so that its top bit is set
    u256 reciprocal;  // floor((2^512 - 1) / divisor) - 2^256
    unsigned bits = 0;
    unsigned uses = 0;
};

void multiply_modulo(const u256* a, const u256* b, const u256* modulus, PreparedModulus* prepared, u256* result) noexcept;

// The product keeps all of its 512 bits; 0 if the modulus is 0.
EVMCORE_INLINE u256 mulmod(const u256& a, const u256& b, const u256& modulus, PreparedModulus* prepared) noexcept {
    u256 result;
    multiply_modulo(&a, &b, &modulus, prepared, &result);
    return load(&result);
}

}  // namespace evmcore
