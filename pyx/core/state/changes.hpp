// What differs between two states: accounts and slots with both values, sorted, each code once. Owns what it holds, so that it lasts
// however the states go on. Made from the undo log (World::changes_since), or decoded (changes_codec.hpp); applied to a state all or
// nothing by whoever holds a checkpoint (World::apply_changes). Depends on base, math and code.
#pragma once

#include "../base/poll.hpp"
#include "../base/vector.hpp"
#include "../math/u256.hpp"
#include "code.hpp"

namespace evmcore {

// What became of the storage that an account had.
enum class StorageFate : uint8_t {
    KEPT,             // its slots that differ are listed
    CLEARED,          // its life ended: all slots that it had and all that it has are listed, equal ones, too
    CLEARED_UNKNOWN,  // the same, but the state, a strict one, didn't know all that it had: there is no inverse
};

struct AccountValues {
    u256 balance;
    uint64_t nonce = 0;
    uint32_t code = 0;  // 0: none; n: the nth of `codes`
    bool exists = false;

    bool operator==(const AccountValues& other) const noexcept {
        return balance == other.balance && nonce == other.nonce && code == other.code && exists == other.exists;
    }
};

struct AccountChange {
    Address address{};
    StorageFate storage = StorageFate::KEPT;
    AccountValues before, after;  // of one that doesn't exist all zero
    uint32_t slot_count = 0;      // its slots follow those of the account before it
};

struct SlotChange {
    u256 key, before, after;
};

struct ChangedCode {
    Hash hash{};
    const Code* code = nullptr;  // a reference of ours; null: it neither comes nor goes, or the state had its hash alone
};

struct StateChanges {
    Vector<AccountChange> accounts;  // ascending by address
    Vector<SlotChange> slots;        // by account, then ascending by key
    Vector<ChangedCode> codes;       // ascending by hash

    StateChanges() = default;
    StateChanges(const StateChanges&) = delete;
    StateChanges& operator=(const StateChanges&) = delete;
    ~StateChanges() { clear(); }

    void clear() noexcept;
    const Hash& code_hash(const AccountValues& values) const noexcept {
        return values.code == 0 ? EMPTY_KECCAK : codes[values.code - 1].hash;
    }
    // Those that lead back. False without memory; `out` is empty. There are none if `has_inverse` says so.
    [[nodiscard]] bool invert(StateChanges* out) const noexcept;
    bool has_inverse() const noexcept;
    bool operator==(const StateChanges& other) const noexcept;
    size_t size_bytes() const noexcept;
};

// A value of a state that isn't the one before the changes.
struct ChangeMismatch {
    enum Field : uint8_t { NONE, EXISTENCE, BALANCE, NONCE, CODE, SLOT, SLOT_COUNT, NO_CODE };
    Field field =
        NONE;  // SLOT_COUNT: of a storage that is cleared; NO_CODE: the code, of which the changes have the hash alone
    Address address{};
    u256 key;
    u256 have, want;  // of the state, and of the changes; hashes as numbers
};

}  // namespace evmcore
