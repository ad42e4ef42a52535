// The committed state's reads and writes.
#include "code_cache.hpp"
#include "world.hpp"

namespace evmcore {

World::~World() {
    for (Observation* observation : observations_)
        delete observation;
    codes_.for_each([](const Hash&, const KeptCode& kept) { kept.code->release(); });
}

World* World::clone(bool has_undo) const noexcept {
    World* copy = new (std::nothrow) World(is_strict_);
    if (copy == nullptr)
        return nullptr;
    if (!copy->index_.assign_from(index_) || !copy->slots_.assign_from(slots_) || !copy->codes_.assign_from(codes_) ||
        !copy->records_.assign(records_) || !copy->changed_index_.assign_from(changed_index_) ||
        !copy->changed_.assign(changed_) || (has_undo && !copy->copy_undo(*this)) || !copy->kept_.copy_from(kept_, has_undo)) {
        copy->codes_.release();  // holds no references yet
        delete copy;
        return nullptr;
    }
    copy->codes_.for_each([&](const Hash& hash, const KeptCode& kept) {
        kept.code->acquire();
        if (kept.users == 0 && !has_undo)
            (void)copy->unused_codes_.push_back(hash);  // without memory it stays until the state is compacted
    });
    copy->local_ = local_;
    copy->base_ = base_;
    copy->first_place_ = first_place_;
    copy->base_slots_ = base_slots_;
    copy->covered_slots_ = covered_slots_;
    copy->next_storage_id_ = next_storage_id_;
    copy->live_accounts_ = live_accounts_;
    copy->live_slots_ = live_slots_;
    copy->kept_cells_ = kept_cells_;
    copy->epoch_ = epoch_;  // as the records know it
    return copy;
}

bool World::copy_undo(const World& other) noexcept {
    return account_undo_.assign(other.account_undo_) && slot_undo_.assign(other.slot_undo_) &&
           new_slots_.assign(other.new_slots_) && new_codes_.assign(other.new_codes_) &&
           unused_codes_.assign(other.unused_codes_) && checkpoints_.assign(other.checkpoints_);
}

Status World::account(const Address& address, AccountState* out) const noexcept {
    const uint32_t place = place_of(address);
    if (place == NO_PLACE) {
        if (local_ != nullptr)
            return local_->account(address, out);
        *out = AccountState{};
        return is_strict_ ? Status::MISSING_STATE : Status::RUNNING;
    }
    return account_at(place, out);
}

Status World::slot(const Address& address, const u256& key, u256* out) const noexcept {
    SlotState state;
    const Status status = slot(find(address), address, key, &state);
    *out = state.value;
    return status;
}

Status World::slot(const AccountRecord* record, const Address& address, const u256& key, SlotState* out) const noexcept {
    if (record != nullptr) {
        const StoredSlot* found = slot_of(*record, key);
        if (found != nullptr) {
            *out = {found->value, found};
            return Status::RUNNING;
        }
    }
    out->stored = nullptr;
    return unheld_slot(record, address, key, &out->value);
}

StateView World::view() const noexcept {
    StateView view;
    view.context = const_cast<World*>(this);
    view.account = [](void* context, const Address& address, AccountState* out) noexcept {
        return static_cast<const World*>(context)->account(address, out);
    };
    view.slot = [](void* context, const Address& address, uint32_t place, const u256& key, SlotState* out) noexcept {
        const auto* world = static_cast<const World*>(context);
        return world->slot(place != NO_PLACE ? &world->record(place) : world->find(address), address, key, out);
    };
    return view;
}

AccountRecord* World::edit(const Address& address) noexcept {
    if (last_place_ == NO_PLACE || !(last_address_ == address)) {
        const uint32_t place = place_of(address);
        if (place == NO_PLACE && add_record(address) == nullptr)
            return nullptr;
        last_address_ = address;
        last_place_ = place != NO_PLACE ? place : static_cast<uint32_t>(account_count() - 1);
    }
    return edit_at(last_place_);
}

AccountRecord* World::add_record(const Address& address) noexcept {
    AccountRecord record;
    record.address = address;
    record.storage_id = next_storage_id_;
    record.known = is_strict_ ? 0 : KNOWS_ACCOUNT;
    record.other_slots = is_strict_ ? OtherSlots::UNKNOWN : OtherSlots::NONE;
    if (next_storage_id_ == UINT32_MAX || !records_.push_back(record))
        return nullptr;
    bool inserted;
    uint32_t* place = index_.insert_or_find(address, &inserted);
    if (place == nullptr) {
        records_.pop_back();
        return nullptr;
    }
    *place = static_cast<uint32_t>(account_count() - 1);
    ++next_storage_id_;
    if (local_ != nullptr && !fill_record(&records_.back())) {
        index_.erase(address);
        records_.pop_back();
        return nullptr;
    }
    return &records_.back();
}

bool World::fill_record(AccountRecord* record) noexcept {
    AccountState state;
    if (local_->account(record->address, &state) != Status::RUNNING)
        return false;
    const Code* code = state.code != nullptr ? keep(state.code) : nullptr;
    if (code == nullptr && state.code != nullptr)
        return false;
    use_code(record, code);
    set_exists(record, state.exists);
    record->balance = state.balance;
    record->nonce = state.nonce;
    record->known = KNOWS_ACCOUNT;
    record->other_slots = state.has_storage ? OtherSlots::SOME : OtherSlots::NONE;
    return true;
}

AccountRecord* World::edit_at(uint32_t place) noexcept {
    AccountRecord* record = base_ == nullptr ? &records_[place] : own_record(place);
    if (record == nullptr)
        return nullptr;
    if (!checkpoints_.empty() && record->saved_in != epoch_) {
        if (!account_undo_.push_back({place, *record}))
            return nullptr;
        record->saved_in = epoch_;
    }
    see(*record);
    return record;
}

Status World::create(const Address& address) noexcept {
    AccountRecord* record = edit(address);
    if (record == nullptr)
        return Status::OUT_OF_MEMORY;
    set_exists(record, true);
    return Status::RUNNING;
}

Status World::set_balance(const Address& address, const u256& balance) noexcept {
    AccountRecord* record = edit(address);
    if (record == nullptr)
        return Status::OUT_OF_MEMORY;
    set_exists(record, true);
    record->balance = balance;
    record->known |= KNOWS_BALANCE;
    return Status::RUNNING;
}

Status World::set_nonce(const Address& address, uint64_t nonce) noexcept {
    AccountRecord* record = edit(address);
    if (record == nullptr)
        return Status::OUT_OF_MEMORY;
    set_exists(record, true);
    record->nonce = nonce;
    record->known |= KNOWS_NONCE;
    return Status::RUNNING;
}

const Code* World::keep(const Code* code) noexcept {
    const Hash key = code->key();
    if (const Code* kept = find_code(key))
        return kept;
    if (has_checkpoints() && !new_codes_.push_back(key))
        return nullptr;
    bool inserted;
    KeptCode* kept = codes_.insert_or_find(key, &inserted);
    if (kept == nullptr) {
        if (has_checkpoints())
            new_codes_.pop_back();
        return nullptr;
    }
    *kept = {code->acquire(), 0};
    return code;
}

void World::use_code(AccountRecord* record, const Code* kept) noexcept {
    if (record->code == kept)
        return;
    if (record->code != nullptr) {
        const Hash key = record->code->key();
        KeptCode* old = codes_.find(key);
        if (old != nullptr && --old->users == 0)  // else a base keeps it
            (void)unused_codes_.push_back(key);   // without memory it stays until the state is compacted
    }
    if (KeptCode* own = kept != nullptr ? codes_.find(kept->key()) : nullptr)
        ++own->users;
    record->code = kept;
}

Status World::set_code(AccountRecord* record, const Code* code) noexcept {
    if (code != nullptr && code != record->code) {
        code = keep(code);
        if (code == nullptr)
            return Status::OUT_OF_MEMORY;
    }
    use_code(record, code);
    record->known |= KNOWS_CODE;
    return Status::RUNNING;
}

Status World::set_code(AccountRecord* record, ByteView bytes) noexcept {
    const Code* code = nullptr;
    if (!bytes.empty()) {
        Hash hash;
        keccak256(bytes.data, bytes.size, &hash);
        const Code* kept = find_code(hash);
        code = kept != nullptr ? kept->acquire() : shared_codes().get(bytes, hash);
        if (code == nullptr)
            return Status::OUT_OF_MEMORY;
    }
    const Status status = set_code(record, code);
    if (code != nullptr)
        code->release();
    return status;
}

Status World::set_code_hash(AccountRecord* record, const Hash& hash) noexcept {
    const Code* known = find_code(hash);
    const Code* code = known != nullptr ? known->acquire() : Code::create({}, &hash);
    if (code == nullptr)
        return Status::OUT_OF_MEMORY;
    const Status status = set_code(record, code);
    code->release();
    return status;
}

Status World::set_code(const Address& address, ByteView bytes) noexcept {
    AccountRecord* record = edit(address);
    const Status status = record != nullptr ? set_code(record, bytes) : Status::OUT_OF_MEMORY;
    if (status == Status::RUNNING)
        set_exists(record, true);
    return status;
}

Status World::write_slot(AccountRecord* record, const u256& key, const u256& value) noexcept {
    if (record == nullptr)
        return Status::OUT_OF_MEMORY;
    const SlotKey slot_key{record->storage_id, key};
    bool inserted;
    StoredSlot* stored = slots_.insert_or_find(slot_key, &inserted);
    if (stored == nullptr)
        return Status::OUT_OF_MEMORY;
    if (inserted && base_ != nullptr) {
        if (const StoredSlot* below = base_->stored(slot_key)) {
            stored->value = below->value;
            ++covered_slots_;
            inserted = false;
        }
    }
    if (!inserted)
        return replace_slot(record, key, stored, value);
    if (has_checkpoints() && !new_slots_.push_back(slot_key)) {
        slots_.erase(slot_key);
        return Status::OUT_OF_MEMORY;
    }
    if (local_ != nullptr) {
        u256 before;
        const Status status = unheld_slot(record, record->address, key, &before);
        if (status != Status::RUNNING) {
            slots_.erase(slot_key);
            if (has_checkpoints())
                new_slots_.pop_back();
            return status;
        }
        stored->value = before;
        record->slot_count += !before.is_zero();
        live_slots_ += !before.is_zero();
        return replace_slot(record, key, stored, value);
    }
    see(slot_key, u256{});
    record->slot_count += !value.is_zero();
    live_slots_ += !value.is_zero();
    stored->value = value;
    return Status::RUNNING;
}

Status World::replace_slot(AccountRecord* record, const u256& key, StoredSlot* stored, const u256& value) noexcept {
    if (record == nullptr)
        return Status::OUT_OF_MEMORY;
    const SlotKey slot_key{record->storage_id, key};
    if (has_checkpoints() && !slot_undo_.push_back({slot_key, stored->value}))
        return Status::OUT_OF_MEMORY;
    see(slot_key, stored->value);
    const uint32_t change = static_cast<uint32_t>(!value.is_zero()) - static_cast<uint32_t>(!stored->value.is_zero());
    record->slot_count += change;
    live_slots_ += static_cast<size_t>(static_cast<int32_t>(change));
    stored->value = value;
    return Status::RUNNING;
}

Status World::set_slot(const Address& address, const u256& key, const u256& value) noexcept {
    AccountRecord* record = edit(address);
    const Status status = write_slot(record, key, value);
    if (status != Status::RUNNING)
        return status;
    set_exists(record, true);
    // It may have been the last one of those that only the source knows.
    if (value.is_zero() && record->other_slots == OtherSlots::SOME && local_ == nullptr)
        record->other_slots = OtherSlots::UNKNOWN;
    return status;
}

void World::clear_storage(AccountRecord* record) noexcept {
    live_slots_ -= record->slot_count;
    record->storage_id = next_storage_id_++;
    record->slot_count = 0;
    record->other_slots = OtherSlots::NONE;
}

Status World::destroy(const Address& address) noexcept {
    AccountRecord* record = edit(address);
    if (record == nullptr)
        return Status::OUT_OF_MEMORY;
    set_exists(record, false);
    record->balance = u256{};
    record->nonce = 0;
    use_code(record, nullptr);
    record->known = KNOWS_ACCOUNT;
    clear_storage(record);
    return Status::RUNNING;
}

Status World::set_other_slots(const Address& address, OtherSlots slots) noexcept {
    AccountRecord* record = edit(address);
    if (record == nullptr)
        return Status::OUT_OF_MEMORY;
    if (is_strict_ && local_ == nullptr)
        record->other_slots = slots;
    return Status::RUNNING;
}

Status World::learn(const Address& address, const AccountFacts& facts) noexcept {
    AccountRecord* record = edit(address);
    if (record == nullptr)
        return Status::OUT_OF_MEMORY;
    if (!knows(*record, KNOWS_CODE)) {
        const Status status = facts.has_code_hash ? set_code_hash(record, facts.code_hash) : set_code(record, facts.code);
        if (status != Status::RUNNING)
            return status;
    }
    if (!knows(*record, KNOWS_BALANCE))
        record->balance = facts.balance;
    if (!knows(*record, KNOWS_NONCE))
        record->nonce = facts.nonce;
    if (!knows(*record, KNOWS_EXISTENCE))
        set_exists(record, facts.exists);
    record->known = KNOWS_ACCOUNT;
    if (record->other_slots == OtherSlots::UNKNOWN)
        record->other_slots = facts.exists ? facts.slots : OtherSlots::NONE;
    return Status::RUNNING;
}

Status World::learn_slot(const Address& address, const u256& key, const u256& value) noexcept {
    SlotState state;
    if (slot(find(address), address, key, &state) == Status::RUNNING)
        return Status::RUNNING;
    return write_slot(edit(address), key, value);
}

bool World::is_valid(const Effects& effects) const noexcept {
    for (const AccountEffect& effect : effects.accounts) {
        if (effect.reads == 0)
            continue;
        AccountState now;
        if (account(effect.address, &now) != Status::RUNNING || !still_holds(effect, now))
            return false;
    }
    for (const SlotEffect& effect : effects.slots) {
        u256 value;
        if (slot(effects.accounts[effect.account].address, effect.key, &value) != Status::RUNNING || value != effect.seen)
            return false;
    }
    return true;
}

Status World::put(const Address& address, const AccountState& state, bool is_wiped) noexcept {
    if (is_strict_ && local_ == nullptr && find(address) == nullptr)
        return Status::MISSING_STATE;
    return replace(edit(address), state, is_wiped);
}

Status World::put_at(uint32_t place, const AccountState& state, bool is_wiped) noexcept {
    return replace(edit_at(place), state, is_wiped);
}

Status World::set_slot_at(uint32_t place, const u256& key, const StoredSlot* slot, const u256& value) noexcept {
    if (base_ != nullptr)
        return write_slot(edit_at(place), key, value);                               // it may be a base's
    return replace_slot(edit_at(place), key, const_cast<StoredSlot*>(slot), value);  // from our own map
}

Status World::replace(AccountRecord* record, const AccountState& state, bool is_wiped) noexcept {
    if (record == nullptr)
        return Status::OUT_OF_MEMORY;
    if (!knows(*record, KNOWS_ACCOUNT))
        return Status::MISSING_STATE;
    if (record->code != state.code) {
        const Status status = set_code(record, state.code);
        if (status != Status::RUNNING)
            return status;
    }
    record->balance = state.balance;
    record->nonce = state.nonce;
    set_exists(record, state.exists);
    if (is_wiped)
        clear_storage(record);
    return Status::RUNNING;
}

Status World::apply(const Effects& effects, bool deletes_empty) noexcept {
    for (const AccountEffect& effect : effects.accounts) {
        if (effect.writes == 0)
            continue;
        const uint32_t place = effect.place != NO_PLACE ? effect.place : place_of(effect.address);
        AccountState state;
        Status status = Status::RUNNING;
        if (place != NO_PLACE) {
            state = state_at(place);
            const bool is_wiped = apply_effect(&state, effect, deletes_empty);
            status = put_at(place, state, is_wiped);
        } else {
            if (local_ != nullptr && (status = account(effect.address, &state)) != Status::RUNNING)
                return status;
            const bool is_wiped = apply_effect(&state, effect, deletes_empty);
            status = put(effect.address, state, is_wiped);
        }
        if (status != Status::RUNNING)
            return status;
    }
    for (const SlotEffect& effect : effects.slots) {
        if (!effect.is_write)
            continue;
        const AccountEffect& owner = effects.accounts[effect.account];
        if (owner.writes & DESTROYED)
            continue;
        const Status status = owner.place != NO_PLACE ? set_slot_at(owner.place, effect.key, effect.value)
                                                      : set_slot_of(owner.address, effect.key, effect.value);
        if (status != Status::RUNNING)
            return status;
    }
    return Status::RUNNING;
}

Status World::set_slot_of(const Address& address, const u256& key, const u256& value) noexcept {
    return write_slot(edit(address), key, value);
}

size_t World::size_bytes() const noexcept {
    size_t size = (base_ != nullptr ? base_->size_bytes() : 0) + index_.size_bytes() + slots_.size_bytes() +
                  codes_.size_bytes() + changed_index_.size_bytes() + changed_.capacity() * sizeof(AccountRecord) +
                  records_.capacity() * sizeof(AccountRecord) + account_undo_.capacity() * sizeof(AccountUndo) +
                  slot_undo_.capacity() * sizeof(SlotUndo) + new_slots_.capacity() * sizeof(SlotKey) +
                  (new_codes_.capacity() + unused_codes_.capacity()) * sizeof(Hash);
    codes_.for_each([&](const Hash&, const KeptCode& kept) { size += sizeof(Code) + kept.code->size; });
    for (const Observation* observation : observations_)
        size += observation->size_bytes();
    size += kept_.size_bytes();
    return size;
}

}  // namespace evmcore
