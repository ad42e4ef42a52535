from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool

from core.base.poll cimport Poll
from core.base.status cimport Status
from core.base.types cimport Address, Hash, u256
from core.base.vector cimport Vector
from core.state.code cimport Code

cdef extern from "core/state/changes.hpp" namespace "evmcore" nogil:
    cdef enum StorageFate:  # an enum class; its members are evmcore.changes'
        pass
    cppclass AccountValues:
        u256 balance
        uint64_t nonce
        uint32_t code
        cbool exists
    cppclass AccountChange:
        Address address
        StorageFate storage
        AccountValues before
        AccountValues after
        uint32_t slot_count
    cppclass SlotChange:
        u256 key
        u256 before
        u256 after
    cppclass ChangedCode:
        Hash hash
        const Code* code
    cdef enum ChangeField "evmcore::ChangeMismatch::Field":
        CHANGE_NONE "evmcore::ChangeMismatch::NONE"
        CHANGE_EXISTENCE "evmcore::ChangeMismatch::EXISTENCE"
        CHANGE_BALANCE "evmcore::ChangeMismatch::BALANCE"
        CHANGE_NONCE "evmcore::ChangeMismatch::NONCE"
        CHANGE_CODE "evmcore::ChangeMismatch::CODE"
        CHANGE_SLOT "evmcore::ChangeMismatch::SLOT"
        CHANGE_SLOT_COUNT "evmcore::ChangeMismatch::SLOT_COUNT"
        CHANGE_NO_CODE "evmcore::ChangeMismatch::NO_CODE"
    cppclass ChangeMismatch:
        ChangeField field
        Address address
        u256 key
        u256 have
        u256 want
    cppclass StateChanges:
        Vector[AccountChange] accounts
        Vector[SlotChange] slots
        Vector[ChangedCode] codes
        void clear()
        const Hash& code_hash(const AccountValues&)
        cbool invert(StateChanges* out)
        cbool has_inverse()
        Status join(const StateChanges& first, const StateChanges& second, Poll*, ChangeMismatch*)
        cbool operator==(const StateChanges&)
        size_t size_bytes()
