// Building a plan out of rows, looking up in it, and holding a run against it.
#include "access_plan.hpp"

#include <algorithm>
#include <numeric>

namespace evmcore {

namespace {

constexpr uint8_t VALUES = WROTE_BALANCE | WROTE_NONCE | WROTE_CODE;
constexpr uint8_t CHANGES = VALUES | TOUCHED | CREATED | DESTROYED;
// Into how many parts of equal cost a block falls, at most: enough for the ends of 16 workers to meet within a hundredth.
constexpr uint64_t BATCHES = 256;

}  // namespace

AccessPlan::~AccessPlan() {
    for (const Code* code : codes_)
        code->release();
}

uint32_t* AccessPlan::add_account(const uint8_t* bytes) noexcept {
    Address address;
    std::memcpy(address.bytes, bytes, sizeof address.bytes);
    bool inserted;
    uint32_t* place = account_index_.insert_or_find(address, &inserted);
    if (place != nullptr && inserted) {
        *place = static_cast<uint32_t>(accounts_.size());
        accounts_.push_back({address});
    }
    return place;
}

Status AccessPlan::build(const AccountAccess* rows, size_t row_count, const SlotAccess* slot_rows, size_t slot_row_count,
                         const Code* const* codes, size_t code_count, const uint64_t* gas, uint32_t count) noexcept {
    writes_.assign(count, 0);
    for (size_t i = 0; i < code_count; ++i)
        if (codes[i] != nullptr)
            codes_.push_back(codes[i]->acquire());

    // How many entries each account and slot has, then where they begin, then the entries themselves.
    std::vector<uint32_t> places(row_count), slot_places(slot_row_count, NEVER);
    for (size_t k = 0; k < row_count; ++k) {
        const uint32_t* place = add_account(rows[k].address);
        if (place == nullptr)
            return Status::OUT_OF_MEMORY;
        places[k] = *place;
        if (rows[k].transaction < count && (rows[k].writes & CHANGES)) {
            accounts_[*place].end += 1;
            writes_[rows[k].transaction] += 1;
        }
    }
    uint32_t begin = 0;
    for (Account& account : accounts_) {
        const uint32_t size = account.end;
        account.begin = account.end = begin;
        begin += size;
    }
    account_entries_.resize(begin);
    for (size_t k = 0; k < row_count; ++k) {
        const AccountAccess& row = rows[k];
        if (row.transaction >= count || !(row.writes & CHANGES))
            continue;
        Account& account = accounts_[places[k]];
        AccountEntry& entry = account_entries_[account.end];
        if (account.end == account.begin)
            entry = AccountEntry{0, 0, false, false, false, -1, 0, nullptr, {}};
        else
            entry = account_entries_[account.end - 1];
        ++account.end;
        entry.transaction = row.transaction;
        entry.is_wiped = (row.writes & (CREATED | DESTROYED)) != 0;
        if (entry.is_wiped) {
            entry.wiped_by = row.transaction;
            account.is_ever_wiped = true;
        }
        if (row.writes & DESTROYED) {
            entry = AccountEntry{row.transaction, VALUES, false, true, true, entry.wiped_by, 0, nullptr, {}};
            continue;
        }
        entry.settled |= row.writes & VALUES;
        entry.is_touched = true;
        if (row.writes & WROTE_BALANCE)
            entry.balance = from_big_endian(row.balance);
        if (row.writes & WROTE_NONCE)
            entry.nonce = row.nonce;
        if (row.writes & WROTE_CODE) {
            if (row.code >= static_cast<int64_t>(code_count))
                return Status::ACCESSES_DIFFER;
            entry.code = row.code >= 0 ? codes[row.code] : nullptr;
        }
    }

    for (int pass = 0; pass < 2; ++pass) {
        for (size_t k = 0; k < slot_row_count; ++k) {
            const SlotAccess& row = slot_rows[k];
            if (row.transaction >= count || !row.is_write)
                continue;
            if (pass == 1) {
                if (slot_places[k] == NEVER)
                    continue;
                Slot& slot = slots_[slot_places[k]];
                slot_entries_[slot.end++] = {row.transaction, from_big_endian(row.value)};
                continue;
            }
            const uint32_t* account = add_account(row.address);
            if (account == nullptr)
                return Status::OUT_OF_MEMORY;
            Account& owner = accounts_[*account];
            const AccountEntry* entry = entry_below(owner, row.transaction + 1);
            if (entry != nullptr && entry->transaction == row.transaction && entry->is_reborn && entry->is_wiped &&
                !entry->is_touched)
                continue;  // what a destroyed account wrote goes with it
            const SlotKey key{*account, from_big_endian(row.slot)};
            bool inserted;
            uint32_t* place = slot_index_.insert_or_find(key, &inserted);
            if (place == nullptr)
                return Status::OUT_OF_MEMORY;
            if (inserted) {
                *place = static_cast<uint32_t>(slots_.size());
                slots_.push_back({*account, key.slot});
            }
            slot_places[k] = *place;
            slots_[*place].end += 1;
            writes_[row.transaction] += 1;
            if (owner.first_storage == NEVER && !from_big_endian(row.value).is_zero())
                owner.first_storage = row.transaction;
        }
        if (pass == 1)
            break;
        begin = 0;
        for (Slot& slot : slots_) {
            const uint32_t size = slot.end;
            slot.begin = slot.end = begin;
            begin += size;
        }
        slot_entries_.resize(begin);
    }

    order_.resize(count);
    std::iota(order_.begin(), order_.end(), 0);
    const auto cost = [&](uint32_t i) { return gas != nullptr ? gas[i] : uint64_t{writes_[i]}; };
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; ++i)
        total += cost(i);
    // Short ones keep their order: neighbours in the block are neighbours in memory.
    const uint64_t batch_cost = total / BATCHES + 1;
    std::stable_sort(order_.begin(), order_.end(), [&](uint32_t a, uint32_t b) {
        return std::max(cost(a), batch_cost) > std::max(cost(b), batch_cost);
    });
    uint64_t filled = batch_cost;
    for (uint32_t turn = 0; turn < count; ++turn) {
        if (filled >= batch_cost) {
            batches_.push_back(turn);
            filled = 0;
        }
        filled += cost(order_[turn]);
    }
    return Status::RUNNING;
}

