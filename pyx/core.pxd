# The C++ core as Cython sees it, floor by floor: declarations only, all nogil.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.memory cimport shared_ptr
from libcpp.vector cimport vector

cdef extern from "<algorithm>" nogil:
    int64_t count_bytes "std::count"(const uint8_t* first, const uint8_t* last, uint8_t byte)

# ---------------------------------------------------------------- 0 base

cdef extern from "core/base/vector.hpp" namespace "evmcore" nogil:
    cppclass Vector[T]:
        # What returns cbool is false, and what returns a pointer null, when there is no memory.
        size_t size()
        cbool empty()
        T* data()
        T& operator[](size_t)
        cbool push_back(const T&)
        T* add()
        cbool append(const T* items, size_t count)
        cbool assign(const T* items, size_t count)
        cbool fill(size_t count, const T&)
        cbool resize(size_t)
        cbool reserve(size_t)
        void truncate(size_t)
        void clear()
        void release()
        void swap(Vector&)

cdef extern from *:
    """
    // Under the GIL: appends to a Vector or assigns to Bytes, and raises MemoryError where there is no memory.
    static inline int evmcore_done(bool is_done) {
        if (!is_done)
            PyErr_NoMemory();
        return is_done ? 0 : -1;
    }
    template <class V, class Item>
    static inline int evmcore_append(V& items, const Item& item) { return evmcore_done(items.push_back(item)); }
    """
    int or_memory_error "evmcore_done"(cbool is_done) except -1
    int append_to "evmcore_append"(...) except -1

cdef extern from "core/base/types.hpp" namespace "evmcore" nogil:
    cppclass ByteView:
        const uint8_t* data
        size_t size
        ByteView()
        ByteView(const uint8_t* data, size_t size)
    cppclass Address:
        uint8_t bytes[20]
        cbool operator==(const Address&)
    cppclass Hash:
        uint8_t bytes[32]
        cbool operator==(const Hash&)
    cppclass u256:
        uint64_t limb[4]
        u256()
        u256(uint64_t)
        cbool operator==(const u256&)
        cbool is_zero()
        cbool fits_u64()
    ctypedef Vector[uint8_t] Bytes

cdef extern from "core/base/limits.hpp" namespace "evmcore::limit" nogil:
    const size_t CODE_BYTES_MOST "evmcore::limit::CODE_BYTES"

cdef extern from "core/base/status.hpp" namespace "evmcore" nogil:
    cdef enum class Kind(uint8_t):
        FLOW
        OK
        REVERT
        HALT
        INVALID
        BROKEN
    cdef enum class Status(uint8_t):
        RUNNING
        CALL
        CREATE
        SUCCESS
        REVERT
        OUT_OF_GAS
        ADDRESS_COLLISION
        INVALID_CODE_PREFIX
        CODE_SIZE_EXCEEDED
        PRECOMPILE_FAILURE
        TYPE_NOT_SUPPORTED
        INVALID_SIGNATURE
        INVALID_CHAIN_ID
        SENDER_NOT_EOA
        NONCE_TOO_LOW
        NONCE_TOO_HIGH
        NONCE_IS_MAX
        INSUFFICIENT_FUNDS
        INTRINSIC_GAS_TOO_LOW
        FLOOR_GAS_TOO_LOW
        GAS_ALLOWANCE_EXCEEDED
        GAS_LIMIT_EXCEEDS_MAXIMUM
        GASLIMIT_PRICE_OVERFLOW
        INITCODE_TOO_LARGE
        MAX_FEE_BELOW_BASE_FEE
        PRIORITY_ABOVE_MAX_FEE
        MAX_BLOB_FEE_TOO_LOW
        BLOB_GAS_ALLOWANCE_EXCEEDED
        TOO_MANY_BLOBS
        NO_BLOBS
        BLOB_HASH_VERSION
        BLOB_CREATES_CONTRACT
        SET_CODE_CREATES_CONTRACT
        NO_AUTHORIZATIONS
        BLOCK_SYSTEM_CONTRACT_EMPTY
        BLOCK_SYSTEM_CALL_FAILED
        BLOCK_DEPOSIT_LAYOUT
        OUT_OF_MEMORY
        MEMORY_LIMIT
        CODE_LIMIT
        ABORTED
        MISSING_STATE
        MISSING_BLOCK_HASH
        PRECOMPILE_UNAVAILABLE
        ACCESSES_DIFFER
        INTERNAL
    Kind kind_of(Status)
    const char* name_of(Status)
    const char* text_of(Status)
    cbool is_limit(Status)
    const unsigned STATUS_COUNT

