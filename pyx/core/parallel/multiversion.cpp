// Reads, writes, validation and ordered commit of multi-version memory.
#include "multiversion.hpp"

namespace evmcore {

bool MultiVersionMemory::reset(const World* base, bool deletes_empty, size_t cells) noexcept {
    base_ = base;
    deletes_empty_ = deletes_empty;
    cells_ = cells;
    has_wipes_.store(false, std::memory_order_relaxed);
    is_attached_ = true;
    attaches_ = tuning.attached_versions && !base->is_layered();
    return accounts_.reset(cells) && slots_.reset(cells);
}

void MultiVersionMemory::resolve(const VersionedAccount& entry, uint32_t i, AccountState* out,
                                 int64_t* wiped_by) const noexcept {
    *out = entry.committed;
    *wiped_by = entry.wiped_by;
    for (const AccountVersion* version = entry.lowest; version != nullptr && version->transaction < i; version = version->above)
        if (apply_effect(out, *version->effect, deletes_empty_))
            *wiped_by = version->transaction;
}

Status MultiVersionMemory::account(uint32_t i, const Address& address, AccountState* out) noexcept {
    return account_at(i, base_->place_of(address), address, out);
}

Status MultiVersionMemory::account_at(uint32_t i, uint32_t place, const Address& address, AccountState* out) const noexcept {
    VersionedAccount* entry = entry_at(place, address);
    if (place != NO_PLACE && (entry == nullptr || !entry->is_written.load(std::memory_order_acquire))) {
        const Status status = base_->account_at(place, out);
        out->is_tracked = budgets.is_tracked(place);
        return status;
    }
    if (entry == nullptr)
        return base_->account(address, out);
    int64_t wiped_by;
    SpinGuard guard{entry->lock};
    resolve(*entry, i, out, &wiped_by);
    out->is_tracked = place != NO_PLACE && budgets.is_tracked(place);
    return Status::RUNNING;
}

Status MultiVersionMemory::slot(uint32_t i, const Address& address, uint32_t place, const u256& key, SlotState* out) noexcept {
    if (place == NO_PLACE)
        place = base_->place_of(address);
    const AccountRecord* record = place != NO_PLACE ? &base_->record(place) : nullptr;
    VersionedAccount* account = entry_at(place, address);
    if (account == nullptr)
        return base_->slot(record, address, key, out);
    int64_t wiped_by = -1;
    // Acquire: a wipe that was written before this execution began is seen here.
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
            if (!seen->is_difference)
                return Status::RUNNING;
        }
        if (entry->written_by >= wiped_by)
            out->value += entry->committed;
        return Status::RUNNING;
    }
    if (wiped_by >= 0 || out->stored == nullptr) {
        out->value = u256{};
        return wiped_by >= 0 ? Status::RUNNING : base_->unheld_slot(record, address, key, &out->value);
    }
    out->value = out->stored->value;
    return Status::RUNNING;
}

VersionedAccount* MultiVersionMemory::add_entry(AccountEffect* effect, VersionArena* arena) noexcept {
    if (effect->entry != nullptr)
        return effect->entry;
    // A strict base state that doesn't know the account: a blind credit of the beneficiary. `flush` will refuse it.
    const uint32_t place = effect->place != NO_PLACE ? effect->place : base_->place_of(effect->address);
    AccountState unheld;
    const bool is_local = place == NO_PLACE && base_->local() != nullptr;
    if (is_local && base_->account(effect->address, &unheld) != Status::RUNNING)
        return nullptr;
    const auto make = [&]() -> VersionedAccount* {
        VersionedAccount* entry = arena->accounts.size() < cells_ ? arena->accounts.add() : nullptr;
        if (entry == nullptr)
            return nullptr;
        entry->key = effect->address;
        entry->place = place;
        if (place != NO_PLACE)
            entry->committed = base_->state_at(place);
        else if (is_local)
            entry->committed = unheld;
        return entry;
    };
    if (place == NO_PLACE || !attaches_)
        return effect->entry = accounts_.find_or_add(effect->address, make);
    const AttachedVersions& versions = base_->record(place).versions;
    VersionedAccount* entry = versions.get<VersionedAccount>();
    if (entry == nullptr && (entry = make()) != nullptr)
        entry = versions.attach(entry);
    return effect->entry = entry;
}

