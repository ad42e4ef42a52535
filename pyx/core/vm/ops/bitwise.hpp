// Comparison and bitwise logic: 0x10 to 0x1e. Yellow Paper, appendix H; EIP-145, EIP-7939.
#pragma once

#include "../cursor.hpp"

namespace evmcore::op {

EVMCORE_INLINE void lt(Cursor& c) noexcept { c.drop(), c.put(u256{c.top(-1) < c.top()}); }
EVMCORE_INLINE void gt(Cursor& c) noexcept { c.drop(), c.put(u256{c.top() < c.top(-1)}); }
EVMCORE_INLINE void slt(Cursor& c) noexcept { c.drop(), c.put(u256{signed_less(c.top(-1), c.top())}); }
EVMCORE_INLINE void sgt(Cursor& c) noexcept { c.drop(), c.put(u256{signed_less(c.top(), c.top(-1))}); }
EVMCORE_INLINE void eq(Cursor& c) noexcept { c.drop(), c.put(u256{c.top(-1) == c.top()}); }
EVMCORE_INLINE void iszero(Cursor& c) noexcept { c.put(u256{c.top().is_zero()}); }
EVMCORE_INLINE void and_(Cursor& c) noexcept { c.drop(), c.put(c.top(-1) & c.top()); }
EVMCORE_INLINE void or_(Cursor& c) noexcept { c.drop(), c.put(c.top(-1) | c.top()); }
EVMCORE_INLINE void xor_(Cursor& c) noexcept { c.drop(), c.put(c.top(-1) ^ c.top()); }
EVMCORE_INLINE void not_(Cursor& c) noexcept { c.put(~c.top()); }
EVMCORE_INLINE void byte(Cursor& c) noexcept { c.drop(), c.put(byte_at(c.top(-1), c.top())); }
EVMCORE_INLINE void shl(Cursor& c) noexcept { c.drop(), c.put(evmcore::shl(c.top(-1), c.top())); }
EVMCORE_INLINE void shr(Cursor& c) noexcept { c.drop(), c.put(evmcore::shr(c.top(-1), c.top())); }
EVMCORE_INLINE void sar(Cursor& c) noexcept { c.drop(), c.put(evmcore::sar(c.top(-1), c.top())); }
EVMCORE_INLINE void clz(Cursor& c) noexcept { c.put(u256{leading_zeros(c.top())}); }

}  // namespace evmcore::op
