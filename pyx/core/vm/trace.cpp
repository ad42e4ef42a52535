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

// Long enough that the GIL and the stream are asked rarely, short enough to stay in the cache.
constexpr size_t FLUSH_BYTES = 64 * 1024;

constexpr char HEX_DIGITS[] = "0123456789abcdef";

// Where a step is written; it stops where there is no memory, and `is_ok` says so at the end.
struct Text {
    Bytes* bytes;
    bool is_ok = true;

    void push(uint8_t character) noexcept { is_ok = is_ok && bytes->push_back(character); }
};

void put(Text* text, const char* words) noexcept {
    text->is_ok = text->is_ok && text->bytes->append(reinterpret_cast<const uint8_t*>(words), std::strlen(words));
}

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

void put_gas(Text* text, int64_t gas) noexcept { put_hex(text, u256{static_cast<uint64_t>(gas < 0 ? 0 : gas)}); }

void put_bytes(Text* text, ByteView data) noexcept {
    for (const uint8_t byte : data) {
        text->push(static_cast<uint8_t>(HEX_DIGITS[byte >> 4]));
        text->push(static_cast<uint8_t>(HEX_DIGITS[byte & 15]));
    }
}

bool is_creation(uint8_t op) noexcept { return op == OP_CREATE || op == OP_CREATE2; }
bool is_call(uint8_t op) noexcept { return op == OP_CALL || op == OP_CALLCODE || op == OP_DELEGATECALL || op == OP_STATICCALL; }

bool is_failure(Status status) noexcept {
    const Kind kind = kind_of(status);
    return kind != Kind::FLOW && kind != Kind::OK;
}

}  // namespace

const char* opcode_name(uint8_t op) noexcept { return opcode_names[op]; }

TraceRecorder::TraceRecorder() noexcept {
    tracer_.context = this;
    tracer_.step = step;
    tracer_.leave = leave;
    tracer_.enter = enter;
    tracer_.exit = exit;
}

bool TraceRecorder::step(void* context, Frame* frame) noexcept {
    auto* self = static_cast<TraceRecorder*>(context);
    if (self->is_open_ && !self->close(*frame, Status::RUNNING))
        return false;
    self->last_op_ = *frame->pc;
    // Code that isn't there ends at once; nobody shows a STOP for it.
    if (frame->code_size == 0 || self->sink.step == nullptr)
        return true;
    TraceStep& step = self->step_;
    step.pc = static_cast<uint64_t>(frame->pc - frame->code);
    step.op = *frame->pc;
    step.depth = frame->depth + 1;
    step.gas = frame->gas;
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

bool TraceRecorder::leave(void* context, Frame* frame, Status status) noexcept {
    auto* self = static_cast<TraceRecorder*>(context);
    return !self->is_open_ || self->close(*frame, status);
}

bool TraceRecorder::close(const Frame& frame, Status status) noexcept {
    is_open_ = false;
    step_.gas_cost = step_.gas - frame.gas;
    // The price of a call includes what it hands on, though a call that was refused has it back already; that of a
    // creation doesn't, not even where an address that is taken has swallowed it. So do the others.
    const int64_t handed_on = frame.machine->request.gas;
    if (is_call(step_.op) && status == Status::RUNNING)
        step_.gas_cost += handed_on;
    else if (is_creation(step_.op) && (status == Status::RUNNING || status == Status::CREATE))
        step_.gas_cost -= handed_on;
    step_.refund = frame.machine->journal.refund;
    step_.status = status;
    return sink.step(sink.context, step_);
}

bool TraceRecorder::enter(void* context, const Machine* machine) noexcept {
    auto* self = static_cast<TraceRecorder*>(context);
    const Request& request = machine->request;
    if (machine->depth < 0) {
        self->gas_given_.clear();
        self->is_open_ = false;
        self->last_op_ = request.is_create ? OP_CREATE : OP_CALL;
    }
    if (!self->gas_given_.push_back(request.gas)) {
        self->is_out_of_memory = true;
        return false;
    }
    if (self->sink.enter == nullptr)
        return true;
    const Address& code_address = request.is_create ? request.target->address : request.code_address;
    return self->sink.enter(self->sink.context, {self->last_op_, machine->depth + 2, request.caller, request.target->address,
                                                 code_address, request.value, request.gas, request.input, request.is_static});
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
    recorder->sink = {this, nullptr, step, exit};
}

bool Eip3155Lines::flush_if_long() noexcept { return text.size() < FLUSH_BYTES || flush == nullptr || flush(flush_context); }

bool Eip3155Lines::step(void* context, const TraceStep& step) noexcept {
    auto* self = static_cast<Eip3155Lines*>(context);
    Text lines{&self->text};
    Text* const text = &lines;
    put(text, "{\"pc\":");
    put_decimal(text, static_cast<int64_t>(step.pc));
    put(text, ",\"op\":");
    put_decimal(text, step.op);
    put(text, ",\"gas\":");
    put_gas(text, step.gas);
    put(text, ",\"gasCost\":");
    put_gas(text, step.gas_cost);
    if (self->recorder_->wants_memory) {
        put(text, ",\"memory\":\"0x");
        put_bytes(text, step.memory);
        put(text, "\"");
    }
    put(text, ",\"memSize\":");
    put_decimal(text, static_cast<int64_t>(step.memory_size));
    if (self->recorder_->wants_stack) {
        put(text, ",\"stack\":[");
        for (size_t i = 0; i < step.stack.size(); ++i) {
            if (i != 0)
                text->push(',');
            put_hex(text, step.stack[i]);
        }
        text->push(']');
    }
    put(text, ",\"depth\":");
    put_decimal(text, step.depth);
    if (self->recorder_->wants_return_data) {
        put(text, ",\"returnData\":\"0x");
        put_bytes(text, step.return_data);
        put(text, "\"");
    }
    put(text, ",\"refund\":");
    put_decimal(text, step.refund);
    put(text, ",\"opName\":\"");
    if (const char* name = opcode_name(step.op); name != nullptr) {
        put(text, name);
    } else {
        put(text, "opcode 0x");
        put_bytes(text, {&step.op, 1});
        put(text, " not defined");
    }
    if (is_failure(step.status)) {
        put(text, "\",\"error\":\"");
        put(text, text_of(step.status));
    }
    put(text, "\"}\n");
    self->is_out_of_memory = !lines.is_ok;
    return lines.is_ok && self->flush_if_long();
}

bool Eip3155Lines::exit(void* context, const TraceExit& exit) noexcept {
    auto* self = static_cast<Eip3155Lines*>(context);
    if (exit.depth > 1 && !self->shows_inner_exits)
        return true;
    Text lines{&self->text};
    Text* const text = &lines;
    put(text, "{\"output\":\"");
    put_bytes(text, exit.output);
    put(text, "\",\"gasUsed\":");
    put_gas(text, exit.gas_used);
    if (is_failure(exit.status)) {
        put(text, ",\"error\":\"");
        put(text, text_of(exit.status));
        put(text, "\"");
    }
    put(text, "}\n");
    self->is_out_of_memory = !lines.is_ok;
    return lines.is_ok && self->flush_if_long();
}

}  // namespace evmcore
