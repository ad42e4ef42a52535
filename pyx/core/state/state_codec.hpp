// A whole state as bytes, and back from bytes that nobody vouches for. A state has one encoding:
//
//   "evmstate" 1   codes: count, then of each its length and its bytes, ascending by hash; each is some account's
//                  accounts: count, then of each, ascending by address:
//                      20 bytes   number balance   count nonce   count code (0: none, n: the nth)   count slots
//                      of each slot, ascending by key: number key   number value, not zero
// Counts and numbers are those of flat_codec.hpp. Depends on slot_table and world.
#pragma once

#include "flat_codec.hpp"
#include "slot_table.hpp"

namespace evmcore {

// The world must not change meanwhile. False without memory, or when a poll that is given says stop: its `abort` tells.
[[nodiscard]] bool encode_state(const World& world, Poll* poll, Bytes* out) noexcept;

// Adds what the bytes say to an empty world. `most_code_bytes`: a code with more is at fault.
[[nodiscard]] bool decode_state(ByteView bytes, size_t most_code_bytes, Poll* poll, World* world,
                                DecodedState* result) noexcept;

}  // namespace evmcore
