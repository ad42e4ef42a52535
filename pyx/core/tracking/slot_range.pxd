from core.base.types cimport u256

cdef extern from "core/tracking/slot_range.hpp" namespace "evmcore" nogil:
    cppclass SlotRange:
        u256 lowest
        u256 highest
