// Hashing of what base/transaction encodes.
#include "transaction_hash.hpp"

#include "keccak.hpp"

namespace evmcore {

bool hash_transaction(Transaction* tx) noexcept {
    if (tx->raw.empty() && !encode_transaction(*tx, &tx->raw))
        return false;
    keccak256(tx->raw.data(), tx->raw.size(), &tx->hash);
    Bytes payload;
    // 16: EIP-155 adds a chain id where the signature was
    if (!payload.reserve(tx->raw.size() + 16) || !encode_for_signing(*tx, &payload))
        return false;
    keccak256(payload.data(), payload.size(), &tx->signing_hash);
    return true;
}

Hash authorization_signing_hash(const Authorization& authorization) noexcept {
    uint8_t payload[AUTHORIZATION_MAX_BYTES];
    Hash hash;
    keccak256(payload, encode_authorization_for_signing(authorization, payload), &hash);
    return hash;
}

}  // namespace evmcore
