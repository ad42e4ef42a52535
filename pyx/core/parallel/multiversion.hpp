// The multi-version state of one block: for each account and slot that a transaction wrote, what is committed, and what
// transactions that have not committed yet would write. Transaction i sees the committed value and the versions below i.
// Shared by all workers; the world beneath is frozen while they run. Balances are kept as changes, so that credits and
// covered debits commute; a wiped account's older slots are out of sight of later transactions.
// Entries lie over the world's records, so that looking there finds both; what the world doesn't have is in two indices.
#pragma once

#include "../base/spin_lock.hpp"
#include "../state/world.hpp"
#include "../vm/execution_counts.hpp"
#include "concurrent_index.hpp"
#include "tracking_budget.hpp"
#include "tuning.hpp"

namespace evmcore {

constexpr uint32_t NO_TRANSACTION = UINT32_MAX;

struct AccountVersion {
    uint32_t transaction;
    const AccountEffect* effect;
    AccountVersion* above;  // of the next higher transaction
    AccountVersion* below;
};

struct VersionedAccount {
    Address key;
    SpinLock lock;
    // Whether any transaction wrote the account itself, and not just its slots: until then it is as in the world, and needs
    // no lock to be read. published: set before the first write.
    std::atomic<bool> is_written{false};
    bool is_changed = false;   // by a commit
    bool is_wiped = false;     // by a commit: slots of the world are gone
    int64_t wiped_by = -1;     // the last committed transaction that wiped its storage
    int64_t balance_by = -1;   // the last committed transactions that changed its balance,
    int64_t nonce_by = -1;     // its nonce,
    int64_t identity_by = -1;  // and its code or whether it exists
    uint32_t index_place = 0;
    uint32_t place = NO_PLACE;  // in the world; set before the entry is shown, so it is read without the lock
    AccountState committed;     // the world's, until something commits
    AccountVersion* lowest = nullptr;
    AccountVersion* highest = nullptr;
};

struct SlotVersion {
    uint32_t transaction;
    bool is_change;  // `value` is what is added to what lies below
    u256 value;
    SlotVersion* above;
    SlotVersion* below;
};

struct VersionedSlot {
    struct Key {
        const VersionedAccount* account;
        u256 slot;
        bool operator==(const Key& other) const noexcept { return account == other.account && slot == other.slot; }
    };
    struct Hasher {
        uint64_t operator()(const Key& key) const noexcept {
            return hash_value(SlotKey{static_cast<uint32_t>(reinterpret_cast<uintptr_t>(key.account) >> 4), key.slot});
        }
    };
    Key key;
    SpinLock lock;
    bool is_changed = false;
    int64_t written_by = -1;  // the last committed transaction that wrote it
    uint32_t index_place = 0;
    const StoredSlot* stored = nullptr;  // where the world has it
    u256 committed;                      // the world's, until something commits
    SlotVersion* lowest = nullptr;
    SlotVersion* highest = nullptr;
};

// One worker's share of the block's memory; cleared when the block ends.
struct VersionArena {
    StablePool<VersionedAccount> accounts;
    StablePool<VersionedSlot> slots;
    StablePool<AccountVersion> account_versions;
    StablePool<SlotVersion> slot_versions;
    Vector<const Code*> codes;  // kept for readers until the block ends, one reference each

    ~VersionArena() { clear(); }
    void clear() noexcept {
        accounts.clear();
        slots.clear();
        account_versions.clear();
        slot_versions.clear();
        for (const Code* code : codes)
            code->release();
        codes.clear();
    }
    // The same, and gives back what is more than `kept_bytes`, of each.
    void trim(size_t kept_bytes) noexcept {
        clear();
        accounts.trim(kept_bytes);
        slots.trim(kept_bytes);
        account_versions.trim(kept_bytes);
        slot_versions.trim(kept_bytes);
        codes.trim(kept_bytes);
    }
    // Keeps a code for readers; false without memory.
    bool keep(const Code* code) noexcept {
        if (code == nullptr)
            return true;
        if (!codes.push_back(code))
            return false;
        code->acquire();
        return true;
    }
};

class MultiVersion {
public:
    // Starts a block on `world`. Each worker has room for `cells` accounts and as many slots, and all together for as many that
    // the world doesn't have. False without memory.
    bool reset(const World* world, bool deletes_empty, size_t cells) noexcept;

    // What transaction i sees. The world's own answer where nothing below i wrote.
    Status account(uint32_t i, const Address& address, AccountState* out) noexcept;
    Status slot(uint32_t i, const Address& address, uint32_t place, const u256& key, SlotState* out) noexcept;

    // Shows the writes of transaction i but its fee, which has run but not committed; `effects` must stay until `unpublish`.
    // False when the block's memory is full.
    bool publish(uint32_t i, Effects* effects, VersionArena* arena) noexcept;
    void unpublish(uint32_t i, const Effects& effects) noexcept;

