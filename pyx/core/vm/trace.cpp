// Steps put together and written as lines. EIP-3155; where it leaves things open, as go-ethereum prints them.
#include "trace.hpp"

#include <array>

#include "../rules/tables.hpp"

namespace evmcore {

namespace {

constexpr std::array<const char*, 256> opcode_names = [] {
    std::array<const char*, 256> names{};
    for (const OpcodeRow& row : opcode_rows)
        names[static_cast<size_t>(row.number)] = row.name;
    return names;
}();

constexpr std::array<uint16_t, 256> opcode_depths = [] {
    std::array<uint16_t, 256> depths{};
    for (const OpcodeRow& row : opcode_rows)
        depths[static_cast<size_t>(row.number)] = static_cast<uint16_t>(row.depth);
    return depths;
}();

// Long enough that the GIL and the stream are asked rarely, short enough to stay in the cache.
constexpr size_t FLUSH_BYTES = 64 * 1024;

constexpr char HEX_DIGITS[] = "0123456789abcdef";

}  // namespace

// Where a step is written; it stops where there is no memory, and `is_ok` says so at the end.
struct Eip3155Lines::Text {
    Bytes* bytes;
    bool is_ok = true;

    void push(uint8_t character) noexcept { is_ok = is_ok && bytes->push_back(character); }
};

namespace {

template <class Text>
void put(Text* text, const char* words) noexcept {
    text->is_ok = text->is_ok && text->bytes->append(reinterpret_cast<const uint8_t*>(words), std::strlen(words));
}

template <class Text>
void put_decimal(Text* text, int64_t number) noexcept {
    char digits[20];
    size_t count = 0;
    uint64_t rest = number < 0 ? 0 - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
    do {
        digits[count++] = static_cast<char>('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (number < 0)
        text->push('-');
    while (count != 0)
        text->push(static_cast<uint8_t>(digits[--count]));
}

// In quotes, 0x, no leading zeros.
template <class Text>
void put_hex(Text* text, const u256& number) noexcept {
    put(text, "\"0x");
    bool has_begun = false;
    for (int nibble = 63; nibble >= 0; --nibble) {
        const unsigned digit = number.limb[nibble / 16] >> (nibble % 16 * 4) & 15;
        has_begun |= digit != 0 || nibble == 0;
        if (has_begun)
            text->push(static_cast<uint8_t>(HEX_DIGITS[digit]));
    }
    text->push('"');
}

template <class Text>
void put_gas(Text* text, int64_t gas) noexcept {
    put_hex(text, u256{static_cast<uint64_t>(gas < 0 ? 0 : gas)});
}

template <class Text>
void put_bytes(Text* text, ByteView data) noexcept {
    for (const uint8_t byte : data) {
        text->push(static_cast<uint8_t>(HEX_DIGITS[byte >> 4]));
        text->push(static_cast<uint8_t>(HEX_DIGITS[byte & 15]));
    }
}

template <class Text>
void put_op_name(Text* text, uint8_t op, bool is_as_geth) noexcept {
    if (const char* name = opcode_names[op]; name != nullptr) {
        put(text, is_as_geth && op == OP_PREVRANDAO ? "DIFFICULTY" : name);
        return;
    }
    put(text, "opcode 0x");
    if (is_as_geth && op < 16)
        text->push(static_cast<uint8_t>(HEX_DIGITS[op]));
    else
        put_bytes(text, {&op, 1});
    put(text, " not defined");
}

bool is_creation(uint8_t op) noexcept { return op == OP_CREATE || op == OP_CREATE2; }
bool is_call(uint8_t op) noexcept { return op == OP_CALL || op == OP_CALLCODE || op == OP_DELEGATECALL || op == OP_STATICCALL; }

bool is_failure(Status status) noexcept {
    const Kind kind = kind_of(status);
    return kind != Kind::FLOW && kind != Kind::OK;
}

// Its words for what ends a frame; null: ours. Those of an undefined instruction name it.
const char* geth_text(Status status) noexcept {
    switch (status) {
    case Status::REVERT: return "execution reverted";
    case Status::STACK_OVERFLOW: return "stack limit reached 1024 (1023)";
    case Status::BAD_JUMP_DESTINATION: return "invalid jump destination";
    case Status::STATIC_MODE_VIOLATION: return "write protection";
    case Status::CALL_DEPTH_EXCEEDED: return "max call depth exceeded";
    case Status::INSUFFICIENT_BALANCE: return "insufficient balance for transfer";
    case Status::NONCE_OVERFLOW: return "nonce uint64 overflow";
    case Status::ADDRESS_COLLISION: return "contract address collision";
    case Status::INVALID_CODE_PREFIX: return "invalid code: must not begin with 0xef";
    case Status::CODE_SIZE_EXCEEDED: return "max code size exceeded";
    case Status::INITCODE_SIZE_EXCEEDED: return "out of gas: max initcode size exceeded";
    default: return nullptr;
    }
}

// Of the instructions that a static call may not have: these find out when they run, the others when they are priced.
bool is_without_price_check(uint8_t op) noexcept { return (op >= OP_LOG0 && op <= OP_LOG4) || op == OP_TSTORE; }

template <class Text>
void put_error(Text* text, Status status, bool is_as_geth, const TraceStep* step) noexcept {
    if (is_as_geth && (status == Status::UNDEFINED_INSTRUCTION || status == Status::INVALID_INSTRUCTION) && step != nullptr) {
        put(text, "invalid opcode: ");
        put_op_name(text, step->op, true);
        return;
    }
    if (is_as_geth && status == Status::STACK_UNDERFLOW && step != nullptr) {
        put(text, "stack underflow (");
        put_decimal(text, static_cast<int64_t>(step->stack.size()));
        put(text, " \\u003c=\\u003e ");  // as its JSON has < and >
        put_decimal(text, opcode_depths[step->op]);
        put(text, ")");
        return;
    }
    if (is_as_geth && status == Status::STATIC_MODE_VIOLATION && step != nullptr && !is_without_price_check(step->op))
        put(text, "out of gas: ");
    const char* words = is_as_geth ? geth_text(status) : nullptr;
    put(text, words != nullptr ? words : text_of(status));
}

// How many items of the stack an instruction has taken when its fault shows.
size_t items_taken(uint8_t op, Status status) noexcept {
    if (status == Status::STATIC_MODE_VIOLATION || status == Status::UNDEFINED_INSTRUCTION)
        return 0;
    return op == OP_REVERT || op == OP_JUMPI ? 2 : op == OP_JUMP ? 1 : op == OP_RETURNDATACOPY ? 3 : 0;
}

}  // namespace

uint8_t op_of_request(const Machine& machine) noexcept {
    if (machine.depth < 0)
        return machine.request.is_create ? OP_CREATE : OP_CALL;
    return machine.frames[machine.depth].pc[-1];  // the frame goes on behind it
}

int64_t handed_on(const Frame& frame, uint8_t op, Status status) noexcept {
    // The price of a call includes what it hands on, though a call that was refused has it back already; that of a
    // creation doesn't, not even where an address that is taken has swallowed it. So do the others.
    if (is_call(op) && status == Status::RUNNING)
        return frame.machine->request.gas;
    if (is_creation(op) && (status == Status::RUNNING || status == Status::CREATE))
        return -frame.machine->request.gas;
    return 0;
}

bool is_selfdestruct(const Frame& frame, Status status) noexcept {
    return status == Status::SUCCESS && frame.code_size != 0 && *frame.pc == OP_SELFDESTRUCT;
}

bool is_found_late(Status status, uint8_t op) noexcept {
    if (status == Status::STATIC_MODE_VIOLATION)
        return is_without_price_check(op);
    return status == Status::REVERT || status == Status::UNDEFINED_INSTRUCTION || status == Status::INVALID_INSTRUCTION ||
           status == Status::BAD_JUMP_DESTINATION || status == Status::RETURN_DATA_OUT_OF_BOUNDS;
}

const char* opcode_name(uint8_t op) noexcept { return opcode_names[op]; }

TraceRecorder::TraceRecorder() noexcept {
    tracer_.context = this;
    tracer_.step = step;
    tracer_.leave = leave;
    tracer_.enter = enter;
    tracer_.exit = exit;
    tracer_.refuse = refuse;
}

bool TraceRecorder::step(void* context, Frame* frame) noexcept {
    auto* self = static_cast<TraceRecorder*>(context);
    if (self->is_open_ && !self->close(*frame, Status::RUNNING))
        return false;
    // Code that isn't there ends at once; nobody shows a STOP for it.
    if (frame->code_size == 0 || self->sink.step == nullptr || !self->wants(*frame))
        return true;
    TraceStep& step = self->step_;
    step.pc = static_cast<uint64_t>(frame->pc - frame->code);
    step.op = *frame->pc;
    step.depth = frame->depth + 1;
    step.gas = frame->gas;
    step.has_state_gas = frame->machine->rules->has_state_gas;
    step.reservoir = step.has_state_gas ? frame->machine->reservoir : 0;
    step.state_gas = step.has_state_gas ? frame->machine->state_gas : 0;
    step.memory_size = frame->memory_size;
    step.self = frame->self->address;
    const size_t item_count = static_cast<size_t>(frame->stack_top + 1 - frame->stack_base);
    if ((self->wants_stack && !step.stack.assign(frame->stack_base, item_count)) ||
        (self->wants_memory && !step.memory.assign(frame->memory, frame->memory_size)) ||
        (self->wants_return_data && !step.return_data.assign(frame->machine->return_data))) {
        self->is_out_of_memory = true;
        return false;
    }
    frame->machine->request.gas = 0;  // `close` will see whether the instruction got as far as to set it
    self->is_open_ = true;
    return true;
}

bool TraceRecorder::wants(const Frame& frame) const noexcept {
    const uint8_t op = *frame.pc;
    if ((ops[op / 64] >> op % 64 & 1) == 0)
        return false;
    if (addresses.empty())
        return true;
    for (const Address& address : addresses)
        if (address == frame.self->address)
            return true;
    return false;
}

bool TraceRecorder::leave(void* context, Frame* frame, Status status) noexcept {
    auto* self = static_cast<TraceRecorder*>(context);
    if (self->is_open_ && !self->close(*frame, status))
        return false;
    return !(self->tells_all && is_selfdestruct(*frame, status)) || self->tell_selfdestruct(*frame);
}

bool TraceRecorder::tell_selfdestruct(const Frame& frame) noexcept {
    const Selfdestruct& sent = frame.machine->selfdestruct;
    const int depth = frame.depth + 2;
    return (sink.enter == nullptr || sink.enter(sink.context, {OP_SELFDESTRUCT,
                                                               depth,
                                                               frame.self->address,
                                                               sent.beneficiary,
                                                               sent.beneficiary,
                                                               sent.balance,
                                                               0,
                                                               {},
                                                               false})) &&
           (sink.exit == nullptr || sink.exit(sink.context, {depth, Status::SUCCESS, 0, {}}));
}

bool TraceRecorder::close(const Frame& frame, Status status) noexcept {
    step_.gas_cost = step_.gas - frame.gas + handed_on(frame, step_.op, status);
    return tell_step(frame, status);
}

bool TraceRecorder::tell_step(const Frame& frame, Status status) noexcept {
    is_open_ = false;
    step_.refund = frame.machine->journal.refund;
    step_.memory_size_after = frame.memory_size;
    step_.base_gas = frame.machine->rules->base_gas[step_.op];
    step_.cold_account_gas = frame.machine->rules->cold_account_gas;
    step_.status = status;
    return sink.step(sink.context, step_);
}

bool TraceRecorder::refuse(void* context, Frame* frame, const Refusal& refusal) noexcept {
    auto* self = static_cast<TraceRecorder*>(context);
    if (!self->tells_all)
        return true;
    const uint8_t op = *frame->pc;
    const bool takes_gas = refusal.status == Status::ADDRESS_COLLISION;
    if (self->is_open_) {
        self->step_.gas_cost = self->step_.gas - frame->gas - (takes_gas ? refusal.gas : 0);
        if (!self->tell_step(*frame, Status::RUNNING))
            return false;
    }
    const TraceSink& sink = self->sink;
    const int depth = frame->depth + 2;
    return (sink.enter == nullptr ||
            sink.enter(sink.context, {op, depth, op == OP_DELEGATECALL ? frame->caller : frame->self->address, refusal.address,
                                      refusal.code_address, refusal.value, refusal.gas, refusal.input, refusal.is_static})) &&
           (sink.exit == nullptr || sink.exit(sink.context, {depth, refusal.status, takes_gas ? refusal.gas : 0, {}}));
}

bool TraceRecorder::enter(void* context, const Machine* machine) noexcept {
    auto* self = static_cast<TraceRecorder*>(context);
    const Request& request = machine->request;
    if (machine->depth < 0 && !machine->is_nested) {
        self->gas_given_.clear();
        self->is_open_ = false;
    }
    if (!self->gas_given_.push_back(request.gas)) {
        self->is_out_of_memory = true;
        return false;
    }
    if (self->sink.enter == nullptr)
        return true;
    const Address& code_address = request.is_create ? request.target->address : request.code_address;
    return self->sink.enter(self->sink.context,
                            {op_of_request(*machine), machine->depth + 2, request.caller, request.target->address, code_address,
                             request.value, request.gas, request.input, request.is_static});
}

bool TraceRecorder::exit(void* context, const Machine* machine, Status status, int64_t gas_left) noexcept {
    auto* self = static_cast<TraceRecorder*>(context);
    const int64_t given = self->gas_given_.back();
    self->gas_given_.pop_back();
    if (self->sink.exit == nullptr)
        return true;
    return self->sink.exit(self->sink.context, {machine->depth + 2, status, given - gas_left, ByteView{machine->return_data}});
}

void Eip3155Lines::attach(TraceRecorder* recorder) noexcept {
    recorder_ = recorder;
    recorder->tells_all = is_as_geth;
    recorder->sink = {this, shows_frames ? enter : nullptr, step, exit};
}

bool Eip3155Lines::flush_if_long() noexcept { return text.size() < FLUSH_BYTES || flush == nullptr || flush(flush_context); }

bool Eip3155Lines::enter(void* context, const TraceEnter& enter) noexcept {
    auto* self = static_cast<Eip3155Lines*>(context);
    Text lines{&self->text};
    Text* const text = &lines;
    put(text, "{\"from\":\"0x");
    put_bytes(text, {(enter.op == OP_DELEGATECALL ? enter.self : enter.caller).bytes, 20});
    put(text, "\",\"to\":\"0x");
    put_bytes(text, {enter.code_address.bytes, 20});
    if (!enter.input.empty()) {
        put(text, "\",\"input\":\"0x");
        put_bytes(text, enter.input);
    }
    put(text, "\",\"gas\":");
    put_gas(text, enter.gas);
    put(text, ",\"value\":");
    put_hex(text, enter.value);
    put(text, ",\"type\":\"");
    put_op_name(text, enter.op, true);
    put(text, "\"}\n");
    self->is_out_of_memory = !lines.is_ok;
    return lines.is_ok && self->flush_if_long();
}

void Eip3155Lines::put_step(Text* text, const TraceStep& step, size_t stack_size, bool is_failed, bool is_again,
                            Bytes* error) const noexcept {
    put(text, "{\"pc\":");
    put_decimal(text, static_cast<int64_t>(step.pc));
    put(text, ",\"op\":");
    put_decimal(text, step.op);
    put(text, ",\"gas\":");
    put_gas(text, step.gas);
    put(text, ",\"gasCost\":");
    // It gives up on a call whose account it can't pay to look at before it has counted that in.
    const bool is_too_cold = is_as_geth && step.status == Status::OUT_OF_GAS && is_call(step.op) &&
                             step.cold_account_gas != 0 && step.gas_cost == step.base_gas + step.cold_account_gas;
    // Nor has it, where the stack is wrong, counted the base price as spent, though it shows it.
    const bool is_of_stack = is_as_geth && (step.status == Status::STACK_UNDERFLOW || step.status == Status::STACK_OVERFLOW);
    put_gas(text, is_too_cold || is_of_stack ? step.base_gas : step.gas_cost);
    if (recorder_->wants_memory && !(is_as_geth && step.memory.empty())) {
        put(text, ",\"memory\":\"0x");
        put_bytes(text, step.memory);
        put(text, "\"");
    }
    put(text, ",\"memSize\":");
    put_decimal(text, static_cast<int64_t>(is_again ? step.memory_size_after : step.memory_size));
    if (recorder_->wants_stack) {
        put(text, ",\"stack\":[");
        for (size_t i = 0; i < stack_size; ++i) {
            if (i != 0)
                text->push(',');
            put_hex(text, step.stack[i]);
        }
        text->push(']');
    } else if (is_as_geth) {
        put(text, ",\"stack\":null");
    }
    put(text, ",\"depth\":");
    put_decimal(text, step.depth);
    if (recorder_->wants_return_data && !(is_as_geth && (is_again || step.return_data.empty()))) {
        put(text, ",\"returnData\":\"0x");
        put_bytes(text, step.return_data);
        put(text, "\"");
    }
    put(text, ",\"refund\":");
    put_decimal(text, step.refund);
    if (step.has_state_gas) {
        put(text, ",\"reservoir\":");
        put_gas(text, step.reservoir);
        put(text, ",\"stateGas\":");
        put_gas(text, step.state_gas);
    }
    put(text, ",\"opName\":\"");
    put_op_name(text, step.op, is_as_geth);
    if (is_failed) {
        put(text, "\",\"error\":\"");
        const size_t begin = text->bytes->size();
        put_error(text, step.status, is_as_geth, &step);
        if (is_too_cold)
            put(text, ": out of gas");
        text->is_ok = text->is_ok && error->assign(text->bytes->data() + begin, text->bytes->size() - begin);
    }
    put(text, "\"}\n");
}

bool Eip3155Lines::step(void* context, const TraceStep& step) noexcept {
    auto* self = static_cast<Eip3155Lines*>(context);
    Text lines{&self->text};
    const bool is_failed = is_failure(step.status);
    self->error_.clear();
    const bool is_told_twice = self->is_as_geth && is_found_late(step.status, step.op);
    self->put_step(&lines, step, step.stack.size(), is_failed && !is_told_twice, false, &self->error_);
    if (is_told_twice) {
        const size_t taken = items_taken(step.op, step.status);
        self->put_step(&lines, step, step.stack.size() < taken ? 0 : step.stack.size() - taken, true, true, &self->error_);
    }
    self->is_out_of_memory = !lines.is_ok;
    return lines.is_ok && self->flush_if_long();
}

bool Eip3155Lines::exit(void* context, const TraceExit& exit) noexcept {
    auto* self = static_cast<Eip3155Lines*>(context);
    if (exit.depth > 1 && !self->shows_inner_exits && !self->is_as_geth)
        return true;
    Text lines{&self->text};
    Text* const text = &lines;
    put(text, "{\"output\":\"");
    put_bytes(text, exit.output);
    put(text, "\",\"gasUsed\":");
    put_gas(text, exit.gas_used);
    if (is_failure(exit.status)) {
        put(text, ",\"error\":\"");
        if (self->error_.empty() || !self->is_as_geth)
            put_error(text, exit.status, self->is_as_geth, nullptr);
        else
            lines.is_ok = lines.is_ok && self->text.append(self->error_.data(), self->error_.size());
        put(text, "\"");
    }
    put(text, "}\n");
    self->error_.clear();
    self->is_out_of_memory = !lines.is_ok;
    return lines.is_ok && self->flush_if_long();
}

}  // namespace evmcore
