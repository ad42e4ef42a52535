// Follows what a program does with the slots that it reads: as long as a value is only added to, compared and written back to
// where it came from, the run depends on a range of it, and not on the value itself (SlotGuard). Any other use pins it.
// Slow, some nanoseconds an instruction: for storage that transactions have been in conflict over. Owned by one machine.
#pragma once

#include "../state/journal.hpp"

namespace evmcore {

struct Frame;

class TaintTracker {
  public:
    TaintTracker() = default;
    TaintTracker(const TaintTracker&) = delete;
    TaintTracker& operator=(const TaintTracker&) = delete;
    ~TaintTracker();

    // For a machine whose stacks are `stack_arena`. False when there is no memory, and then nothing is followed.
    bool open(const u256* stack_arena, size_t item_count) noexcept;

    // What the instruction at the frame's pc is about to do. Of a storage's frames in one transaction, all are followed or none.
    void follow(Frame& frame) noexcept;

    // The frame goes on after a call, whose outcome is on top of its stack, where the callee's first item was.
    void resume(const Frame& frame) noexcept;

  private:
    // Beside each item of the stack the slot whose value at the start, plus a constant, it is; null: it is what it is.
    // Its pages are touched only as deep as calls go.
    JournalSlot** origins_ = nullptr;
    const u256* stack_arena_ = nullptr;
};

}  // namespace evmcore
