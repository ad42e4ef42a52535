// Building an indexed access list from rows.
#include "access_list.hpp"

#include <numeric>

namespace evmcore {

namespace {

constexpr uint8_t VALUES = WROTE_BALANCE | WROTE_NONCE | WROTE_CODE;
constexpr uint8_t CHANGES = VALUES | TOUCHED | CREATED | DESTROYED;
// Into how many parts of equal cost a block falls, at most: enough for the ends of 16 workers to meet within a hundredth.
constexpr uint64_t BATCHES = 256;

// Gives each account or slot the range of its entries, from how many it has (`end`); the sum of all.
template <class Thing>
uint32_t assign_ranges(Vector<Thing>* things) noexcept {
    uint32_t begin = 0;
    for (Thing& thing : *things) {
        const uint32_t size = thing.end;
        thing.begin = thing.end = begin;
        begin += size;
    }
    return begin;
}

}  // namespace

AccessList::~AccessList() {
    for (const Code* code : codes_)
        code->release();
}

uint32_t* AccessList::add_account(const uint8_t* bytes) noexcept {
    Address address;
    std::memcpy(address.bytes, bytes, sizeof address.bytes);
    bool inserted;
    uint32_t* place = account_index_.insert_or_find(address, &inserted);
    if (place != nullptr && inserted) {
        *place = static_cast<uint32_t>(accounts_.size());
        if (!accounts_.push_back({address}))
            return nullptr;
    }
    return place;
}

// A row takes about as long as this much gas of plain instructions.
constexpr uint32_t ROW_WEIGHT = 128;

Status AccessList::build(const AccountAccess* rows, size_t row_count, const SlotAccess* slot_rows, size_t slot_row_count,
                         const Code* const* codes, size_t code_count, const uint64_t* gas, uint32_t count,
                         Poll* poll) noexcept {
    Vector<uint32_t> row_accounts;
    if (!writes_.fill(count, 0) || !codes_.reserve(code_count) || !row_accounts.resize(row_count))
        return Status::OUT_OF_MEMORY;
    for (size_t i = 0; i < code_count; ++i)
        if (codes[i] != nullptr)
            (void)codes_.push_back(codes[i]->acquire());
    Status status = build_accounts(rows, row_count, codes, code_count, count, &row_accounts, poll);
    if (status == Status::RUNNING)
        status = build_slots(slot_rows, slot_row_count, count, poll);
    if (status != Status::RUNNING)
        return status;
    find_storage(row_accounts, count);
    return build_order(gas, count) ? Status::RUNNING : Status::OUT_OF_MEMORY;
}

Status AccessList::build_accounts(const AccountAccess* rows, size_t row_count, const Code* const* codes, size_t code_count,
                                  uint32_t count, Vector<uint32_t>* row_accounts, Poll* poll) noexcept {
    // How many entries each account has, then where their places begin, then the entries and steps themselves.
    for (size_t k = 0; k < row_count; ++k) {
        if (poll->poll(ROW_WEIGHT))
            return Status::ABORTED;
        const uint32_t* place = add_account(rows[k].address);
        if (place == nullptr)
            return Status::OUT_OF_MEMORY;
        (*row_accounts)[k] = *place;
        if (rows[k].transaction < count && (rows[k].writes & CHANGES)) {
            accounts_[*place].end += 1;
            accounts_[*place].is_ever_wiped |= (rows[k].writes & (CREATED | DESTROYED)) != 0;
            writes_[rows[k].transaction] += 1;
        }
    }
    if (!account_places_.resize(assign_ranges(&accounts_)) || !account_entries_.reserve(account_places_.size()) ||
        !account_steps_.begin(row_count, count))
        return Status::OUT_OF_MEMORY;
    for (size_t k = 0; k < row_count; ++k) {
        if (poll->poll(ROW_WEIGHT))
            return Status::ABORTED;
        const AccountAccess& row = rows[k];
        if (row.transaction >= count)
            continue;
        Account& account = accounts_[(*row_accounts)[k]];
        AccountStep step{account.address, false, place_below(account, row.transaction), NEVER};
        if (row.writes & CHANGES) {
            AccountEntry entry{0, 0, false, false, false, -1, 0, nullptr, {}};
            if (account.end != account.begin)
                entry = account_entries_[account_places_[account.end - 1]];
            entry.transaction = row.transaction;
            entry.is_wiped = (row.writes & (CREATED | DESTROYED)) != 0;
            if (entry.is_wiped)
                entry.wiped_by = row.transaction;
            if (row.writes & DESTROYED) {
                entry = AccountEntry{row.transaction, VALUES, false, true, true, entry.wiped_by, 0, nullptr, {}};
            } else {
                entry.written |= row.writes & VALUES;
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
            step.own = static_cast<uint32_t>(account_entries_.size());
            account_places_[account.end++] = step.own;
            (void)account_entries_.push_back(entry);  // each has its place
        }
        account_steps_.add(row.transaction, step);
    }
    account_steps_.end();
    return Status::RUNNING;
}

Status AccessList::build_slots(const SlotAccess* rows, size_t row_count, uint32_t count, Poll* poll) noexcept {
    Vector<uint32_t> row_slots;
    Vector<uint8_t> is_kept;            // 1: writes that aren't gone with their account
    const uint32_t* account = nullptr;  // of the slot before
    if (!row_slots.resize(row_count) || !is_kept.resize(row_count))
        return Status::OUT_OF_MEMORY;
    for (size_t k = 0; k < row_count; ++k) {
        if (poll->poll(ROW_WEIGHT))
            return Status::ABORTED;
        const SlotAccess& row = rows[k];
        if (row.transaction >= count)
            continue;
        // Slots of an account come in runs.
        const bool is_same =
            account != nullptr && std::memcmp(row.address, accounts_[*account].address.bytes, sizeof row.address) == 0;
        if (!is_same)
            account = add_account(row.address);
        if (account == nullptr)
            return Status::OUT_OF_MEMORY;
        const SlotKey key{*account, from_big_endian(row.slot)};
        bool inserted;
        uint32_t* place = slot_index_.insert_or_find(key, &inserted);
        if (place == nullptr)
            return Status::OUT_OF_MEMORY;
        if (inserted) {
            *place = static_cast<uint32_t>(slots_.size());
            if (!slots_.push_back({*account, key.slot}))
                return Status::OUT_OF_MEMORY;
        }
        row_slots[k] = *place;
        if (!row.is_write)
            continue;
        Account& owner = accounts_[*account];
        const AccountEntry* entry = account_entry(place_below(owner, row.transaction + 1));
        if (entry != nullptr && entry->transaction == row.transaction && entry->hides_base && entry->is_wiped &&
            !entry->is_touched)
            continue;  // what a destroyed account wrote goes with it
        is_kept[k] = 1;
        slots_[*place].end += 1;
        writes_[row.transaction] += 1;
        if (owner.first_storage == NEVER && !from_big_endian(row.value).is_zero())
            owner.first_storage = row.transaction;
    }
    if (!slot_places_.resize(assign_ranges(&slots_)) || !slot_entries_.reserve(slot_places_.size()) ||
        !slot_steps_.begin(row_count, count))
        return Status::OUT_OF_MEMORY;
    for (size_t k = 0; k < row_count; ++k) {
        if (poll->poll(ROW_WEIGHT))
            return Status::ABORTED;
        const SlotAccess& row = rows[k];
        if (row.transaction >= count)
            continue;
        Slot& slot = slots_[row_slots[k]];
        const Account& owner = accounts_[slot.account];
        SlotStep step{owner.address, owner.is_ever_wiped, place_below(slot, row.transaction), NEVER, slot.key};
        if (is_kept[k]) {
            step.own = static_cast<uint32_t>(slot_entries_.size());
            slot_places_[slot.end++] = step.own;
            (void)slot_entries_.push_back({row.transaction, from_big_endian(row.value)});
        }
        slot_steps_.add(row.transaction, step);
    }
    slot_steps_.end();
    return Status::RUNNING;
}

void AccessList::find_storage(const Vector<uint32_t>& row_accounts, uint32_t count) noexcept {
    // Rows are in the order of transactions, so those with a step come first and in the order of the steps.
    for (uint32_t i = 0; i < count; ++i)
        for (uint32_t k = account_steps_.begins[i]; k < account_steps_.begins[i + 1]; ++k) {
            AccountStep& step = account_steps_.all[k];
            step.has_storage = has_storage(accounts_[row_accounts[k]], account_entry(step.below), i);
        }
}

bool AccessList::build_order(const uint64_t* gas, uint32_t count) noexcept {
    if (!order_.resize(count))
        return false;
    std::iota(order_.begin(), order_.end(), 0);
    const auto cost = [&](uint32_t i) { return gas != nullptr ? gas[i] : uint64_t{writes_[i]}; };
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; ++i)
        total += cost(i);
    // Short ones keep their order: neighbours in the block are neighbours in memory.
    const uint64_t batch_cost = total / BATCHES + 1;
    std::stable_sort(order_.begin(), order_.end(),
                     [&](uint32_t a, uint32_t b) { return std::max(cost(a), batch_cost) > std::max(cost(b), batch_cost); });
    uint64_t filled = batch_cost;
    for (uint32_t turn = 0; turn < count; ++turn) {
        if (filled >= batch_cost) {
            if (!batches_.push_back(turn))
                return false;
            filled = 0;
        }
        filled += cost(order_[turn]);
    }
    return true;
}

}  // namespace evmcore
