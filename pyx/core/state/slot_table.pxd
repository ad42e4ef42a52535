from libc.stdint cimport uint32_t
from libcpp cimport bool as cbool

from core.base.poll cimport Poll
from core.base.types cimport u256
from core.base.vector cimport Vector
from core.state.world cimport AccountRecord, World

cdef extern from "core/state/slot_table.hpp" namespace "evmcore" nogil:
    cppclass TableSlot "evmcore::SlotTable::Slot":
        u256 key
        u256 value
    cppclass SlotTable:
        cbool build(const World&, const AccountRecord* record, Poll* poll)
        size_t count(const AccountRecord&)
        const TableSlot& slot(const AccountRecord&, size_t i)
    cbool sort_accounts(const World&, Vector[uint32_t]* places, Poll* poll)
