// The constants of secp256k1 (SEC 2, section 2.4.1), for curve256.hpp. Depends on it alone.
#pragma once

#include "curve256.hpp"

namespace evmcore {

struct Secp256k1 {
    struct Field {
        static constexpr u256 value{0xfffffffefffffc2f, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff};
    };
    struct Order {
        static constexpr u256 value{0xbfd25e8cd0364141, 0xbaaedce6af48a03b, 0xfffffffffffffffe, 0xffffffffffffffff};
    };
    static constexpr bool a_is_minus_3 = false;
    static constexpr u256 generator_x{0x59f2815b16f81798, 0x029bfcdb2dce28d9, 0x55a06295ce870b07, 0x79be667ef9dcbbac};
    static constexpr u256 generator_y{0x9c47d08ffb10d4b8, 0xfd17b448a6855419, 0x5da4fbfc0e1108a8, 0x483ada7726a3c465};
};

}  // namespace evmcore
