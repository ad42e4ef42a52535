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
    bool has_state_gas = false;       // the rules have it, and the next two say something (EIP-8037)
    int64_t reservoir = 0;            // state gas that is left for all frames beside what `gas` pays of it
    int64_t state_gas = 0;            // that the transaction has used, less what came back
    uint64_t memory_size = 0;         // bytes
    uint64_t memory_size_after = 0;   // of the frame, once it has run
    int64_t base_gas = 0;             // its price before its own charges
    int64_t cold_account_gas = 0;     // what a call of a cold account costs more
    Address self{};                   // the account whose storage is used
    Status status = Status::RUNNING;  // REVERT, a HALT or a BROKEN if the run of the frame ended so
    Vector<u256> stack;               // the first item is the lowest
    Bytes memory;
    Bytes return_data;  // of the last call that this frame made
};

// A call or creation that begins, precompiles and accounts without code included.
struct TraceEnter {
    uint8_t op;  // CALL … CREATE2 or SELFDESTRUCT; for a transaction CALL or CREATE
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

// What is called as a run goes on; null: not. False stops the run, which ends ABORTED. Nothing may be thrown.
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
    // A SELFDESTRUCT, too, as a call of the beneficiary that begins and ends, and calls that are refused. go-ethereum does.
    bool tells_all = false;
    // Which instructions `step` is told of: a bit each; and of frames that use the storage of which accounts, of all if none is named.
    uint64_t ops[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    Vector<Address> addresses;
    TraceSink sink;
    bool is_out_of_memory = false;  // it has stopped the run for that

    TraceRecorder() noexcept;
    TraceRecorder(const TraceRecorder&) = delete;
    TraceRecorder& operator=(const TraceRecorder&) = delete;

    // Without a sink for steps the machine runs its plain loop.
    Tracer* tracer() noexcept {
        tracer_.step = sink.step != nullptr ? step : nullptr;
        return &tracer_;
    }

private:
    static bool step(void* context, Frame* frame) noexcept;
    static bool leave(void* context, Frame* frame, Status status) noexcept;
    static bool enter(void* context, const Machine* machine) noexcept;
    static bool exit(void* context, const Machine* machine, Status status, int64_t gas_left) noexcept;

    static bool refuse(void* context, Frame* frame, const Refusal& refusal) noexcept;

    bool wants(const Frame& frame) const noexcept;
    bool close(const Frame& frame, Status status) noexcept;
    bool tell_step(const Frame& frame, Status status) noexcept;
    bool tell_selfdestruct(const Frame& frame) noexcept;

    Tracer tracer_;
    TraceStep step_;
    bool is_open_ = false;       // step_ waits for its cost
    Vector<int64_t> gas_given_;  // [depth]
};

// The instruction that has made what `machine->request` says, or CALL or CREATE where a transaction did.
uint8_t op_of_request(const Machine& machine) noexcept;
// What a step's cost has beside the gas that has gone since: of what a call or creation has put into `request.gas`, which was 0 before.
int64_t handed_on(const Frame& frame, uint8_t op, Status status) noexcept;
// Whether the frame has just ended by SELFDESTRUCT; `Machine::selfdestruct` then says what it sent to whom.
bool is_selfdestruct(const Frame& frame, Status status) noexcept;
// Whether go-ethereum finds the fault only when the instruction runs, after it has shown it: then it shows it once more.
bool is_found_late(Status status, uint8_t op) noexcept;

// Steps as EIP-3155 lines. They gather in `text`; `flush` takes them away now and then, and the owner at the end.
//
// As go-ethereum's `evm` prints them: its words for what went wrong, a line for each frame that ends, and, if asked for, for each that
// begins; an instruction whose fault shows when it runs is shown again, with the error and what it left on the stack.
class Eip3155Lines {
public:
    Bytes text;
    bool is_as_geth = false;
    bool shows_frames = false;       // a line {"from", "to", "gas" …} for each frame that begins
    bool is_out_of_memory = false;   // it has stopped the run for that; `text` lacks something
    bool shows_inner_exits = false;  // an {"output", "gasUsed"} line for every frame, not for the outermost alone
    bool (*flush)(void* context) = nullptr;
    void* flush_context = nullptr;

    void attach(TraceRecorder* recorder) noexcept;

private:
    static bool enter(void* context, const TraceEnter& enter) noexcept;
    static bool step(void* context, const TraceStep& step) noexcept;
    static bool exit(void* context, const TraceExit& exit) noexcept;
    bool flush_if_long() noexcept;
    struct Text;
    void put_step(Text* text, const TraceStep& step, size_t stack_size, bool is_failed, bool is_again,
                  Bytes* error) const noexcept;

    Bytes error_;  // of the instruction that came last, and that its frame's line has, too

    const TraceRecorder* recorder_ = nullptr;
};

// The table's name of an instruction in any fork; null where the table has none.
const char* opcode_name(uint8_t op) noexcept;

}  // namespace evmcore
