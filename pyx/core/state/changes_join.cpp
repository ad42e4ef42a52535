// Changes that follow each other, as one.
#include <algorithm>

#include "../base/polled_sort.hpp"
#include "changes.hpp"

namespace evmcore {

namespace {

// One of two sorted changes, on the way through its accounts.
struct Side {
    const StateChanges* changes;
    size_t account = 0;
    const SlotChange* slot = changes->slots.begin();

    bool is_at_end() const noexcept { return account == changes->accounts.size(); }
    const AccountChange& at() const noexcept { return changes->accounts[account]; }
    const SlotChange* slots_end() const noexcept { return slot + at().slot_count; }
    void next() noexcept {
        slot = slots_end();
        ++account;
    }
};

class Joiner {
public:
    Joiner(const StateChanges& first, const StateChanges& second, Poll* poll, StateChanges* out,
           ChangeMismatch* mismatch) noexcept
        : first_{&first}, second_{&second}, poll_{poll}, out_{out}, mismatch_{mismatch} {}

    Status join() noexcept {
        size_t cells = 0;
        while (!first_.is_at_end() || !second_.is_at_end()) {
            if (cells >= POLLED_PIECE && should_stop(poll_))
                return stopped(poll_);
            cells = cells >= POLLED_PIECE ? 0 : cells;
            const bool has_first =
                second_.is_at_end() || (!first_.is_at_end() && !(second_.at().address < first_.at().address));
            const bool has_second =
                first_.is_at_end() || (!second_.is_at_end() && !(first_.at().address < second_.at().address));
            const Status status = has_first && has_second ? put_both() : put_one(has_first ? first_ : second_);
            if (status != Status::RUNNING)
                return status;
            cells += 1 + (has_first ? first_.at().slot_count : 0) + (has_second ? second_.at().slot_count : 0);
            if (has_first)
                first_.next();
            if (has_second)
                second_.next();
        }
        return out_->put_codes(&uses_, hashes_, poll_) ? Status::RUNNING : stopped(poll_);
    }

private:
    Status put_one(const Side& side) noexcept {
        const AccountChange& change = side.at();
        const bool is_done = out_->slots.append(side.slot, change.slot_count) &&
                             put_account(change, side.changes->code_hash(change.before), side.changes->code_hash(change.after));
        return is_done ? Status::RUNNING : Status::OUT_OF_MEMORY;
    }

    // What the earlier change left and what the later one began with are the same, or `mismatch` tells.
    Status put_both() noexcept {
        const AccountChange &earlier = first_.at(), &later = second_.at();
        const AccountValues &left = earlier.after, &found = later.before;
        mismatch_->address = earlier.address;
        const Hash &left_code = first_.changes->code_hash(left), &found_code = second_.changes->code_hash(found);
        if (left.exists != found.exists)
            return differs(ChangeMismatch::EXISTENCE, u256{left.exists}, u256{found.exists});
        if (left.balance != found.balance)
            return differs(ChangeMismatch::BALANCE, left.balance, found.balance);
        if (left.nonce != found.nonce)
            return differs(ChangeMismatch::NONCE, u256{left.nonce}, u256{found.nonce});
        if (!(left_code == found_code))
            return differs(ChangeMismatch::CODE, from_hash(left_code), from_hash(found_code));

        AccountChange change;
        change.address = earlier.address;
        change.before = earlier.before;
        change.after = later.after;
        change.storage = std::max(earlier.storage, later.storage);
        const size_t begin = out_->slots.size();
        const Status status = put_slots();
        if (status != Status::RUNNING)
            return status;
        settle(&change, begin);
        const Hash &before = first_.changes->code_hash(change.before), &after = second_.changes->code_hash(change.after);
        AccountValues was = change.before, is = change.after;
        was.code = is.code = 0;  // numbers of two tables
        if (was == is && before == after && !any_differs(begin) && change.storage != StorageFate::CLEARED_UNKNOWN) {
            out_->slots.truncate(begin);
            return Status::RUNNING;
        }
        return put_account(change, before, after) ? Status::RUNNING : Status::OUT_OF_MEMORY;
    }

