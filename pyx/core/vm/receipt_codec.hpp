// Outcomes as bytes, so that what a piece of a block came to can travel: all that a receipt shows, which is more than the chain stores
// (`encode_receipt`). Depends on outcome and rlp. The layout is that of evmcore/packing.py.
#pragma once

#include "../base/rlp.hpp"
#include "outcome.hpp"

namespace evmcore {

// Appends one item of the list. `has_status`: since Byzantium (EIP-658). False without memory.
[[nodiscard]] bool pack_receipt(const Outcome& outcome, bool has_status, Bytes* out) noexcept;

struct PackedReceipt {
    bool has_status = false;
    const char* field = nullptr;  // that can't be read; null: the item itself
};

// Reads the next item into an outcome, of which all that a receipt shows is set. Takes what `pack_receipt` writes and nothing else.
Status unpack_receipt(RlpReader* items, Outcome* outcome, PackedReceipt* packed) noexcept;

}  // namespace evmcore
