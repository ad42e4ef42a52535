// Collecting the rows of an access list, and arranging them.
#include "access_list_builder.hpp"

#include <algorithm>
#include <numeric>

namespace evmcore {

namespace {

// Puts rows, in the order in which they came, behind one another by the rank of their owner; `ranges` gets the places of each rank.
template <class Row, class Entry, class Make>
bool arrange(const Vector<Row>& rows, const Vector<uint32_t>& rank, size_t owners, Vector<Entry>* out, Vector<uint32_t>* begins,
             Make make) noexcept {
    if (!begins->fill(owners + 1, 0) || !out->resize(rows.size()))
        return false;
    for (const Row& row : rows)
        ++(*begins)[rank[row.owner] + 1];
    for (size_t k = 1; k <= owners; ++k)
        (*begins)[k] += (*begins)[k - 1];
    Vector<uint32_t> next;
    if (!next.assign(begins->data(), begins->size()))
        return false;
    for (const Row& row : rows)
        (*out)[next[rank[row.owner]]++] = make(row);
    return true;
}

}  // namespace

void AccessListBuilder::clear() noexcept {
    for (const auto& row : codes_)
        if (row.value != nullptr)
            row.value->release();
    codes_.clear();
    account_index_.clear();
    slot_index_.clear();
    accounts_.clear();
    slots_.clear();
    changes_.clear();
    balances_.clear();
    nonces_.clear();
}

uint32_t AccessListBuilder::account_of(const Address& address) noexcept {
    bool inserted;
    uint32_t* place = account_index_.insert_or_find(address, &inserted);
    if (place == nullptr)
        return NONE;
    if (!inserted)
        return *place;
    *place = static_cast<uint32_t>(accounts_.size());
    const uint32_t made = *place;
    return accounts_.push_back(address) ? made : NONE;
}

bool AccessListBuilder::note_slot(uint32_t account, uint32_t index, const u256& key, bool is_change,
                                  const u256& after) noexcept {
    bool inserted;
    uint32_t* place = slot_index_.insert_or_find(SlotKey{account, key}, &inserted);
    if (place == nullptr)
        return false;
    if (inserted) {
        *place = static_cast<uint32_t>(slots_.size());
        if (!slots_.push_back({account, 0, key}))
            return false;
    }
    if (!is_change)
        return true;
    ++slots_[*place].change_count;
    return changes_.push_back({*place, index, after});
}

bool AccessListBuilder::note_code(uint32_t account, uint32_t index, const Code* code) noexcept {
    if (!codes_.push_back({account, index, code}))
        return false;
    if (code != nullptr)
        (void)code->acquire();
    return true;
}

bool AccessListBuilder::add(uint32_t index, const Effects& effects) noexcept {
    if (!places_.resize(effects.accounts.size()))
        return false;
    for (size_t k = 0; k < effects.accounts.size(); ++k) {
        const AccountEffect& effect = effects.accounts[k];
        const uint32_t account = places_[k] = account_of(effect.address);
        if (account == NONE)
            return false;
        // What ends has no nonce and no code afterwards; those before it are known, since it was at work.
        const bool ends = (effect.writes & DESTROYED) != 0;
        const bool has_balance = ends ? effect.balance_after != effect.seen_balance : (effect.writes & WROTE_BALANCE) != 0;
        const bool has_nonce = ends ? effect.seen_nonce != 0 : (effect.writes & WROTE_NONCE) != 0;
        const Code* code = ends ? nullptr : effect.code;
        const bool has_code = ends ? effect.seen_code != nullptr : changes_code(effect);
        if ((has_balance && !balances_.push_back({account, index, effect.balance_after})) ||
            (has_nonce && !nonces_.push_back({account, index, ends ? 0 : effect.nonce})) ||
            (has_code && !note_code(account, index, code)))
            return false;
    }
    for (const SlotEffect& effect : effects.slots) {
        const u256 after = effects.accounts[effect.account].writes & DESTROYED ? u256{} : effect.value;
        if (!note_slot(places_[effect.account], index, effect.key, after != effect.seen, after))
            return false;
    }
    return true;
}

bool AccessListBuilder::add_on(const World& world, uint32_t index, Effects* effects, bool deletes_empty) noexcept {
    for (AccountEffect& effect : effects->accounts) {
        if (!(effect.writes & (WROTE_BALANCE | DESTROYED)))
            continue;
        AccountState state;
        if (effect.place != NO_PLACE)
            state = world.state_at(effect.place);
        else
            (void)world.account(effect.address, &state);  // who applies them says what is missing
        (void)apply_effect(&state, effect, deletes_empty);
        effect.balance_after = state.balance;
    }
    return add(index, *effects);
}

bool AccessListBuilder::add_balance(uint32_t index, const Address& address, const u256& after) noexcept {
    const uint32_t account = account_of(address);
    return account != NONE && balances_.push_back({account, index, after});
}

bool AccessListBuilder::add_nonce(uint32_t index, const Address& address, uint64_t after) noexcept {
    const uint32_t account = account_of(address);
    return account != NONE && nonces_.push_back({account, index, after});
}

bool AccessListBuilder::add_code(uint32_t index, const Address& address, const Code* after) noexcept {
    const uint32_t account = account_of(address);
    return account != NONE && note_code(account, index, after);
}

bool AccessListBuilder::add_slot(uint32_t index, const Address& address, const u256& key, bool is_change,
                                 const u256& after) noexcept {
    const uint32_t account = account_of(address);
    return account != NONE && note_slot(account, index, key, is_change, after);
}

bool AccessListBuilder::add(const BlockAccessList& list) noexcept {
    for (const BlockAccessList::Account& account : list.accounts) {
        const uint32_t own = account_of(account.address);
        if (own == NONE)
            return false;
        for (uint32_t k = account.slots.begin; k < account.slots.end; ++k)
            for (uint32_t j = list.slots[k].changes.begin; j < list.slots[k].changes.end; ++j)
                if (!note_slot(own, list.changes[j].index, list.slots[k].key, true, list.changes[j].value))
                    return false;
        for (uint32_t k = account.reads.begin; k < account.reads.end; ++k)
            if (!note_slot(own, 0, list.reads[k], false, {}))
                return false;
        for (uint32_t k = account.balances.begin; k < account.balances.end; ++k)
            if (!balances_.push_back({own, list.balances[k].index, list.balances[k].value}))
                return false;
        for (uint32_t k = account.nonces.begin; k < account.nonces.end; ++k)
            if (!nonces_.push_back({own, list.nonces[k].index, list.nonces[k].value}))
                return false;
        for (uint32_t k = account.codes.begin; k < account.codes.end; ++k)
            if (!note_code(own, list.codes[k].index, list.codes[k].value))
                return false;
    }
    return true;
}

bool AccessListBuilder::add(uint32_t index, const StateChanges& changes, const AccountChange** hidden) noexcept {
    *hidden = nullptr;
    const SlotChange* slot = changes.slots.begin();
    for (const AccountChange& change : changes.accounts) {
        const AccountValues &before = change.before, &after = change.after;
        const uint32_t account = account_of(change.address);
        if (account == NONE || (before.balance != after.balance && !balances_.push_back({account, index, after.balance})) ||
            (before.nonce != after.nonce && !nonces_.push_back({account, index, after.nonce})))
            return false;
        const Code* code = after.code != 0 ? changes.codes[after.code - 1].code : nullptr;
        if (before.code != after.code) {
            if (code == nullptr && after.code != 0)
                *hidden = &change;
            if (!note_code(account, index, code))
                return false;
        }
        for (const SlotChange* const end = slot + change.slot_count; slot != end; ++slot)
            if (!(slot->before == slot->after) && !note_slot(account, index, slot->key, true, slot->after))
                return false;
    }
    return true;
}

bool AccessListBuilder::finish(BlockAccessList* out) noexcept {
    const size_t count = accounts_.size();
    Vector<uint32_t> order, rank, slot_order, slot_rank, begins;
    if (!order.resize(count) || !rank.resize(count) || !slot_order.resize(slots_.size()) || !slot_rank.resize(slots_.size()) ||
        !out->accounts.resize(count) || !out->slots.reserve(slots_.size()) || !out->reads.reserve(slots_.size()))
        return false;
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return accounts_[a] < accounts_[b]; });
    for (uint32_t k = 0; k < count; ++k) {
        rank[order[k]] = k;
        out->accounts[k].address = accounts_[order[k]];
    }
    std::iota(slot_order.begin(), slot_order.end(), 0);
    std::sort(slot_order.begin(), slot_order.end(), [&](uint32_t a, uint32_t b) {
        const uint32_t owner = rank[slots_[a].account], other = rank[slots_[b].account];
        return owner != other ? owner < other : slots_[a].key < slots_[b].key;
    });
    for (uint32_t k = 0; k < slots_.size(); ++k)
        slot_rank[slot_order[k]] = k;

    using List = BlockAccessList;
    if (!arrange(changes_, slot_rank, slots_.size(), &out->changes, &begins,
                 [](const Row<u256>& row) { return List::Value{row.index, row.value}; }))
        return false;
    size_t next = 0;
    for (uint32_t k = 0; k < count; ++k) {
        List::Account& account = out->accounts[k];
        account.slots.begin = static_cast<uint32_t>(out->slots.size());
        account.reads.begin = static_cast<uint32_t>(out->reads.size());
        for (; next < slots_.size() && rank[slots_[slot_order[next]].account] == k; ++next) {
            const Slot& slot = slots_[slot_order[next]];
            if (slot.change_count != 0)
                (void)out->slots.push_back({slot.key, {begins[next], begins[next + 1]}});  // there is room for all
            else
                (void)out->reads.push_back(slot.key);
        }
        account.slots.end = static_cast<uint32_t>(out->slots.size());
        account.reads.end = static_cast<uint32_t>(out->reads.size());
    }
    if (!arrange(balances_, rank, count, &out->balances, &begins,
                 [](const Row<u256>& row) { return List::Value{row.index, row.value}; }))
        return false;
    for (uint32_t k = 0; k < count; ++k)
        out->accounts[k].balances = {begins[k], begins[k + 1]};
    if (!arrange(nonces_, rank, count, &out->nonces, &begins,
                 [](const Row<uint64_t>& row) { return List::Nonce{row.index, row.value}; }))
        return false;
    for (uint32_t k = 0; k < count; ++k)
        out->accounts[k].nonces = {begins[k], begins[k + 1]};
    if (!arrange(codes_, rank, count, &out->codes, &begins, [](const Row<const Code*>& row) {
            return List::NewCode{row.index, row.value != nullptr ? row.value->acquire() : nullptr};
        }))
        return false;
    for (uint32_t k = 0; k < count; ++k)
        out->accounts[k].codes = {begins[k], begins[k + 1]};
    return true;
}

}  // namespace evmcore
