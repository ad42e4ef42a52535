// Making changes from the undo log, applying and inverting them.
#include "changes.hpp"

#include <algorithm>

#include "../base/polled_sort.hpp"
#include "world.hpp"

namespace evmcore {

namespace {

constexpr uint32_t NO_ACCOUNT = UINT32_MAX;

// An account whose record was written, by the values before it.
struct Written {
    const AccountRecord* before;  // in the undo log
    uint32_t place;
    uint32_t rank = 0;  // by address
    bool is_wiped = false;
};

// Whose storage a number is.
struct StorageOwner {
    uint32_t account;
    bool is_before, is_after;
};

struct FoundSlot {
    uint32_t rank;
    SlotChange slot;
};

struct StorageIdHasher {
    uint64_t operator()(uint32_t id) const noexcept { return (id * 0x9e3779b97f4a7c15ULL) >> 32; }
};

struct CodeUse {
    const Code* code;
    bool is_change;  // comes or goes, so that its bytes are needed; false, too, where a witness has the hash alone
};

AccountValues values_of(const AccountRecord& record) noexcept {
    AccountValues values;
    if (record.exists)
        values = {record.balance, record.nonce, 0, true};
    return values;
}

const Code* code_of(const AccountRecord& record) noexcept { return record.exists ? record.code : nullptr; }

u256 number_of(const Hash& hash) noexcept { return from_big_endian(hash.bytes, 32); }

}  // namespace

void StateChanges::clear() noexcept {
    for (const ChangedCode& each : codes)
        if (each.code != nullptr)
            each.code->release();
    codes.clear();
    accounts.clear();
    slots.clear();
}

bool StateChanges::has_inverse() const noexcept {
    return std::none_of(accounts.begin(), accounts.end(), [&](const AccountChange& each) {
        const uint32_t code = each.before.code;
        const bool is_lost = code != 0 && code != each.after.code && codes[code - 1].code == nullptr;
        return is_lost || each.storage == StorageFate::CLEARED_UNKNOWN;
    });
}

bool StateChanges::invert(StateChanges* out) const noexcept {
    out->clear();
    if (!out->accounts.assign(accounts) || !out->slots.assign(slots) || !out->codes.assign(codes)) {
        out->codes.clear();  // holds no references yet
        out->clear();
        return false;
    }
    for (const ChangedCode& each : out->codes)
        if (each.code != nullptr)
            each.code->acquire();
    for (AccountChange& account : out->accounts)
        std::swap(account.before, account.after);
    for (SlotChange& slot : out->slots)
        std::swap(slot.before, slot.after);
    return true;
}

bool StateChanges::operator==(const StateChanges& other) const noexcept {
    return std::equal(accounts.begin(), accounts.end(), other.accounts.begin(), other.accounts.end(),
                      [](const AccountChange& a, const AccountChange& b) {
                          return a.address == b.address && a.storage == b.storage && a.before == b.before &&
                                 a.after == b.after && a.slot_count == b.slot_count;
                      }) &&
           std::equal(slots.begin(), slots.end(), other.slots.begin(), other.slots.end(),
                      [](const SlotChange& a, const SlotChange& b) {
                          return a.key == b.key && a.before == b.before && a.after == b.after;
                      }) &&
           std::equal(codes.begin(), codes.end(), other.codes.begin(), other.codes.end(),
                      [](const ChangedCode& a, const ChangedCode& b) {
                          return a.hash == b.hash && (a.code == nullptr) == (b.code == nullptr);
                      });
}

size_t StateChanges::size_bytes() const noexcept {
    size_t size = accounts.capacity() * sizeof(AccountChange) + slots.capacity() * sizeof(SlotChange) +
                  codes.capacity() * sizeof(ChangedCode);
    for (const ChangedCode& each : codes)
        if (each.code != nullptr)
            size += sizeof(Code) + each.code->size;
    return size;
}

Status World::changes_since(uint64_t checkpoint, Poll* poll, StateChanges* out, MissingKey* missing) const noexcept {
    const auto stopped = [poll] {
        return poll != nullptr && poll->abort.load(std::memory_order_relaxed) ? Status::ABORTED : Status::OUT_OF_MEMORY;
    };
    out->clear();
    const size_t found = find_checkpoint(checkpoint);
    if (found == checkpoints_.size())
        return Status::INTERNAL;
    const Checkpoint& from = checkpoints_[found];
    bool inserted;

    // The first entry of each account and slot in the log has the value to start from.
    Vector<Written> written;
    FlatMap<uint32_t, uint8_t, PlaceHasher> seen;
    FlatMap<uint32_t, StorageOwner, StorageIdHasher> owners;
    if (!seen.reserve(account_undo_.size() - from.account_undo_size))
        return stopped();
    bool has_wiped_slots = false;
    for (size_t i = from.account_undo_size; i < account_undo_.size(); ++i) {
        const AccountUndo& undo = account_undo_[i];
        if (seen.insert_or_find(undo.place, &inserted) == nullptr)
            return stopped();
        if (!inserted)
            continue;
        if (!knows(undo.record, KNOWS_ACCOUNT) || !knows(record(undo.place), KNOWS_ACCOUNT)) {
            *missing = MissingKey{};
            missing->address = undo.record.address;
            return Status::MISSING_STATE;
        }
        const uint32_t after_id = record(undo.place).storage_id;
        const bool is_wiped = undo.record.storage_id != after_id;
        const auto account = static_cast<uint32_t>(written.size());
        if (!written.push_back({&undo.record, undo.place, 0, is_wiped}))
            return stopped();
        has_wiped_slots |= is_wiped && undo.record.slot_count != 0;
        StorageOwner* owner = owners.insert_or_find(undo.record.storage_id, &inserted);
        if (owner == nullptr)
            return stopped();
        *owner = {account, true, !is_wiped};
        if (is_wiped) {
            owner = owners.insert_or_find(after_id, &inserted);
            if (owner == nullptr)
                return stopped();
            *owner = {account, false, true};
        }
        if (i % POLLED_PIECE == 0 && should_stop(poll))
            return stopped();
    }
    Vector<uint32_t> order;
    for (uint32_t i = 0; i < written.size(); ++i)
        if (!order.push_back(i))
            return stopped();
    if (!sort_polled(
            order.begin(), order.size(),
            [&](uint32_t a, uint32_t b) { return written[a].before->address < written[b].before->address; }, poll))
        return stopped();
    for (uint32_t rank = 0; rank < order.size(); ++rank)
        written[order[rank]].rank = rank;

    FlatMap<SlotKey, u256, SeededHash> earlier;
    if (!earlier.reserve(new_slots_.size() - from.new_slots_size + slot_undo_.size() - from.slot_undo_size))
        return stopped();
    // A local state's were read, and then written.
    for (size_t i = from.new_slots_size; local_ == nullptr && i < new_slots_.size(); ++i) {
        *earlier.insert_or_find(new_slots_[i], &inserted) = u256{};  // there is room
        const StorageOwner* owner = is_strict_ ? owners.find(new_slots_[i].account) : nullptr;
        if (owner != nullptr && owner->is_before && absent_slot(written[owner->account].before) != Status::RUNNING) {
            *missing = MissingKey{};
            missing->address = written[owner->account].before->address;
            missing->slot = new_slots_[i].slot;
            missing->is_slot = true;
            return Status::MISSING_STATE;
        }
    }
    for (size_t i = from.slot_undo_size; i < slot_undo_.size(); ++i) {
        u256* value = earlier.insert_or_find(slot_undo_[i].key, &inserted);
        if (inserted)
            *value = slot_undo_[i].value;
        if (i % POLLED_PIECE == 0 && should_stop(poll))
            return stopped();
    }
    Vector<FoundSlot> slots;
    bool is_ok = true;
    earlier.for_each([&](const SlotKey& key, const u256& before) {
        const StorageOwner* owner = owners.find(key.account);
        if (owner == nullptr || !owner->is_after)  // of a life in between; what a wiped storage had is found below
            return;
        const u256 after = stored(key)->value;
        const u256 was = owner->is_before ? before : u256{};
        if (!(was == after))
            is_ok = slots.push_back({written[owner->account].rank, {key.slot, was, after}}) && is_ok;
    });
    if (!is_ok)
        return stopped();
    for (size_t begin = 0; has_wiped_slots && begin < slot_places(); begin += POLLED_PIECE) {
        if (should_stop(poll))
            return stopped();
        for_each_slot_in(begin, begin + POLLED_PIECE, [&](const SlotKey& key, const u256& value) {
            const StorageOwner* owner = owners.find(key.account);
            if (owner == nullptr || !owner->is_before || owner->is_after)
                return;
            const u256* undone = earlier.find(key);
            const u256 before = undone != nullptr ? *undone : value;
            if (!before.is_zero())
                is_ok = slots.push_back({written[owner->account].rank, {key.slot, before, u256{}}}) && is_ok;
        });
    }
    if (!is_ok ||
        !sort_polled(
            slots.begin(), slots.size(),
            [](const FoundSlot& a, const FoundSlot& b) { return a.rank != b.rank ? a.rank < b.rank : a.slot.key < b.slot.key; },
            poll))
        return stopped();

    Vector<CodeUse> uses;
    Vector<const Code*> codes_of;  // before and after, of each account that is kept
    size_t next = 0;
    for (uint32_t rank = 0; rank < order.size(); ++rank) {
        const Written& each = written[order[rank]];
        const AccountRecord& now = record(each.place);
        AccountChange change;
        change.address = now.address;
        change.before = values_of(*each.before);
        change.after = values_of(now);
        const size_t first = out->slots.size();
        bool differs = false;
        for (; next < slots.size() && slots[next].rank == rank; ++next) {
            const SlotChange& slot = slots[next].slot;
            if (out->slots.size() > first && out->slots.back().key == slot.key) {  // both lives had it
                SlotChange& both = out->slots.back();
                both.before = both.before.is_zero() ? slot.before : both.before;
                both.after = both.after.is_zero() ? slot.after : both.after;
            } else if (!out->slots.push_back(slot)) {
                return stopped();
            }
        }
        for (size_t i = first; i < out->slots.size(); ++i)
            differs |= !(out->slots[i].before == out->slots[i].after);
        if (each.is_wiped && (each.before->slot_count != 0 || each.before->other_slots != OtherSlots::NONE))
            change.storage = each.before->other_slots != OtherSlots::NONE ? StorageFate::CLEARED_UNKNOWN : StorageFate::CLEARED;
        change.slot_count = static_cast<uint32_t>(out->slots.size() - first);
        const Code* was = code_of(*each.before);
        const Code* is = code_of(now);
        const bool is_other_code = !(hash_of(was) == hash_of(is));
        if (change.before == change.after && !is_other_code && !differs && change.storage != StorageFate::CLEARED_UNKNOWN) {
            out->slots.truncate(first);
            continue;
        }
        if (!out->accounts.push_back(change) || !codes_of.push_back(was) || !codes_of.push_back(is))
            return stopped();
        for (const Code* code : {was, is})
            if (code != nullptr && !uses.push_back({code, is_other_code && code->has_bytes()}))
                return stopped();
    }

    if (!sort_polled(
            uses.begin(), uses.size(),
            [](const CodeUse& a, const CodeUse& b) {
                return a.code->hash == b.code->hash ? a.is_change > b.is_change : a.code->hash < b.code->hash;
            },
            poll))
        return stopped();
    for (const CodeUse& use : uses) {
        if (!out->codes.empty() && out->codes.back().hash == use.code->hash)
            continue;
        if (!out->codes.push_back({use.code->hash, nullptr}))
            return stopped();
        if (use.is_change)
            out->codes.back().code = use.code->acquire();
    }
    const auto number = [&](const Code* code) -> uint32_t {
        if (code == nullptr)
            return 0;
        const ChangedCode* at = std::lower_bound(out->codes.begin(), out->codes.end(), code->hash,
                                                 [](const ChangedCode& each, const Hash& hash) { return each.hash < hash; });
        return static_cast<uint32_t>(at - out->codes.begin()) + 1;
    };
    for (size_t i = 0; i < out->accounts.size(); ++i) {
        out->accounts[i].before.code = number(codes_of[2 * i]);
        out->accounts[i].after.code = number(codes_of[2 * i + 1]);
    }
    return Status::RUNNING;
}

Status World::apply_changes(const StateChanges& changes, bool checks, Poll* poll, ChangeMismatch* mismatch) noexcept {
    const auto differs = [&](ChangeMismatch::Field field, const u256& have, const u256& want) {
        mismatch->field = field;
        mismatch->have = have;
        mismatch->want = want;
        return Status::INTERNAL;
    };
    const SlotChange* slot = changes.slots.begin();
    size_t cells = 0;
    for (const AccountChange& change : changes.accounts) {
        if (cells >= POLLED_PIECE) {
            cells = 0;
            if (should_stop(poll))
                return Status::ABORTED;
        }
        cells += 1 + change.slot_count;
        const SlotChange* const end = slot + change.slot_count;
        const AccountValues &before = change.before, &after = change.after;
        AccountState state;
        mismatch->address = change.address;
        mismatch->field = ChangeMismatch::NONE;
        Status status = account(change.address, &state);
        if (status != Status::RUNNING)
            return status;
        if (checks) {
            if (state.exists != before.exists)
                return differs(ChangeMismatch::EXISTENCE, u256{state.exists}, u256{before.exists});
            if (state.balance != before.balance)
                return differs(ChangeMismatch::BALANCE, state.balance, before.balance);
            if (state.nonce != before.nonce)
                return differs(ChangeMismatch::NONCE, u256{state.nonce}, u256{before.nonce});
            if (!(hash_of(state.code) == changes.code_hash(before)))
                return differs(ChangeMismatch::CODE, number_of(hash_of(state.code)), number_of(changes.code_hash(before)));
            uint32_t count = 0;
            for (const SlotChange* each = slot; each != end; ++each) {
                u256 value;
                mismatch->key = each->key;
                status = this->slot(change.address, each->key, &value);
                if (status != Status::RUNNING) {
                    mismatch->field = ChangeMismatch::SLOT;
                    return status;
                }
                if (value != each->before)
                    return differs(ChangeMismatch::SLOT, value, each->before);
                count += !value.is_zero();
            }
            // Of a storage that goes, all slots are listed.
            const uint32_t have = state.place != NO_PLACE ? record(state.place).slot_count : 0;
            const bool is_whole =
                change.storage == StorageFate::CLEARED || (change.storage == StorageFate::KEPT && !after.exists);
            if (is_whole && local_ == nullptr && have != count)
                return differs(ChangeMismatch::SLOT_COUNT, u256{have}, u256{count});
        }
        const bool is_wiped = change.storage != StorageFate::KEPT || (!after.exists && state.has_storage);
        const Code* code = nullptr;
        if (after.code != 0) {
            const ChangedCode& named = changes.codes[after.code - 1];
            code = named.code != nullptr ? named.code : state.code;
            if (!(hash_of(code) == named.hash))
                return differs(ChangeMismatch::NO_CODE, number_of(hash_of(state.code)), number_of(named.hash));
        }
        AccountState next = state;
        next.balance = after.balance;
        next.nonce = after.nonce;
        next.code = code;
        next.exists = after.exists;
        status = put(change.address, next, is_wiped);
        for (; slot != end; ++slot)
            if (status == Status::RUNNING && after.exists && !(is_wiped && slot->after.is_zero()))
                status = set_slot_of(change.address, slot->key, slot->after);
        if (status != Status::RUNNING)
            return status;
    }
    return Status::RUNNING;
}

}  // namespace evmcore
