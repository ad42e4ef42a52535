// A hash map in one flat array: open addressing, linear probing, and a clear that costs nothing.
// Depends on base/types. Keys and values are plain data; a map belongs to one worker and never throws: when memory
// runs out, insert_or_find returns null and reserve returns false, and the map is as it was.
#pragma once

#include "types.hpp"

#include <cstdlib>
#include <type_traits>

namespace evmcore {

// Hasher: a functor from Key to uint64_t, good in its low bits and seeded if strangers choose the keys.
// Pointers to values hold until the next insert_or_find, erase, reserve, clear or assignment.
template <typename Key, typename Value, typename Hasher>
class FlatMap {
    static_assert(std::is_trivially_copyable_v<Key> && std::is_trivially_copyable_v<Value>);

    // A slot is taken if it carries the map's own generation: clear() only moves the map to the next one.
    struct Slot {
        Key key;
        Value value;
        uint32_t generation;
    };

    Slot* slots_ = nullptr;
    size_t capacity_ = 0;  // zero or a power of two
    size_t size_ = 0;
    uint32_t generation_ = 1;  // never 0: fresh slots are zero

    static constexpr size_t FIRST_CAPACITY = 16;

    // Half full at most: linear probing then looks at 1.5 slots for a hit and 2.5 for a miss, on average.
    static constexpr size_t room_of(size_t capacity) noexcept { return capacity / 2; }

    // The slot that holds the key, or the free one where it belongs. There is always a free one.
    Slot* probe(const Key& key) const noexcept {
        const size_t mask = capacity_ - 1;
        size_t i = static_cast<size_t>(Hasher{}(key)) & mask;
        while (slots_[i].generation == generation_ && !(slots_[i].key == key))
            i = (i + 1) & mask;
        return slots_ + i;
    }

    EVMCORE_NOINLINE bool grow(size_t capacity) noexcept {
        auto* slots = static_cast<Slot*>(std::calloc(capacity, sizeof(Slot)));
        if (slots == nullptr)
            return false;
        Slot* const old_slots = slots_;
        const size_t old_capacity = capacity_;
        const uint32_t old_generation = generation_;
        slots_ = slots;
        capacity_ = capacity;
        generation_ = 1;
        for (size_t i = 0; i < old_capacity; ++i) {
            if (old_slots[i].generation == old_generation) {
                Slot* const slot = probe(old_slots[i].key);
                std::memcpy(static_cast<void*>(slot), &old_slots[i], sizeof(Slot));
                slot->generation = 1;
            }
        }
        std::free(old_slots);
        return true;
    }

    void take(FlatMap& other) noexcept {
        slots_ = other.slots_;
        capacity_ = other.capacity_;
        size_ = other.size_;
        generation_ = other.generation_;
        other.slots_ = nullptr;
        other.capacity_ = other.size_ = 0;
        other.generation_ = 1;
    }

public:
    FlatMap() noexcept = default;
    FlatMap(const FlatMap&) = delete;  // a copy may fail: assign_from says so
    FlatMap& operator=(const FlatMap&) = delete;
    FlatMap(FlatMap&& other) noexcept { take(other); }
    FlatMap& operator=(FlatMap&& other) noexcept {
        if (this != &other) {
            std::free(slots_);
            take(other);
        }
        return *this;
    }
    ~FlatMap() { std::free(slots_); }

    size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    size_t capacity() const noexcept { return capacity_; }
    size_t size_bytes() const noexcept { return capacity_ * sizeof(Slot); }

    // Null if the key is not in the map.
    Value* find(const Key& key) noexcept {
        if (size_ == 0)
            return nullptr;
        Slot* const slot = probe(key);
        return slot->generation == generation_ ? &slot->value : nullptr;
    }
    const Value* find(const Key& key) const noexcept { return const_cast<FlatMap*>(this)->find(key); }

    // Asks for the memory where the key would be found.
    void prefetch(const Key& key) const noexcept {
        if (size_ != 0)
            __builtin_prefetch(slots_ + (static_cast<size_t>(Hasher{}(key)) & (capacity_ - 1)));
    }

