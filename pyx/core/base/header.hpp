// A block header with every field up to Osaka, and a block taken apart: header, transactions, ommers, withdrawals.
// Depends on rlp. Decoding checks form alone; which fields a fork wants, and whether the values are right, is asked later.
#pragma once

#include "status.hpp"
#include "types.hpp"

namespace evmcore {

struct Header {
    // How many fields are there: headers only ever grew at their end.
    static constexpr uint8_t FRONTIER_FIELDS = 15;
    static constexpr uint8_t BASE_FEE_FIELDS = 16;            // EIP-1559
    static constexpr uint8_t WITHDRAWALS_FIELDS = 17;         // EIP-4895
    static constexpr uint8_t BLOB_GAS_USED_FIELDS = 18;       // EIP-4844
    static constexpr uint8_t EXCESS_BLOB_GAS_FIELDS = 19;     // EIP-4844
    static constexpr uint8_t PARENT_BEACON_ROOT_FIELDS = 20;  // EIP-4788
    static constexpr uint8_t REQUESTS_FIELDS = 21;            // EIP-7685

    Hash parent_hash{};
    Hash ommers_hash{};
    Address coinbase{};
    Hash state_root{};
    Hash transactions_root{};
    Hash receipts_root{};
    uint8_t logs_bloom[256] = {};
    u256 difficulty;
    uint64_t number = 0;
    uint64_t gas_limit = 0;
    uint64_t gas_used = 0;
    uint64_t timestamp = 0;  // seconds since 1970
    Bytes extra_data;
    Hash mix_hash{};  // prev_randao since Paris (EIP-4399)
    uint8_t nonce[8] = {};
    u256 base_fee_per_gas;  // wei
    Hash withdrawals_root{};
    uint64_t blob_gas_used = 0;
    uint64_t excess_blob_gas = 0;
    Hash parent_beacon_block_root{};
    Hash requests_hash{};
    uint8_t field_count = FRONTIER_FIELDS;

    bool has_base_fee() const noexcept { return field_count >= BASE_FEE_FIELDS; }
    bool has_withdrawals_root() const noexcept { return field_count >= WITHDRAWALS_FIELDS; }
    bool has_blob_gas_used() const noexcept { return field_count >= BLOB_GAS_USED_FIELDS; }
    bool has_excess_blob_gas() const noexcept { return field_count >= EXCESS_BLOB_GAS_FIELDS; }
    bool has_parent_beacon_block_root() const noexcept { return field_count >= PARENT_BEACON_ROOT_FIELDS; }
    bool has_requests_hash() const noexcept { return field_count >= REQUESTS_FIELDS; }
};

template <>
inline constexpr bool is_relocatable<Header> = true;

struct Withdrawal {
    uint64_t index;
    uint64_t validator_index;
    Address address;
    uint64_t amount_gwei;
};

// A block taken apart. The views point into the bytes it was decoded from.
struct BlockParts {
    Header header;
    Vector<ByteView> transactions;  // wire form each, for decode_transaction and the transactions root
    Vector<Header> ommers;
    bool has_withdrawals = false;
    Vector<Withdrawal> withdrawals;
    ByteView header_rlp;               // keccak-256 of it is the block hash
    ByteView ommers_rlp;               // keccak-256 of it is the header's ommers_hash
    Vector<ByteView> withdrawal_rlps;  // the items of the withdrawals root
};

// OUT_OF_MEMORY is an error, too. On any `*out` is of no use and `*field`, if not null, names the offending field, a string constant.
Status decode_header(ByteView rlp, Header* out, const char** field) noexcept;
Status decode_block(ByteView rlp, BlockParts* out, const char** field) noexcept;

// These append to `*out`; false without memory. A block is encoded from its header, transactions, ommers and withdrawals, not from the RLP views.
[[nodiscard]] bool encode_header(const Header& header, Bytes* out) noexcept;
[[nodiscard]] bool encode_withdrawal(const Withdrawal& withdrawal, Bytes* out) noexcept;
[[nodiscard]] bool encode_block(const BlockParts& block, Bytes* out) noexcept;

}  // namespace evmcore
