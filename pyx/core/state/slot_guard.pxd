from core.base.types cimport u256

cdef extern from "core/state/slot_guard.hpp" namespace "evmcore" nogil:
    cppclass SlotGuard:
        u256 lowest
        u256 highest
