from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.memory cimport shared_ptr

from core.base.poll cimport AtomicU64, Poll
from core.base.status cimport Status
from core.base.types cimport Address, ByteView, Hash, u256
from core.state.changes cimport ChangeMismatch, StateChanges
from core.state.code cimport Code
from core.state.effects cimport Effects
from core.state.local_reads cimport LocalReads
from core.state.shared_trie cimport MissingNode, Ref
from core.state.stored cimport OtherSlots
from core.state.view cimport AccountState, MissingKey, StateView

cdef extern from "core/state/world.hpp" namespace "evmcore" nogil:
    cppclass AccountRecord:
        Address address
        u256 balance
        uint64_t nonce
        const Code* code
        uint32_t slot_count
        cbool exists
        uint8_t known
        OtherSlots other_slots
    AccountState state_of(const AccountRecord&)
    cppclass AccountFacts:
        cbool exists
        u256 balance
        uint64_t nonce
        ByteView code
        cbool has_code_hash
        Hash code_hash
        OtherSlots slots
    cppclass World:
        World(cbool is_strict) except +
        World* clone(cbool has_undo)
        @staticmethod
        World* fork(const shared_ptr[World]&, shared_ptr[World] (*share)(World*) noexcept nogil)
        void reclaim(size_t most_cells)
        cbool is_fork_long()
        cbool is_free_long()
        cbool is_tidy_long()
        cbool is_end_long(uint64_t checkpoint, cbool is_kept)
        cbool has_waste()
        void take_waste(shared_ptr[World]* world, Ref* trie)
        cbool is_small()
        cbool is_layered()
        @staticmethod
        cbool knows(const AccountRecord&, uint8_t fields)
        size_t live_account_count()
        Status set_other_slots(const Address&, OtherSlots)
        Status learn(const Address&, const AccountFacts&)
        Status learn_slot(const Address&, const u256&, const u256&)
        uint32_t observation_count()
        void tidy()
        AtomicU64 at_work
        unsigned process_at_work
        cbool is_strict()
        size_t account_count()
        size_t slot_places()
        const AccountRecord& record(size_t i)
        const AccountRecord* find(const Address&)
        Status account(const Address&, AccountState*)
        Status slot(const Address&, const u256&, u256*)
        StateView view()
        Status set_balance(const Address&, const u256&)
        Status set_nonce(const Address&, uint64_t)
        Status set_code(const Address&, ByteView)
        Status set_slot(const Address&, const u256&, const u256&)
        Status create(const Address&)
        Status destroy(const Address&)
        cbool has_checkpoints()
        cbool has_checkpoint(uint64_t)
        size_t checkpoint_count()
        uint64_t checkpoint()
        cbool revert(uint64_t)
        cbool release(uint64_t)
        Status apply(const Effects&, cbool deletes_empty)
        Status changes_since(uint64_t checkpoint, Poll*, StateChanges* out, MissingKey*)
        Status apply_changes(const StateChanges&, cbool checks, Poll*, ChangeMismatch*)
        cbool root(Hash* out, Poll*)
        World* base_without_trie()
        MissingNode missing_node
        Hash missing_node_account
        cbool is_missing_in_storage
        cbool current_trie(Ref*)
        void set_partial_trie(const Ref&)
        LocalReads* local()
        void set_local(shared_ptr[LocalReads])
        size_t size_bytes()
    const size_t FEW_TO_MOVE "evmcore::World::FEW_TO_MOVE"