cdef extern from "core/base/poll.hpp" namespace "evmcore" nogil:
    cppclass AtomicU64 "std::atomic<uint64_t>":
        uint64_t load()
        void store(uint64_t)
    cppclass AtomicFlag "std::atomic<bool>":
        void store(cbool)
        cbool load()
    cppclass Poll:
        AtomicFlag abort
        cbool (*hook)(void*) noexcept
        void* hook_context
        uint32_t countdown
        uint32_t interval
        cbool poll(uint32_t)

cdef extern from "core/base/header.hpp" namespace "evmcore" nogil:
    cppclass CWithdrawal "evmcore::Withdrawal":
        uint64_t index
        uint64_t validator_index
        Address address
        uint64_t amount_gwei
    cbool encode_withdrawal(const CWithdrawal& withdrawal, Bytes* out)

cdef extern from "core/base/transaction.hpp" namespace "evmcore" nogil:
    cppclass AccessEntry:
        Address address
        uint32_t first_key
        uint32_t key_count
    cppclass Authorization:
        u256 chain_id
        Address address
        uint64_t nonce
        uint8_t y_parity
        u256 r
        u256 s
    cppclass CTransaction "evmcore::Transaction":
        uint8_t type
        cbool is_create
        cbool has_chain_id
        uint8_t has_sender
        cbool knows_sender()
        void set_sender(const Address&)
        uint8_t y_parity
        uint64_t nonce
        uint64_t gas_limit
        u256 chain_id
        u256 gas_price
        u256 max_fee_per_gas
        u256 max_priority_fee_per_gas
        u256 max_fee_per_blob_gas
        u256 value
        u256 v
        u256 r
        u256 s
        Address to
        Address sender
        Hash hash
        Hash signing_hash
        Bytes data
        Vector[AccessEntry] access_list
        Vector[u256] access_keys
        Vector[Hash] blob_versioned_hashes
        Vector[Authorization] authorizations
        Bytes raw
    cdef enum class TransactionCodec(uint8_t):
        NUMBER_64
        NUMBER
        CHAIN_ID
        RECIPIENT
        DATA
        ACCESS_LIST
        HASHES
        AUTHORIZATIONS
    cdef enum class TransactionField(uint8_t):
        gas_price
    cppclass TransactionFieldRow:
        const char* name
        TransactionCodec codec
        int64_t default_number
        const char* json_name
        const char* text
        void* member(CTransaction& tx)
    const TransactionFieldRow* transaction_field_rows
    const size_t TRANSACTION_FIELD_COUNT
    const uint8_t LAST_TYPE_BYTE
    cbool type_has_field(uint8_t type, TransactionField field)
    void clear_transaction "evmcore::clear"(CTransaction* tx)
    cbool copy_fields(const CTransaction& source, CTransaction* tx)
    Status decode_transaction(ByteView raw, CTransaction* out, const char** field)
    Status split_legacy_v(CTransaction* tx)
    cbool encode_transaction(const CTransaction& tx, Bytes* out)
    cbool encode_for_signing(const CTransaction& tx, Bytes* out)

# ---------------------------------------------------------------- 1 math, crypto

