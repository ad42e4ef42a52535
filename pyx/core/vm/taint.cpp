// What each instruction does to words that depend on a slot. Yellow Paper appendix H; prices of SSTORE: EIP-1283, EIP-2200.
#include "taint.hpp"

#include <array>
#include <cstdlib>
#include <utility>

#include "../rules/tables.hpp"
#include "frame.hpp"

namespace evmcore {

namespace {

struct Shape {
    uint16_t pops = 0;
    uint16_t pushes = 0;
};

constexpr std::array<Shape, 256> shapes = [] {
    std::array<Shape, 256> all{};
    for (const OpcodeRow& row : opcode_rows)
        all[static_cast<size_t>(row.number)] = {static_cast<uint16_t>(row.pops), static_cast<uint16_t>(row.pushes)};
    return all;
}();

// The run depends on the very value from now on.
void pin(JournalSlot* slot) noexcept {
    if (slot != nullptr)
        slot->guard = nullptr;
}

JournalSlot* unpinned(JournalSlot* slot) noexcept { return slot != nullptr && slot->guard != nullptr ? slot : nullptr; }

// Whether the word, of this slot, is `other`.
void keep_equality(JournalSlot* slot, const u256& word, const u256& other) noexcept {
    if (word == other)
        pin(slot);
    else if (slot->guard != nullptr)
        slot->guard->keep_unequal(slot->original, word, other);
}

// a < b, of which one at least depends on a slot.
void keep_order(JournalSlot* of_a, const u256& a, JournalSlot* of_b, const u256& b) noexcept {
    if (of_a != nullptr && of_b != nullptr) {
        if (of_a != of_b) {
            pin(of_a);
            pin(of_b);
            return;
        }
        of_a->guard->keep_carry(of_a->original, a);
        of_a->guard->keep_carry(of_a->original, b);
    } else if (of_a != nullptr) {
        of_a->guard->keep_less(of_a->original, a, b);
    } else {
        of_b->guard->keep_greater(of_b->original, b, a);
    }
}

// Whether a & b is one of them unchanged, for all that the guard admits from now on: the other is 2^k - 1, and it is below.
bool keep_mask(JournalSlot* slot, const u256& word, const u256& mask) noexcept {
    if (!(mask & (mask + u256{1})).is_zero() || word > mask)
        return false;
    slot->guard->keep_greater(slot->original, word, mask);
    return true;
}

// The price of a write and what it gives back depend on whether three values are zero, and whether they are equal; these all
// differ from the slot's first one by constants.
void keep_price(JournalSlot* slot, const u256& value) noexcept {
    keep_equality(slot, slot->original, u256{});
    keep_equality(slot, slot->value, u256{});
    keep_equality(slot, value, u256{});
}

}  // namespace

TaintTracker::~TaintTracker() { std::free(origins_); }

bool TaintTracker::open(const u256* stack_arena, size_t item_count) noexcept {
    if (origins_ == nullptr) {
        origins_ = static_cast<JournalSlot**>(std::malloc(sizeof(JournalSlot*) * item_count));
        stack_arena_ = stack_arena;
    }
    return origins_ != nullptr;
}

void TaintTracker::resume(const Frame& frame) noexcept { origins_[frame.stack_top - stack_arena_] = nullptr; }

void TaintTracker::follow(Frame& frame) noexcept {
    const uint8_t op = *frame.pc;
    const Shape shape = shapes[op];
    if (frame.stack_top - frame.stack_base + 1 < shape.pops)
        return;  // the frame ends here
    JournalSlot** const top = origins_ + (frame.stack_top - stack_arena_);
    if (op >= OP_DUP1 && op <= OP_DUP16) {
        top[1] = *(top - (op - OP_DUP1));
        return;
    }
    if (op >= OP_SWAP1 && op <= OP_SWAP16) {
        std::swap(*top, *(top - 1 - (op - OP_SWAP1)));
        return;
    }
    switch (op) {
    case OP_POP:
        return;
    case OP_SLOAD:
    case OP_SSTORE: {
        Journal& journal = frame.machine->journal;
        pin(top[0]);
        JournalSlot* const slot = journal.peek_slot(frame.self, frame.top());
        if (slot == nullptr)
            return;  // no memory; the instruction finds that, too
        if (op == OP_SLOAD) {
            if (!slot->is_loaded && slot->guard == nullptr)
                slot->guard = journal.add_guard();
            top[0] = unpinned(slot);
        } else if (unpinned(top[-1]) == slot) {
            keep_price(slot, frame.top(1));
        } else {
            pin(top[-1]);
            pin(slot);
        }
        return;
    }
    case OP_ADD:
    case OP_SUB:
    case OP_LT:
    case OP_GT:
    case OP_EQ:
    case OP_AND: {
        JournalSlot* const a = unpinned(top[0]);
        JournalSlot* const b = unpinned(top[-1]);
        top[-1] = nullptr;
        if (a == nullptr && b == nullptr)
            return;
        const u256& word_a = frame.top(0);
        const u256& word_b = frame.top(1);
        switch (op) {
        case OP_ADD:
            if (a != nullptr)
                pin(b);
            top[-1] = a != nullptr ? a : b;
            return;
        case OP_SUB:
            if (a != b) {
                pin(b);
                top[-1] = a;
            }
            return;
        case OP_LT:
            keep_order(a, word_a, b, word_b);
            return;
        case OP_GT:
            keep_order(b, word_b, a, word_a);
            return;
        case OP_EQ:
            if (a != nullptr && b != nullptr) {
                if (a != b) {
                    pin(a);
                    pin(b);
                }
            } else {
                keep_equality(a != nullptr ? a : b, a != nullptr ? word_a : word_b, a != nullptr ? word_b : word_a);
            }
            return;
        default:
            if (a != nullptr && b == nullptr && keep_mask(a, word_a, word_b)) {
                top[-1] = a;
            } else if (b != nullptr && a == nullptr && keep_mask(b, word_b, word_a)) {
                top[-1] = b;
            } else {
                pin(a);
                pin(b);
            }
            return;
        }
    }
    case OP_ISZERO:
        if (unpinned(top[0]) != nullptr)
            keep_equality(top[0], frame.top(), u256{});
        top[0] = nullptr;
        return;
    case OP_JUMPI:
        pin(top[0]);
        if (unpinned(top[-1]) != nullptr)
            keep_equality(top[-1], frame.top(1), u256{});
        return;
    default:
        break;
    }
    for (int i = 0; i < shape.pops; ++i)
        pin(top[-i]);
    for (int i = 0; i < shape.pushes; ++i)
        top[1 - static_cast<int>(shape.pops) + i] = nullptr;
}

}  // namespace evmcore
