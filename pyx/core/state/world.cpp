// The committed state's reads, writes and undo log.
#include "world.hpp"

namespace evmcore {

World::~World() {
    codes_.for_each([](const Hash&, const Code* code) { code->release(); });
}

World* World::clone() const noexcept {
    World* copy = new (std::nothrow) World(is_strict_);
    if (copy == nullptr)
        return nullptr;
    if (!copy->index_.assign_from(index_) || !copy->slots_.assign_from(slots_) || !copy->codes_.assign_from(codes_)) {
        copy->codes_.release();  // holds no references yet
        delete copy;
        return nullptr;
    }
    copy->codes_.for_each([](const Hash&, const Code* code) { code->acquire(); });
    copy->records_ = records_;
    copy->next_storage_id_ = next_storage_id_;
    copy->epoch_ = epoch_;  // as the records know it
    return copy;
}

Status World::account(const Address& address, AccountState* out) const noexcept {
    const uint32_t place = place_of(address);
    if (place == NO_PLACE) {
        *out = AccountState{};
        return is_strict_ ? Status::MISSING_STATE : Status::RUNNING;
    }
    *out = state_at(place);
    return Status::RUNNING;
}

Status World::slot(const Address& address, const u256& key, u256* out) const noexcept {
    SlotState state;
    const Status status = slot(find(address), key, &state);
    *out = state.value;
    return status;
}

Status World::slot(const AccountRecord* record, const u256& key, SlotState* out) const noexcept {
    if (record != nullptr) {
        const StoredSlot* stored = slots_.find(SlotKey{record->storage_id, key});
        if (stored != nullptr) {
            *out = {stored->value, stored};
            return Status::RUNNING;
        }
    }
    *out = SlotState{};
    return absent_slot(record);
}

StateView World::view() const noexcept {
    StateView view;
    view.context = const_cast<World*>(this);
    view.account = [](void* context, const Address& address, AccountState* out) noexcept {
        return static_cast<const World*>(context)->account(address, out);
    };
    view.slot = [](void* context, const Address& address, uint32_t place, const u256& key, SlotState* out) noexcept {
        const auto* world = static_cast<const World*>(context);
        return world->slot(place != NO_PLACE ? &world->records_[place] : world->find(address), key, out);
    };
    return view;
}

AccountRecord* World::edit(const Address& address) noexcept {
    if (last_place_ == NO_PLACE || !(last_address_ == address)) {
        bool inserted;
        uint32_t* place = index_.insert_or_find(address, &inserted);
        if (place == nullptr)
            return nullptr;
        if (inserted) {
            *place = static_cast<uint32_t>(records_.size());
            AccountRecord record;
            record.address = address;
            record.storage_id = next_storage_id_++;
            records_.push_back(record);
        }
        last_address_ = address;
        last_place_ = *place;
    }
    return edit_at(last_place_);
}

AccountRecord* World::edit_at(uint32_t place) noexcept {
    AccountRecord* record = &records_[place];
    if (!checkpoints_.empty() && record->saved_in != epoch_) {
        account_undo_.push_back({place, *record});
        record->saved_in = epoch_;
    }
    record->is_root_dirty = true;
    return record;
}

Status World::create(const Address& address) noexcept {
    AccountRecord* record = edit(address);
    if (record == nullptr)
        return Status::OUT_OF_MEMORY;
    record->exists = true;
    return Status::RUNNING;
}

Status World::set_balance(const Address& address, const u256& balance) noexcept {
    AccountRecord* record = edit(address);
    if (record == nullptr)
        return Status::OUT_OF_MEMORY;
    record->exists = true;
    record->balance = balance;
    return Status::RUNNING;
}

Status World::set_nonce(const Address& address, uint64_t nonce) noexcept {
    AccountRecord* record = edit(address);
    if (record == nullptr)
        return Status::OUT_OF_MEMORY;
    record->exists = true;
    record->nonce = nonce;
    return Status::RUNNING;
}

const Code* World::keep(const Code* code) noexcept {
    bool inserted;
    const Code** kept = codes_.insert_or_find(code->hash, &inserted);
    if (kept == nullptr)
        return nullptr;
    if (inserted)
        *kept = code->acquire();
    return *kept;
}

Status World::set_code(AccountRecord* record, const Code* code) noexcept {
    if (code != nullptr && code != record->code) {
        code = keep(code);
        if (code == nullptr)
            return Status::OUT_OF_MEMORY;
    }
    record->code = code;
    return Status::RUNNING;
}

Status World::set_code(const Address& address, ByteView bytes) noexcept {
    const Code* code = nullptr;
    if (!bytes.empty()) {
        Hash hash;
        keccak256(bytes.data, bytes.size, &hash);
        const Code* const* kept = codes_.find(hash);
        code = kept != nullptr ? (*kept)->acquire() : Code::create(bytes, &hash);
        if (code == nullptr)
            return Status::OUT_OF_MEMORY;
    }
    AccountRecord* record = edit(address);
    Status status = Status::OUT_OF_MEMORY;
    if (record != nullptr) {
        record->exists = true;
        status = set_code(record, code);
    }
    if (code != nullptr)
        code->release();
    return status;
}

Status World::write_slot(AccountRecord* record, const u256& key, const u256& value) noexcept {
    const SlotKey slot_key{record->storage_id, key};
    bool inserted;
    StoredSlot* stored = slots_.insert_or_find(slot_key, &inserted);
    if (stored == nullptr)
        return Status::OUT_OF_MEMORY;
    replace_slot(record, key, stored, value);
    return Status::RUNNING;
}

void World::replace_slot(AccountRecord* record, const u256& key, StoredSlot* stored, const u256& value) noexcept {
    if (!checkpoints_.empty())
        slot_undo_.push_back({SlotKey{record->storage_id, key}, stored->value});
    record->slot_count += static_cast<uint32_t>(!value.is_zero()) - static_cast<uint32_t>(!stored->value.is_zero());
    stored->value = value;
}

Status World::set_slot(const Address& address, const u256& key, const u256& value) noexcept {
    AccountRecord* record = edit(address);
    if (record == nullptr)
        return Status::OUT_OF_MEMORY;
    record->exists = true;
    return write_slot(record, key, value);
}

void World::clear_storage(AccountRecord* record) noexcept {
    record->storage_id = next_storage_id_++;
    record->slot_count = 0;
    record->is_storage_complete = true;
}

Status World::destroy(const Address& address) noexcept {
    AccountRecord* record = edit(address);
    if (record == nullptr)
        return Status::OUT_OF_MEMORY;
    record->exists = false;
    record->balance = u256{};
    record->nonce = 0;
    record->code = nullptr;
    clear_storage(record);
    return Status::RUNNING;
}

Status World::set_storage_complete(const Address& address, bool is_complete) noexcept {
    AccountRecord* record = edit(address);
    if (record == nullptr)
        return Status::OUT_OF_MEMORY;
    record->is_storage_complete = is_complete;
    return Status::RUNNING;
}

uint64_t World::checkpoint() noexcept {
    ++epoch_;
    checkpoints_.push_back({account_undo_.size(), slot_undo_.size()});
    return checkpoints_.size() - 1;
}

bool World::revert(uint64_t checkpoint) noexcept {
    if (checkpoint >= checkpoints_.size())
        return false;
    ++epoch_;
    const Checkpoint& to = checkpoints_[checkpoint];
    for (; slot_undo_.size() > to.slot_undo_size; slot_undo_.pop_back())
        slots_.find(slot_undo_.back().key)->value = slot_undo_.back().value;
    for (; account_undo_.size() > to.account_undo_size; account_undo_.pop_back()) {
        AccountRecord& record = records_[account_undo_.back().place];
        record.take_back(account_undo_.back().record);
    }
    checkpoints_.resize(checkpoint);
    return true;
}

bool World::release(uint64_t checkpoint) noexcept {
    if (checkpoint >= checkpoints_.size())
        return false;
    ++epoch_;
    checkpoints_.resize(checkpoint);
    if (checkpoints_.empty()) {
        account_undo_.clear();
        slot_undo_.clear();
    }
    return true;
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
        if (slot(effects.accounts[effect.account].address, effect.key, &value) != Status::RUNNING ||
            value != effect.seen)
            return false;
    }
    return true;
}

