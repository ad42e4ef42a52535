// The interpreter's hot state: program counter, stack top and gas, kept in registers while a frame runs.
// Bodies that take a Cursor are inlined into the loop; bodies that take a Frame are calls, with the cursor synchronised.
#pragma once

#include "frame.hpp"

namespace evmcore {

struct Cursor {
    const uint8_t* pc;
    u256* top_item;
    int64_t gas;
    Frame& frame;

    EVMCORE_INLINE u256& top(int i = 0) noexcept { return top_item[-i]; }
    EVMCORE_INLINE u256 pop() noexcept {
        const u256 word = load(top_item);
        --top_item;
        return word;
    }
    EVMCORE_INLINE void drop(int n = 1) noexcept { top_item -= n; }
    EVMCORE_INLINE void push(const u256& word) noexcept { store(++top_item, word); }
    EVMCORE_INLINE void put(const u256& word) noexcept { store(top_item, word); }
    EVMCORE_INLINE bool charge(int64_t amount) noexcept { return (gas -= amount) >= 0; }

    EVMCORE_INLINE void save() noexcept {
        frame.stack_top = top_item;
        frame.gas = gas;
        frame.pc = pc;
    }
    EVMCORE_INLINE void restore() noexcept {
        top_item = frame.stack_top;
        gas = frame.gas;
    }

    // Makes [offset, offset + size) of memory readable, for a small fixed size.
    EVMCORE_INLINE Status extend(const u256& offset, uint64_t size) noexcept {
        if (EVMCORE_LIKELY(offset.fits_u64() && offset.limb[0] <= MEMORY_END_MAX)) {
            const uint64_t end = offset.limb[0] + size;
            if (EVMCORE_LIKELY(end <= frame.memory_size))
                return Status::RUNNING;
            return grow(end);
        }
        return Status::OUT_OF_GAS;
    }
    EVMCORE_INLINE Status grow(uint64_t end) noexcept {
        frame.gas = gas;
        const Status status = grow_memory(frame, end);
        gas = frame.gas;
        return status;
    }
    EVMCORE_INLINE Status extend(const u256& offset, const u256& size, uint64_t* begin, uint64_t* count) noexcept {
        frame.gas = gas;
        const Status status = evmcore::extend(frame, offset, size, begin, count);
        gas = frame.gas;
        return status;
    }
};

// The same loop for those who look on: a tracer is told of each instruction, a value tracker tells what becomes of slots' values.
enum class Loop { PLAIN, TRACED, TRACKED };

// The loop's own cursor types: a traced run shows each JUMPDEST, the others pass over it as they jump.
template <Loop LOOP>
struct LoopCursor : Cursor {
    static constexpr bool is_traced = LOOP == Loop::TRACED;
};

template <class C>
concept IsLoopCursor = requires { C::is_traced; };

}  // namespace evmcore
