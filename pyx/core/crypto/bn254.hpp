// BN254 (alt_bn128) on Ethereum's wire: add and multiply points of G1, and check a product of pairings.
// Depends on base. No state is kept between calls, so any thread may call; the arithmetic for the processor at hand is
// chosen once. Source: EIP-196 and EIP-197, whose encodings and refusals these are.
#pragma once

#include "../base/poll.hpp"
#include "../base/status.hpp"
#include "../base/types.hpp"

namespace evmcore {

// Bytes of a coordinate, of a point of G1 (x, y) and of a pair (a point of G1, then one of G2 with imaginary parts
// first); all numbers big-endian, (0, 0) is infinity.
constexpr size_t BN254_NUMBER_BYTES = 32;
constexpr size_t BN254_POINT_BYTES = 64;
constexpr size_t BN254_PAIR_BYTES = 192;

// output = the sum of the two points in the 128 bytes of input; false when one isn't on the curve.
bool bn254_add(const uint8_t* input, uint8_t* output) noexcept;

// output = the point in the first 64 bytes of input, times the number in the next 32; false when it isn't on the curve.
bool bn254_multiply(const uint8_t* input, uint8_t* output) noexcept;

// Is the product of the pairings one? SUCCESS with the answer; PRECOMPILE_FAILURE when a point isn't in its group; ABORTED.
// `input` holds whole pairs.
Status bn254_pairing_is_one(ByteView input, bool& is_one, Poll& poll) noexcept;

}  // namespace evmcore
