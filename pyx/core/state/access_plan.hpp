// What a block is said to write, transaction by transaction, arranged for looking up: the state before transaction i is
// the world under the last entries below i. Frozen once it is built, so any number of workers read it without locks.
// While a block runs, a LaidPlan lies over the world's records. EIP-7928 (block access lists).
#pragma once

#include "access_rows.hpp"
#include "world.hpp"

namespace evmcore {

class AccessPlan {
  public:
    AccessPlan() = default;
    AccessPlan(const AccessPlan&) = delete;
    AccessPlan& operator=(const AccessPlan&) = delete;
    ~AccessPlan();

    // From rows in the order of transactions, of which only the first `count` are taken. `gas` may be null: what each
    // transaction used, to start with the longest. Keeps a reference to each code that is written.
    // OUT_OF_MEMORY, or ACCESSES_DIFFER when a row has a code that isn't there.
    Status build(const AccountAccess* accounts, size_t account_count, const SlotAccess* slots, size_t slot_count,
                 const Code* const* codes, size_t code_count, const uint64_t* gas, uint32_t count) noexcept;

    uint32_t count() const noexcept { return static_cast<uint32_t>(order_.size()); }
    // Transactions with the most to do first: they are all independent. A batch is for one worker: one long transaction, or
    // short ones, neighbours as far as they are as short.
    uint32_t at_turn(size_t turn) const noexcept { return order_[turn]; }
    size_t batch_count() const noexcept { return batches_.size(); }
    size_t batch_begin(size_t batch) const noexcept { return batches_[batch]; }
    size_t batch_end(size_t batch) const noexcept {
        return batch + 1 < batches_.size() ? batches_[batch + 1] : order_.size();
    }

  private:
    friend class LaidPlan;

    // An account after a transaction, as far as the block has settled it by then.
    struct AccountEntry {
        uint32_t transaction;
        uint8_t settled;        // WROTE_BALANCE, WROTE_NONCE, WROTE_CODE: these no longer come from the world
        bool is_touched;        // exists, unless it is empty and empty ones go
        bool is_wiped;          // by this transaction
        bool is_reborn;         // destroyed since the block began: what the world has doesn't count
        int64_t wiped_by;       // the last transaction so far that wiped its storage
        uint64_t nonce;
        const Code* code;
        u256 balance;
    };
    struct SlotEntry {
        uint32_t transaction;
        u256 value;
    };
    struct Account {
        Address address;
        uint32_t begin = 0, end = 0;                   // in account_entries_
        uint32_t first_storage = NEVER;                // the first transaction that wrote a slot that isn't zero
        bool is_ever_wiped = false;
    };
    struct Slot {
        uint32_t account;
        u256 key;
        uint32_t begin = 0, end = 0;                   // in slot_entries_
    };
    static constexpr uint32_t NEVER = UINT32_MAX;

    uint32_t* add_account(const uint8_t* address) noexcept;
    const AccountEntry* entry_below(const Account& account, uint32_t i) const noexcept;
    const SlotEntry* entry_below(const Slot& slot, uint32_t i) const noexcept;
    const Account* find(const Address& address) const noexcept {
        const uint32_t* place = account_index_.find(address);
        return place != nullptr ? &accounts_[*place] : nullptr;
    }
    const Slot* find(const Account& account, const u256& key) const noexcept {
        const uint32_t* place = slot_index_.find(SlotKey{static_cast<uint32_t>(&account - accounts_.data()), key});
        return place != nullptr ? &slots_[*place] : nullptr;
    }

    FlatMap<Address, uint32_t, SeededHash> account_index_;
    FlatMap<SlotKey, uint32_t, SeededHash> slot_index_;
    std::vector<Account> accounts_;
    std::vector<Slot> slots_;
    std::vector<AccountEntry> account_entries_;
    std::vector<SlotEntry> slot_entries_;
    std::vector<uint32_t> writes_;  // how many entries each transaction has
    std::vector<uint32_t> order_;
    std::vector<uint32_t> batches_;  // where each begins in the order
    std::vector<const Code*> codes_;
};

// A plan over the world that one block runs on. Laid by one worker before any runs, lifted when all have ended.
class LaidPlan {
  public:
    LaidPlan() = default;
    LaidPlan(const LaidPlan&) = delete;
    LaidPlan& operator=(const LaidPlan&) = delete;
    ~LaidPlan() { lift(); }

    // `deletes_empty`: touched and empty accounts go (EIP-161). The world is frozen until `lift` or `fold`.
    void lay(const AccessPlan* plan, const World* world, bool deletes_empty) noexcept;
    void lift() noexcept;

    // The state before transaction i.
    Status account(uint32_t i, const Address& address, AccountState* out) const noexcept;
    Status slot(uint32_t i, const Address& address, uint32_t place, const u256& key, SlotState* out) const noexcept;

    // Whether a run of transaction i wrote just what the plan says: no more, no less, the same values.
    bool matches(uint32_t i, const Effects& effects) const noexcept;

    // Lifts the plan and writes the state after its last transaction to the world.
    Status fold(World* world) noexcept;

  private:
    using Account = AccessPlan::Account;
    using Slot = AccessPlan::Slot;
    using AccountEntry = AccessPlan::AccountEntry;
    using SlotEntry = AccessPlan::SlotEntry;

    // What the plan has of an account and of a slot; null where it has nothing.
    const Account* planned(const AccountRecord* record, const Address& address) const noexcept {
        return record != nullptr ? record->overlay.get<Account>() : plan_->find(address);
    }
    const Slot* planned(const StoredSlot* stored, const Account& account, const u256& key) const noexcept {
        return stored != nullptr ? stored->overlay.get<Slot>() : plan_->find(account, key);
    }
    const AccountRecord* record_of(uint32_t place, const Address& address) const noexcept {
        return place != NO_PLACE ? &world_->record(place) : world_->find(address);
    }
    // Turns the state of an account before the block into that after an entry, or before the first (null).
    void settle(const Account& account, const AccountEntry* entry, uint32_t i, AccountState* state) const noexcept;

    const AccessPlan* plan_ = nullptr;
    const World* world_ = nullptr;
    bool deletes_empty_ = false;
    bool is_laid_ = false;
    std::vector<uint32_t> places_;              // of the plan's accounts in the world
    std::vector<const StoredSlot*> stored_;     // of its slots
};

// The state before one transaction of a block whose writes are known.
struct PlannedView {
    const LaidPlan* plan = nullptr;
    uint32_t transaction = 0;

    StateView view() noexcept {
        StateView view;
        view.context = this;
        view.account = [](void* context, const Address& address, AccountState* out) noexcept {
            const auto* self = static_cast<const PlannedView*>(context);
            return self->plan->account(self->transaction, address, out);
        };
        view.slot = [](void* context, const Address& address, uint32_t place, const u256& key, SlotState* out) noexcept {
            const auto* self = static_cast<const PlannedView*>(context);
            return self->plan->slot(self->transaction, address, place, key, out);
        };
        return view;
    }
};

}  // namespace evmcore
