// Multi-version memory of one block: for each account and slot that a transaction wrote, the committed value, and the versions that
// transactions above the commit index wrote. Transaction i reads the committed value under the versions below i. Shared by all workers;
// the base state is frozen meanwhile. Balance versions are differences, so that credits and covered debits commute; a wipe hides an
// account's older slots from later transactions.
// Version lists are attached to the base state's records, so that one lookup finds both; those of what the base state doesn't have are
// in two indices.
#pragma once

#include "../base/spin_lock.hpp"
#include "../state/world.hpp"
#include "../vm/execution_counts.hpp"
#include "concurrent_index.hpp"
#include "../tracking/tracking_budget.hpp"
#include "tuning.hpp"

namespace evmcore {

struct AccountVersion {
    uint32_t transaction;
    const AccountEffect* effect;
    AccountVersion* above;  // of the next higher transaction
    AccountVersion* below;
};

struct VersionedAccount {
    Address key;
    SpinLock lock;
    // Whether any transaction wrote the account itself, and not just its slots: until then the base state has it, and it is read
    // without the lock. published: set before the first write.
    std::atomic<bool> is_written{false};
    bool is_changed = false;   // by a commit
    bool is_wiped = false;     // by a commit: slots of the base state are gone
    int64_t wiped_by = -1;     // the last committed transaction that wiped its storage
    int64_t balance_by = -1;   // the last committed transactions that changed its balance,
    int64_t nonce_by = -1;     // its nonce,
    int64_t identity_by = -1;  // and its code or whether it exists
    uint32_t index_place = 0;
    uint32_t place = NO_PLACE;  // index in the base state; set before the entry is published, so it is read without the lock
    AccountState committed;     // the base state's, until something commits
    AccountVersion* lowest = nullptr;
    AccountVersion* highest = nullptr;
};

struct SlotVersion {
    uint32_t transaction;
    bool is_difference;  // `value` is added to the value below
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
    const StoredSlot* stored = nullptr;  // its record in the base state
    u256 committed;                      // the base state's, until something commits
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

class MultiVersionMemory {
public:
    // Starts a block on a base state. Each worker has room for `cells` accounts and as many slots, and all together for as many that
    // the base state doesn't have. False without memory.
    bool reset(const World* base, bool deletes_empty, size_t cells) noexcept;

    // Reads by transaction i: what is committed, under the versions below i.
    Status account(uint32_t i, const Address& address, AccountState* out) noexcept;
    Status slot(uint32_t i, const Address& address, uint32_t place, const u256& key, SlotState* out) noexcept;

    // Writes the versions of transaction i, which was executed above the commit index; `effects` must stay until `remove`. Its fee is no
    // version. False when the block's memory is full.
    bool write(uint32_t i, Effects* effects, VersionArena* arena) noexcept;
    void remove(uint32_t i, const Effects& effects) noexcept;

    // The rest is for the one worker that commits, with everything below i committed.
    // Whether the read set validates against what is committed. If so the effects are re-based: what an execution on that would have
    // left. Counted in `rebased` if a balance or slot that it changed or compared has another value now.
    bool validate(Effects* effects, ExecutionCounts* counts) noexcept;
    // Commits the effects of i; its versions go.
    bool commit(uint32_t i, Effects* effects, VersionArena* arena) noexcept;
    // Calls visit(j) for each committed transaction j that wrote what `effects` depends on: the last writer of each value.
    // The sender's nonce is no dependency, since the transaction itself says it. A slot is one, re-based or not: whether it was tracked
    // depends on the schedule.
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

    // When all that was executed is committed and no worker executes: writes everything to the base state.
    Status flush(World* base, VersionArena* const* arenas, size_t arena_count) noexcept;
    // Detaches the version lists of the arenas, which may then be cleared.
    void detach(VersionArena* const* arenas, size_t arena_count) noexcept;

    // Between blocks: gives back what is more than `kept_bytes`, of each.
    void trim(size_t kept_bytes) noexcept {
        new_accounts_.trim(kept_bytes);
        new_slots_.trim(kept_bytes);
        accounts_.trim(kept_bytes);
        slots_.trim(kept_bytes);
    }

    TrackingBudgets budgets;

private:
    // The version list of what was read; null where no transaction wrote.
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
    // The same by key, of what was read through no view or in an earlier life of the account.
    VersionedAccount* entry_of(const Address& address) const noexcept { return entry_at(base_->place_of(address), address); }
    VersionedSlot* entry_of(const VersionedAccount* account, const u256& key) const noexcept {
        return entry_at(stored_of(account, key), account, key);
    }
    // The same where its record in the base state is known.
    VersionedAccount* entry_at(uint32_t place, const Address& address) const noexcept {
        return place != NO_PLACE && attaches_ ? base_->record(place).versions.get<VersionedAccount>() : accounts_.find(address);
    }
    VersionedSlot* entry_at(const StoredSlot* stored, const VersionedAccount* account, const u256& key) const noexcept {
        return stored != nullptr && attaches_ ? stored->versions.get<VersionedSlot>() : slots_.find({account, key});
    }
    const StoredSlot* stored_of(const VersionedAccount* account, const u256& key) const noexcept {
        return account->place != NO_PLACE ? base_->slot_at(account->place, key) : nullptr;
    }
    // A read by transaction i of the account at `place`.
    Status account_at(uint32_t i, uint32_t place, const Address& address, AccountState* out) const noexcept;
    // An execution was aborted over a slot of this account.
    void blame(uint32_t place, bool was_tracked) noexcept {
        if (place != NO_PLACE)
            budgets.blame(place, was_tracked);
    }

    // The version list for writing, made if there is none; null when the block's memory is full.
    VersionedAccount* add_entry(AccountEffect* effect, VersionArena* arena) noexcept;
    VersionedSlot* add_entry(SlotEffect* effect, const VersionedAccount* account, VersionArena* arena) noexcept;
    // A read by transaction i, and the last transaction below i that wiped the account's storage (-1: none). Caller holds the lock.
    void resolve(const VersionedAccount& entry, uint32_t i, AccountState* out, int64_t* wiped_by) const noexcept;

    const World* base_ = nullptr;
    bool deletes_empty_ = false;
    size_t cells_ = 0;          // that an arena may hold of accounts, and of slots
    bool attaches_ = false;     // not to what a base state shares with others
    bool is_attached_ = false;  // version lists may be attached to the base state, and pointers into it are valid
    Vector<const VersionedAccount*> new_accounts_;  // these two: what `flush` has to add; kept for their memory
    Vector<const VersionedSlot*> new_slots_;
    std::atomic<bool> has_wipes_{false};  // published: set by the worker that writes or commits the first one
    ConcurrentIndex<Address, VersionedAccount, SeededHash> accounts_;
    ConcurrentIndex<VersionedSlot::Key, VersionedSlot, VersionedSlot::Hasher> slots_;
};

}  // namespace evmcore
