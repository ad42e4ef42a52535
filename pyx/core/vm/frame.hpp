// One running program and the worker it runs on: frame, call request, and the machine that owns both.
// The interpreter runs the top frame until it ends or asks for a call; interpreter.pxi pushes and pops frames.
// Yellow Paper section 9 (execution model).
#pragma once

#include "../base/poll.hpp"
#include "../crypto/keccak_memo.hpp"
#include "../math/prepared_modulus.hpp"
#include "../rules/rules.hpp"
#include "../state/journal.hpp"
#include "memory.hpp"
#include "../tracking/value_tracker.hpp"

namespace evmcore {

struct Machine;
struct MovedPrecompile;

constexpr uint64_t words_of(uint64_t size_bytes) noexcept { return (size_bytes + 31) / 32; }

// A frame asks whether it is to stop after this much gas at the latest, if it jumps; without jumps it soon ends.
constexpr int64_t POLL_GAS = 16384;

struct Frame {
    const uint8_t* pc = nullptr;
    u256* stack_top = nullptr;   // the top item; one below stack_base when the stack is empty
    u256* stack_base = nullptr;  // the first item
    int64_t gas = 0;
    int64_t poll_below = 0;  // a jump with less gas than this asks whether to stop
    uint8_t* memory = nullptr;
    uint64_t memory_size = 0;   // bytes, a multiple of 32
    uint64_t memory_begin = 0;  // in the arena
    const uint8_t* code = nullptr;
    uint32_t code_size = 0;
    const uint64_t* jump_destinations = nullptr;
    ByteView input;
    uint64_t input_begin = 0;  // in the arena, for every frame but the outermost
    Machine* machine = nullptr;
    JournalAccount* self = nullptr;  // whose storage and balance these are
    Address caller{};
    u256 value;
    const Code* owned_code = nullptr;  // the running code, kept alive; null where that is not needed
    Snapshot snapshot;
    uint64_t output_begin = 0;  // where in the caller's memory the output goes
    uint64_t output_size = 0;
    int depth = 0;
    bool is_static = false;
    bool is_create = false;
    bool is_tracked = false;  // executed with value tracking
    // Where the rules have state gas (state_gas.hpp); elsewhere never written.
    int64_t spill = 0;             // state gas that was paid out of `gas`, less what came back
    int64_t reservoir_before = 0;  // Machine::reservoir when the frame began
    int64_t state_gas_before = 0;  // Machine::state_gas then
    int64_t new_account_gas = 0;   // state gas that the caller paid for this call's account, and gets back if it fails

    u256& top(int i = 0) noexcept { return stack_top[-i]; }
    u256 pop() noexcept {
        const u256 word = load(stack_top);
        --stack_top;
        return word;
    }
    void push(const u256& word) noexcept { store(++stack_top, word); }
    // True when there was enough.
    bool charge(int64_t amount) noexcept { return (gas -= amount) >= 0; }
};

// What a CALL or CREATE asks for. Gas is already taken from the caller, the stipend added.
struct Request {
    int64_t gas = 0;
    JournalAccount* target = nullptr;  // whose storage is used: the callee's, or the caller's own
    JournalAccount* payer = nullptr;   // who sends `value` along; null when none moves
    Address code_address{};            // decides on a precompile
    const Code* code = nullptr;        // borrowed; after delegation
    Address caller{};
    u256 value;  // CALLVALUE
    bool is_static = false;
    bool is_create = false;
    bool is_delegated = false;  // code came through a delegation: no precompile then (EIP-7702)
    ByteView input;             // call data, or init code for a creation
    uint64_t input_begin = 0;   // where it lies in the arena, for every call but the outermost
    uint64_t output_begin = 0;  // in the caller's memory
    uint64_t output_size = 0;
    int64_t new_account_gas = 0;  // as Frame has it; zero but between an instruction and what it asks for
};

// The block as instructions see it. Frozen while transactions run.
struct BlockContext {
    uint64_t number = 0;
    uint64_t timestamp = 0;
    uint64_t gas_limit = 0;
    uint64_t slot_number = 0;  // of the beacon chain
    Address coinbase{};
    u256 prev_randao;  // the difficulty before Paris
    u256 base_fee;
    u256 blob_base_fee;
    u256 chain_id{1};
    // Hash of an earlier block within the window; false when it isn't known.
    bool (*block_hash)(void* context, uint64_t number, Hash* out) noexcept = nullptr;
    void* block_hash_context = nullptr;
    // Of a simulation: precompiles that are elsewhere, or not there. Its job owns them.
    const MovedPrecompile* moved_precompiles = nullptr;
    size_t moved_precompile_count = 0;
};

struct TransactionContext {
    Address origin{};
    u256 gas_price;
    const Hash* blob_hashes = nullptr;
    size_t blob_hash_count = 0;
    uint32_t start_pc = 0;     // of the outermost frame
    bool starts_cold = false;  // a system call: not even precompiles are warm
    int64_t new_account_gas =
        0;  // state gas that was paid for the recipient, or the contract, and comes back if the first frame fails
};

// A call or creation that didn't start, for tracers.
struct Refusal {
    Status status;  // CALL_DEPTH_EXCEEDED, INSUFFICIENT_BALANCE, NONCE_OVERFLOW or ADDRESS_COLLISION
    int64_t gas;    // that it would have had; a collision takes it
    Address address;
    Address code_address;
    u256 value;
    ByteView input;
    bool is_static;
};

// Told what a traced run does. False stops the run, which ends ABORTED.
struct Tracer {
    void* context = nullptr;
    // Before each instruction; the frame is up to date. Null: the machine runs its plain loop.
    bool (*step)(void* context, Frame* frame) noexcept = nullptr;
    // The loop has left the frame: its last instruction asks for a call, or has ended it. Nothing is taken back yet.
    bool (*leave)(void* context, Frame* frame, Status status) noexcept = nullptr;
    // Before `machine->request` starts.
    bool (*enter)(void* context, const Machine* machine) noexcept = nullptr;
    // What was entered has ended; its output is the machine's return data, and the top frame is the caller's again.
    bool (*exit)(void* context, const Machine* machine, Status status, int64_t gas_left) noexcept = nullptr;
    // The frame's instruction asks for a call that isn't to start; its gas isn't given back yet.
    bool (*refuse)(void* context, Frame* frame, const Refusal& refusal) noexcept = nullptr;
};

// Precompiles that the caller of an execution brings, at addresses of its own; they are asked before Ethereum's.
struct GivenPrecompiles {
    void* context = nullptr;
    Vector<Address> addresses;
    // Runs what `machine->request` asks for, as `call_precompile` does: the output is the machine's return data, the gas left the request's.
    Status (*run)(void* context, Machine* machine) noexcept = nullptr;

