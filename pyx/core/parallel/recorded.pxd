from core.base.status cimport Status
from core.parallel.access_list cimport AccessList
from core.parallel.engine cimport Engine

cdef extern from "core/parallel/recorded.hpp" namespace "evmcore" nogil:
    Status execute_recorded(Engine*, const AccessList*)
