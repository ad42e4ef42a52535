// The memory of all frames of one worker, end to end in one buffer: a call's memory begins where its caller's ends.
// Owned by one worker. Grows by moving, so a frame's pointer is refreshed after each growth and each return.
#pragma once

#include <cstdlib>

#include "../base/types.hpp"

namespace evmcore {

class MemoryArena {
public:
    // What one worker may hold. A block of 60 Mgas can address 5.5 MB; only absurd gas limits come near this.
    // (ethereum/tests has one: randomStatetest94 hashes 1.6 GB of zeros.)
    static constexpr uint64_t LIMIT_BYTES = uint64_t{1} << 32;

    MemoryArena() = default;
    MemoryArena(const MemoryArena&) = delete;
    MemoryArena& operator=(const MemoryArena&) = delete;
    ~MemoryArena() { std::free(data_); }

    uint8_t* data() const noexcept { return data_; }

    // Room for `size_bytes` from the start of the buffer; false beyond the limit or without memory.
    bool reserve(uint64_t size_bytes) noexcept {
        if (size_bytes <= capacity_)
            return true;
        if (size_bytes > LIMIT_BYTES)
            return false;
        uint64_t capacity = capacity_ < FIRST_BYTES ? FIRST_BYTES : capacity_;
        while (capacity < size_bytes)
            capacity *= 2;
        // A large buffer comes zeroed by the kernel, page by page as it is touched: what a program only pays for, or
        // only reads, takes no memory.
        const bool is_large = capacity > KEPT_BYTES;
        auto* data = static_cast<uint8_t*>(is_large ? std::calloc(capacity, 1) : std::realloc(data_, capacity));
        if (data == nullptr)
            return false;
        if (is_large) {
            if (dirty_end_ > 0)
                std::memcpy(data, data_, dirty_end_);
            std::free(data_);
        } else {
            dirty_end_ = capacity;
        }
        data_ = data;
        capacity_ = capacity;
        return true;
    }

    // Makes [begin, end) zero, for a frame that may write it from now on. It is reserved.
    void clear(uint64_t begin, uint64_t end) noexcept {
        const uint64_t dirty = end < dirty_end_ ? end : dirty_end_;
        if (begin < dirty)
            std::memset(data_ + begin, 0, dirty - begin);
        if (end > dirty_end_)
            dirty_end_ = end;
    }

    // Gives a large buffer back between transactions, so that one hostile program doesn't keep a worker's memory.
    void trim() noexcept {
        if (capacity_ > KEPT_BYTES) {
            std::free(data_);
            data_ = nullptr;
            capacity_ = dirty_end_ = 0;
        }
    }

private:
    static constexpr uint64_t FIRST_BYTES = 64 * 1024;
    static constexpr uint64_t KEPT_BYTES = 16 * 1024 * 1024;

    uint8_t* data_ = nullptr;
    uint64_t capacity_ = 0;
    uint64_t dirty_end_ = 0;  // from here on the buffer is zero
};

}  // namespace evmcore
