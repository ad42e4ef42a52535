from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool

from core.base.poll cimport Poll
from core.base.status cimport Status
from core.base.types cimport Address, ByteView, Bytes, Hash, u256
from core.base.vector cimport Vector
from core.precompiles.precompiles cimport MovedPrecompile
from core.rules.rules cimport Rules
from core.state.code cimport Code
from core.state.effects cimport SpareEffects
from core.state.journal cimport Journal, JournalAccount, Snapshot

cdef extern from "core/vm/frame.hpp" namespace "evmcore" nogil:
    cppclass MemoryArena:
        uint8_t* data()
        cbool reserve(uint64_t size_bytes)
        void clear(uint64_t begin, uint64_t end)
        void trim()
    const int64_t POLL_GAS
    cppclass Frame:
        const uint8_t* pc
        u256* stack_top
        u256* stack_base
        int64_t gas
        int64_t poll_below
        uint8_t* memory
        uint64_t memory_size
        uint64_t memory_begin
        const uint8_t* code
        uint32_t code_size
        const uint64_t* jump_destinations
        ByteView input
        uint64_t input_begin
        Machine* machine
        JournalAccount* self
        Address caller
        u256 value
        const Code* owned_code
        Snapshot snapshot
        uint64_t output_begin
        uint64_t output_size
        int depth
        cbool is_static
        cbool is_create
        cbool is_tracked
        int64_t spill
        int64_t new_account_gas
        void push(const u256&)
        cbool charge(int64_t)
    cppclass Request:
        int64_t gas
        JournalAccount* target
        JournalAccount* payer
        Address code_address
        const Code* code
        Address caller
        u256 value
        cbool is_static
        cbool is_create
        cbool is_delegated
        ByteView input
        uint64_t input_begin
        uint64_t output_begin
        uint64_t output_size
        int64_t new_account_gas
    cppclass BlockContext:
        uint64_t number
        uint64_t timestamp
        uint64_t gas_limit
        uint64_t slot_number
        Address coinbase
        u256 prev_randao
        u256 base_fee
        u256 blob_base_fee
        u256 chain_id
        cbool (*block_hash)(void* context, uint64_t number, Hash* out) noexcept
        void* block_hash_context
        const MovedPrecompile* moved_precompiles
        size_t moved_precompile_count
    cppclass TransactionContext:
        Address origin
        u256 gas_price
        const Hash* blob_hashes
        size_t blob_hash_count
        uint32_t start_pc
        cbool starts_cold
        int64_t new_account_gas
    cppclass Tracer:
        void* context
        cbool (*step)(void* context, Frame* frame) noexcept
        cbool (*leave)(void* context, Frame* frame, Status status) noexcept
        cbool (*enter)(void* context, const Machine* machine) noexcept
        cbool (*exit)(void* context, const Machine* machine, Status status, int64_t gas_left) noexcept
    cppclass GivenPrecompiles:
        GivenPrecompiles()
        void* context
        Vector[Address] addresses
        Status (*run)(void* context, Machine* machine) noexcept
        cbool has(const Address& address)
    cppclass Machine:
        Machine() except +
        Journal journal
        SpareEffects spare_effects
        Poll poll
        const Rules* rules
        BlockContext block
        TransactionContext transaction
        MemoryArena memory
        Bytes return_data
        Request request
        Frame* frames
        int depth
        u256* stack_arena
        Tracer* tracer
        const GivenPrecompiles* given_precompiles
        cbool is_nested
        cbool holds_codes
        cbool tracks_values
        int64_t gas_left
        int64_t reservoir
        int64_t state_gas
        int64_t spill
        cbool ripemd_touch_survives
        uint32_t unchecked
        double recover_seconds
        uint64_t missing_block_number
        void track_values(cbool follows)
        void trim()
    Address create_address(const Address& creator, uint64_t nonce)
    Status execute(Frame& frame)