Status World::put(const Address& address, const AccountState& state, bool is_wiped) noexcept {
    if (is_strict_ && find(address) == nullptr)
        return Status::MISSING_STATE;
    AccountRecord* record = edit(address);
    return record != nullptr ? replace(record, state, is_wiped) : Status::OUT_OF_MEMORY;
}

Status World::put_at(uint32_t place, const AccountState& state, bool is_wiped) noexcept {
    return replace(edit_at(place), state, is_wiped);
}

void World::set_slot_at(uint32_t place, const u256& key, const StoredSlot* slot, const u256& value) noexcept {
    replace_slot(edit_at(place), key, const_cast<StoredSlot*>(slot), value);  // from our own map
}

Status World::replace(AccountRecord* record, const AccountState& state, bool is_wiped) noexcept {
    record->balance = state.balance;
    record->nonce = state.nonce;
    record->exists = state.exists;
    if (is_wiped)
        clear_storage(record);
    return set_code(record, state.code);
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
    AccountRecord* record = edit(address);
    return record != nullptr ? write_slot(record, key, value) : Status::OUT_OF_MEMORY;
}

size_t World::size_bytes() const noexcept {
    size_t size = index_.size_bytes() + slots_.size_bytes() + codes_.size_bytes() +
                  records_.capacity() * sizeof(AccountRecord) + account_undo_.capacity() * sizeof(AccountUndo) +
                  slot_undo_.capacity() * sizeof(SlotUndo);
    codes_.for_each([&](const Hash&, const Code* code) { size += sizeof(Code) + code->size; });
    return size;
}

}  // namespace evmcore