VersionedSlot* MultiVersionMemory::add_entry(SlotEffect* effect, const VersionedAccount* account,
                                             VersionArena* arena) noexcept {
    if (effect->entry != nullptr)
        return effect->entry;
    const StoredSlot* stored = effect->stored != nullptr ? effect->stored : stored_of(account, effect->key);
    u256 unheld;
    if (stored == nullptr && base_->local() != nullptr) {
        const AccountRecord* record = account->place != NO_PLACE ? &base_->record(account->place) : nullptr;
        if (base_->unheld_slot(record, account->key, effect->key, &unheld) != Status::RUNNING)
            return nullptr;
    }
    const auto make = [&]() -> VersionedSlot* {
        VersionedSlot* entry = arena->slots.size() < cells_ ? arena->slots.add() : nullptr;
        if (entry == nullptr)
            return nullptr;
        entry->key = {account, effect->key};
        entry->stored = stored;
        entry->committed = stored != nullptr ? stored->value : unheld;
        return entry;
    };
    if (stored == nullptr || !attaches_)
        return effect->entry = slots_.find_or_add({account, effect->key}, make);
    VersionedSlot* entry = stored->versions.get<VersionedSlot>();
    if (entry == nullptr && (entry = make()) != nullptr)
        entry = stored->versions.attach(entry);
    return effect->entry = entry;
}

