// Keccak-256 as Ethereum uses it: the original padding (0x01), not that of SHA3-256.
// Depends on base/types and base/poll. No state is kept between calls, so any thread may call; the code for the processor at
// hand is chosen at the first call.
#pragma once

#include "../base/poll.hpp"
#include "../base/types.hpp"

namespace evmcore {

// Yellow Paper appendix F: KEC.
void keccak256(const uint8_t* data, size_t size, Hash* out) noexcept;

// The same, of a message that may be so long that it has to be stopped; false when it was, and then there is no hash.
bool keccak256(const uint8_t* data, size_t size, Hash* out, Poll& poll) noexcept;

inline Hash keccak256(ByteView bytes) noexcept {
    Hash hash;
    keccak256(bytes.data, bytes.size, &hash);
    return hash;
}

// Four independent messages at once, where the processor has vectors wide enough; sizes may differ, but lanes pay for
// the longest. An output may lie on any of the inputs only if it lies on its own message.
void keccak256_x4(const uint8_t* const data[4], const size_t sizes[4], Hash* const out[4]) noexcept;
// The same for eight, where the processor has AVX-512; elsewhere twice four.
void keccak256_x8(const uint8_t* const data[8], const size_t sizes[8], Hash* const out[8]) noexcept;

// Keccak-512 of a message that fits its block of 72 bytes with a byte to spare: all that Ethash asks of it.
constexpr size_t KECCAK512_BYTES = 64;
void keccak512_short(const uint8_t* data, size_t size, uint8_t* out) noexcept;

// The hash of no bytes: the code hash of an account without code.
constexpr Hash EMPTY_KECCAK{{0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c, 0x92, 0x7e, 0x7d, 0xb2, 0xdc, 0xc7, 0x03, 0xc0,
                             0xe5, 0x00, 0xb6, 0x53, 0xca, 0x82, 0x27, 0x3b, 0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85, 0xa4, 0x70}};

// The hash of the RLP of an empty string (0x80): the root of a trie without entries.
constexpr Hash EMPTY_TRIE_ROOT{{0x56, 0xe8, 0x1f, 0x17, 0x1b, 0xcc, 0x55, 0xa6, 0xff, 0x83, 0x45,
                                0xe6, 0x92, 0xc0, 0xf8, 0x6e, 0x5b, 0x48, 0xe0, 0x1b, 0x99, 0x6c,
                                0xad, 0xc0, 0x01, 0x62, 0x2f, 0xb5, 0xe3, 0x63, 0xb4, 0x21}};

}  // namespace evmcore
