from libcpp cimport bool as cbool

from core.base.status cimport Status
from core.base.types cimport Hash
from core.parallel.engine cimport Engine
from core.state.block_access_list cimport AccessListFault, CBlockAccessList

cdef extern from "core/parallel/listed.hpp" namespace "evmcore" nogil:
    cppclass ListedResult:
        AccessListFault fault
        cbool has_root
        Hash root
        double transaction_seconds
    Status execute_listed(Engine*, const CBlockAccessList&, cbool wants_root, ListedResult*)
