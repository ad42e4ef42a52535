// Hashes of short messages that are asked for again and again: the slots of mappings, the items of blooms. A table in
// which a message has one place, and the last one that was put there stays. Depends on keccak. Owned by one worker.
#pragma once

#include "keccak.hpp"

namespace evmcore {

// Messages of 1 to MAX_BYTES bytes; ENTRIES is a power of two.
template <size_t MAX_BYTES, size_t ENTRIES>
class KeccakMemo {
    static_assert(MAX_BYTES % 32 == 0 && (ENTRIES & (ENTRIES - 1)) == 0);

public:
    struct Entry {
        Hash hash;
        uint8_t message[MAX_BYTES];
        uint32_t size = 0;  // 0: empty
    };

    static constexpr bool takes(size_t size) noexcept { return size - 1 < MAX_BYTES; }

    // Where the message is if it is there at all.
    Entry& place(ByteView message) noexcept {
        // The bytes that differ between messages: addresses and numbers end a word of 32 bytes.
        uint64_t mixed = message.size;
        for (size_t end = 32; end <= message.size; end += 32)
            mixed = (mixed ^ word_at(message.data + end - 8) ^ word_at(message.data + end - 20) * FIRST) * SECOND;
        if (message.size % 32 >= 8)
            mixed = (mixed ^ word_at(message.data + message.size - 8)) * SECOND;
        return entries_[mixed >> SHIFT];
    }
    static bool holds(const Entry& entry, ByteView message) noexcept {
        return entry.size == message.size && std::memcmp(entry.message, message.data, message.size) == 0;
    }
    static void keep(Entry* entry, ByteView message, const Hash& hash) noexcept {
        std::memcpy(entry->message, message.data, message.size);
        entry->size = static_cast<uint32_t>(message.size);
        entry->hash = hash;
    }

    // The hash of a message that it `takes`. The reference holds until the next call.
    const Hash& hash(ByteView message) noexcept {
        Entry& entry = place(message);
        if (!holds(entry, message)) {
            // Into the entry only afterwards: its size must not speak of another message.
            Hash hash;
            keccak256(message.data, message.size, &hash);
            keep(&entry, message, hash);
        }
        return entry.hash;
    }

private:
    static constexpr uint64_t FIRST = 0x9e3779b97f4a7c15u;  // odd numbers without a pattern
    static constexpr uint64_t SECOND = 0xd1342543de82ef95u;
    static constexpr unsigned SHIFT = 64 - __builtin_ctzll(ENTRIES);

    static uint64_t word_at(const uint8_t* data) noexcept {
        uint64_t word;
        std::memcpy(&word, data, 8);
        return word;
    }

    Entry entries_[ENTRIES];
};

}  // namespace evmcore
