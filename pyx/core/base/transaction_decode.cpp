// The field list of each transaction type, used to read and to write it, and the choice among them by type byte.
// Depends on rlp_fields and the rows of rules/transactions.def. A new type is a row there and a `<stem>_fields` here.
// The order and width of the fields follow the EIPs and the executable specification's `transactions.py`.
#include "transaction.hpp"

#include "rlp_fields.hpp"

namespace evmcore {
namespace {

// ------------------------------------------------------------------------------------ fields with a shape of their own

void recipient(RlpFieldReader& f, Transaction& tx) noexcept {
    const ByteView to = f.string("to");
    if (!f.ok())
        return;
    tx.is_create = to.empty();
    if (to.size == 20)
        std::memcpy(tx.to.bytes, to.data, 20);
    else if (!to.empty())
        f.note("to", Status::RLP_WRONG_LENGTH);
}

void recipient(RlpFieldWriter& f, const Transaction& tx) noexcept {
    f.writer().string(tx.to.bytes, tx.is_create ? 0 : 20);
}

// A typed transaction names its chain in 64 bits.
void chain_id(RlpFieldReader& f, Transaction& tx) noexcept {
    uint64_t id = 0;
    f.number("chain_id", id);
    tx.chain_id = id;
    tx.has_chain_id = true;
}

void chain_id(RlpFieldWriter& f, const Transaction& tx) noexcept { f.number("chain_id", tx.chain_id); }

void access_list(RlpFieldReader& f, Transaction& tx) noexcept {
    RlpReader entries = f.list("access_list");
    while (f.ok() && !entries.at_end()) {
        RlpReader pair;
        f.note("access_list", entries.next_list(&pair));
        RlpFieldReader entry{pair};
        AccessEntry access{};
        access.first_key = static_cast<uint32_t>(tx.access_keys.size());
        entry.fixed("access_list.address", access.address);
        RlpReader keys = entry.list("access_list.storage_keys");
        while (entry.ok() && !keys.at_end()) {
            uint8_t key[32];
            entry.note("access_list.storage_keys", keys.next_fixed(key, 32));
            tx.access_keys.push_back(u256_from_bytes(key, 32));
        }
        entry.finish("access_list");
        f.note(entry);
        access.key_count = static_cast<uint32_t>(tx.access_keys.size()) - access.first_key;
        tx.access_list.push_back(access);
    }
}

void access_list(RlpFieldWriter& f, const Transaction& tx) noexcept {
    RlpWriter& w = f.writer();
    const size_t entries = w.begin_list();
    for (const AccessEntry& access : tx.access_list) {
        const size_t entry = w.begin_list();
        w.fixed(access.address);
        const size_t keys = w.begin_list();
        for (uint32_t i = 0; i < access.key_count; ++i) {
            Hash key;
            u256_to_bytes(tx.access_keys[access.first_key + i], key.bytes);
            w.fixed(key);
        }
        w.end_list(keys);
        w.end_list(entry);
    }
    w.end_list(entries);
}

void versioned_hashes(RlpFieldReader& f, Transaction& tx) noexcept {
    RlpReader hashes = f.list("blob_versioned_hashes");
    while (f.ok() && !hashes.at_end()) {
        Hash hash;
        f.note("blob_versioned_hashes", hashes.next_fixed(hash.bytes, 32));
        tx.blob_versioned_hashes.push_back(hash);
    }
}

void versioned_hashes(RlpFieldWriter& f, const Transaction& tx) noexcept {
    const size_t hashes = f.writer().begin_list();
    for (const Hash& hash : tx.blob_versioned_hashes)
        f.writer().fixed(hash);
    f.writer().end_list(hashes);
}

void authorizations(RlpFieldReader& f, Transaction& tx) noexcept {
    RlpReader tuples = f.list("authorization_list");
    while (f.ok() && !tuples.at_end()) {
        RlpReader tuple;
        f.note("authorization_list", tuples.next_list(&tuple));
        RlpFieldReader entry{tuple};
        Authorization authorization{};
        uint64_t y_parity = 0;
        entry.number("authorization_list.chain_id", authorization.chain_id);
        entry.fixed("authorization_list.address", authorization.address);
        entry.number("authorization_list.nonce", authorization.nonce);
        entry.number("authorization_list.y_parity", y_parity);
        if (y_parity > 0xff)
            entry.note("authorization_list.y_parity", Status::RLP_NUMBER_TOO_LARGE);
        authorization.y_parity = static_cast<uint8_t>(y_parity);
        entry.number("authorization_list.r", authorization.r);
        entry.number("authorization_list.s", authorization.s);
        entry.finish("authorization_list");
        f.note(entry);
        tx.authorizations.push_back(authorization);
    }
}

void authorizations(RlpFieldWriter& f, const Transaction& tx) noexcept {
    RlpWriter& w = f.writer();
    const size_t tuples = w.begin_list();
    for (const Authorization& authorization : tx.authorizations) {
        const size_t tuple = w.begin_list();
        w.number(authorization.chain_id);
        w.fixed(authorization.address);
        w.number(authorization.nonce);
        w.number(uint64_t{authorization.y_parity});
        w.number(authorization.r);
        w.number(authorization.s);
        w.end_list(tuple);
    }
    w.end_list(tuples);
}

// ------------------------------------------------------------------------------------ one list a type, signature left out

template <class Fields, class Tx>
void legacy_fields(Fields& f, Tx& tx) noexcept {
    f.number("nonce", tx.nonce);
    f.number("gas_price", tx.gas_price);
    f.number("gas_limit", tx.gas_limit);
    recipient(f, tx);
    f.number("value", tx.value);
    f.bytes("data", tx.data);
}

template <class Fields, class Tx>
void access_list_fields(Fields& f, Tx& tx) noexcept {
    chain_id(f, tx);
    legacy_fields(f, tx);
    access_list(f, tx);
}

template <class Fields, class Tx>
void dynamic_fee_fields(Fields& f, Tx& tx) noexcept {
    chain_id(f, tx);
    f.number("nonce", tx.nonce);
    f.number("max_priority_fee_per_gas", tx.max_priority_fee_per_gas);
    f.number("max_fee_per_gas", tx.max_fee_per_gas);
    f.number("gas_limit", tx.gas_limit);
    recipient(f, tx);
    f.number("value", tx.value);
    f.bytes("data", tx.data);
    access_list(f, tx);
}

template <class Fields, class Tx>
void blob_fields(Fields& f, Tx& tx) noexcept {
    dynamic_fee_fields(f, tx);
    f.number("max_fee_per_blob_gas", tx.max_fee_per_blob_gas);
    versioned_hashes(f, tx);
}

template <class Fields, class Tx>
void set_code_fields(Fields& f, Tx& tx) noexcept {
    dynamic_fee_fields(f, tx);
    authorizations(f, tx);
}

// ------------------------------------------------------------------------------------ the choice

// Calls the row's field list; false when the type has no row.
template <class Fields, class Tx>
bool fields_of_type(uint8_t type, Fields& f, Tx& tx) noexcept {
    switch (type) {
#define TRANSACTION(TYPE, NAME, STEM, FORK, EIP, TEXT) \
    case TYPE:                                         \
        STEM##_fields(f, tx);                          \
        return true;
#include "../rules/transactions.def"
#undef TRANSACTION
    default:
        return false;
    }
}

constexpr uint8_t LEGACY = static_cast<uint8_t>(TransactionType::LEGACY);

// A type byte is at most this; what is above it begins RLP, which has to be a list (EIP-2718).
constexpr uint8_t LAST_TYPE_BYTE = 0x7f;

// Back to the defaults, keeping the memory of the vectors.
void clear(Transaction* tx) noexcept {
    tx->type = LEGACY;
    tx->is_create = tx->has_chain_id = tx->has_sender = false;
    tx->y_parity = 0;
    tx->chain_id = tx->gas_price = tx->max_fee_per_gas = tx->max_priority_fee_per_gas = tx->max_fee_per_blob_gas = u256{};
    tx->to = tx->sender = Address{};
    tx->hash = tx->signing_hash = Hash{};
    tx->data.clear();
    tx->access_list.clear();
    tx->access_keys.clear();
    tx->blob_versioned_hashes.clear();
    tx->authorizations.clear();
    tx->raw.clear();
}

bool prices_gas_once(uint8_t type) noexcept {
    return type == LEGACY || type == static_cast<uint8_t>(TransactionType::ACCESS_LIST);
}

}  // namespace

Status split_legacy_v(Transaction* tx) noexcept {
    const u256& v = tx->v;
    tx->has_chain_id = false;
    tx->chain_id = 0;
    tx->y_parity = 0;
    if (v.fits_u64() && v.limb[0] < 35) {
        if (v.limb[0] != 27 && v.limb[0] != 28)
            return Status::INVALID_SIGNATURE;
        tx->y_parity = static_cast<uint8_t>(v.limb[0] - 27);
        return Status::SUCCESS;
    }
    // v = 35 + 2 * chain_id + y_parity
    u256 rest = v;
    uint64_t borrow = 35;
    for (uint64_t& limb : rest.limb) {
        const uint64_t before = limb;
        limb -= borrow;
        borrow = limb > before;
    }
    tx->y_parity = rest.limb[0] & 1;
    for (int i = 0; i < 4; ++i)
        tx->chain_id.limb[i] = rest.limb[i] >> 1 | (i < 3 ? rest.limb[i + 1] << 63 : 0);
    tx->has_chain_id = true;
    return Status::SUCCESS;
}

Status decode_transaction(ByteView raw, Transaction* out, const char** field) noexcept {
    const char* unused;
    if (field == nullptr)
        field = &unused;
    clear(out);
    *field = "transaction";
    if (raw.empty())
        return Status::RLP_TRUNCATED;
    ByteView payload = raw;
    if (raw[0] <= LAST_TYPE_BYTE) {
        out->type = raw[0];
        if (out->type == LEGACY || transaction_type_name(out->type) == nullptr)
            return Status::TYPE_NOT_SUPPORTED;
        payload = {raw.data + 1, raw.size - 1};
    }
    RlpReader items;
    const Status status = open_rlp_list(payload, &items);
    if (status != Status::SUCCESS)
        return status;

    RlpFieldReader f{items};
    fields_of_type(out->type, f, *out);
    f.number(out->type == LEGACY ? "v" : "y_parity", out->v);
    f.number("r", out->r);
    f.number("s", out->s);
    f.finish("transaction");
    if (out->type == LEGACY) {
        if (f.ok())
            f.note("v", split_legacy_v(out));
    } else if (f.ok()) {
        if (!out->v.fits_u64() || out->v.limb[0] > 1)
            f.note("y_parity", Status::INVALID_SIGNATURE);
        out->y_parity = static_cast<uint8_t>(out->v.limb[0]);
    }
    if (!f.ok()) {
        *field = f.field();
        return f.status();
    }
    if (prices_gas_once(out->type))
        out->max_fee_per_gas = out->max_priority_fee_per_gas = out->gas_price;
    out->raw.assign(raw.begin(), raw.end());
    *field = nullptr;
    return Status::SUCCESS;
}

bool encode_transaction(const Transaction& tx, Bytes* out) noexcept {
    if (tx.type != LEGACY)
        out->push_back(tx.type);
    RlpFieldWriter f{out};
    const size_t list = f.writer().begin_list();
    const bool is_known = fields_of_type(tx.type, f, tx);
    f.number("v", tx.type == LEGACY ? tx.v : u256{tx.y_parity});
    f.number("r", tx.r);
    f.number("s", tx.s);
    f.writer().end_list(list);
    return is_known;
}

bool encode_for_signing(const Transaction& tx, Bytes* out) noexcept {
    if (tx.type != LEGACY)
        out->push_back(tx.type);
    RlpFieldWriter f{out};
    const size_t list = f.writer().begin_list();
    const bool is_known = fields_of_type(tx.type, f, tx);
    if (tx.type == LEGACY && tx.has_chain_id) {  // EIP-155
        f.number("chain_id", tx.chain_id);
        f.number("r", uint64_t{0});
        f.number("s", uint64_t{0});
    }
    f.writer().end_list(list);
    return is_known;
}

void encode_authorization_for_signing(const Authorization& authorization, Bytes* out) noexcept {
    constexpr uint8_t MAGIC = 0x05;  // EIP-7702
    out->push_back(MAGIC);
    RlpWriter w{out};
    const size_t list = w.begin_list();
    w.number(authorization.chain_id);
    w.fixed(authorization.address);
    w.number(authorization.nonce);
    w.end_list(list);
}

const char* transaction_type_name(uint8_t type) noexcept {
    switch (type) {
#define TRANSACTION(TYPE, NAME, STEM, FORK, EIP, TEXT) \
    case TYPE:                                         \
        return #NAME;
#include "../rules/transactions.def"
#undef TRANSACTION
    default:
        return nullptr;
    }
}

}  // namespace evmcore
