// CALL, CALLCODE, DELEGATECALL, STATICCALL, CREATE, CREATE2: what they cost, and the request they leave for the frame
// loop. Nothing here recurses. What makes an account grow the state is paid in state gas where a body is made for it (EIP-8037): there
// execution gas is taken first, and an account is loaded only when its access is paid for, since what is loaded is in the block access list.
// Yellow Paper section 8 and appendix H; EIP-7, 150, 161, 214, 1014, 2929, 3860, 7702, 7928, 8037.
#pragma once

#include "../state_gas.hpp"
#include "context.hpp"

namespace evmcore::op {

enum class CallKind { CALL, CALLCODE, DELEGATECALL, STATICCALL };

// A call or creation that can't start: the caller keeps the gas and sees 0.
inline Status refuse(Frame& f, int64_t gas_back) noexcept {
    f.machine->return_data.clear();
    f.gas += gas_back;
    f.push(u256{});
    return Status::RUNNING;
}

// The same where a tracer wants to know.
template <class Tell>
inline Status refuse(Frame& f, int64_t gas_back, Tell refusal) noexcept {
    const Tracer* const tracer = f.machine->tracer;
    if (EVMCORE_UNLIKELY(tracer != nullptr) && !tracer->refuse(tracer->context, &f, refusal()))
        return Status::ABORTED;
    return refuse(f, gas_back);
}

template <CallKind KIND>
inline Refusal refused_call(const Frame& f, const JournalAccount& callee, const u256& value, ByteView input) noexcept {
    constexpr bool is_callees = KIND == CallKind::CALL || KIND == CallKind::STATICCALL;
    return {f.depth + 1 > parameter::call_depth_limit ? Status::CALL_DEPTH_EXCEEDED : Status::INSUFFICIENT_BALANCE,
            f.machine->request.gas,
            is_callees ? callee.address : f.self->address,
            callee.address,
            KIND == CallKind::DELEGATECALL ? f.value : value,
            input,
            f.is_static || KIND == CallKind::STATICCALL};
}

template <bool HAS_SALT>
inline Refusal refused_creation(const Frame& f, uint64_t nonce, const u256& value, const u256& salt, ByteView code) noexcept {
    const Address address = HAS_SALT ? create2_address(f.self->address, salt, code) : create_address(f.self->address, nonce);
    const Status status = f.depth + 1 > parameter::call_depth_limit   ? Status::CALL_DEPTH_EXCEEDED
                          : f.machine->journal.can_pay(f.self, value) ? Status::NONCE_OVERFLOW
                                                                      : Status::INSUFFICIENT_BALANCE;
    return {status, f.machine->rules->keeps_one_64th ? f.gas - f.gas / 64 : f.gas, address, address, value, code, false};
}

// Follows a delegation once and charges for the account behind it (EIP-7702). False: `status` says why.
inline bool follow_delegation(Frame& f, Request& request, Status* status) noexcept {
    Machine& m = *f.machine;
    JournalAccount* target = m.journal.peek(request.code->delegate());
    if (target != nullptr) {
        const bool is_cold = was_cold(m, target);
        // The warm price of any account access is CALL's own base price (EIP-2929).
        if (!f.charge(m.rules->base_gas[OP_CALL] + (is_cold ? m.rules->cold_account_gas : 0))) {
            *status = Status::OUT_OF_GAS;
            return false;
        }
        if (!target->is_loaded)
            target = m.journal.account(target->address);
    }
    if (target == nullptr) {
        *status = m.journal.failure;
        return false;
    }
    request.is_delegated = true;
    request.code = m.journal.read_code(target);
    *status = m.journal.failure;
    return *status == Status::RUNNING;
}

// The state gas of an account that a call or creation makes; it comes back if that fails. False: it can't be paid.
inline bool pay_new_account(Frame& f) noexcept {
    const int64_t gas = f.machine->rules->new_account_state_gas;
    if (!charge_state_gas(f, gas))
        return false;
    f.machine->request.new_account_gas = gas;
    return true;
}

template <CallKind KIND, bool HAS_STATE_GAS = false>
inline Status call_(Frame& f) noexcept {
    constexpr bool takes_value = KIND == CallKind::CALL || KIND == CallKind::CALLCODE;
    Machine& m = *f.machine;
    const Rules& rules = *m.rules;
    Journal& journal = m.journal;
    const u256 gas = f.pop();
    const u256 to = f.pop();
    const u256 value = takes_value ? f.pop() : u256{};
    const u256 input_offset = f.pop();
    const u256 input_size = f.pop();
    const u256 output_offset = f.pop();
    const u256 output_size = f.pop();
    const bool has_value = !value.is_zero();
    if (KIND == CallKind::CALL && has_value && f.is_static)
        return Status::STATIC_MODE_VIOLATION;

    Request& request = m.request;
    uint64_t input_begin, input_count;
    if (Status s = extend(f, input_offset, input_size, &input_begin, &input_count); s != Status::RUNNING)
        return s;
    if (Status s = extend(f, output_offset, output_size, &request.output_begin, &request.output_size); s != Status::RUNNING)
        return s;
    if (has_value && !f.charge(rules.call_value_gas))
        return Status::OUT_OF_GAS;

    Status status;
    JournalAccount* callee = access_account(f, to, &status);
    if (callee == nullptr)
        return status;
    request.code_address = callee->address;
    request.code = journal.read_code_or_hash(callee);
    request.is_delegated = false;
    if (rules.has_delegation && request.code != nullptr) {
        if (!journal.need_bytes(callee, request.code))
            return journal.failure;
        if (request.code->is_delegation() && !follow_delegation(f, request, &status))
            return status;
    }

    if (KIND == CallKind::CALL) {
        const bool makes_account =
            rules.deletes_empty_accounts ? has_value && !journal.read_alive(callee) : !journal.read_exists(callee);
        if (makes_account && !(HAS_STATE_GAS ? pay_new_account(f) : f.charge(rules.call_new_account_gas)))
            return Status::OUT_OF_GAS;
    }
    if (rules.keeps_one_64th) {  // of what is left after all charges, and never of the reservoir
        const int64_t available = f.gas - f.gas / 64;
        request.gas =
            gas.fits_u64() && gas.limb[0] < static_cast<uint64_t>(available) ? static_cast<int64_t>(gas.limb[0]) : available;
    } else {
        if (!gas.fits_u64() || gas.limb[0] > static_cast<uint64_t>(f.gas))
            return Status::OUT_OF_GAS;
        request.gas = static_cast<int64_t>(gas.limb[0]);
    }
    f.gas -= request.gas;
    if (has_value)
        request.gas += parameter::call_stipend_gas;
    if (f.depth + 1 > parameter::call_depth_limit || (has_value && !journal.can_pay(f.self, value))) {
        if constexpr (HAS_STATE_GAS)
            join_state_gas(m, f, Status::INSUFFICIENT_BALANCE);
        return refuse(f, request.gas,
                      [&] { return refused_call<KIND>(f, *callee, value, {f.memory + input_begin, input_count}); });
    }
    if (!rules.has_delegation && request.code != nullptr && !journal.need_bytes(callee, request.code))
        return journal.failure;

    request.is_create = false;
    request.is_static = f.is_static || KIND == CallKind::STATICCALL;
    request.target = KIND == CallKind::CALL || KIND == CallKind::STATICCALL ? callee : f.self;
    request.caller = KIND == CallKind::DELEGATECALL ? f.caller : f.self->address;
    request.value = KIND == CallKind::DELEGATECALL ? f.value : value;
    request.payer = KIND == CallKind::CALL && has_value ? f.self : nullptr;
    request.input = ByteView{f.memory + input_begin, input_count};
    request.input_begin = f.memory_begin + input_begin;
    return Status::CALL;
}

inline Status call(Frame& f) noexcept { return call_<CallKind::CALL>(f); }
inline Status callcode(Frame& f) noexcept { return call_<CallKind::CALLCODE>(f); }
inline Status delegatecall(Frame& f) noexcept { return call_<CallKind::DELEGATECALL>(f); }
inline Status staticcall(Frame& f) noexcept { return call_<CallKind::STATICCALL>(f); }
inline Status call_with_state_gas(Frame& f) noexcept { return call_<CallKind::CALL, true>(f); }

template <bool HAS_SALT, bool HAS_STATE_GAS = false>
inline Status create_(Frame& f) noexcept {
    Machine& m = *f.machine;
    const Rules& rules = *m.rules;
    Journal& journal = m.journal;
    if (f.is_static)
        return Status::STATIC_MODE_VIOLATION;
    const u256 value = f.pop();
    const u256 offset = f.pop();
    const u256 size = f.pop();
    const u256 salt = HAS_SALT ? f.pop() : u256{};
    uint64_t begin, count;
    if (Status s = extend(f, offset, size, &begin, &count); s != Status::RUNNING)
        return s;
    if (rules.max_initcode_size_bytes != 0 && count > static_cast<uint64_t>(rules.max_initcode_size_bytes))
        return Status::INITCODE_SIZE_EXCEEDED;
    const int64_t word_gas = rules.initcode_word_gas + (HAS_SALT ? parameter::keccak_word_gas : 0);
    if (!f.charge(word_gas * static_cast<int64_t>(words_of(count))))
        return Status::OUT_OF_GAS;

    const uint64_t nonce = journal.read_nonce(f.self);
    if (f.depth + 1 > parameter::call_depth_limit || nonce == UINT64_MAX || !journal.can_pay(f.self, value))
        return refuse(f, 0, [&] { return refused_creation<HAS_SALT>(f, nonce, value, salt, {f.memory + begin, count}); });

    Request& request = m.request;
    request.input = ByteView{f.memory + begin, count};
    request.input_begin = f.memory_begin + begin;
    const Address address =
        HAS_SALT ? create2_address(f.self->address, salt, request.input) : create_address(f.self->address, nonce);
    JournalAccount* created = journal.account(address);
    if (created == nullptr)
        return journal.failure;
    if constexpr (HAS_STATE_GAS) {
        if (!journal.read_alive(created) && !pay_new_account(f))
            return Status::OUT_OF_GAS;
    }
    request.gas = rules.keeps_one_64th ? f.gas - f.gas / 64 : f.gas;
    f.gas -= request.gas;
    journal.warm(created);  // stays warm even if the creation fails (EIP-2929)
    journal.set_nonce(f.self, nonce + 1);
    if (journal.failure != Status::RUNNING)
        return journal.failure;
    if (rules.storage_collides ? journal.read_collision(created)
                               : journal.read_occupied(created))  // and is alive: paid nothing
        return journal.failure != Status::RUNNING ? journal.failure : refuse(f, 0, [&] {
            return Refusal{Status::ADDRESS_COLLISION, request.gas, address, address, value, request.input, false};
        });

    request.is_create = true;
    request.is_static = false;
    request.is_delegated = false;
    request.target = created;
    request.caller = f.self->address;
    request.value = value;
    request.payer = value.is_zero() ? nullptr : f.self;
    request.code = nullptr;
    request.output_begin = request.output_size = 0;
    return Status::CREATE;
}

inline Status create(Frame& f) noexcept { return create_<false>(f); }
inline Status create2(Frame& f) noexcept { return create_<true>(f); }
inline Status create_with_state_gas(Frame& f) noexcept { return create_<false, true>(f); }
inline Status create2_with_state_gas(Frame& f) noexcept { return create_<true, true>(f); }

}  // namespace evmcore::op
