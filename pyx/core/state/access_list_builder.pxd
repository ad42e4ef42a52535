from libc.stdint cimport uint32_t, uint64_t
from libcpp cimport bool as cbool

from core.base.types cimport Address, u256
from core.state.block_access_list cimport CBlockAccessList
from core.state.changes cimport AccountChange, StateChanges
from core.state.code cimport Code
from core.state.effects cimport Effects
from core.state.world cimport World

cdef extern from "core/state/access_list_builder.hpp" namespace "evmcore" nogil:
    cppclass AccessListBuilder:
        void clear()
        cbool add(uint32_t index, const Effects&)
        cbool add_on(const World&, uint32_t index, Effects*, cbool deletes_empty)
        cbool add_account(const Address&)
        cbool add_changes "add"(uint32_t index, const StateChanges&, const AccountChange** hidden)
        cbool add_list "add"(const CBlockAccessList&)
        cbool finish(CBlockAccessList*)
