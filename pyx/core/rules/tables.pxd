from libc.stdint cimport int64_t
from libcpp cimport bool as cbool

from core.base.transaction cimport TransactionField
from core.base.types cimport Address
from core.rules.rules cimport Fork

cdef extern from "core/rules/tables.hpp" namespace "evmcore" nogil:
    cppclass OpcodeRow:
        int number
        const char* name
        int pops
        int pushes
        int depth
        int immediate
        Fork since
        const char* effect
    cppclass ForkRow:
        const char* name
        Fork parent
        const char* mainnet_name
        const char* test_name
        const char* other_names
        const char* config_name
        cbool may_be_left_out
    cppclass PrecompileRow:
        int address
        const char* name
        Fork since
        int eip
        const char* effect
    cppclass TransactionRow:
        int type
        const char* name
        Fork since
        int eip
        const char* effect
        const TransactionField* fields
        size_t field_count
    const OpcodeRow* opcode_rows
    const size_t OPCODE_ROW_COUNT
    const ForkRow* fork_rows
    const PrecompileRow* precompile_rows
    const size_t PRECOMPILE_ROW_COUNT
    const TransactionRow* transaction_rows
    const size_t TRANSACTION_ROW_COUNT
    cppclass ParameterRow:
        const char* name
        int64_t value
        const char* source
    cppclass SystemAddressRow:
        const char* name
        Address address
        const char* source
    const ParameterRow* parameter_rows
    const size_t PARAMETER_ROW_COUNT
    const SystemAddressRow* system_address_rows
    const size_t SYSTEM_ADDRESS_ROW_COUNT
