// An indexed access list: what a block is said to write, transaction by transaction. The state before transaction i is the base state under
// the last entries below i. Frozen once it is built, so any number of workers read it without locks. A BoundAccessList is one on the base
// state of a block. EIP-7928 (block access lists).
#pragma once

#include <algorithm>

#include "access_rows.hpp"
#include "../state/world.hpp"
#include "tuning.hpp"

namespace evmcore {

class AccessList {
public:
    AccessList() = default;
    AccessList(const AccessList&) = delete;
    AccessList& operator=(const AccessList&) = delete;
    ~AccessList();

    // From rows in the order of transactions, of which only the first `count` are taken. `gas` may be null: what each
    // transaction used, to start with the longest. Keeps a reference to each code that is written.
    // OUT_OF_MEMORY, ABORTED when the poll says so, or ACCESSES_DIFFER when a row has a code that isn't there.
    Status build(const AccountAccess* accounts, size_t account_count, const SlotAccess* slots, size_t slot_count,
                 const Code* const* codes, size_t code_count, const uint64_t* gas, uint32_t count, Poll* poll) noexcept;

    uint32_t count() const noexcept { return static_cast<uint32_t>(order_.size()); }
    // The order of execution: the longest transactions first, since all are independent. A batch is claimed at once: one long transaction,
    // or several short ones, which are neighbours in the block as far as they are as short.
    uint32_t at_turn(size_t turn) const noexcept { return order_[turn]; }
    size_t batch_count() const noexcept { return batches_.size(); }
    size_t batch_begin(size_t batch) const noexcept { return batches_[batch]; }
    size_t batch_end(size_t batch) const noexcept { return batch + 1 < batches_.size() ? batches_[batch + 1] : order_.size(); }

private:
    friend class BoundAccessList;

    static constexpr uint32_t NEVER = UINT32_MAX;
    // An account after a transaction: the fields that the block has written by then. Entries are in the order of transactions.
    struct AccountEntry {
        uint32_t transaction;
        uint8_t written;   // WROTE_BALANCE, WROTE_NONCE, WROTE_CODE: these no longer come from the base state
        bool is_touched;   // exists, unless it is empty and empty ones go
        bool is_wiped;     // by this transaction
        bool hides_base;   // destroyed since the block began: the base state's account doesn't count
        int64_t wiped_by;  // the last transaction so far that wiped its storage
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
        uint32_t begin = 0, end = 0;     // of its entries' places, in account_places_
        uint32_t first_storage = NEVER;  // the first transaction that wrote a slot that isn't zero
        bool is_ever_wiped = false;
    };
    struct Slot {
        uint32_t account;
        u256 key;
        uint32_t begin = 0, end = 0;  // of its entries' places, in slot_places_
    };
    // A row of a transaction's part of the list, in the order of the rows, which its execution keeps to by and large. Most reads find in the
    // next step, without hashing, the entry of the last transaction below and the transaction's own; NEVER: none.
    struct AccountStep {
        Address address;
        bool has_storage;  // since an earlier one wrote a slot that isn't zero
        uint32_t below, own;
    };
    struct SlotStep {
        Address address;
        bool is_ever_wiped;  // its account
        uint32_t below, own;
        u256 key;
    };
    template <class Step>
    struct Steps {
        Vector<Step> all;
        Vector<uint32_t> begins;  // of each transaction, and the end

        // In the order of transactions, so many at the most; then `end`. False without memory.
        bool begin(size_t step_count, uint32_t transaction_count) noexcept {
            return all.reserve(step_count) && begins.fill(size_t{transaction_count} + 1, 0);
        }
        void add(uint32_t transaction, const Step& step) noexcept {
            (void)all.push_back(step);  // `begin` made room
            begins[transaction + 1] = static_cast<uint32_t>(all.size());
        }
        // Those without a step begin where the one before ends.
        void end() noexcept {
            for (size_t i = 1; i < begins.size(); ++i)
                begins[i] = std::max(begins[i - 1], begins[i]);
        }
    };
    static constexpr uint32_t STEPS_TRIED = 64;
    // The step of transaction i that `is_it`, from the cursor on and round; null where there is none among the next.
    template <class Step, class IsIt>
    static const Step* find_step(const Steps<Step>& steps, uint32_t i, uint32_t* cursor, IsIt is_it) noexcept {
        const uint32_t begin = steps.begins[i], count = tuning.access_steps ? steps.begins[i + 1] - begin : 0;
        for (uint32_t tried = 0; tried < count && tried < STEPS_TRIED; ++tried) {
            if (*cursor >= count)
                *cursor = 0;
            const Step& step = steps.all[begin + (*cursor)++];
            if (is_it(step))
                return &step;
        }
        return nullptr;
    }

    uint32_t* add_account(const uint8_t* address) noexcept;
    Status build_accounts(const AccountAccess* rows, size_t row_count, const Code* const* codes, size_t code_count,
                          uint32_t count, Vector<uint32_t>* row_accounts, Poll* poll) noexcept;
    Status build_slots(const SlotAccess* rows, size_t row_count, uint32_t count, Poll* poll) noexcept;
    void find_storage(const Vector<uint32_t>& row_accounts, uint32_t count) noexcept;
    bool build_order(const uint64_t* gas, uint32_t count) noexcept;  // false without memory

    // Of a thing's entries the last of a transaction below i, and the last of all; NEVER without one.
    template <class Thing, class Entry>
    static uint32_t place_below(const Thing& thing, const Vector<uint32_t>& places, const Vector<Entry>& entries,
                                uint32_t i) noexcept {
        const uint32_t* const first = places.data() + thing.begin;
        const uint32_t* const above = std::partition_point(first, places.data() + thing.end,
                                                           [&](uint32_t place) { return entries[place].transaction < i; });
        return above != first ? above[-1] : NEVER;
    }
    uint32_t place_below(const Account& account, uint32_t i) const noexcept {
        return place_below(account, account_places_, account_entries_, i);
    }
    uint32_t place_below(const Slot& slot, uint32_t i) const noexcept {
        return place_below(slot, slot_places_, slot_entries_, i);
    }
    const AccountEntry* account_entry(uint32_t place) const noexcept {
        return place != NEVER ? &account_entries_[place] : nullptr;
    }
    const SlotEntry* slot_entry(uint32_t place) const noexcept { return place != NEVER ? &slot_entries_[place] : nullptr; }
    // Whether transactions below i, since the one that wiped it, wrote a slot of the account that isn't zero.
    static bool has_storage(const Account& account, const AccountEntry* seen, uint32_t i) noexcept {
        return account.first_storage < i && (seen == nullptr || static_cast<int64_t>(account.first_storage) >= seen->wiped_by);
    }
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
    Vector<Account> accounts_;
    Vector<Slot> slots_;
    Vector<AccountEntry> account_entries_;
    Vector<SlotEntry> slot_entries_;
    Vector<uint32_t> account_places_, slot_places_;  // of the entries, by account and by slot
    Steps<AccountStep> account_steps_;
    Steps<SlotStep> slot_steps_;
    Vector<uint32_t> writes_;  // how many entries each transaction has
    Vector<uint32_t> order_;
    Vector<uint32_t> batches_;  // where each begins in the order
    Vector<const Code*> codes_;
};

}  // namespace evmcore
