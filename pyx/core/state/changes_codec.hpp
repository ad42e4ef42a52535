// Changes as bytes, and back from bytes that nobody vouches for. Equal changes have one encoding:
//
//   "evmdelta" 1   codes: count, then of each, ascending by hash: count length, its bytes; length 0: its hash alone, 32 bytes
//                  accounts: count, then of each, ascending by address:
//                      20 bytes   1 byte of ChangeBits
//                      if it existed: number balance   count nonce   count code (0: none, n: the nth)
//                      if it exists: the same of what it has then; if it existed, too, what differs alone
//                      if it has slots: count, not 0; of each, ascending by key: number key   number before   number after
//
// Counts and numbers are those of flat_codec.hpp. Depends on changes.
#pragma once

#include "changes.hpp"
#include "flat_codec.hpp"

namespace evmcore {

enum ChangeBits : uint8_t {
    CHANGE_EXISTED = 1,
    CHANGE_EXISTS = 2,
    CHANGE_STORAGE = 4,  // and 8: StorageFate
    CHANGE_BALANCE = 16,
    CHANGE_NONCE = 32,
    CHANGE_CODE = 64,
    CHANGE_SLOTS = 128,
};

// False without memory, or when a poll that is given says stop.
[[nodiscard]] bool encode_changes(const StateChanges& changes, Poll* poll, Bytes* out) noexcept;
// Into empty changes. `most_code_bytes`: a code with more is at fault.
[[nodiscard]] bool decode_changes(ByteView bytes, size_t most_code_bytes, Poll* poll, StateChanges* changes,
                                  DecodedState* result) noexcept;

}  // namespace evmcore
