from libcpp cimport bool as cbool

from core.base.types cimport u256
from core.state.world cimport AccountRecord, World

cdef extern from "core/state/slot_table.hpp" namespace "evmcore" nogil:
    cppclass TableSlot "evmcore::SlotTable::Slot":
        u256 key
        u256 value
    cppclass SlotTable:
        cbool build(const World&)
        cbool build_one "build"(const World&, const AccountRecord&)
        size_t count(const AccountRecord&)
        const TableSlot& slot(const AccountRecord&, size_t i)