cdef extern from "core/math/u256.hpp" namespace "evmcore" nogil:
    cbool add_overflow(const u256& a, const u256& b, u256* total)
    cbool mul_u64_overflow(const u256& a, uint64_t b, u256* product)
    cbool same_word(const u256&, const u256&)
    cbool less "evmcore::operator<"(const u256&, const u256&)
    u256 plus "evmcore::operator+"(const u256&, const u256&)
    u256 minus "evmcore::operator-"(const u256&, const u256&)
    u256 mul_u64(const u256& a, uint64_t b)
    u256 from_address(const Address&)
    u256 from_big_endian(const uint8_t* data)
    void to_big_endian(const u256& x, uint8_t* out)
    unsigned bit_length(const u256&)

cdef extern from "core/crypto/keccak.hpp" namespace "evmcore" nogil:
    void c_keccak256 "evmcore::keccak256"(const uint8_t* data, size_t size, Hash* out)
    cbool keccak256_polled "evmcore::keccak256"(const uint8_t* data, size_t size, Hash* out, Poll& poll)

cdef extern from "core/crypto/transaction_hash.hpp" namespace "evmcore" nogil:
    cbool hash_transaction(CTransaction* tx)
    Hash authorization_signing_hash(const Authorization& authorization)

cdef extern from "core/crypto/secp256k1.hpp" namespace "evmcore" nogil:
    Status recover_sender(const Hash& signing_hash, const uint8_t* r, const uint8_t* s, uint8_t y_parity, Address* out)
    cppclass Signature:
        uint8_t r[32]
        uint8_t s[32]
        uint8_t y_parity
    cbool sign_recoverable(const uint8_t* hash, const uint8_t* private_key, Signature* out)
    cbool sign_recoverable_portable(const uint8_t* hash, const uint8_t* private_key, Signature* out)
    cbool recover_public_key(const uint8_t* hash, const uint8_t* r, const uint8_t* s, uint8_t y_parity, uint8_t* key)
    cbool recover_public_key_portable(const uint8_t* hash, const uint8_t* r, const uint8_t* s, uint8_t y_parity, uint8_t* key)

cdef extern from "core/crypto/native_library.hpp" namespace "evmcore" nogil:
    cppclass NativeSymbol:
        const char* name
        const char* package
    const NativeSymbol* c_native_symbols "evmcore::native_symbols"
    const size_t NATIVE_SYMBOL_COUNT
    cbool c_set_native_symbol "evmcore::set_native_symbol"(const char* name, void* address)

# ---------------------------------------------------------------- 2 rules

cdef extern from "core/rules/rules.hpp" namespace "evmcore" nogil:
    cdef enum class Fork(uint8_t):
        FRONTIER
    cppclass Rules:
        Fork fork
        int32_t base_gas[256]
        cbool is_defined[256]
        uint32_t precompiles
        cbool has_transaction_type[128]
        cbool coinbase_is_warm
        cbool has_warm_access
        int64_t refund_quotient
        cbool deletes_empty_accounts
        uint64_t contract_start_nonce
        cbool keeps_contract_without_deposit
        int64_t max_code_size_bytes
        int64_t max_initcode_size_bytes
        int64_t initcode_word_gas
        cbool rejects_ef_code
        cbool has_delegation
        int64_t create_transaction_gas
        int64_t calldata_zero_gas
        int64_t calldata_nonzero_gas
        int64_t floor_token_gas
        int64_t transaction_gas_cap
        cbool has_low_s_rule
        cbool has_replay_protection
        cbool has_base_fee
        cbool has_blobs
        int64_t max_blobs_per_transaction
        int64_t block_reward_finney
        cbool receipt_has_status
        cbool is_proof_of_stake
        cbool has_withdrawals
        cbool has_beacon_root
        cbool stores_parent_hash
        cbool has_requests
        int64_t blob_target
        int64_t blob_max
        int64_t blob_fee_update_fraction
        int64_t blob_base_cost_gas
        int64_t max_block_size_bytes
        int64_t bomb_delay_blocks
        int difficulty_rule
    const unsigned FORK_COUNT
    const Fork newest_fork "evmcore::NEWEST_FORK"
    const Rules& rules_of(Fork fork)

