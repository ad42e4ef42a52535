// Comparing the effects of an index with a block access list.
#include "listed_check.hpp"

namespace evmcore {

namespace {

using List = BlockAccessList;
using Fault = AccessListFault;

u256 number_of(const Code* code) noexcept { return from_big_endian(hash_of(code).bytes, 32); }
u256 number_of(const List::Value& entry) noexcept { return entry.value; }
u256 number_of(const List::Nonce& entry) noexcept { return u256{entry.value}; }
u256 number_of(const List::NewCode& entry) noexcept { return number_of(entry.value); }
const u256& number_of(const u256& value) noexcept { return value; }
u256 number_of(uint64_t value) noexcept { return u256{value}; }

bool is_same(const List::Value& entry, const u256& value) noexcept { return entry.value == value; }
bool is_same(const List::Nonce& entry, uint64_t value) noexcept { return entry.value == value; }
bool is_same(const List::NewCode& entry, const Code* value) noexcept { return hash_of(entry.value) == hash_of(value); }

// Most are marked already: a line that nobody writes is in every worker's cache.
void mark(uint8_t* byte) noexcept {
    if (__atomic_load_n(byte, __ATOMIC_RELAXED) == 0)
        __atomic_store_n(byte, uint8_t{1}, __ATOMIC_RELAXED);
}

bool tell(Fault* fault, Fault::Kind kind, Fault::Field field, uint32_t index, const u256& have, const u256& want) noexcept {
    if (fault == nullptr)
        return false;
    fault->kind = kind;
    fault->field = field;
    fault->index = index;
    fault->has_index = true;
    fault->have = have;
    fault->want = want;
    return false;
}

void tell_account(Fault* fault, const Address& address) noexcept {
    if (fault == nullptr)
        return;
    fault->address = address;
    fault->has_address = true;
    fault->has_slot = false;
}

}  // namespace

bool ListedCheck::prepare(const ListedState* state, uint32_t last) noexcept {
    state_ = state;
    const List& list = state->list();
    if (!entries_.fill(size_t{last} + 1, 0) || !met_accounts_.fill(list.accounts.size(), 0) ||
        !met_reads_.fill(list.reads.size(), 0))
        return false;
    const auto count = [&](const auto& items) noexcept {
        for (const auto& each : items)
            if (each.index <= last)
                ++entries_[each.index];
    };
    count(list.changes);
    count(list.balances);
    count(list.nonces);
    count(list.codes);
    return true;
}

// One value that the index changes.
template <class Value, class Items>
bool ListedCheck::field_agrees(Piece* piece, Fault::Field field, const Items& items, const List::Range& range,
                               Vector<uint8_t> Met::* seen, const Value& value) noexcept {
    const auto* const listed = ListedState::at(items, range, piece->i);
    if (listed == nullptr)
        return tell(piece->fault, Fault::MISSING, field, piece->i, {}, number_of(value));
    if (!is_same(*listed, value))
        return tell(piece->fault, Fault::DIFFERS, field, piece->i, number_of(*listed), number_of(value));
    ++piece->met;
    if (piece->seen != nullptr)
        (piece->seen->*seen)[static_cast<size_t>(listed - items.begin())] = 1;
    return true;
}

// What it doesn't change and the list says it does is left over in the end.
bool ListedCheck::account_agrees(Piece* piece, uint32_t account, bool has_balance, const u256& balance, bool has_nonce,
                                 uint64_t nonce, bool has_code, const Code* code) noexcept {
    const List& list = state_->list();
    const List::Account& listed = list.accounts[account];
    mark(&met_accounts_[account]);
    tell_account(piece->fault, listed.address);
    return (!has_balance || field_agrees(piece, Fault::BALANCE, list.balances, listed.balances, &Met::balances, balance)) &&
           (!has_nonce || field_agrees(piece, Fault::NONCE, list.nonces, listed.nonces, &Met::nonces, nonce)) &&
           (!has_code || field_agrees(piece, Fault::CODE, list.codes, listed.codes, &Met::codes, code));
}

bool ListedCheck::slot_agrees(Piece* piece, uint32_t account, const Address& address, uint32_t slot, const u256& key,
                              bool is_change, const u256& after) noexcept {
    const List& list = state_->list();
    if (slot == ListedState::NONE && account != ListedState::NONE)
        slot = state_->find_slot(account, key);
    tell_account(piece->fault, address);
    if (piece->fault != nullptr) {
        piece->fault->slot = key;
        piece->fault->has_slot = true;
    }
    if (slot == ListedState::NONE || (is_change && !state_->is_change(slot)))
        return tell(piece->fault, Fault::MISSING, is_change ? Fault::STORAGE : Fault::READ, piece->i, {}, after);
    if (!state_->is_change(slot))
        mark(&met_reads_[slot - list.slots.size()]);
    return !is_change || field_agrees(piece, Fault::STORAGE, list.changes, list.slots[slot].changes, &Met::changes, after);
}

void ListedCheck::note_touched(uint32_t account) noexcept {
    SpinGuard guard{touched_lock_};
    if (!touched_.push_back(account))
        is_out_of_memory_.store(true, std::memory_order_relaxed);
}

bool ListedCheck::agrees(uint32_t i, const Effects& effects, bool deletes_empty) noexcept {
    Piece piece{i};
    if (!piece_agrees(&piece, effects) || piece.met != entries_[i])
        return false;
    if (deletes_empty)
        for (const AccountEffect& effect : effects.accounts)
            if ((effect.writes & TOUCHED) && !(effect.writes & (WROTE_NONCE | WROTE_CODE))) {
                const uint32_t account = effect.place != NO_PLACE ? effect.place : state_->find(effect.address);
                if (!state_->was_empty(account))
                    continue;
                AccountState after;
                state_->account_before(account, i, &after);
                (void)apply_effect(&after, effect, deletes_empty);
                if (!after.exists)
                    note_touched(account);
            }
    return true;
}

bool ListedCheck::piece_agrees(Piece* piece, const Effects& effects) noexcept {
    for (const AccountEffect& effect : effects.accounts) {
        const uint32_t account = effect.place != NO_PLACE ? effect.place : state_->find(effect.address);
        if (account == ListedState::NONE) {
            tell_account(piece->fault, effect.address);
            return tell(piece->fault, Fault::MISSING, Fault::ADDRESS, piece->i, {}, {});
        }
        const bool ends = (effect.writes & DESTROYED) != 0;
        u256 before = effect.seen_balance;
        bool had_nonce = effect.seen_nonce != 0, had_code = effect.seen_code != nullptr;
        if (effect.writes != 0 && effect.place == NO_PLACE) {  // nobody has seen what was there
            AccountState state;
            state_->account_before(account, piece->i, &state);
            before = state.balance;
            had_nonce = state.nonce != 0, had_code = state.code != nullptr;
        }
        const u256 after = ends ? u256{} : (effect.writes & WROTE_BALANCE) ? before + effect.balance_change : before;
        if (!account_agrees(piece, account, before != after, after, ends ? had_nonce : (effect.writes & WROTE_NONCE) != 0,
                            ends ? 0 : effect.nonce, ends ? had_code : changes_code(effect), ends ? nullptr : effect.code))
            return false;
    }
    for (const SlotEffect& effect : effects.slots) {
        const AccountEffect& owner = effects.accounts[effect.account];
        const uint32_t account = owner.place != NO_PLACE ? owner.place : state_->find(owner.address);
        const u256 after = owner.writes & DESTROYED ? u256{} : effect.value;
        if (!slot_agrees(piece, account, owner.address, state_->place_of(effect.stored), effect.key, after != effect.seen,
                         after))
            return false;
    }
    return true;
}

bool ListedCheck::piece_agrees(Piece* piece, const SystemAccesses& accesses) noexcept {
    for (const SystemAccount& each : accesses.accounts) {
        if (each.index != piece->i)
            continue;
        const uint32_t account = state_->find(each.address);
        if (account == ListedState::NONE) {
            tell_account(piece->fault, each.address);
            return tell(piece->fault, Fault::MISSING, Fault::ADDRESS, piece->i, {}, {});
        }
        if (!account_agrees(piece, account, each.writes & WROTE_BALANCE, each.balance, each.writes & WROTE_NONCE, each.nonce,
                            each.writes & WROTE_CODE, each.code))
            return false;
    }
    for (const SystemSlot& each : accesses.slots)
        if (each.index == piece->i && !slot_agrees(piece, state_->find(each.address), each.address, ListedState::NONE, each.key,
                                                   each.is_write, each.value))
            return false;
    return true;
}

bool ListedCheck::agrees(uint32_t i, const SystemAccesses& accesses, AccessListFault* fault) noexcept {
    Piece piece{i};
    if (piece_agrees(&piece, accesses) && piece.met == entries_[i])
        return true;
    Met seen;
    *fault = Fault{};
    piece = {i, 0, fault, open(&seen) ? &seen : nullptr};
    if (piece_agrees(&piece, accesses))
        tell_left(piece);
    return false;
}

void ListedCheck::explain(uint32_t i, const Effects& effects, AccessListFault* fault) noexcept {
    Met seen;
    *fault = Fault{};
    Piece piece{i, 0, fault, open(&seen) ? &seen : nullptr};
    if (piece_agrees(&piece, effects))
        tell_left(piece);
}

bool ListedCheck::open(Met* seen) const noexcept {
    const List& list = state_->list();
    return seen->changes.fill(list.changes.size(), 0) && seen->balances.fill(list.balances.size(), 0) &&
           seen->nonces.fill(list.nonces.size(), 0) && seen->codes.fill(list.codes.size(), 0);
}

// All that the index does is in the list, which has more of this index. Without memory it isn't said where.
void ListedCheck::tell_left(const Piece& piece) const noexcept {
    const List& list = state_->list();
    Fault* const fault = piece.fault;
    *fault = Fault{};
    const auto is_left = [&](Fault::Field field, const auto& items, const List::Range& range,
                             const Vector<uint8_t>& seen) noexcept {
        const auto* const listed = ListedState::at(items, range, piece.i);
        if (listed == nullptr || seen[static_cast<size_t>(listed - items.begin())])
            return false;
        tell(fault, Fault::SURPLUS, field, piece.i, number_of(*listed), {});
        return true;
    };
    for (const List::Account& account : list.accounts) {
        if (piece.seen == nullptr)
            break;
        tell_account(fault, account.address);
        for (uint32_t k = account.slots.begin; k < account.slots.end; ++k)
            if (is_left(Fault::STORAGE, list.changes, list.slots[k].changes, piece.seen->changes)) {
                fault->slot = list.slots[k].key;
                fault->has_slot = true;
                return;
            }
        if (is_left(Fault::BALANCE, list.balances, account.balances, piece.seen->balances) ||
            is_left(Fault::NONCE, list.nonces, account.nonces, piece.seen->nonces) ||
            is_left(Fault::CODE, list.codes, account.codes, piece.seen->codes))
            return;
    }
    *fault = Fault{};
    tell(fault, Fault::SURPLUS, Fault::NONE, piece.i, {}, {});
}

bool ListedCheck::is_complete(AccessListFault* fault) const noexcept {
    const List& list = state_->list();
    for (size_t a = 0; a < list.accounts.size(); ++a) {
        const List::Account& account = list.accounts[a];
        *fault = Fault{};
        fault->kind = Fault::SURPLUS;
        fault->field = Fault::ADDRESS;
        fault->address = account.address;
        fault->has_address = true;
        if (!met_accounts_[a])
            return false;
        fault->field = Fault::READ;
        fault->has_slot = true;
        for (uint32_t k = account.reads.begin; k < account.reads.end; ++k) {
            fault->slot = list.reads[k];
            if (!met_reads_[k])
                return false;
        }
    }
    return true;
}

}  // namespace evmcore
