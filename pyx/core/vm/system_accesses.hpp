// What a block reads and writes outside its transactions: system calls before the first one, and rewards, withdrawals and system calls
// after the last one, each of the two as one unit (EIP-7928: block access indices 0 and n + 1). Values are those of the state at
// the unit's beginning and end. Kept for recorded blocks alone. Depends on world.
#pragma once

#include "../state/access_list_builder.hpp"

namespace evmcore {

struct SystemAccount {
    Address address;
    uint32_t index;  // block access index
    uint8_t writes;  // WriteBits
    uint64_t nonce;  // after it, as the rest
    u256 balance;
    const Code* code;  // a reference; null: none
};

struct SystemSlot {
    Address address;
    uint32_t index;
    bool is_write;
    u256 key, value;
};

class SystemAccesses {
public:
    SystemAccesses() = default;
    SystemAccesses(const SystemAccesses&) = delete;
    SystemAccesses& operator=(const SystemAccesses&) = delete;
    ~SystemAccesses() { clear(); }

    bool is_wanted = false;
    Vector<SystemAccount> accounts;
    Vector<SystemSlot> slots;

    void clear() noexcept {
        for (const SystemAccount& each : accounts)
            if (each.code != nullptr)
                each.code->release();
        accounts.clear();
        slots.clear();
        begin();
    }
    // Before something is written: what it was is what the unit began with, if it is noted for the first time. False without memory.
    [[nodiscard]] bool note(const World& world, const Address& address) noexcept {
        return place_of(world, address) != NO_PLACE;
    }
    [[nodiscard]] bool note(const World& world, const Effects& effects) noexcept {
        for (const AccountEffect& effect : effects.accounts)
            if (place_of(world, effect.address) == NO_PLACE)
                return false;
        for (const SlotEffect& effect : effects.slots) {
            const uint32_t account = place_of(world, effects.accounts[effect.account].address);
            bool inserted;
            if (account == NO_PLACE || slot_index_.insert_or_find(SlotKey{account, effect.key}, &inserted) == nullptr)
                return false;
            u256 value;
            (void)world.slot(effects.accounts[effect.account].address, effect.key, &value);  // the call has read it
            if (inserted && !begun_slots_.push_back({account, effect.key, value}))
                return false;
        }
        return true;
    }
    // The unit is over. False without memory.
    [[nodiscard]] bool finish(const World& world, uint32_t index) noexcept {
        for (const Begun& begun : begun_accounts_) {
            AccountState now;
            (void)world.account(begun.address, &now);
            const auto writes = static_cast<uint8_t>(
                (now.balance != begun.balance ? WROTE_BALANCE : 0) | (now.nonce != begun.nonce ? WROTE_NONCE : 0) |
                (hash_of(now.code) == begun.code_hash ? 0 : WROTE_CODE) | (now.exists && !begun.exists ? TOUCHED : 0) |
                (!now.exists && begun.exists ? DESTROYED : 0));
            if (!accounts.push_back({begun.address, index, writes, now.nonce, now.balance, now.code}))
                return false;
            if (now.code != nullptr)
                (void)now.code->acquire();
        }
        for (const BegunSlot& begun : begun_slots_) {
            u256 value;
            const Address& address = begun_accounts_[begun.account].address;
            (void)world.slot(address, begun.key, &value);
            if (!slots.push_back({address, index, value != begun.value, begun.key, value}))
                return false;
        }
        begin();
        return true;
    }
    // Adds those of an index to a block access list, under the index that it has there. False without memory.
    [[nodiscard]] bool add_to(AccessListBuilder* list, uint32_t index, uint32_t listed) const noexcept {
        for (const SystemAccount& each : accounts)
            if (each.index == index &&
                !(list->add_account(each.address) &&
                  (!(each.writes & WROTE_BALANCE) || list->add_balance(listed, each.address, each.balance)) &&
                  (!(each.writes & WROTE_NONCE) || list->add_nonce(listed, each.address, each.nonce)) &&
                  (!(each.writes & WROTE_CODE) || list->add_code(listed, each.address, each.code))))
                return false;
        for (const SystemSlot& each : slots)
            if (each.index == index && !list->add_slot(listed, each.address, each.key, each.is_write, each.value))
                return false;
        return true;
    }

private:
    struct Begun {
        Address address;
        bool exists;
        uint64_t nonce;
        u256 balance;
        Hash code_hash;
    };
    struct BegunSlot {
        uint32_t account;
        u256 key, value;
    };

    void begin() noexcept {
        begun_accounts_.clear();
        begun_slots_.clear();
        account_index_.clear();
        slot_index_.clear();
    }
    uint32_t place_of(const World& world, const Address& address) noexcept {
        bool inserted;
        uint32_t* place = account_index_.insert_or_find(address, &inserted);
        if (place == nullptr)
            return NO_PLACE;
        if (!inserted)
            return *place;
        AccountState state;
        (void)world.account(address, &state);  // the caller has looked it up
        *place = static_cast<uint32_t>(begun_accounts_.size());
        const uint32_t made = *place;
        return begun_accounts_.push_back({address, state.exists, state.nonce, state.balance, hash_of(state.code)}) ? made
                                                                                                                   : NO_PLACE;
    }

    Vector<Begun> begun_accounts_;
    Vector<BegunSlot> begun_slots_;
    FlatMap<Address, uint32_t, SeededHash> account_index_;
    FlatMap<SlotKey, uint8_t, SeededHash> slot_index_;
};

}  // namespace evmcore