cdef extern from "core/rules/rules.hpp" namespace "evmcore::parameter" nogil:
    const int64_t call_stipend_gas
    const int64_t code_deposit_byte_gas
    const int64_t transaction_gas
    const int64_t access_list_address_gas
    const int64_t access_list_key_gas
    const int64_t authorization_new_gas
    const int64_t authorization_refund_gas
    const int64_t blob_gas_per_blob
    const int64_t blob_base_fee_minimum_wei
    const int64_t blob_hash_version
    const int64_t system_call_gas
    const int64_t calldata_tokens_per_nonzero
    const int64_t block_hash_window

cdef extern from "core/rules/rules.hpp" namespace "evmcore::system_address" nogil:
    const Address system_caller
    const Address beacon_roots_contract
    const Address history_contract
    const Address withdrawal_contract
    const Address consolidation_contract
    const Address deposit_contract
    const Address ripemd160_precompile

cdef extern from "core/rules/tables.hpp" namespace "evmcore" nogil:
    cppclass OpcodeRow:
        int number
        const char* name
        int pops
        int pushes
        int depth
        int immediate
        Fork since
        const char* effect
    cppclass ForkRow:
        const char* name
        Fork parent
        const char* mainnet_name
        const char* test_name
        const char* other_names
        const char* config_name
        cbool may_be_left_out
    cppclass PrecompileRow:
        int address
        const char* name
        Fork since
        int eip
        const char* effect
    cppclass TransactionRow:
        int type
        const char* name
        Fork since
        int eip
        const char* effect
        const TransactionField* fields
        size_t field_count
    const OpcodeRow* opcode_rows
    const size_t OPCODE_ROW_COUNT
    const ForkRow* fork_rows
    const PrecompileRow* precompile_rows
    const size_t PRECOMPILE_ROW_COUNT
    const TransactionRow* transaction_rows
    const size_t TRANSACTION_ROW_COUNT
    cppclass ParameterRow:
        const char* name
        int64_t value
        const char* source
    cppclass SystemAddressRow:
        const char* name
        Address address
        const char* source
    const ParameterRow* parameter_rows
    const size_t PARAMETER_ROW_COUNT
    const SystemAddressRow* system_address_rows
    const size_t SYSTEM_ADDRESS_ROW_COUNT

# ---------------------------------------------------------------- 3 state

cdef extern from "core/state/code.hpp" namespace "evmcore" nogil:
    cppclass Code:
        uint32_t size
        Hash hash
        const uint8_t* bytes()
        ByteView view()
        cbool is_delegation()
        Address delegate()
        const Code* acquire()
        void release()
        const uint64_t* analysis()
        @staticmethod
        Code* create(ByteView code, const Hash* hash, cbool is_transient)
    ByteView view_of(const Code*)
    const Hash& hash_of(const Code*)

cdef extern from "core/state/view.hpp" namespace "evmcore" nogil:
    cppclass AccountState:
        u256 balance
        uint64_t nonce
        const Code* code
        cbool exists
        cbool has_storage
        cbool is_contended
        cbool is_storage_known
    cppclass StateView:
        void* context
    cppclass MissingKey:
        MissingKey()
        Address address
        u256 slot
        cbool is_slot
        cbool is_storage

cdef extern from "core/state/slot_guard.hpp" namespace "evmcore" nogil:
    cppclass SlotGuard:
        u256 lowest
        u256 highest

