// A growing array whose items never move: pointers into it stay good until `clear`. Keeps its memory when cleared.
// Owned by one worker. MOST_BYTES: as in Vector.
#pragma once

#include "types.hpp"

namespace evmcore {

template <class T, size_t MOST_BYTES = SIZE_MAX / 2, size_t CHUNK = 64>
class StablePool {
    static_assert(std::is_trivially_destructible_v<T>);

public:
    StablePool() = default;
    StablePool(const StablePool&) = delete;
    StablePool& operator=(const StablePool&) = delete;
    ~StablePool() { release(); }

    // A fresh default-constructed item; null when there is no memory, or the pool is full.
    T* add() noexcept {
        if (size_ == chunks_.size() * CHUNK && !grow())
            return nullptr;
        T* item = chunks_[size_ / CHUNK] + size_ % CHUNK;
        ++size_;
        return new (item) T{};
    }

    size_t size() const noexcept { return size_; }
    T& operator[](size_t i) noexcept { return chunks_[i / CHUNK][i % CHUNK]; }
    const T& operator[](size_t i) const noexcept { return chunks_[i / CHUNK][i % CHUNK]; }
    bool is_full() const noexcept { return (size_ + CHUNK) * sizeof(T) > MOST_BYTES; }
    size_t capacity_bytes() const noexcept { return chunks_.size() * CHUNK * sizeof(T); }
    void clear() noexcept { size_ = 0; }
    void release() noexcept {
        size_ = 0;
        for (T* chunk : chunks_)
            std::free(chunk);
        chunks_.release();
    }
    // Forgets all items, and gives the memory back if it is more than so many bytes.
    void trim(size_t kept_bytes) noexcept {
        size_ = 0;
        if (capacity_bytes() > kept_bytes)
            release();
    }

private:
    EVMCORE_NOINLINE bool grow() noexcept {
        if (is_full())
            return false;
        T* chunk = static_cast<T*>(std::malloc(sizeof(T) * CHUNK));
        if (chunk == nullptr)
            return false;
        if (!chunks_.push_back(chunk)) {
            std::free(chunk);
            return false;
        }
        return true;
    }

    Vector<T*> chunks_;
    size_t size_ = 0;
};

}  // namespace evmcore
