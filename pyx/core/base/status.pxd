from libc.stdint cimport uint8_t
from libcpp cimport bool as cbool

cdef extern from "core/base/status.hpp" namespace "evmcore" nogil:
    cdef enum class Kind(uint8_t):
        FLOW
        OK
        REVERT
        HALT
        INVALID
        BROKEN
    cdef enum class Status(uint8_t):
        RUNNING
        CALL
        CREATE
        SUCCESS
        REVERT
        OUT_OF_GAS
        CALL_DEPTH_EXCEEDED
        INSUFFICIENT_BALANCE
        ADDRESS_COLLISION
        INVALID_CODE_PREFIX
        CODE_SIZE_EXCEEDED
        PRECOMPILE_FAILURE
        TYPE_NOT_SUPPORTED
        INVALID_SIGNATURE
        INVALID_CHAIN_ID
        SENDER_NOT_EOA
        NONCE_TOO_LOW
        NONCE_TOO_HIGH
        NONCE_IS_MAX
        INSUFFICIENT_FUNDS
        INTRINSIC_GAS_TOO_LOW
        FLOOR_GAS_TOO_LOW
        GAS_ALLOWANCE_EXCEEDED
        GAS_LIMIT_EXCEEDS_MAXIMUM
        GASLIMIT_PRICE_OVERFLOW
        INITCODE_TOO_LARGE
        MAX_FEE_BELOW_BASE_FEE
        PRIORITY_ABOVE_MAX_FEE
        MAX_BLOB_FEE_TOO_LOW
        BLOB_GAS_ALLOWANCE_EXCEEDED
        TOO_MANY_BLOBS
        NO_BLOBS
        BLOB_HASH_VERSION
        BLOB_CREATES_CONTRACT
        SET_CODE_CREATES_CONTRACT
        NO_AUTHORIZATIONS
        BLOCK_SYSTEM_CONTRACT_EMPTY
        BLOCK_ACCESS_LIST
        BLOCK_ACCESS_LIST_HASH
        BLOCK_ACCESS_LIST_SIZE
        BLOCK_SYSTEM_CALL_FAILED
        OUT_OF_MEMORY
        CODE_LIMIT
        ABORTED
        MISSING_STATE
        MISSING_BLOCK_HASH
        PRECOMPILE_UNAVAILABLE
        ACCESSES_DIFFER
        INTERNAL
    Kind kind_of(Status)
    const char* name_of(Status)
    const char* text_of(Status)
    cbool is_limit(Status)
    const unsigned STATUS_COUNT
    const Status NUMBER_TOO_LARGE "evmcore::Status::RLP_NUMBER_TOO_LARGE"
