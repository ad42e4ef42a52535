// A growing array that says when there is no memory, in place of std::vector, which would end the process here: nothing
// under pyx/core throws. Depends on nothing. Owned by one thread at a time; moves, and is copied by `assign` alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

namespace evmcore {

// Whether an item may be moved in memory by copying its bytes, with no word to it. Types that own memory and hold no pointer
// into themselves say so: `template <> inline constexpr bool is_relocatable<Header> = true;`.
template <class T>
inline constexpr bool is_relocatable = std::is_trivially_copyable_v<T>;

// MOST_BYTES: beyond it nothing grows, and `is_full` says that this was why.
//
// What returns bool is false when there was no room, and then the array is as it was. Pointers to items hold until it grows.
template <class T, size_t MOST_BYTES = SIZE_MAX / 2>
class Vector {
    static constexpr bool IS_PLAIN = std::is_trivially_copyable_v<T>;

public:
    using value_type = T;
    static constexpr size_t MOST = MOST_BYTES / sizeof(T);

    Vector() noexcept = default;
    Vector(const Vector&) = delete;
    Vector& operator=(const Vector&) = delete;
    Vector(Vector&& other) noexcept { swap(other); }
    Vector& operator=(Vector&& other) noexcept {
        if (this != &other) {
            release();
            swap(other);
        }
        return *this;
    }
    ~Vector() { release(); }

    size_t size() const noexcept { return size_; }
    size_t capacity() const noexcept { return capacity_; }
    bool empty() const noexcept { return size_ == 0; }
    // Whether `count` more would pass the limit.
    bool is_full(size_t count = 1) const noexcept { return count > MOST - size_; }
    T* data() noexcept { return data_; }
    const T* data() const noexcept { return data_; }
    T* begin() noexcept { return data_; }
    const T* begin() const noexcept { return data_; }
    T* end() noexcept { return data_ + size_; }
    const T* end() const noexcept { return data_ + size_; }
    T& operator[](size_t i) noexcept { return data_[i]; }
    const T& operator[](size_t i) const noexcept { return data_[i]; }
    T& back() noexcept { return data_[size_ - 1]; }
    const T& back() const noexcept { return data_[size_ - 1]; }

    // Room for `count` more, so that so many can be added without a look at the answer.
    [[nodiscard]] bool make_room(size_t count) noexcept { return count <= capacity_ - size_ || grow(count); }
    // Room for `count` items in all.
    [[nodiscard]] bool reserve(size_t count) noexcept { return count <= capacity_ || move_to(count); }

