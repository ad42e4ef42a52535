// The words every floor shares: byte views, addresses, hashes, and the storage layout of a 256-bit number.
// Depends on base/vector. Everything here is plain data: trivially copyable, comparable, hashable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "vector.hpp"

#define EVMCORE_INLINE inline __attribute__((always_inline))
#define EVMCORE_NOINLINE __attribute__((noinline))
#define EVMCORE_LIKELY(x) __builtin_expect(!!(x), 1)
#define EVMCORE_UNLIKELY(x) __builtin_expect(!!(x), 0)

namespace evmcore {

using Bytes = Vector<uint8_t>;

// A borrowed run of bytes; the owner must outlive it.
struct ByteView {
    const uint8_t* data = nullptr;
    size_t size = 0;

    ByteView() = default;
    ByteView(const uint8_t* data_, size_t size_) noexcept : data{data_}, size{size_} {}
    ByteView(const Bytes& bytes) noexcept : data{bytes.data()}, size{bytes.size()} {}

    const uint8_t* begin() const noexcept { return data; }
    const uint8_t* end() const noexcept { return data + size; }
    uint8_t operator[](size_t i) const noexcept { return data[i]; }
    bool empty() const noexcept { return size == 0; }
};

// 20 bytes, as on the wire.
struct Address {
    uint8_t bytes[20];

    bool operator==(const Address& other) const noexcept { return std::memcmp(bytes, other.bytes, 20) == 0; }
    bool operator<(const Address& other) const noexcept { return std::memcmp(bytes, other.bytes, 20) < 0; }
};

// 32 bytes, as on the wire: a keccak-256 or any other hash.
struct Hash {
    uint8_t bytes[32];

    bool operator==(const Hash& other) const noexcept { return std::memcmp(bytes, other.bytes, 32) == 0; }
    bool operator<(const Hash& other) const noexcept { return std::memcmp(bytes, other.bytes, 32) < 0; }
};

// A 256-bit word: four 64-bit limbs, least significant first. The arithmetic is in math/u256.hpp.
struct u256 {
    uint64_t limb[4];

    constexpr u256() noexcept : limb{0, 0, 0, 0} {}
    constexpr u256(uint64_t low) noexcept : limb{low, 0, 0, 0} {}
    constexpr u256(uint64_t l0, uint64_t l1, uint64_t l2, uint64_t l3) noexcept : limb{l0, l1, l2, l3} {}

    constexpr bool operator==(const u256& other) const noexcept {
        return ((limb[0] ^ other.limb[0]) | (limb[1] ^ other.limb[1]) | (limb[2] ^ other.limb[2]) |
                (limb[3] ^ other.limb[3])) == 0;
    }
    constexpr bool is_zero() const noexcept { return (limb[0] | limb[1] | limb[2] | limb[3]) == 0; }
    constexpr bool fits_u64() const noexcept { return (limb[1] | limb[2] | limb[3]) == 0; }
};

// How many bytes the number needs without leading zeros; none for zero.
constexpr unsigned byte_length(uint64_t x) noexcept {
    return x == 0 ? 0 : (71 - static_cast<unsigned>(__builtin_clzll(x))) / 8;
}
constexpr unsigned byte_length(const u256& x) noexcept {
    for (unsigned i = 4; i-- > 0;)
        if (x.limb[i] != 0)
            return 8 * i + byte_length(x.limb[i]);
    return 0;
}

}  // namespace evmcore
