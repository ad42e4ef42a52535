// Stack: POP, PUSH, DUP, SWAP. The limits were checked from the row.
#pragma once

#include "../cursor.hpp"

namespace evmcore::op {

EVMCORE_INLINE void pop(Cursor& c) noexcept { c.drop(); }
EVMCORE_INLINE void push0(Cursor& c) noexcept { c.push(u256{}); }  // EIP-3855

// The immediate: N bytes behind the instruction, big-endian. Code is padded, so reading whole limbs is in bounds.
template <unsigned N>
EVMCORE_INLINE void push(Cursor& c) noexcept {
    static_assert(N >= 1 && N <= 32);
    const uint8_t* from = c.pc + 1;
    u256 word;
    constexpr unsigned whole = N / 8;
    constexpr unsigned rest = N % 8;
    if constexpr (rest != 0) {
        word.limb[whole] = load_big_endian_u64(from) >> (64 - 8 * rest);
        from += rest;
    }
    for (unsigned i = 0; i < whole; ++i)
        word.limb[whole - 1 - i] = load_big_endian_u64(from + 8 * i);
    c.push(word);
}

template <unsigned N>
EVMCORE_INLINE void dup(Cursor& c) noexcept {
    copy(c.top_item + 1, &c.top(N - 1));
    ++c.top_item;
}

template <unsigned N>
EVMCORE_INLINE void swap(Cursor& c) noexcept {
    const u256 upper = load(&c.top());
    const u256 lower = load(&c.top(N));
    store(&c.top(), lower);
    store(&c.top(N), upper);
}

}  // namespace evmcore::op
