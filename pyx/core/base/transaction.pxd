from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool

from core.base.status cimport Status
from core.base.types cimport Address, ByteView, Bytes, Hash, u256
from core.base.vector cimport Vector

cdef extern from "core/base/transaction.hpp" namespace "evmcore" nogil:
    cppclass AccessEntry:
        Address address
        uint32_t first_key
        uint32_t key_count
    cppclass Authorization:
        u256 chain_id
        Address address
        uint64_t nonce
        uint8_t y_parity
        u256 r
        u256 s
    cppclass CTransaction "evmcore::Transaction":
        uint8_t type
        cbool is_create
        cbool has_chain_id
        uint8_t has_sender
        cbool knows_sender()
        void set_sender(const Address&)
        size_t zero_data_bytes()
        uint8_t y_parity
        uint64_t nonce
        uint64_t gas_limit
        u256 chain_id
        u256 gas_price
        u256 max_fee_per_gas
        u256 max_priority_fee_per_gas
        u256 max_fee_per_blob_gas
        u256 value
        u256 v
        u256 r
        u256 s
        Address to
        Address sender
        Hash hash
        Hash signing_hash
        Bytes data
        Vector[AccessEntry] access_list
        Vector[u256] access_keys
        Vector[Hash] blob_versioned_hashes
        Vector[Authorization] authorizations
        Bytes raw
    cdef enum class TransactionCodec(uint8_t):
        NUMBER_64
        NUMBER
        CHAIN_ID
        RECIPIENT
        DATA
        ACCESS_LIST
        HASHES
        AUTHORIZATIONS
    cdef enum class TransactionField(uint8_t):
        gas_price
    cppclass TransactionFieldRow:
        const char* name
        TransactionCodec codec
        int64_t default_number
        const char* json_name
        const char* text
        void* member(CTransaction& tx)
    const TransactionFieldRow* transaction_field_rows
    const size_t TRANSACTION_FIELD_COUNT
    const uint8_t LAST_TYPE_BYTE
    cbool type_has_field(uint8_t type, TransactionField field)
    void clear_transaction "evmcore::clear"(CTransaction* tx)
    cbool copy_fields(const CTransaction& source, CTransaction* tx)
    Status decode_transaction(ByteView raw, CTransaction* out, const char** field)
    Status split_legacy_v(CTransaction* tx)
    cbool encode_for_signing(const CTransaction& tx, Bytes* out)
