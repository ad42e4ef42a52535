from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libcpp cimport bool as cbool

from core.base.types cimport Address, u256
from core.base.vector cimport Vector
from core.state.code cimport Code
from core.tracking.slot_range cimport SlotRange

cdef extern from "core/state/effects.hpp" namespace "evmcore" nogil:
    cdef enum ReadBits:
        READ_NONCE
        READ_CODE_BYTES
    cdef enum WriteBits:
        WROTE_NONCE
        WROTE_CODE
    cppclass AccountEffect:
        AccountEffect()
        Address address
        uint8_t reads
        uint8_t writes
        uint64_t nonce
        u256 balance_after
        const Code* code
    cppclass SlotEffect:
        SlotEffect()
        uint32_t account
        cbool is_write
        uint16_t range
        u256 key
        u256 seen
        u256 value
        cbool has_range()
    cbool changes_code(const AccountEffect&)
    cppclass Effects:
        Vector[AccountEffect] accounts
        Vector[SlotEffect] slots
        Vector[SlotRange] ranges
        void clear()
    cppclass SpareEffects:
        void open(Effects*)
        void close(Effects*)
