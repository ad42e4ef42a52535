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
    for (const AccountVersion* version = entry.first; version != nullptr && version->transaction < i;
         version = version->next)
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
        const SlotVersion* seen = nullptr;
        for (const SlotVersion* version = entry->first; version != nullptr && version->transaction < i;
             version = version->next)
            if (static_cast<int64_t>(version->transaction) >= wiped_by)
                seen = version;
        if (seen != nullptr)
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
        world_->account(address, &entry->committed);
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
        world_->slot(account->key, key, &entry->committed);
        return entry;
    });
}

bool MultiVersion::publish(uint32_t i, const Effects& effects, VersionArena* arena) noexcept {
    for (const AccountEffect& effect : effects.accounts) {
        if (effect.writes == 0)
            continue;
        VersionedAccount* entry = account_entry(effect.address, arena);
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
        AccountVersion** place = &entry->first;
        while (*place != nullptr && (*place)->transaction < i)
            place = &(*place)->next;
        version->next = *place;
        *place = version;
    }
    for (const SlotEffect& effect : effects.slots) {
        if (!effect.is_write || (effects.accounts[effect.account].writes & DESTROYED))
            continue;
        const VersionedAccount* account = account_entry(effects.accounts[effect.account].address, arena);
        VersionedSlot* entry = account != nullptr ? slot_entry(account, effect.key, arena) : nullptr;
        SlotVersion* version = entry != nullptr ? arena->slot_versions.add() : nullptr;
        if (version == nullptr)
            return false;
        version->transaction = i;
        version->value = effect.value;
        SpinGuard guard{entry->lock};
        SlotVersion** place = &entry->first;
        while (*place != nullptr && (*place)->transaction < i)
            place = &(*place)->next;
        version->next = *place;
        *place = version;
    }
    return true;
}

namespace {

template <class Version>
void take_out(Version** place, uint32_t i) noexcept {
    while (*place != nullptr && (*place)->transaction < i)
        place = &(*place)->next;
    if (*place != nullptr && (*place)->transaction == i)
        *place = (*place)->next;
}

}  // namespace

void MultiVersion::unpublish(uint32_t i, const Effects& effects) noexcept {
    for (const AccountEffect& effect : effects.accounts) {
        VersionedAccount* entry = effect.writes != 0 ? accounts_.find(effect.address) : nullptr;
        if (entry == nullptr)
            continue;
        SpinGuard guard{entry->lock};
        take_out(&entry->first, i);
    }
    for (const SlotEffect& effect : effects.slots) {
        if (!effect.is_write)
            continue;
        const VersionedAccount* account = accounts_.find(effects.accounts[effect.account].address);
        VersionedSlot* entry = account != nullptr ? slots_.find({account, effect.key}) : nullptr;
        if (entry == nullptr)
            continue;
        SpinGuard guard{entry->lock};
        take_out(&entry->first, i);
    }
}

bool MultiVersion::is_valid(const Effects& effects) noexcept {
    for (const AccountEffect& effect : effects.accounts) {
        VersionedAccount* entry = effect.reads != 0 ? accounts_.find(effect.address) : nullptr;
        // No lock: only the committer, who asks, writes `committed`.
        if (entry != nullptr && !still_holds(effect, entry->committed))
            return false;
    }
    for (const SlotEffect& effect : effects.slots) {
        const VersionedAccount* account = accounts_.find(effects.accounts[effect.account].address);
        if (account == nullptr)
            continue;
        const VersionedSlot* entry = slots_.find({account, effect.key});
        u256 now;
        if (entry != nullptr)
            now = entry->written_by >= account->wiped_by ? entry->committed : u256{};
        else if (account->wiped_by < 0)
            continue;
        if (now != effect.seen)
            return false;
    }
    return true;
}

bool MultiVersion::commit(uint32_t i, Effects* effects, VersionArena* arena) noexcept {
    for (AccountEffect& effect : effects->accounts) {
        if (effect.writes == 0)
            continue;
        VersionedAccount* entry = account_entry(effect.address, arena);
        if (entry == nullptr)
            return false;
        if (effect.code != nullptr)
            arena->codes.push_back(effect.code->acquire());
        SpinGuard guard{entry->lock};
        take_out(&entry->first, i);
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
    for (const SlotEffect& effect : effects->slots) {
        const AccountEffect& owner = effects->accounts[effect.account];
        if (!effect.is_write || (owner.writes & DESTROYED))
            continue;
        VersionedAccount* account = account_entry(owner.address, arena);
        VersionedSlot* entry = account != nullptr ? slot_entry(account, effect.key, arena) : nullptr;
        if (entry == nullptr)
            return false;
        if (!effect.value.is_zero() && !account->committed.has_storage) {
            SpinGuard account_guard{account->lock};
            account->committed.has_storage = true;
        }
        SpinGuard guard{entry->lock};
        take_out(&entry->first, i);
        entry->is_changed = true;
        entry->committed = effect.value;
        entry->written_by = i;
    }
    return true;
}

Status MultiVersion::fold(World* world, VersionArena* const* arenas, size_t arena_count) noexcept {
    for (size_t a = 0; a < arena_count; ++a)
        for (size_t k = 0; k < arenas[a]->accounts.size(); ++k) {
            const VersionedAccount& entry = arenas[a]->accounts[k];
            if (!entry.is_changed)
                continue;
            const Status status = world->put(entry.key, entry.committed, entry.is_wiped);
            if (status != Status::RUNNING)
                return status;
        }
    for (size_t a = 0; a < arena_count; ++a)
        for (size_t k = 0; k < arenas[a]->slots.size(); ++k) {
            const VersionedSlot& entry = arenas[a]->slots[k];
            if (!entry.is_changed || entry.written_by < entry.key.account->wiped_by)
                continue;
            const Status status = world->set_slot_of(entry.key.account->key, entry.key.slot, entry.committed);
            if (status != Status::RUNNING)
                return status;
        }
    return Status::RUNNING;
}

}  // namespace evmcore