    Status put_slots() noexcept {
        const AccountChange &earlier = first_.at(), &later = second_.at();
        // Of a storage that began in the earlier one, or that ends in the later one, all slots are listed there.
        const bool begins = earlier.storage != StorageFate::KEPT || !earlier.before.exists;
        const bool ends = later.storage != StorageFate::KEPT || !later.after.exists;
        const SlotChange *a = first_.slot, *b = second_.slot;
        const SlotChange *const a_end = first_.slots_end(), *const b_end = second_.slots_end();
        while (a != a_end || b != b_end) {
            const bool has_a = b == b_end || (a != a_end && !(b->key < a->key));
            const bool has_b = a == a_end || (b != b_end && !(a->key < b->key));
            SlotChange slot = has_a ? *a : *b;
            mismatch_->key = slot.key;
            if (has_a && has_b) {
                if (a->after != b->before)
                    return differs(ChangeMismatch::SLOT, a->after, b->before);
                slot.after = b->after;
            } else if (has_a && ends) {
                if (!a->after.is_zero() && later.storage != StorageFate::CLEARED_UNKNOWN)
                    return differs(ChangeMismatch::SLOT, a->after, u256{});
                slot.after = u256{};
            } else if (has_b && begins && !b->before.is_zero()) {
                return differs(ChangeMismatch::SLOT, u256{}, b->before);
            }
            if (!out_->slots.push_back(slot))
                return Status::OUT_OF_MEMORY;
            a += has_a;
            b += has_b;
        }
        return Status::RUNNING;
    }

    // As one change has it: a life that ended without slots left no trace, and equal values are listed only of one that ended with some.
    void settle(AccountChange* change, size_t begin) noexcept {
        Vector<SlotChange>& slots = out_->slots;
        const bool had_slots =
            std::any_of(slots.begin() + begin, slots.end(), [](const SlotChange& slot) { return !slot.before.is_zero(); });
        if (change->storage == StorageFate::CLEARED && !had_slots)
            change->storage = StorageFate::KEPT;
        if (change->storage == StorageFate::KEPT && !change->after.exists && had_slots)
            change->storage = StorageFate::CLEARED;
        const bool is_kept = change->storage == StorageFate::KEPT;
        const SlotChange* end = std::remove_if(slots.begin() + begin, slots.end(), [&](const SlotChange& slot) {
            return slot.before == slot.after && (is_kept || slot.after.is_zero());
        });
        slots.truncate(static_cast<size_t>(end - slots.begin()));
        change->slot_count = static_cast<uint32_t>(slots.size() - begin);
    }

    bool any_differs(size_t begin) const noexcept {
        return std::any_of(out_->slots.begin() + begin, out_->slots.end(),
                           [](const SlotChange& slot) { return !(slot.before == slot.after); });
    }

    bool put_account(const AccountChange& change, const Hash& before, const Hash& after) noexcept {
        const bool is_other = !(before == after);
        if (!out_->accounts.push_back(change) || !hashes_.push_back(before) || !hashes_.push_back(after))
            return false;
        for (const Hash& hash : {before, after})
            if (!(hash == EMPTY_KECCAK) && !uses_.push_back({hash, is_other ? bytes_of(hash) : nullptr}))
                return false;
        return true;
    }

    const Code* bytes_of(const Hash& hash) const noexcept {
        const Code* found = first_.changes->find_code(hash);
        return found != nullptr ? found : second_.changes->find_code(hash);
    }

    Status differs(ChangeMismatch::Field field, const u256& have, const u256& want) noexcept {
        mismatch_->field = field;
        mismatch_->have = have;
        mismatch_->want = want;
        return Status::INTERNAL;
    }

    Side first_, second_;
    Poll* poll_;
    StateChanges* out_;
    ChangeMismatch* mismatch_;
    Vector<CodeUse> uses_;
    Vector<Hash> hashes_;  // of the codes before and after, of each account
};

}  // namespace

Status StateChanges::join(const StateChanges& first, const StateChanges& second, Poll* poll,
                          ChangeMismatch* mismatch) noexcept {
    clear();
    return Joiner{first, second, poll, this, mismatch}.join();
}

}  // namespace evmcore
