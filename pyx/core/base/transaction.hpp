// A transaction of any type, decoded: plain fields that own their bytes, so it may be copied, moved and reused.
// Depends on rlp and the rows of rules/transactions.def (data). Decoding checks form, not worth: what may be included
// under which rules is the transaction procedure's question.
#pragma once

#include <vector>

#include "status.hpp"
#include "types.hpp"

namespace evmcore {

enum class TransactionType : uint8_t {
#define TRANSACTION(TYPE, NAME, STEM, FORK, EIP, TEXT) NAME = TYPE,
#include "../rules/transactions.def"
#undef TRANSACTION
};

// One address of an access list; its slots are `key_count` entries of `access_keys` from `first_key` on (EIP-2930).
struct AccessEntry {
    Address address;
    uint32_t first_key;
    uint32_t key_count;
};

// One tuple of an EIP-7702 transaction. Only its form was checked: a tuple with a bad signature is skipped, not refused.
struct Authorization {
    u256 chain_id;  // 0: any chain
    Address address;
    uint64_t nonce;
    uint8_t y_parity;  // 0 to 255 as sent
    u256 r;
    u256 s;
};

struct Transaction {
    uint8_t type = 0;
    bool is_create = false;     // `to` is empty
    bool has_chain_id = false;  // false: a legacy transaction without EIP-155
    bool has_sender = false;
    uint8_t y_parity = 0;       // 0 or 1, out of v for a legacy transaction
    uint64_t nonce = 0;         // 2^64 - 1 can be decoded; EIP-2681 refuses it later
    uint64_t gas_limit = 0;
    u256 chain_id;
    u256 gas_price;             // wei; types 0 and 1 alone, else zero
    u256 max_fee_per_gas;       // wei; equals gas_price in types 0 and 1
    u256 max_priority_fee_per_gas;
    u256 max_fee_per_blob_gas;
    u256 value;                 // wei
    u256 v;                     // as sent; equals y_parity in typed transactions
    u256 r;
    u256 s;
    Address to{};
    Address sender{};           // valid when has_sender
    Hash hash{};                // both filled by hash_transaction (crypto/transaction_hash.hpp)
    Hash signing_hash{};
    Bytes data;
    std::vector<AccessEntry> access_list;
    std::vector<u256> access_keys;
    std::vector<Hash> blob_versioned_hashes;
    std::vector<Authorization> authorizations;
    Bytes raw;                  // as on the wire: type byte and payload, or the bare list

    // Two threads may recover the sender of one transaction: both find the same, and whoever sees the flag sees the address.
    bool knows_sender() const noexcept { return __atomic_load_n(&has_sender, __ATOMIC_ACQUIRE); }
    void set_sender(const Address& recovered) noexcept {
        sender = recovered;
        __atomic_store_n(&has_sender, true, __ATOMIC_RELEASE);
    }
};

// Decodes the wire form (EIP-2718) into `*out`, all of it overwritten. On an error `*out` is of no use and `*field`, if
// not null, names the offending field, a string constant. The network form of a blob transaction is refused (EIP-4844).
Status decode_transaction(ByteView raw, Transaction* out, const char** field) noexcept;

// Derives y_parity, has_chain_id and chain_id from v (EIP-155); INVALID_SIGNATURE when v fits neither form.
Status split_legacy_v(Transaction* tx) noexcept;

// Appends the wire form to `*out`, from the fields; `raw` is not looked at. False: no such type.
bool encode_transaction(const Transaction& tx, Bytes* out) noexcept;
// Appends what the sender signed (before hashing).
bool encode_for_signing(const Transaction& tx, Bytes* out) noexcept;
// Appends what the authority signed (before hashing): 0x05 || rlp([chain_id, address, nonce]) (EIP-7702).
void encode_authorization_for_signing(const Authorization& authorization, Bytes* out) noexcept;

// "DYNAMIC_FEE", or null when there is no such type.
const char* transaction_type_name(uint8_t type) noexcept;

}  // namespace evmcore