cdef extern from "core/state/effects.hpp" namespace "evmcore" nogil:
    cdef enum ReadBits:
        READ_NONCE
    cdef enum WriteBits:
        WROTE_BALANCE
        WROTE_NONCE
        WROTE_CODE
        TOUCHED
        CREATED
        DESTROYED
    cppclass AccountEffect:
        AccountEffect()
        Address address
        uint8_t reads
        uint8_t writes
        uint64_t nonce
        u256 balance_change
        u256 balance_after
        u256 seen_balance
        const Code* code
    cppclass SlotEffect:
        SlotEffect()
        uint32_t account
        cbool is_write
        uint16_t guard
        u256 key
        u256 seen
        u256 value
        cbool has_guard()
    cppclass Effects:
        Vector[AccountEffect] accounts
        Vector[SlotEffect] slots
        Vector[SlotGuard] guards
        void clear()
    cppclass SpareEffects:
        void open(Effects*)
        void close(Effects*)

cdef extern from "core/state/journal.hpp" namespace "evmcore" nogil:
    cppclass JournalAccount:
        Address address
        cbool is_loaded
        cbool is_warm
        cbool exists
        cbool is_touched
        cbool is_created
        cbool is_destroyed
        uint8_t reads
        uint64_t nonce
        u256 balance
        const Code* code
        AccountState original
        cbool is_empty()
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
        void begin(const StateView* view)
        JournalAccount* peek(const Address&)
        JournalAccount* account(const Address&)
        JournalSlot* peek_slot(JournalAccount*, const u256&)
        cbool warm(JournalAccount*)
        cbool warm_slot "warm"(JournalSlot*)
        cbool can_pay(JournalAccount*, const u256&)
        uint64_t read_nonce(JournalAccount*)
        const Code* read_code(JournalAccount*)
        cbool read_alive(JournalAccount*)
        cbool read_exists(JournalAccount*)
        cbool read_collision(JournalAccount*)
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

cdef extern from "core/state/stored.hpp" namespace "evmcore" nogil:
    cdef enum KnownBits:
        KNOWS_BALANCE
        KNOWS_NONCE
        KNOWS_CODE
        KNOWS_EXISTENCE
        KNOWS_ACCOUNT
    cdef enum class OtherSlots:
        NONE
        SOME
        UNKNOWN

cdef extern from "core/state/world.hpp" namespace "evmcore" nogil:
    cppclass AccountRecord:
        Address address
        u256 balance
        uint64_t nonce
        const Code* code
        uint32_t storage_id
        uint32_t slot_count
        cbool exists
        uint8_t known
        OtherSlots other_slots
    cppclass AccountFacts:
        cbool exists
        u256 balance
        uint64_t nonce
        ByteView code
        OtherSlots slots
    cppclass World:
        World(cbool is_strict) except +
        World* clone(cbool has_undo)
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
        size_t checkpoint_count()
        uint64_t checkpoint()
        cbool revert(uint64_t)
        cbool release(uint64_t)
        cbool is_valid(const Effects&)
        Status apply(const Effects&, cbool deletes_empty)
        cbool root(Hash* out, Poll*)
        size_t size_bytes()

cdef extern from "core/state/observation.hpp" namespace "evmcore" nogil:
    cppclass ObservedWorld:
        cbool open(const shared_ptr[World]&)
        void close()
        cbool is_open()
        const shared_ptr[World]& world()
        cbool is_changed()
        World* restored()

cdef extern from "core/state/slot_table.hpp" namespace "evmcore" nogil:
    cppclass TableSlot "evmcore::SlotTable::Slot":
        u256 key
        u256 value
    cppclass SlotTable:
        cbool build(const World&)
        cbool build_one "build"(const World&, const AccountRecord&)
        size_t count(const AccountRecord&)
        const TableSlot& slot(const AccountRecord&, size_t i)

cdef extern from "core/state/trie.hpp" namespace "evmcore" nogil:
    cbool c_ordered_trie_root "evmcore::ordered_trie_root"(const ByteView* items, size_t n, Hash* root, Poll* poll)

# ---------------------------------------------------------------- 4 interpreter

