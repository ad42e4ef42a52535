// Effects: read set, write set and state changes of one transaction, compact. Enough to validate its execution on another state, and to
// apply it there. Balances are differences, so that credits commute and debits need a minimum only (commutative updates).
#pragma once

#include "../math/u256.hpp"
#include "../tracking/slot_range.hpp"
#include "view.hpp"

namespace evmcore {

// Bits of AccountEffect::reads: what the result depends on.
enum ReadBits : uint8_t {
    READ_BALANCE = 1,          // the exact balance
    READ_BALANCE_MINIMUM = 2,  // that the balance was at least `balance_minimum`
    READ_NONCE = 4,
    READ_CODE = 8,
    READ_ALIVE = 16,      // whether it existed and was not empty (EIP-161)
    READ_EXISTS = 32,     // whether it existed at all (before EIP-161)
    READ_COLLISION = 64,  // whether no contract can be made here: it has a nonce, code or storage (EIP-684, EIP-7610)
    // With READ_CODE: not its hash alone. Decides nothing, but that a witness has to have them.
    READ_CODE_BYTES = 128,
};

// Bits of AccountEffect::writes.
enum WriteBits : uint8_t {
    WROTE_BALANCE = 1,
    WROTE_NONCE = 2,
    WROTE_CODE = 4,
    TOUCHED = 8,   // exists from now on, or goes if it is empty (EIP-161)
    CREATED = 16,  // starts with empty storage
    DESTROYED = 32,
};

struct VersionedAccount;
struct VersionedSlot;

struct AccountEffect {
    Address address;
    uint8_t reads = 0;
    uint8_t writes = 0;
    bool seen_exists = false;
    bool seen_has_storage = false;
    bool was_tracked = false;  // executed with value tracking
    bool is_blind = false;     // credited without a read: the beneficiary, most often
    uint64_t seen_nonce = 0;
    uint64_t nonce = 0;
    u256 seen_balance;
    u256 balance_minimum;
    u256 balance_change;                // added to the balance, mod 2^256
    u256 balance_after;                 // set when it commits to a multi-version state
    const Code* seen_code = nullptr;    // borrowed from the view
    const Code* code = nullptr;         // owned when WROTE_CODE; null: no code
    uint32_t place = NO_PLACE;          // AccountState::place
    VersionedAccount* entry = nullptr;  // its version list in multi-version memory, once it has been looked for

