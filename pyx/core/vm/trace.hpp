// Traces: what each instruction of a run found and what it cost, as EIP-3155 wants it told, and the lines it is told in.
// The loop and the frame procedure report to a Tracer; a TraceRecorder makes whole steps of that and hands them on.
// Owned by one worker for one run. Nothing here takes the GIL; a sink may.
#pragma once

#include "frame.hpp"

namespace evmcore {

// One instruction. All is as it was before it ran but for its cost, its outcome and the refund counter, which includes
// what a write to storage or a SELFDESTRUCT gave back: so do go-ethereum and the executable specification.
struct TraceStep {
    uint64_t pc = 0;
    uint8_t op = 0;
    int depth = 0;  // 1: the outermost frame
    int64_t gas = 0;
    int64_t gas_cost = 0;  // with what a call hands on, but for the stipend; without what a creation does
    int64_t refund = 0;
    uint64_t memory_size = 0;         // bytes
    Address self{};                   // the account whose storage is used
    Status status = Status::RUNNING;  // REVERT, a HALT or a BROKEN if the run of the frame ended so
    Vector<u256> stack;               // the first item is the lowest
    Bytes memory;
    Bytes return_data;  // of the last call that this frame made
};

// A call or creation that begins, precompiles and accounts without code included.
struct TraceEnter {
    uint8_t op;  // CALL … CREATE2; for a transaction CALL or CREATE
    int depth;
    Address caller;
    Address self;
    Address code_address;
    u256 value;
    int64_t gas;
    ByteView input;  // call data or init code
    bool is_static;
};

// Its end.
struct TraceExit {
    int depth;
    Status status;
    int64_t gas_used;
    ByteView output;  // of a creation: the new code
};

// Whoever wants to know. False stops the run, which ends ABORTED. Nothing may be thrown.
struct TraceSink {
    void* context = nullptr;
    bool (*enter)(void* context, const TraceEnter& enter) = nullptr;
    bool (*step)(void* context, const TraceStep& step) = nullptr;
    bool (*exit)(void* context, const TraceExit& exit) = nullptr;
};

// Puts steps together: an instruction's cost is known when the next one of its frame begins or the loop leaves the frame.
class TraceRecorder {
public:
    bool wants_stack = true;
    bool wants_memory = false;
    bool wants_return_data = true;
    TraceSink sink;
    bool is_out_of_memory = false;  // it has stopped the run for that

    TraceRecorder() noexcept;
    TraceRecorder(const TraceRecorder&) = delete;
    TraceRecorder& operator=(const TraceRecorder&) = delete;

    Tracer* tracer() noexcept { return &tracer_; }

private:
    static bool step(void* context, Frame* frame) noexcept;
    static bool leave(void* context, Frame* frame, Status status) noexcept;
    static bool enter(void* context, const Machine* machine) noexcept;
    static bool exit(void* context, const Machine* machine, Status status, int64_t gas_left) noexcept;

    bool close(const Frame& frame, Status status) noexcept;

    Tracer tracer_;
    TraceStep step_;
    bool is_open_ = false;  // step_ waits for its cost
    uint8_t last_op_ = 0;
    Vector<int64_t> gas_given_;  // [depth]
};

// Steps as EIP-3155 lines. They gather in `text`; `flush` takes them away now and then, and the owner at the end.
class Eip3155Lines {
public:
    Bytes text;
    bool is_out_of_memory = false;   // it has stopped the run for that; `text` lacks something
    bool shows_inner_exits = false;  // an {"output", "gasUsed"} line for every frame, not for the outermost alone
    bool (*flush)(void* context) = nullptr;
    void* flush_context = nullptr;

    void attach(TraceRecorder* recorder) noexcept;

private:
    static bool step(void* context, const TraceStep& step) noexcept;
    static bool exit(void* context, const TraceExit& exit) noexcept;
    bool flush_if_long() noexcept;

    const TraceRecorder* recorder_ = nullptr;
};

// The table's name of an instruction in any fork; null where the table has none.
const char* opcode_name(uint8_t op) noexcept;

}  // namespace evmcore
