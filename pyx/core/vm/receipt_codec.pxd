from libcpp cimport bool as cbool

from core.base.status cimport Status
from core.base.types cimport Bytes, ByteView
from core.vm.outcome cimport Outcome

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

cdef extern from "core/vm/receipt_codec.hpp" namespace "evmcore" nogil:
    cppclass PackedReceipt:
        cbool has_status
        const char* field
    cbool pack_receipt(const Outcome&, cbool has_status, Bytes*)
    Status unpack_receipt(RlpReader*, Outcome*, PackedReceipt*)
