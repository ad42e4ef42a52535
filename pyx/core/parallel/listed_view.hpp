// A block access list with the state before the block beside it: all that an execution of the block may ask for, in arrays that nobody
// writes while workers read them. What isn't in the list has no answer.
#pragma once

#include <algorithm>

#include "../state/block_access_list.hpp"
#include "../rules/rules.hpp"
#include "../state/world.hpp"

namespace evmcore {

class ListedState {
public:
    using List = BlockAccessList;
    static constexpr uint32_t NONE = UINT32_MAX;

    // From the state before the first transaction. `clears_with_code`: what loses its code loses its storage (before EIP-6780).
    // RUNNING, OUT_OF_MEMORY, or why the state doesn't answer for a key, which is `missing`.
    Status prepare(const List& list, const World& world, const Rules& rules, MissingKey* missing) noexcept;
    // Sets the values after the last index up to `last` in the state that this was made from.
    Status write_to(World* world, uint32_t last) const noexcept;

    const List& list() const noexcept { return *list_; }
    uint32_t find(const Address& address) const noexcept {
        const uint32_t* place = account_index_.find(address);
        return place != nullptr ? *place : NONE;
    }
    // A slot that changes, or, from the number of those on, one that is read.
    uint32_t find_slot(uint32_t account, const u256& key) const noexcept {
        const uint32_t* place = slot_index_.find(SlotKey{account, key});
        return place != nullptr ? *place : NONE;
    }
    bool is_change(uint32_t slot) const noexcept { return slot < list_->slots.size(); }
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
    // The last index below i at which the account lost its storage; -1: none.
    int64_t wiped_before(const List::Account& account, uint32_t i) const noexcept;

    const List* list_ = nullptr;
    bool deletes_empty_ = false, clears_with_code_ = false;
    FlatMap<Address, uint32_t, SeededHash> account_index_;
    FlatMap<SlotKey, uint32_t, SeededHash> slot_index_;
    Vector<AccountState> accounts_;  // before the first transaction, as the next
    Vector<u256> slots_;
};

// What the transaction of index i sees.
struct ListedView {
    const ListedState* state = nullptr;
    uint32_t index = 0;
    AccessListFault fault;  // the first key that isn't in the list

    StateView view() noexcept;
};

}  // namespace evmcore