cdef extern from "core/vm/frame.hpp" namespace "evmcore" nogil:
    cppclass MemoryArena:
        uint8_t* data()
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
        cbool is_followed
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
    cppclass BlockContext:
        uint64_t number
        uint64_t timestamp
        uint64_t gas_limit
        Address coinbase
        u256 prev_randao
        u256 base_fee
        u256 blob_base_fee
        u256 chain_id
        cbool (*block_hash)(void* context, uint64_t number, Hash* out) noexcept
        void* block_hash_context
    cppclass TransactionContext:
        Address origin
        u256 gas_price
        const Hash* blob_hashes
        size_t blob_hash_count
        cbool starts_cold
    cppclass Tracer:
        void* context
        cbool (*step)(void* context, Frame* frame) noexcept
        cbool (*leave)(void* context, Frame* frame, Status status) noexcept
        cbool (*enter)(void* context, const Machine* machine) noexcept
        cbool (*exit)(void* context, const Machine* machine, Status status, int64_t gas_left) noexcept
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
        cbool follows_slots
        Status outcome
        int64_t gas_left
        cbool ripemd_touch_survives
        double recover_seconds
        uint64_t missing_block_number
        cbool allocate()
        void follow_slots(cbool follows)
        void trim()
    Address create_address(const Address& creator, uint64_t nonce)
    Status execute(Frame& frame)

cdef extern from "core/vm/trace.hpp" namespace "evmcore" nogil:
    cppclass TraceStep:
        uint64_t pc
        uint8_t op
        int depth
        int64_t gas
        int64_t gas_cost
        int64_t refund
        uint64_t memory_size
        Address self
        Status status
        Vector[u256] stack
        Bytes memory
        Bytes return_data
    cppclass TraceEnter:
        uint8_t op
        int depth
        Address caller
        Address self
        Address code_address
        u256 value
        int64_t gas
        ByteView input
        cbool is_static
    cppclass TraceExit:
        int depth
        Status status
        int64_t gas_used
        ByteView output
    cppclass TraceSink:
        void* context
        cbool (*enter)(void* context, const TraceEnter& enter) noexcept
        cbool (*step)(void* context, const TraceStep& step) noexcept
        cbool (*exit)(void* context, const TraceExit& exit) noexcept
    cppclass TraceRecorder:
        TraceRecorder()
        cbool wants_stack
        cbool wants_memory
        cbool wants_return_data
        TraceSink sink
        cbool is_out_of_memory
        Tracer* tracer()
    cppclass Eip3155Lines:
        Eip3155Lines()
        Bytes text
        cbool is_out_of_memory
        cbool shows_inner_exits
        cbool (*flush)(void* context) noexcept
        void* flush_context
        void attach(TraceRecorder* recorder)
    const char* opcode_name(uint8_t op)

cdef extern from "core/vm/outcome.hpp" namespace "evmcore" nogil:
    cppclass Bloom:
        uint8_t* data()
    cppclass Outcome:
        Outcome()
        Status status
        uint8_t type
        cbool has_contract
        Address contract
        int64_t gas_used
        int64_t gas_refund
        uint64_t cumulative_gas
        uint64_t blob_gas
        u256 effective_gas_price
        cbool has_state_root
        Hash state_root
        Bloom bloom
        Bytes output
        Vector[Log] logs
        Vector[Hash] topics
        Bytes log_data
        Effects effects
        MissingKey missing
        u256 have
        u256 want
        uint64_t missing_block_number
        uint32_t execution_count
    cbool take_logs(Machine*, Outcome*)
    cbool encode_receipt(const Outcome&, Bytes*)
    cbool encode_logs(const Outcome&, Bytes*)
    Status append_deposits(const Outcome&, Bytes*)

