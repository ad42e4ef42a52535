// Arithmetic: 0x01 to 0x0b. Yellow Paper, appendix H.
#pragma once

#include "../cursor.hpp"

namespace evmcore::op {

EVMCORE_INLINE void add(Cursor& c) noexcept { c.drop(), c.put(c.top(-1) + c.top()); }
EVMCORE_INLINE void mul(Cursor& c) noexcept { c.drop(), c.put(c.top(-1) * c.top()); }
EVMCORE_INLINE void sub(Cursor& c) noexcept { c.drop(), c.put(c.top(-1) - c.top()); }
EVMCORE_INLINE void div(Cursor& c) noexcept { c.drop(), c.put(evmcore::div(c.top(-1), c.top())); }
EVMCORE_INLINE void sdiv(Cursor& c) noexcept { c.drop(), c.put(evmcore::sdiv(c.top(-1), c.top())); }
EVMCORE_INLINE void mod(Cursor& c) noexcept { c.drop(), c.put(evmcore::mod(c.top(-1), c.top())); }
EVMCORE_INLINE void smod(Cursor& c) noexcept { c.drop(), c.put(evmcore::smod(c.top(-1), c.top())); }
EVMCORE_INLINE void addmod(Cursor& c) noexcept { c.drop(2), c.put(evmcore::addmod(c.top(-2), c.top(-1), c.top())); }
EVMCORE_INLINE void mulmod(Cursor& c) noexcept {
    c.drop(2);
    c.put(evmcore::mulmod(c.top(-2), c.top(-1), c.top(), &c.frame.machine->modulus));
}
EVMCORE_INLINE void signextend(Cursor& c) noexcept { c.drop(), c.put(sign_extend(c.top(-1), c.top())); }

EVMCORE_INLINE Status exp(Cursor& c) noexcept {
    const u256& exponent = c.top(1);
    if (!c.charge(c.frame.machine->rules->exp_byte_gas * byte_length(exponent)))  // EIP-160
        return Status::OUT_OF_GAS;
    c.drop();
    c.put(evmcore::exp(c.top(-1), c.top()));
    return Status::RUNNING;
}

}  // namespace evmcore::op
