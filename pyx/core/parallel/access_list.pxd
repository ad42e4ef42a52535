from libc.stdint cimport uint32_t, uint64_t

from core.base.poll cimport Poll
from core.base.status cimport Status
from core.parallel.access_rows cimport AccountAccess, SlotAccess
from core.state.code cimport Code

cdef extern from "core/parallel/access_list.hpp" namespace "evmcore" nogil:
    cppclass AccessList:
        Status build(const AccountAccess*, size_t, const SlotAccess*, size_t, const Code**, size_t, const uint64_t* gas,
                     uint32_t count, Poll*)