cdef extern from "core/vm/execution_counts.hpp" namespace "evmcore" nogil:
    cppclass ExecutionCounts:
        uint64_t executions
        uint64_t aborted
        uint64_t aborted_early
        uint64_t aborted_while_executing
        uint64_t aborted_gas
        uint64_t rebased
        uint64_t rebased_slots
        uint64_t fallback_transactions

cdef extern from "core/vm/block_job.hpp" namespace "evmcore" nogil:
    cppclass OutcomeList:
        Outcome& operator[](size_t)
        size_t size()
        void prefetch(size_t)
    cppclass BlobLimits:
        int64_t max_blobs
        int64_t update_fraction
    cppclass BlockRoom:
        uint64_t gas_used
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
        Vector[Hash] recent_hashes
        Vector[uint8_t] is_hash_known
        cbool wants_state_roots
        OutcomeList outcomes
        Effects system_effects
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
        void prefetch_after(size_t)
        void prefetch_fields(size_t)
    cbool (*job_block_hash "evmcore::BlockJob::block_hash")(void*, uint64_t, Hash*) noexcept

cdef extern from "core/crypto/ethash.hpp" namespace "evmcore" nogil:
    cppclass EthashResult:
        Hash mix_hash
        Hash result
    const uint64_t ethash_epoch_blocks "evmcore::ETHASH_EPOCH_BLOCKS"
    const uint64_t ethash_maximum_epoch "evmcore::ETHASH_MAXIMUM_EPOCH"
    Status ethash_light(uint64_t block_number, const Hash& seal_hash, uint64_t nonce, EthashResult* out, Poll* poll)

cdef extern from "core/precompiles/precompiles.hpp" namespace "evmcore" nogil:
    cppclass Precompile:
        int64_t price(ByteView, const Rules&)
        Status run(ByteView, Bytes&, Poll&)
    const Precompile* find_precompile(const Address&, const Rules&)

# ---------------------------------------------------------------- 7 parallel

cdef extern from "core/base/clock.hpp" namespace "evmcore" nogil:
    double evmcore_seconds "evmcore::seconds_now"()

cdef extern from "core/base/spin_lock.hpp" namespace "evmcore" nogil:
    void cpu_pause()

cdef extern from "core/parallel/schedule_point.hpp" namespace "evmcore" nogil:
    void schedule_enter(int worker)
    void schedule_leave()
    cppclass ScheduleController:
        ScheduleController(uint64_t seed, int workers) except +
        uint64_t points()
    cppclass AtomicController "std::atomic<evmcore::ScheduleController*>":
        void store(ScheduleController*)
        ScheduleController* load()
    AtomicController schedule_controller

cdef extern from "core/parallel/scheduler.hpp" namespace "evmcore" nogil:
    cdef enum class Claim "evmcore::Scheduler::Claim"(uint8_t):
        CLAIMED
        ALONE
        WAIT
        REST
        DONE
    cppclass Scheduler:
        Scheduler()
        cbool reset(uint32_t count, uint32_t window)
        void set_batch(uint32_t, uint8_t)
        cbool set_early(uint32_t)
        cbool set_soon(uint32_t, uint32_t)
        Claim claim(int worker, uint32_t* first, uint32_t* count)
        uint32_t frontier()
        void set_executed(uint32_t)
        cbool try_begin_commit()
        cbool ready(uint32_t* index)
        void advance(cbool was_wasted)
        void end_commit()
        void end_alone(uint32_t count)
        cbool take(uint32_t)
        uint32_t claimed()
        void stop()
        cbool is_stopped()

cdef extern from "core/state/state_root.hpp" namespace "evmcore" nogil:
    cdef enum RootStep "evmcore::StateRoot::Step":
        ROOT_KEYS "evmcore::StateRoot::KEYS"
        ROOT_DONE "evmcore::StateRoot::DONE"
    cppclass StateRoot:
        StateRoot(const World*) except +
        size_t begin(RootStep)
        void run(RootStep, size_t part, Poll*)
        cbool root(Hash* out)