    [[nodiscard]] bool push_back(const T& item) noexcept
        requires IS_PLAIN
    {
        if (__builtin_expect(size_ == capacity_, 0))
            return push_growing(item);
        new (data_ + size_++) T(item);
        return true;
    }
    [[nodiscard]] bool push_back(T&& item) noexcept
        requires(!IS_PLAIN)
    {
        if (size_ == capacity_ && !grow(1))
            return false;
        new (data_ + size_++) T(std::move(item));
        return true;
    }
    // One more item, default-made; null when there was no room.
    [[nodiscard]] T* add() noexcept {
        if (size_ == capacity_ && !grow(1))
            return nullptr;
        return new (data_ + size_++) T();
    }
    // `count` more items, for the caller to write: their contents are anything. Null when there was no room.
    [[nodiscard]] T* extend(size_t count) noexcept
        requires IS_PLAIN
    {
        if (count > capacity_ - size_ && !grow(count))
            return nullptr;
        size_ += count;
        return data_ + size_ - count;
    }
    // A copy of items that don't lie in here.
    [[nodiscard]] bool append(const T* items, size_t count) noexcept
        requires IS_PLAIN
    {
        if (count == 0)
            return true;
        T* const place = extend(count);
        if (place == nullptr)
            return false;
        std::memcpy(static_cast<void*>(place), items, count * sizeof(T));
        return true;
    }
    [[nodiscard]] bool assign(const T* items, size_t count) noexcept
        requires IS_PLAIN
    {
        if (!reserve(count))
            return false;
        size_ = count;
        if (count != 0)
            std::memcpy(static_cast<void*>(data_), items, count * sizeof(T));
        return true;
    }
    [[nodiscard]] bool assign(const Vector& other) noexcept
        requires IS_PLAIN
    {
        return this == &other || assign(other.data_, other.size_);
    }
    // `count` times the same.
    [[nodiscard]] bool fill(size_t count, const T& item) noexcept
        requires IS_PLAIN
    {
        const T kept = item;
        if (!reserve(count))
            return false;
        size_ = count;
        for (size_t i = 0; i < count; ++i)
            data_[i] = kept;
        return true;
    }
    // To that size: new items are default-made (numbers zero).
    [[nodiscard]] bool resize(size_t count) noexcept {
        if (!reserve(count))
            return false;
        truncate(count);
        if constexpr (std::is_trivially_default_constructible_v<T>) {
            if (count != size_)
                std::memset(static_cast<void*>(data_ + size_), 0, (count - size_) * sizeof(T));
            size_ = count;
        } else {
            while (size_ < count)
                new (data_ + size_++) T();
        }
        return true;
    }
    // To at most that size.
    void truncate(size_t count) noexcept {
        if constexpr (std::is_trivially_destructible_v<T>) {
            if (count < size_)
                size_ = count;
        } else {
            while (size_ > count)
                data_[--size_].~T();
        }
    }
    void pop_back() noexcept { truncate(size_ - 1); }
    // Forgets all items and keeps the memory.
    void clear() noexcept { truncate(0); }
    // Gives the memory back.
    void release() noexcept {
        clear();
        std::free(static_cast<void*>(data_));
        data_ = nullptr;
        capacity_ = 0;
    }
    // Forgets all items, and gives the memory back if it is more than so many bytes.
    void trim(size_t kept_bytes) noexcept {
        clear();
        if (capacity_ * sizeof(T) > kept_bytes)
            release();
    }
    void swap(Vector& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

private:
    // Short arrays of short items would otherwise move again and again.
    static constexpr size_t FIRST = sizeof(T) >= 64 ? 1 : 64 / sizeof(T);

    __attribute__((noinline)) bool push_growing(T item) noexcept {
        if (!grow(1))
            return false;
        new (data_ + size_++) T(item);
        return true;
    }
    // Room for `count` more, and for as many again as there are, so that an item moves twice on average.
    __attribute__((noinline)) bool grow(size_t count) noexcept {
        if (is_full(count))
            return false;
        size_t capacity = capacity_ < FIRST / 2 ? FIRST : capacity_ > MOST / 2 ? MOST : 2 * capacity_;
        if (capacity < size_ + count)
            capacity = size_ + count;
        return move_to(capacity < MOST ? capacity : MOST);
    }
    bool move_to(size_t capacity) noexcept {
        static_assert(is_relocatable<T>);  // here, where the type is complete
        if (capacity > MOST)
            return false;
        void* moved;
        if constexpr (alignof(T) <= alignof(std::max_align_t)) {
            moved = std::realloc(static_cast<void*>(data_), capacity * sizeof(T));
            if (moved == nullptr)
                return false;
        } else {
            moved = std::aligned_alloc(alignof(T), capacity * sizeof(T));
            if (moved == nullptr)
                return false;
            if (size_ != 0)
                std::memcpy(moved, static_cast<const void*>(data_), size_ * sizeof(T));
            std::free(static_cast<void*>(data_));
        }
        data_ = static_cast<T*>(moved);
        capacity_ = capacity;
        return true;
    }

    T* data_ = nullptr;
    size_t size_ = 0;
    size_t capacity_ = 0;
};

template <class T, size_t MOST_BYTES>
inline constexpr bool is_relocatable<Vector<T, MOST_BYTES>> = true;

}  // namespace evmcore
