from libc.stdint cimport uint32_t, uint64_t
from libcpp cimport bool as cbool

from core.base.poll cimport Poll
from core.base.status cimport Status
from core.base.types cimport Address, Bytes, ByteView, u256
from core.base.vector cimport Vector

cdef extern from "core/state/block_access_list.hpp" namespace "evmcore" nogil:
    cdef enum AccessListField "evmcore::AccessListFault::Field":
        FIELD_NONE "evmcore::AccessListFault::NONE"
        FIELD_ADDRESS "evmcore::AccessListFault::ADDRESS"
        FIELD_STORAGE "evmcore::AccessListFault::STORAGE"
        FIELD_READ "evmcore::AccessListFault::READ"
        FIELD_BALANCE "evmcore::AccessListFault::BALANCE"
        FIELD_NONCE "evmcore::AccessListFault::NONCE"
        FIELD_CODE "evmcore::AccessListFault::CODE"
    cdef enum AccessListFaultKind "evmcore::AccessListFault::Kind":
        FAULT_MALFORMED "evmcore::AccessListFault::MALFORMED"
        FAULT_MISSING "evmcore::AccessListFault::MISSING"
        FAULT_SURPLUS "evmcore::AccessListFault::SURPLUS"
        FAULT_DIFFERS "evmcore::AccessListFault::DIFFERS"
    cppclass AccessListFault:
        AccessListFaultKind kind
        AccessListField field
        const char* reason
        cbool has_address
        cbool has_slot
        cbool has_index
        Address address
        u256 slot
        uint32_t index
        u256 have
        u256 want
    cppclass ListRange "evmcore::BlockAccessList::Range":
        uint32_t begin
        uint32_t end
    cppclass ListAccount "evmcore::BlockAccessList::Account":
        Address address
        ListRange slots
        ListRange reads
    cppclass ListSlot "evmcore::BlockAccessList::Slot":
        u256 key
    cppclass CBlockAccessList "evmcore::BlockAccessList":
        Vector[ListAccount] accounts
        Vector[ListSlot] slots
        Vector[u256] reads
        uint64_t item_count()
        size_t size_bytes()
        Status decode(ByteView, Poll*, AccessListFault*)
        cbool encode(Poll*, Bytes*)
        Status check(uint32_t last_index, uint64_t max_items, uint64_t max_code_bytes, AccessListFault*)
        cbool differs_from(const CBlockAccessList&, AccessListFault*)