const AccessPlan::AccountEntry* AccessPlan::entry_below(const Account& account, uint32_t i) const noexcept {
    if (account.begin == account.end)
        return nullptr;
    const AccountEntry* const first = account_entries_.data() + account.begin;
    const AccountEntry* const above = std::partition_point(first, account_entries_.data() + account.end,
                                                           [i](const AccountEntry& entry) { return entry.transaction < i; });
    return above != first ? above - 1 : nullptr;
}

const AccessPlan::SlotEntry* AccessPlan::entry_below(const Slot& slot, uint32_t i) const noexcept {
    const SlotEntry* const first = slot_entries_.data() + slot.begin;
    const SlotEntry* const above = std::partition_point(first, slot_entries_.data() + slot.end,
                                                        [i](const SlotEntry& entry) { return entry.transaction < i; });
    return above != first ? above - 1 : nullptr;
}

void AccessPlan::settle(const PlanBase& base, const Account& account, const AccountEntry* entry, uint32_t i,
                        AccountState* state) noexcept {
    if (entry == nullptr) {
        state->has_storage |= account.first_storage < i;
        return;
    }
    if (entry->is_reborn)
        *state = AccountState{};
    if (entry->settled & WROTE_BALANCE)
        state->balance = entry->balance;
    if (entry->settled & WROTE_NONCE)
        state->nonce = entry->nonce;
    if (entry->settled & WROTE_CODE)
        state->code = entry->code;
    const bool is_empty = state->balance.is_zero() && state->nonce == 0 && state->code == nullptr;
    state->exists = !(base.deletes_empty && is_empty) && (state->exists || entry->is_touched);
    if (entry->wiped_by >= 0)
        state->has_storage = false;
    state->has_storage |= account.first_storage < i && static_cast<int64_t>(account.first_storage) >= entry->wiped_by;
}

Status AccessPlan::account(const PlanBase& base, uint32_t i, const Address& address, AccountState* out) const noexcept {
    const Status status = base.world->account(address, out);
    const Account* account = find(address);
    if (account != nullptr && status == Status::RUNNING)
        settle(base, *account, entry_below(*account, i), i, out);
    return status;
}

