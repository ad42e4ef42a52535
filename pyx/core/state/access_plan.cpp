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

}  // namespace evmcore
