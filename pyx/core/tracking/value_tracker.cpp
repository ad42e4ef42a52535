// What each instruction does with tracked words. Yellow Paper appendix H; prices of SSTORE: EIP-1283, EIP-2200.
#include "value_tracker.hpp"

#include <cstdlib>

namespace evmcore {

namespace {

JournalSlot* unpinned(JournalSlot* slot) noexcept { return slot != nullptr && slot->range != nullptr ? slot : nullptr; }

// Whether the word, of this slot, is `other`.
void keep_equality(JournalSlot* slot, const u256& word, const u256& other) noexcept {
    if (slot->range == nullptr)
        return;
    if (word == other)
        slot->range = nullptr;
    else
        slot->range->keep_unequal(slot->original, word, other);
}

// Whether a < b, of which one at least depends on a slot; two different ones are pinned already.
void keep_order(JournalSlot* of_a, const u256& a, JournalSlot* of_b, const u256& b) noexcept {
    if (of_a == of_b) {
        of_a->range->keep_carry(of_a->original, a);
        of_a->range->keep_carry(of_a->original, b);
    } else if (of_a != nullptr) {
        of_a->range->keep_less(of_a->original, a, b);
    } else {
        of_b->range->keep_greater(of_b->original, b, a);
    }
}

// Whether word & mask is the word, for all values of the range from now on: the mask is 2^k - 1, and the word is below.
bool keep_mask(JournalSlot* slot, const u256& word, const u256& mask) noexcept {
    if (!(mask & (mask + u256{1})).is_zero() || word > mask)
        return false;
    slot->range->keep_greater(slot->original, word, mask);
    return true;
}

}  // namespace

ValueTracker::~ValueTracker() { std::free(origins_); }

bool ValueTracker::open(const u256* stack_arena, size_t item_count) noexcept {
    if (origins_ == nullptr) {
        origins_ = static_cast<JournalSlot**>(std::malloc(sizeof(JournalSlot*) * item_count));
        stack_arena_ = stack_arena;
    }
    return origins_ != nullptr;
}

void ValueTracker::track_load(Journal* journal, JournalAccount* self, JournalSlot** top, const u256* top_item) noexcept {
    pin(top[0]);
    JournalSlot* const slot = journal->peek_slot(self, top_item[0]);
    if (slot == nullptr)
        return;  // no memory; the instruction finds that, too
    if (!slot->is_loaded && slot->range == nullptr)
        slot->range = journal->add_range();
    top[0] = unpinned(slot);
}

void ValueTracker::track_store(Journal* journal, JournalAccount* self, JournalSlot** top, const u256* top_item) noexcept {
    pin(top[0]);
    JournalSlot* const slot = journal->peek_slot(self, top_item[0]);
    if (slot == nullptr)
        return;
    if (unpinned(top[-1]) != slot) {
        pin(top[-1]);
        pin(slot);
        return;
    }
    // The price of a write and what it gives back depend on whether these are zero, and whether they are equal; they differ from
    // each other by constants.
    keep_equality(slot, slot->original, u256{});
    keep_equality(slot, slot->value, u256{});
    keep_equality(slot, top_item[-1], u256{});
}

void ValueTracker::track_pair(unsigned op, JournalSlot** top, const u256* top_item) noexcept {
    JournalSlot* a = unpinned(top[0]);
    JournalSlot* b = unpinned(top[-1]);
    const u256& word_a = top_item[0];
    const u256& word_b = top_item[-1];
    top[-1] = nullptr;
    if (a != nullptr && b != nullptr && a != b) {
        // Of two slots one is pinned; a comparison or a mask pins both.
        pin(b);
        b = nullptr;
        if (op != OP_ADD && op != OP_SUB) {
            pin(a);
            return;
        }
    }
    if (a == nullptr && b == nullptr)
        return;
    JournalSlot* const one = a != nullptr ? a : b;
    const u256& word = a != nullptr ? word_a : word_b;
    const u256& other = a != nullptr ? word_b : word_a;
    switch (op) {
    case OP_ADD:
        if (a == b)
            pin(a);  // twice as much
        top[-1] = one;
        return;
    case OP_SUB:
        if (a == nullptr)
            pin(b);  // falls as the slot grows
        else if (b == nullptr)
            top[-1] = a;
        return;
    case OP_LT: keep_order(a, word_a, b, word_b); return;
    case OP_GT: keep_order(b, word_b, a, word_a); return;
    case OP_EQ:
        if (a != b)
            keep_equality(one, word, other);
        return;
    default:
        if (a != b && keep_mask(one, word, other))
            top[-1] = one;
        else
            pin(one);
        return;
    }
}

void ValueTracker::track_condition(unsigned op, JournalSlot** top, const u256* top_item) noexcept {
    const int place = op == OP_JUMPI ? 1 : 0;
    if (op == OP_JUMPI)
        pin(top[0]);
    if (unpinned(top[-place]) != nullptr)
        keep_equality(top[-place], top_item[-place], u256{});
    if (op == OP_ISZERO)
        top[0] = nullptr;
}

}  // namespace evmcore
