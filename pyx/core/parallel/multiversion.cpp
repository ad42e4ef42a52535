// Reads, publication and ordered commit of the multi-version state.
#include "multiversion.hpp"

namespace evmcore {

bool MultiVersion::reset(const World* world, bool deletes_empty, size_t cells) noexcept {
    world_ = world;
    deletes_empty_ = deletes_empty;
    cells_ = cells;
    has_wipes_.store(false, std::memory_order_relaxed);
    is_laid_ = true;
    return accounts_.reset(cells) && slots_.reset(cells);
}

void MultiVersion::resolve(const VersionedAccount& entry, uint32_t i, AccountState* out, int64_t* wiped_by) const noexcept {
    *out = entry.committed;
    *wiped_by = entry.wiped_by;
    for (const AccountVersion* version = entry.lowest; version != nullptr && version->transaction < i; version = version->above)
        if (apply_effect(out, *version->effect, deletes_empty_))
            *wiped_by = version->transaction;
}

Status MultiVersion::account(uint32_t i, const Address& address, AccountState* out) noexcept {
    return account_at(i, world_->place_of(address), address, out);
}

Status MultiVersion::account_at(uint32_t i, uint32_t place, const Address& address, AccountState* out) const noexcept {
    VersionedAccount* entry = entry_at(place, address);
    if (place != NO_PLACE && (entry == nullptr || !entry->is_written.load(std::memory_order_acquire))) {
        const Status status = world_->account_at(place, out);
        out->is_contended = budgets.is_tracked(place);
        return status;
    }
    if (entry == nullptr)
        return world_->account(address, out);
    int64_t wiped_by;
    SpinGuard guard{entry->lock};
    resolve(*entry, i, out, &wiped_by);
    out->is_contended = place != NO_PLACE && budgets.is_tracked(place);
    return Status::RUNNING;
}

Status MultiVersion::slot(uint32_t i, const Address& address, uint32_t place, const u256& key, SlotState* out) noexcept {
    if (place == NO_PLACE)
        place = world_->place_of(address);
    const AccountRecord* record = place != NO_PLACE ? &world_->record(place) : nullptr;
    VersionedAccount* account = entry_at(place, address);
    if (account == nullptr)
        return world_->slot(record, key, out);
    int64_t wiped_by = -1;
    // Acquire: a wipe that was published before we began is seen here.
    if (has_wipes_.load(std::memory_order_acquire)) {
        AccountState state;
        SpinGuard guard{account->lock};
        resolve(*account, i, &state, &wiped_by);
    }
    out->stored = stored_of(account, key);
    VersionedSlot* entry = entry_at(out->stored, account, key);
    if (entry != nullptr) {
        SpinGuard guard{entry->lock};
        const SlotVersion* seen = entry->highest;
        while (seen != nullptr && seen->transaction >= i)
            seen = seen->below;
        out->value = u256{};
        for (; seen != nullptr && static_cast<int64_t>(seen->transaction) >= wiped_by; seen = seen->below) {
            out->value += seen->value;
            if (!seen->is_change)
                return Status::RUNNING;
        }
        if (entry->written_by >= wiped_by)
            out->value += entry->committed;
        return Status::RUNNING;
    }
    if (wiped_by >= 0 || out->stored == nullptr) {
        out->value = u256{};
        return wiped_by >= 0 ? Status::RUNNING : world_->absent_slot(record);
    }
    out->value = out->stored->value;
    return Status::RUNNING;
}

VersionedAccount* MultiVersion::add_entry(AccountEffect* effect, VersionArena* arena) noexcept {
    if (effect->entry != nullptr)
        return effect->entry;
    // A strict world that doesn't know the account: a blind credit of the beneficiary. `fold` will refuse it.
    const uint32_t place = effect->place != NO_PLACE ? effect->place : world_->place_of(effect->address);
    const auto make = [&]() -> VersionedAccount* {
        VersionedAccount* entry = arena->accounts.size() < cells_ ? arena->accounts.add() : nullptr;
        if (entry == nullptr)
            return nullptr;
        entry->key = effect->address;
        entry->place = place;
        if (place != NO_PLACE)
            entry->committed = world_->state_at(place);
        return entry;
    };
    if (place == NO_PLACE || !tuning.attached_versions)
        return effect->entry = accounts_.find_or_add(effect->address, make);
    const Overlay& overlay = world_->record(place).overlay;
    VersionedAccount* entry = overlay.get<VersionedAccount>();
    if (entry == nullptr && (entry = make()) != nullptr)
        entry = overlay.lay(entry);
    return effect->entry = entry;
}

VersionedSlot* MultiVersion::add_entry(SlotEffect* effect, const VersionedAccount* account, VersionArena* arena) noexcept {
    if (effect->entry != nullptr)
        return effect->entry;
    const StoredSlot* stored = effect->stored != nullptr ? effect->stored : stored_of(account, effect->key);
    const auto make = [&]() -> VersionedSlot* {
        VersionedSlot* entry = arena->slots.size() < cells_ ? arena->slots.add() : nullptr;
        if (entry == nullptr)
            return nullptr;
        entry->key = {account, effect->key};
        entry->stored = stored;
        if (stored != nullptr)
            entry->committed = stored->value;
        return entry;
    };
    if (stored == nullptr || !tuning.attached_versions)
        return effect->entry = slots_.find_or_add({account, effect->key}, make);
    VersionedSlot* entry = stored->overlay.get<VersionedSlot>();
    if (entry == nullptr && (entry = make()) != nullptr)
        entry = stored->overlay.lay(entry);
    return effect->entry = entry;
}

namespace {

// Most versions are the newest of their entry when they come and the oldest when they go: both ends are at hand.
template <class Entry, class Version>
void put_in(Entry* entry, Version* version) noexcept {
    Version* below = entry->highest;
    while (below != nullptr && below->transaction > version->transaction)
        below = below->below;
    Version*& place = below != nullptr ? below->above : entry->lowest;
    version->below = below;
    version->above = place;
    (place != nullptr ? place->below : entry->highest) = version;
    place = version;
}

template <class Entry>
void take_out(Entry* entry, uint32_t i) noexcept {
    auto* version = entry->lowest;
    while (version != nullptr && version->transaction < i)
        version = version->above;
    if (version == nullptr || version->transaction != i)
        return;
    (version->below != nullptr ? version->below->above : entry->lowest) = version->above;
    (version->above != nullptr ? version->above->below : entry->highest) = version->below;
}

}  // namespace

bool MultiVersion::publish(uint32_t i, Effects* effects, VersionArena* arena) noexcept {
    for (AccountEffect& effect : effects->accounts) {
        // A fee is not shown: whoever looks at the beneficiary needs all the fees below, and would look in vain before its turn. So
        // not every transaction writes to the same few lines of memory.
        if (effect.writes == 0 || effect.is_blind)
            continue;
        VersionedAccount* entry = add_entry(&effect, arena);
        AccountVersion* version = entry != nullptr ? arena->account_versions.add() : nullptr;
        if (version == nullptr || !arena->keep(effect.code))
            return false;
        version->transaction = i;
        version->effect = &effect;
        SpinGuard guard{entry->lock};
        // A touch wipes only where an empty account has storage, which no chain makes since EIP-161.
        if ((effect.writes & (CREATED | DESTROYED)) || (entry->committed.has_storage && (effect.writes & TOUCHED)))
            has_wipes_.store(true, std::memory_order_release);
        entry->is_written.store(true, std::memory_order_release);
        put_in(entry, version);
    }
    for (SlotEffect& effect : effects->slots) {
        AccountEffect& owner = effects->accounts[effect.account];
        if (!effect.is_write || (owner.writes & DESTROYED))
            continue;
        VersionedAccount* account = add_entry(&owner, arena);
        VersionedSlot* entry = account != nullptr ? add_entry(&effect, account, arena) : nullptr;
        SlotVersion* version = entry != nullptr ? arena->slot_versions.add() : nullptr;
        if (version == nullptr)
            return false;
        version->transaction = i;
        version->is_change = effect.has_guard();
        version->value = version->is_change ? effect.value - effect.seen : effect.value;
        SpinGuard guard{entry->lock};
        put_in(entry, version);
    }
    return true;
}

void MultiVersion::unpublish(uint32_t i, const Effects& effects) noexcept {
    for (const AccountEffect& effect : effects.accounts) {
        if (effect.writes == 0 || effect.entry == nullptr)
            continue;
        SpinGuard guard{effect.entry->lock};
        take_out(effect.entry, i);
    }
    for (const SlotEffect& effect : effects.slots) {
        if (!effect.is_write || effect.entry == nullptr)
            continue;
        SpinGuard guard{effect.entry->lock};
        take_out(effect.entry, i);
    }
}

bool MultiVersion::is_valid(Effects* effects, ExecutionCounts* counts) noexcept {
    bool is_repaired = false;
    bool is_slot_repaired = false;
    for (AccountEffect& effect : effects->accounts) {
        if (effect.was_followed)
            budgets.spend(effect.place);
        effect.entry = written(effect);
        if (effect.entry != nullptr) {
            // No lock: only the committer, who asks, writes `committed`.
            if (effect.reads != 0 && !still_holds(effect, effect.entry->committed))
                return false;
            // A beneficiary that was only paid has read nothing.
            is_repaired |= effect.reads != 0 && effect.entry->committed.balance != effect.seen_balance &&
                           ((effect.writes & WROTE_BALANCE) || (effect.reads & READ_BALANCE_MINIMUM));
        } else if (effect.reads & READ_NONCE) {
            // Nobody wrote it, but a sender's nonce may be what its transaction says, and not what the world does.
            const AccountState state = effect.place != NO_PLACE ? world_->state_at(effect.place) : AccountState{};
            if (!still_holds(effect, state))
                return false;
        }
    }
    for (SlotEffect& effect : effects->slots) {
        const VersionedAccount* account = effects->accounts[effect.account].entry;
        if (account == nullptr)
            continue;
        effect.entry = written(effect, account);
        u256 now;
        if (effect.entry != nullptr)
            now = effect.entry->written_by >= account->wiped_by ? effect.entry->committed : u256{};
        else if (account->wiped_by < 0)
            continue;
        if (now == effect.seen)
            continue;
        const AccountEffect& owner = effects->accounts[effect.account];
        if (!effects->admits(effect, now)) {
            blame(owner.place, owner.was_followed);
            return false;
        }
        // As a run on `now` would have left it.
        effect.value += now - effect.seen;
        effect.seen = now;
        budgets.reward(owner.place);
        is_slot_repaired = true;
    }
    counts->rebased += is_repaired || is_slot_repaired;
    counts->rebased_slots += is_slot_repaired;
    return true;
}

bool MultiVersion::commit(uint32_t i, Effects* effects, VersionArena* arena) noexcept {
    for (AccountEffect& effect : effects->accounts) {
        if (effect.writes == 0)
            continue;
        VersionedAccount* entry = add_entry(&effect, arena);
        if (entry == nullptr || !arena->keep(effect.code))
            return false;
        SpinGuard guard{entry->lock};
        take_out(entry, i);
        // A run on an older state may have taken for a birth what is a plain touch now.
        if (effect.writes == TOUCHED && entry->committed.exists &&
            (entry->committed.nonce != 0 || entry->committed.code != nullptr)) {
            effect.writes = 0;
            continue;
        }
        const bool existed = entry->committed.exists;
        entry->is_written.store(true, std::memory_order_release);
        entry->is_changed = true;
        if (apply_effect(&entry->committed, effect, deletes_empty_)) {
            entry->is_wiped = true;
            entry->wiped_by = i;
            has_wipes_.store(true, std::memory_order_release);
        }
        effect.balance_after = entry->committed.balance;
        if (effect.writes & (WROTE_BALANCE | DESTROYED))
            entry->balance_by = i;
        if (effect.writes & (WROTE_NONCE | DESTROYED))
            entry->nonce_by = i;
        if ((effect.writes & (WROTE_CODE | CREATED | DESTROYED)) || existed != entry->committed.exists)
            entry->identity_by = i;
    }
    for (SlotEffect& effect : effects->slots) {
        AccountEffect& owner = effects->accounts[effect.account];
        if (!effect.is_write || (owner.writes & DESTROYED))
            continue;
        VersionedAccount* account = add_entry(&owner, arena);
        VersionedSlot* entry = account != nullptr ? add_entry(&effect, account, arena) : nullptr;
        if (entry == nullptr)
            return false;
        if (!effect.value.is_zero() && !(account->committed.has_storage && account->committed.is_storage_known)) {
            SpinGuard account_guard{account->lock};
            account->is_written.store(true, std::memory_order_release);
            account->committed.has_storage = account->committed.is_storage_known = true;
        }
        SpinGuard guard{entry->lock};
        take_out(entry, i);
        entry->is_changed = true;
        entry->committed = effect.value;
        entry->written_by = i;
    }
    return true;
}

Status MultiVersion::fold(World* world, VersionArena* const* arenas, size_t arena_count) noexcept {
    // First what the world has already, where it lies; then what is to be added, which moves things: by then nothing lies
    // over them any more.
    new_accounts_.clear();
    new_slots_.clear();
    Status status = Status::RUNNING;
    const auto note = [&](bool is_ok) {
        if (!is_ok && status == Status::RUNNING)
            status = Status::OUT_OF_MEMORY;
    };
    // What another core wrote last lies far away: it is asked for ahead.
    constexpr size_t AHEAD = 8;
    for (size_t a = 0; a < arena_count; ++a)
        for (size_t k = 0; k < arenas[a]->accounts.size(); ++k) {
            if (k + AHEAD < arenas[a]->accounts.size()) {
                const VersionedAccount& later = arenas[a]->accounts[k + AHEAD];
                if (later.place != NO_PLACE)
                    world->prefetch(later.place);
            }
            const VersionedAccount& entry = arenas[a]->accounts[k];
            if (!entry.is_changed)
                continue;
            if (entry.place == NO_PLACE)
                note(new_accounts_.push_back(&entry));
            else if (status == Status::RUNNING)
                status = world->put_at(entry.place, entry.committed, entry.is_wiped);
        }
    for (size_t a = 0; a < arena_count; ++a)
        for (size_t k = 0; k < arenas[a]->slots.size(); ++k) {
            if (k + AHEAD < arenas[a]->slots.size())
                __builtin_prefetch(arenas[a]->slots[k + AHEAD].stored);
            const VersionedSlot& entry = arenas[a]->slots[k];
            const VersionedAccount& account = *entry.key.account;
            if (!entry.is_changed || entry.written_by < account.wiped_by)
                continue;
            if (entry.stored == nullptr || account.is_wiped)
                note(new_slots_.push_back(&entry));
            else if (status == Status::RUNNING)
                status = world->set_slot_at(account.place, entry.key.slot, entry.stored, entry.committed);
        }
    forget(arenas, arena_count);
    for (size_t k = 0; k < new_accounts_.size() && status == Status::RUNNING; ++k)
        status = world->put(new_accounts_[k]->key, new_accounts_[k]->committed, new_accounts_[k]->is_wiped);
    for (size_t k = 0; k < new_slots_.size() && status == Status::RUNNING; ++k)
        status = world->set_slot_of(new_slots_[k]->key.account->key, new_slots_[k]->key.slot, new_slots_[k]->committed);
    return status;
}

void MultiVersion::forget(VersionArena* const* arenas, size_t arena_count) noexcept {
    if (!is_laid_)
        return;
    is_laid_ = false;
    for (size_t a = 0; a < arena_count; ++a) {
        for (size_t k = 0; k < arenas[a]->accounts.size(); ++k) {
            VersionedAccount& entry = arenas[a]->accounts[k];
            if (entry.place != NO_PLACE && tuning.attached_versions)
                world_->record(entry.place).overlay.lift();
            else
                accounts_.forget(entry);
        }
        for (size_t k = 0; k < arenas[a]->slots.size(); ++k) {
            VersionedSlot& entry = arenas[a]->slots[k];
            if (entry.stored != nullptr && tuning.attached_versions)
                entry.stored->overlay.lift();
            else
                slots_.forget(entry);
        }
    }
    accounts_.set_empty();
    slots_.set_empty();
}

}  // namespace evmcore
