// Reading the state before a block once, and answering from it and the list.
#include "listed_view.hpp"

#include "schedule_point.hpp"
#include "tuning.hpp"

namespace evmcore {

namespace {

// Lookups whose waits overlap; without that the last one is beyond any end.
size_t lookups_ahead() noexcept { return tuning.listed_read_ahead ? 8 : SIZE_MAX / 2; }

const u256& key_of(const BlockAccessList::Slot& slot) noexcept { return slot.key; }
const u256& key_of(const u256& read) noexcept { return read; }

// The place of a key among ascending ones; NONE. Without a branch that depends on a key: they are guessed wrong every other time.
template <class Items>
uint32_t place_in(const Items& items, const BlockAccessList::Range& range, const u256& key) noexcept {
    uint32_t first = range.begin;
    for (uint32_t count = range.size(); count > 1;) {
        const uint32_t half = count / 2;
        first += key_of(items[first + half]) <= key ? half : 0;
        count -= half;
    }
    return range.size() != 0 && key_of(items[first]) == key ? first : ListedState::NONE;
}

}  // namespace

bool ListedState::open(const List& list, const World& world, const Rules& rules) noexcept {
    list_ = &list;
    world_ = &world;
    deletes_empty_ = rules.deletes_empty_accounts;
    clears_with_code_ = !rules.selfdestruct_only_when_new;
    const auto count = static_cast<uint32_t>(list.accounts.size());
    if (!accounts_.resize(count) || !places_.resize(count) || !storage_since_.resize(count) ||
        !slots_.resize(list.slots.size() + list.reads.size()) || !buckets_.resize(size_t{count} + 2))
        return false;
    uint32_t next = 0;
    for (uint32_t a = 0; a < count; ++a)
        for (const uint32_t bucket = bucket_of(list.accounts[a].address); next <= bucket; ++next)
            buckets_[next] = a;
    for (; next < buckets_.size(); ++next)
        buckets_[next] = count;
    return true;
}

uint32_t ListedState::find(const Address& address) const noexcept {
    const uint32_t bucket = bucket_of(address);
    const List::Account* const end = list_->accounts.begin() + buckets_[bucket + 1];
    const List::Account* first = list_->accounts.begin() + buckets_[bucket];
    if (end - first > 1)
        first = std::lower_bound(first, end, address, [](const List::Account& each, const Address& wanted) noexcept {
            return each.address < wanted;
        });
    return first != end && first->address == address ? static_cast<uint32_t>(first - list_->accounts.begin()) : NONE;
}

uint32_t ListedState::find_slot(uint32_t account, const u256& key) const noexcept {
    const List::Account& owner = list_->accounts[account];
    const uint32_t change = place_in(list_->slots, owner.slots, key);
    if (change != NONE)
        return change;
    const uint32_t read = place_in(list_->reads, owner.reads, key);
    return read != NONE ? static_cast<uint32_t>(list_->slots.size()) + read : NONE;
}

Status ListedState::read(size_t part, MissingKey* missing) noexcept {
    const size_t begin = part * ACCOUNTS_A_PART, end = std::min(begin + ACCOUNTS_A_PART, list_->accounts.size());
    const size_t ahead = lookups_ahead();
    for (size_t a = begin; tuning.listed_read_ahead && a < std::min(begin + ahead, end); ++a)
        world_->prefetch(list_->accounts[a].address);
    for (size_t a = begin; a < end; ++a) {
        if (a + ahead < end)
            world_->prefetch(list_->accounts[a + ahead].address);
        *missing = {list_->accounts[a].address, {}, false};
        const Status status = world_->account(list_->accounts[a].address, &accounts_[a]);
        if (status != Status::RUNNING)
            return status;
        places_[a] = accounts_[a].place;
        accounts_[a].is_tracked = false;
        accounts_[a].place = static_cast<uint32_t>(a);  // a read of a slot brings it back
    }
    for (size_t a = begin; a < end; ++a) {
        const List::Account& account = list_->accounts[a];
        const AccountRecord* record = places_[a] != NO_PLACE ? &world_->record(places_[a]) : nullptr;
        Status status = Status::RUNNING;
        const auto prefetch = [&](const u256& key) noexcept {
            if (record != nullptr)
                world_->prefetch(places_[a], key);
        };
        const auto read = [&](const u256& key, StoredSlot* out) noexcept {
            SlotState slot;
            *missing = {account.address, key, true};
            status = world_->slot(record, account.address, key, &slot);
            out->value = slot.value;
        };
        uint32_t since = NONE;
        for (uint32_t k = account.slots.begin; k < account.slots.end && status == Status::RUNNING; ++k) {
            if (k + ahead < account.slots.end)
                prefetch(list_->slots[k + ahead].key);
            read(list_->slots[k].key, &slots_[k]);
            const List::Range& changes = list_->slots[k].changes;
            for (uint32_t c = changes.begin; c < changes.end; ++c)
                if (!list_->changes[c].value.is_zero()) {
                    since = std::min(since, list_->changes[c].index);
                    break;
                }
        }
        storage_since_[a] = since;
        StoredSlot* const reads = slots_.data() + list_->slots.size();
        for (uint32_t k = account.reads.begin; k < account.reads.end && status == Status::RUNNING; ++k) {
            if (k + ahead < account.reads.end)
                prefetch(list_->reads[k + ahead]);
            read(list_->reads[k], &reads[k]);
        }
        if (status != Status::RUNNING)
            return status;
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
        if (wiped_before(account, i) >= 0) {
            out->has_storage = false;
            out->is_storage_known = true;
        }
    }
    if (out->nonce != 0 || out->code != nullptr) {
        out->exists = true;
        return;
    }
    if (is_changed)
        out->exists = !(deletes_empty_ && out->balance.is_zero());
    // What has no nonce and no code is asked whether it has storage (EIP-7610).
    if (!out->has_storage)
        out->has_storage = has_storage_before(a, i);
}

bool ListedState::has_storage_before(uint32_t a, uint32_t i) const noexcept {
    if (storage_since_[a] >= i)
        return false;  // what the state has of it is known by its `has_storage`
    const List::Account& account = list_->accounts[a];
    if (wiped_before(account, i) < 0)
        return true;  // without code nothing writes a slot back to zero
    for (uint32_t k = account.slots.begin; k < account.slots.end; ++k)
        if (!slot_before(a, k, i).is_zero())
            return true;
    return false;
}

u256 ListedState::slot_before(uint32_t account, uint32_t slot, uint32_t i) const noexcept {
    const int64_t wiped_by = clears_with_code_ ? wiped_before(list_->accounts[account], i) : -1;
    if (is_change(slot)) {
        const List::Value* seen = below(list_->changes, list_->slots[slot].changes, i);
        if (seen != nullptr && static_cast<int64_t>(seen->index) >= wiped_by)
            return seen->value;
    }
    return wiped_by >= 0 ? u256{} : slots_[slot].value;
}

Status ListedState::write_to(World* world, uint32_t last) const noexcept {
    const size_t ahead = lookups_ahead();
    for (uint32_t a = 0; a < accounts_.size(); ++a) {
        if (a + ahead < accounts_.size() && places_[a + ahead] != NO_PLACE)
            world->prefetch(places_[a + ahead]);
        const List::Account& account = list_->accounts[a];
        schedule_point(SchedulePoint::WRITE);
        const bool is_changed = account.balances.size() != 0 || account.nonces.size() != 0 || account.codes.size() != 0;
        bool is_wiped = false;
        Status status = Status::RUNNING;
        if (is_changed) {
            AccountState state;
            account_before(a, last + 1, &state);
            state.place = NO_PLACE;
            is_wiped = wiped_before(account, last + 1) >= 0;
            status = places_[a] != NO_PLACE ? world->put_at(places_[a], state, is_wiped)
                                            : world->put(account.address, state, is_wiped);
        }
        for (uint32_t k = account.slots.begin; k < account.slots.end && status == Status::RUNNING; ++k) {
            if (k + ahead < account.slots.end && places_[a] != NO_PLACE)
                world->prefetch(places_[a], list_->slots[k + ahead].key);
            const u256 value = slot_before(a, k, last + 1);
            if (is_wiped || value != slots_[k].value)
                status = places_[a] != NO_PLACE ? world->set_slot_at(places_[a], list_->slots[k].key, value)
                                                : world->set_slot_of(account.address, list_->slots[k].key, value);
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
        schedule_point(SchedulePoint::READ);
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
        schedule_point(SchedulePoint::READ);
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
        *out = {self->state->slot_before(account, slot, self->index), self->state->stored(slot)};
        return Status::RUNNING;
    };
    return view;
}

}  // namespace evmcore
