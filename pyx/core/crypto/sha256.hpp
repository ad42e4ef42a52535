// SHA-256 (FIPS 180-4): blst's when it is there (it uses the CPU's instructions), else our own. Always works.
// Depends on base and the native table. Safe from any thread.
#pragma once

#include "../base/types.hpp"

namespace evmcore {

void sha256(const uint8_t* data, size_t size, Hash* output) noexcept;

// The portable one, whatever else is there: what the other is checked against.
void sha256_portable(const uint8_t* data, size_t size, Hash* output) noexcept;

}  // namespace evmcore