    // The value of the key, Value{} if it was not there (*inserted); null if memory ran out.
    Value* insert_or_find(const Key& key, bool* inserted) noexcept {
        *inserted = false;
        if (EVMCORE_LIKELY(capacity_ != 0)) {
            Slot* const slot = probe(key);
            if (slot->generation == generation_)
                return &slot->value;
            if (EVMCORE_LIKELY(size_ < room_of(capacity_)))
                return fill(slot, key, inserted);
        }
        const Key kept = key;  // `key` may lie in the array that is about to go
        if (!grow(capacity_ == 0 ? FIRST_CAPACITY : capacity_ * 2))
            return nullptr;
        return fill(probe(kept), kept, inserted);
    }

    // False if the key was not there. Entries behind it move up, so that no probe passes over the gap.
    bool erase(const Key& key) noexcept {
        if (size_ == 0)
            return false;
        Slot* const slot = probe(key);
        if (slot->generation != generation_)
            return false;
        const size_t mask = capacity_ - 1;
        size_t gap = static_cast<size_t>(slot - slots_);
        for (size_t i = (gap + 1) & mask; slots_[i].generation == generation_; i = (i + 1) & mask) {
            const size_t home = static_cast<size_t>(Hasher{}(slots_[i].key)) & mask;
            if (((i - home) & mask) >= ((i - gap) & mask)) {  // it may lie in the gap
                std::memcpy(static_cast<void*>(slots_ + gap), slots_ + i, sizeof(Slot));
                gap = i;
            }
        }
        slots_[gap].generation = 0;
        --size_;
        return true;
    }

    // Makes room for n keys in all, so that no insertion up to there moves the map or fails.
    bool reserve(size_t n) noexcept {
        size_t capacity = capacity_ == 0 ? FIRST_CAPACITY : capacity_;
        while (room_of(capacity) < n)
            capacity *= 2;
        return capacity == capacity_ || grow(capacity);
    }

    // Forgets all keys and keeps the array. Every 2^32 times it has to wipe the array.
    void clear() noexcept {
        size_ = 0;
        if (EVMCORE_UNLIKELY(++generation_ == 0)) {
            generation_ = 1;
            if (capacity_ != 0)
                std::memset(static_cast<void*>(slots_), 0, capacity_ * sizeof(Slot));
        }
    }

    // Forgets all keys, and gives the array back if it is more than so many bytes.
    void trim(size_t kept_bytes) noexcept {
        if (size_bytes() > kept_bytes)
            release();
        else
            clear();
    }
    // Gives the memory back.
    void release() noexcept { *this = FlatMap{}; }

    // Becomes a copy: one memcpy. False if memory ran out; the map is then as it was.
    bool assign_from(const FlatMap& other) noexcept {
        if (this == &other)
            return true;
        if (other.size_ == 0) {
            clear();
            return true;
        }
        if (capacity_ != other.capacity_) {
            auto* slots = static_cast<Slot*>(std::malloc(other.capacity_ * sizeof(Slot)));
            if (slots == nullptr)
                return false;
            std::free(slots_);
            slots_ = slots;
            capacity_ = other.capacity_;
        }
        std::memcpy(static_cast<void*>(slots_), other.slots_, capacity_ * sizeof(Slot));
        size_ = other.size_;
        generation_ = other.generation_;
        return true;
    }

    // visit(const Key&, Value&). The order depends on the process's seed and must never show in a result. Looks at the
    // whole array: where a few of many slots are in use, keep a list beside the map.
    template <typename Visit>
    void for_each(Visit&& visit) noexcept {
        for (size_t i = 0; i < capacity_; ++i) {
            if (slots_[i].generation == generation_)
                visit(static_cast<const Key&>(slots_[i].key), slots_[i].value);
        }
    }
    template <typename Visit>
    void for_each(Visit&& visit) const noexcept {
        for_each_in(0, capacity_, visit);
    }
    // The same for a part of the array, [begin, end) of 0 to capacity(): parts together are the whole.
    template <typename Visit>
    void for_each_in(size_t begin, size_t end, Visit&& visit) const noexcept {
        for (size_t i = begin; i < end && i < capacity_; ++i) {
            if (slots_[i].generation == generation_)
                visit(static_cast<const Key&>(slots_[i].key), static_cast<const Value&>(slots_[i].value));
        }
    }

private:
    Value* fill(Slot* slot, const Key& key, bool* inserted) noexcept {
        std::memcpy(static_cast<void*>(&slot->key), &key, sizeof(Key));
        slot->value = Value{};
        slot->generation = generation_;
        ++size_;
        *inserted = true;
        return &slot->value;
    }
};

}  // namespace evmcore
