// ECDSA verification on secp256r1 (NIST P-256), for EIP-7951. Depends on curve256.hpp. Safe from any thread.
#pragma once

#include "../base/types.hpp"

namespace evmcore {

// True when (r, s) signs the hash under the public key (x, y). All 32 bytes, big-endian. Checks every range and the curve.
bool p256_verify(const uint8_t hash[32], const uint8_t r[32], const uint8_t s[32], const uint8_t x[32],
                 const uint8_t y[32]) noexcept;

}  // namespace evmcore
