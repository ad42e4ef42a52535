from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool

from core.base.types cimport Address, u256
from core.base.vector cimport Vector
from core.state.code cimport Code
from core.state.effects cimport Effects
from core.state.world cimport World

cdef extern from "core/vm/system_accesses.hpp" namespace "evmcore" nogil:
    cppclass SystemAccount:
        Address address
        uint32_t index
        uint8_t writes
        uint64_t nonce
        u256 balance
        const Code* code
    cppclass SystemSlot:
        Address address
        uint32_t index
        cbool is_write
        u256 key
        u256 value
    cppclass SystemAccesses:
        cbool is_wanted
        Vector[SystemAccount] accounts
        Vector[SystemSlot] slots
        void clear()
        cbool note(const World&, const Address&)
        cbool note(const World&, const Effects&)
        cbool finish(const World&, uint32_t index)
