// base ** exponent % modulus on numbers of any length, in our own C++: no library, no GIL, stops when `poll` says so.
// Depends on base only. Public data: nothing here runs in constant time.
#pragma once

#include "../base/poll.hpp"
#include "../base/status.hpp"
#include "../base/types.hpp"

namespace evmcore {

// A big-endian number of `length` bytes, of which the first `present` are at `data` and the rest are zero.
struct Operand {
    const uint8_t* data = nullptr;
    uint64_t present = 0;
    uint64_t length = 0;

    bool is_zero() const noexcept { return length == 0; }

    // The same number without its leading zero bytes; zero has length 0.
    Operand stripped() const noexcept;

    // 64 bits, i * 64 bits from the least significant end; zero beyond the number.
    uint64_t limb(uint64_t i) const noexcept;

    uint64_t size_bits() const noexcept;  // of a stripped number
};

// Writes modulus.length bytes at output. The modulus must not be zero. SUCCESS, ABORTED or OUT_OF_MEMORY.
Status modular_power(const Operand& base, const Operand& exponent, const Operand& modulus, uint8_t* output,
                     Poll& poll) noexcept;

}  // namespace evmcore
