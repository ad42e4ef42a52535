// The forms of a field on the wire, to read and to write it, and which fields a type has, from the rows of transactions.def
// and transaction_fields.def. Depends on rlp_fields. A field is a row there; only a form that is new is written here.
// The order and width of the fields follow the EIPs and the executable specification's `transactions.py`.
#include "transaction.hpp"

#include "rlp_fields.hpp"

namespace evmcore {
namespace {

// ------------------------------------------------------------------------------------ one pair a form (TransactionCodec)

template <class Fields, class Tx, class Number>
void NUMBER_64_form(Fields& f, const char* name, Tx&, Number& member) noexcept {
    f.number(name, member);
}

template <class Fields, class Tx, class Number>
void NUMBER_form(Fields& f, const char* name, Tx&, Number& member) noexcept {
    f.number(name, member);
}

template <class Fields, class Tx, class Data>
void DATA_form(Fields& f, const char* name, Tx&, Data& member) noexcept {
    f.bytes(name, member);
}

void RECIPIENT_form(RlpFieldReader& f, const char* name, Transaction& tx, Address& member) noexcept {
    const ByteView to = f.string(name);
    if (!f.ok())
        return;
    tx.is_create = to.empty();
    if (to.size == 20)
        std::memcpy(member.bytes, to.data, 20);
    else if (!to.empty())
        f.note(name, Status::RLP_WRONG_LENGTH);
}

void RECIPIENT_form(RlpFieldWriter& f, const char*, const Transaction& tx, const Address& member) noexcept {
    f.writer().string(member.bytes, tx.is_create ? 0 : 20);
}

// A typed transaction names its chain in 64 bits.
void CHAIN_ID_form(RlpFieldReader& f, const char* name, Transaction& tx, u256& member) noexcept {
    uint64_t id = 0;
    f.number(name, id);
    member = id;
    tx.has_chain_id = true;
}

void CHAIN_ID_form(RlpFieldWriter& f, const char* name, const Transaction&, const u256& member) noexcept {
    f.number(name, member);
}

void ACCESS_LIST_form(RlpFieldReader& f, const char* name, Transaction& tx, Vector<AccessEntry>& member) noexcept {
    RlpReader entries = f.list(name);
    while (f.ok() && !entries.at_end()) {
        RlpReader pair;
        f.note(name, entries.next_list(&pair));
        RlpFieldReader entry{pair};
        AccessEntry access{};
        access.first_key = static_cast<uint32_t>(tx.access_keys.size());
        entry.fixed("access_list.address", access.address);
        RlpReader keys = entry.list("access_list.storage_keys");
        while (entry.ok() && !keys.at_end()) {
            uint8_t key[32];
            entry.note("access_list.storage_keys", keys.next_fixed(key, 32));
            if (entry.ok() && !tx.access_keys.push_back(u256_from_bytes(key, 32)))
                entry.note("access_list.storage_keys", Status::OUT_OF_MEMORY);
        }
        entry.finish(name);
        f.note(entry);
        access.key_count = static_cast<uint32_t>(tx.access_keys.size()) - access.first_key;
        if (f.ok() && !member.push_back(access))
            f.note(name, Status::OUT_OF_MEMORY);
    }
}

void ACCESS_LIST_form(RlpFieldWriter& f, const char*, const Transaction& tx, const Vector<AccessEntry>& member) noexcept {
    RlpWriter& w = f.writer();
    const size_t entries = w.begin_list();
    for (const AccessEntry& access : member) {
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

void HASHES_form(RlpFieldReader& f, const char* name, Transaction&, Vector<Hash>& member) noexcept {
    RlpReader hashes = f.list(name);
    while (f.ok() && !hashes.at_end()) {
        Hash hash;
        f.note(name, hashes.next_fixed(hash.bytes, 32));
        if (f.ok() && !member.push_back(hash))
            f.note(name, Status::OUT_OF_MEMORY);
    }
}

void HASHES_form(RlpFieldWriter& f, const char*, const Transaction&, const Vector<Hash>& member) noexcept {
    const size_t hashes = f.writer().begin_list();
    for (const Hash& hash : member)
        f.writer().fixed(hash);
    f.writer().end_list(hashes);
}

void AUTHORIZATIONS_form(RlpFieldReader& f, const char* name, Transaction&, Vector<Authorization>& member) noexcept {
    RlpReader tuples = f.list(name);
    while (f.ok() && !tuples.at_end()) {
        RlpReader tuple;
        f.note(name, tuples.next_list(&tuple));
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
        entry.finish(name);
        f.note(entry);
        if (f.ok() && !member.push_back(authorization))
            f.note(name, Status::OUT_OF_MEMORY);
    }
}

void AUTHORIZATIONS_form(RlpFieldWriter& f, const char*, const Transaction&, const Vector<Authorization>& member) noexcept {
    RlpWriter& w = f.writer();
    const size_t tuples = w.begin_list();
    for (const Authorization& authorization : member) {
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

// ------------------------------------------------------------------------------------ one function a field, one list a type

#define FIELD_ROW(NAME, MEMBER, CODEC, DEFAULT, JSON, TEXT) \
    template <class Fields, class Tx>                       \
    void NAME##_field(Fields& f, Tx& tx) noexcept {         \
        CODEC##_form(f, #NAME, tx, tx.MEMBER);              \
    }
#define MEMBER_ROW(KIND, TYPE, NAME, TEXT)
#include "../rules/transaction_fields.def"
#undef FIELD_ROW
#undef MEMBER_ROW

// Goes through the fields of the type; false when the type has no row.
template <class Fields, class Tx>
bool fields_of_type(uint8_t type, Fields& f, Tx& tx) noexcept {
    switch (type) {
#define FIELD(NAME) NAME##_field(f, tx);
#define TRANSACTION(TYPE, NAME, FORK, EIP, TEXT, FIELDS) \
    case TYPE: FIELDS return true;
#include "../rules/transactions.def"
#undef TRANSACTION
#undef FIELD
    default: return false;
    }
}

constexpr uint8_t LEGACY = static_cast<uint8_t>(TransactionType::LEGACY);

template <class T>
void reset(T& member) noexcept {
    member = T{};
}
template <class T>
void reset(Vector<T>& member) noexcept {
    member.clear();
}

template <class T>
bool copy(const T& from, T* to) noexcept {
    *to = from;
    return true;
}
template <class T>
bool copy(const Vector<T>& from, Vector<T>* to) noexcept {
    return to->assign(from);
}

}  // namespace

void clear(Transaction* tx) noexcept {
#define FIELD_ROW(NAME, MEMBER, CODEC, DEFAULT, JSON, TEXT) reset(tx->MEMBER);
#define MEMBER_ROW(KIND, TYPE, NAME, TEXT) reset(tx->NAME);
#include "../rules/transaction_fields.def"
#undef FIELD_ROW
#undef MEMBER_ROW
}

bool copy_fields(const Transaction& from, Transaction* to) noexcept {
    clear(to);
    bool is_ok = true;
#define COPY_PART(NAME) is_ok = is_ok && copy(from.NAME, &to->NAME);
#define COPY_SIGNATURE(NAME)
#define COPY_FOUND(NAME)
#define FIELD_ROW(NAME, MEMBER, CODEC, DEFAULT, JSON, TEXT) COPY_PART(MEMBER)
#define MEMBER_ROW(KIND, TYPE, NAME, TEXT) COPY_##KIND(NAME)
#include "../rules/transaction_fields.def"
#undef FIELD_ROW
#undef MEMBER_ROW
#undef COPY_PART
#undef COPY_SIGNATURE
#undef COPY_FOUND
    return is_ok;
}

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
    // Of these types the recipient is an address and nothing else, so that the bytes are no transaction (EIP-4844, EIP-7702).
    if (f.ok() && out->is_create) {
        if (type_has_field(out->type, TransactionField::blob_versioned_hashes))
            f.note("to", Status::BLOB_CREATES_CONTRACT);
        else if (type_has_field(out->type, TransactionField::authorization_list))
            f.note("to", Status::SET_CODE_CREATES_CONTRACT);
    }
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
    if (type_has_field(out->type, TransactionField::gas_price))
        out->max_fee_per_gas = out->max_priority_fee_per_gas = out->gas_price;
    if (!out->raw.assign(raw.data, raw.size)) {
        *field = "transaction";
        return Status::OUT_OF_MEMORY;
    }
    *field = nullptr;
    return Status::SUCCESS;
}

bool encode_transaction(const Transaction& tx, Bytes* out) noexcept {
    RlpFieldWriter f{out};
    if (tx.type != LEGACY)
        f.writer().byte(tx.type);
    const size_t list = f.writer().begin_list();
    const bool is_known = fields_of_type(tx.type, f, tx);
    f.number("v", tx.type == LEGACY ? tx.v : u256{tx.y_parity});
    f.number("r", tx.r);
    f.number("s", tx.s);
    f.writer().end_list(list);
    return is_known && f.writer().ok();
}

bool encode_for_signing(const Transaction& tx, Bytes* out) noexcept {
    RlpFieldWriter f{out};
    if (tx.type != LEGACY)
        f.writer().byte(tx.type);
    const size_t list = f.writer().begin_list();
    const bool is_known = fields_of_type(tx.type, f, tx);
    if (tx.type == LEGACY && tx.has_chain_id) {  // EIP-155
        f.number("chain_id", tx.chain_id);
        f.number("r", uint64_t{0});
        f.number("s", uint64_t{0});
    }
    f.writer().end_list(list);
    return is_known && f.writer().ok();
}

size_t encode_authorization_for_signing(const Authorization& authorization, uint8_t out[AUTHORIZATION_MAX_BYTES]) noexcept {
    constexpr uint8_t MAGIC = 0x05;  // EIP-7702
    uint8_t chain_id[32], nonce[8];
    u256_to_bytes(authorization.chain_id, chain_id);
    u64_to_bytes(authorization.nonce, nonce);
    const unsigned chain_id_size = byte_length(authorization.chain_id), nonce_size = byte_length(authorization.nonce);
    const uint8_t* const chain_id_digits = chain_id + 32 - chain_id_size;
    const uint8_t* const nonce_digits = nonce + 8 - nonce_size;
    uint8_t* at = out;
    *at++ = MAGIC;
    at = rlp_put_header(at, 0xc0,
                        rlp_string_size(chain_id_digits, chain_id_size) + 21 + rlp_string_size(nonce_digits, nonce_size));
    at = rlp_put_string(at, chain_id_digits, chain_id_size);
    at = rlp_put_string(at, authorization.address.bytes, 20);
    at = rlp_put_string(at, nonce_digits, nonce_size);
    return static_cast<size_t>(at - out);
}

const char* transaction_type_name(uint8_t type) noexcept {
    switch (type) {
#define TRANSACTION(TYPE, NAME, FORK, EIP, TEXT, FIELDS) \
    case TYPE: return #NAME;
#include "../rules/transactions.def"
#undef TRANSACTION
    default: return nullptr;
    }
}

}  // namespace evmcore
