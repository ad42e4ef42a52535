// An access list on a base state: reads, comparison of an execution's writes with the list, and the flush.
#include "bound_access_list.hpp"

namespace evmcore {

AccessList::AccountStep BoundAccessList::step_of(uint32_t i, const Address& address, uint32_t* cursor) const noexcept {
    const AccountStep* step = AccessList::find_step(list_->account_steps_, i, cursor,
                                                    [&](const AccountStep& each) { return each.address == address; });
    if (step != nullptr)
        return *step;
    const Account* account = list_->find(address);
    if (account == nullptr)
        return {address, false, NEVER, NEVER};
    const uint32_t below = list_->place_below(*account, i), own = list_->place_below(*account, i + 1);
    return {address, AccessList::has_storage(*account, list_->account_entry(below), i), below, own != below ? own : NEVER};
}

AccessList::SlotStep BoundAccessList::step_of(uint32_t i, const Address& address, const u256& key,
                                              uint32_t* cursor) const noexcept {
    const SlotStep* step = AccessList::find_step(
        list_->slot_steps_, i, cursor, [&](const SlotStep& each) { return each.key == key && each.address == address; });
    if (step != nullptr)
        return *step;
    const Account* account = list_->find(address);
    const Slot* slot = account != nullptr ? list_->find(*account, key) : nullptr;
    if (slot == nullptr)
        return {address, account != nullptr && account->is_ever_wiped, NEVER, NEVER, key};
    const uint32_t below = list_->place_below(*slot, i), own = list_->place_below(*slot, i + 1);
    return {address, account->is_ever_wiped, below, own != below ? own : NEVER, key};
}

void BoundAccessList::apply(const AccountEntry* entry, bool has_storage, AccountState* state) const noexcept {
    if (entry != nullptr) {
        if (entry->hides_base)
            state->clear();
        if (entry->written & WROTE_BALANCE)
            state->balance = entry->balance;
        if (entry->written & WROTE_NONCE)
            state->nonce = entry->nonce;
        if (entry->written & WROTE_CODE)
            state->code = entry->code;
        const bool is_empty = state->balance.is_zero() && state->nonce == 0 && state->code == nullptr;
        state->exists = !(deletes_empty_ && is_empty) && (state->exists || entry->is_touched);
        if (entry->wiped_by >= 0)
            state->has_storage = false, state->is_storage_known = true;
    }
    if (has_storage)
        state->has_storage = state->is_storage_known = true;
}

Status BoundAccessList::account(uint32_t i, const Address& address, AccessListCursor* cursor,
                                AccountState* out) const noexcept {
    const Status status = base_->account(address, out);
    const AccountStep step = step_of(i, address, &cursor->account);
    if (status == Status::RUNNING)
        apply(list_->account_entry(step.below), step.has_storage, out);
    return status;
}

Status BoundAccessList::slot(uint32_t i, const Address& address, uint32_t place, const u256& key, AccessListCursor* cursor,
                             SlotState* out) const noexcept {
    const SlotStep step = step_of(i, address, key, &cursor->slot);
    const SlotEntry* seen = list_->slot_entry(step.below);
    int64_t wiped_by = -1;
    if (step.is_ever_wiped) {
        const AccountEntry* life = list_->account_entry(list_->place_below(*list_->find(address), i));
        wiped_by = life != nullptr ? life->wiped_by : -1;
    }
    if (seen != nullptr && static_cast<int64_t>(seen->transaction) >= wiped_by) {
        *out = {seen->value, nullptr};
        return Status::RUNNING;
    }
    if (wiped_by >= 0) {
        *out = SlotState{};
        return Status::RUNNING;
    }
    return base_->slot(place != NO_PLACE ? &base_->record(place) : base_->find(address), address, key, out);
}

bool BoundAccessList::matches(uint32_t i, Effects* effects) const noexcept {
    AccessListCursor cursor;
    uint32_t met = 0;
    for (AccountEffect& effect : effects->accounts) {
        if (effect.writes == 0)
            continue;
        const AccountStep step = step_of(i, effect.address, &cursor.account);
        const AccountEntry* seen = list_->account_entry(step.below);
        const AccountEntry* listed = list_->account_entry(step.own);  // none: its write must then change nothing
        AccountState now;
        if (effect.place != NO_PLACE)
            now = base_->state_at(effect.place);
        else
            base_->account(effect.address, &now);
        AccountState listed_state = now;
        apply(seen, step.has_storage, &now);
        apply(listed != nullptr ? listed : seen, false, &listed_state);
        const bool had_storage = now.has_storage && now.is_storage_known;
        const bool is_wiped = apply_effect(&now, effect, deletes_empty_);
        effect.balance_after = now.balance;
        if (now.balance != listed_state.balance || now.nonce != listed_state.nonce || now.exists != listed_state.exists ||
            !(hash_of(now.code) == hash_of(listed_state.code)))
            return false;
        met += listed != nullptr;
        if (is_wiped && had_storage && !(listed != nullptr && listed->is_wiped))
            return false;
        if (listed != nullptr && listed->is_wiped && !is_wiped)
            return false;
    }
    for (const SlotEffect& effect : effects->slots) {
        const AccountEffect& owner = effects->accounts[effect.account];
        if (!effect.is_write || (owner.writes & DESTROYED))
            continue;
        const SlotEntry* listed = list_->slot_entry(step_of(i, owner.address, effect.key, &cursor.slot).own);
        if (listed == nullptr || listed->value != effect.value)
            return false;
        ++met;
    }
    return met == list_->writes_[i];
}

Status BoundAccessList::flush(World* base) const noexcept {
    // Cache lines that another core wrote last are prefetched; all lookups come before the first write, so that their waits overlap.
    constexpr size_t AHEAD = 8;
    const Vector<Account>& accounts = list_->accounts_;
    const Vector<Slot>& slots = list_->slots_;
    Vector<uint32_t> places;
    if (!places.resize(accounts.size()))
        return Status::OUT_OF_MEMORY;
    for (size_t k = 0; k < accounts.size(); ++k)
        places[k] = base->place_of(accounts[k].address);
    for (size_t k = 0; k < accounts.size(); ++k) {
        if (k + AHEAD < accounts.size() && places[k + AHEAD] != NO_PLACE)
            base->prefetch(places[k + AHEAD]);
        if (accounts[k].begin == accounts[k].end)
            continue;
        const AccountEntry& last = list_->account_entries_[list_->account_places_[accounts[k].end - 1]];
        AccountState state;
        if (places[k] != NO_PLACE)
            state = base->state_at(places[k]);
        else if (base->local() != nullptr && base->account(accounts[k].address, &state) != Status::RUNNING)
            return Status::VIEW_FAILED;
        apply(&last, false, &state);
        const bool is_wiped = last.wiped_by >= 0;
        const Status status =
            places[k] != NO_PLACE ? base->put_at(places[k], state, is_wiped) : base->put(accounts[k].address, state, is_wiped);
        if (status != Status::RUNNING)
            return status;
    }
    for (size_t k = 0; k < slots.size(); ++k) {
        if (k + AHEAD < slots.size() && places[slots[k + AHEAD].account] != NO_PLACE)
            base->prefetch(places[slots[k + AHEAD].account], slots[k + AHEAD].key);
        const Slot& slot = slots[k];
        if (slot.begin == slot.end)
            continue;
        const Account& account = accounts[slot.account];
        const SlotEntry& last = list_->slot_entries_[list_->slot_places_[slot.end - 1]];
        const AccountEntry* life = list_->account_entry(list_->place_below(account, list_->count()));
        if (life != nullptr && static_cast<int64_t>(last.transaction) < life->wiped_by)
            continue;
        const Status status = places[slot.account] != NO_PLACE ? base->set_slot_at(places[slot.account], slot.key, last.value)
                                                               : base->set_slot_of(account.address, slot.key, last.value);
        if (status != Status::RUNNING)
            return status;
    }
    return Status::RUNNING;
}

}  // namespace evmcore