    // The rest is for the one worker that commits, with everything below i committed.
    // Whether a run of i that saw `effects` would come out the same now; these are then what they would have been now. Counted
    // in `repairs` if a balance or a slot that it changed or checked is another by now, and all the same it stands.
    bool is_valid(Effects* effects, ExecutionCounts* counts) noexcept;
    // Makes the writes of i the committed state; the versions of i must be unpublished or never have been.
    bool commit(uint32_t i, Effects* effects, VersionArena* arena) noexcept;
    // Calls visit(j) for each committed transaction j that wrote what `effects` depends on: the last writer of each value.
    // The sender's nonce is no dependency, since the transaction itself says it. A slot is, merged or not: whether it was
    // followed is a matter of the schedule.
    template <class Visit>
    void for_each_dependency(const Effects& effects, const Address& sender, Visit visit) noexcept {
        const auto tell = [&](int64_t writer) {
            if (writer >= 0)
                visit(static_cast<uint32_t>(writer));
        };
        for (const AccountEffect& effect : effects.accounts) {
            const VersionedAccount* entry = effect.reads != 0 ? written(effect) : nullptr;
            if (entry == nullptr)
                continue;
            if (effect.reads & READ_BALANCE)
                tell(entry->balance_by);
            if ((effect.reads & READ_NONCE) && !(effect.address == sender))
                tell(entry->nonce_by);
            if (effect.reads & (READ_CODE | READ_ALIVE | READ_EXISTS | READ_COLLISION))
                tell(entry->identity_by);
        }
        for (const SlotEffect& effect : effects.slots) {
            const VersionedAccount* account = written(effects.accounts[effect.account]);
            const VersionedSlot* entry = account != nullptr ? written(effect, account) : nullptr;
            if (entry != nullptr)
                tell(entry->written_by);
            if (account != nullptr)
                tell(account->wiped_by);
        }
    }

    // After the last commit, when no worker runs: writes everything to the world.
    Status fold(World* world, VersionArena* const* arenas, size_t arena_count) noexcept;
    // Forgets the entries of the arenas, which may then be cleared; the world is as it was before `reset` saw it, but for
    // what `fold` wrote.
    void forget(VersionArena* const* arenas, size_t arena_count) noexcept;

    // Between blocks: gives back what is more than `kept_bytes`, of each.
    void trim(size_t kept_bytes) noexcept {
        new_accounts_.trim(kept_bytes);
        new_slots_.trim(kept_bytes);
        accounts_.trim(kept_bytes);
        slots_.trim(kept_bytes);
    }

    TrackingBudgets budgets;

private:
    // The entry of what a run saw; null where nobody wrote.
    VersionedAccount* written(const AccountEffect& effect) const noexcept {
        if (effect.entry != nullptr)
            return effect.entry;
        if (effect.place == NO_PLACE)
            return entry_of(effect.address);
        return entry_at(effect.place, effect.address);
    }
    VersionedSlot* written(const SlotEffect& effect, const VersionedAccount* account) const noexcept {
        if (effect.entry != nullptr)
            return effect.entry;
        if (effect.stored == nullptr)
            return entry_of(account, effect.key);
        return entry_at(effect.stored, account, effect.key);
    }
    // The same by key, of what was seen through no view or in another life of the account.
    VersionedAccount* entry_of(const Address& address) const noexcept { return entry_at(world_->place_of(address), address); }
    VersionedSlot* entry_of(const VersionedAccount* account, const u256& key) const noexcept {
        return entry_at(stored_of(account, key), account, key);
    }
    // The same where the place in the world is known.
    VersionedAccount* entry_at(uint32_t place, const Address& address) const noexcept {
        return place != NO_PLACE && tuning.attached_versions ? world_->record(place).overlay.get<VersionedAccount>()
                                                             : accounts_.find(address);
    }
    VersionedSlot* entry_at(const StoredSlot* stored, const VersionedAccount* account, const u256& key) const noexcept {
        return stored != nullptr && tuning.attached_versions ? stored->overlay.get<VersionedSlot>()
                                                             : slots_.find({account, key});
    }
    const StoredSlot* stored_of(const VersionedAccount* account, const u256& key) const noexcept {
        return account->place != NO_PLACE ? world_->slot_at(account->place, key) : nullptr;
    }
    // The account, read from where `place` says, as i sees it.
    Status account_at(uint32_t i, uint32_t place, const Address& address, AccountState* out) const noexcept;
    // Learns of a run that is in vain over a slot of this account.
    void blame(uint32_t place, bool was_followed) noexcept {
        if (place != NO_PLACE)
            budgets.blame(place, was_followed);
    }

    // The entry for writing, made if there is none; null when the block's memory is full.
    VersionedAccount* add_entry(AccountEffect* effect, VersionArena* arena) noexcept;
    VersionedSlot* add_entry(SlotEffect* effect, const VersionedAccount* account, VersionArena* arena) noexcept;
    // The account as i sees it, and the last transaction below i that wiped its storage (-1: none). Caller holds the lock.
    void resolve(const VersionedAccount& entry, uint32_t i, AccountState* out, int64_t* wiped_by) const noexcept;

    const World* world_ = nullptr;
    bool deletes_empty_ = false;
    size_t cells_ = 0;                              // that an arena may hold of accounts, and of slots
    bool is_laid_ = false;                          // something may lie over the world, and pointers into it hold
    Vector<const VersionedAccount*> new_accounts_;  // these two: what `fold` has to add; kept for their memory
    Vector<const VersionedSlot*> new_slots_;
    std::atomic<bool> has_wipes_{false};  // published: set by whoever publishes or commits the first one
    ConcurrentIndex<Address, VersionedAccount, SeededHash> accounts_;
    ConcurrentIndex<VersionedSlot::Key, VersionedSlot, VersionedSlot::Hasher> slots_;
};

}  // namespace evmcore
