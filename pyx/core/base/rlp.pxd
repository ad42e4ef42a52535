from libcpp cimport bool as cbool

from core.base.status cimport Status
from core.base.types cimport Bytes, ByteView

cdef extern from "core/base/rlp.hpp" namespace "evmcore" nogil:
    cppclass RlpReader:
        RlpReader()
        cbool at_end()
    cppclass RlpWriter:
        RlpWriter(Bytes*)
        cbool ok()
        void note(cbool)
        size_t begin_list()
        void end_list(size_t)
    Status open_rlp_list(ByteView, RlpReader*)
