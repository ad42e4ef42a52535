// Rows of calls and steps, filled as the machine reports. Yellow Paper section 9; EIP-3155 says what a step's cost is.
#include "trace_log.hpp"

#include "../precompiles/precompiles.hpp"

namespace evmcore {

TraceLog::TraceLog() noexcept {
    tracer_.context = this;
    tracer_.leave = leave;
    tracer_.enter = enter;
    tracer_.exit = exit;
    tracer_.refuse = refuse;
}

Tracer* TraceLog::tracer() noexcept {
    tracer_.step = wants_steps || wants_counts || hash_most != 0 ? step : nullptr;
    is_choosing_ = !wants_steps || hash_most != 0 || (ops[0] & ops[1] & ops[2] & ops[3]) != UINT64_MAX || !addresses.empty() ||
                   depth_least != 1 || depth_most < 1025 || steps_skipped != 0 || steps_most != UINT64_MAX;
    return &tracer_;
}

void TraceLog::clear() noexcept {
    calls.clear();
    steps.clear();
    logs.clear();
    words.clear();
    data.clear();
    memories.clear();
    last_memories.clear();
    hashes.clear();
    hashed.clear();
    open_.clear();
    std::memset(counts, 0, sizeof counts);
    steps_left_out = 0;
    is_out_of_memory = is_over_limit = false;
    pending_ = SIZE_MAX;
    log_base_ = 0;
    skipped_ = 0;
    transactions_ = 0;
}

bool TraceLog::step(void* context, Frame* frame) noexcept {
    auto* self = static_cast<TraceLog*>(context);
    if (self->pending_ != SIZE_MAX)
        self->close(*frame, Status::RUNNING);
    const uint8_t op = *frame->pc;
    if (frame->code_size == 0)
        return true;  // nobody shows a STOP for code that isn't there
    ++self->counts[op];
    if (self->is_choosing_) {
        if (op == OP_KECCAK256 && self->hash_most != 0 && !self->keep_hashed(*frame))
            return self->run_out();
        if (!self->wants(op))
            return true;
    }
    const auto stack_size = static_cast<size_t>(frame->stack_top + 1 - frame->stack_base);
    const size_t kept = stack_size < self->stack_most ? stack_size : self->stack_most;
    if (!self->has_room(sizeof(StepRow) + kept * sizeof(u256) + (self->wants_memory ? frame->memory_size : 0)))
        return false;
    if (!self->steps.make_room(1) || !self->words.make_room(kept))
        return self->run_out();
    StepRow* const row = self->steps.extend_within(1);
    *row = {};
    row->gas = frame->gas;
    if (frame->machine->rules->has_state_gas) {
        row->reservoir = frame->machine->reservoir;
        row->state_gas = frame->machine->state_gas;
    }
    row->pc = static_cast<uint32_t>(frame->pc - frame->code);
    row->call = self->open_.back().row;
    row->memory_size = static_cast<uint32_t>(frame->memory_size);
    row->stack_size = static_cast<uint16_t>(stack_size);
    row->stack_kept = static_cast<uint16_t>(kept);
    row->depth = static_cast<uint16_t>(frame->depth + 1);
    row->op = op;
    row->status = static_cast<uint8_t>(Status::RUNNING);
    if (self->wants_memory && !self->memories.append(frame->memory, frame->memory_size)) {
        self->steps.pop_back();
        return self->run_out();
    }
    u256* const words = self->words.extend_within(kept);
    // Mostly a few items, for which a call of memcpy takes longer than they do.
    const u256* const items = frame->stack_top + 1 - kept;
    for (size_t i = 0; i < kept; ++i)
        store(words + i, load(items + i));
    self->pending_ = self->steps.size() - 1;
    frame->machine->request.gas = 0;  // `close` will see whether the instruction got as far as to set it
    return true;
}

// Whether a step of this instruction, in the frame that is open, is one of those that are kept.
bool TraceLog::wants(uint8_t op) noexcept {
    if (!wants_steps || (ops[op / 64] >> op % 64 & 1) == 0 || !open_.back().has_wanted_steps)
        return false;
    if (skipped_ < steps_skipped) {
        ++skipped_;
        return false;
    }
    if (steps.size() >= steps_most) {
        ++steps_left_out;
        return false;
    }
    return true;
}

// Before it ran: what it hashes lies in memory already, or beyond it, where there are zeros.
bool TraceLog::keep_hashed(const Frame& frame) noexcept {
    if (frame.stack_top - frame.stack_base < 1)
        return true;
    const u256 offset = load(frame.stack_top), size = load(frame.stack_top - 1);
    if (!size.fits_u64() || size.limb[0] > hash_most || (!size.is_zero() && !offset.fits_u64()))
        return true;
    const auto count = static_cast<uint32_t>(size.limb[0]);
    const uint64_t begin = offset.limb[0];
    const uint64_t there = begin < frame.memory_size ? frame.memory_size - begin : 0;
    const size_t written = there < count ? static_cast<size_t>(there) : count;
    if (!has_room(sizeof(HashRow) + count) || !hashes.push_back({open_.back().row, count}))
        return false;
    if (count == 0)
        return true;
    uint8_t* const place = hashed.extend(count);
    if (place == nullptr)
        return false;
    if (written != 0)
        std::memcpy(place, frame.memory + begin, written);
    std::memset(place + written, 0, count - written);
    return true;
}

void TraceLog::close(const Frame& frame, Status status) noexcept {
    StepRow& row = steps[pending_];
    pending_ = SIZE_MAX;
    row.gas_cost = row.gas - frame.gas;
    if (row.op >= OP_CREATE)  // calls and creations are the last ones
        row.gas_cost += handed_on(frame, row.op, status);
    row.refund = frame.machine->journal.refund;
    row.status = static_cast<uint8_t>(status == Status::CALL || status == Status::CREATE ? Status::RUNNING : status);
}

bool TraceLog::leave(void* context, Frame* frame, Status status) noexcept {
    auto* self = static_cast<TraceLog*>(context);
    if (self->pending_ != SIZE_MAX)
        self->close(*frame, status);
    if (!self->take_logs(*frame->machine))
        return self->run_out();
    if (frame->code_size != 0) {
        CallRow& own = self->calls[self->open_.back().row];
        own.last_op = *frame->pc;
        own.last_status = static_cast<uint8_t>(status);
        own.had_gas = frame->gas >= 0;
        own.last_stack = static_cast<uint16_t>(frame->stack_top + 1 - frame->stack_base);
        if (self->wants_last_memory && status != Status::CALL && status != Status::CREATE) {
            own.memory_begin = self->last_memories.size();
            own.memory_size = frame->memory_size;
            if (!self->has_room(frame->memory_size) || !self->last_memories.append(frame->memory, frame->memory_size))
                return self->run_out();
        }
    }
    if (!is_selfdestruct(*frame, status))
        return true;
    const Selfdestruct& sent = frame->machine->selfdestruct;
    CallRow* const row = self->add_call(OP_SELFDESTRUCT, frame->depth + 2);
    if (row == nullptr)
        return self->run_out();
    to_big_endian(sent.balance, row->value);
    std::memcpy(row->caller, frame->self->address.bytes, 20);
    std::memcpy(row->address, sent.beneficiary.bytes, 20);
    std::memcpy(row->code_address, sent.beneficiary.bytes, 20);
    row->status = static_cast<uint8_t>(Status::SUCCESS);
    ++self->open_.back().child_count;
    return true;
}

CallRow* TraceLog::add_call(uint8_t op, int depth) noexcept {
    if (!has_room(sizeof(CallRow)))
        return nullptr;
    CallRow* const row = calls.size() < NO_ROW ? calls.extend(1) : nullptr;
    if (row == nullptr)
        return nullptr;
    *row = {};
    row->parent = open_.empty() ? NO_ROW : open_.back().row;
    row->transaction = transactions_;
    row->depth = static_cast<uint16_t>(depth);
    row->op = op;
    row->status = static_cast<uint8_t>(Status::RUNNING);
    return row;
}

bool TraceLog::keep(ByteView bytes, uint64_t* begin, uint64_t* size) noexcept {
    *begin = data.size();
    *size = wants_data ? bytes.size : 0;
    if (wants_data && !has_room(bytes.size))
        return false;
    return !wants_data || data.append(bytes.data, bytes.size);
}

bool TraceLog::enter(void* context, const Machine* machine) noexcept {
    auto* self = static_cast<TraceLog*>(context);
    const Request& request = machine->request;
    if (machine->depth < 0 && !machine->is_nested) {
        if (!self->calls.empty())
            ++self->transactions_;
        self->open_.clear();
        self->pending_ = SIZE_MAX;
        self->log_base_ = self->logs.size();
    } else {
        ++self->open_.back().child_count;
    }
    const int depth = machine->depth + 2;
    CallRow* const row = self->add_call(op_of_request(*machine), depth);
    if (row == nullptr)
        return self->run_out();
    const Address& code_address = request.is_create ? request.target->address : request.code_address;
    row->gas = request.gas;
    to_big_endian(request.value, row->value);
    std::memcpy(row->caller, request.caller.bytes, 20);
    std::memcpy(row->address, request.target->address.bytes, 20);
    std::memcpy(row->code_address, code_address.bytes, 20);
    row->is_static = request.is_static;
    const GivenPrecompiles* const given = machine->given_precompiles;
    row->is_precompile = !request.is_create && !request.is_delegated &&
                         ((given != nullptr && given->has(code_address)) ||
                          find_precompile(code_address, *machine->rules, machine->block.moved_precompiles,
                                          machine->block.moved_precompile_count) != nullptr);
    bool is_wanted = self->addresses.empty();
    for (const Address& address : self->addresses)
        is_wanted = is_wanted || address == request.target->address;
    is_wanted =
        is_wanted && static_cast<uint32_t>(depth) >= self->depth_least && static_cast<uint32_t>(depth) <= self->depth_most;
    const auto place = static_cast<uint32_t>(self->calls.size() - 1);
    if (!self->keep(request.input, &row->input_begin, &row->input_size) || !self->open_.push_back({place, 0, is_wanted}))
        return self->run_out();
    return true;
}

bool TraceLog::refuse(void* context, Frame* frame, const Refusal& refusal) noexcept {
    auto* self = static_cast<TraceLog*>(context);
    if (!self->take_logs(*frame->machine))
        return self->run_out();
    const uint8_t op = *frame->pc;
    CallRow* const row = self->add_call(op, frame->depth + 2);
    if (row == nullptr)
        return self->run_out();
    row->gas = refusal.gas;
    row->gas_used = refusal.status == Status::ADDRESS_COLLISION ? refusal.gas : 0;
    to_big_endian(refusal.value, row->value);
    std::memcpy(row->caller, op == OP_DELEGATECALL ? frame->caller.bytes : frame->self->address.bytes, 20);
    std::memcpy(row->address, refusal.address.bytes, 20);
    std::memcpy(row->code_address, refusal.code_address.bytes, 20);
    row->status = static_cast<uint8_t>(refusal.status);
    row->is_static = refusal.is_static;
    ++self->open_.back().child_count;
    return self->keep(refusal.input, &row->input_begin, &row->input_size) || self->run_out();
}

bool TraceLog::exit(void* context, const Machine* machine, Status status, int64_t gas_left) noexcept {
    auto* self = static_cast<TraceLog*>(context);
    CallRow& row = self->calls[self->open_.back().row];
    self->open_.pop_back();
    // What was undone took its logs along.
    self->logs.truncate(self->log_base_ + machine->journal.logs.size());
    row.gas_used = row.gas - gas_left;
    row.status = static_cast<uint8_t>(status);
    return self->keep(ByteView{machine->return_data}, &row.output_begin, &row.output_size) || self->run_out();
}

bool TraceLog::take_logs(const Machine& machine) noexcept {
    const OpenCall& frame = open_.back();
    while (logs.size() < log_base_ + machine.journal.logs.size())
        if (!logs.push_back({frame.row, frame.child_count}))
            return false;
    return true;
}

}  // namespace evmcore
