// SHA-256 (FIPS 180-4): blst's when it is there (it uses the CPU's instructions), else our own. Always works.
// Depends on base and the native table. Safe from any thread.
#pragma once

#include "../base/poll.hpp"
#include "../base/types.hpp"

namespace evmcore {

void sha256(const uint8_t* data, size_t size, Hash* output) noexcept;

// The portable one, whatever else is there: what the other is checked against.
void sha256_portable(const uint8_t* data, size_t size, Hash* output) noexcept;

// The same, with `poll` asked on the way when the data takes long. False: it said stop, and there is no hash.
bool sha256(const uint8_t* data, size_t size, Hash* output, Poll& poll) noexcept;

}  // namespace evmcore
