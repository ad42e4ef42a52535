// The range of values that a slot may have had when a transaction began, for its execution to take the same path and to change the slot
// by the same difference. A slot that is only added to and compared is re-based within it: no other execution is needed.
#pragma once

#include "../math/u256.hpp"

namespace evmcore {

// `seen` is the slot's value when the transaction began, `sum` a word of the execution that differs from it by a constant, mod 2^256.
// Each `keep` narrows the range until the comparison has the same answer for all values in it; `seen` always is.
struct SlotRange {
    u256 lowest;
    u256 highest = U256_MAX;

    bool admits(const u256& value) const noexcept { return lowest <= value && value <= highest; }

    // Whether sum < bound.
    void keep_less(const u256& seen, const u256& sum, const u256& bound) noexcept {
        keep_carry(seen, sum);
        if (sum < bound)
            at_most(seen, bound - sum - u256{1});
        else
            at_least(seen, sum - bound);
    }
    // Whether sum > bound.
    void keep_greater(const u256& seen, const u256& sum, const u256& bound) noexcept {
        keep_carry(seen, sum);
        if (sum > bound)
            at_least(seen, sum - bound - u256{1});
        else
            at_most(seen, bound - sum);
    }
    // That sum != other, which is so: one value is excluded, with all on its far side.
    void keep_unequal(const u256& seen, const u256& sum, const u256& other) noexcept {
        const u256 excluded = seen + (other - sum);
        if (excluded < seen)
            lowest = lowest > excluded ? lowest : excluded + u256{1};
        else
            highest = highest < excluded ? highest : excluded - u256{1};
    }
    // Whether the sum passes 2^256: where it does for all or for none, it grows with the slot.
    void keep_carry(const u256& seen, const u256& sum) noexcept {
        if (sum >= seen)
            at_most(seen, U256_MAX - sum);
        else
            lowest = lowest > seen - sum ? lowest : seen - sum;
    }

private:
    void at_most(const u256& seen, const u256& more) noexcept {
        const u256 bound = more > U256_MAX - seen ? U256_MAX : seen + more;
        highest = highest < bound ? highest : bound;
    }
    void at_least(const u256& seen, const u256& less) noexcept {
        const u256 bound = less > seen ? u256{} : seen - less;
        lowest = lowest > bound ? lowest : bound;
    }
};

}  // namespace evmcore
