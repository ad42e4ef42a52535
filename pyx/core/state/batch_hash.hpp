// Hashes of many strings of any sizes, eight side by side.
#pragma once

#include <algorithm>

#include "../base/vector.hpp"
#include "../crypto/keccak.hpp"

namespace evmcore {

// `out`: as many. False without memory.
[[nodiscard]] inline bool hash_many(const ByteView* items, size_t count, Hash* out) noexcept {
    constexpr size_t LANES = 8;
    Vector<uint32_t> order;
    if (count > UINT32_MAX || !order.resize(count))
        return false;
    for (size_t i = 0; i < count; ++i)
        order[i] = static_cast<uint32_t>(i);
    // Those that are hashed side by side take as long as the longest of them.
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return items[a].size < items[b].size; });
    for (size_t first = 0; first < count; first += LANES) {
        const uint8_t* data[LANES];
        size_t sizes[LANES];
        Hash* hashes[LANES];
        Hash unused;
        for (size_t i = 0; i < LANES; ++i) {
            const bool is_used = first + i < count;
            const uint32_t item = order[is_used ? first + i : first];
            data[i] = items[item].data;
            sizes[i] = is_used ? items[item].size : 0;
            hashes[i] = is_used ? &out[item] : &unused;
        }
        keccak256_x8(data, sizes, hashes);
    }
    return true;
}

}  // namespace evmcore
