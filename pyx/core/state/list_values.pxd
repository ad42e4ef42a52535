from libc.stdint cimport uint32_t
from libcpp cimport bool as cbool

from core.base.poll cimport Poll
from core.base.status cimport Status
from core.base.vector cimport Vector
from core.rules.rules cimport Rules
from core.state.block_access_list cimport CBlockAccessList
from core.state.view cimport MissingKey
from core.state.world cimport World

cdef extern from "core/state/list_values.hpp" namespace "evmcore" nogil:
    cppclass ChangeCounts:
        Vector[uint32_t] fields
        Vector[uint32_t] slots
    cbool count_changes(const CBlockAccessList&, uint32_t last, ChangeCounts*)
    Status write_list_below(const CBlockAccessList&, uint32_t below, const Rules&, World*, Poll*, MissingKey*)
