// The instructions that pay state gas (EIP-8037), with the prices of EIP-8038. In each of them execution gas is taken first, and an account
// is loaded only when its access is paid for: what is loaded is in the block access list (EIP-7928).
// EIP-7702, 7708, 7928, 8037, 8038, 8246.
#pragma once

#include "../state_gas.hpp"
#include "../transfer_log.hpp"
#include "calls.hpp"
#include "storage.hpp"

namespace evmcore::op {

inline Status sstore_with_state_gas(Frame& f) noexcept {
    Machine& m = *f.machine;
    const Rules& rules = *m.rules;
    if (f.is_static)
        return Status::STATIC_MODE_VIOLATION;
    if (f.gas <= rules.sstore_sentry_gas)
        return Status::OUT_OF_GAS;
    const u256 key = f.pop();
    const u256 value = f.pop();
    JournalSlot* slot = m.journal.peek_slot(f.self, key);
    if (slot == nullptr)
        return m.journal.failure;
    // The sentry leaves enough for the access: the slot is always loaded.
    if (!f.charge(m.journal.warm(slot) ? rules.cold_sstore_gas : rules.sstore_noop_gas))
        return Status::OUT_OF_GAS;
    if (!slot->is_loaded && m.journal.slot(f.self, key) == nullptr)
        return m.journal.failure;
    const u256& original = slot->original;
    const u256& current = slot->value;
    if (current != value) {
        if (current == original) {
            if (!f.charge(original.is_zero() ? rules.sstore_set_gas : rules.sstore_reset_gas))
                return Status::OUT_OF_GAS;
            if (original.is_zero() && !charge_state_gas(f, rules.new_slot_state_gas))
                return Status::OUT_OF_GAS;
            if (value.is_zero())
                m.journal.refund += rules.sstore_clear_refund_gas;
        } else {
            if (!original.is_zero() && current.is_zero())
                m.journal.refund -= rules.sstore_clear_refund_gas;
            else if (!original.is_zero() && value.is_zero())
                m.journal.refund += rules.sstore_clear_refund_gas;
            if (value == original) {
                m.journal.refund += original.is_zero() ? rules.sstore_set_gas : rules.sstore_reset_gas;
                if (original.is_zero())
                    refill_state_gas(f, rules.new_slot_state_gas);  // whoever had paid it
            }
        }
    }
    m.journal.set_slot(slot, value);
    return m.journal.failure;  // RUNNING: there is none
}

// CALL and CALLCODE; what moves no value costs the same as before.
template <CallKind KIND>
inline Status value_call(Frame& f) noexcept {
    Machine& m = *f.machine;
    const Rules& rules = *m.rules;
    Journal& journal = m.journal;
    const u256 gas = f.pop();
    const u256 to = f.pop();
    const u256 value = f.pop();
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
    request.code = journal.read_code(callee);
    if (journal.failure != Status::RUNNING)
        return journal.failure;
    request.is_delegated = false;
    if (request.code != nullptr && request.code->is_delegation() && !follow_delegation(f, request, &status))
        return status;

    request.new_account_gas = 0;
    if (KIND == CallKind::CALL && has_value && !journal.read_alive(callee)) {
        if (!charge_state_gas(f, rules.new_account_state_gas))
            return Status::OUT_OF_GAS;
        request.new_account_gas = rules.new_account_state_gas;
    }
    // A 64th is kept of what is left after all charges, and never of the reservoir.
    const int64_t available = f.gas - f.gas / 64;
    request.gas =
        gas.fits_u64() && gas.limb[0] < static_cast<uint64_t>(available) ? static_cast<int64_t>(gas.limb[0]) : available;
    f.gas -= request.gas;
    if (has_value)
        request.gas += parameter::call_stipend_gas;
    if (f.depth + 1 > parameter::call_depth_limit || (has_value && !journal.can_pay(f.self, value))) {
        join_state_gas(m, f, Status::INSUFFICIENT_BALANCE);
        return refuse(f, request.gas,
                      [&] { return refused_call<KIND>(f, *callee, value, {f.memory + input_begin, input_count}); });
    }

    request.is_create = false;
    request.is_static = f.is_static;
    request.target = KIND == CallKind::CALL ? callee : f.self;
    request.caller = f.self->address;
    request.value = value;
    request.payer = KIND == CallKind::CALL && has_value ? f.self : nullptr;
    request.input = ByteView{f.memory + input_begin, input_count};
    request.input_begin = f.memory_begin + input_begin;
    return Status::CALL;
}

inline Status call_with_state_gas(Frame& f) noexcept { return value_call<CallKind::CALL>(f); }
inline Status callcode_with_state_gas(Frame& f) noexcept { return value_call<CallKind::CALLCODE>(f); }

template <bool HAS_SALT>
inline Status creation(Frame& f) noexcept {
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
    if (count > static_cast<uint64_t>(rules.max_initcode_size_bytes))
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
    request.new_account_gas = 0;
    if (!journal.read_alive(created)) {
        if (!charge_state_gas(f, rules.new_account_state_gas))
            return Status::OUT_OF_GAS;
        request.new_account_gas = rules.new_account_state_gas;
    }
    request.gas = f.gas - f.gas / 64;
    f.gas -= request.gas;
    journal.warm(created);  // stays warm even if the creation fails (EIP-2929)
    journal.set_nonce(f.self, nonce + 1);
    if (journal.failure != Status::RUNNING)
        return journal.failure;
    if (journal.read_occupied(created))  // and was alive: nothing was paid for it
        return refuse(f, 0, [&] {
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

inline Status create_with_state_gas(Frame& f) noexcept { return creation<false>(f); }
inline Status create2_with_state_gas(Frame& f) noexcept { return creation<true>(f); }

// Nothing is burnt: who was created by this transaction is cleared at its end, and keeps its balance (EIP-8246).
inline Status selfdestruct_with_state_gas(Frame& f) noexcept {
    Machine& m = *f.machine;
    const Rules& rules = *m.rules;
    Journal& journal = m.journal;
    if (f.is_static)
        return Status::STATIC_MODE_VIOLATION;
    JournalAccount* beneficiary = journal.peek(to_address(f.pop()));
    if (beneficiary == nullptr)
        return journal.failure;
    // A warm one costs nothing beside the base price: so do the engines, whatever the table of EIP-8038 says.
    if (was_cold(m, beneficiary) && !f.charge(rules.cold_selfdestruct_gas))
        return Status::OUT_OF_GAS;
    if (!beneficiary->is_loaded && journal.account(beneficiary->address) == nullptr)
        return journal.failure;
    const u256 balance = journal.read_balance(f.self);
    if (!balance.is_zero() && !journal.read_alive(beneficiary)) {
        if (!f.charge(rules.selfdestruct_new_account_gas) || !charge_state_gas(f, rules.new_account_state_gas))
            return Status::OUT_OF_GAS;
    }
    m.selfdestruct = {beneficiary->address, balance};
    if (beneficiary != f.self) {
        journal.debit(f.self, balance);
        journal.credit(beneficiary, balance);
        log_transfer(m, *f.self, *beneficiary, balance);
    } else {
        journal.touch(beneficiary);
    }
    if (f.self->is_created)
        journal.mark_cleared(f.self);
    m.return_data.clear();
    return Status::SUCCESS;
}

}  // namespace evmcore::op
