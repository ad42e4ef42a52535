// A run as rows: its calls, and, if wanted, its instructions and how often each was executed. Rows are what NumPy reads, so that
// nothing is made of them here. Without instructions the machine runs its plain loop, and a call costs two rows' worth of copying.
// Owned by one worker for one run; outlives it, for its rows to be read.
#pragma once

#include "../base/mapped_rows.hpp"
#include "trace.hpp"

namespace evmcore {

// A call, creation or SELFDESTRUCT; one that was refused, too. Offsets are into TraceLog::data, but for the memory's. evmcore/traces/log.py has the same layout.
struct CallRow {
    uint64_t input_begin, input_size;    // call data or init code
    uint64_t output_begin, output_size;  // of a creation: the new code
    int64_t gas, gas_used;
    uint32_t parent;       // row of the caller; NO_ROW: a transaction's own
    uint32_t transaction;  // of the run, from 0
    uint8_t value[32];     // wei, big-endian
    uint8_t caller[20];
    uint8_t address[20];       // whose storage is used; of a SELFDESTRUCT: the beneficiary
    uint8_t code_address[20];  // whose code runs
    uint16_t depth;            // 1: the outermost
    uint8_t op;                // CALL … CREATE2, SELFDESTRUCT
    uint8_t status;            // a Status; RUNNING where the run was stopped before the end
    uint8_t is_static;
    uint8_t is_precompile;
    uint16_t last_stack;  // items on the stack when its frame ended
    uint8_t last_op;      // by this instruction
    uint8_t last_status;  // and so; of a creation SUCCESS where its code could not be kept
    uint8_t had_gas;      // and with gas that was not overdrawn
    uint8_t padding;
    uint64_t memory_begin, memory_size;  // in TraceLog::last_memories: the frame's when it ended
};
static_assert(sizeof(CallRow) == 176);

// An instruction, as things were before it ran. What is kept of stacks lies in TraceLog::words, one step's after the other's, the top last;
// memories in TraceLog::memories likewise.
struct StepRow {
    int64_t gas, gas_cost, refund;  // as TraceStep has them
    int64_t reservoir, state_gas;   // the same; 0 where the rules have no state gas (EIP-8037)
    uint32_t pc;
    uint32_t call;         // row of the call whose frame it is
    uint32_t memory_size;  // bytes
    uint16_t stack_size;   // items that there are
    uint16_t stack_kept;   // items that are kept, from the top
    uint16_t depth;
    uint8_t op;
    uint8_t status;  // RUNNING, or how its frame ended with it: SUCCESS, REVERT, a HALT
    uint32_t padding;
};
static_assert(sizeof(StepRow) == 64);

// Whose log it is: in the order of the receipts' logs.
struct LogRow {
    uint32_t call;
    uint32_t position;  // calls that the frame had made before
};

// What a KECCAK256 hashed: the next `size` bytes of TraceLog::hashed.
struct HashRow {
    uint32_t call;
    uint32_t size;
};

class TraceLog {
public:
    static constexpr uint32_t NO_ROW = UINT32_MAX;

    // What is wanted. Not to be changed while a run reports to it.
    bool wants_steps = false;
    bool wants_counts = false;
    bool wants_data = true;  // inputs and outputs of calls
    bool wants_memory = false;
    bool wants_last_memory = false;    // of each frame, as it ended
    uint32_t hash_most = 0;            // bytes of a KECCAK256's input that is kept; larger ones aren't. 0: none are
    uint64_t steps_skipped = 0;        // of those that are wanted, from the first on
    uint16_t stack_most = 1024;        // items kept of a step
    uint64_t steps_most = UINT64_MAX;  // further ones are counted only
    uint64_t bytes_most = UINT64_MAX;  // that may be kept; beyond, the run is stopped
    uint32_t depth_least = 1, depth_most = 1025;
    uint64_t ops[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};  // a bit an instruction
    Vector<Address> addresses;                                           // of frames whose steps are wanted; none: all

    Vector<CallRow> calls;
    MappedRows<StepRow> steps;
    Vector<LogRow> logs;
    Vector<HashRow> hashes;
    MappedRows<u256> words;
    Bytes data;      // of calls
    Bytes memories;  // of steps
    Bytes last_memories;
    Bytes hashed;
    uint64_t counts[256] = {};
    uint64_t steps_left_out = 0;
    bool is_out_of_memory = false;  // it has stopped the run for that
    bool is_over_limit = false;     // or for `bytes_most`

    TraceLog() noexcept;
    TraceLog(const TraceLog&) = delete;
    TraceLog& operator=(const TraceLog&) = delete;

    Tracer* tracer() noexcept;
    void clear() noexcept;  // keeps the memory for the next run

private:
    static bool step(void* context, Frame* frame) noexcept;
    static bool leave(void* context, Frame* frame, Status status) noexcept;
    static bool enter(void* context, const Machine* machine) noexcept;
    static bool exit(void* context, const Machine* machine, Status status, int64_t gas_left) noexcept;
    static bool refuse(void* context, Frame* frame, const Refusal& refusal) noexcept;

    struct OpenCall {
        uint32_t row;
        uint32_t child_count;
        bool has_wanted_steps;
    };

    bool run_out() noexcept {
        is_out_of_memory = !is_over_limit;
        return false;
    }
    // Whether so much more may be kept.
    bool has_room(uint64_t more) noexcept {
        if (bytes_most == UINT64_MAX)
            return true;
        const uint64_t kept = calls.size() * sizeof(CallRow) + steps.size() * sizeof(StepRow) + logs.size() * sizeof(LogRow) +
                              words.size() * sizeof(u256) + data.size() + memories.size() + last_memories.size() +
                              hashes.size() * sizeof(HashRow) + hashed.size();
        is_over_limit = is_over_limit || kept > bytes_most || more > bytes_most - kept;
        return !is_over_limit;
    }
    void close(const Frame& frame, Status status) noexcept;
    bool wants(uint8_t op) noexcept;
    bool keep_hashed(const Frame& frame) noexcept;
    bool take_logs(const Machine& machine) noexcept;
    CallRow* add_call(uint8_t op, int depth) noexcept;
    bool keep(ByteView bytes, uint64_t* begin, uint64_t* size) noexcept;

    Tracer tracer_;
    bool is_choosing_ = false;  // not all steps are kept, or hashes are
    Vector<OpenCall> open_;
    size_t pending_ = SIZE_MAX;  // the step that waits for its cost
    uint64_t skipped_ = 0;
    size_t log_base_ = 0;  // of `logs` before this transaction
    uint32_t transactions_ = 0;
};

}  // namespace evmcore