    bool has(const Address& address) const noexcept {
        for (const Address& own : addresses)
            if (own == address)
                return true;
        return false;
    }
};

// What a SELFDESTRUCT has done, for tracers.
struct Selfdestruct {
    Address beneficiary{};
    u256 balance;
};

// A worker's machine: one journal, one stack arena, one memory arena, up to 1,025 frames. No two threads share one.
struct Machine {
    Journal journal;
    SpareEffects spare_effects;
    Poll poll;
    const Rules* rules = nullptr;
    BlockContext block;
    TransactionContext transaction;
    MemoryArena memory;
    Bytes return_data;  // the last call's output: of the top frame, there is never need for another
    Request request;
    Frame* frames = nullptr;      // [call_depth_limit + 1]
    int depth = -1;               // of the top frame
    u256* stack_arena = nullptr;  // all stacks end to end; its pages are touched only as deep as calls go
    Tracer* tracer = nullptr;
    const GivenPrecompiles* given_precompiles = nullptr;
    bool is_nested = false;     // what begins is asked for by one of these, even if there is no frame
    Selfdestruct selfdestruct;  // the last one
    ValueTracker value_tracker;
    // Frames keep a reference to their code; false: the caller of the run keeps all codes that its view shows.
    bool holds_codes = true;
    bool tracks_values = false;  // of accounts whose view says so (AccountState::is_tracked); set between transactions
    PreparedModulus modulus;     // of MULMOD
    // Both outlive blocks: a hash stays right. Sizes: as much as a core's second cache has to spare.
    KeccakMemo<64, 512> hashes;        // of KECCAK256 on up to two words
    KeccakMemo<32, 1024> bloom_items;  // addresses and topics
    Status outcome = Status::RUNNING;
    int64_t gas_left = 0;
    // Where the rules have state gas (state_gas.hpp): what is left of it for all frames together, and what the transaction has used, less
    // what came back; that may be less than nothing within a frame.
    int64_t reservoir = 0;
    int64_t state_gas = 0;
    int64_t spill = 0;  // of the transaction outside its frames
    bool ripemd_touch_survives = false;
    uint32_t unchecked = 0;      // checks of transactions that are left out: bits of transaction.pxi; for simulations alone
    double recover_seconds = 0;  // spent on senders that were not known

    Machine() = default;
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;
    ~Machine();
    bool allocate() noexcept;  // once, before the first run; false when there is no memory
    // Gives back what one large program needed, and the next ones don't, between transactions: what is kept are 1 MiB of each of
    // the journal's arrays and maps, of outputs, 16 MiB of memory, the spare effects (4 MB), and of stacks (33 MB) and what
    // their provenance (8 MB) the pages that calls were deep enough to touch.
    void trim() noexcept;
    // Whether the transactions from now on use value tracking where their view says so. Without memory, or with a tracer, they don't.
    void track_values(bool on) noexcept;

    // A BLOCKHASH that isn't known stops the run with MISSING_BLOCK_HASH; this says which.
    uint64_t missing_block_number = 0;
};

// Addresses of new contracts. Yellow Paper 7, EIP-1014.
Address create_address(const Address& creator, uint64_t nonce) noexcept;
Address create2_address(const Address& creator, const u256& salt, ByteView init_code) noexcept;

// Grows the frame's memory to hold `end` bytes and charges for it; RUNNING, OUT_OF_GAS, MEMORY_LIMIT or OUT_OF_MEMORY.
Status grow_memory(Frame& frame, uint64_t end) noexcept;

// Bytes beyond which no gas limit that fits 63 bits pays; keeps sums of offsets within 64 bits.
constexpr uint64_t MEMORY_END_MAX = uint64_t{1} << 41;

// Makes [offset, offset + size) readable: `begin` as a number, charged. A size of zero needs no memory at all.
inline Status extend(Frame& frame, const u256& offset, const u256& size, uint64_t* begin, uint64_t* count) noexcept {
    if (size.is_zero()) {
        *begin = *count = 0;
        return Status::RUNNING;
    }
    if (!offset.fits_u64() || !size.fits_u64() || offset.limb[0] > MEMORY_END_MAX || size.limb[0] > MEMORY_END_MAX)
        return Status::OUT_OF_GAS;
    *begin = offset.limb[0];
    *count = size.limb[0];
    const uint64_t end = *begin + *count;
    return end <= frame.memory_size ? Status::RUNNING : grow_memory(frame, end);
}

// Runs the frame until it ends (SUCCESS, REVERT, a HALT, a BROKEN) or asks for a CALL or CREATE.
Status execute(Frame& frame) noexcept;

}  // namespace evmcore
