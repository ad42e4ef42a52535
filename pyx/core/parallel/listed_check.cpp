// Comparing the effects of an index with a block access list.
#include "listed_check.hpp"

namespace evmcore {

namespace {

using List = BlockAccessList;
using Fault = AccessListFault;

u256 number_of(const Code* code) noexcept { return from_big_endian(hash_of(code).bytes, 32); }

void mark(uint8_t* byte) noexcept { __atomic_store_n(byte, uint8_t{1}, __ATOMIC_RELAXED); }

bool tell(Fault* fault, Fault::Kind kind, Fault::Field field, uint32_t index, const u256& have, const u256& want) noexcept {
    fault->kind = kind;
    fault->field = field;
    fault->index = index;
    fault->has_index = true;
    fault->have = have;
    fault->want = want;
    return false;
}

// One field: the list's entry of the index, if it has one, against the block's value, if it has one.
bool field_agrees(Fault* fault, Fault::Field field, uint32_t index, bool is_listed, const u256& have, bool is_changed,
                  const u256& want, uint32_t* met) noexcept {
    if (is_listed != is_changed)
        return tell(fault, is_listed ? Fault::SURPLUS : Fault::MISSING, field, index, have, want);
    *met += is_listed;
    return !is_listed || have == want || tell(fault, Fault::DIFFERS, field, index, have, want);
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

bool ListedCheck::account_agrees(Piece* piece, uint32_t account, bool has_balance, const u256& balance, bool has_nonce,
                                 uint64_t nonce, bool has_code, const Code* code) noexcept {
    const List& list = state_->list();
    const List::Account& listed = list.accounts[account];
    mark(&met_accounts_[account]);
    piece->fault->address = listed.address;
    piece->fault->has_address = true;
    const List::Value* b = ListedState::at(list.balances, listed.balances, piece->i);
    const List::Nonce* n = ListedState::at(list.nonces, listed.nonces, piece->i);
    const List::NewCode* c = ListedState::at(list.codes, listed.codes, piece->i);
    return field_agrees(piece->fault, Fault::BALANCE, piece->i, b != nullptr, b != nullptr ? b->value : u256{}, has_balance,
                        balance, &piece->met) &&
           field_agrees(piece->fault, Fault::NONCE, piece->i, n != nullptr, n != nullptr ? u256{n->value} : u256{}, has_nonce,
                        u256{nonce}, &piece->met) &&
           field_agrees(piece->fault, Fault::CODE, piece->i, c != nullptr, c != nullptr ? number_of(c->value) : u256{},
                        has_code, has_code ? number_of(code) : u256{}, &piece->met);
}

bool ListedCheck::slot_agrees(Piece* piece, uint32_t account, const Address& address, const u256& key, bool is_change,
                              const u256& after) noexcept {
    const List& list = state_->list();
    const uint32_t slot = account != ListedState::NONE ? state_->find_slot(account, key) : ListedState::NONE;
    piece->fault->address = address;
    piece->fault->slot = key;
    piece->fault->has_address = piece->fault->has_slot = true;
    if (slot == ListedState::NONE || (is_change && !state_->is_change(slot)))
        return tell(piece->fault, Fault::MISSING, is_change ? Fault::STORAGE : Fault::READ, piece->i, {}, after);
    if (!state_->is_change(slot)) {
        mark(&met_reads_[slot - list.slots.size()]);
    } else {
        const List::Value* listed = ListedState::at(list.changes, list.slots[slot].changes, piece->i);
        if (!field_agrees(piece->fault, Fault::STORAGE, piece->i, listed != nullptr, listed != nullptr ? listed->value : u256{},
                          is_change, after, &piece->met))
            return false;
    }
    piece->fault->has_slot = false;
    return true;
}

bool ListedCheck::is_whole(const Piece& piece) noexcept {
    if (piece.met == entries_[piece.i])
        return true;
    tell_left(piece);
    return false;
}

// All that was met agrees, so what is left over is at this index in an account or slot that was not met; the first one is told that
// could be it, as far as the list alone tells.
void ListedCheck::tell_left(const Piece& piece) noexcept {
    const List& list = state_->list();
    *piece.fault = Fault{};
    for (size_t a = 0; a < list.accounts.size(); ++a) {
        const List::Account& account = list.accounts[a];
        const bool is_met = __atomic_load_n(&met_accounts_[a], __ATOMIC_RELAXED) != 0;
        piece.fault->address = account.address;
        piece.fault->has_address = true;
        if (is_met)
            continue;
        if (const List::Value* b = ListedState::at(list.balances, account.balances, piece.i)) {
            tell(piece.fault, Fault::SURPLUS, Fault::BALANCE, piece.i, b->value, {});
            return;
        }
        if (const List::Nonce* n = ListedState::at(list.nonces, account.nonces, piece.i)) {
            tell(piece.fault, Fault::SURPLUS, Fault::NONCE, piece.i, u256{n->value}, {});
            return;
        }
        if (ListedState::at(list.codes, account.codes, piece.i) != nullptr) {
            tell(piece.fault, Fault::SURPLUS, Fault::CODE, piece.i, {}, {});
            return;
        }
    }
    piece.fault->has_address = false;
    tell(piece.fault, Fault::SURPLUS, Fault::NONE, piece.i, {}, {});
}

bool ListedCheck::agrees(uint32_t i, const Effects& effects, bool deletes_empty, AccessListFault* fault) noexcept {
    Piece piece{i, 0, fault};
    for (const AccountEffect& effect : effects.accounts) {
        const uint32_t account = effect.is_blind || effect.place == NO_PLACE ? state_->find(effect.address) : effect.place;
        if (account == ListedState::NONE) {
            fault->address = effect.address;
            fault->has_address = true;
            return tell(fault, Fault::MISSING, Fault::ADDRESS, i, {}, {});
        }
        AccountState after;
        if (effect.writes != 0)
            state_->account_before(account, i, &after);
        const AccountState before = after;
        (void)apply_effect(&after, effect, deletes_empty);
        if ((effect.writes & TOUCHED) && deletes_empty && !after.exists && state_->was_empty(account)) {
            SpinGuard guard{touched_lock_};
            if (!touched_.push_back(account))
                is_out_of_memory_.store(true, std::memory_order_relaxed);
        }
        const bool ends = (effect.writes & DESTROYED) != 0;
        const bool has_nonce = ends ? before.nonce != 0 : (effect.writes & WROTE_NONCE) != 0;
        const bool has_code = ends ? before.code != nullptr : changes_code(effect);
        if (!account_agrees(&piece, account, before.balance != after.balance, after.balance, has_nonce, ends ? 0 : effect.nonce,
                            has_code, ends ? nullptr : effect.code))
            return false;
    }
    for (const SlotEffect& effect : effects.slots) {
        const AccountEffect& owner = effects.accounts[effect.account];
        const uint32_t account = owner.place == NO_PLACE ? state_->find(owner.address) : owner.place;
        const u256 after = owner.writes & DESTROYED ? u256{} : effect.value;
        if (!slot_agrees(&piece, account, owner.address, effect.key, after != effect.seen, after))
            return false;
    }
    return is_whole(piece);
}

bool ListedCheck::agrees(uint32_t i, const SystemAccesses& accesses, AccessListFault* fault) noexcept {
    Piece piece{i, 0, fault};
    for (const SystemAccount& each : accesses.accounts) {
        if (each.index != i)
            continue;
        const uint32_t account = state_->find(each.address);
        if (account == ListedState::NONE) {
            fault->address = each.address;
            fault->has_address = true;
            return tell(fault, Fault::MISSING, Fault::ADDRESS, i, {}, {});
        }
        if (!account_agrees(&piece, account, each.writes & WROTE_BALANCE, each.balance, each.writes & WROTE_NONCE, each.nonce,
                            each.writes & WROTE_CODE, each.code))
            return false;
    }
    for (const SystemSlot& each : accesses.slots)
        if (each.index == i &&
            !slot_agrees(&piece, state_->find(each.address), each.address, each.key, each.is_write, each.value))
            return false;
    return is_whole(piece);
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
