// Flow: jumps, the ends of a frame, PC and GAS. Yellow Paper 9.4.3 and appendix H; EIP-140, EIP-141.
#pragma once

#include "../cursor.hpp"

namespace evmcore::op {

template <IsLoopCursor C>
EVMCORE_INLINE Status jump_to(C& c, const u256& target) noexcept {
    Frame& f = c.frame;
    if (EVMCORE_UNLIKELY(!target.fits_u64() || target.limb[0] >= f.code_size))
        return Status::BAD_JUMP_DESTINATION;
    const uint64_t place = target.limb[0];
    if (EVMCORE_UNLIKELY(!(f.jump_destinations[place / 64] >> (place % 64) & 1)))
        return Status::BAD_JUMP_DESTINATION;
    // The loop adds one: a traced run stops at the JUMPDEST, a plain one pays for it here and passes over it.
    c.pc = f.code + place;
    if constexpr (C::is_traced) {
        --c.pc;
    } else if (!c.charge(fixed_gas(OP_JUMPDEST))) {
        return Status::OUT_OF_GAS;
    }
    if (EVMCORE_UNLIKELY(c.gas < f.poll_below)) {
        f.poll_below = c.gas - POLL_GAS;
        if (f.machine->poll.poll(POLL_GAS))
            return Status::ABORTED;
    }
    return Status::RUNNING;
}

template <IsLoopCursor C>
EVMCORE_INLINE Status jump(C& c) noexcept {
    c.drop();
    return jump_to(c, c.top(-1));
}

template <IsLoopCursor C>
EVMCORE_INLINE Status jumpi(C& c) noexcept {
    c.drop(2);
    if (c.top(-1).is_zero())
        return Status::RUNNING;
    return jump_to(c, c.top(-2));
}

EVMCORE_INLINE void jumpdest(Cursor&) noexcept {}
EVMCORE_INLINE void pc(Cursor& c) noexcept { c.push(u256{static_cast<uint64_t>(c.pc - c.frame.code)}); }
EVMCORE_INLINE void gas(Cursor& c) noexcept { c.push(u256{static_cast<uint64_t>(c.gas)}); }

inline Status stop(Frame& f) noexcept {
    f.machine->return_data.clear();
    return Status::SUCCESS;
}
inline Status invalid(Frame&) noexcept { return Status::INVALID_INSTRUCTION; }

// The output goes to the machine's return data, which nobody else needs once this frame ends.
inline Status end_with_output(Frame& f, Status end) noexcept {
    const u256 offset = f.pop();
    const u256 size = f.pop();
    uint64_t begin, count;
    if (const Status status = extend(f, offset, size, &begin, &count); status != Status::RUNNING)
        return status;
    if (count > limit::OUTPUT_BYTES)
        return Status::OUTPUT_LIMIT;
    return f.machine->return_data.assign(f.memory + begin, count) ? end : Status::OUT_OF_MEMORY;
}
inline Status return_(Frame& f) noexcept { return end_with_output(f, Status::SUCCESS); }
inline Status revert(Frame& f) noexcept { return end_with_output(f, Status::REVERT); }

}  // namespace evmcore::op
