// A plan over a world: reading through it, holding a run against it, and writing what it comes to.
#include "access_plan.hpp"

namespace evmcore {

void LaidPlan::lay(const AccessPlan* plan, const World* world, bool deletes_empty) noexcept {
    plan_ = plan;
    world_ = world;
    deletes_empty_ = deletes_empty;
    is_laid_ = true;
    const std::vector<Account>& accounts = plan->accounts_;
    const std::vector<Slot>& slots = plan->slots_;
    // The lookups depend on nothing, so the memory for those to come is asked for ahead.
    constexpr size_t AHEAD = 8;
    places_.resize(accounts.size());
    for (size_t k = 0; k < accounts.size(); ++k) {
        if (k + AHEAD < accounts.size())
            world->prefetch(accounts[k + AHEAD].address);
        places_[k] = world->place_of(accounts[k].address);
        if (places_[k] != NO_PLACE)
            world->record(places_[k]).overlay.lay(const_cast<Account*>(&accounts[k]));
    }
    stored_.resize(slots.size());
    for (size_t k = 0; k < slots.size(); ++k) {
        if (k + AHEAD < slots.size() && places_[slots[k + AHEAD].account] != NO_PLACE)
            world->prefetch(places_[slots[k + AHEAD].account], slots[k + AHEAD].key);
        const uint32_t place = places_[slots[k].account];
        stored_[k] = place != NO_PLACE ? world->slot_at(place, slots[k].key) : nullptr;
        if (stored_[k] != nullptr)
            stored_[k]->overlay.lay(const_cast<Slot*>(&slots[k]));
    }
}

void LaidPlan::lift() noexcept {
    if (!is_laid_)
        return;
    is_laid_ = false;
    for (const uint32_t place : places_)
        if (place != NO_PLACE)
            world_->record(place).overlay.lift();
    for (const StoredSlot* stored : stored_)
        if (stored != nullptr)
            stored->overlay.lift();
}

void LaidPlan::settle(const Account& account, const AccountEntry* entry, uint32_t i, AccountState* state) const noexcept {
    if (entry == nullptr) {
        state->has_storage |= account.first_storage < i;
        return;
    }
    if (entry->is_reborn)
        state->clear();
    if (entry->settled & WROTE_BALANCE)
        state->balance = entry->balance;
    if (entry->settled & WROTE_NONCE)
        state->nonce = entry->nonce;
    if (entry->settled & WROTE_CODE)
        state->code = entry->code;
    const bool is_empty = state->balance.is_zero() && state->nonce == 0 && state->code == nullptr;
    state->exists = !(deletes_empty_ && is_empty) && (state->exists || entry->is_touched);
    if (entry->wiped_by >= 0)
        state->has_storage = false;
    state->has_storage |= account.first_storage < i && static_cast<int64_t>(account.first_storage) >= entry->wiped_by;
}

Status LaidPlan::account(uint32_t i, const Address& address, AccountState* out) const noexcept {
    const Status status = world_->account(address, out);
    const AccountRecord* record = out->place != NO_PLACE ? &world_->record(out->place) : nullptr;
    const Account* account = planned(record, address);
    if (account != nullptr && status == Status::RUNNING)
        settle(*account, plan_->entry_below(*account, i), i, out);
    return status;
}

Status LaidPlan::slot(uint32_t i, const Address& address, uint32_t place, const u256& key, SlotState* out) const noexcept {
    const AccountRecord* record = record_of(place, address);
    const Status status = world_->slot(record, key, out);
    const Account* account = planned(record, address);
    if (account == nullptr)
        return status;
    const AccountEntry* life = account->is_ever_wiped ? plan_->entry_below(*account, i) : nullptr;
    const int64_t wiped_by = life != nullptr ? life->wiped_by : -1;
    const Slot* slot = planned(out->stored, *account, key);
    const SlotEntry* entry = slot != nullptr ? plan_->entry_below(*slot, i) : nullptr;
    if (entry != nullptr && static_cast<int64_t>(entry->transaction) >= wiped_by) {
        out->value = entry->value;
        return Status::RUNNING;
    }
    if (wiped_by < 0)
        return status;
    out->value = u256{};
    return Status::RUNNING;
}

bool LaidPlan::matches(uint32_t i, const Effects& effects) const noexcept {
    uint32_t met = 0;
    for (const AccountEffect& effect : effects.accounts) {
        if (effect.writes == 0)
            continue;
        static const Account unlisted{};
        const AccountRecord* record = record_of(effect.place, effect.address);
        const Account* found = planned(record, effect.address);
        const Account& known = found != nullptr ? *found : unlisted;  // its write must then change nothing
        const AccountEntry* entry = plan_->entry_below(known, i + 1);
        const bool is_listed = entry != nullptr && entry->transaction == i;
        const AccountEntry* earlier = entry;
        if (is_listed)
            earlier = entry != plan_->account_entries_.data() + known.begin ? entry - 1 : nullptr;
        AccountState run = record != nullptr ? state_of(*record) : AccountState{};
        AccountState said = run;
        settle(known, earlier, i, &run);
        settle(known, entry, i + 1, &said);
        const bool had_storage = run.has_storage;
        const bool is_wiped = apply_effect(&run, effect, deletes_empty_);
        if (run.balance != said.balance || run.nonce != said.nonce || run.exists != said.exists ||
            !(hash_of(run.code) == hash_of(said.code)))
            return false;
        met += is_listed;
        if (is_wiped && had_storage && !(is_listed && entry->is_wiped))
            return false;
        if (is_listed && entry->is_wiped && !is_wiped)
            return false;
    }
    for (const SlotEffect& effect : effects.slots) {
        const AccountEffect& owner = effects.accounts[effect.account];
        if (!effect.is_write || (owner.writes & DESTROYED))
            continue;
        const AccountRecord* record = record_of(owner.place, owner.address);
        const Account* account = planned(record, owner.address);
        if (account == nullptr)
            return false;
        const StoredSlot* stored = effect.stored;
        if (stored == nullptr && record != nullptr)
            stored = world_->slot_of(*record, effect.key);
        const Slot* slot = planned(stored, *account, effect.key);
        const SlotEntry* entry = slot != nullptr ? plan_->entry_below(*slot, i + 1) : nullptr;
        if (entry == nullptr || entry->transaction != i || entry->value != effect.value)
            return false;
        ++met;
    }
    return met == plan_->writes_[i];
}

Status LaidPlan::fold(World* world) noexcept {
    // First where things lie already; then what is to be added, which moves them.
    const uint32_t end = plan_->count();
    Status status = Status::RUNNING;
    for (int adds = 0; adds < 2; ++adds) {
        for (size_t k = 0; k < places_.size(); ++k) {
            const Account& account = plan_->accounts_[k];
            const AccountEntry* entry = plan_->entry_below(account, end);
            if (entry == nullptr || (places_[k] == NO_PLACE) != (adds == 1))
                continue;
            AccountState state;
            if (adds == 0)
                state = world->state_at(places_[k]);
            settle(account, entry, end, &state);
            status = adds == 0 ? world->put_at(places_[k], state, entry->wiped_by >= 0)
                               : world->put(account.address, state, entry->wiped_by >= 0);
            if (status != Status::RUNNING)
                return status;
        }
        for (size_t k = 0; k < stored_.size(); ++k) {
            const Slot& slot = plan_->slots_[k];
            const Account& account = plan_->accounts_[slot.account];
            const AccountEntry* life = plan_->entry_below(account, end);
            const SlotEntry* entry = plan_->entry_below(slot, end);
            if (entry == nullptr || (life != nullptr && static_cast<int64_t>(entry->transaction) < life->wiped_by))
                continue;
            const bool is_added = stored_[k] == nullptr || (life != nullptr && life->wiped_by >= 0);
            if (is_added != (adds == 1))
                continue;
            if (is_added)
                status = world->set_slot_of(account.address, slot.key, entry->value);
            else
                world->set_slot_at(places_[slot.account], slot.key, stored_[k], entry->value);
            if (status != Status::RUNNING)
                return status;
        }
        lift();
    }
    return status;
}

}  // namespace evmcore
