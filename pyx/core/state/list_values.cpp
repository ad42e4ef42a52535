#include "list_values.hpp"

#include <algorithm>

namespace evmcore {

namespace {

using List = BlockAccessList;

// The last item of a run with an index below; null: there is none.
template <class Items>
const typename Items::value_type* last_below(const Items& items, const List::Range& range, uint32_t below) noexcept {
    const auto* const first = items.begin() + range.begin;
    const auto* const end =
        std::partition_point(first, items.begin() + range.end, [below](const auto& each) { return each.index < below; });
    return end != first ? end - 1 : nullptr;
}

class ListWriter {
public:
    ListWriter(const List& list, uint32_t below, const Rules& rules, World* world, MissingKey* missing) noexcept
        : list_{list}, below_{below}, rules_{rules}, world_{*world}, missing_{*missing} {}

    Status write(const List::Account& account) noexcept {
        const List::Value* const balance = last_below(list_.balances, account.balances, below_);
        const List::Nonce* const nonce = last_below(list_.nonces, account.nonces, below_);
        const List::NewCode* const code = last_below(list_.codes, account.codes, below_);
        const bool is_changed = balance != nullptr || nonce != nullptr || code != nullptr;
        if (!is_changed && !has_slots(account))
            return Status::RUNNING;
        missing_ = {account.address, {}, false};
        AccountState state;
        Status status = world_.account(account.address, &state);
        if (status != Status::RUNNING)
            return status;
        int64_t wiped_by = -1;
        if (is_changed) {
            if (balance != nullptr)
                state.balance = balance->value;
            if (nonce != nullptr)
                state.nonce = nonce->value;
            if (code != nullptr)
                state.code = code->value;
            const bool is_empty = state.balance.is_zero() && state.nonce == 0 && state.code == nullptr;
            state.exists = !(is_empty && rules_.deletes_empty_accounts);
            wiped_by = wiped_before(account);
            const bool is_wiped = wiped_by >= 0 || (!state.exists && state.has_storage);
            status = state.place != NO_PLACE ? world_.put_at(state.place, state, is_wiped)
                                             : world_.put(account.address, state, is_wiped);
        }
        if (!state.exists)  // it has no slots, whatever the list says
            return status;
        for (uint32_t k = account.slots.begin; k < account.slots.end && status == Status::RUNNING; ++k) {
            const List::Slot& slot = list_.slots[k];
            const List::Value* const value = last_below(list_.changes, slot.changes, below_);
            if (value == nullptr || int64_t{value->index} < wiped_by)
                continue;
            missing_ = {account.address, slot.key, true};
            status = world_.set_slot_of(account.address, slot.key, value->value);
        }
        return status;
    }

private:
    bool has_slots(const List::Account& account) const noexcept {
        return std::any_of(list_.slots.begin() + account.slots.begin, list_.slots.begin() + account.slots.end,
                           [&](const List::Slot& slot) {
                               return slot.changes.size() != 0 && list_.changes[slot.changes.begin].index < below_;
                           });
    }
    // The last index at which the account lost its code, and with it its storage (before EIP-6780); -1: none.
    int64_t wiped_before(const List::Account& account) const noexcept {
        if (!rules_.selfdestruct_only_when_new)
            for (uint32_t k = account.codes.end; k > account.codes.begin; --k)
                if (list_.codes[k - 1].index < below_ && list_.codes[k - 1].value == nullptr)
                    return list_.codes[k - 1].index;
        return -1;
    }

    const List& list_;
    const uint32_t below_;
    const Rules& rules_;
    World& world_;
    MissingKey& missing_;
};

}  // namespace

bool count_changes(const BlockAccessList& list, uint32_t last, ChangeCounts* out) noexcept {
    const size_t count = size_t{last} + 1;
    if (!out->fields.fill(count, 0) || !out->slots.fill(count, 0))
        return false;
    const auto count_in = [last](const auto& items, Vector<uint32_t>* counts) noexcept {
        for (const auto& item : items)
            if (item.index <= last)
                ++(*counts)[item.index];
    };
    count_in(list.balances, &out->fields);
    count_in(list.nonces, &out->fields);
    count_in(list.codes, &out->fields);
    count_in(list.changes, &out->slots);
    return true;
}

Status write_list_below(const BlockAccessList& list, uint32_t below, const Rules& rules, World* world, Poll* poll,
                        MissingKey* missing) noexcept {
    constexpr size_t AHEAD = 8;  // lookups whose waits overlap
    ListWriter writer{list, below, rules, world, missing};
    for (size_t a = 0; a < list.accounts.size(); ++a) {
        if (a + AHEAD < list.accounts.size())
            world->prefetch(list.accounts[a + AHEAD].address);
        const List::Account& account = list.accounts[a];
        if (poll->poll(1 + account.slots.size()))
            return Status::ABORTED;
        const Status status = writer.write(account);
        if (status != Status::RUNNING)
            return status;
    }
    return Status::RUNNING;
}

}  // namespace evmcore
