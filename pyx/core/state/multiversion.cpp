// Reads, publication and ordered commit of the multi-version state.
#include "multiversion.hpp"

namespace evmcore {

bool MultiVersion::reset(const World* world, bool deletes_empty, size_t capacity) noexcept {
    world_ = world;
    deletes_empty_ = deletes_empty;
    has_wipes_.store(false, std::memory_order_relaxed);
    return accounts_.reset(capacity) && slots_.reset(capacity);
}

void MultiVersion::resolve(const VersionedAccount& entry, uint32_t i, AccountState* out,
                           int64_t* wiped_by) const noexcept {
    *out = entry.committed;
    *wiped_by = entry.wiped_by;
    for (const AccountVersion* version = entry.lowest; version != nullptr && version->transaction < i;
         version = version->above)
        if (apply_effect(out, *version->effect, deletes_empty_))
            *wiped_by = version->transaction;
}

Status MultiVersion::account(uint32_t i, const Address& address, AccountState* out) noexcept {
    VersionedAccount* entry = accounts_.find(address);
    if (entry == nullptr)
        return world_->account(address, out);
    int64_t wiped_by;
    SpinGuard guard{entry->lock};
    resolve(*entry, i, out, &wiped_by);
    return Status::RUNNING;
}

Status MultiVersion::slot(uint32_t i, const Address& address, const u256& key, u256* out) noexcept {
    VersionedAccount* account = accounts_.find(address);
    if (account == nullptr)
        return world_->slot(address, key, out);
    int64_t wiped_by = -1;
    // Acquire: a wipe that was published before we began is seen here.
    if (has_wipes_.load(std::memory_order_acquire)) {
        AccountState state;
        SpinGuard guard{account->lock};
        resolve(*account, i, &state, &wiped_by);
    }
    VersionedSlot* entry = slots_.find({account, key});
    if (entry != nullptr) {
        SpinGuard guard{entry->lock};
        const SlotVersion* seen = entry->highest;
        while (seen != nullptr && seen->transaction >= i)
            seen = seen->below;
        if (seen != nullptr && static_cast<int64_t>(seen->transaction) >= wiped_by)
            *out = seen->value;
        else
            *out = entry->written_by >= wiped_by ? entry->committed : u256{};
        return Status::RUNNING;
    }
    if (wiped_by >= 0) {
        *out = u256{};
        return Status::RUNNING;
    }
    return world_->slot(address, key, out);
}

VersionedAccount* MultiVersion::account_entry(const Address& address, VersionArena* arena) noexcept {
    return accounts_.find_or_add(address, [&]() -> VersionedAccount* {
        VersionedAccount* entry = arena->accounts.add();
        if (entry == nullptr)
            return nullptr;
        entry->key = address;
        // A strict world that doesn't know the account: a blind credit of the beneficiary. `fold` will refuse it.
        entry->world_place = world_->place_of(address);
        if (entry->world_place != World::NO_PLACE)
            entry->committed = state_of(world_->record(entry->world_place));
        return entry;
    });
}

VersionedSlot* MultiVersion::slot_entry(const VersionedAccount* account, const u256& key,
                                        VersionArena* arena) noexcept {
    return slots_.find_or_add({account, key}, [&]() -> VersionedSlot* {
        VersionedSlot* entry = arena->slots.add();
        if (entry == nullptr)
            return nullptr;
        entry->key = {account, key};
        if (account->world_place != World::NO_PLACE)
            entry->world_slot = world_->slot_at(account->world_place, key);
        if (entry->world_slot != nullptr)
            entry->committed = *entry->world_slot;
        return entry;
    });
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
        if (effect.writes == 0)
            continue;
        VersionedAccount* entry = effect.entry = account_entry(effect.address, arena);
        AccountVersion* version = entry != nullptr ? arena->account_versions.add() : nullptr;
        if (version == nullptr)
            return false;
        if (effect.code != nullptr)
            arena->codes.push_back(effect.code->acquire());
        version->transaction = i;
        version->effect = &effect;
        SpinGuard guard{entry->lock};
        // A touch wipes only where an empty account has storage, which no chain makes since EIP-161.
        if ((effect.writes & (CREATED | DESTROYED)) || (entry->committed.has_storage && (effect.writes & TOUCHED)))
            has_wipes_.store(true, std::memory_order_release);
        put_in(entry, version);
    }
    for (SlotEffect& effect : effects->slots) {
        AccountEffect& owner = effects->accounts[effect.account];
        if (!effect.is_write || (owner.writes & DESTROYED))
            continue;
        if (owner.entry == nullptr)
            owner.entry = account_entry(owner.address, arena);
        effect.entry = owner.entry != nullptr ? slot_entry(owner.entry, effect.key, arena) : nullptr;
        SlotVersion* version = effect.entry != nullptr ? arena->slot_versions.add() : nullptr;
        if (version == nullptr)
            return false;
        version->transaction = i;
        version->value = effect.value;
        SpinGuard guard{effect.entry->lock};
        put_in(effect.entry, version);
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

bool MultiVersion::is_current(uint32_t i, const Effects& effects, const Address& sender) noexcept {
    AccountState now;
    for (const AccountEffect& effect : effects.accounts) {
        const uint8_t reads = effect.address == sender ? effect.reads & ~READ_NONCE : effect.reads;
        if (reads != 0 && (account(i, effect.address, &now) != Status::RUNNING || !still_holds(effect, now, reads)))
            return false;
    }
    u256 value;
    for (const SlotEffect& effect : effects.slots)
        if (slot(i, effects.accounts[effect.account].address, effect.key, &value) != Status::RUNNING ||
            value != effect.seen)
            return false;
    return true;
}

bool MultiVersion::is_current(uint32_t i, Journal* journal, const Address& sender) noexcept {
    AccountState now;
    for (size_t k = 0; k < journal->account_count(); ++k) {
        const JournalAccount& entry = journal->account_at(k);
        const uint8_t reads = entry.address == sender ? entry.reads & ~READ_NONCE : entry.reads;
        if (reads == 0 || !entry.is_loaded)
            continue;
        AccountEffect effect;
        effect.see(entry.original, entry.balance_minimum);
        if (account(i, entry.address, &now) != Status::RUNNING || !still_holds(effect, now, reads))
            return false;
    }
    u256 value;
    for (size_t k = 0; k < journal->slot_count(); ++k) {
        const JournalSlot& entry = journal->slot_at(k);
        if (entry.is_read_through &&
            (slot(i, entry.account->address, entry.key, &value) != Status::RUNNING || value != entry.original))
            return false;
    }
    return true;
}

bool MultiVersion::is_valid(Effects* effects) noexcept {
    bool is_repaired = false;
    for (AccountEffect& effect : effects->accounts) {
        if (effect.entry == nullptr)
            effect.entry = accounts_.find(effect.address);
        if (effect.entry != nullptr) {
            // No lock: only the committer, who asks, writes `committed`.
            if (effect.reads != 0 && !still_holds(effect, effect.entry->committed))
                return false;
            // A beneficiary that was only paid has read nothing.
            is_repaired |= effect.reads != 0 && effect.entry->committed.balance != effect.seen_balance &&
                           ((effect.writes & WROTE_BALANCE) || (effect.reads & READ_BALANCE_MINIMUM));
        } else if (effect.reads & READ_NONCE) {
            // Nobody wrote it, but a sender's nonce may be what its transaction says, and not what the world does.
            AccountState state;
            if (world_->account(effect.address, &state) != Status::RUNNING || !still_holds(effect, state))
                return false;
        }
    }
    for (SlotEffect& effect : effects->slots) {
        const VersionedAccount* account = effects->accounts[effect.account].entry;
        if (account == nullptr)
            continue;
        if (effect.entry == nullptr)
            effect.entry = slots_.find({account, effect.key});
        u256 now;
        if (effect.entry != nullptr)
            now = effect.entry->written_by >= account->wiped_by ? effect.entry->committed : u256{};
        else if (account->wiped_by < 0)
            continue;
        if (now != effect.seen)
            return false;
    }
    repairs += is_repaired;
    return true;
}

bool MultiVersion::commit(uint32_t i, Effects* effects, VersionArena* arena) noexcept {
    for (AccountEffect& effect : effects->accounts) {
        if (effect.writes == 0)
            continue;
        VersionedAccount* entry = effect.entry != nullptr ? effect.entry : account_entry(effect.address, arena);
        if (entry == nullptr)
            return false;
        effect.entry = entry;
        if (effect.code != nullptr)
            arena->codes.push_back(effect.code->acquire());
        SpinGuard guard{entry->lock};
        take_out(entry, i);
        // A run on an older state may have taken for a birth what is a plain touch now.
        if (effect.writes == TOUCHED && entry->committed.exists &&
            (entry->committed.nonce != 0 || entry->committed.code != nullptr)) {
            effect.writes = 0;
            continue;
        }
        const bool existed = entry->committed.exists;
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
        if (owner.entry == nullptr)
            owner.entry = account_entry(owner.address, arena);
        VersionedAccount* account = owner.entry;
        if (account != nullptr && effect.entry == nullptr)
            effect.entry = slot_entry(account, effect.key, arena);
        VersionedSlot* entry = effect.entry;
        if (entry == nullptr)
            return false;
        if (!effect.value.is_zero() && !account->committed.has_storage) {
            SpinGuard account_guard{account->lock};
            account->committed.has_storage = true;
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
    // First what the world has already, where it lies; then what is to be added, which moves things.
    new_accounts_.clear();
    new_slots_.clear();
    for (size_t a = 0; a < arena_count; ++a)
        for (size_t k = 0; k < arenas[a]->accounts.size(); ++k) {
            const VersionedAccount& entry = arenas[a]->accounts[k];
            if (!entry.is_changed)
                continue;
            if (entry.world_place == World::NO_PLACE) {
                new_accounts_.push_back(&entry);
                continue;
            }
            const Status status = world->put_at(entry.world_place, entry.committed, entry.is_wiped);
            if (status != Status::RUNNING)
                return status;
        }
    for (const VersionedAccount* entry : new_accounts_) {
        const Status status = world->put(entry->key, entry->committed, entry->is_wiped);
        if (status != Status::RUNNING)
            return status;
    }
    for (size_t a = 0; a < arena_count; ++a)
        for (size_t k = 0; k < arenas[a]->slots.size(); ++k) {
            const VersionedSlot& entry = arenas[a]->slots[k];
            const VersionedAccount& account = *entry.key.account;
            if (!entry.is_changed || entry.written_by < account.wiped_by)
                continue;
            if (entry.world_slot == nullptr || account.is_wiped)
                new_slots_.push_back(&entry);
            else
                world->set_slot_at(account.world_place, entry.key.slot, entry.world_slot, entry.committed);
        }
    for (const VersionedSlot* entry : new_slots_) {
        const Status status = world->set_slot_of(entry->key.account->key, entry->key.slot, entry->committed);
        if (status != Status::RUNNING)
            return status;
    }
    return Status::RUNNING;
}

void MultiVersion::forget(VersionArena* const* arenas, size_t arena_count) noexcept {
    for (size_t a = 0; a < arena_count; ++a) {
        for (size_t k = 0; k < arenas[a]->accounts.size(); ++k)
            accounts_.forget(arenas[a]->accounts[k]);
        for (size_t k = 0; k < arenas[a]->slots.size(); ++k)
            slots_.forget(arenas[a]->slots[k]);
    }
    accounts_.set_empty();
    slots_.set_empty();
}

}  // namespace evmcore
