// A transaction of any type, decoded: plain fields that own their bytes, so it may be moved and reused.
// Depends on rlp and on two tables of rules/ (data): transaction_fields.def, from which its members are made, and
// transactions.def. Decoding checks form, not worth: what may be included under which rules is the transaction procedure's
// question.
#pragma once

#include "status.hpp"
#include "types.hpp"

namespace evmcore {

enum class TransactionType : uint8_t {
#define TRANSACTION(TYPE, NAME, FORK, EIP, TEXT, FIELDS) NAME = TYPE,
#include "../rules/transactions.def"
#undef TRANSACTION
};

enum class TransactionField : uint8_t {
#define FIELD_ROW(NAME, MEMBER, CODEC, DEFAULT, JSON, TEXT) NAME,
#define MEMBER_ROW(KIND, TYPE, NAME, TEXT)
#include "../rules/transaction_fields.def"
#undef FIELD_ROW
#undef MEMBER_ROW
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

// The forms that a field can have, and the C++ type of its member.
enum class TransactionCodec : uint8_t {
    NUMBER_64,
    NUMBER,
    CHAIN_ID,   // 64 bits on the wire; sets has_chain_id
    RECIPIENT,  // 20 bytes, or none for a creation; sets is_create
    DATA,
    ACCESS_LIST,  // its slots are in access_keys
    HASHES,
    AUTHORIZATIONS,
};

namespace transaction_codec {
using NUMBER_64 = uint64_t;
using NUMBER = u256;
using CHAIN_ID = u256;
using RECIPIENT = Address;
using DATA = Bytes;
using ACCESS_LIST = Vector<AccessEntry>;
using HASHES = Vector<Hash>;
using AUTHORIZATIONS = Vector<Authorization>;
}  // namespace transaction_codec

struct Transaction {
#define FIELD_ROW(NAME, MEMBER, CODEC, DEFAULT, JSON, TEXT) transaction_codec::CODEC MEMBER{};
#define MEMBER_ROW(KIND, TYPE, NAME, TEXT) TYPE NAME{};
#include "../rules/transaction_fields.def"
#undef FIELD_ROW
#undef MEMBER_ROW

