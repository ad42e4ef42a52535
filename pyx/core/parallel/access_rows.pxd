from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef extern from "core/parallel/access_rows.hpp" namespace "evmcore" nogil:
    cppclass TransactionAccess:
        uint32_t transaction
        uint64_t gas_used
        uint32_t executions
        int64_t waited_for
        uint64_t finish_gas
    cppclass AccountAccess:
        uint32_t transaction
        uint8_t* address
        uint8_t reads
        uint8_t writes
        int32_t code
        uint64_t nonce
        uint8_t* balance
    cppclass SlotAccess:
        uint32_t transaction
        uint8_t* address
        uint8_t* slot
        uint8_t* value
        uint8_t is_write
