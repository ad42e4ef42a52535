// How a transaction sees the state it starts from: a read-only view, asked once a key.
// Swapping the view is the whole difference between sequential, speculative and lazy execution.
#pragma once

#include "../base/status.hpp"
#include "../base/types.hpp"
#include "code.hpp"
#include "stored.hpp"

namespace evmcore {

struct AccountState {
    u256 balance;
    uint64_t nonce = 0;
    const Code* code = nullptr;    // borrowed from the view's owner; null: no code
    bool exists = false;           // before EIP-161 an account can exist and be empty
    bool has_storage = false;      // any slot that is not zero, or that may not be (EIP-7610)
    bool is_storage_known = true;  // false: `has_storage` is only possible
    bool is_tracked = false;       // executions use value tracking on its storage
    uint32_t place = NO_PLACE;     // index of its record in the base state, if it has one

    // As if it had never been; its record stays.
    void clear() noexcept {
        const uint32_t same = place;
        *this = AccountState{};
        place = same;
    }
};

struct SlotState {
    u256 value;
    const StoredSlot* stored = nullptr;  // its record in the base state, if it has one
};

struct StateView {
    void* context = nullptr;
    // RUNNING and the answer, or the BROKEN status that stops the transaction (MISSING_STATE, VIEW_FAILED, ABORTED).
    Status (*account)(void* context, const Address& address, AccountState* out) noexcept = nullptr;
    // `place` as `account` told it, or NO_PLACE.
    Status (*slot)(void* context, const Address& address, uint32_t place, const u256& key, SlotState* out) noexcept = nullptr;
};

// The key that a partial state did not have.
struct MissingKey {
    Address address{};
    u256 slot;
    bool is_slot = false;
    bool is_storage = false;  // whether the account has any slot that is not zero
    bool is_code = false;     // the bytes of its code, whose hash is in `slot`
};

}  // namespace evmcore
