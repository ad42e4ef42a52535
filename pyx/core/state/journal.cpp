// The journal's slow paths: first accesses, reverts, and the summary at the end.
#include "journal.hpp"

#include "../rules/rules.hpp"

namespace evmcore {

void Journal::begin(const StateView* view) noexcept {
    view_ = view;
    failure = Status::RUNNING;
    missing = MissingKey{};
    account_index_.clear();
    slot_index_.clear();
    if (transients_.size() != 0)
        transient_index_.clear();
    accounts_.clear();
    slots_.clear();
    transients_.clear();
    ranges_.clear();
    undo_.clear();
    logs.clear();
    topics.clear();
    log_data.clear();
    refund = 0;
    oldest_block = UINT64_MAX;
    has_cleared_ = false;
    for (const Code* code : codes_)
        code->release();
    codes_.clear();
    if (codes_bytes_ > codes_bytes_most_)
        codes_bytes_most_ = codes_bytes_;
    codes_bytes_ = 0;
}

void Journal::trim(size_t kept_bytes) noexcept {
    begin(nullptr);
    codes_bytes_most_ = 0;
    account_index_.trim(kept_bytes);
    slot_index_.trim(kept_bytes);
    transient_index_.trim(kept_bytes);
    accounts_.trim(kept_bytes);
    slots_.trim(kept_bytes);
    transients_.trim(kept_bytes);
    ranges_.trim(kept_bytes);
    undo_.trim(kept_bytes);
    logs.trim(kept_bytes);
    topics.trim(kept_bytes);
    log_data.trim(kept_bytes);
    codes_.trim(kept_bytes);
    places_.trim(kept_bytes);
}

JournalAccount* Journal::peek(const Address& address) noexcept {
    bool inserted;
    JournalAccount** found = account_index_.insert_or_find(address, &inserted);
    if (EVMCORE_UNLIKELY(found == nullptr)) {
        fail(false, Status::ACCESS_LIMIT);
        return nullptr;
    }
    if (inserted) {
        *found = accounts_.add();
        if (EVMCORE_UNLIKELY(*found == nullptr)) {
            fail(accounts_.is_full(), Status::ACCESS_LIMIT);
            return nullptr;
        }
        (*found)->address = address;
        (*found)->id = static_cast<uint32_t>(accounts_.size() - 1);
    }
    return *found;
}

bool Journal::load(JournalAccount* account) noexcept {
    const Status status = view_->account(view_->context, account->address, &account->original);
    if (status != Status::RUNNING) {
        if (failure == Status::RUNNING) {
            failure = status;
            missing = {account->address, {}, false};
        }
        return false;
    }
    account->is_loaded = true;
    account->exists = account->original.exists;
    account->balance = account->original.balance;
    account->nonce = account->original.nonce;
    account->code = account->original.code;
    return true;
}

void Journal::lack_bytes(const Address& address, const Code* code) noexcept {
    if (failure != Status::RUNNING)
        return;
    failure = Status::MISSING_STATE;
    missing = {address, from_hash(code->hash), false, false, true};
}

JournalSlot* Journal::peek_slot(JournalAccount* account, const u256& key) noexcept {
    bool inserted;
    JournalSlot** found = slot_index_.insert_or_find(SlotKey{account->id, key}, &inserted);
    if (EVMCORE_UNLIKELY(found == nullptr)) {
        fail(false, Status::ACCESS_LIMIT);
        return nullptr;
    }
    if (inserted) {
        *found = slots_.add();
        if (EVMCORE_UNLIKELY(*found == nullptr)) {
            fail(slots_.is_full(), Status::ACCESS_LIMIT);
            return nullptr;
        }
        (*found)->account = account;
        (*found)->key = key;
    }
    return *found;
}

bool Journal::load(JournalSlot* slot) noexcept {
    // A contract made by this transaction starts with empty storage, whatever the view holds.
    if (!slot->account->is_created) {
        SlotState state;
        const JournalAccount& owner = *slot->account;
        const Status status = view_->slot(view_->context, owner.address, owner.original.place, slot->key, &state);
        if (status != Status::RUNNING) {
            if (failure == Status::RUNNING) {
                failure = status;
                missing = {slot->account->address, slot->key, true};
            }
            return false;
        }
        copy(&slot->original, &state.value);
        slot->stored = state.stored;
        slot->is_read_through = true;
    }
    slot->value = slot->original;
    slot->is_loaded = true;
    return true;
}

bool Journal::can_pay(JournalAccount* account, const u256& amount) noexcept {
    if (account->balance < amount) {
        account->reads |= READ_BALANCE;
        return false;
    }
    // balance = original + change, so the original had to be at least amount - change. Where the change alone covers
    // the amount nothing is needed; as a difference mod 2^256 that shows as a minimum above the original.
    const u256 minimum = amount + account->original.balance - account->balance;
    const bool needs_some =
        !(account->balance >= account->original.balance && account->balance - account->original.balance >= amount);
    if (needs_some) {
        account->reads |= READ_BALANCE_MINIMUM;
        if (account->balance_minimum < minimum)
            account->balance_minimum = minimum;
    }
    return true;
}

bool Journal::read_collision(JournalAccount* account) noexcept {
    // Whatever the transaction itself has written here makes it collide; where it hasn't, only the answer counts.
    account->reads |= READ_COLLISION;
    if (account->nonce != 0 || account->code != nullptr)
        return true;
    if (account->is_created || !account->original.has_storage)
        return false;
    if (!account->original.is_storage_known && failure == Status::RUNNING) {
        failure = Status::MISSING_STATE;
        missing = {account->address, {}, false, true};
    }
    return true;
}

void Journal::credit(JournalAccount* account, const u256& amount) noexcept {
    touch(account);
    if (amount.is_zero())
        return;
    remember(Undo::BALANCE, account, account->balance);
    account->balance += amount;
}

bool Journal::credit_blindly(const Address& address, const u256& amount) noexcept {
    JournalAccount* account = peek(address);
    if (account == nullptr)
        return false;
    if (account->is_loaded) {
        credit(account, amount);
    } else {
        account->has_blind_credit = true;
        account->is_touched = true;
        account->balance = amount;
    }
    return true;
}

void Journal::debit(JournalAccount* account, const u256& amount) noexcept {
    touch(account);
    if (amount.is_zero())
        return;
    remember(Undo::BALANCE, account, account->balance);
    account->balance -= amount;
}

void Journal::set_balance_zero(JournalAccount* account) noexcept {
    account->reads |= READ_BALANCE;
    remember(Undo::BALANCE, account, account->balance);
    account->balance = u256{};
}

void Journal::set_nonce(JournalAccount* account, uint64_t nonce) noexcept {
    touch(account);
    remember(Undo::NONCE, account, u256{account->nonce});
    account->nonce = nonce;
}

bool Journal::set_code(JournalAccount* account, ByteView code) noexcept {
    const Code* created = nullptr;
    if (!code.empty()) {
        const bool is_full = code.size > limit::CODE_BYTES - codes_bytes_;
        created = is_full ? nullptr : Code::create(code, nullptr);
        if (created == nullptr) {
            fail(is_full, Status::CODE_LIMIT);
            return false;
        }
        if (!codes_.push_back(created)) {
            created->release();
            fail(false, Status::CODE_LIMIT);
            return false;
        }
        codes_bytes_ += code.size;
    }
    touch(account);
    remember(Undo::CODE, account, u256{reinterpret_cast<uintptr_t>(account->code)}, account->has_code_write);
    account->code = created;
    account->has_code_write = true;
    return failure == Status::RUNNING;
}

void Journal::touch(JournalAccount* account) noexcept {
    if (account->is_touched)
        return;
    remember(Undo::TOUCHED, account, u256{}, account->exists);
    account->is_touched = true;
    account->exists = true;
}

void Journal::mark_created(JournalAccount* account) noexcept {
    if (account->is_created)
        return;
    remember(Undo::CREATED, account);
    account->is_created = true;
}

void Journal::mark_destroyed(JournalAccount* account) noexcept {
    if (account->is_destroyed)
        return;
    remember(Undo::DESTROYED, account);
    account->is_destroyed = true;
}

void Journal::mark_cleared(JournalAccount* account) noexcept {
    if (account->is_cleared)
        return;
    remember(Undo::CLEARED, account);
    account->is_cleared = has_cleared_ = true;
}

// A created account had neither nonce nor code nor storage before, so that what is left to say of it is that it was created.
void Journal::clear_marked() noexcept {
    for (size_t i = 0; i < accounts_.size(); ++i)
        if (accounts_[i].is_cleared) {
            accounts_[i].nonce = accounts_[i].original.nonce;
            accounts_[i].code = accounts_[i].original.code;
            accounts_[i].has_code_write = false;
        }
    for (size_t i = 0; i < slots_.size(); ++i)
        if (slots_[i].account->is_cleared)
            slots_[i].value = slots_[i].original;
}

u256 Journal::transient(JournalAccount* account, const u256& key) noexcept {
    TransientSlot* const* found = transient_index_.find(SlotKey{account->id, key});
    return found != nullptr ? (*found)->value : u256{};
}

bool Journal::set_transient(JournalAccount* account, const u256& key, const u256& value) noexcept {
    bool inserted;
    TransientSlot** found = transient_index_.insert_or_find(SlotKey{account->id, key}, &inserted);
    if (found != nullptr && inserted)
        *found = transients_.add();
    if (found == nullptr || *found == nullptr) {
        fail(found != nullptr && transients_.is_full(), Status::ACCESS_LIMIT);
        return false;
    }
    remember(Undo::TRANSIENT, *found, (*found)->value);
    (*found)->value = value;
    return failure == Status::RUNNING;
}

void Journal::revert(const Snapshot& snapshot) noexcept {
    while (undo_.size() > snapshot.undo_size) {
        const Undo& undo = undo_.back();
        auto* account = static_cast<JournalAccount*>(undo.target);
        switch (undo.kind) {
        case Undo::WARM_ACCOUNT: account->is_warm = false; break;
        case Undo::WARM_SLOT: static_cast<JournalSlot*>(undo.target)->is_warm = false; break;
        case Undo::BALANCE: account->balance = undo.word; break;
        case Undo::NONCE: account->nonce = undo.word.limb[0]; break;
        case Undo::CODE:
            account->code = reinterpret_cast<const Code*>(static_cast<uintptr_t>(undo.word.limb[0]));
            account->has_code_write = undo.flag;
            break;
        case Undo::TOUCHED:
            account->exists = undo.flag;
            account->is_touched = false;
            break;
        case Undo::CREATED: account->is_created = false; break;
        case Undo::DESTROYED: account->is_destroyed = false; break;
        case Undo::CLEARED: account->is_cleared = false; break;
        case Undo::SLOT: static_cast<JournalSlot*>(undo.target)->value = undo.word; break;
        case Undo::TRANSIENT: static_cast<TransientSlot*>(undo.target)->value = undo.word; break;
        }
        undo_.pop_back();
    }
    logs.truncate(snapshot.log_count);
    topics.truncate(snapshot.topic_count);
    log_data.truncate(snapshot.log_data_size);
    refund = snapshot.refund;
}

bool Journal::extract(Effects* effects) noexcept {
    effects->clear();
    effects->oldest_block = oldest_block;
    if (has_cleared_)
        clear_marked();
    // Each account has one effect at the most: `effect_of` finds room.
    if (!effects->accounts.reserve(accounts_.size()) || !places_.fill(accounts_.size(), UINT32_MAX))
        return false;
    const auto effect_of = [&](JournalAccount& account) -> uint32_t {
        uint32_t& place = places_[account.id];
        if (place != UINT32_MAX)
            return place;
        place = static_cast<uint32_t>(effects->accounts.size());
        AccountEffect& effect = *effects->accounts.add();
        effect.address = account.address;
        effect.is_blind = account.has_blind_credit;
        effect.reads = account.reads;
        effect.see(account.original, account.balance_minimum);
        if (account.balance != account.original.balance) {
            effect.writes |= WROTE_BALANCE;
            effect.balance_change = account.balance - account.original.balance;
        }
        if (account.nonce != account.original.nonce) {
            effect.writes |= WROTE_NONCE;
            effect.nonce = account.nonce;
        }
        if (account.has_code_write) {
            effect.writes |= WROTE_CODE;
            effect.code = account.code != nullptr ? account.code->acquire() : nullptr;
        }
        // Touching what exists and can't be empty changes nothing. What was seen of it may be another by the time this commits,
        // but for what the run depends on.
        const bool is_known = ((account.reads & READ_CODE) && account.original.code != nullptr) ||
                              ((account.reads & READ_NONCE) && account.original.nonce != 0);
        const bool is_plain_touch = is_known && account.original.exists && (account.nonce != 0 || account.code != nullptr);
        effect.writes |= (account.is_touched && !is_plain_touch ? TOUCHED : 0) | (account.is_created ? CREATED : 0) |
                         (account.is_destroyed ? DESTROYED : 0);
        return place;
    };
    for (size_t i = 0; i < accounts_.size(); ++i)
        if (accounts_[i].is_loaded || accounts_[i].has_blind_credit)
            effect_of(accounts_[i]);
    for (size_t i = 0; i < slots_.size(); ++i) {
        JournalSlot& slot = slots_[i];
        if (!slot.is_loaded)
            continue;
        const bool is_write = slot.value != slot.original;
        if (!is_write && !slot.is_read_through && !keeps_own_reads)
            continue;
        uint16_t range = SlotEffect::NO_RANGE;
        if (slot.range != nullptr && slot.is_read_through && effects->ranges.size() < SlotEffect::NO_RANGE) {
            range = static_cast<uint16_t>(effects->ranges.size());
            if (!effects->ranges.push_back(*slot.range))
                return false;
        }
        const uint32_t owner = effect_of(*slot.account);
        effects->accounts[owner].was_tracked = slot.account->original.is_tracked;
        if (!effects->slots.push_back({owner, range, is_write, slot.key, slot.original, slot.value, slot.stored}))
            return false;
    }
    return true;
}

}  // namespace evmcore
