// Follows what a program does with the slots that it reads: as long as a value is only added to, compared and written back to
// where it came from, the run depends on a range of it, and not on the value itself (SlotGuard). Any other use pins it.
// For storage that transactions have been in conflict over, in a loop of its own. Owned by one machine.
#pragma once

#include <utility>

#include "../rules/rules.hpp"
#include "../state/journal.hpp"

namespace evmcore {

class TaintTracker {
  public:
    TaintTracker() = default;
    TaintTracker(const TaintTracker&) = delete;
    TaintTracker& operator=(const TaintTracker&) = delete;
    ~TaintTracker();

    // For a machine whose stacks are `stack_arena`. False when there is no memory, and then nothing is followed.
    bool open(const u256* stack_arena, size_t item_count) noexcept;

    // Before an instruction whose items are there: it takes POPS from the stack, whose top is `top_item`, and leaves PUSHES.
    // Of a storage's frames in one transaction, all are followed or none.
    template <unsigned OP, int POPS, int PUSHES>
    EVMCORE_INLINE void follow(Journal* journal, JournalAccount* self, const u256* top_item) noexcept {
        JournalSlot** const top = origins_ + (top_item - stack_arena_);
        if constexpr (OP >= OP_DUP1 && OP <= OP_DUP16) {
            top[1] = *(top - static_cast<int>(OP - OP_DUP1));
        } else if constexpr (OP >= OP_SWAP1 && OP <= OP_SWAP16) {
            std::swap(*top, *(top - 1 - static_cast<int>(OP - OP_SWAP1)));
        } else if constexpr (OP == OP_POP) {
            return;
        } else if constexpr (OP == OP_SLOAD) {
            follow_load(journal, self, top, top_item);
        } else if constexpr (OP == OP_SSTORE) {
            follow_store(journal, self, top, top_item);
        } else if constexpr (OP == OP_ADD || OP == OP_SUB || OP == OP_AND || OP == OP_LT || OP == OP_GT || OP == OP_EQ) {
            if (EVMCORE_UNLIKELY(top[0] != nullptr || top[-1] != nullptr))
                follow_two(OP, top, top_item);
        } else if constexpr (OP == OP_ISZERO || OP == OP_JUMPI) {
            if (EVMCORE_UNLIKELY(top[0] != nullptr || top[1 - POPS] != nullptr))
                follow_condition(OP, top, top_item);
        } else {
            for (int i = 0; i < POPS; ++i)
                pin(top[-i]);
            for (int i = 0; i < PUSHES; ++i)
                top[1 - POPS + i] = nullptr;
        }
    }

    // The frame goes on after a call, whose outcome is on top of its stack, where the callee's first item was.
    void resume(const u256* top_item) noexcept { origins_[top_item - stack_arena_] = nullptr; }

  private:
    // The run depends on the very value from now on.
    static void pin(JournalSlot* slot) noexcept {
        if (EVMCORE_UNLIKELY(slot != nullptr))
            slot->guard = nullptr;
    }
    static void follow_load(Journal* journal, JournalAccount* self, JournalSlot** top, const u256* top_item) noexcept;
    static void follow_store(Journal* journal, JournalAccount* self, JournalSlot** top, const u256* top_item) noexcept;
    static void follow_two(unsigned op, JournalSlot** top, const u256* top_item) noexcept;
    static void follow_condition(unsigned op, JournalSlot** top, const u256* top_item) noexcept;

    // Beside each item of the stack the slot whose value at the start, plus a constant, it is; null: it is what it is.
    // Its pages are touched only as deep as calls go.
    JournalSlot** origins_ = nullptr;
    const u256* stack_arena_ = nullptr;
};

}  // namespace evmcore
