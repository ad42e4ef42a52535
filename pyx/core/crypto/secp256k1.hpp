// ECDSA on secp256k1: public key recovery, for transactions, authorizations and the ecrecover precompile, and signing.
// libsecp256k1 (from coincurve, called by raw pointer) when it is there, else our own. Safe from any thread, needs no GIL.
#pragma once

#include "../base/status.hpp"
#include "../base/types.hpp"

namespace evmcore {

// The address whose key signed the hash. r, s: 32 bytes, big-endian; y_parity 0 or 1.
// SUCCESS, or INVALID_SIGNATURE: r or s outside 1 .. n-1, or no key fits. A high s is fine here: that rule is the caller's.
Status recover_sender(const Hash& signing_hash, const uint8_t r[32], const uint8_t s[32], uint8_t y_parity,
                      Address* out) noexcept;

// The 64-byte public key (x, y), by libsecp256k1 or by our own code whatever else is there. False: no key fits.
bool recover_public_key(const uint8_t hash[32], const uint8_t r[32], const uint8_t s[32], uint8_t y_parity,
                        uint8_t key[64]) noexcept;
bool recover_public_key_portable(const uint8_t hash[32], const uint8_t r[32], const uint8_t s[32], uint8_t y_parity,
                                 uint8_t key[64]) noexcept;

struct Signature {
    uint8_t r[32], s[32];  // big-endian; s in the lower half (EIP-2)
    uint8_t y_parity;
};

// The deterministic signature (RFC 6979) of a hash. False: the key is not in 1 .. n-1. Both give the same signature; the
// portable one, whatever else is there, branches on no secret, but is not hardened as libsecp256k1 is (blinding, checked
// machine code).
bool sign_recoverable(const uint8_t hash[32], const uint8_t private_key[32], Signature* out) noexcept;
bool sign_recoverable_portable(const uint8_t hash[32], const uint8_t private_key[32], Signature* out) noexcept;

}  // namespace evmcore
