from libc.stdint cimport int64_t, uint32_t, uint64_t
from libcpp cimport bool as cbool

from core.base.status cimport Status
from core.base.transaction cimport CTransaction
from core.base.types cimport Address, Bytes, Hash, u256
from core.base.vector cimport Vector
from core.rules.rules cimport Rules
from core.state.access_list_builder cimport AccessListBuilder
from core.state.effects cimport Effects
from core.state.view cimport MissingKey
from core.state.witness cimport WitnessRecord
from core.state.world cimport World
from core.vm.block_hashes cimport KnownBlockHashes
from core.vm.execution_counts cimport ExecutionCounts
from core.vm.frame cimport BlockContext
from core.vm.outcome cimport Bloom, Outcome
from core.vm.system_accesses cimport SystemAccesses

cdef extern from "core/vm/block_job.hpp" namespace "evmcore" nogil:
    cppclass OutcomeList:
        Outcome& operator[](size_t)
        size_t size()
    cppclass BlobLimits:
        int64_t max_blobs
        int64_t update_fraction
    cppclass BlockRoom:
        uint64_t gas_used
        uint64_t state_gas_used
        uint64_t cumulative_gas
        uint64_t blob_gas_used
    cppclass BlockWithdrawal:
        Address address
        uint64_t amount_gwei
    cppclass BlockOmmer:
        Address coinbase
        uint64_t number
    cppclass BlockJob:
        const Rules* rules
        BlockContext context
        BlobLimits blobs
        World* world
        Hash parent_hash
        cbool has_beacon_root
        Hash beacon_root
        Vector[CTransaction*] transactions
        Vector[BlockWithdrawal] withdrawals
        Vector[BlockOmmer] ommers
        const KnownBlockHashes* block_hashes
        cbool wants_state_roots
        cbool begins
        cbool ends
        BlockRoom room_before
        Bytes deposits_before
        cbool defers_deposits
        WitnessRecord* witness
        AccessListBuilder* access_list
        uint32_t first_index
        OutcomeList outcomes
        Effects system_effects
        Outcome system_logs
        SystemAccesses system_accesses
        BlockRoom room
        Bloom bloom
        Vector[Bytes] requests
        size_t failed_index
        u256 have
        u256 want
        MissingKey missing
        uint64_t missing_block_number
        ExecutionCounts counts
        void count_in(Outcome*)
        Status fail(Status, size_t index)
        Status fail_outside(Status, const Outcome&)
        cbool reset_results()
        cbool finish_index(uint32_t index)
        void prefetch_after(size_t)
    cbool (*job_block_hash "evmcore::BlockJob::block_hash")(void*, uint64_t, Hash*) noexcept
