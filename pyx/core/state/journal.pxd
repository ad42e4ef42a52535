from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool

from core.base.status cimport Status
from core.base.types cimport Address, ByteView, u256
from core.state.code cimport Code
from core.state.effects cimport Effects
from core.state.view cimport AccountState, MissingKey, StateView

cdef extern from "core/state/journal.hpp" namespace "evmcore" nogil:
    cppclass JournalAccount:
        Address address
        cbool exists
        cbool is_touched
        cbool is_destroyed
        cbool has_blind_credit
        cbool has_delegated
        uint8_t reads
        uint64_t nonce
        u256 balance
        const Code* code
        AccountState original
    cppclass JournalSlot:
        u256 value
    cppclass Log:
        Address address
        uint32_t topic_count
        uint32_t topic_begin
        uint32_t data_begin
        uint32_t data_size
    cppclass Snapshot:
        pass
    cppclass Journal:
        Status failure
        MissingKey missing
        int64_t refund
        cbool keeps_own_reads
        void begin(const StateView* view)
        JournalAccount* peek(const Address&)
        JournalAccount* account(const Address&)
        JournalSlot* peek_slot(JournalAccount*, const u256&)
        JournalSlot* slot(JournalAccount*, const u256&)
        cbool warm(JournalAccount*)
        cbool warm_slot "warm"(JournalSlot*)
        cbool can_pay(JournalAccount*, const u256&)
        uint64_t read_nonce(JournalAccount*)
        const Code* read_code(JournalAccount*)
        const Code* read_code_or_hash(JournalAccount*)
        cbool need_bytes(JournalAccount*, const Code*)
        cbool read_alive(JournalAccount*)
        cbool read_exists(JournalAccount*)
        cbool read_collision(JournalAccount*)
        cbool read_occupied(JournalAccount*)
        void credit(JournalAccount*, const u256&)
        cbool credit_blindly(const Address&, const u256&)
        void debit(JournalAccount*, const u256&)
        void set_nonce(JournalAccount*, uint64_t)
        cbool set_code(JournalAccount*, ByteView)
        void touch(JournalAccount*)
        void mark_created(JournalAccount*)
        Snapshot snapshot()
        void revert(const Snapshot&)
        cbool extract(Effects*)