namespace {

// Most versions are the newest of their list when they come and the oldest when they go: a list has both ends.
template <class Entry, class Version>
void insert_version(Entry* entry, Version* version) noexcept {
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
void remove_version(Entry* entry, uint32_t i) noexcept {
    auto* version = entry->lowest;
    while (version != nullptr && version->transaction < i)
        version = version->above;
    if (version == nullptr || version->transaction != i)
        return;
    (version->below != nullptr ? version->below->above : entry->lowest) = version->above;
    (version->above != nullptr ? version->above->below : entry->highest) = version->below;
}

}  // namespace

bool MultiVersionMemory::write(uint32_t i, Effects* effects, VersionArena* arena) noexcept {
    for (AccountEffect& effect : effects->accounts) {
        // A fee is no version: a read of the beneficiary needs all fees below it, and would fail validation before its turn anyhow. So
        // transactions don't all write to one version list.
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
        insert_version(entry, version);
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
        version->is_difference = effect.has_range();
        version->value = version->is_difference ? effect.value - effect.seen : effect.value;
        SpinGuard guard{entry->lock};
        insert_version(entry, version);
    }
    return true;
}

void MultiVersionMemory::remove(uint32_t i, const Effects& effects) noexcept {
    for (const AccountEffect& effect : effects.accounts) {
        if (effect.writes == 0 || effect.entry == nullptr)
            continue;
        SpinGuard guard{effect.entry->lock};
        remove_version(effect.entry, i);
    }
    for (const SlotEffect& effect : effects.slots) {
        if (!effect.is_write || effect.entry == nullptr)
            continue;
        SpinGuard guard{effect.entry->lock};
        remove_version(effect.entry, i);
    }
}

bool MultiVersionMemory::validate(Effects* effects, ExecutionCounts* counts) noexcept {
    bool is_rebased = false;
    bool is_slot_rebased = false;
    for (AccountEffect& effect : effects->accounts) {
        if (effect.was_tracked)
            budgets.spend(effect.place);
        effect.entry = written(effect);
        if (effect.entry != nullptr) {
            // No lock: only the committer, who asks, writes `committed`.
            if (effect.reads != 0 && !still_holds(effect, effect.entry->committed))
                return false;
            // Of a beneficiary that was only credited nothing was read.
            is_rebased |= effect.reads != 0 && effect.entry->committed.balance != effect.seen_balance &&
                          ((effect.writes & WROTE_BALANCE) || (effect.reads & READ_BALANCE_MINIMUM));
        } else if (effect.reads & READ_NONCE) {
            // No transaction wrote it, but a sender's nonce may be what its transaction says, and not what the base state does.
            AccountState state;
            if (effect.place != NO_PLACE)
                state = base_->state_at(effect.place);
            else if (base_->local() != nullptr && base_->account(effect.address, &state) != Status::RUNNING)
                return false;
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
            blame(owner.place, owner.was_tracked);
            return false;
        }
        // As an execution on `now` would have left it.
        effect.value += now - effect.seen;
        effect.seen = now;
        budgets.reward(owner.place);
        is_slot_rebased = true;
    }
    counts->rebased += is_rebased || is_slot_rebased;
    counts->rebased_slots += is_slot_rebased;
    return true;
}

bool MultiVersionMemory::commit(uint32_t i, Effects* effects, VersionArena* arena) noexcept {
    for (AccountEffect& effect : effects->accounts) {
        if (effect.writes == 0)
            continue;
        VersionedAccount* entry = add_entry(&effect, arena);
        if (entry == nullptr || !arena->keep(effect.code))
            return false;
        SpinGuard guard{entry->lock};
        remove_version(entry, i);
        // An execution on an older state may have created what it only touches now.
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
        remove_version(entry, i);
        entry->is_changed = true;
        entry->committed = effect.value;
        entry->written_by = i;
    }
    return true;
}

Status MultiVersionMemory::flush(World* base, VersionArena* const* arenas, size_t arena_count) noexcept {
    // First what the base state has already, in place; then what is to be added, which moves records: by then nothing is attached.
    new_accounts_.clear();
    new_slots_.clear();
    Status status = Status::RUNNING;
    const auto note = [&](bool is_ok) {
        if (!is_ok && status == Status::RUNNING)
            status = Status::OUT_OF_MEMORY;
    };
    // Cache lines that another core wrote last are prefetched.
    constexpr size_t AHEAD = 8;
    for (size_t a = 0; a < arena_count; ++a)
        for (size_t k = 0; k < arenas[a]->accounts.size(); ++k) {
            if (k + AHEAD < arenas[a]->accounts.size()) {
                const VersionedAccount& later = arenas[a]->accounts[k + AHEAD];
                if (later.place != NO_PLACE)
                    base->prefetch(later.place);
            }
            const VersionedAccount& entry = arenas[a]->accounts[k];
            if (!entry.is_changed)
                continue;
            if (entry.place == NO_PLACE)
                note(new_accounts_.push_back(&entry));
            else if (status == Status::RUNNING)
                status = base->put_at(entry.place, entry.committed, entry.is_wiped);
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
                status = base->set_slot_at(account.place, entry.key.slot, entry.stored, entry.committed);
        }
    detach(arenas, arena_count);
    for (size_t k = 0; k < new_accounts_.size() && status == Status::RUNNING; ++k)
        status = base->put(new_accounts_[k]->key, new_accounts_[k]->committed, new_accounts_[k]->is_wiped);
    for (size_t k = 0; k < new_slots_.size() && status == Status::RUNNING; ++k)
        status = base->set_slot_of(new_slots_[k]->key.account->key, new_slots_[k]->key.slot, new_slots_[k]->committed);
    return status;
}

void MultiVersionMemory::detach(VersionArena* const* arenas, size_t arena_count) noexcept {
    if (!is_attached_)
        return;
    is_attached_ = false;
    for (size_t a = 0; a < arena_count; ++a) {
        for (size_t k = 0; k < arenas[a]->accounts.size(); ++k) {
            VersionedAccount& entry = arenas[a]->accounts[k];
            if (entry.place != NO_PLACE && attaches_)
                base_->record(entry.place).versions.detach();
            else
                accounts_.forget(entry);
        }
        for (size_t k = 0; k < arenas[a]->slots.size(); ++k) {
            VersionedSlot& entry = arenas[a]->slots[k];
            if (entry.stored != nullptr && attaches_)
                entry.stored->versions.detach();
            else
                slots_.forget(entry);
        }
    }
    accounts_.set_empty();
    slots_.set_empty();
}

}  // namespace evmcore
