// Hashes of earlier blocks by their numbers, for BLOCKHASH. Filled once, then frozen: any number of executions may read it.
#pragma once

#include <algorithm>
#include <charconv>

#include "../base/types.hpp"
#include "../base/vector.hpp"
#include "../crypto/keccak.hpp"

namespace evmcore {

struct KnownBlockHashes {
    struct Entry {
        uint64_t number;
        Hash hash;
    };
    Vector<Entry> entries;      // ascending numbers, each once
    bool is_synthetic = false;  // a block that isn't listed has keccak-256 of its decimal number for a hash, as in fixtures

    // False where the block isn't known.
    bool find(uint64_t number, Hash* out) const noexcept {
        const Entry* const entry =
            std::lower_bound(entries.begin(), entries.end(), number,
                             [](const Entry& known, uint64_t wanted) noexcept { return known.number < wanted; });
        if (entry != entries.end() && entry->number == number) {
            *out = entry->hash;
            return true;
        }
        if (!is_synthetic)
            return false;
        char digits[20];  // of 2^64 - 1
        const char* const end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
        keccak256(reinterpret_cast<const uint8_t*>(digits), static_cast<size_t>(end - digits), out);
        return true;
    }
};

}  // namespace evmcore
