// Reading the state before a block once, and answering from it and the list.
#include "listed_view.hpp"

namespace evmcore {

Status ListedState::prepare(const List& list, const World& world, const Rules& rules, MissingKey* missing) noexcept {
    constexpr uint32_t AHEAD = 8;
    list_ = &list;
    deletes_empty_ = rules.deletes_empty_accounts;
    clears_with_code_ = !rules.selfdestruct_only_when_new;
    const auto count = static_cast<uint32_t>(list.accounts.size());
    if (!account_index_.reserve(count) || !slot_index_.reserve(list.slots.size() + list.reads.size()) ||
        !accounts_.resize(count) || !slots_.resize(list.slots.size() + list.reads.size()))
        return Status::OUT_OF_MEMORY;
    bool inserted;
    for (uint32_t a = 0; a < count; ++a) {
        if (a + AHEAD < count)
            world.prefetch(list.accounts[a + AHEAD].address);
        const List::Account& account = list.accounts[a];
        *account_index_.insert_or_find(account.address, &inserted) = a;  // there is room
        *missing = {account.address, {}, false};
        Status status = world.account(account.address, &accounts_[a]);
        if (status != Status::RUNNING)
            return status;
        const AccountRecord* record = accounts_[a].place != NO_PLACE ? &world.record(accounts_[a].place) : nullptr;
        const auto read = [&](const u256& key, uint32_t place) noexcept {
            SlotState slot;
            *missing = {account.address, key, true};
            *slot_index_.insert_or_find(SlotKey{a, key}, &inserted) = place;
            const Status found = world.slot(record, account.address, key, &slot);
            slots_[place] = slot.value;
            return found;
        };
        for (uint32_t k = account.slots.begin; k < account.slots.end && status == Status::RUNNING; ++k)
            status = read(list.slots[k].key, k);
        for (uint32_t k = account.reads.begin; k < account.reads.end && status == Status::RUNNING; ++k)
            status = read(list.reads[k], static_cast<uint32_t>(list.slots.size()) + k);
        if (status != Status::RUNNING)
            return status;
        accounts_[a].is_tracked = false;
        accounts_[a].place = a;  // of the list: a read of a slot brings it back
    }
    return Status::RUNNING;
}

int64_t ListedState::wiped_before(const List::Account& account, uint32_t i) const noexcept {
    if (!clears_with_code_)
        return -1;
    for (uint32_t k = account.codes.end; k > account.codes.begin; --k)
        if (list_->codes[k - 1].index < i && list_->codes[k - 1].value == nullptr)
            return list_->codes[k - 1].index;
    return -1;
}

void ListedState::account_before(uint32_t a, uint32_t i, AccountState* out) const noexcept {
    const List::Account& account = list_->accounts[a];
    *out = accounts_[a];
    bool is_changed = false;
    if (const List::Value* balance = below(list_->balances, account.balances, i)) {
        out->balance = balance->value;
        is_changed = true;
    }
    if (const List::Nonce* nonce = below(list_->nonces, account.nonces, i)) {
        out->nonce = nonce->value;
        is_changed = true;
    }
    if (const List::NewCode* code = below(list_->codes, account.codes, i)) {
        out->code = code->value;
        is_changed = true;
    }
    if (account.codes.size() != 0 && wiped_before(account, i) >= 0) {
        out->has_storage = false;
        out->is_storage_known = true;
    }
    if (out->nonce != 0 || out->code != nullptr) {
        out->exists = true;
        return;
    }
    if (is_changed)
        out->exists = !(deletes_empty_ && out->balance.is_zero());
    // What has no nonce and no code is asked whether it has storage (EIP-7610).
    for (uint32_t k = account.slots.begin; k < account.slots.end && !out->has_storage; ++k)
        out->has_storage = !slot_before(a, k, i).is_zero();
}

u256 ListedState::slot_before(uint32_t account, uint32_t slot, uint32_t i) const noexcept {
    const int64_t wiped_by = clears_with_code_ ? wiped_before(list_->accounts[account], i) : -1;
    if (is_change(slot)) {
        const List::Value* seen = below(list_->changes, list_->slots[slot].changes, i);
        if (seen != nullptr && static_cast<int64_t>(seen->index) >= wiped_by)
            return seen->value;
    }
    return wiped_by >= 0 ? u256{} : slots_[slot];
}

Status ListedState::write_to(World* world, uint32_t last) const noexcept {
    for (uint32_t a = 0; a < accounts_.size(); ++a) {
        const List::Account& account = list_->accounts[a];
        const bool is_changed = account.balances.size() != 0 || account.nonces.size() != 0 || account.codes.size() != 0;
        Status status = Status::RUNNING;
        if (is_changed) {
            AccountState state;
            account_before(a, last + 1, &state);
            state.place = NO_PLACE;
            status = world->put(account.address, state, wiped_before(account, last + 1) >= 0);
        }
        for (uint32_t k = account.slots.begin; k < account.slots.end && status == Status::RUNNING; ++k) {
            const u256 value = slot_before(a, k, last + 1);
            if (is_changed || value != slots_[k])
                status = world->set_slot_of(account.address, list_->slots[k].key, value);
        }
        if (status != Status::RUNNING)
            return status;
    }
    return Status::RUNNING;
}

StateView ListedView::view() noexcept {
    StateView view;
    view.context = this;
    view.account = [](void* context, const Address& address, AccountState* out) noexcept {
        auto* self = static_cast<ListedView*>(context);
        const uint32_t account = self->state->find(address);
        if (account == ListedState::NONE) {
            self->fault.kind = AccessListFault::MISSING;
            self->fault.field = AccessListFault::ADDRESS;
            self->fault.address = address;
            self->fault.has_address = true;
            return Status::ACCESSES_DIFFER;
        }
        self->state->account_before(account, self->index, out);
        return Status::RUNNING;
    };
    view.slot = [](void* context, const Address& address, uint32_t place, const u256& key, SlotState* out) noexcept {
        auto* self = static_cast<ListedView*>(context);
        const uint32_t account = place != NO_PLACE ? place : self->state->find(address);
        const uint32_t slot = account != ListedState::NONE ? self->state->find_slot(account, key) : ListedState::NONE;
        if (slot == ListedState::NONE) {
            self->fault.kind = AccessListFault::MISSING;
            self->fault.field = AccessListFault::READ;
            self->fault.address = address;
            self->fault.slot = key;
            self->fault.has_address = self->fault.has_slot = true;
            return Status::ACCESSES_DIFFER;
        }
        *out = {self->state->slot_before(account, slot, self->index), nullptr};
        return Status::RUNNING;
    };
    return view;
}

}  // namespace evmcore
