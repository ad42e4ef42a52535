// A block access list with the state before the block beside it: all that an execution of the block may ask for, in arrays that nobody
// writes while workers read them. What isn't in the list has no answer.
#pragma once

#include <algorithm>

#include "../rules/rules.hpp"
#include "../state/block_access_list.hpp"
#include "../state/world.hpp"

namespace evmcore {

class ListedState {
public:
    using List = BlockAccessList;
    static constexpr uint32_t NONE = UINT32_MAX;

    // Room for the values of a list's keys, which `read` brings, in parts. False without memory.
    [[nodiscard]] bool open(const List& list, const World& world, const Rules& rules) noexcept;
    size_t part_count() const noexcept { return (list_->accounts.size() + ACCOUNTS_A_PART - 1) / ACCOUNTS_A_PART; }
    // Reads some keys from the state before the first transaction, which stands still. Any number of workers may read different parts.
    // RUNNING, or why the state doesn't answer for a key, which is `missing`.
    Status read(size_t part, MissingKey* missing) noexcept;
    // Sets the values after the last index up to `last` in the state that they were read from. What an execution asks for stays.
    Status write_to(World* world, uint32_t last) const noexcept;

    const List& list() const noexcept { return *list_; }
    uint32_t find(const Address& address) const noexcept;
    // A slot that changes, or, from the number of those on, one that is read.
    uint32_t find_slot(uint32_t account, const u256& key) const noexcept;
    // The same of a slot as the view told it; null: it told none.
    uint32_t place_of(const StoredSlot* slot) const noexcept {
        return slot != nullptr ? static_cast<uint32_t>(slot - slots_.data()) : NONE;
    }
    bool is_change(uint32_t slot) const noexcept { return slot < list_->slots.size(); }
    const StoredSlot* stored(uint32_t slot) const noexcept { return &slots_[slot]; }
    // Before index i.
    void account_before(uint32_t account, uint32_t i, AccountState* out) const noexcept;
    u256 slot_before(uint32_t account, uint32_t slot, uint32_t i) const noexcept;
    bool was_empty(uint32_t account) const noexcept {
        const AccountState& state = accounts_[account];
        return state.exists && state.nonce == 0 && state.code == nullptr && state.balance.is_zero();
    }
    // The entry of index i in a run; null: there is none.
    template <class Items>
    static const typename Items::value_type* at(const Items& items, const List::Range& range, uint32_t i) noexcept {
        const auto* found = below(items, range, i + 1);
        return found != nullptr && found->index == i ? found : nullptr;
    }
    // The last one below i.
    template <class Items>
    static const typename Items::value_type* below(const Items& items, const List::Range& range, uint32_t i) noexcept {
        const auto* const first = items.begin() + range.begin;
        const auto* const above =
            std::partition_point(first, items.begin() + range.end, [i](const auto& each) { return each.index < i; });
        return above != first ? above - 1 : nullptr;
    }

private:
    static constexpr size_t ACCOUNTS_A_PART = 32;

    // Monotone in the address, so that the accounts of a bucket lie side by side.
    uint32_t bucket_of(const Address& address) const noexcept {
        return static_cast<uint32_t>((u64_from_bytes(address.bytes) >> 32) * (buckets_.size() - 1) >> 32);
    }
    // The last index below i at which the account lost its storage; -1: none.
    int64_t wiped_before(const List::Account& account, uint32_t i) const noexcept;
    bool has_storage_before(uint32_t account, uint32_t i) const noexcept;

    const List* list_ = nullptr;
    const World* world_ = nullptr;
    bool deletes_empty_ = false;
    bool clears_with_code_ = false;   // what loses its code loses its storage (before EIP-6780)
    Vector<uint32_t> buckets_;        // the first account of each, and the end
    Vector<AccountState> accounts_;   // before the first transaction, as the slots; `place` is the list's
    Vector<uint32_t> places_;         // in the world
    Vector<uint32_t> storage_since_;  // the index at which the list first gives the account a slot that isn't zero
    Vector<StoredSlot> slots_;
};

// What the transaction of index i sees.
struct ListedView {
    const ListedState* state = nullptr;
    uint32_t index = 0;
    AccessListFault fault;  // the first key that isn't in the list

    StateView view() noexcept;
};

}  // namespace evmcore
