// What differs between two states: accounts and slots with both values, sorted, each code once. Owns what it holds, so that it lasts
// however the states go on. Made from the undo log (World::changes_since), or decoded (changes_codec.hpp); applied to a state all or
// nothing by a caller that holds a checkpoint (World::apply_changes). Depends on base, math and code.
#pragma once

#include "../base/poll.hpp"
#include "../base/status.hpp"
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

// A code that an account has before or after.
struct CodeUse {
    Hash hash;
    const Code* code;  // that comes or goes, so that its bytes are needed; null: they aren't, or a witness has the hash alone
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
    const Code* find_code(const Hash& hash) const noexcept;  // null: it isn't there, or its hash alone
    // Lists each code of `uses`, which it sorts, once, and writes their numbers into the accounts: `hashes` are those of the codes before
    // and after of each. False without memory, or when a poll that is given says stop.
    [[nodiscard]] bool put_codes(Vector<CodeUse>* uses, const Vector<Hash>& hashes, Poll* poll) noexcept;
    // What two changes do, one after the other. INTERNAL: the second one doesn't begin where the first one ends, as `mismatch` tells;
    // else OUT_OF_MEMORY or ABORTED. Linear in both.
    Status join(const StateChanges& first, const StateChanges& second, Poll* poll, ChangeMismatch* mismatch) noexcept;
    // Those that lead back. False without memory; `out` is empty. There are none if `has_inverse` says so.
    [[nodiscard]] bool invert(StateChanges* out) const noexcept;
    bool has_inverse() const noexcept;
    bool operator==(const StateChanges& other) const noexcept;
    size_t size_bytes() const noexcept;
};

// Why what takes memory and looks at a poll, which may be null, has failed.
inline Status stopped(const Poll* poll) noexcept {
    return poll != nullptr && poll->abort.load(std::memory_order_relaxed) ? Status::ABORTED : Status::OUT_OF_MEMORY;
}

}  // namespace evmcore
