from libc.stdint cimport uint64_t
from libcpp cimport bool as cbool

from core.base.types cimport Address, u256
from core.state.code cimport Code

cdef extern from "core/state/view.hpp" namespace "evmcore" nogil:
    cppclass AccountState:
        u256 balance
        uint64_t nonce
        const Code* code
        cbool exists
        cbool has_storage
        cbool is_tracked
    cppclass StateView:
        void* context
    cppclass MissingKey:
        MissingKey()
        Address address
        u256 slot
        cbool is_slot
        cbool is_storage
        cbool is_code
