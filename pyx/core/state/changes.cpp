// Changes: applying, inverting and comparing them.
#include "changes.hpp"

#include <algorithm>

#include "../base/polled_sort.hpp"
#include "world.hpp"

namespace evmcore {

namespace {

const ChangedCode* lower_bound_of(const Vector<ChangedCode>& codes, const Hash& hash) noexcept {
    return std::lower_bound(codes.begin(), codes.end(), hash,
                            [](const ChangedCode& each, const Hash& wanted) { return each.hash < wanted; });
}

}  // namespace

void StateChanges::clear() noexcept {
    for (const ChangedCode& each : codes)
        if (each.code != nullptr)
            each.code->release();
    codes.clear();
    accounts.clear();
    slots.clear();
}

const Code* StateChanges::find_code(const Hash& hash) const noexcept {
    const ChangedCode* at = lower_bound_of(codes, hash);
    return at != codes.end() && at->hash == hash ? at->code : nullptr;
}

bool StateChanges::put_codes(Vector<CodeUse>* uses, const Vector<Hash>& hashes, Poll* poll) noexcept {
    const auto is_before = [](const CodeUse& a, const CodeUse& b) {
        return a.hash == b.hash ? (a.code != nullptr) > (b.code != nullptr) : a.hash < b.hash;
    };
    if (!sort_polled(uses->begin(), uses->size(), is_before, poll))
        return false;
    for (const CodeUse& use : *uses) {
        if (!codes.empty() && codes.back().hash == use.hash)
            continue;
        if (!codes.push_back({use.hash, nullptr}))
            return false;
        if (use.code != nullptr)
            codes.back().code = use.code->acquire();
    }
    const auto number = [this](const Hash& hash) {
        return hash == EMPTY_KECCAK ? 0 : static_cast<uint32_t>(lower_bound_of(codes, hash) - codes.begin()) + 1;
    };
    for (size_t i = 0; i < accounts.size(); ++i) {
        accounts[i].before.code = number(hashes[2 * i]);
        accounts[i].after.code = number(hashes[2 * i + 1]);
    }
    return true;
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
                return differs(ChangeMismatch::CODE, from_hash(hash_of(state.code)), from_hash(changes.code_hash(before)));
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
                return differs(ChangeMismatch::NO_CODE, from_hash(hash_of(state.code)), from_hash(named.hash));
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
