from libc.stdint cimport uint8_t, uint64_t
from libcpp cimport bool as cbool

from core.base.vector cimport Vector

cdef extern from "core/base/types.hpp" namespace "evmcore" nogil:
    cppclass ByteView:
        const uint8_t* data
        size_t size
        ByteView()
        ByteView(const uint8_t* data, size_t size)
    cppclass Address:
        uint8_t bytes[20]
        cbool operator==(const Address&)
    cppclass Hash:
        uint8_t bytes[32]
        cbool operator==(const Hash&)
    cppclass u256:
        uint64_t limb[4]
        u256()
        u256(uint64_t)
        cbool operator==(const u256&)
        cbool is_zero()
        cbool fits_u64()
    ctypedef Vector[uint8_t] Bytes
