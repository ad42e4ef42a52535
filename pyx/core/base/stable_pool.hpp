// A growing array whose items never move: pointers into it stay good until `clear`. Keeps its memory when cleared.
// Owned by one worker.
#pragma once

#include "vector.hpp"

namespace evmcore {

template <class T, size_t CHUNK = 64>
class StablePool {
    static_assert(std::is_trivially_destructible_v<T>);

  public:
    StablePool() = default;
    StablePool(const StablePool&) = delete;
    StablePool& operator=(const StablePool&) = delete;
    ~StablePool() {
        for (T* chunk : chunks_)
            std::free(chunk);
    }

    // A fresh default-constructed item; null when there is no memory.
    T* add() noexcept {
        if (size_ == chunks_.size() * CHUNK) {
            T* chunk = static_cast<T*>(std::malloc(sizeof(T) * CHUNK));
            if (chunk == nullptr)
                return nullptr;
            if (!chunks_.push_back(chunk)) {
                std::free(chunk);
                return nullptr;
            }
        }
        T* item = chunks_[size_ / CHUNK] + size_ % CHUNK;
        ++size_;
        return new (item) T{};
    }

    size_t size() const noexcept { return size_; }
    T& operator[](size_t i) noexcept { return chunks_[i / CHUNK][i % CHUNK]; }
    const T& operator[](size_t i) const noexcept { return chunks_[i / CHUNK][i % CHUNK]; }
    void clear() noexcept { size_ = 0; }

  private:
    Vector<T*> chunks_;
    size_t size_ = 0;
};

}  // namespace evmcore
