// A growing array of plain rows that may fill up memory, written from front to end: once it is large the system moves its pages when it grows,
// where realloc copies them and has them faulted in anew, and gives large ones. Like Vector otherwise. Owned by one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace evmcore {

template <class T>
class MappedRows {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    MappedRows() noexcept = default;
    MappedRows(const MappedRows&) = delete;
    MappedRows& operator=(const MappedRows&) = delete;
    ~MappedRows() { release(); }

    size_t size() const noexcept { return size_; }
    T* data() noexcept { return data_; }
    const T* data() const noexcept { return data_; }
    T& operator[](size_t i) noexcept { return data_[i]; }
    const T& operator[](size_t i) const noexcept { return data_[i]; }
    void clear() noexcept { size_ = 0; }  // keeps the memory
    void pop_back() noexcept { --size_; }
    // Room for `count` more, so that so many can be added without a look at the answer.
    [[nodiscard]] bool make_room(size_t count) noexcept { return count <= capacity_ - size_ || grow(count); }
    // `count` more rows, for the caller to write: their contents are anything. There has to be room.
    T* extend_within(size_t count) noexcept {
        size_ += count;
        return data_ + size_ - count;
    }

private:
    static constexpr size_t FIRST_BYTES = size_t{4} << 10;
    static constexpr size_t MAPPED_BYTES = size_t{1} << 20;  // from here on
    static constexpr size_t MOST = SIZE_MAX / 4 / sizeof(T);

    __attribute__((noinline)) bool grow(size_t count) noexcept {
        if (count > MOST - size_)
            return false;
        size_t bytes = 2 * capacity_ * sizeof(T);
        bytes = bytes < FIRST_BYTES ? FIRST_BYTES : bytes;
        if (bytes < (size_ + count) * sizeof(T))
            bytes = (size_ + count) * sizeof(T);
        void* const moved = bytes < MAPPED_BYTES ? std::realloc(static_cast<void*>(data_), bytes) : map(&bytes);
        if (moved == nullptr)
            return false;
        data_ = static_cast<T*>(moved);
        capacity_ = bytes / sizeof(T);
        return true;
    }

#if defined(__linux__)
    static constexpr size_t HUGE_PAGE = size_t{2} << 20;

    void* map(size_t* bytes) noexcept {
        *bytes = (*bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
        void* moved;
        if (mapped_bytes_ != 0) {
            moved = mremap(static_cast<void*>(data_), mapped_bytes_, *bytes, MREMAP_MAYMOVE);
        } else {
            moved = mmap(nullptr, *bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        }
        if (moved == MAP_FAILED)
            return nullptr;
        (void)madvise(moved, *bytes, MADV_HUGEPAGE);  // a refusal changes nothing
        if (mapped_bytes_ == 0) {
            if (size_ != 0)
                std::memcpy(moved, data_, size_ * sizeof(T));
            std::free(data_);
        }
        mapped_bytes_ = *bytes;
        return moved;
    }
    void release() noexcept {
        if (mapped_bytes_ != 0)
            munmap(static_cast<void*>(data_), mapped_bytes_);
        else
            std::free(data_);
    }
#else
    void* map(size_t* bytes) noexcept { return std::realloc(static_cast<void*>(data_), *bytes); }
    void release() noexcept { std::free(data_); }
#endif

    T* data_ = nullptr;
    size_t size_ = 0;
    size_t capacity_ = 0;
    [[maybe_unused]] size_t mapped_bytes_ = 0;  // 0: the memory is malloc's
};

}  // namespace evmcore
