// Stack: POP, PUSH, DUP, SWAP, DUPN, SWAPN, EXCHANGE. The limits were checked from the row, but for the depth that an immediate says.
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

// The items that an immediate names (EIP-8024). An immediate may not be the number of a JUMPDEST or a PUSH, so that no code changes where it
// may jump to.
EVMCORE_INLINE bool has_items(const Cursor& c, int count) noexcept { return c.top_item - c.frame.stack_base >= count - 1; }

EVMCORE_INLINE void exchange_items(Cursor& c, int a, int b) noexcept {
    const u256 upper = load(&c.top(a));
    const u256 lower = load(&c.top(b));
    store(&c.top(a), lower);
    store(&c.top(b), upper);
}

EVMCORE_INLINE Status dupn(Cursor& c) noexcept {
    const unsigned x = c.pc[1];
    if (x >= 91 && x <= 127)
        return Status::UNDEFINED_INSTRUCTION;
    const int n = static_cast<int>((x + 145) % 256);
    if (!has_items(c, n))
        return Status::STACK_UNDERFLOW;
    copy(c.top_item + 1, &c.top(n - 1));
    ++c.top_item;
    return Status::RUNNING;
}

EVMCORE_INLINE Status swapn(Cursor& c) noexcept {
    const unsigned x = c.pc[1];
    if (x >= 91 && x <= 127)
        return Status::UNDEFINED_INSTRUCTION;
    const int n = static_cast<int>((x + 145) % 256);
    if (!has_items(c, n + 1))
        return Status::STACK_UNDERFLOW;
    exchange_items(c, 0, n);
    return Status::RUNNING;
}

EVMCORE_INLINE Status exchange(Cursor& c) noexcept {
    const unsigned x = c.pc[1];
    if (x >= 82 && x <= 127)
        return Status::UNDEFINED_INSTRUCTION;
    const int q = static_cast<int>((x ^ 143) / 16), r = static_cast<int>((x ^ 143) % 16);
    const int n = q < r ? q + 1 : r + 1, m = q < r ? r + 1 : 29 - q;
    if (!has_items(c, m + 1))
        return Status::STACK_UNDERFLOW;
    exchange_items(c, n, m);
    return Status::RUNNING;
}

}  // namespace evmcore::op
