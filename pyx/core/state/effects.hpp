// What one transaction read and wrote, compact: enough to check that it would run the same on another state,
// and to apply it there. Balances are differences, so that credits commute and debits need a minimum only.
#pragma once

#include <vector>

#include "view.hpp"

namespace evmcore {

// Bits of AccountEffect::reads: what the result depends on.
enum ReadBits : uint8_t {
    READ_BALANCE = 1,          // the exact balance
    READ_BALANCE_MINIMUM = 2,  // that the balance was at least `balance_minimum`
    READ_NONCE = 4,
    READ_CODE = 8,
    READ_ALIVE = 16,           // whether it existed and was not empty (EIP-161)
    READ_EXISTS = 32,          // whether it existed at all (before EIP-161)
    READ_HAS_STORAGE = 64,
};

// Bits of AccountEffect::writes.
enum WriteBits : uint8_t {
    WROTE_BALANCE = 1,
    WROTE_NONCE = 2,
    WROTE_CODE = 4,
    TOUCHED = 8,    // exists from now on, or goes if it is empty (EIP-161)
    CREATED = 16,   // starts with empty storage
    DESTROYED = 32,
};

struct AccountEffect {
    Address address;
    uint8_t reads = 0;
    uint8_t writes = 0;
    bool seen_exists = false;
    bool seen_has_storage = false;
    uint64_t seen_nonce = 0;
    uint64_t nonce = 0;
    u256 seen_balance;
    u256 balance_minimum;
    u256 balance_change;  // added to the balance, mod 2^256
    const Code* seen_code = nullptr;  // borrowed from the view
    const Code* code = nullptr;       // owned when WROTE_CODE; null: no code
};

struct SlotEffect {
    uint32_t account;  // index into Effects::accounts
    bool is_write;
    u256 key;
    u256 seen;
    u256 value;
};

struct Effects {
    std::vector<AccountEffect> accounts;
    std::vector<SlotEffect> slots;

    Effects() = default;
    Effects(const Effects&) = delete;
    Effects& operator=(const Effects&) = delete;
    ~Effects() { clear(); }

    void clear() noexcept {
        for (AccountEffect& account : accounts)
            if (account.code != nullptr)
                account.code->release();
        accounts.clear();
        slots.clear();
    }
};

}  // namespace evmcore
