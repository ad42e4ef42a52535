from libc.stdint cimport uint64_t
from libcpp cimport bool as cbool

from core.base.types cimport Address, Bytes

cdef extern from "core/base/withdrawal.hpp" namespace "evmcore" nogil:
    cppclass CWithdrawal "evmcore::Withdrawal":
        uint64_t index
        uint64_t validator_index
        Address address
        uint64_t amount_gwei
    cbool encode_withdrawal(const CWithdrawal& withdrawal, Bytes* out)
