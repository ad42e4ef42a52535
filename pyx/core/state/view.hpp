// How a transaction sees the state it starts from: a read-only view, asked once a key.
// Swapping the view is the whole difference between sequential, speculative and lazy execution.
#pragma once

#include "../base/status.hpp"
#include "../base/types.hpp"
#include "code.hpp"

namespace evmcore {

struct AccountState {
    u256 balance;
    uint64_t nonce = 0;
    const Code* code = nullptr;  // borrowed from the view's owner; null: no code
    bool exists = false;         // before EIP-161 an account can exist and be empty
    bool has_storage = false;    // any slot that is not zero (EIP-7610)
};

struct StateView {
    void* context = nullptr;
    // RUNNING and the answer, or the BROKEN status that stops the transaction (MISSING_STATE, VIEW_FAILED, ABORTED).
    Status (*account)(void* context, const Address& address, AccountState* out) noexcept = nullptr;
    Status (*slot)(void* context, const Address& address, const u256& key, u256* out) noexcept = nullptr;
};

// The key that a partial state did not have.
struct MissingKey {
    Address address{};
    u256 slot;
    bool is_slot = false;
};

}  // namespace evmcore