    // Two threads may recover the sender of one transaction: both find the same, one writes it, and a thread that sees the flag
    // sees the address.
    bool knows_sender() const noexcept { return __atomic_load_n(&has_sender, __ATOMIC_ACQUIRE) == 1; }
    void set_sender(const Address& recovered) noexcept {
        uint8_t state = 0;
        if (!__atomic_compare_exchange_n(&has_sender, &state, 2, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            // The other needs some nanoseconds; it is gone for good only if the process forked then.
            for (unsigned turn = 0; turn < 1'000'000; ++turn)
                if (knows_sender())
                    return;
        }
        sender = recovered;
        __atomic_store_n(&has_sender, 1, __ATOMIC_RELEASE);
    }

    // How many bytes of the call data are zero: they cost less gas.
    size_t zero_data_bytes() const noexcept;
};

// What all rows know of a field, and where its value is.
struct TransactionFieldRow {
    const char* name;
    TransactionCodec codec;
    int64_t default_number;
    const char* json_name;
    const char* text;
    void* (*member)(Transaction& tx) noexcept;  // of the codec's type
};

constexpr TransactionFieldRow transaction_field_rows[] = {
#define FIELD_ROW(NAME, MEMBER, CODEC, DEFAULT, JSON, TEXT) \
    {#NAME, TransactionCodec::CODEC, DEFAULT, JSON, TEXT, [](Transaction& tx) noexcept -> void* { return &tx.MEMBER; }},
#define MEMBER_ROW(KIND, TYPE, NAME, TEXT)
#include "../rules/transaction_fields.def"
#undef FIELD_ROW
#undef MEMBER_ROW
};
constexpr size_t TRANSACTION_FIELD_COUNT = sizeof(transaction_field_rows) / sizeof(transaction_field_rows[0]);

// Codecs that keep a part of their value in a member beside serve one field.
constexpr int fields_with(TransactionCodec codec) noexcept {
    int count = 0;
    for (const TransactionFieldRow& row : transaction_field_rows)
        count += row.codec == codec;
    return count;
}
static_assert(fields_with(TransactionCodec::CHAIN_ID) == 1 && fields_with(TransactionCodec::RECIPIENT) == 1 &&
                  fields_with(TransactionCodec::ACCESS_LIST) == 1,
              "has_chain_id, is_create and access_keys are parts of one field each");

constexpr bool type_has_field(uint8_t type, TransactionField field) noexcept {
    switch (type) {
#define FIELD(NAME) || field == TransactionField::NAME
#define TRANSACTION(TYPE, NAME, FORK, EIP, TEXT, FIELDS) \
    case TYPE: return false FIELDS;
#include "../rules/transactions.def"
#undef TRANSACTION
#undef FIELD
    default: return false;
    }
}

// A type byte is at most this; what is above it begins RLP, which has to be a list (EIP-2718).
constexpr uint8_t LAST_TYPE_BYTE = 0x7f;

// What a row of transactions.def may not leave out, or a row of transaction_fields.def be without.
namespace detail {
constexpr bool type_is_sound(unsigned type) noexcept {
    const bool has_price = type_has_field(static_cast<uint8_t>(type), TransactionField::gas_price);
    const bool has_caps = type_has_field(static_cast<uint8_t>(type), TransactionField::max_fee_per_gas) &&
                          type_has_field(static_cast<uint8_t>(type), TransactionField::max_priority_fee_per_gas);
    return type <= LAST_TYPE_BYTE && has_price != has_caps;
}
constexpr int types_with(TransactionField field) noexcept {
    int count = 0;
    for (unsigned type = 0; type <= LAST_TYPE_BYTE; ++type)
        count += type_has_field(static_cast<uint8_t>(type), field);
    return count;
}
}  // namespace detail
#define FIELD(NAME)
#define TRANSACTION(TYPE, NAME, FORK, EIP, TEXT, FIELDS) \
    static_assert(detail::type_is_sound(TYPE), "type " #NAME ": its byte is at most 0x7f, and it has a gas price or two caps");
#include "../rules/transactions.def"
#undef TRANSACTION
#undef FIELD
#define FIELD_ROW(NAME, MEMBER, CODEC, DEFAULT, JSON, TEXT) \
    static_assert(detail::types_with(TransactionField::NAME) != 0, "field " #NAME ": no type has it");
#define MEMBER_ROW(KIND, TYPE, NAME, TEXT)
#include "../rules/transaction_fields.def"
#undef FIELD_ROW
#undef MEMBER_ROW

// Decodes the wire form (EIP-2718) into `*out`, all of it overwritten. On an error, OUT_OF_MEMORY among them, `*out` is of no
// use and `*field`, if not null, names the offending field, a string constant. The network form of a blob transaction is refused (EIP-4844).
Status decode_transaction(ByteView raw, Transaction* out, const char** field) noexcept;

// Derives y_parity, has_chain_id and chain_id from v (EIP-155); INVALID_SIGNATURE when v fits neither form.
Status split_legacy_v(Transaction* tx) noexcept;

// Appends the wire form to `*out`, from the fields; `raw` is not looked at. False: no such type, or no memory.
[[nodiscard]] bool encode_transaction(const Transaction& tx, Bytes* out) noexcept;
// Appends what the sender signed (before hashing); false as above.
[[nodiscard]] bool encode_for_signing(const Transaction& tx, Bytes* out) noexcept;
// Writes what the authority signed (before hashing), and tells its size: 0x05 || rlp([chain_id, address, nonce]) (EIP-7702).
constexpr size_t AUTHORIZATION_MAX_BYTES = 1 + 2 + 33 + 21 + 9;  // the magic byte, the list's header, the fields with theirs
size_t encode_authorization_for_signing(const Authorization& authorization, uint8_t out[AUTHORIZATION_MAX_BYTES]) noexcept;

// Back to what a new one is, keeping the memory of its lists.
void clear(Transaction* tx) noexcept;
// Type and fields of one into a new one, which then has no signature, and nothing that was found out. False without memory.
[[nodiscard]] bool copy_fields(const Transaction& from, Transaction* to) noexcept;

// "DYNAMIC_FEE", or null when there is no such type.
const char* transaction_type_name(uint8_t type) noexcept;

}  // namespace evmcore
