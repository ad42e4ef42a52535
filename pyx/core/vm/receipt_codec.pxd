from libcpp cimport bool as cbool

from core.base.rlp cimport RlpReader
from core.base.status cimport Status
from core.base.types cimport Bytes
from core.vm.outcome cimport Outcome

cdef extern from "core/vm/receipt_codec.hpp" namespace "evmcore" nogil:
    cppclass PackedReceipt:
        cbool has_status
        const char* field
    cbool pack_receipt(const Outcome&, cbool has_status, Bytes*)
    Status unpack_receipt(RlpReader*, Outcome*, PackedReceipt*)
