// Hashing of what base/transaction encodes.
#include "transaction_hash.hpp"

#include "keccak.hpp"

namespace evmcore {

void hash_transaction(Transaction* tx) noexcept {
    if (tx->raw.empty())
        encode_transaction(*tx, &tx->raw);
    keccak256(tx->raw.data(), tx->raw.size(), &tx->hash);
    Bytes payload;
    payload.reserve(tx->raw.size() + 16);  // 16: EIP-155 adds a chain id where the signature was
    encode_for_signing(*tx, &payload);
    keccak256(payload.data(), payload.size(), &tx->signing_hash);
}

Hash authorization_signing_hash(const Authorization& authorization) noexcept {
    Bytes payload;
    payload.reserve(80);
    encode_authorization_for_signing(authorization, &payload);
    Hash hash;
    keccak256(payload.data(), payload.size(), &hash);
    return hash;
}

}  // namespace evmcore
