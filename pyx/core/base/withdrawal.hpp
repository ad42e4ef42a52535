// A withdrawal, and its encoding, which the withdrawals root is made from (EIP-4895). Depends on rlp.
// Headers and blocks are encoded and decoded in Python: evmcore/header.py, evmcore/block.py.
#pragma once

#include "rlp.hpp"

namespace evmcore {

struct Withdrawal {
    uint64_t index;
    uint64_t validator_index;
    Address address;
    uint64_t amount_gwei;
};

// Appends to `*out`; false without memory.
[[nodiscard]] inline bool encode_withdrawal(const Withdrawal& withdrawal, Bytes* out) noexcept {
    RlpWriter writer{out};
    const size_t list = writer.begin_list();
    writer.number(withdrawal.index);
    writer.number(withdrawal.validator_index);
    writer.string(withdrawal.address.bytes, sizeof(withdrawal.address.bytes));
    writer.number(withdrawal.amount_gwei);
    writer.end_list(list);
    return writer.ok();
}

}  // namespace evmcore
