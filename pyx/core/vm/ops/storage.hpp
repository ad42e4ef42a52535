// Storage, transient storage, logs and SELFDESTRUCT. What makes the state grow is paid in state gas where a body is made for it (EIP-8037).
// Yellow Paper, appendix H; EIP-1153, 1283, 2200, 2929, 3529, 6780, 8037, 8038, 8246.
#pragma once

#include "../state_gas.hpp"
#include "../transfer_log.hpp"
#include "context.hpp"

namespace evmcore::op {

inline Status sload(Frame& f) noexcept {
    Machine& m = *f.machine;
    JournalSlot* slot = m.journal.peek_slot(f.self, f.top());
    if (slot == nullptr)
        return m.journal.failure;
    if (m.rules->has_warm_access && m.journal.warm(slot)) {
        if (!f.charge(m.rules->cold_sload_gas))
            return Status::OUT_OF_GAS;
        if (m.journal.failure != Status::RUNNING)
            return m.journal.failure;
    }
    if (!slot->is_loaded && m.journal.slot(f.self, slot->key) == nullptr)
        return m.journal.failure;
    copy(&f.top(), &slot->value);
    return Status::RUNNING;
}

// Price and refund of a write under net metering: against the value at the start of the transaction (EIP-1283, EIP-2200).
inline int64_t net_metered_price(const Rules& rules, const u256& original, const u256& current, const u256& value,
                                 int64_t* refund) noexcept {
    if (current == value)
        return rules.sstore_noop_gas;
    if (original == current) {
        if (original.is_zero())
            return rules.sstore_set_gas;
        if (value.is_zero())
            *refund += rules.sstore_clear_refund_gas;
        return rules.sstore_reset_gas;
    }
    if (!original.is_zero()) {
        if (current.is_zero())
            *refund -= rules.sstore_clear_refund_gas;
        if (value.is_zero())
            *refund += rules.sstore_clear_refund_gas;
    }
    if (original == value)
        *refund += (original.is_zero() ? rules.sstore_set_gas : rules.sstore_reset_gas) - rules.sstore_noop_gas;
    return rules.sstore_noop_gas;
}

inline int64_t plain_price(const Rules& rules, const u256& current, const u256& value, int64_t* refund) noexcept {
    if (current.is_zero())
        return value.is_zero() ? rules.sstore_reset_gas : rules.sstore_set_gas;
    if (value.is_zero())
        *refund += rules.sstore_clear_refund_gas;
    return rules.sstore_reset_gas;
}

template <bool HAS_STATE_GAS>
inline Status sstore_(Frame& f) noexcept {
    Machine& m = *f.machine;
    const Rules& rules = *m.rules;
    if (f.is_static)
        return Status::STATIC_MODE_VIOLATION;
    if (f.gas <= rules.sstore_sentry_gas && rules.sstore_sentry_gas != 0)
        return Status::OUT_OF_GAS;
    const u256 key = f.pop();
    const u256 value = f.pop();
    JournalSlot* slot = m.journal.peek_slot(f.self, key);
    if (slot == nullptr)
        return m.journal.failure;
    if (rules.has_warm_access && m.journal.warm(slot) && !f.charge(rules.cold_sstore_gas))
        return Status::OUT_OF_GAS;
    if (!slot->is_loaded && m.journal.slot(f.self, key) == nullptr)
        return m.journal.failure;
    int64_t refund = 0;
    const int64_t price = rules.sstore_is_net_metered ? net_metered_price(rules, slot->original, slot->value, value, &refund)
                                                      : plain_price(rules, slot->value, value, &refund);
    if (!f.charge(price))
        return Status::OUT_OF_GAS;
    if constexpr (HAS_STATE_GAS) {
        if (slot->original.is_zero() && slot->value != value) {
            if (slot->value.is_zero()) {
                if (!charge_state_gas(f, rules.new_slot_state_gas))
                    return Status::OUT_OF_GAS;
            } else if (value.is_zero()) {
                refill_state_gas(f, rules.new_slot_state_gas);  // whichever frame had paid it
            }
        }
    }
    m.journal.refund += refund;
    m.journal.set_slot(slot, value);
    return m.journal.failure;  // RUNNING: there is none
}

inline Status sstore(Frame& f) noexcept { return sstore_<false>(f); }
inline Status sstore_with_state_gas(Frame& f) noexcept { return sstore_<true>(f); }

inline Status tload(Frame& f) noexcept {
    f.top() = f.machine->journal.transient(f.self, f.top());
    return Status::RUNNING;
}

inline Status tstore(Frame& f) noexcept {
    if (f.is_static)
        return Status::STATIC_MODE_VIOLATION;
    const u256 key = f.pop();
    const u256 value = f.pop();
    Journal& journal = f.machine->journal;
    return journal.set_transient(f.self, key, value) ? Status::RUNNING : journal.failure;
}

template <unsigned TOPICS>
inline Status log(Frame& f) noexcept {
    if (f.is_static)
        return Status::STATIC_MODE_VIOLATION;
    const u256 offset = f.pop();
    const u256 size = f.pop();
    uint64_t begin, count;
    if (const Status status = extend(f, offset, size, &begin, &count); status != Status::RUNNING)
        return status;
    if (!f.charge(parameter::log_byte_gas * static_cast<int64_t>(count)))
        return Status::OUT_OF_GAS;
    Journal& journal = f.machine->journal;
    if (!journal.add_log(f.self->address, TOPICS, ByteView{f.memory + begin, count}))
        return journal.failure;
    for (unsigned i = TOPICS; i > 0; --i)
        journal.topics.end()[-static_cast<int>(i)] = to_hash(f.pop());
    return Status::RUNNING;
}

template <bool HAS_STATE_GAS>
inline Status selfdestruct_(Frame& f) noexcept {
    Machine& m = *f.machine;
    const Rules& rules = *m.rules;
    Journal& journal = m.journal;
    if (f.is_static)
        return Status::STATIC_MODE_VIOLATION;
    JournalAccount* beneficiary = journal.peek(to_address(f.pop()));
    if (beneficiary == nullptr)
        return journal.failure;
    if (was_cold(m, beneficiary) && !f.charge(rules.cold_selfdestruct_gas))
        return Status::OUT_OF_GAS;
    if (!beneficiary->is_loaded && journal.account(beneficiary->address) == nullptr)
        return journal.failure;
    const u256 balance = journal.read_balance(f.self);
    if (rules.selfdestruct_new_account_gas != 0) {
        const bool makes_account = rules.deletes_empty_accounts ? !balance.is_zero() && !journal.read_alive(beneficiary)
                                                                : !journal.read_exists(beneficiary);
        if (makes_account && (!f.charge(rules.selfdestruct_new_account_gas) ||
                              (HAS_STATE_GAS && !charge_state_gas(f, rules.new_account_state_gas))))
            return Status::OUT_OF_GAS;
    }
    const bool goes = !rules.selfdestruct_only_when_new || f.self->is_created;
    if (beneficiary != f.self) {
        journal.debit(f.self, balance);
        journal.credit(beneficiary, balance);
        log_transfer(m, *f.self, *beneficiary, balance);
    } else {
        journal.touch(beneficiary);
        if (goes && !rules.keeps_balance_of_destroyed)
            journal.set_balance_zero(f.self);  // burnt
    }
    if (goes && rules.keeps_balance_of_destroyed) {
        journal.mark_cleared(f.self);
    } else if (goes) {
        if (!f.self->is_destroyed)
            journal.refund += rules.selfdestruct_refund_gas;
        journal.mark_destroyed(f.self);
    }
    m.selfdestruct = {beneficiary->address, balance};
    m.return_data.clear();
    return Status::SUCCESS;
}

inline Status selfdestruct(Frame& f) noexcept { return selfdestruct_<false>(f); }
inline Status selfdestruct_with_state_gas(Frame& f) noexcept { return selfdestruct_<true>(f); }

}  // namespace evmcore::op
