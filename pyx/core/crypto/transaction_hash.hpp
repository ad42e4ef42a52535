// The hashes of a transaction: its own, the one its sender signed, and the ones its authorities signed.
// Depends on base/transaction and keccak. Safe to call from several threads on different transactions.
#pragma once

#include "../base/transaction.hpp"

namespace evmcore {

// Fills tx->hash (of tx->raw, encoded first when it is empty) and tx->signing_hash. False without memory.
[[nodiscard]] bool hash_transaction(Transaction* tx) noexcept;

// What the authority signed: keccak-256 of 0x05 || rlp([chain_id, address, nonce]) (EIP-7702).
Hash authorization_signing_hash(const Authorization& authorization) noexcept;

}  // namespace evmcore