Status AccessPlan::slot(const PlanBase& base, uint32_t i, const Address& address, const u256& key,
                        u256* out) const noexcept {
    const uint32_t* account = account_index_.find(address);
    if (account == nullptr)
        return base.world->slot(address, key, out);
    const Account& owner = accounts_[*account];
    const AccountEntry* life = owner.is_ever_wiped ? entry_below(owner, i) : nullptr;
    const int64_t wiped_by = life != nullptr ? life->wiped_by : -1;
    const uint32_t* place = slot_index_.find(SlotKey{*account, key});
    const SlotEntry* entry = place != nullptr ? entry_below(slots_[*place], i) : nullptr;
    if (entry != nullptr && static_cast<int64_t>(entry->transaction) >= wiped_by) {
        *out = entry->value;
        return Status::RUNNING;
    }
    if (wiped_by < 0)
        return base.world->slot(address, key, out);
    *out = u256{};
    return Status::RUNNING;
}

bool AccessPlan::matches(const PlanBase& base, uint32_t i, const Effects& effects) const noexcept {
    uint32_t met = 0;
    for (const AccountEffect& effect : effects.accounts) {
        if (effect.writes == 0)
            continue;
        static const Account unlisted{};
        const Account* found = find(effect.address);
        const Account& known = found != nullptr ? *found : unlisted;  // its write must then change nothing
        const AccountEntry* entry = entry_below(known, i + 1);
        const bool is_listed = entry != nullptr && entry->transaction == i;
        const AccountEntry* earlier = entry;
        if (is_listed)
            earlier = entry != account_entries_.data() + known.begin ? entry - 1 : nullptr;
        AccountState run, said;
        base.world->account(effect.address, &run);
        said = run;
        settle(base, known, earlier, i, &run);
        settle(base, known, entry, i + 1, &said);
        const bool had_storage = run.has_storage;
        const bool is_wiped = apply_effect(&run, effect, base.deletes_empty);
        if (run.balance != said.balance || run.nonce != said.nonce || run.exists != said.exists ||
            !(hash_of(run.code) == hash_of(said.code)))
            return false;
        met += is_listed;
        if (is_wiped && had_storage && !(is_listed && entry->is_wiped))
            return false;
        if (is_listed && entry->is_wiped && !is_wiped)
            return false;
    }
    for (const SlotEffect& effect : effects.slots) {
        const AccountEffect& owner = effects.accounts[effect.account];
        if (!effect.is_write || (owner.writes & DESTROYED))
            continue;
        const uint32_t* account = account_index_.find(owner.address);
        const uint32_t* place = account != nullptr ? slot_index_.find(SlotKey{*account, effect.key}) : nullptr;
        const SlotEntry* entry = place != nullptr ? entry_below(slots_[*place], i + 1) : nullptr;
        if (entry == nullptr || entry->transaction != i || entry->value != effect.value)
            return false;
        ++met;
    }
    return met == writes_[i];
}

Status AccessPlan::fold(World* world, bool deletes_empty) const noexcept {
    const PlanBase base{world, deletes_empty};
    const uint32_t end = count();
    for (const Account& account : accounts_) {
        const AccountEntry* entry = entry_below(account, end);
        if (entry == nullptr)
            continue;
        AccountState state;
        Status status = world->account(account.address, &state);
        settle(base, account, entry, end, &state);
        if (status == Status::RUNNING)
            status = world->put(account.address, state, entry->wiped_by >= 0);
        if (status != Status::RUNNING)
            return status;
    }
    for (const Slot& slot : slots_) {
        const Account& account = accounts_[slot.account];
        const AccountEntry* life = entry_below(account, end);
        const SlotEntry* entry = entry_below(slot, end);
        if (entry == nullptr || (life != nullptr && static_cast<int64_t>(entry->transaction) < life->wiped_by))
            continue;
        const Status status = world->set_slot_of(account.address, slot.key, entry->value);
        if (status != Status::RUNNING)
            return status;
    }
    return Status::RUNNING;
}

}  // namespace evmcore