cdef extern from "core/parallel/pool.hpp" namespace "evmcore" nogil:
    cppclass AtomicSize "std::atomic<size_t>":
        size_t fetch_add(size_t)
        size_t load()
        void store(size_t)
    cppclass ClaimCounter:
        ClaimCounter() except +
        AtomicSize next
    cppclass Pool:
        int workers()
        void run(void (*work)(void* context, int worker) noexcept, void* context)
        void start(void (*work)(void* context, int worker) noexcept, void* context)
        cbool is_done()
        void join()

cdef extern from "core/parallel/access_rows.hpp" namespace "evmcore" nogil:
    cppclass TransactionAccess:
        uint32_t transaction
        uint64_t gas_used
        uint32_t executions
        int64_t waited_for
        uint64_t finish_gas
    cppclass AccountAccess:
        uint32_t transaction
        uint8_t* address
        uint8_t reads
        uint8_t writes
        int32_t code
        uint64_t nonce
        uint8_t* balance
    cppclass SlotAccess:
        uint32_t transaction
        uint8_t* address
        uint8_t* slot
        uint8_t* value
        uint8_t is_write

cdef extern from "core/parallel/access_list.hpp" namespace "evmcore" nogil:
    cppclass AccessList:
        Status build(const AccountAccess*, size_t, const SlotAccess*, size_t, const Code**, size_t, const uint64_t* gas,
                     uint32_t count, Poll*)

cdef extern from "core/parallel/tuning.hpp" namespace "evmcore" nogil:
    cppclass TuningRow:
        const char* name
        const char* unit
        const char* meaning
        uint32_t standard
    const TuningRow* tuning_rows
    const size_t TUNING_ROW_COUNT
    uint32_t tuning_value(size_t row)
    void set_tuning_value(size_t row, uint32_t value)
    cppclass Tuning:
        cbool early_waking
        cbool auto_history
    Tuning tuning

cdef extern from "core/parallel/hooks.hpp" namespace "evmcore" nogil:
    cdef enum class ApplyMode(uint8_t):
        SPECULATIVE
        EXACT
        EXACT_WITHOUT_ROOM
    cppclass ExecutionHooks:
        Status (*apply)(Machine*, BlockJob*, uint32_t, const StateView*, ApplyMode) noexcept
        Status (*check_room)(BlockJob*, uint32_t) noexcept
        Status (*commit)(BlockJob*, uint32_t) noexcept
        Status (*execute_in_order)(Machine*, BlockJob*, uint32_t) noexcept
        void (*open)(Machine*, BlockJob*) noexcept
        Status (*begin_block)(Machine*, BlockJob*) noexcept
        Status (*end_block)(Machine*, BlockJob*) noexcept

cdef extern from "core/parallel/engine.hpp" namespace "evmcore" nogil:
    cppclass EngineWorker:
        Machine machine
        double busy_seconds
    cppclass TransactionState:
        int64_t waited_for
        uint64_t finish_gas
    cppclass AtomicU32 "std::atomic<uint32_t>":
        uint32_t fetch_add(uint32_t)
        uint32_t load()
        void store(uint32_t)
    cppclass Engine:
        Engine(int) except +
        const ExecutionHooks* hooks
        Pool pool
        BlockJob* job
        Vector[EngineWorker*] workers
        Vector[TransactionState] transactions
        AtomicU32 next_item
        cbool records
        size_t room
        uint64_t critical_path_gas
        cbool allocate()
        cbool has_all_room()
        void trim()
    Status execute_optimistically(Engine*)

cdef extern from "core/parallel/recorded.hpp" namespace "evmcore" nogil:
    Status execute_recorded(Engine*, const AccessList*)

cdef extern from "core/parallel/groups.hpp" namespace "evmcore" nogil:
    void execute_on_parent(Machine*, BlockJob*, const ExecutionHooks*, uint32_t)
    Status commit_in_order(Machine*, BlockJob*, const ExecutionHooks*)