    void see(const AccountState& state, const u256& minimum) noexcept {
        seen_exists = state.exists;
        seen_has_storage = state.has_storage;
        seen_nonce = state.nonce;
        seen_balance = state.balance;
        seen_code = state.code;
        balance_minimum = minimum;
        place = state.place;
    }
};

// Whether its code is another one afterwards: the same may have been written again.
inline bool changes_code(const AccountEffect& effect) noexcept {
    return (effect.writes & WROTE_CODE) && !(hash_of(effect.code) == hash_of(effect.seen_code));
}

// The account after the effect, as one that committed next would see it; true when its storage was wiped.
// `deletes_empty`: touched and empty accounts go (EIP-161).
inline bool apply_effect(AccountState* account, const AccountEffect& effect, bool deletes_empty) noexcept {
    if (effect.writes & DESTROYED) {
        account->clear();
        return true;
    }
    if (effect.writes & WROTE_BALANCE)
        account->balance += effect.balance_change;
    if (effect.writes & WROTE_NONCE)
        account->nonce = effect.nonce;
    if (effect.writes & WROTE_CODE)
        account->code = effect.code;
    const bool is_empty = account->balance.is_zero() && account->nonce == 0 && account->code == nullptr;
    account->exists = !(deletes_empty && is_empty) && (account->exists || (effect.writes & TOUCHED));
    const bool is_wiped = (effect.writes & CREATED) || (!account->exists && account->has_storage);
    if (is_wiped) {
        account->has_storage = false;
        account->is_storage_known = true;
    }
    return is_wiped;
}

// Whether the account, as it is now, validates what was read of it (of that, the bits in `reads`).
inline bool still_holds(const AccountEffect& effect, const AccountState& now, uint8_t reads) noexcept {
    if ((reads & READ_BALANCE) && now.balance != effect.seen_balance)
        return false;
    if ((reads & READ_BALANCE_MINIMUM) && now.balance < effect.balance_minimum)
        return false;
    if ((reads & READ_NONCE) && now.nonce != effect.seen_nonce)
        return false;
    if ((reads & READ_CODE) && now.code != effect.seen_code && !(hash_of(now.code) == hash_of(effect.seen_code)))
        return false;
    if ((reads & READ_EXISTS) && now.exists != effect.seen_exists)
        return false;
    if (reads & READ_ALIVE) {
        const bool was_alive =
            effect.seen_exists && (effect.seen_nonce != 0 || effect.seen_code != nullptr || !effect.seen_balance.is_zero());
        const bool is_alive = now.exists && (now.nonce != 0 || now.code != nullptr || !now.balance.is_zero());
        if (was_alive != is_alive)
            return false;
    }
    if (reads & READ_COLLISION) {
        const bool collided = effect.seen_nonce != 0 || effect.seen_code != nullptr || effect.seen_has_storage;
        const bool collides = now.nonce != 0 || now.code != nullptr || now.has_storage;
        if (collided != collides || (now.nonce == 0 && now.code == nullptr && !now.is_storage_known))
            return false;
    }
    return true;
}

inline bool still_holds(const AccountEffect& effect, const AccountState& now) noexcept {
    return still_holds(effect, now, effect.reads);
}

struct SlotEffect {
    uint32_t account = 0;       // index into Effects::accounts
    uint16_t range = NO_RANGE;  // index into Effects::ranges; none: the execution depends on the exact value
    bool is_write = false;
    u256 key;
    u256 seen;
    u256 value;
    const StoredSlot* stored = nullptr;  // SlotState::stored; valid while the base state is frozen
    VersionedSlot* entry = nullptr;

    static constexpr uint16_t NO_RANGE = UINT16_MAX;
    bool has_range() const noexcept { return range != NO_RANGE; }
};

struct Effects {
    Vector<AccountEffect> accounts;
    Vector<SlotEffect> slots;
    Vector<SlotRange> ranges;
    uint64_t oldest_block = UINT64_MAX;  // whose hash was asked for; UINT64_MAX: none was

    // Whether the execution validates with this value of the slot.
    bool admits(const SlotEffect& slot, const u256& now) const noexcept {
        return now == slot.seen || (slot.has_range() && ranges[slot.range].admits(now));
    }

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
        ranges.clear();
    }
    void swap(Effects* other) noexcept {
        accounts.swap(other->accounts);
        slots.swap(other->slots);
        ranges.swap(other->ranges);
        std::swap(oldest_block, other->oldest_block);
    }
};

// Memory of effects that are done with, for those to come: it is in the caches, and no allocator is asked. Owned by one worker.
class SpareEffects {
public:
    // Empties `effects`, and gives it memory if it has none.
    void open(Effects* effects) noexcept {
        effects->clear();
        if (count_ != 0 && effects->accounts.capacity() == 0)
            spares_[--count_].swap(effects);
    }
    // `effects` is done with.
    void close(Effects* effects) noexcept {
        effects->clear();
        const bool is_worth_it = effects->accounts.capacity() != 0 && effects->accounts.capacity() <= ITEMS_MOST &&
                                 effects->slots.capacity() <= ITEMS_MOST && effects->ranges.capacity() <= ITEMS_MOST;
        if (count_ < SPARES_MOST && is_worth_it)
            spares_[count_++].swap(effects);
    }

private:
    static constexpr size_t SPARES_MOST = 64;  // as many as a worker may be ahead
    static constexpr size_t ITEMS_MOST = 128;  // larger ones are rare, and their memory goes back with their block
    Effects spares_[SPARES_MOST];
    size_t count_ = 0;
};

}  // namespace evmcore
